# The one door for contributors. "make" alone lists what there is.
#
# Tools are built by hack/tools/build.sh from pinned modules; clusters come from
# hack/make/cluster.mk. Everything that takes long to make is kept under
# ~/.cache/quorate (QUORATE_CACHE chooses another place).

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Built once, used by tests and images alike: -trimpath makes their caches the same.
export GOFLAGS := $(filter-out -trimpath,$(shell go env GOFLAGS)) -trimpath
export QUORATE_CACHE ?= $(HOME)/.cache/quorate

OUT := dist
# Modules whose tests "make test" runs; hack/ has modules of its own for what the
# project itself must not depend on.
TEST_MODULES := . bench hack/images test/etcddiff test/raftdiff
# Modules whose code "make lint" looks at.
LINT_MODULES := . bench hack/images test/etcddiff test/raftdiff
# Seeds of the simulator that "make sim" runs, and the first of them.
SEEDS ?= 10000
FIRST ?= 1
# Which fuzz targets run (all when empty), for how long each, and how many at a time.
FUZZ ?=
FUZZTIME ?= 1m
FUZZJOBS ?= 1
# Which tests "make e2e" and "make e2e-long" run (all when empty).
E2E ?=
# Which benchmarks of rooms run, and for how long a point is measured.
BENCH ?= .
BENCHTIME ?= 2s
# How long one library is measured at one point by "make bench" and "make bench-compare", and how
# often by the latter. As they are, a comparison takes about 7 minutes.
BENCH_SECONDS ?= 1.2
BENCH_ROUNDS ?= 5

# In a recipe: $(TOOL) helm; helm version
TOOL = use() { PATH="$$(hack/tools/build.sh "$$@"):$$PATH"; export PATH; }; use

# In a recipe: a list of the Go files that people write, deleted ones left out.
GO_FILES = git ls-files -co --exclude-standard -- '*.go' ':!:*zz_generated*' \
  | while read -r f; do [ ! -e "$$f" ] || echo "$$f"; done

include $(sort $(wildcard hack/make/*.mk))

##@ Everyday

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9][a-zA-Z0-9_-]*:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check
check: ## Regenerate and lint; fails when a generated file was not fresh; changes no other file
	@hack/check/fresh.sh $(MAKE) --no-print-directory generate
	@$(MAKE) --no-print-directory lint-format lint lint-chart lint-config lint-shell
	@echo "check: all is well"

.PHONY: test
test: envtest-assets ## Run every test that needs no kubelet, 10,000 simulations and the CRDs on a real API server included
	@mkdir -p $(OUT)
	@{ rc=0; for m in $(TEST_MODULES); do (cd $$m && go test -json -timeout 30m ./...) || rc=1; done; exit $$rc; } \
	  | tee $(OUT)/test.json | go run ./hack/testsum

.PHONY: e2e
e2e: cluster-ready ## Run the tests on a real cluster: KUBECONFIG's, or else the devcluster, which is started
	@mkdir -p $(OUT)
	@$(CLUSTER_ENV) $(TOOL) helm etcdctl; go test -tags e2e -count=1 -json -timeout 30m -run '$(E2E)' ./test/e2e/... \
	  | tee $(OUT)/e2e.json | go run ./hack/testsum -v

.PHONY: e2e-long
e2e-long: cluster-ready ## The same and those that take long, up to two hours (E2E=regexp chooses)
	@mkdir -p $(OUT)
	@$(CLUSTER_ENV) $(TOOL) helm etcdctl; go test -tags e2e,e2e_long -count=1 -json -timeout 120m -run '$(E2E)' ./test/e2e/... \
	  | tee $(OUT)/e2e-long.json | go run ./hack/testsum -v

.PHONY: fmt
fmt: ## Format the Go code
	@$(TOOL) gofumpt; $(GO_FILES) | xargs -r gofumpt -l -w

.PHONY: generate
generate: ## Generate deepcopy code, CRDs, RBAC, and what the chart and the documents copy from them
	@$(TOOL) controller-gen; \
	  controller-gen object crd paths=./api/... output:crd:artifacts:config=config/crd/bases; \
	  controller-gen rbac:roleName=quorate-operator paths=./controllers/... output:rbac:artifacts:config=config/rbac
	@go run ./hack/chartgen
	@go generate ./...

.PHONY: lint
lint: ## Run go vet and golangci-lint, kube-api-linter for api/ included
	@$(TOOL) kube-api-linter; for m in $(LINT_MODULES); do \
	  (cd $$m && go vet -tags e2e,e2e_long ./... && kube-api-linter run --config $(CURDIR)/.golangci.yml) || exit; done

.PHONY: sim
sim: ## Run SEEDS=10000 seeds of the cluster simulator from FIRST=1 on (a million for a long night)
	@go test -count=1 -timeout 0 -v -run '^TestSimulation$$' ./raftcore/devtools/sim \
	  -sim.seeds $(SEEDS) -sim.first $(FIRST) -sim.failures 5 -sim.record testdata/seeds.txt

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME=1m, FUZZJOBS=1 at a time (FUZZ="FuzzStep ..." chooses)
	@FUZZTIME=$(FUZZTIME) FUZZJOBS=$(FUZZJOBS) hack/fuzz.sh $(FUZZ)

.PHONY: bench
bench: ## Measure the core: three members with real files and TCP, 1 to 1024 in flight (BENCH_SECONDS=1.2 a point)
	@mkdir -p $(OUT)
	@(cd bench && go run ./raftlib -only quorate,floor -time $(BENCH_SECONDS)s -rounds 3) | tee $(OUT)/bench.txt

.PHONY: bench-compare
bench-compare: ## The same beside other Raft libraries, in turns; writes docs/benchmarks.md and its pictures (BENCH_SECONDS, BENCH_ROUNDS)
	@mkdir -p $(OUT)
	@(cd bench && go run ./raftlib -time $(BENCH_SECONDS)s -rounds $(BENCH_ROUNDS) -save ../$(OUT)/bench-compare.json -docs ../docs) \
	  | tee $(OUT)/bench-compare.txt

.PHONY: bench-rooms
bench-rooms: ## Run the benchmarks of single rooms (BENCH=regexp)
	@go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem -timeout 60m ./raftcore/... ./node/...

##@ Parts of check

.PHONY: lint-format
lint-format: ## Tell which Go files are not formatted
	@$(TOOL) gofumpt; files=$$($(GO_FILES) | xargs -r gofumpt -l); \
	  [ -z "$$files" ] || { echo "not formatted, run make fmt:"; echo "$$files"; exit 1; }

.PHONY: lint-chart
lint-chart: ## Lint and render the Helm chart; wrong values must be refused
	@$(TOOL) helm; helm lint --strict --quiet charts/quorate
	@$(TOOL) helm; QUORATE_NEED_TOOLS=1 go test ./charts/...

.PHONY: lint-config
lint-config: ## Build the kustomizations
	@$(TOOL) kustomize; for d in config/default config/prometheus; do kustomize build $$d >/dev/null; echo "ok    $$d"; done

.PHONY: lint-shell
lint-shell: ## Check the shell scripts (with shellcheck, where there is one)
	@git ls-files -- '*.sh' .ci/run | xargs -r -n1 bash -n
	@if command -v shellcheck >/dev/null; then git ls-files -- '*.sh' .ci/run | xargs -r shellcheck -x; \
	  else echo "skip  shellcheck: not installed"; fi
