package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/raftcluster"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "quorate-operator:", err)
		os.Exit(1)
	}
}

func run() error {
	elect := flag.Bool("leader-elect", true, "let one operator of several work; needs a Lease in its namespace")
	metrics := flag.String("metrics-bind-address", ":8080", "where /metrics is served; 0: nowhere")
	probes := flag.String("health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0: nowhere")
	image := flag.String("default-node-image", "", "image of members whose RaftCluster names none")
	namespaces := flag.String("watch-namespaces", "", "namespaces to work in, joined by commas; empty: all")
	zapOptions := zap.Options{}
	zapOptions.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&zapOptions)))

	scheme, err := raftcluster.Scheme()
	if err != nil {
		return err
	}
	own := os.Getenv("POD_NAMESPACE")
	mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Scheme: scheme, Cache: raftcluster.Cache(strings.FieldsFunc(*namespaces, func(r rune) bool { return r == ',' })),
		Metrics: metricsserver.Options{BindAddress: *metrics}, HealthProbeBindAddress: *probes,
		LeaderElection: *elect, LeaderElectionID: "quorate-operator", LeaderElectionNamespace: own, LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := raftcluster.Setup(mgr, objects.Options{DefaultImage: *image, OperatorNamespace: own}, nil); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
