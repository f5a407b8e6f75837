package codec

import (
	"slices"
	"sync"

	gomsgpack "github.com/hashicorp/go-msgpack/v2/codec"
)

// handle pins every option of the library that decides about bytes.
var handle = func() *gomsgpack.MsgpackHandle {
	h := &gomsgpack.MsgpackHandle{
		WriteExt:            true,  // payloads are bin, addresses str; without it both were the old raw
		NoFixedNum:          false, // a small number is one byte
		PositiveIntUnsigned: false, // an int64 is written as a signed number
	}
	h.StringToRaw, h.RawToString = false, false
	return h
}()

// keepAtMost bounds the buffer of a caller that an idle encoder or decoder may still
// point to.
const keepAtMost = 64 << 10

// form is one kind of top-level value: how it is called in errors, how it is written
// and read. Its pools hold what the library needs for that, so that nothing is allocated
// for a value.
type form[T any] struct {
	name  string
	bound func(*T) int // of the bytes that the value takes
	write func(*writer, *T)
	read  func(*reader, *T)

	encodings, decodings sync.Pool // of *encoding[T] and *decoding[T]
}

// encoding is a value on its way into bytes. It is what the library calls a Selfer.
type encoding[T any] struct {
	form  *form[T]
	w     writer
	value T
}

var _ gomsgpack.Selfer = (*encoding[int])(nil)

// CodecEncodeSelf implements the library's Selfer.
func (e *encoding[T]) CodecEncodeSelf(*gomsgpack.Encoder) { e.form.write(&e.w, &e.value) }

// CodecDecodeSelf implements the library's Selfer; nobody calls it.
func (e *encoding[T]) CodecDecodeSelf(*gomsgpack.Decoder) { panic("codec: an encoding was decoded") }

// decoding is a value on its way out of bytes.
type decoding[T any] struct {
	form  *form[T]
	r     reader
	value T
}

var _ gomsgpack.Selfer = (*decoding[int])(nil)

// CodecEncodeSelf implements the library's Selfer; nobody calls it.
func (d *decoding[T]) CodecEncodeSelf(*gomsgpack.Encoder) { panic("codec: a decoding was encoded") }

// CodecDecodeSelf implements the library's Selfer.
func (d *decoding[T]) CodecDecodeSelf(*gomsgpack.Decoder) { d.form.read(&d.r, &d.value) }

// encode appends the value to dst. MustEncode and not Encode: the library has no
// error to tell when it writes into memory, and a panic is a broken invariant of ours.
func (f *form[T]) encode(dst []byte, value T) (Encoded, error) {
	e := f.encoding()
	e.value = value
	dst = slices.Grow(dst, f.bound(&e.value))
	e.w.reset(dst[len(dst):])
	e.w.library.MustEncode(e)
	out, err := e.w.done()
	if err == nil {
		dst = join(dst, out)
	}
	var zero T
	e.value = zero
	e.w.release()
	f.encodings.Put(e)
	if err != nil {
		return Encoded{}, err
	}
	return Encoded{Bytes: dst}, nil
}

// join gives dst with out behind it. out was made by appending to the free part of dst,
// so it lies there already, unless it took more than was free: then a bound is too low,
// which costs a copy.
func join(dst, out []byte) []byte {
	if len(out) <= cap(dst)-len(dst) {
		return dst[:len(dst)+len(out)]
	}
	return append(dst, out...)
}

// decode reads the one value that e holds.
func (f *form[T]) decode(e Encoded) (value T, err error) {
	d := f.decoding()
	if d.r.reset(e) {
		if escaped := d.r.library.Decode(d); escaped != nil {
			d.r.refuse(escaped)
		}
	}
	if err = d.r.done(); err == nil {
		value = d.value
	}
	var zero T
	d.value = zero
	d.r.release()
	f.decodings.Put(d)
	return value, err
}

func (f *form[T]) encoding() *encoding[T] {
	if e, ok := f.encodings.Get().(*encoding[T]); ok {
		return e
	}
	e := &encoding[T]{form: f}
	e.w.init("encode " + f.name)
	return e
}

func (f *form[T]) decoding() *decoding[T] {
	if d, ok := f.decodings.Get().(*decoding[T]); ok {
		return d
	}
	d := &decoding[T]{form: f}
	d.r.init("decode "+f.name, f.name)
	return d
}
