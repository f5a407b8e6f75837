package repair

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Config is what a Repairer is told once.
type Config struct {
	// AskTicks is how long an answer is awaited before the next member is asked.
	AskTicks int
	// PatienceTicks is how long an entry that no other member has is still asked for
	// before Lost tells of it.
	PatienceTicks int
	// MaxEntries bounds one request; 64 when zero.
	MaxEntries int
}

// View is what the damaged member knows at the moment.
type View struct {
	Damaged []protocol.EntryID  // ascending, see storage.Log
	Leader  protocol.MemberID   // 0: unknown; may be the member itself
	Peers   []protocol.MemberID // the other members
}

// Repairer follows the repair of one log. The zero value is not ready: see New.
type Repairer struct {
	cfg     Config
	now     uint64
	asked   protocol.MemberID // whose answer is awaited, 0: nobody's
	until   uint64            // when it is awaited no longer
	last    protocol.MemberID // who was asked last
	entries map[protocol.EntryID]*search
}

// search is what was learned of one damaged entry.
type search struct {
	since  uint64
	absent map[protocol.MemberID]uint64 // when a member told last that it has not got it
}

// New makes a Repairer that has seen no damage yet.
func New(cfg Config) *Repairer {
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = 64
	}
	return &Repairer{cfg: cfg, entries: make(map[protocol.EntryID]*search)}
}

// retryTimes is after how many AskTicks a member that did not have an entry is asked
// for it again: it may have received it meanwhile.
const retryTimes = 10

// Tick lets one tick pass. It gives whom to ask for what, 0 when nobody is to be asked now.
func (r *Repairer) Tick(v View) (protocol.MemberID, *protocol.RepairRequest) {
	r.now++
	r.follow(v.Damaged)
	if len(v.Damaged) == 0 || r.asked != 0 && r.now < r.until {
		return 0, nil
	}
	r.asked = 0
	for _, to := range r.order(v) {
		if ids := r.wanted(v.Damaged, to); len(ids) > 0 {
			r.asked, r.last, r.until = to, to, r.now+uint64(r.cfg.AskTicks)
			return to, &protocol.RepairRequest{Entries: ids}
		}
	}
	return 0, nil
}

// follow forgets what is not damaged any more and begins to count for what is new.
func (r *Repairer) follow(damaged []protocol.EntryID) {
	for id := range r.entries {
		if !slices.Contains(damaged, id) {
			delete(r.entries, id)
		}
	}
	for _, id := range damaged {
		if r.entries[id] == nil {
			r.entries[id] = &search{since: r.now, absent: make(map[protocol.MemberID]uint64)}
		}
	}
}

// order gives the peers in the order in which to ask: those after the one that was asked
// last come first, but at the very beginning the leader.
func (r *Repairer) order(v View) []protocol.MemberID {
	peers := slices.Clone(v.Peers)
	slices.Sort(peers)
	if r.last == 0 {
		if i := slices.Index(peers, v.Leader); i >= 0 {
			return append([]protocol.MemberID{v.Leader}, slices.Delete(peers, i, i+1)...)
		}
		return peers
	}
	i, found := slices.BinarySearch(peers, r.last)
	if found {
		i++
	}
	return append(slices.Clone(peers[i:]), peers[:i]...)
}

// wanted gives what to ask a member for: not what it told lately not to have.
func (r *Repairer) wanted(damaged []protocol.EntryID, of protocol.MemberID) []protocol.EntryID {
	var ids []protocol.EntryID
	for _, id := range damaged {
		told, ok := r.entries[id].absent[of]
		if ok && r.now < told+retryTimes*uint64(r.cfg.AskTicks) {
			continue
		}
		if ids = append(ids, id); len(ids) == r.cfg.MaxEntries {
			break
		}
	}
	return ids
}

// Take gives those of an answer's entries that are damaged here, to be written.
func (r *Repairer) Take(from protocol.MemberID, answer *protocol.RepairResponse) []protocol.Entry {
	if from == r.asked {
		r.asked = 0
	}
	for _, id := range answer.Missing {
		if s := r.entries[id]; s != nil {
			s.absent[from] = r.now
		}
	}
	var taken []protocol.Entry
	for _, e := range answer.Entries {
		if r.entries[e.ID()] != nil {
			taken = append(taken, e)
		}
	}
	if len(taken) > 0 && from != r.last {
		return taken // late; whoever was asked since may answer too
	}
	if len(taken) > 0 {
		r.last = before(from) // it may have more: it is asked again
	}
	return taken
}

// before gives a place in the order just before a member.
func before(id protocol.MemberID) protocol.MemberID {
	if id > 1 {
		return id - 1
	}
	return ^protocol.MemberID(0)
}

// Lost gives an entry that is called lost: no other member has it, each has said so, and
// the patience is over. Without other members nobody needs to be asked.
func (r *Repairer) Lost(v View) (protocol.EntryID, bool) {
	for _, id := range v.Damaged {
		s := r.entries[id]
		if s == nil {
			continue
		}
		told := 0
		for _, p := range v.Peers {
			if _, ok := s.absent[p]; ok {
				told++
			}
		}
		if told == len(v.Peers) && (told == 0 || r.now-s.since >= uint64(r.cfg.PatienceTicks)) {
			return id, true
		}
	}
	return protocol.EntryID{}, false
}
