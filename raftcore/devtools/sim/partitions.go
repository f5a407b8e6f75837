package sim

import "slices"

// partition cuts links for a while. In a partial one both sides may still have common
// neighbours; in an asymmetric one messages pass in one direction only.
func (f *faults) partition() {
	m := f.victim()
	if m == nil || len(f.c.members) < 2 {
		return
	}
	f.c.network.heal()
	f.c.struck(Partition)
	switch f.r.IntN(4) {
	case 0:
		f.split()
	case 1:
		f.isolate(m, pick(f.r, []int{cutOff, onlyReceives, onlySends}))
	case 2:
		other := pick(f.r, f.c.members)
		f.c.network.cutBoth(m, other)
		f.c.note(m, "has no link with member %d", other.id)
		f.c.coverage.Shapes[asOneLink]++
	case 3:
		other := pick(f.r, f.c.members)
		f.c.network.cut(m, other)
		f.c.note(m, "does not reach member %d", other.id)
		f.c.coverage.Shapes[asOneWay]++
	}
	f.healLater()
}

// healLater lets the ends notice, sometimes, and makes the network whole after a while.
func (f *faults) healLater() {
	c := f.c
	if f.r.percent(30) {
		c.network.breakCut()
	}
	f.partitions++
	this := f.partitions
	c.clock.after(f.r.between(tickInterval, 40*tickInterval), func() {
		if this == f.partitions && !f.over {
			c.network.heal()
			c.note(nil, "the network is whole")
		}
	})
}

// shape is a kind of partition.
type shape int

const (
	asHalves     shape = iota
	asAlone            // one member is cut off
	asDeaf             // one member only sends
	asMute             // one member only receives
	asOneLink          // one link is cut
	asOneWay           // one link, in one direction
	asBridge           // two halves, and one member that both sides reach
	asOneBridge        // the same, but messages cross the bridge's second half in one direction only
	asRing             // each member has two neighbours
	asChain            // a ring with a gap
	asStar             // all have a link with one member only
	asStaircases       // each member reaches those with higher numbers, not the others

	shapes
)

var shapeNames = [shapes]string{
	"halves", "one alone", "one only sends", "one only receives", "one link", "one direction",
	"bridge", "one-way bridge", "ring", "chain", "star", "all in one direction",
}

// bridge makes a partition in which the members see different majorities: whether they
// reach each other depends on the pair.
func (f *faults) bridge() {
	if len(f.c.members) < 3 {
		f.partition()
		return
	}
	order := slices.Clone(f.c.members)
	f.r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	if l := f.c.leader(); l != nil && f.r.percent(50) {
		i := slices.Index(order, l)
		order[0], order[i] = order[i], order[0] // in the middle, or at an end
	}
	n := len(order)
	kind := pick(f.r, []shape{asBridge, asOneBridge, asRing, asChain, asStar, asStaircases})
	f.c.network.heal()
	for i, a := range order {
		for j, b := range order {
			if i != j && !linked(kind, n, i, j) {
				f.c.network.cut(a, b)
			}
		}
	}
	f.c.struck(Bridge)
	f.c.coverage.Shapes[kind]++
	f.c.note(nil, "the network is a %s: %v", shapeNames[kind], ids(order))
	f.healLater()
}

// linked reports whether in a partition of n members the i-th reaches the j-th.
func linked(kind shape, n, i, j int) bool {
	side := func(k int) bool { return k <= n/2 }
	switch kind {
	case asBridge:
		return i == 0 || j == 0 || side(i) == side(j)
	case asOneBridge:
		return i == 0 && side(j) || j == 0 || i != 0 && side(i) == side(j)
	case asRing:
		return (i+1)%n == j || (j+1)%n == i
	case asChain:
		return i+1 == j || j+1 == i
	case asStar:
		return i == 0 || j == 0
	case asStaircases:
		return i < j
	}
	return true
}

func (f *faults) split() {
	var side, other []*member
	for _, m := range f.c.members {
		if f.r.percent(50) {
			side = append(side, m)
		} else {
			other = append(other, m)
		}
	}
	f.c.note(nil, "the network falls apart, on one side are %v", ids(side))
	f.c.coverage.Shapes[asHalves]++
	for _, a := range side {
		for _, b := range other {
			f.c.network.cutBoth(a, b)
		}
	}
}

// The ways to be isolated.
const (
	cutOff = iota
	onlyReceives
	onlySends
)

// isolate cuts a member off from all others, in one direction or both.
func (f *faults) isolate(m *member, how int) {
	f.c.note(m, "is alone: %s", [...]string{cutOff: "cut off", onlyReceives: "it only receives", onlySends: "it only sends"}[how])
	f.c.coverage.Shapes[[...]shape{cutOff: asAlone, onlyReceives: asMute, onlySends: asDeaf}[how]]++
	for _, other := range f.c.members {
		if other == m {
			continue
		}
		if how != onlySends {
			f.c.network.cut(m, other)
		}
		if how != onlyReceives {
			f.c.network.cut(other, m)
		}
	}
}

// linkInPart leaves a member links with some of the others only, but with one at least of
// them not.
func (f *faults) linkInPart(m *member, others []*member) {
	if len(others) == 0 {
		return
	}
	never := pick(f.r, others)
	for _, other := range others {
		if other == never || f.r.percent(50) {
			f.c.network.cutBoth(m, other)
		}
	}
}

func (f *faults) breakLink() {
	a, b := f.victim(), pick(f.r, f.c.members)
	if a == nil || a == b {
		return
	}
	f.c.struck(Break)
	f.c.note(a, "its connection with member %d breaks", b.id)
	f.c.network.breakLink(a, b)
}
