package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"time"
)

// A library is measured in a process of its own: three members and the load. The parent
// asks over the child's standard input and hears over its standard output, one JSON
// value a line, so that the libraries take turns without meeting in one heap.

type request struct {
	Point point
	Time  time.Duration
}

type reply struct {
	Figures figures
	Error   string // of this measurement
}

var errNotMeasured = errors.New("this is not measured here")

// serve is the child. It opens the group in dir, says so with an empty reply, and
// measures what it is asked for until its input ends.
func serve(open func(dir string) (library, error), dir, profile, traced string) error {
	l, err := open(dir)
	if err != nil {
		return err
	}
	defer l.close()
	if profile != "" {
		stop, err := startProfiles(profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	if traced != "" {
		stop, err := startTrace(traced)
		if err != nil {
			return err
		}
		defer stop()
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	if err := out.Encode(reply{}); err != nil {
		return err
	}
	for {
		var r request
		if err := in.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		f, err := measure(l, dir, r.Point, r.Time)
		answer := reply{Figures: f}
		if err != nil {
			answer.Error = err.Error()
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
}

// startProfiles writes a profile of the CPU until stop, and then one of all allocations.
func startProfiles(file string) (stop func(), err error) {
	runtime.MemProfileRate = 16 << 10
	cpu, err := os.Create(file + ".cpu")
	if err != nil {
		return nil, err
	}
	allocs, err := os.Create(file + ".allocs")
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		pprof.Lookup("allocs").WriteTo(allocs, 0) //nolint:errcheck // it is looked at by a person
		cpu.Close()
		allocs.Close()
	}, pprof.StartCPUProfile(cpu)
}

func startTrace(file string) (stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return func() {
		trace.Stop()
		f.Close()
	}, trace.Start(f)
}

// child is the parent's end of it.
type child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

// startChild runs this program again as the child for a library and waits until its
// group has a leader.
func startChild(name, library, binary, dir string, records []string) (*child, error) {
	args := append([]string{"-serve", library, "-dir", dir}, records...)
	c := &child{name: name, cmd: exec.Command(binary, args...)} //nolint:noctx // it ends with its input
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	var ready reply
	if err := c.out.Decode(&ready); err != nil {
		c.stop()
		return nil, errors.New(name + " did not come up")
	}
	return c, nil
}

func (c *child) measure(p point, d time.Duration) (figures, error) {
	if err := json.NewEncoder(c.in).Encode(request{p, d}); err != nil {
		return figures{}, err
	}
	var r reply
	if err := c.out.Decode(&r); err != nil {
		return figures{}, err
	}
	if r.Error != "" {
		return figures{}, errors.New(r.Error)
	}
	return r.Figures, nil
}

func (c *child) stop() {
	c.in.Close()
	c.cmd.Wait() //nolint:errcheck // the measurement is over
}
