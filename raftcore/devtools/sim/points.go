package sim

// Point is a place in a member's duties at which it may crash: between two things that
// a reader of the code might take for one.
type Point uint8

// The points.
const (
	PersistGiven    Point = iota // a write was asked for, nothing of it is on disk
	SentBeforeWrite              // what may leave at once has left, the write has not begun
	VoteBeforeLog                // term and vote of a write are on disk, its entries are not
	DurableNotTold               // a write is durable, nobody knows
	BetweenHeld                  // of the messages that waited for it, some have left
	HeldNotTold                  // all have left, but the replica was not told
	ApplyGiven                   // entries were handed out, none is applied
	AppliedNotTold               // entries are applied, the replica was not told
	FetchAsked                   // entries were asked for, and never come
	ChunkTaken                   // a snapshot has arrived in part
	SnapshotStored               // a snapshot has arrived, the replica was not told
	InstallGiven                 // a snapshot is to replace the log, which still stands
	LogReset                     // the log is empty, the state machine has the old state
	MachineRestored              // the state machine has the snapshot, the replica was not told
	SnapshotTaken                // the own snapshot is durable, the log is not cut
	LogCut                       // the log is cut, the replica was not told

	points
	firstRare = ChunkTaken // from here on all need a snapshot
)

var pointNames = [points]string{
	"persist given", "sent before the write", "vote before log", "durable, not told",
	"between held messages", "held messages left, not told", "apply given", "applied, not told",
	"fetch asked", "chunk taken", "snapshot stored", "install given", "log reset",
	"machine restored", "snapshot taken", "log cut",
}

// String gives the point's name.
func (p Point) String() string { return pointNames[p] }

// arming is the point at which the next member that passes it crashes, perhaps after a few
// have passed. Points are rare or frequent by a factor of a hundred: each is chosen as
// often as the others.
type arming struct {
	r     random
	armed bool
	at    Point
	skip  int
}

func (f *faults) armPoint() {
	a := &f.arming
	if a.armed && (a.at >= firstRare || a.r.percent(50)) && a.r.percent(90) {
		return // wait for it
	}
	*a = arming{r: a.r, armed: true, at: Point(a.r.IntN(int(points)))}
	switch {
	case f.c.options.Faults&Compaction != 0 && a.r.percent(50):
		a.at = firstRare + Point(a.r.IntN(int(points-firstRare)))
	case a.at < firstRare:
		a.skip = a.r.IntN(4)
	}
}

// crashesAt tells whether the member crashes here. It is asked once each time.
func (f *faults) crashesAt(p Point) bool {
	a := &f.arming
	if f.over || !a.armed || a.at != p {
		return false
	}
	a.skip--
	return a.skip < 0
}

// passes is called at each point. It reports false when the member has crashed there: then
// the caller must leave it alone. What must be so on the disk at the point is done before.
func (m *member) passes(p Point, before ...func()) bool {
	f := &m.c.faults
	if m.raft == nil {
		return false
	}
	if !f.crashesAt(p) {
		return true
	}
	f.arming.armed = false
	for _, do := range before {
		do()
	}
	m.c.struck(CrashPoint)
	m.c.coverage.Points[p]++
	m.c.note(m, "is at the point: %v", p)
	m.crash()
	f.restartLater(m)
	return false
}
