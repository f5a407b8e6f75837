# Images, clusters and the demo. See hack/devcluster/README.md.

# In a recipe, after cluster-ready: $(CLUSTER_ENV) helm list
# It sets KUBECONFIG, PATH (with a kubectl), VERSION and the images' repositories.
CLUSTER_ENV = . $(OUT)/cluster.env;

##@ Clusters

.PHONY: demo
demo: ## From nothing to a running RaftCluster (KUBECONFIG's cluster, or kind's, or else the devcluster)
	@hack/demo.sh up

.PHONY: demo-down
demo-down: ## Remove what demo made; the devcluster leaves this machine as it was
	@hack/demo.sh down

.PHONY: images
images: ## Build the images into dist/*.tar, without a container engine (VERSION=v1.2.3 sets the tag)
	@hack/images/build.sh

.PHONY: devcluster-build
devcluster-build: ## Build Kubernetes' components from their modules, once
	@hack/devcluster.sh build

.PHONY: devcluster-up
devcluster-up: ## Bring up a Kubernetes of NODES=3 nodes on this machine
	@hack/devcluster.sh up --nodes $(or $(NODES),3)

.PHONY: devcluster-down
devcluster-down: ## Stop it and leave this machine as it was
	@hack/devcluster.sh down

.PHONY: devcluster-test
devcluster-test: ## Test the devcluster: volumes, a power cut, a partition, nothing left after down
	@hack/devcluster/smoke_test.sh

.PHONY: envtest-assets
envtest-assets: ## Make sure that etcd, kube-apiserver and kubectl are there for tests; prints their directory
	@hack/devcluster.sh assets

.PHONY: cluster-ready
cluster-ready: ## Bring up a cluster that has the images of this tree
	@hack/cluster.sh ready
