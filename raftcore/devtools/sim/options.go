package sim

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/quorate/quorate/raftcore/internal/mutation"
)

// Faults is a set of things that may go wrong, or at least be inconvenient.
type Faults uint32

// The kinds of faults.
const (
	Crash       Faults = 1 << iota // members lose what is not durable, and come back
	PowerLoss                      // all members crash at once
	Partition                      // links are cut: in two halves, one member, one link, one direction
	Loss                           // single messages vanish
	Duplication                    // messages arrive twice
	Delay                          // messages overtake each other
	Break                          // connections break: what is under way is lost, and both ends are told
	SlowDisk                       // now and then a sync takes very long
	LostLog                        // a member comes back without the end of its log, as another incarnation
	Compaction                     // snapshots are taken and logs cut
	Transfer                       // leaders are asked to hand over
	Resign                         // members are told to resign
	Sleep                          // a member does nothing for a while
	Regicide                       // members crash soon after they were elected
	Drift                          // the members' clocks run at different speeds
	CrashPoint                     // members crash between two steps of their duties, see Point
	Bridge                         // partial partitions: rings, stars, chains, halves with one common member
	Damage                         // a bit of a snapshot's chunk flips on its way
	HungDisk                       // a disk finishes nothing for a while
	WeakDisk                       // a member finds itself unfit to lead for a while
	SyncError                      // a sync fails: the member is fenced and comes back
	Changes                        // members are added, promoted, demoted, removed and replaced
	Wipe                           // a member loses its disk for good
	Rot                            // a record of a log is damaged, and repaired from the others
	VoteRot                        // both copies of a member's vote are damaged: it is lost for good
	FullDisk                       // a leader has no space for new commands for a while
	NewVolume                      // leaders record the volumes; a member comes back with an empty one under its ID

	allFaults = NewVolume<<1 - 1
	losses    = Wipe | Rot | VoteRot | NewVolume // after which a member may be lost for good
)

var faultNames = [...]string{
	"crash", "powerloss", "partition", "loss", "duplication", "delay", "break", "slowdisk",
	"lostlog", "compaction", "transfer", "resign", "sleep", "regicide", "drift", "crashpoint",
	"bridge", "damage", "hungdisk", "weakdisk", "syncerror", "changes", "wipe", "rot", "voterot", "fulldisk", "newvolume",
}

// String gives the names, joined by "+", or "none".
func (f Faults) String() string {
	var names []string
	for i, n := range faultNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "+")
}

func parseFaults(s string) (Faults, error) {
	var f Faults
	if s == "none" {
		return 0, nil
	}
	for name := range strings.SplitSeq(s, "+") {
		i := 0
		for i < len(faultNames) && faultNames[i] != name {
			i++
		}
		if i == len(faultNames) {
			return 0, fmt.Errorf("there is no fault %q; there are %s", name, allFaults)
		}
		f |= 1 << i
	}
	return f, nil
}

// Options say all that a run depends on.
type Options struct {
	Seed     uint64
	Members  int    // voters, 1 to 7
	Learners int    // members beside them that do not vote, 0 to 3
	Steps    int    // inputs stepped while there are faults
	Faults   Faults // what may happen in these steps

	FaultEvery    Time // mean time between two faults
	ClientEvery   Time // mean time between two clients' requests; 0: there are none
	AimAtLeader   int  // percent of the faults that strike the leader of the moment
	LossPercent   int  // of messages, with Loss
	RepeatPercent int  // of messages, with Duplication
	ReadPercent   int  // of clients' requests
	Sessions      int  // clients with a session, 0 to 9, who repeat their requests until they have the answer

	SessionTimeout Time // without a sign of life after which a session ends
	LeaseTicks     int  // how long a leader answers reads without asking; 0: never. Clocks may differ by a half
	Serial         bool // at most one client command of the group is in flight

	ElectionTicks       int
	HeartbeatTicks      int
	MaxMessageBytes     int
	MaxInflight         int
	MaxInflightBytes    int // 0: no bound
	MaxUncommittedBytes int
	MaxApplyBytes       int // 0: no bound
	MaxTailBytes        int
	ChunkBytes          int // of a snapshot in one message

	// Phases is how often faults and peace take turns: the steps with faults are divided, and
	// after each part the cluster must make progress.
	Phases int

	DurableMachine bool // state machines keep their state themselves, lagging behind; else they restart from a snapshot
	HealMajority   bool // after the faults only a majority is well for good
	HalfCut        bool // then the others run, but only send or only receive; else they stay down
	HalfLinked     bool // or they run and have links with a part of the majority only

	DownFor Time // a member that crashed comes back within this time

	// Workload is the user's own state machine and clients; nil: the simulator's registers.
	// It is not written into the line that ParseOptions reads.
	Workload *Workload

	// For tests of this package: deliberate bugs, and whether nothing but the five
	// properties of paper figure 3 is checked.
	mutation mutation.Set
	fiveOnly bool
}

// OptionsFor draws the options of a seed. Each seed has a subset of the faults only
// ("swarm testing"): what needs quiet on one side and trouble on the other would
// otherwise hardly ever be reached.
func OptionsFor(seed uint64) Options {
	r := newRandom(seed, streamOptions)
	o := Options{
		Seed:                seed,
		Members:             pick(r, []int{1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 5, 7}),
		Steps:               600 + r.IntN(600),
		FaultEvery:          pick(r, []Time{15 * Millisecond, 40 * Millisecond, 80 * Millisecond, 200 * Millisecond, 400 * Millisecond}),
		ClientEvery:         r.between(2*Millisecond, 10*Millisecond),
		AimAtLeader:         pick(r, []int{0, 30, 60, 90}),
		LossPercent:         pick(r, []int{1, 5, 15, 30}),
		RepeatPercent:       pick(r, []int{2, 10, 30}),
		ReadPercent:         pick(r, []int{10, 40, 70}),
		ElectionTicks:       4 + r.IntN(5),
		HeartbeatTicks:      1 + r.IntN(2),
		MaxMessageBytes:     pick(r, []int{1, 100, 300, 1 << 20}),
		MaxInflight:         pick(r, []int{1, 2, 4, 64}),
		MaxUncommittedBytes: pick(r, []int{200, 1 << 20}),
		MaxTailBytes:        pick(r, []int{0, 100, 500, 1 << 20}),
		DownFor:             pick(r, []Time{10 * Millisecond, 50 * Millisecond, 150 * Millisecond}),
		DurableMachine:      r.percent(50),
		HealMajority:        r.percent(40),
	}
	for f := Faults(1); f <= FullDisk; f <<= 1 {
		if r.percent(60) {
			o.Faults |= f
		}
	}
	if !r.percent(40) {
		o.Faults &^= Changes | losses
	}
	o.Learners = pick(r, []int{0, 0, 0, 1, 2})
	o.HalfCut = r.percent(50)
	o.HalfLinked = !o.HalfCut && r.percent(50)
	o.ChunkBytes = pick(r, []int{7, 20, 60, 1 << 20})
	o.Sessions = pick(r, []int{0, 0, 1, 3})
	o.SessionTimeout = pick(r, []Time{50 * Millisecond, 200 * Millisecond, 1000 * Millisecond})
	o.Serial = r.percent(10)
	if r.percent(30) {
		o.LeaseTicks = longestLease(o.ElectionTicks)
	}
	o.MaxInflightBytes = pick(r, []int{0, 0, 100, 1000})
	o.MaxApplyBytes = pick(r, []int{0, 0, 100, 1000})
	o.Phases = pick(r, []int{1, 1, 2, 3})
	if r.percent(15) {
		o.Faults = o.Faults&^LostLog | NewVolume // a lost log is another volume, too, and is fenced where volumes are recorded
	}
	return o
}

// longestLease gives the ticks of a lease that is safe when clocks drift as far as they do
// here: a member that hears its leader just before a tick of its own promises to elect no
// other for one tick less than an election timeout, and its clock may be the fastest.
func longestLease(electionTicks int) int {
	return (electionTicks - 1) * int(fastest) / int(slowest)
}

// Calm gives options for a cluster without faults and without clients, for arranging a
// situation by hand.
func Calm(seed uint64, members int) Options {
	return Options{
		Seed: seed, Members: members, ElectionTicks: 10, HeartbeatTicks: 2,
		MaxMessageBytes: 1 << 20, MaxInflight: 4, MaxUncommittedBytes: 1 << 20, MaxTailBytes: 1 << 20,
		FaultEvery: Second, DownFor: Second, ChunkBytes: 1 << 20, Phases: 1,
	}
}

// Validate tells what is wrong with the options that a person may have written.
func (o Options) Validate() error {
	if o.Members < 1 || o.Members > 7 || o.Learners < 0 || o.Learners > 3 {
		return fmt.Errorf("members is %d, must be 1 to 7, and learners %d, must be 0 to 3", o.Members, o.Learners)
	}
	if o.Steps < 0 || o.FaultEvery < 1 || o.ClientEvery < 0 || o.DownFor < 1 {
		return fmt.Errorf("steps is %d, faultevery %d, clientevery %d, downfor %d: steps and clientevery must not be negative, the other times at least 1", o.Steps, o.FaultEvery, o.ClientEvery, o.DownFor)
	}
	if o.Sessions < 0 || o.Sessions > 9 || o.Sessions > 0 && o.SessionTimeout < Millisecond {
		return fmt.Errorf("sessions is %d, must be 0 to 9, and sessiontimeout %d, must be at least 1000 then", o.Sessions, o.SessionTimeout)
	}
	if o.HalfCut && o.HalfLinked {
		return fmt.Errorf("halfcut and halflinked exclude each other")
	}
	if o.LeaseTicks < 0 || o.LeaseTicks >= max(1, o.ElectionTicks) {
		return fmt.Errorf("lease is %d, with %d election ticks it must be less, and at most %d to be safe", o.LeaseTicks, o.ElectionTicks, longestLease(o.ElectionTicks))
	}
	if o.ChunkBytes < 1 || o.Phases < 1 {
		return fmt.Errorf("chunkbytes is %d and phases %d, both must be at least 1", o.ChunkBytes, o.Phases)
	}
	return nil
}

// option is how one field of Options is written and read.
type option struct {
	name string
	get  func(*Options) string
	set  func(*Options, string) error
}

func number[T ~int | ~int64](name string, at func(*Options) *T) option {
	return option{
		name,
		func(o *Options) string { return strconv.FormatInt(int64(*at(o)), 10) },
		func(o *Options, s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			*at(o) = T(n)
			return err
		},
	}
}

func boolean(name string, at func(*Options) *bool) option {
	return option{
		name,
		func(o *Options) string { return strconv.FormatBool(*at(o)) },
		func(o *Options, s string) (err error) {
			*at(o), err = strconv.ParseBool(s)
			return err
		},
	}
}

var options = []option{
	number("members", func(o *Options) *int { return &o.Members }),
	number("learners", func(o *Options) *int { return &o.Learners }),
	number("steps", func(o *Options) *int { return &o.Steps }),
	{
		"faults",
		func(o *Options) string { return o.Faults.String() },
		func(o *Options, s string) (err error) {
			o.Faults, err = parseFaults(s)
			return err
		},
	},
	number("faultevery", func(o *Options) *Time { return &o.FaultEvery }),
	number("clientevery", func(o *Options) *Time { return &o.ClientEvery }),
	number("downfor", func(o *Options) *Time { return &o.DownFor }),
	number("aimatleader", func(o *Options) *int { return &o.AimAtLeader }),
	number("loss", func(o *Options) *int { return &o.LossPercent }),
	number("repeat", func(o *Options) *int { return &o.RepeatPercent }),
	number("reads", func(o *Options) *int { return &o.ReadPercent }),
	number("sessions", func(o *Options) *int { return &o.Sessions }),
	number("sessiontimeout", func(o *Options) *Time { return &o.SessionTimeout }),
	number("lease", func(o *Options) *int { return &o.LeaseTicks }),
	boolean("serial", func(o *Options) *bool { return &o.Serial }),
	number("election", func(o *Options) *int { return &o.ElectionTicks }),
	number("heartbeat", func(o *Options) *int { return &o.HeartbeatTicks }),
	number("maxmessage", func(o *Options) *int { return &o.MaxMessageBytes }),
	number("maxinflight", func(o *Options) *int { return &o.MaxInflight }),
	number("maxuncommitted", func(o *Options) *int { return &o.MaxUncommittedBytes }),
	number("maxinflightbytes", func(o *Options) *int { return &o.MaxInflightBytes }),
	number("maxapply", func(o *Options) *int { return &o.MaxApplyBytes }),
	number("maxtail", func(o *Options) *int { return &o.MaxTailBytes }),
	number("chunkbytes", func(o *Options) *int { return &o.ChunkBytes }),
	number("phases", func(o *Options) *int { return &o.Phases }),
	boolean("durablemachine", func(o *Options) *bool { return &o.DurableMachine }),
	boolean("healmajority", func(o *Options) *bool { return &o.HealMajority }),
	boolean("halfcut", func(o *Options) *bool { return &o.HalfCut }),
	boolean("halflinked", func(o *Options) *bool { return &o.HalfLinked }),
}

// String writes the options as ParseOptions reads them: the seed, then all the others,
// so that the line means the same when OptionsFor draws differently.
func (o Options) String() string {
	words := []string{strconv.FormatUint(o.Seed, 10)}
	for _, x := range options {
		words = append(words, x.name+"="+x.get(&o))
	}
	return strings.Join(words, " ")
}

// ParseOptions reads a line of testdata/seeds.txt: a seed, then name=value for options.
// Those that are not named are as OptionsFor draws them.
func ParseOptions(line string) (Options, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return Options{}, fmt.Errorf("options must begin with a seed, the line is empty")
	}
	seed, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return Options{}, fmt.Errorf("options must begin with a seed: %w", err)
	}
	o := OptionsFor(seed)
	for _, w := range words[1:] {
		if err := o.parse(w); err != nil {
			return Options{}, fmt.Errorf("option %q: %w", w, err)
		}
	}
	return o, o.Validate()
}

func (o *Options) parse(word string) error {
	name, value, _ := strings.Cut(word, "=")
	for _, x := range options {
		if x.name == name {
			return x.set(o, value)
		}
	}
	return fmt.Errorf("there is no option %q", name)
}

// count gives how many kinds of faults are in the set.
func (f Faults) count() int { return bits.OnesCount32(uint32(f)) }
