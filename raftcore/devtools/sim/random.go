package sim

import "math/rand/v2"

// random is a seeded generator. Each concern of a run (network, disks, faults,
// clients) draws from a stream of its own, so that switching one kind of fault off
// leaves the others' draws alone: that is what makes shrinking work.
type random struct{ *rand.Rand }

// The streams.
const (
	streamOptions uint64 = iota + 1
	streamNetwork
	streamDisks
	streamMachines
	streamTicks
	streamFaults
	streamClients
	streamBoots
	streamCommands
	streamPoints
	streamSessions
)

func newRandom(seed, stream uint64) random {
	return random{rand.New(rand.NewPCG(seed, stream))}
}

// percent is true in p of 100 draws. It draws also when p is 0 or 100.
func (r random) percent(p int) bool { return r.IntN(100) < p }

// between draws from [lo, hi].
func (r random) between(lo, hi Time) Time { return lo + Time(r.Int64N(int64(hi-lo)+1)) }

// around draws a waiting time with the given mean, from a half to one and a half of it.
func (r random) around(mean Time) Time { return r.between(mean/2, mean+mean/2) }

func pick[T any](r random, of []T) T { return of[r.IntN(len(of))] }
