package raftdiff

import "math/rand/v2"

// network carries the messages of one cluster. A link delivers in order, and which link
// comes next is drawn; a link that is cut loses what it gets.
type network[M any] struct {
	r     *rand.Rand
	links map[link][]M
	cut   map[link]bool
}

type link struct{ from, to uint64 }

func newNetwork[M any](r *rand.Rand) *network[M] {
	return &network[M]{r: r, links: map[link][]M{}, cut: map[link]bool{}}
}

func (n *network[M]) send(l link, m M) {
	if !n.cut[l] {
		n.links[l] = append(n.links[l], m)
	}
}

// settle delivers until nothing is under way. Delivering sends more.
func (n *network[M]) settle(members uint64, deliver func(link, M)) {
	for {
		var waiting []link
		for from := uint64(1); from <= members; from++ {
			for to := uint64(1); to <= members; to++ {
				if l := (link{from, to}); len(n.links[l]) > 0 {
					waiting = append(waiting, l)
				}
			}
		}
		if len(waiting) == 0 {
			return
		}
		l := waiting[n.r.IntN(len(waiting))]
		m := n.links[l][0]
		n.links[l] = n.links[l][1:]
		deliver(l, m)
	}
}
