#!/usr/bin/env bash
# Tests the devcluster itself, in a cluster of its own beside any other: names, Services,
# volumes through a pod's deletion, an expansion, a power cut and a partition; and that the
# machine is afterwards as it was. About two minutes once the components are built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export DEVCLUSTER_NAME=smoke-test
passed=0
start=$SECONDS

dc() { hack/devcluster.sh "$@"; }
pass() {
  passed=$((passed + 1))
  printf '[%3ds] ok    %s\n' $((SECONDS - start)) "$*"
}
fail() {
  printf '[%3ds] FAIL  %s\n' $((SECONDS - start)) "$*" >&2
  kubectl get nodes,pods,pvc,pv -o wide >&2 || true
  exit 1
}

# within SECONDS COMMAND...: repeats the command until it succeeds.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# http NODE URL: fetches from inside a node, where pods and Services have addresses.
http() { dc exec "$1" curl -sSf --max-time 5 "$2"; }
ip_of() { kubectl get pod "$1" -o jsonpath='{.status.podIP}'; }
node_of() { kubectl get pod "$1" -o jsonpath='{.spec.nodeName}'; }
uid_of() { kubectl get pod "$1" -o jsonpath='{.metadata.uid}'; }
# from POD URL: fetches from inside a pod.
from() { http 0 "http://$(ip_of "$1"):8080/fetch?url=$2"; }
answers() { [ "$(http 0 "http://$(ip_of "$1"):8080/get")" = "$2" ]; }
ready_again() { # POD FORMER-UID
  [ "$(uid_of "$1")" != "$2" ] && kubectl wait --for=condition=Ready "pod/$1" --timeout=1s
}
node_is() { [ "$(kubectl get node "$1" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" = "$2" ]; }
not() { ! "$@"; }

# machine prints what "down" must leave as it was: mounts, cgroups, links and addresses,
# packet filters, sysctls that a kubelet sets, and processes of this cluster.
machine() {
  cut -d' ' -f5- /proc/self/mountinfo | sort
  find /sys/fs/cgroup -type d -path '*quorate-devcluster*/smoke-test*' 2>/dev/null || true
  find /sys/fs/cgroup -maxdepth 2 -name cgroup.subtree_control -exec grep -H . {} + || true
  ip -brief link | awk '{print $1, $NF}' | sort
  ip -brief address | awk '{$2 = ""; print}' | sort
  ip netns list 2>/dev/null || true
  nft list tables 2>/dev/null || true
  for f in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops net/ipv4/ip_forward net/netfilter/nf_conntrack_max; do
    echo "$f $(cat "/proc/sys/$f" 2>/dev/null)"
  done
  grep -lz 'clusters/smoke-test' /proc/[0-9]*/cmdline 2>/dev/null || true
  ls -d /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /run/containerd 2>/dev/null || true
}

test_workload() {
  kubectl apply -f hack/devcluster/testdata/probe.yaml >/dev/null
  kubectl rollout status statefulset/probe --timeout=90s >/dev/null || fail "the StatefulSet does not come up"
  [ "$(kubectl get pods -l app=probe -o jsonpath='{range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort -u | wc -l)" = 3 ] ||
    fail "the pods are not on three nodes"
  pass "a StatefulSet with volumes runs, unprivileged, on three nodes"

  within 15 from probe-0 http://probe-2.probe.default.svc.cluster.local:8080/ || fail "a pod's name does not resolve"
  within 15 from probe-1 http://probe-vip.default.svc/ || fail "a Service does not answer in a pod"
  within 15 http 2 "http://$(kubectl get service probe-vip -o jsonpath='{.spec.clusterIP}')/" || fail "a Service does not answer on a node"
  pass "pods and Services are found by name and by address"

  [ "$(kubectl exec probe-0 -- /probe hello)" = '[hello]' ] || fail "kubectl exec does not work"
  kubectl logs probe-0 >/dev/null || fail "kubectl logs does not work"
  pass "kubectl exec and kubectl logs work"
}

test_volumes() {
  local uid
  http 0 "http://$(ip_of probe-0):8080/put?v=kept" >/dev/null
  uid=$(uid_of probe-0)
  kubectl delete pod probe-0 --wait=false >/dev/null
  within 60 ready_again probe-0 "$uid" || fail "a deleted pod does not come back"
  within 10 answers probe-0 kept || fail "the pod came back without its data"
  pass "a deleted pod comes back with its data"

  kubectl patch pvc data-probe-0 -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}' >/dev/null
  within 30 kubectl wait --for=jsonpath='{.status.capacity.storage}'=2Gi pvc/data-probe-0 --timeout=1s || fail "a volume does not grow"
  pass "a volume grows"
}

test_power_cut() {
  local node
  node=$(node_of probe-1)
  [ "$node" != node-0 ] || node=$(node_of probe-2)
  dc node down "$node"
  within 60 node_is "$node" Unknown || fail "$node has no power and is still Ready"
  pass "a node without power is noticed"
  dc node up "$node"
  within 60 node_is "$node" True || fail "$node does not come back"
  within 90 kubectl rollout status statefulset/probe --timeout=5s || fail "the pods of $node do not come back"
  pass "a node comes back, and its pods"

  dc node down 0
  not kubectl get --raw /readyz >/dev/null 2>&1 || fail "node-0 has no power and its API server answers"
  dc node up 0
  within 60 kubectl get --raw /readyz || fail "the API server does not come back"
  within 60 node_is node-2 True || fail "the other nodes do not find the API server again"
  within 90 kubectl rollout status statefulset/probe --timeout=5s || fail "the pods of node-0 do not come back"
  within 20 from probe-1 http://probe-0.probe.default.svc.cluster.local:8080/ || fail "pods do not reach each other after node-0 came back"
  pass "the node with the API server comes back, and the others join it"
}

test_partitions() {
  local target node
  target=http://$(ip_of probe-2):8080/
  within 10 from probe-0 "$target" || fail "pods do not reach each other"
  dc cut probe-0 probe-2
  within 5 not from probe-0 "$target" || fail "two pods that are cut off reach each other"
  within 5 from probe-1 "$target" || fail "a cut between two pods stops a third"
  kubectl wait --for=condition=Ready pod/probe-0 pod/probe-2 --timeout=5s >/dev/null || fail "a cut between pods stops the kubelet's probes"
  dc heal
  within 10 from probe-0 "$target" || fail "healed pods do not reach each other"
  pass "a cut between two pods holds, stops nobody else, and heals"

  node=$(node_of probe-2)
  [ "$node" != node-0 ] || node=$(node_of probe-1)
  dc isolate "$node"
  within 60 node_is "$node" Unknown || fail "$node is isolated and still Ready"
  dc heal
  within 60 node_is "$node" True || fail "$node does not come back after heal"
  pass "an isolated node is noticed and heals"
}

test_state_is_kept() {
  local uid
  within 60 kubectl rollout status statefulset/probe --timeout=5s || fail "the pods are not ready before the stop"
  uid=$(kubectl get statefulset probe -o jsonpath='{.metadata.uid}')
  dc down --keep 2>/dev/null
  dc up 2>/dev/null
  [ "$(kubectl get statefulset probe -o jsonpath='{.metadata.uid}')" = "$uid" ] || fail "the state was not kept"
  within 90 answers probe-0 kept || fail "the data was not kept"
  pass "a cluster that was stopped comes back with its state"
}

test_api_only() {
  dc api up 2>/dev/null
  (
    eval "$(dc api env)"
    kubectl create configmap it-works >/dev/null && within 20 kubectl get serviceaccount default
  ) || fail "an API server alone does not work"
  dc api down 2>/dev/null
  pass "an API server alone works"
}

test_deletion() {
  kubectl delete -f hack/devcluster/testdata/probe.yaml --wait >/dev/null
  within 60 not_any pv || fail "released volumes are not deleted"
  [ -z "$(ls -A "$(dirname "$KUBECONFIG")/volumes")" ] || fail "the directories of deleted volumes are still there"
  pass "deleted claims leave no volume behind"
}
not_any() { [ -z "$(kubectl get "$1" -o name)" ]; }

before=$(machine)
trap 'dc api down; dc down' EXIT
dc down 2>/dev/null
dc up --nodes 3
eval "$(dc env)"

test_workload
test_volumes
test_power_cut
test_partitions
test_state_is_kept
test_deletion
test_api_only

trap - EXIT
dc down
after=$(machine)
diff <(echo "$before") <(echo "$after") || fail "the machine is not as it was: see the difference above"
[ ! -e "$(dirname "$KUBECONFIG")" ] || fail "the cluster's state is still there"
pass "the machine is as it was"
printf '%d passed, 0 failed\n' "$passed"
