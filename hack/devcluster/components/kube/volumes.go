package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v11/controller"
)

const (
	provisionerName = "devcluster.quorate.dev/directory"
	dirAnnotation   = "devcluster.quorate.dev/directory"
	resync          = 10 * time.Second // a failed expansion is tried again after this
)

// directories provisions a directory under root for each claim. Every node of a
// devcluster sees the same file system, but the volume is tied to the node that the scheduler chose,
// as a real local disk would be. The size is recorded and not enforced.
type directories struct {
	root   string
	client kubernetes.Interface
}

func newProvisionerCommand() *cobra.Command {
	var kubeconfig, root string
	c := &cobra.Command{
		Use:           "volume-provisioner",
		Short:         "Makes a directory for each PersistentVolumeClaim of the devcluster's class",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			return directories{root: root, client: client}.run(c.Context())
		},
	}
	c.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	c.Flags().StringVar(&root, "root", "", "where the volumes' directories are made")
	return c
}

func (d directories) run(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(d.client, resync)
	claims := factory.Core().V1().PersistentVolumeClaims().Informer()
	if _, err := claims.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { d.expand(ctx, o.(*v1.PersistentVolumeClaim)) },
		UpdateFunc: func(_, o any) { d.expand(ctx, o.(*v1.PersistentVolumeClaim)) },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	controller.NewProvisionController(ctx, d.client, provisionerName, d, controller.LeaderElection(false)).Run(ctx)
	return nil
}

// Provision makes the directory and describes it as a local volume: to a local volume,
// unlike to a hostPath, the kubelet applies the pod's fsGroup.
func (d directories) Provision(_ context.Context, o controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	if o.SelectedNode == nil {
		return nil, controller.ProvisioningFinished, errors.New("no node selected: the storage class must have volumeBindingMode WaitForFirstConsumer")
	}
	dir := filepath.Join(d.root, o.PVC.Namespace+"_"+o.PVC.Name+"_"+o.PVName)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName, Annotations: map[string]string{dirAnnotation: dir}},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			VolumeMode:                    o.PVC.Spec.VolumeMode,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: o.PVC.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource:        v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: dir}},
			NodeAffinity:                  onlyOn(o.SelectedNode.Name),
		},
	}, controller.ProvisioningFinished, nil
}

// Delete removes the directory of a released volume. It refuses a directory that is not its own.
func (d directories) Delete(_ context.Context, pv *v1.PersistentVolume) error {
	dir := pv.Annotations[dirAnnotation]
	if filepath.Dir(dir) != filepath.Clean(d.root) {
		return fmt.Errorf("volume %s: directory %q is not in %q: not deleted", pv.Name, dir, d.root)
	}
	return os.RemoveAll(dir)
}

// expand grants a claim that asks for more: a directory has no size of its own.
func (d directories) expand(ctx context.Context, claim *v1.PersistentVolumeClaim) {
	want, have := claim.Spec.Resources.Requests.Storage(), claim.Status.Capacity.Storage()
	if claim.Status.Phase != v1.ClaimBound || want.Cmp(*have) <= 0 {
		return
	}
	volumes := d.client.CoreV1().PersistentVolumes()
	pv, err := volumes.Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil || pv.Annotations[dirAnnotation] == "" {
		return // not ours, or the next resync sees it
	}
	patch := fmt.Appendf(nil, `{"spec":{"capacity":{"storage":%q}}}`, want.String())
	if _, err := volumes.Patch(ctx, pv.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		klog.ErrorS(err, "cannot expand the volume; trying again later", "volume", pv.Name)
		return
	}
	patch = fmt.Appendf(nil, `{"status":{"capacity":{"storage":%q},"conditions":null}}`, want.String())
	_, err = d.client.CoreV1().PersistentVolumeClaims(claim.Namespace).Patch(ctx, claim.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		klog.ErrorS(err, "cannot record the volume's new size; trying again later", "claim", klog.KObj(claim))
	}
}

func onlyOn(node string) *v1.VolumeNodeAffinity {
	return &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
		MatchExpressions: []v1.NodeSelectorRequirement{{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node}}},
	}}}}
}
