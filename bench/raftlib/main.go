package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// libraries are what can be measured, in the order of tables and turns.
var libraries = []struct {
	name string
	open func(dir string) (library, error)
}{
	{"quorate", openQuorate},
	{"etcd", openEtcd},
	{"etcd-async", openEtcdAsync},
	{"hashicorp", openHashicorp},
	{"floor", openFloor},
}

type options struct {
	dir        string
	time       time.Duration
	rounds     int
	only       string
	inFlight   int
	bytes      int
	also       string
	save, load string
	docs       string
	serve      string
	profile    string
	trace      string
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "directory for the logs, on the disk to be measured (default: a temporary one)")
	flag.DurationVar(&o.time, "time", 2*time.Second, "length of one measurement")
	flag.IntVar(&o.rounds, "rounds", 3, "measurements of each point by each library, in turns")
	flag.StringVar(&o.only, "only", "", "measure these alone, separated by commas")
	flag.IntVar(&o.inFlight, "in-flight", 0, "measure points with so many in flight alone")
	flag.IntVar(&o.bytes, "bytes", -1, "measure proposals of so many bytes alone; 0: reads")
	flag.StringVar(&o.also, "also", "", "name=path of another build of this program: its quorate takes part under that name")
	flag.StringVar(&o.save, "save", "", "write all figures into this file")
	flag.StringVar(&o.load, "load", "", "do not measure but take the figures from this file")
	flag.StringVar(&o.docs, "docs", "", "write benchmarks.md and its pictures into this folder")
	flag.StringVar(&o.serve, "serve", "", "for the program's own use: be the process of one library")
	flag.StringVar(&o.profile, "profile", "", "write profiles of CPU and allocations of each library into files with this prefix")
	flag.StringVar(&o.trace, "trace", "", "write an execution trace of each library into a file with this prefix; for short runs, read by go tool trace")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "raftlib:", err)
		os.Exit(1)
	}
}

func (o *options) run() error {
	if o.serve != "" {
		return o.child()
	}
	r, err := o.results()
	if err != nil {
		return err
	}
	if o.save != "" {
		if err := r.save(o.save); err != nil {
			return err
		}
	}
	if o.docs != "" {
		return writeDocs(r, o.docs)
	}
	return nil
}

func (o *options) child() error {
	for _, l := range libraries {
		if l.name == o.serve {
			return serve(l.open, o.dir, o.profile, o.trace)
		}
	}
	return fmt.Errorf("there is no library %q", o.serve)
}

func (o *options) results() (*results, error) {
	if o.load != "" {
		return load(o.load)
	}
	if o.dir == "" {
		tmp, err := os.MkdirTemp("", "raftlib")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(tmp) //nolint:errcheck // left for the system's own cleaning
		o.dir = tmp
	}
	return compare(o)
}

// wanted tells whether a library is to be measured.
func (o *options) wanted(name string) bool {
	if o.only == "" {
		return true
	}
	for n := range strings.SplitSeq(o.only, ",") {
		if n == name {
			return true
		}
	}
	return false
}

// records are the arguments with which a child writes its profiles and its trace.
func (o *options) records(name string) (args []string) {
	if o.profile != "" {
		args = append(args, "-profile", o.profile+name)
	}
	if o.trace != "" {
		args = append(args, "-trace", o.trace+name)
	}
	return args
}

// points gives what is to be measured.
func (o *options) points() []point {
	var ps []point
	for _, bytes := range []int{128, 4096} {
		for _, n := range []int{1, 16, 64, 256, 1024} {
			ps = append(ps, point{n, bytes})
		}
	}
	ps = append(ps, point{64, 0})
	kept := ps[:0]
	for _, p := range ps {
		if (o.inFlight == 0 || o.inFlight == p.InFlight) && (o.bytes < 0 || o.bytes == p.Bytes) {
			kept = append(kept, p)
		}
	}
	return kept
}

// elected waits until one of the members leads.
func elected[M any](members []M, leads func(M) bool) (leader M, err error) {
	deadline, look := time.After(10*time.Second), time.NewTicker(50*time.Millisecond)
	defer look.Stop()
	for {
		for _, m := range members {
			if leads(m) {
				return m, nil
			}
		}
		select {
		case <-look.C:
		case <-deadline:
			return leader, errors.New("no leader within 10 s")
		}
	}
}
