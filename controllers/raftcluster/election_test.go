package raftcluster

import (
	"context"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/quorate/quorate/controllers/objects"
)

// handOver is the longest time that nobody may work after a leader stopped of itself.
const handOver = 3 * time.Second

// Of two operators one works. When it stops of itself the other goes on at once; the time
// that a lease lasts is only waited for after a crash.
func TestOperatorHandsOver(t *testing.T) {
	w := newLoneWorld(t)
	w.boot, w.now = 0, time.Now() // its clock stands still, at the time by which the operators sign
	first, stopFirst := w.candidate()
	<-first.Elected()
	second, stopSecond := w.candidate()
	defer stopSecond()
	w.create("demo", nil)
	w.wait("stable", stable)
	select {
	case <-second.Elected():
		t.Fatal("two operators lead at a time")
	default:
	}
	stopFirst()
	start := time.Now()
	select {
	case <-second.Elected():
		t.Logf("the second operator led %s after the first one had stopped", time.Since(start).Round(time.Millisecond))
	case <-time.After(handOver):
		t.Fatalf("nobody led %s after the first operator had stopped", handOver)
	}
	w.hibernate("demo", true)
	w.wait("asleep", asleep)
}

// candidate runs an operator that works only while it leads.
func (w *world) candidate() (_ manager.Manager, stop func()) {
	w.t.Helper()
	scheme, err := Scheme()
	w.must(err)
	options := Elected(true, w.ns, ctrl.Options{Scheme: scheme, Cache: Cache(w.ns), Metrics: server.Options{BindAddress: "0"}})
	unnamed := true // two controllers of one name in this process
	options.Controller.SkipNameValidation = &unnamed
	mgr, err := ctrl.NewManager(config, options)
	w.must(err)
	w.must(Setup(mgr, objects.Options{DefaultImage: "node:1"}, w.dial))
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	return mgr, func() {
		cancel()
		w.must(<-ended)
	}
}
