package codec

import gomsgpack "github.com/hashicorp/go-msgpack/v2/codec"

// skip passes over n elements that a newer writer has added, whatever they are. It
// counts what is due instead of calling itself, so that no depth is too much; and each
// due element takes a byte, so that no claim keeps it busy.
func (r *reader) skip(n int) {
	const what = "a field added by a newer version"
	for ; n > 0; n-- {
		lead, ok := r.next(what)
		if !ok {
			return
		}
		n += r.skipOne(lead)
		r.read()
		if n-1 > r.left() {
			r.fail(nil, "%s: %d elements are claimed, only %d bytes are left", what, n-1, r.left())
		}
	}
}

// skipOne passes over an element, or over the header of an array or map; it gives the
// number of elements in those. The library has a function for this too, which cannot skip
// every extension.
func (r *reader) skipOne(lead byte) int {
	switch typeOf(lead) {
	case "array":
		return r.d.ReadArrayStart()
	case "map":
		return 2 * r.d.ReadMapStart()
	case "int", "uint":
		r.d.DecodeInt64()
	case "float32", "float64":
		r.d.DecodeFloat64()
	case "bool":
		r.d.DecodeBool()
	case "nil":
		r.d.TryDecodeAsNil()
	case "str", "bin":
		r.d.DecodeBytes(nil, true)
	case "ext":
		r.d.DecodeExt(&gomsgpack.RawExt{}, 0, nil)
	default:
		r.mistyped(lead, "any")
	}
	return 0
}
