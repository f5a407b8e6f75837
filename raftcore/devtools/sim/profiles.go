package sim

// profiles lead runs to where one sort of bug shows.
var profiles = []func(*Options){shortReigns, slowDisks, lostLogs, staleLeaders, sleepers, laggards, chunks, reshaped, chunks, emptied}

// Profiled draws the options of a seed as OptionsFor does; every second seed is led to
// where one sort of bug shows.
func Profiled(seed uint64) Options {
	o := OptionsFor(seed)
	if n := uint64(len(profiles)); seed%2 == 0 {
		profiles[seed/2%n](&o)
	}
	return o
}

// shortReigns lets leaders fall soon, and entries travel one by one: what an older
// leader left behind is what the next ones have to deal with (paper figure 8).
func shortReigns(o *Options) {
	o.Members = 3 + 2*int(o.Seed%2)
	o.Faults = Regicide | Delay
	o.LeaseTicks, o.Sessions, o.Serial, o.Phases = 0, 0, false, 1
	quick(o)
	o.MaxMessageBytes = 1
	o.MaxInflight = 1
}

// slowDisks crashes members while much is not durable yet, and lets them come back soon.
func slowDisks(o *Options) {
	o.Faults |= SlowDisk | Crash | PowerLoss
	o.Faults &^= LostLog
	o.FaultEvery = 40 * Millisecond
	o.DownFor = 10 * Millisecond
	quick(o)
}

// lostLogs has members come back without what they had acknowledged.
func lostLogs(o *Options) { o.Faults |= LostLog }

// staleLeaders cuts leaders off, or lets them sleep, while clients read.
func staleLeaders(o *Options) {
	o.Faults = Partition | Sleep | Break
	o.AimAtLeader = 90
	o.ReadPercent = 70
}

// sleepers let leaders come and go, while members that slept take up old messages as if
// no time had passed.
func sleepers(o *Options) {
	o.Members, o.Learners = 3, 0
	o.Faults |= Sleep | Transfer | Partition
	o.Faults &^= Loss | Duplication | SlowDisk
	o.FaultEvery = 40 * Millisecond
	o.AimAtLeader = 60
	o.ReadPercent = 80
}

// laggards have members miss so much that only a snapshot helps, and crash around it.
func laggards(o *Options) {
	o.Members = max(3, o.Members)
	o.Faults = Compaction | Partition | Crash | o.Faults&(Loss|Delay|SlowDisk|LostLog|Regicide|Sleep|Duplication)
	o.FaultEvery = 40 * Millisecond
	o.ClientEvery = 2 * Millisecond
	o.AimAtLeader = 30
	o.Steps = 1500
}

// chunks lets leaders fall and members crash while snapshots are on their way in small pieces.
func chunks(o *Options) {
	laggards(o)
	o.Members = 3
	o.Faults = o.Faults&^(Regicide|Loss) | Damage | CrashPoint | Transfer | Delay | Duplication | Sleep
	o.ChunkBytes = 7
	o.RepeatPercent = 30
	quick(o)
}

// quick makes elections come soon.
func quick(o *Options) {
	o.ElectionTicks = 4
	o.LeaseTicks = min(o.LeaseTicks, longestLease(o.ElectionTicks))
}

// reshaped has the membership changed again and again, while members come, go and crash.
func reshaped(o *Options) {
	o.Members, o.Learners = 3, 1
	o.Faults = Changes | o.Faults&(Wipe|Rot|VoteRot|Crash|Partition|Delay|Transfer|Regicide|Compaction|CrashPoint)
	o.FaultEvery = 15 * Millisecond
	o.ClientEvery = 10 * Millisecond
	o.AimAtLeader = 30
	o.Steps = 1500
}

// emptied has members come back with empty volumes, while others lack what those had
// acknowledged, and those who have it are down.
func emptied(o *Options) {
	o.Members, o.Learners = 3, 0
	o.Faults = NewVolume | Crash | Partition | o.Faults&(Regicide|Transfer|Delay|Changes|Compaction)
	o.FaultEvery, o.DownFor = 40*Millisecond, 150*Millisecond
	o.ClientEvery = 2 * Millisecond
	o.AimAtLeader = 60
	quick(o)
}
