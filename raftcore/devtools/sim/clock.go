package sim

import (
	"container/heap"
	"fmt"
)

// Time is simulated time in microseconds since the start of the run.
type Time int64

// Units of simulated time.
const (
	Microsecond Time = 1
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
)

// String gives the time in milliseconds.
func (t Time) String() string { return fmt.Sprintf("%d.%03dms", t/Millisecond, t%Millisecond) }

// clock holds what will happen, and the present time. Things planned for the same
// moment happen in the order in which they were planned, so that a run depends on
// nothing but its options.
type clock struct {
	now     Time
	planned uint64
	queue   agenda
}

type plan struct {
	at     Time
	number uint64
	do     func()
}

func (c *clock) after(d Time, do func()) {
	c.planned++
	heap.Push(&c.queue, &plan{at: c.now + d, number: c.planned, do: do})
}

// next goes to the next moment at which something is planned and does it. There is
// always something planned: the members' ticks never end.
func (c *clock) next() {
	p := heap.Pop(&c.queue).(*plan)
	c.now = p.at
	p.do()
}

// agenda implements heap.Interface.
type agenda []*plan

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].number < a[j].number
}
func (a *agenda) Push(x any) { *a = append(*a, x.(*plan)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	p := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return p
}
