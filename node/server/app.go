package server

import (
	"net"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/machine"
)

// App is what a node runs: a state machine and, if it has clients of its own, the
// API that serves them.
type App struct {
	// Name of the program in its own messages; default quorate-node.
	Name string
	// NewMachine opens the state machine. It is called once for each start of the
	// member, before anything is applied.
	NewMachine func(Env) (machine.StateMachine, error)
	// Format counts up with each change of the machine's commands, snapshots or files that
	// older versions of it cannot read; default 1. The operator stops an upgrade or a
	// downgrade between versions that do not understand each other.
	Format uint32
	// Try gives the commands that "dev" suggests to people, for members that clients reach
	// at these addresses; default: none.
	Try func(clients []string) []string
	// OnUnrecoverable decides what becomes of the process after a fault that the
	// member cannot survive; default: hold, alive and fenced, so that the fault can
	// be read from the admin endpoint.
	OnUnrecoverable fault.OnUnrecoverable
}

// Env is where a state machine lives.
type Env struct {
	Dir    string // a directory of its own on the member's volume; may be empty or not exist
	Logger logr.Logger
}

// ClientAPI is implemented by a state machine that serves clients itself.
type ClientAPI interface {
	machine.StateMachine
	// ServeClients takes connections from l, which speaks TLS already when that is
	// configured, and returns at once. stop ends it and waits for it.
	ServeClients(n *Node, l net.Listener) (stop func(), err error)
}
