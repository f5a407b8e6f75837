package host_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/vfs"
)

// rotting is a group whose members keep files on disks in memory, which a test spoils.
type rotting struct {
	*group
	disks   map[protocol.MemberID]*vfs.Mem
	stores  map[protocol.MemberID]*filelog.Store
	durable map[protocol.MemberID]*ledgerDisk // nil: the state machines are in memory
	tune    func(*host.Options)               // nil: as they are
	rules   map[protocol.MemberID][]vfs.Rule  // of their disks
}

const rotDir = "d"

// rottingGroup runs f with a started group of three.
func rottingGroup(t *testing.T, durable bool, f func(*rotting)) {
	t.Helper()
	tunedGroup(t, durable, nil, f)
}

func tunedGroup(t *testing.T, durable bool, tune func(*host.Options), f func(*rotting)) {
	t.Helper()
	newRotting(t, durable, func(r *rotting) { r.tune = tune }, f)
}

// newRotting prepares the group by before, and runs f with it.
func newRotting(t *testing.T, durable bool, before, f func(*rotting)) {
	t.Helper()
	r := &rotting{disks: map[protocol.MemberID]*vfs.Mem{}, rules: map[protocol.MemberID][]vfs.Rule{}, stores: map[protocol.MemberID]*filelog.Store{}}
	if durable {
		r.durable = map[protocol.MemberID]*ledgerDisk{}
	}
	before(r)
	bubble(t, 3, r.onFiles, func(g *group) {
		r.group = g
		f(r)
	})
}

// onFiles opens the member's data directory for its next life.
func (r *rotting) onFiles(o *host.Options) {
	opts := filelog.Options{SegmentSize: 8 << 10, Reserve: 16 << 10, LowWater: 32 << 10}
	if r.disks[o.ID] == nil {
		r.disks[o.ID] = vfs.NewMem()
		id := filelog.Identity{ClusterID: "c", Name: "n", MemberID: o.ID, Incarnation: o.Incarnation}
		if err := filelog.Format(r.disks[o.ID], rotDir, id, opts); err != nil {
			panic(err)
		}
	}
	if old := r.stores[o.ID]; old != nil {
		old.Close() //nolint:errcheck // its host has closed the log
	}
	s, err := filelog.Open(vfs.NewFaulty(r.disks[o.ID], r.rules[o.ID]...), rotDir, opts)
	if err != nil {
		panic(err)
	}
	r.stores[o.ID] = s
	o.Log, o.Votes, o.Snapshots = s.Log, s.Votes, s.Snapshots
	o.MaxTailBytes = 1 // what is not in flight is read from the disk
	if r.durable != nil {
		durably(o, r.durable)
		o.SnapshotEntries = 10
	}
	if r.tune != nil {
		r.tune(o)
	}
	o.OnStateChange = func(st host.State) {
		if st.Role == replica.Leader && len(s.Log.Damaged()) > 0 {
			r.t.Errorf("member %d leads in term %d with damaged records %v", o.ID, st.Term, s.Log.Damaged())
		}
	}
}

// bits are places in a record, one of each class: see package codec.
var bits = map[string]func(r filelog.Record) int64{
	"length":              func(filelog.Record) int64 { return 0 },
	"mark":                func(filelog.Record) int64 { return 4 },
	"kind":                func(filelog.Record) int64 { return 5 },
	"flags":               func(filelog.Record) int64 { return 6 },
	"reserved":            func(filelog.Record) int64 { return 7 },
	"term":                func(filelog.Record) int64 { return 8 },
	"index":               func(filelog.Record) int64 { return 17 },
	"header's checksum":   func(filelog.Record) int64 { return 25 },
	"payload's beginning": func(filelog.Record) int64 { return 28 },
	"payload":             func(r filelog.Record) int64 { return r.Size / 2 },
	"payload's checksum":  func(r filelog.Record) int64 { return r.Size - 1 },
}

// spoil flips a bit of a live record on a member's disk, and gives what it was in.
func (r *rotting) spoil(m *member, index protocol.Index, at func(filelog.Record) int64) place {
	r.t.Helper()
	p := place{disk: r.disks[m.id]}
	_, err := filelog.Inspect(p.disk, rotDir, func(x filelog.Record) error {
		if x.Entry.Index == index && x.Status == filelog.Live {
			p.file, p.offset = x.File, x.Offset+at(x)
		}
		return nil
	})
	if err == nil {
		p.whole, err = p.read()
	}
	if err == nil {
		err = p.write(p.whole ^ 0x20)
	}
	if err != nil || p.file == "" {
		r.t.Fatalf("spoiling the record of entry %d at %s:%d: %v", index, p.file, p.offset, err)
	}
	return p
}

// place is one byte on a disk.
type place struct {
	disk   *vfs.Mem
	file   string
	offset int64
	whole  byte // as it was
}

func (p place) read() (byte, error) {
	f, err := p.disk.Open(p.file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, p.offset)
	return b[0], err
}

func (p place) write(b byte) error {
	f, err := p.disk.OpenReadWrite(p.file)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{b}, p.offset); err != nil {
		return err
	}
	return f.Sync()
}

// fill proposes n commands of one length and gives what all have applied.
func (r *rotting) fill(n int) []string {
	r.t.Helper()
	for i := range n {
		r.propose(r.leader(), fmt.Sprintf("command %02d of some length, so that a payload has a middle", i))
	}
	want := r.leader().ledger.all()
	r.until("all are applied", func() bool {
		return !slices.ContainsFunc(r.members, func(m *member) bool { return !slices.Equal(m.ledger.all(), want) })
	})
	return want
}

// expectHealed waits until the log of a member is whole and all members have applied the
// same, which begins with want.
func (r *rotting) expectHealed(m *member, want []string) {
	r.t.Helper()
	r.until("it is healed", func() bool {
		if m.Fault() != nil {
			r.t.Fatalf("member %d is fenced: %v", m.id, m.Fault())
		}
		return len(r.stores[m.id].Log.Damaged()) == 0 && len(m.Ailments()) == 0
	})
	r.propose(r.leader(), "after the repair")
	var all []string
	r.until("all are equal", func() bool {
		all = r.leader().ledger.all()
		return !slices.ContainsFunc(r.members, func(m *member) bool { return !slices.Equal(m.ledger.all(), all) })
	})
	if len(all) != len(want)+1 || !slices.Equal(all[:len(want)], want) {
		r.t.Errorf("of what was acknowledged this is left (-want +got):\n%s", cmp.Diff(want, all))
	}
	st := r.stores[m.id].Log.State()
	for i := st.Base.Index + 1; i <= st.Last; i++ {
		if _, err := r.stores[m.id].Log.Read(i, i, 1); err != nil {
			r.t.Errorf("entry %d: %v", i, err)
		}
	}
}

// reborn ends all members in order and starts them again.
func (r *rotting) reborn(between func()) {
	r.t.Helper()
	for _, m := range r.members {
		if err := m.Close(); err != nil {
			r.t.Error(err)
		}
	}
	between()
	for _, m := range r.members {
		r.start(m)
	}
}

// parts are where a record may rot: entries 2 to 21 are commands.
var parts = map[string]protocol.Index{"the beginning": 2, "the middle": 12, "the end": 21}

// A bit of a record flips while the members are down, in the log of the member that led or
// of another one, wherever it stands and whatever it means.
func TestFlippedBitsAreRepairedAtTheStart(t *testing.T) {
	for _, durable := range []bool{false, true} {
		for part, index := range parts {
			for bit, at := range bits {
				for _, leads := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, %s, durable %v, leader %v", part, bit, durable, leads), func(t *testing.T) {
						rottingGroup(t, durable, func(r *rotting) {
							want := r.fill(20)
							ill := r.follower()
							if leads {
								ill = r.leader()
							}
							covered := false // by the durable state
							r.reborn(func() {
								r.spoil(ill, index, at)
								// With the header gone it may be a Configuration: then it is not dropped.
								covered = durable && r.durable[ill.id].last.Index >= index && strings.HasPrefix(bit, "payload")
							})
							r.expectHealed(ill, want)
							noted, over := ill.reported.ailments()
							if dropped := r.stores[ill.id].Log.State().Base.Index >= index; dropped != covered || len(noted) == 0 || len(over) == 0 {
								t.Errorf("noted %v, over %v, the log is %+v", noted, over, r.stores[ill.id].Log.State())
							}
						})
					})
				}
			}
		}
	}
}

// A bit flips in the log of a member that leads, and is met when a laggard needs the entry.
func TestFlippedBitsAreRepairedWhileLeading(t *testing.T) {
	for bit, at := range bits {
		t.Run(bit, func(t *testing.T) {
			rottingGroup(t, false, func(r *rotting) {
				r.fill(5)
				ill, lag := r.leader(), r.follower()
				r.board.Isolate(lag.id)
				for i := range 10 {
					r.propose(ill, fmt.Sprintf("command %02d of some length that the laggard must get", i))
				}
				want := ill.ledger.all()
				r.spoil(ill, 12, at)
				r.board.Heal()
				r.until("another one leads", func() bool { return r.otherLeads(ill) })
				r.expectHealed(ill, want)
			})
		})
	}
}

// The entry that nobody else has is damaged on the disk of the leader that wrote it.
func TestFlippedBitInTheUncommittedTail(t *testing.T) {
	for bit, at := range bits {
		t.Run(bit, func(t *testing.T) {
			rottingGroup(t, false, func(r *rotting) {
				want := r.fill(5)
				old := r.leader()
				last := old.Status().Last.Index
				r.board.Isolate(old.id)
				go tryPropose(old, "only here", time.Second) //nolint:errcheck // nobody can commit it
				r.until("it is on the old leader's disk", func() bool { return old.Status().Last.Index == last+1 })
				time.Sleep(100 * time.Millisecond)
				if err := old.Close(); err != nil {
					t.Fatal(err)
				}
				r.spoil(old, last+1, at)
				r.until("another one leads", func() bool { return r.otherLeads(old) })
				r.board.Heal()
				r.start(old)
				r.expectHealed(old, want)
			})
		})
	}
}
