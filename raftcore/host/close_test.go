package host_test

import (
	"fmt"
	"testing"
	"time"
)

// Clients that are let go by Close leave nothing behind that the loop, which may be about
// to hand their commands over, still works with: the race detector tells.
func TestCloseWhileProposing(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		m := g.follower()
		g.board.Isolate(m.id)
		time.Sleep(5 * time.Second) // it has no leader: commands are held, and asked about again
		ended := make(chan struct{})
		const clients = 50
		for i := range clients {
			go func() {
				defer func() { ended <- struct{}{} }()
				for {
					if _, err := tryPropose(m, fmt.Sprint(i), time.Minute); err != nil {
						return
					}
				}
			}()
		}
		m.Close() //nolint:errcheck // it races with the clients
		for range clients {
			<-ended
		}
	})
}
