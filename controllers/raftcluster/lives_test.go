package raftcluster

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// life is a cluster of which somebody wants something else again and again, sleep too, whose members fall
// ill, whose leaders change and refuse, and whose operator sees old pictures and dies at any write.
type life struct {
	*world
	random     *rand.Rand
	writes     *writes
	lag        *lagging
	r          *Reconciler
	ill        string // pod of the one member that is damaged or wiped, empty for none
	hibernated bool   // is what somebody wants
	asleep     bool   // somebody wants it hibernated, or not all voters are back since
	log        []string
}

// Whatever happens, no volume of a voter is deleted, the operator never gives up the quorum, and
// in the end there are as many members as are wanted.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			l := &life{world: newWorld(t), random: rand.New(rand.NewPCG(seed, 1)), writes: &writes{}, lag: &lagging{}}
			l.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = l.class(true) })
			l.otherClass()
			l.freshOperator()
			l.run(60, stable)
			for range 12 {
				l.log = append(l.log, l.act())
				l.run(5+l.random.IntN(12), nil)
			}
			l.rest()
			c := l.run(400, replacedAll(l.ill, 3))
			if c == nil {
				t.Fatalf("it does not come to rest: %v\nstatus %+v\nevents %v", l.log, l.get("demo").Status, l.events)
			}
			l.wantMembers(c, idsOf(c)...)
			l.wantClasses(c)
			t.Logf("%v; %d writes; changes %v", l.log, l.writes.done, l.changes)
		})
	}
}

func idsOf(c *v1alpha1.RaftCluster) (ids []int64) {
	for _, m := range c.Status.Members {
		ids = append(ids, m.ID)
	}
	return ids
}

// replacedAll: so many members, well, and none of them the one that was wiped.
func replacedAll(wiped string, n int32) func(*v1alpha1.RaftCluster) bool {
	return func(c *v1alpha1.RaftCluster) bool {
		return settledWith(n)(c) && !slices.ContainsFunc(c.Status.Members, func(m v1alpha1.MemberStatus) bool { return c.PodName(m.ID) == wiped })
	}
}

func (l *life) freshOperator() {
	l.writes.dead = false
	l.r = l.mortalReconciler(l.writes)
	l.r.Client = l.lag.wrap(l.writes.wrap(l.c))
}

// run lets the operator look, at most so many times, until done, which may be nil.
func (l *life) run(passes int, done func(*v1alpha1.RaftCluster) bool) *v1alpha1.RaftCluster {
	l.t.Helper()
	for range passes {
		if _, err := l.pass(l.r, "demo"); errors.Is(err, errCrash) {
			l.freshOperator()
		} else if err != nil {
			l.log = append(l.log, "error: "+err.Error())
		}
		l.checkQuorum()
		if c := l.get("demo"); done != nil && done(c) {
			return c
		}
		l.advance(time.Second)
	}
	return nil
}

// checkQuorum: with at most one member ill by our doing, three or more voters keep a quorum.
func (l *life) checkQuorum() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.groups {
		voters, acting := 0, 0
		for i := range g.Members {
			if g.Members[i].Suffrage == nodeapi.SuffrageLearner {
				continue
			}
			voters++
			for name, n := range l.nodes {
				if n != nil && n.id == g.Members[i].ID && l.acting(name) {
					acting++
				}
			}
		}
		l.asleep = l.asleep && (l.hibernated || acting < voters)
		if !l.asleep && voters > 2 && acting < voters/2+1 && l.founded() {
			l.t.Errorf("%d of %d voters are left: %v", acting, voters, l.log)
		}
	}
}

// founded tells whether the bootstrap is over; before, members come one by one.
func (l *life) founded() bool { return slices.ContainsFunc(l.events, isBootstrapped) }

func isBootstrapped(e string) bool {
	return e == "Normal BootstrapCompleted: every member was founded; an empty volume takes no part from here on"
}

// act does something to the cluster.
func (l *life) act() string {
	l.t.Helper()
	c := l.get("demo")
	switch l.random.IntN(12) {
	case 0, 1, 2:
		n := int32(1 + l.random.IntN(5)) //nolint:gosec // small
		l.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = n })
		return fmt.Sprintf("scale to %d", n)
	case 3:
		return l.hurt(c)
	case 4:
		l.refuse = l.random.IntN(4)
		return fmt.Sprintf("%d refusals", l.refuse)
	case 5:
		l.lag.by = l.random.IntN(4)
		l.freshOperator()
		return fmt.Sprintf("caches lag by %d", l.lag.by)
	case 6:
		l.writes.dies = func(int) death { return death(l.random.IntN(3)) }
		if l.random.IntN(2) == 0 {
			l.writes.dies = nil
		}
		return fmt.Sprintf("the operator dies at writes: %t", l.writes.dies != nil)
	case 7:
		class := []string{l.ns, l.ns + other}[l.random.IntN(2)]
		l.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.StorageClassName = &class })
		return "StorageClass " + class
	case 8:
		l.hibernated = !l.hibernated
		l.asleep = true
		l.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Hibernated = l.hibernated })
		return fmt.Sprintf("hibernated: %t", l.hibernated)
	case 9:
		paused := !c.Spec.Paused
		l.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Paused = paused })
		return fmt.Sprintf("paused: %t", paused)
	}
	if l.random.IntN(2) == 0 {
		return l.moveLeader()
	}
	image := fmt.Sprintf("node:%d", 1+l.random.IntN(2))
	l.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = image })
	return "image " + image
}

// hurt damages or wipes one member, if the others can do without it.
func (l *life) hurt(c *v1alpha1.RaftCluster) string {
	if l.ill != "" && l.pod(l.ill) == nil {
		l.ill = "" // it was replaced
	}
	if l.asleep || l.ill != "" || c.Status.Change != nil || c.Status.Ready != fmt.Sprintf("%d/%d", c.Spec.Replicas, c.Spec.Replicas) || c.Spec.Replicas < 3 {
		return "nobody is hurt"
	}
	victim := c.Status.Members[l.random.IntN(len(c.Status.Members))].ID
	l.ill = c.PodName(victim)
	if l.random.IntN(2) == 0 {
		l.damage(l.ill, logCorrupt)
		return fmt.Sprintf("damage %d", victim)
	}
	l.wipe("demo", victim)
	return fmt.Sprintf("wipe %d", victim)
}

func (l *life) moveLeader() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(l.nodes)) {
		if n := l.nodes[name]; name != l.leader && l.acting(name) && l.votes(n) && l.random.IntN(2) == 0 {
			l.leader, l.term = name, l.term+1
			return name + " leads"
		}
	}
	return "the leader stays"
}

// rest ends all troubles but the member that is ill. Whoever is on the first StorageClass moves.
func (l *life) rest() {
	l.refuse, l.lag.by, l.writes.dies, l.hibernated = 0, 0, nil, false
	l.freshOperator()
	class := l.ns + other
	l.change("demo", func(s *v1alpha1.RaftClusterSpec) {
		s.Replicas, s.Storage.StorageClassName, s.Hibernated, s.Paused = 3, &class, false, false
	})
	if l.ill != "" && l.pod(l.ill) == nil {
		l.ill = ""
	}
}
