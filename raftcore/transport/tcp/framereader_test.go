package tcp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"testing"

	"github.com/quorate/quorate/raftcore/internal/mutation"
)

// pieces is a connection whose reads give what was sent in pieces of random length.
type pieces struct {
	net.Conn
	data []byte
	rng  *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := 1 + p.rng.IntN(min(len(b), len(p.data), 1<<p.rng.IntN(20)))
	copy(b, p.data[:n])
	p.data = p.data[n:]
	return n, nil
}

func frameOf(body []byte) []byte { return endFrame(append(beginFrame(nil), body...), 0, frameMessage) }

// readAll gives the bodies that a reader cuts out of the data.
func readAll(data []byte, seed uint64, limit int) (bodies [][]byte, err error) {
	return readWith(0, data, seed, limit)
}

func readWith(bugs mutation.Set, data []byte, seed uint64, limit int) (bodies [][]byte, err error) {
	r := frameReader{bugs: bugs, conn: &pieces{data: data, rng: rand.New(rand.NewPCG(seed, 1))}, limit: limit, counters: &counters{}}
	for {
		for {
			body, err := r.next()
			if err != nil {
				return bodies, err
			}
			if body == nil {
				break
			}
			bodies = append(bodies, body)
		}
		if err := r.fill(); err != nil {
			return bodies, err
		}
	}
}

func TestFramesAreCutAsTheyWereSent(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var data []byte
		var want [][]byte
		for range rng.IntN(60) {
			body := make([]byte, rng.IntN(1<<rng.IntN(19)))
			for i := range body {
				body[i] = byte(rng.Uint32())
			}
			want = append(want, body)
			data = append(data, frameOf(body)...)
		}
		got, err := readAll(data, seed, 1<<20)
		if err != io.EOF || len(got) != len(want) {
			t.Fatalf("seed %d: %d of %d frames, %v", seed, len(got), len(want), err)
		}
		// Compared at the end: no later read may have touched an earlier body.
		for i := range want {
			if !bytes.Equal(got[i], want[i]) || cap(got[i]) != len(got[i]) {
				t.Fatalf("seed %d: frame %d of %d bytes changed", seed, i, len(want[i]))
			}
		}
	}
}

// TestADamagedFrameIsNeverGiven flips each bit of the second of three frames.
func TestADamagedFrameIsNeverGiven(t *testing.T) {
	first, second, third := frameOf([]byte("first")), frameOf([]byte("the second")), frameOf(nil)
	for at := range second {
		for bit := range 8 {
			damaged := bytes.Clone(second)
			damaged[at] ^= 1 << bit
			got, err := readAll(bytes.Join([][]byte{first, damaged, third}, nil), 1, 1<<20)
			if len(got) != 1 || string(got[0]) != "first" || err == nil {
				t.Errorf("with bit %d of byte %d flipped: %q, %v", bit, at, got, err)
			}
		}
	}
}

func TestALengthIsNotBelieved(t *testing.T) {
	const limit = 1 << 30
	header := beginFrame(nil)
	header[2] = frameMessage
	binary.BigEndian.PutUint32(header[4:], limit)
	data := slices.Concat(header, make([]byte, 100<<10))
	takes := func(bugs mutation.Set) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got, err := readWith(bugs, data, 7, limit); len(got) > 0 || err != io.EOF {
			t.Fatalf("%q, %v", got, err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if took := takes(0); took > 4<<20 {
		t.Errorf("100 KiB of a frame that claims 1 GiB took %d bytes", took)
	}
	if took := takes(mutation.UnboundedLength); took <= 4<<20 {
		t.Errorf("with the bug UnboundedLength it took only %d bytes: the test would not notice", took)
	}
	if _, err := readAll(data, 7, limit-1); err == nil || err == io.EOF {
		t.Errorf("a frame beyond the limit gave %v", err)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(frameOf([]byte("one")), uint64(1))
	f.Add(append(frameOf(nil), frameOf(make([]byte, 3000))...), uint64(2))
	f.Add(hello{version: 1, from: 1, to: 2, cluster: "c", serializer: "s"}.frame(), uint64(3))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint64(4))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		whole, err1 := readAll(data, seed, 1<<16)
		again, err2 := readAll(data, seed+1, 1<<16)
		if len(whole) != len(again) || (err1 == io.EOF) != (err2 == io.EOF) {
			t.Fatalf("it matters how the bytes arrive: %d frames, %v; %d frames, %v", len(whole), err1, len(again), err2)
		}
		var sum []byte
		for _, b := range whole {
			sum = append(sum, frameOf(b)...)
		}
		if !bytes.HasPrefix(data, sum) {
			t.Fatal("the frames are not what the bytes say")
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add(hello{version: 1, from: 1, to: 2, incarnation: 3, cluster: "c", serializer: "s"}.frame()[headerSize:])
	f.Add([]byte{0, 2, 'n', 'e', 'w'})
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := parseHello(body)
		if err != nil || h.version != wireVersion {
			return
		}
		// What a newer version adds at the end is passed over, what an older one lacks is zero.
		if again := h.frame()[headerSize:]; !bytes.HasPrefix(body, again) && !bytes.HasPrefix(again, body) {
			t.Fatalf("%.200x was read as %.200q, which is %.200x", body, fmt.Sprintf("%+v", h), again)
		}
		_, _ = parseRefusal(body)
	})
}
