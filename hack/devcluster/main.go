//go:build linux

package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const usage = `usage: devcluster COMMAND

A real Kubernetes on this machine. As root:
  up [--nodes N]        build what is missing and bring up N nodes (default 3)
  down [--keep]         stop it and leave the machine as it was; --keep keeps its state for the next up
  status                what runs
  load ARCHIVE...       put image archives onto every node (pull policy IfNotPresent or Never)
  node down I | up I    a power cut of node I, and its return
  isolate I             pull the cable of node I (not 0)
  cut POD POD           no packet passes between two pods: POD, NAMESPACE/POD or an address
  heal                  undo every isolate and cut
  exec I CMD...         run a command inside node I: it reaches pods and Services by address
As anybody:
  build                 only build the components
  assets                build etcd, kube-apiserver and kubectl, print their directory (KUBEBUILDER_ASSETS of envtest)
  env                   print what a shell needs:  eval "$(devcluster env)"
  api up | down         an API server alone, without nodes

DEVCLUSTER_NAME names one of several clusters (default "default"); QUORATE_CACHE says where
everything is kept (default: quorate in the user's cache directory).
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return errors.New("which command?")
	}
	verb, args := args[0], args[1:]
	if inner, is := innerVerbs[verb]; is {
		return inner(args)
	}
	v, is := verbs[verb]
	if !is {
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("there is no command %q", verb)
	}
	name := cmp.Or(os.Getenv("DEVCLUSTER_NAME"), "default")
	if verb == "api" {
		name += "-api"
	}
	s, err := newSettings(name)
	if err != nil {
		return err
	}
	return v(&s, newProgress(os.Stderr), args)
}

// verbs are for people; innerVerbs are how the program starts itself inside a node.
var (
	verbs = map[string]func(*settings, *progress, []string) error{
		"up":      upVerb,
		"down":    downVerb,
		"status":  noArgs(func(s *settings, _ *progress) error { return status(s) }),
		"load":    loadVerb,
		"node":    nodeVerb,
		"isolate": isolateVerb,
		"cut":     cutVerb,
		"heal":    noArgs(func(s *settings, _ *progress) error { return heal(s) }),
		"exec":    execVerb,
		"build":   noArgs(buildCluster),
		"assets":  noArgs(assetsVerb),
		"env":     noArgs(func(s *settings, _ *progress) error { env(s); return nil }),
		"api":     apiVerb,
	}
	innerVerbs = map[string]func([]string) error{
		initCommand:      func(a []string) error { return inner(a, func(_ *settings, i int) error { return nodeInit(a[0], i) }) },
		superviseCommand: func(a []string) error { return inner(a, superviseNode) },
		apiCommand: func(a []string) error {
			return inner(append(a, "0"), func(s *settings, _ int) error { return superviseAPI(s) })
		},
	}
)

func inner(args []string, f func(*settings, int) error) error {
	if len(args) != 2 {
		return errors.New("this command is for devcluster's own use")
	}
	s, err := readSettings(args[0])
	if err != nil {
		return err
	}
	i, err := nodeNumber(args[1])
	if err != nil {
		return err
	}
	return f(s, i)
}

func noArgs(f func(*settings, *progress) error) func(*settings, *progress, []string) error {
	return func(s *settings, p *progress, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unexpected %q", args)
		}
		return f(s, p)
	}
}

func upVerb(s *settings, p *progress, args []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	n := flags.Int("nodes", 3, "how many nodes")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := up(s, p, *n); err != nil {
		return err
	}
	p.say("to use it:  eval \"$(hack/devcluster.sh env)\"   (or KUBECONFIG=%s)", s.kubeconfig())
	return nil
}

func downVerb(s *settings, p *progress, args []string) error {
	flags := flag.NewFlagSet("down", flag.ContinueOnError)
	keep := flags.Bool("keep", false, "keep the state for the next up")
	if err := parse(flags, args); err != nil {
		return err
	}
	return down(s, p, *keep)
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q", flags.Args())
	}
	return nil
}

func loadVerb(s *settings, p *progress, args []string) error {
	if len(args) == 0 {
		return errors.New("load: name at least one image archive")
	}
	return loadImages(s, p, args)
}

func nodeVerb(s *settings, p *progress, args []string) error {
	if len(args) != 2 {
		return errors.New("want \"node down I\" or \"node up I\"")
	}
	i, err := nodeNumber(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "down":
		return stopNode(s, i)
	case "up":
		if err := prepareState(s, s.insideURL); err != nil {
			return err
		}
		return startNode(s, i)
	}
	return fmt.Errorf("node %s: want down or up", args[0])
}

func isolateVerb(s *settings, _ *progress, args []string) error {
	if len(args) != 1 {
		return errors.New("isolate: name one node")
	}
	i, err := nodeNumber(args[0])
	if err != nil {
		return err
	}
	return isolate(s, i)
}

func cutVerb(s *settings, _ *progress, args []string) error {
	if len(args) != 2 {
		return errors.New("cut: name two pods")
	}
	return cut(s, args[0], args[1])
}

// execVerb becomes the command: its exit code and its signals are the caller's.
func execVerb(s *settings, _ *progress, args []string) error {
	if len(args) < 2 {
		return errors.New("exec: want a node and a command")
	}
	i, err := nodeNumber(args[0])
	if err != nil {
		return err
	}
	args = args[1:]
	if args[0] == "--" {
		args = args[1:]
	}
	cmd, err := s.inNode(i, args...)
	if err != nil {
		return err
	}
	if cmd.Err != nil {
		return cmd.Err
	}
	return syscall.Exec(cmd.Path, cmd.Args, cmd.Env)
}

func assetsVerb(s *settings, p *progress) error {
	if err := buildAssets(s, p); err != nil {
		return err
	}
	fmt.Println(s.bin())
	return nil
}

func apiVerb(s *settings, p *progress, args []string) error {
	switch strings.Join(args, " ") {
	case "up":
		return apiUp(s, p)
	case "down":
		return apiDown(s, p)
	case "env":
		env(s)
		return nil
	}
	return errors.New("want \"api up\", \"api down\" or \"api env\"")
}

// nodeNumber reads 2 or node-2.
func nodeNumber(arg string) (int, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(arg, "node-"))
	if err != nil || i < 0 || i >= maxNodes {
		return 0, fmt.Errorf("%q is no node: want a number from 0 to %d", arg, maxNodes-1)
	}
	return i, nil
}
