package filelog

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// TestDeliberateBugsAreNoticed has a little story for each bug of this room: without the bug
// it ends well, with it it does not.
func TestDeliberateBugsAreNoticed(t *testing.T) {
	tests := []struct {
		name  string
		bug   mutation.Set
		story func(bugs mutation.Set) error // what went wrong
	}{
		{"FsyncRetried", mutation.FsyncRetried, aSyncFailsOnce},
		{"DropTailAfterFsyncFailure", mutation.DropTailAfterFsyncFailure, theCacheLies},
		{"GhostEntries", mutation.GhostEntries, anOverwriteBelowTheSnapshot},
		{"CutDamage", mutation.CutDamage, aRecordRots},
		{"WipedVoter", mutation.WipedVoter, theVolumeIsEmpty},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.story(0); err != nil {
				t.Errorf("without the bug: %v", err)
			}
			err := tt.story(tt.bug)
			if err == nil {
				t.Error("the bug is not noticed")
			}
			t.Logf("noticed: %v", err)
		})
	}
}

// buggy is a store whose syncs may fail.
type buggy struct {
	mem  *vfs.Mem
	disk *vfs.Faulty
	opts Options
	log  *Log
	s    *Store
}

func newBuggy(bugs mutation.Set) (*buggy, error) {
	b := &buggy{mem: vfs.NewMem(), opts: Options{SegmentSize: minSegmentSize, foreground: true, bugs: bugs}}
	b.disk = vfs.NewFaulty(b.mem)
	if err := Format(b.disk, "d", crashIdentity, b.opts); err != nil {
		return nil, err
	}
	return b, b.open(b.disk)
}

func (b *buggy) open(disk vfs.FS) error {
	s, err := Open(disk, "d", b.opts)
	if err != nil {
		return err
	}
	b.s, b.log = s, s.Log
	return nil
}

func (b *buggy) append(es ...protocol.Entry) error {
	done := make(chan error, 1)
	b.log.Append(es, func(err error) { done <- err })
	return <-done
}

// failOneSync lets the next sync fail, as a kernel does that keeps what it could not write.
func (b *buggy) failOneSync() {
	b.disk.Set(vfs.Rule{Op: vfs.OpSync, Pattern: "*.seg", Times: 1, Err: syscall.EIO, Before: b.mem.FailWriteback})
}

// What was told to be durable is there after a loss of power.
func aSyncFailsOnce(bugs mutation.Set) error {
	b, err := newBuggy(bugs)
	if err != nil {
		return err
	}
	b.failOneSync()
	told := b.append(command(1, 1, 100)) == nil
	b.s.Close()
	if err := b.open(b.mem.Crash(vfs.PowerLoss{})); err != nil {
		return err
	}
	defer b.s.Close()
	if last := b.log.State().Last; told && last != 1 {
		return fmt.Errorf("entry 1 was told to be durable, but the log ends at %d", last)
	}
	return nil
}

// What recovery gives is there after a loss of power, also when only a cache had it that
// takes it for written.
func theCacheLies(bugs mutation.Set) error {
	b, err := newBuggy(bugs)
	if err != nil {
		return err
	}
	b.failOneSync()
	if b.append(command(1, 1, 100)) == nil {
		return errors.New("an entry was told to be durable though its sync failed")
	}
	b.s.Close()
	if err := b.open(b.disk); err != nil {
		return err
	}
	found := b.log.State().Last
	defer b.s.Close()
	if err := b.open(b.mem.Crash(vfs.PowerLoss{})); err != nil {
		return err
	}
	defer b.s.Close()
	if last := b.log.State().Last; found != 1 || last != found {
		return fmt.Errorf("recovery gave entries up to %d, after a loss of power there are %d", found, last)
	}
	return nil
}

// A new leader's entry cuts off what an older one left, a snapshot covers the place, and
// what was cut off does not come back.
func anOverwriteBelowTheSnapshot(bugs mutation.Set) error {
	b, err := newBuggy(bugs)
	if err != nil {
		return err
	}
	for i := range protocol.Index(6) {
		if err := b.append(command(1, i+1, 100)); err != nil {
			return err
		}
	}
	if err := b.append(command(2, 3, 100)); err != nil {
		return err
	}
	if err := b.log.Compact(3); err != nil {
		return err
	}
	b.s.Close()
	if err := b.open(b.disk); err != nil {
		return err
	}
	defer b.s.Close()
	if s := b.log.State(); s.Base.Index != 3 || s.Last != 3 {
		return fmt.Errorf("the log is (%v, %d], want it empty after 3", s.Base, s.Last)
	}
	return nil
}

// A bit of a record that was durable flips: it is named, and what is behind it stays.
func aRecordRots(bugs mutation.Set) error {
	b, err := newBuggy(bugs)
	if err != nil {
		return err
	}
	want := storagetest.Model{}
	for i := range protocol.Index(4) {
		if err := b.append(command(1, i+1, 100)); err != nil {
			return err
		}
		want.Append(command(1, i+1, 100))
	}
	at, name := int64(b.log.mu.chain[0].offsets[1])+40, b.log.mu.chain[0].name
	b.s.Close()
	f, err := b.mem.OpenReadWrite(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var p [1]byte
	if _, err := f.ReadAt(p[:], at); err != nil {
		return err
	}
	p[0] ^= 4
	if _, err := f.WriteAt(p[:], at); err != nil {
		return err
	}
	if err := b.open(b.disk); err != nil {
		return err
	}
	defer b.s.Close()
	if s, d := b.log.State(), b.log.Damaged(); s.Last != 4 || len(d) != 1 || d[0].Index != 2 {
		return fmt.Errorf("the log ends at %d with the damaged records %v, want 4 and record 2", s.Last, d)
	}
	return nil
}

// A member whose volume is empty has forgotten whom it voted for: it must not come up
// under its old ID.
func theVolumeIsEmpty(bugs mutation.Set) error {
	o := Options{ClusterID: crashIdentity.ClusterID, MemberID: crashIdentity.MemberID, SegmentSize: minSegmentSize, foreground: true, bugs: bugs}
	s, err := Open(vfs.NewMem(), "d", o)
	if err == nil {
		s.Close()
		return errors.New("an empty volume was opened")
	}
	if !errors.Is(err, ErrNotFormatted) {
		return fmt.Errorf("an empty volume gave %w, want ErrNotFormatted", err)
	}
	return nil
}
