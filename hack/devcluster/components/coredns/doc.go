// Command coredns is CoreDNS with the few plugins that a cluster's DNS needs.
//
// # In this room
//
// The list of plugins, in the order a query passes them.
//
// # Never here
//
// Plugins that resolve names outside the cluster: nothing of a devcluster leaves the machine.
//
// # Invariants
//
// Every imported plugin is in the list of directives; one that is not is never called.
//
// # How to add
//
// A plugin: its import and its name in the list, at its place in CoreDNS's plugin.cfg.
package main
