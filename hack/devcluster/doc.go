// Command devcluster runs a real Kubernetes on this machine: several nodes, no
// container engine, no image registry. README.md tells how to use it.
//
// # In this room
//
// main.go reads the command line; build.go builds the components and host.go installs
// what the machine lacks; cluster.go brings a cluster up and down; node.go starts a node
// in namespaces of its own, init.go is the first process in them, network.go links them,
// cgroup.go gives them resources; components.go has every command line and
// templates/ every configuration file; pki.go makes the certificates; images.go loads
// images; faults.go cuts power and links; api.go is an API server alone, without nodes.
//
// # Never here
//
// Anything of Quorate. Imports from outside the standard library: what needs a
// library is a component with a module of its own (components/).
//
// # Invariants
//
// "down" leaves the machine as it was before "up": no process, mount, cgroup, link or
// changed sysctl. Every command may be given again. A cluster's state is in one directory, and nothing outside it
// but the cgroup directories and the namespaces of running nodes belongs to a cluster.
//
// # How to add
//
// A component: its build in build.go, its command line in components.go, its start in
// init.go. A fault: a verb in faults.go, a row in main.go, a step in smoke_test.sh.
package main
