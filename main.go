package main

import (
	"flag"
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/raftcluster"
)

var version = "v0.0.0-dev" // set by the linker

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
	var zapOptions zap.Options
	zapOptions.BindFlags(flag.CommandLine)
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("takes flags only, not %q; see --help", flag.Args())
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&zapOptions)))
	scheme, err := raftcluster.Scheme()
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server (run in a pod, or set KUBECONFIG): %w", err)
	}
	mgr, err := ctrl.NewManager(config, raftcluster.Elected(*elect, os.Getenv("POD_NAMESPACE"), ctrl.Options{
		Scheme: scheme, Cache: raftcluster.Cache(*namespaces),
		Metrics: metricsserver.Options{BindAddress: *metrics}, HealthProbeBindAddress: *probes,
	}))
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	o := objects.Options{DefaultImage: *image, OperatorNamespace: os.Getenv("POD_NAMESPACE")}
	if err := raftcluster.Setup(mgr, o, nil); err != nil {
		return err
	}
	mgr.GetLogger().Info("quorate-operator", "version", version)
	return mgr.Start(ctrl.SetupSignalHandler())
}
