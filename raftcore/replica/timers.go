package replica

// generator is splitmix64, a tiny deterministic source of numbers.
type generator uint64

func (g *generator) next() uint64 {
	*g += 0x9e3779b97f4a7c15
	z := uint64(*g)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (g *generator) below(n int) int { return int(g.next() % uint64(n)) }

// timers count ticks.
type timers struct {
	random    generator
	election  int  // since the last sign that no election is needed
	timeout   int  // an election begins when election reaches it
	contact   int  // since a leader was last heard; at most ElectionTicks, and so much when that counts for nothing
	alone     int  // since a leader was last heard
	heartbeat int  // since the last heartbeat
	hurry     bool // the timeout was brought forward, because the leader is gone
}

// resetElectionTimer draws a fresh timeout each time, so that split votes end
// (paper section 5.2). A sole voter has nobody to wait for.
func (r *Replica) resetElectionTimer() {
	r.timers.election, r.timers.hurry = 0, false
	r.timers.timeout = r.cfg.ElectionTicks + r.timers.random.below(r.cfg.ElectionTicks)
	if r.soleVoter() {
		r.timers.timeout = 1
	}
}

func (r *Replica) soleVoter() bool {
	v := r.voters
	return len(v.Incoming) == 1 && len(v.Outgoing) == 0 && v.Incoming[0] == r.cfg.ID
}

// heardLeader postpones the election.
func (r *Replica) heardLeader() {
	if r.timers.hurry {
		r.resetElectionTimer()
	}
	r.timers.election, r.timers.contact, r.timers.alone = 0, 0, 0
}

// forgetLeaderContact lets this member take part in an election at once.
func (r *Replica) forgetLeaderContact() { r.timers.contact = r.cfg.ElectionTicks }

// inContact reports whether there is a leader as far as this member can tell: it
// leads itself, or heard from one within the minimum election timeout. Then it
// helps no election along (paper section 6, thesis sections 4.2.3 and 9.6). One that keeps its
// promise does so though it has dropped that leader meanwhile.
func (r *Replica) inContact() bool {
	return r.role == Leader || (r.leader != 0 || r.keepsPromise()) && r.timers.contact < r.cfg.ElectionTicks
}

func (r *Replica) tick() {
	r.timers.heartbeat++
	beat := r.timers.heartbeat >= r.cfg.HeartbeatTicks
	if beat {
		r.timers.heartbeat = 0
		r.fetched.retry()
	}
	if r.role == Leader {
		r.tickLeader(beat)
		return
	}
	r.timers.election++
	r.timers.contact = min(r.timers.contact+1, r.cfg.ElectionTicks)
	r.timers.alone++
	r.expireSentReads()
	r.forwards.expire(r.cfg.ElectionTicks)
	if r.timers.election >= r.timers.timeout {
		r.electionTimeout()
	}
}
