// Package e2e tests Quorate on a real Kubernetes, as a user meets it: installed by
// Helm, driven by kubectl's API, used by etcd clients.
//
// # In this room
//
// Tests with the build tag e2e. They want KUBECONFIG, the images loaded, and the
// programs helm and etcdctl; "make e2e" sees to all of that.
//
// # Never here
//
// What a test without a kubelet can show.
//
// # Invariants
//
// Each test has a namespace of its own and leaves nothing behind when it passes.
// Waiting is always for a condition, with a bound, and what was seen last is told when
// the bound is passed. Histories are recorded by the clients and judged by Porcupine.
//
// # How to add
//
// A test in a file of its own; use env_test.go for the cluster and clients_test.go for etcd
// clients. What is done to a cluster under load is an act (act_test.go): it judges the
// history and the operator, and prints its line. What takes minutes has the tag e2e_long too.
package e2e
