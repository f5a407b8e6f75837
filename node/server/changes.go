package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/quorate/quorate/node/admin"
	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// confirmBound is how long a leader that has nothing to change may take to confirm that it
// leads.
const confirmBound = 2 * time.Second

// ChangeMembers implements admin.Backend.
func (m *Member) ChangeMembers(ctx context.Context, c nodeapi.MemberChange) (*nodeapi.Membership, error) {
	asked, err := m.cfg.changeOf(c)
	if err != nil {
		return nil, err
	}
	_, serving, f := m.parts()
	switch {
	case c.ClusterID != m.cfg.ClusterID:
		return nil, refuse(nodeapi.RefusedInvalid, "clusterID is %q here, not %q", m.cfg.ClusterID, c.ClusterID)
	case c.Leader != m.cfg.MemberID:
		return nil, refuse(nodeapi.RefusedNotLeader, "this is member %d, not %d: look for the leader again", m.cfg.MemberID, c.Leader)
	case f != nil:
		return nil, refuse(nodeapi.RefusedNotLeader, "this member is fenced by the fault %s: ask the new leader", f.Kind)
	case serving == nil:
		return nil, refuse(nodeapi.RefusedNotLeader, "this member takes no part yet: look for the leader again")
	}
	if err := changeMembers(ctx, serving.host, asked); err != nil {
		return nil, err
	}
	s, err := settled(ctx, serving.host)
	return m.cfg.membershipOf(s), err
}

// settled waits until the configuration in effect is committed: the leader may have appended
// the next one already, which records a volume.
func settled(ctx context.Context, h *host.Host) (host.Status, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		s := h.Status()
		if s.Settled && !membership.IsJoint(s.Membership) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-h.Done():
			return s, host.ErrClosed
		case <-tick.C:
		}
	}
}

// changeMembers makes what remains to be done of the change.
func changeMembers(ctx context.Context, h *host.Host, asked membership.Change) error {
	s := h.Status()
	if s.Role != replica.Leader {
		return refuse(nodeapi.RefusedNotLeader, "member %d is %v and takes member %d for the leader (0: none): ask that one", s.ID, s.Role, s.Leader)
	}
	if !s.Settled || membership.IsJoint(s.Membership) {
		return refuse(nodeapi.RefusedChangeInFlight, "the configuration of entry %d is not committed, or joint and not left yet: ask again", s.Configuration.Index)
	}
	rest, err := remaining(s.Membership, asked)
	if err != nil {
		return err
	}
	if len(rest.Add)+len(rest.Promote)+len(rest.Remove)+len(rest.Update) == 0 {
		return confirm(ctx, h, s)
	}
	_, err = h.ChangeMembership(ctx, rest)
	return asRefusal(err)
}

// confirm tells that the membership was the leader's after the call began: there was no other
// leader who may have changed it.
func confirm(ctx context.Context, h *host.Host, was host.Status) error {
	ctx, cancel := context.WithTimeout(ctx, confirmBound)
	defer cancel()
	if err := h.ReadBarrier(ctx); err != nil {
		return refuse(nodeapi.RefusedNotLeader, "no quorum confirms that member %d leads (%v): look for the leader again", was.ID, err)
	}
	if s := h.State(); s.Role != replica.Leader || s.Term != was.Term {
		return refuse(nodeapi.RefusedNotLeader, "member %d was the leader in term %d, and is %v in term %d: look for the leader again", was.ID, was.Term, s.Role, s.Term)
	}
	return nil
}

// asRefusal translates the error of host.ChangeMembership. Those after which the change may
// still take effect go through.
func asRefusal(err error) error {
	if r, ok := errors.AsType[*replica.ChangeRefused](err); ok {
		return refuse(refusalOf[r.Reason], "%s", r.Text)
	}
	if errors.Is(err, host.ErrChangeLost) {
		return refuse(nodeapi.RefusedNotLeader, "%v: ask the new one", err)
	}
	return err
}

var refusalOf = map[replica.ChangeReason]nodeapi.RefusalReason{
	replica.ChangeNotLeader:          nodeapi.RefusedNotLeader,
	replica.ChangeTransferring:       nodeapi.RefusedTransferring,
	replica.ChangeInFlight:           nodeapi.RefusedChangeInFlight,
	replica.ChangeNotCommittedInTerm: nodeapi.RefusedNotCommittedInTerm,
	replica.ChangeWouldLoseQuorum:    nodeapi.RefusedWouldLoseQuorum,
	replica.ChangeLearnerBehind:      nodeapi.RefusedLearnerNotCaughtUp,
	replica.ChangeInvalid:            nodeapi.RefusedInvalid,
}

func refuse(why nodeapi.RefusalReason, format string, args ...any) error {
	return &admin.RefusedError{Refusal: nodeapi.Refusal{Reason: why, Message: fmt.Sprintf(format, args...)}}
}

// senseless refuses a change that no membership could take.
func senseless(format string, args ...any) error {
	return &admin.RefusedError{
		Refusal:   nodeapi.Refusal{Reason: nodeapi.RefusedInvalid, Message: fmt.Sprintf(format, args...)},
		Senseless: true,
	}
}

// changeOf reads a request.
func (c *Config) changeOf(r nodeapi.MemberChange) (membership.Change, error) {
	var out membership.Change
	switch {
	case r.Add == nil && r.Promote == 0 && r.Remove == 0:
		return out, senseless("the request asks for nothing: give add, promote or remove")
	case r.Add != nil && (r.Promote != 0 || r.Remove != 0):
		return out, senseless("a member that is added must catch up before another is promoted or removed: ask for one after the other")
	case r.Promote != 0 && r.Promote == r.Remove:
		return out, senseless("member %d is to be promoted and removed at once", r.Promote)
	}
	if r.Promote != 0 {
		out.Promote = []protocol.MemberID{protocol.MemberID(r.Promote)}
	}
	if r.Remove != 0 {
		out.Remove = []protocol.MemberID{protocol.MemberID(r.Remove)}
	}
	if r.Add != nil {
		m, err := c.memberOf(*r.Add)
		if err != nil {
			return out, err
		}
		out.Add = []protocol.Member{m}
	}
	return out, nil
}

// memberOf reads a member that is to be added.
func (c *Config) memberOf(x nodeapi.MemberInfo) (protocol.Member, error) {
	m := protocol.Member{ID: protocol.MemberID(x.ID), Address: x.Peer, Name: x.Name, Client: c.clientURL(x.Client), Suffrage: protocol.Learner}
	if x.ID == 0 {
		return m, senseless("add.id is 0, must be above every ID that was ever used")
	}
	if !isAddress(x.Peer) {
		return m, senseless("add.peer is %q, must be host:port", x.Peer)
	}
	if x.Client != "" && !isAddress(x.Client) {
		return m, senseless("add.client is %q, must be host:port or absent", x.Client)
	}
	if x.Incarnation != "" {
		n, err := strconv.ParseUint(x.Incarnation, 16, 64)
		if err != nil || n == 0 {
			return m, senseless("add.incarnation is %q, must be a hexadecimal number as in the member's status, or absent", x.Incarnation)
		}
		m.Incarnation = protocol.Incarnation(n)
	}
	return m, nil
}

func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && host != "" && port != ""
}

// remaining gives what the membership lacks of the change that is asked for.
func remaining(m protocol.Membership, asked membership.Change) (membership.Change, error) {
	var rest membership.Change
	for _, x := range asked.Add {
		there, ok := m.Find(x.ID)
		switch {
		case !ok:
			rest.Add = append(rest.Add, x)
		case there.Address != x.Address || there.Client != x.Client:
			return rest, refuse(nodeapi.RefusedInvalid, "member %d is there already, at %s for members and %q for clients, not at %s and %q: take a new ID above %d",
				x.ID, there.Address, there.Client, x.Address, x.Client, membership.Highest(m))
		case there.Incarnation == 0 && x.Incarnation != 0:
			there.Incarnation = x.Incarnation
			rest.Update = append(rest.Update, there)
		case x.Incarnation != 0 && there.Incarnation != x.Incarnation:
			return rest, refuse(nodeapi.RefusedInvalid, "member %d is there already, with the volume %s and not %s: another volume is a new member, take a new ID above %d",
				x.ID, hex(there.Incarnation), hex(x.Incarnation), membership.Highest(m))
		}
	}
	for _, id := range asked.Promote {
		if x, ok := m.Find(id); !ok || x.Suffrage != protocol.Voter {
			rest.Promote = append(rest.Promote, id)
		}
	}
	for _, id := range asked.Remove {
		if !membership.WasRemoved(m, id) {
			rest.Remove = append(rest.Remove, id)
		}
	}
	return rest, nil
}
