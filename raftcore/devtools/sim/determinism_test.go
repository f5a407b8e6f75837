package sim

import (
	"crypto/sha256"
	"testing"
)

// TestSeedReproducesTheRun compares the whole traces of two runs of the same seed.
func TestSeedReproducesTheRun(t *testing.T) {
	traceHash := func(seed uint64) [sha256.Size]byte {
		h := sha256.New()
		c, err := New(OptionsFor(seed))
		if err != nil {
			t.Fatal(err)
		}
		c.WriteTrace(h)
		if err := c.Finish(); err != nil {
			t.Fatal(err)
		}
		return [sha256.Size]byte(h.Sum(nil))
	}
	seen := map[[sha256.Size]byte]uint64{}
	for seed := uint64(1); seed <= 25; seed++ {
		a, b := traceHash(seed), traceHash(seed)
		if a != b {
			t.Errorf("seed %d: two runs have the trace hashes %x and %x", seed, a, b)
		}
		if other, ok := seen[a]; ok {
			t.Errorf("seeds %d and %d have the same trace", seed, other)
		}
		seen[a] = seed
	}
}
