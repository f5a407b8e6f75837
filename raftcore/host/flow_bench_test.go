package host_test

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkBlackHoledFollower lets clients propose, 8 for each processor, to a group of three that
// is well, and to one of which a follower hears nothing any more from the leader, without a broken
// connection. Comms and disks are in memory.
func BenchmarkBlackHoledFollower(b *testing.B) {
	for _, hole := range []bool{false, true} {
		b.Run(fmt.Sprint("black hole ", hole), func(b *testing.B) {
			r := newRace(b)
			r.size = 1 << 10
			r.begin(3)
			defer r.end()
			leader := r.leader()
			if hole {
				r.board.Hold(leader, leader%3+1)
			}
			b.SetParallelism(8)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := r.hosts[leader-1].Propose(context.Background(), []byte("a command")); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
		})
	}
}
