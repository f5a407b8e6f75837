package sim

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Moment says what an [Observation] is about.
type Moment uint8

// The moments.
const (
	Started Moment = 1 // Member has booted from Restore
	Stepped Moment = 2 // Member has taken Input, which gave Effects; none of them is fulfilled yet
	Durable Moment = 3 // Member's writes up to Seq (of Persist and Install) are on its disk
	Left    Moment = 4 // Message leaves Member; it may be lost, delayed and repeated after that
	Crashed Moment = 5 // Member is down; of its writes that were not durable a prefix may be on its disk
)

// Observation is one thing that happened to a member, with all that there is to see of
// it. It is valid only during the call: the Effects are the replica's own.
type Observation struct {
	Moment  Moment
	Member  protocol.MemberID
	Restore replica.Restore  // of Started
	Input   replica.Input    // of Stepped
	Effects *replica.Effects // of Stepped
	Seq     uint64           // of Durable
	Message protocol.Message // of Left
	Replica View             // of Started and Stepped, as it is after it
}

// View is what may be looked at of a replica.
type View interface {
	Status() replica.Status
	TermAt(protocol.Index) (protocol.Term, bool)
}

// RunObserved is [Run] with an observer, which sees each thing before the simulator's own
// checks do. What it returns ends the run as a failure of the property [Observed].
func RunObserved(o Options, observer func(Observation) error) (Result, error) {
	c, err := NewObserved(o, observer)
	if err != nil {
		return Result{}, err
	}
	err = c.Finish()
	return c.result(), err
}

// NewObserved is [New] with an observer, which sees the members' first start too.
func NewObserved(o Options, observer func(Observation) error) (*Cluster, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c := &Cluster{options: o, observer: observer}
	c.begin()
	return c, c.err()
}

// Mutated gives the options with deliberate bugs, for tests within raftcore.
func (o Options) Mutated(bugs mutation.Set) Options {
	o.mutation = bugs
	return o
}

func (c *Cluster) observe(x Observation) {
	if c.observer == nil || c.failure != nil {
		return
	}
	if err := c.observer(x); err != nil {
		c.fail(Observed, "at member %d: %v", x.Member, err)
	}
}
