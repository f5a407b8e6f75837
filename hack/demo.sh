#!/usr/bin/env bash
# hack/demo.sh up|down
#
# "up": from nothing to a running RaftCluster that has taken a key, by the steps that a
# user would take: Helm, kubectl apply, kubectl wait, kubectl port-forward, etcdctl. It may
# be run again at any time. "down" removes what it made. hack/cluster.sh chooses the cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

system=quorate-system
sample=config/samples/raftcluster.yaml
name=demo
namespace=default
patience=300 # seconds until the RaftCluster must be Available
start=$SECONDS
step_start=$start
forward= # process ID of kubectl port-forward
scratch=

say() { printf '[%3ds] %s\n' $((SECONDS - start)) "$*"; }
fail() {
  say "demo failed: $*" >&2
  exit 1
}
k() { kubectl -n "$namespace" "$@"; }

# step WHAT COMMAND...: runs it and tells how long it took.
step() {
  step_start=$SECONDS
  say "== $1"
  shift
  "$@"
  say "   ... $((SECONDS - step_start)) s"
}

cleanup() {
  [ -z "$forward" ] || kill "$forward" 2>/dev/null || true
  [ -z "$scratch" ] || rm -rf "$scratch"
}
trap cleanup EXIT

up() {
  step "1/6 a Kubernetes cluster that has the images" hack/cluster.sh ready
  # shellcheck source=/dev/null
  . dist/cluster.env
  step "2/6 helm and etcdctl" tools helm etcdctl
  step "3/6 the operator, by Helm" install
  step "4/6 a RaftCluster of three members ($sample)" k apply -f "$sample"
  step "5/6 waiting until it is Available" await
  step "6/6 a key through the client Service" put_and_get
  echo
  k get raftclusters
  next
}

tools() {
  PATH="$(hack/tools/build.sh "$@"):$PATH"
  export PATH
}

install() {
  helm upgrade --install quorate charts/quorate --namespace "$system" --create-namespace \
    --set "image.repository=$OPERATOR_REPOSITORY" --set "image.tag=$VERSION" \
    --set "nodeImage.repository=$NODE_REPOSITORY" --set "nodeImage.tag=$VERSION" \
    --wait --timeout 3m --hide-notes >"$scratch/helm.log" 2>&1 || {
    cat "$scratch/helm.log" >&2
    kubectl -n "$system" get pods,events >&2 || true
    fail "the operator does not start"
  }
  kubectl -n "$system" get deployments
}

# await prints the RaftCluster's line whenever it changes.
await() {
  local line last='' deadline=$((SECONDS + patience))
  until k wait --for=condition=Available "raftcluster/$name" --timeout=1s >/dev/null 2>&1; do
    line=$(k get raftcluster "$name" --no-headers 2>/dev/null | awk '{$NF = ""; print}') || true
    if [ "$line" != "$last" ]; then
      say "   $line"
      last=$line
    fi
    if ((SECONDS > deadline)); then
      k get raftclusters,statefulsets,pods,pvc -o wide >&2 || true
      k get "raftcluster/$name" -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}' >&2 || true
      kubectl -n "$system" logs -l app.kubernetes.io/name=quorate --tail=5 2>&1 | cut -c1-600 >&2 || true
      fail "raftcluster/$name is not Available after $patience s: see above"
    fi
  done
}

# put_and_get takes any free port, so that a user's own port 2379 is left alone.
put_and_get() {
  local port='' wrote read deadline=$((SECONDS + 20))
  kubectl -n "$namespace" port-forward "service/$name" :2379 >"$scratch/forward.log" 2>&1 &
  forward=$!
  until port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$scratch/forward.log") && [ -n "$port" ]; do
    if ((SECONDS > deadline)) || ! kill -0 "$forward" 2>/dev/null; then
      fail "kubectl port-forward service/$name: $(cat "$scratch/forward.log")"
    fi
    sleep 0.1
  done
  wrote="hello from quorate, $(date -u +%T)"
  etcdctl --endpoints "127.0.0.1:$port" put greeting "$wrote" >/dev/null
  read=$(etcdctl --endpoints "127.0.0.1:$port" get greeting --print-value-only)
  [ "$read" = "$wrote" ] || fail "wrote \"$wrote\" and read \"$read\""
  say "   etcdctl put greeting, and get: \"$read\""
}

next() {
  local env=''
  [ "$QUORATE_CLUSTER" != devcluster ] || env="eval \"\$(hack/devcluster.sh env)\"; "
  cat <<TEXT

It runs. Three things to try next${env:+ (first: ${env%; })}:

  1. Kill the leader's pod and watch another member take over in a second or two:
       kubectl delete pod -l quorate.dev/cluster=$name,quorate.dev/member=\$(kubectl get raftcluster $name -o jsonpath='{.status.leader}' | sed 's/.*-//')
       kubectl get raftcluster $name --watch
  2. Use it as an etcd:
       kubectl port-forward service/$name 2379 &
       $(hack/tools/build.sh etcdctl)/etcdctl --endpoints localhost:2379 put k v
  3. See what it says about itself, and why:
       kubectl describe raftcluster $name

"make demo-down" removes it all.
TEXT
}

down() {
  if [ -f dist/cluster.env ]; then
    # shellcheck source=/dev/null
    . dist/cluster.env
  fi
  local target=${QUORATE_CLUSTER:-$(hack/cluster.sh where)}
  if [ "$target" = devcluster ]; then
    unset KUBECONFIG
    step "the devcluster" hack/devcluster.sh down
  else
    tools helm
    step "the RaftCluster and its volumes" k delete --ignore-not-found --wait -f "$sample"
    k delete pvc -l "quorate.dev/cluster=$name" --ignore-not-found
    step "the operator" helm uninstall quorate --namespace "$system" --ignore-not-found --wait
    kubectl delete namespace "$system" --ignore-not-found
    say "the CRD stays; kubectl delete crd raftclusters.quorate.dev removes it with every RaftCluster there is"
  fi
  rm -f dist/cluster.env dist/kind.kubeconfig
}

scratch=$(mktemp -d)
case ${1:-} in
  up) up ;;
  down) down ;;
  *)
    echo "hack/demo.sh: want up or down" >&2
    exit 2
    ;;
esac
