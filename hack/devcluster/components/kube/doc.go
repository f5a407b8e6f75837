// Command hyperkube is every Kubernetes component, etcd and the devcluster's volume
// provisioner in one static binary, which is linked once instead of eight times.
// The component is the base name it was called by (so symbolic links work), or the first argument.
//
// # In this room
//
// main.go picks the component; volumes.go is the provisioner of volumes.
//
// # Never here
//
// Changes to what a component does: the devcluster runs Kubernetes as it is released.
//
// # Invariants
//
// go.mod pins every module of Kubernetes to one release; hack/devcluster/build.go names the same release.
//
// # How to add
//
// A component: a line in the table of main.go and a link in hack/devcluster/build.go.
package main
