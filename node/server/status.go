package server

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/node/admin"
	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

var _ admin.Backend = (*Member)(nil)

// parts gives what is there at the moment.
func (m *Member) parts() (*volume, *serving, *fault.Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.volume, m.serving, m.fault
}

// Status implements admin.Backend.
func (m *Member) Status() nodeapi.Status {
	v, serving, f := m.parts()
	s := nodeapi.Status{
		TLS:       m.tlsStatus(),
		ClusterID: m.cfg.ClusterID, MemberID: m.cfg.MemberID, Name: m.cfg.Name,
		Role: nodeapi.RoleLearner, Voters: []uint64{}, Learners: []uint64{},
		Version: Version, Formats: m.app.formats(), Disk: diskOf(m.cfg.DataDir),
	}
	if v != nil {
		s.Incarnation = v.incarnation()
		s.Disk.LastFsyncSeconds = v.lastFsync().Seconds()
		s.Disk.Reserved = v.reserved()
		s.AwaitsFounding = serving == nil && f == nil && v.awaitsFounding()
	}
	if serving != nil {
		raft := serving.host.Status()
		fillRaft(&s, raft)
		s.Membership = m.cfg.membershipOf(raft)
		if f == nil {
			f = serving.host.Fault()
		}
	}
	if f != nil {
		s.Role, s.Health = nodeapi.RoleFenced, health(f)
	} else if serving != nil {
		s.Health = ailment(serving.host)
	}
	return s
}

// tlsStatus gives nil where no endpoint speaks TLS.
func (m *Member) tlsStatus() *nodeapi.TLS {
	m.mu.Lock()
	e := m.tls
	m.mu.Unlock()
	if e == (endpoints{}) {
		return nil
	}
	return &nodeapi.TLS{Peer: e.peer.status(), Client: e.client.status(), Admin: e.admin.status()}
}

func fillRaft(s *nodeapi.Status, h host.Status) {
	s.Role = roleNames[h.Role]
	s.Term, s.LeaderID = uint64(h.Term), uint64(h.Leader)
	s.Removed = h.Removed && h.Role != replica.Leader // which goes on until another one takes over
	s.LastIndex, s.CommitIndex, s.AppliedIndex = uint64(h.Last.Index), uint64(h.Commit), uint64(h.Applied)
	for _, x := range h.Membership.Members {
		if x.Suffrage == protocol.Learner {
			s.Learners = append(s.Learners, uint64(x.ID))
		} else {
			s.Voters = append(s.Voters, uint64(x.ID))
		}
	}
}

var roleNames = map[replica.Role]nodeapi.Role{
	replica.Follower:     nodeapi.RoleFollower,
	replica.PreCandidate: nodeapi.RoleCandidate,
	replica.Candidate:    nodeapi.RoleCandidate,
	replica.Leader:       nodeapi.RoleLeader,
	replica.Learner:      nodeapi.RoleLearner,
}

func health(f *fault.Fault) *nodeapi.Health {
	return &nodeapi.Health{Fault: string(f.Kind), Remedy: string(f.Kind.Remedy()), Message: f.Message, At: f.At}
}

// ailment gives the first fault that a member lives with, nil for none.
func ailment(h *host.Host) *nodeapi.Health {
	if fs := h.Ailments(); len(fs) > 0 {
		return health(fs[0])
	}
	return nil
}

// diskOf gives the sizes of the file system that holds dir; zero when it cannot be
// asked.
func diskOf(dir string) nodeapi.Disk {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return nodeapi.Disk{}
	}
	block := uint64(s.Bsize)
	return nodeapi.Disk{Used: (s.Blocks - s.Bfree) * block, Free: s.Bavail * block}
}

// Ready implements admin.Backend: a member is ready when it can serve a linearizable
// read, because then it can do everything.
func (m *Member) Ready(ctx context.Context) error {
	v, serving, f := m.parts()
	switch {
	case f != nil:
		return f
	case v == nil:
		return errors.New("the data directory is being opened")
	case serving == nil && v.awaitsFounding():
		return errors.New("waiting for the grant to found the cluster")
	case serving == nil:
		return errors.New("starting")
	}
	if err := serving.host.ReadBarrier(ctx); err != nil {
		return whyNotReady(serving.host.Status(), err)
	}
	return nil
}

// whyNotReady says in the words of the membership what the error of a read means.
func whyNotReady(s host.Status, err error) error {
	_, isMember := s.Membership.Find(s.ID)
	switch {
	case s.Removed || errors.Is(err, host.ErrRemoved):
		return errors.New("this member was removed from the cluster for good: stop it and delete its data")
	case !errors.Is(err, context.DeadlineExceeded):
		return err
	case len(s.Membership.Members) == 0:
		return errors.New("waiting for a leader to add this member to the cluster")
	case !isMember:
		return errors.New("this member was removed from the cluster as far as its log tells, and no leader answers it")
	case s.Role == replica.Learner && s.Leader != 0:
		return errors.New("this learner has not caught up yet")
	}
	return errors.New("no leader with a quorum answers")
}

// Faults implements admin.Backend.
func (m *Member) Faults() []nodeapi.Health {
	v, _, f := m.parts()
	if v == nil {
		if f == nil {
			return nil
		}
		return []nodeapi.Health{*health(f)}
	}
	var out []nodeapi.Health
	for _, x := range v.sink.List() {
		h := health(x.Fault())
		h.Resolved = x.Resolved
		out = append(out, *h)
	}
	return out
}

// ClearFaults implements admin.Backend.
func (m *Member) ClearFaults() error {
	v, _, _ := m.parts()
	if v == nil {
		return nil
	}
	return v.sink.Clear()
}

// Transfer implements admin.Backend.
func (m *Member) Transfer(ctx context.Context, to uint64) error {
	_, serving, f := m.parts()
	switch {
	case f != nil:
		return f
	case serving == nil:
		return errors.New("this member takes no part yet")
	case to == m.cfg.MemberID:
		return fmt.Errorf("member %d cannot hand leadership to itself", to)
	}
	if to != 0 {
		if x, ok := serving.host.Status().Membership.Find(protocol.MemberID(to)); !ok || x.Suffrage != protocol.Voter {
			return fmt.Errorf("member %d is not a voter of this cluster", to)
		}
	}
	return serving.host.Transfer(ctx, protocol.MemberID(to))
}

// Found implements admin.Backend.
func (m *Member) Found(_ context.Context, r nodeapi.FoundRequest) error {
	v, _, f := m.parts()
	switch {
	case f != nil:
		return f
	case v == nil || !v.mayTakePart() && !v.awaitsFounding():
		return errors.New("the data directory is being opened")
	case r.ClusterID != m.cfg.ClusterID:
		return fmt.Errorf("clusterID is %q here, not %q", m.cfg.ClusterID, r.ClusterID)
	case r.MemberID != m.cfg.MemberID:
		return fmt.Errorf("memberID is %d here, not %d", m.cfg.MemberID, r.MemberID)
	case r.Incarnation != v.incarnation():
		return fmt.Errorf("incarnation is %q here, not %q", v.incarnation(), r.Incarnation)
	case len(m.cfg.members.Members) == 0:
		return errors.New("this member has no --initial-members, so it cannot found")
	}
	changed, err := v.found(m.cfg.members)
	if changed && err == nil {
		m.founded <- struct{}{}
	}
	return err
}
