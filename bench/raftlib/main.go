package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// libraries are measured in this order, a turn each, rounds times.
var libraries = []struct {
	name string
	open func(dir string) (library, error)
}{
	{"quorate", openQuorate},
	{"hashicorp", openHashicorp},
}

func main() {
	dir := flag.String("dir", "", "directory for the logs, on the disk to be measured (default: a temporary one)")
	d := flag.Duration("time", 2*time.Second, "length of one measurement")
	rounds := flag.Int("rounds", 3, "measurements of each point; the median is printed")
	only := flag.String("only", "", "measure this library alone")
	flag.Parse()
	if err := compare(*dir, *d, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "raftlib:", err)
		os.Exit(1)
	}
}

func compare(dir string, d time.Duration, rounds int, only string) error {
	if dir == "" {
		tmp, err := os.MkdirTemp("", "raftlib")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp) //nolint:errcheck // left for the system's own cleaning
		dir = tmp
	}
	fmt.Println("three members, files and TCP of this machine; a proposal is done when the leader has applied it")
	fmt.Printf("%6s %9s  %-10s %10s %9s %9s %11s %8s %7s\n", "bytes", "in flight", "library", "per second", "p50 ms", "p99 ms", "CPU s/10000", "allocs", "ratio")
	for _, bytes := range []int{128, 4096} {
		for _, n := range []int{1, 16, 64, 256, 1024} {
			if err := comparePoint(dir, point{n, bytes}, d, rounds, only); err != nil {
				return err
			}
		}
	}
	return nil
}

// comparePoint measures every library at one point, in turns, and prints the
// medians; ratio is the rate over the first library's last peer.
func comparePoint(dir string, p point, d time.Duration, rounds int, only string) error {
	results := make([][]figures, len(libraries))
	for r := range rounds {
		for i, l := range libraries {
			if only != "" && only != l.name {
				continue
			}
			f, err := once(l.open, filepath.Join(dir, fmt.Sprintf("%s-%d-%d-%d", l.name, p.bytes, p.inFlight, r)), p, d)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			results[i] = append(results[i], f)
		}
	}
	for i, l := range libraries {
		if len(results[i]) == 0 {
			continue
		}
		m := median(results[i])
		ratio := ""
		if i == 0 && only == "" {
			ratio = fmt.Sprintf("%.2f", m.perSecond/median(results[1]).perSecond)
		}
		fmt.Printf("%6d %9d  %-10s %10.0f %9.2f %9.2f %11.3f %8.1f %7s\n", p.bytes, p.inFlight, l.name, m.perSecond, ms(m.p50), ms(m.p99), m.cpu, m.allocs, ratio)
	}
	return nil
}

func once(open func(string) (library, error), dir string, p point, d time.Duration) (figures, error) {
	defer os.RemoveAll(dir) //nolint:errcheck // the folder above goes at the end
	l, err := open(dir)
	if err != nil {
		return figures{}, err
	}
	defer l.close()
	return measure(l, p, d)
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

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
