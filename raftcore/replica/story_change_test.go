package replica_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// joinCluster starts a member that knows nobody.
func (s *story) joinCluster(t *testing.T, d *datadriven.TestData) error {
	var id uint64
	d.ScanArgs(t, "id", &id)
	return s.start(s.join(protocol.MemberID(id)))
}

// startAgain starts a member from its disk. When that is damaged, no record of a
// configuration can be read.
func (s *story) startAgain(t *testing.T, d *datadriven.TestData) error {
	m := s.who(t, d, "id")
	state := m.disk.state()
	if d.HasArg("damaged") {
		state.Configurations = nil
	}
	return s.startFrom(m, state)
}

// repaired tells a member the configurations that its disk holds now, behind as that may be.
func (s *story) repaired(m *member) error {
	return s.step(m, replica.Repaired{Configurations: m.disk.state().Configurations})
}

// changeMembers asks a member for the change that the arguments describe.
func (s *story) changeMembers(t *testing.T, d *datadriven.TestData) error {
	var c membership.Change
	for _, a := range d.CmdArgs {
		for _, v := range a.Vals {
			var id protocol.MemberID
			if _, err := fmt.Sscan(v, &id); err != nil {
				t.Fatalf("%s: %q is no member's ID", d.Pos, v)
			}
			switch a.Key {
			case "add":
				c.Add = append(c.Add, protocol.Member{ID: id, Address: fmt.Sprint("m", id)})
			case "promote":
				c.Promote = append(c.Promote, id)
			case "demote":
				c.Demote = append(c.Demote, id)
			case "remove":
				c.Remove = append(c.Remove, id)
			case "update":
				c.Update = append(c.Update, protocol.Member{ID: id, Address: fmt.Sprint("new", id)})
			}
		}
	}
	return s.step(s.who(t, d, "id"), replica.Change{Change: c})
}

// showMembers prints the configuration that each member goes by.
func (s *story) showMembers(*testing.T, *datadriven.TestData) error {
	for _, m := range s.members {
		if m.r == nil {
			s.tell("%d is down", m.id)
			continue
		}
		st := m.r.Status()
		s.tell("%d %v: %s of %s%s", m.id, st.Role, members(st.Membership), entryID(st.Configuration),
			flags(st.Settled, ", committed", st.Removed, ", and is removed"))
	}
	return nil
}
