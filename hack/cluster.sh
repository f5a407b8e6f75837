#!/usr/bin/env bash
# hack/cluster.sh ready|down|where
#
# Gets a cluster that has the images of this tree, for "make demo" and "make e2e":
#   1. the one that KUBECONFIG names, if it is set;
#   2. else a kind cluster, if kind is installed and has one (KIND_CLUSTER chooses);
#   3. else the devcluster, which is brought up on this machine.
# "ready" writes what a script needs of it into dist/cluster.env; "down" takes down a
# devcluster and leaves any other cluster alone; "where" says which one it would be.
#
# Images: a kind cluster and the devcluster get them loaded. For another cluster say where
# its nodes find them, one of
#   QUORATE_REGISTRY=registry.example.com/team   they are pushed there (docker login's credentials)
#   OPERATOR_IMAGE=... NODE_IMAGE=...            they are there already
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=${QUORATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate}
own_kubeconfig=$cache/devcluster/clusters/${DEVCLUSTER_NAME:-default}/kubeconfig

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "hack/cluster.sh: $*"
  exit 1
}

# where prints devcluster, kind:NAME or given.
where() {
  local context clusters
  if [ -n "${KUBECONFIG:-}" ] && [ "$KUBECONFIG" != "$own_kubeconfig" ]; then
    context=$(kubectl config current-context 2>/dev/null) ||
      fail "KUBECONFIG is $KUBECONFIG, but kubectl is not installed or finds no current context there"
    if [[ $context == kind-* ]] && command -v kind >/dev/null; then
      echo "kind:${context#kind-}"
    else
      echo given
    fi
  elif [ -z "${KUBECONFIG:-}" ] && command -v kind >/dev/null &&
    clusters=$(kind get clusters 2>/dev/null) && [ -n "$clusters" ]; then
    echo "kind:${KIND_CLUSTER:-${clusters%%$'\n'*}}"
  else
    echo devcluster
  fi
}

# repository IMAGE and tag IMAGE: its two halves; a port in the registry's name is no tag.
repository() { echo "${1%:*}"; }
tag() {
  case ${1##*/} in
    *:*) echo "${1##*:}" ;;
    *) fail "$1 has no tag: give it one, as in $1:v1" ;;
  esac
}

ready() {
  local target operator node version
  target=$(where)
  # An image that is there already need not be built: its tag is the version.
  if [ "$target" = given ] && [ -z "${QUORATE_REGISTRY:-}" ]; then
    if [ -z "${OPERATOR_IMAGE:-}" ] || [ -z "${NODE_IMAGE:-}" ]; then
      fail "the nodes of the cluster in KUBECONFIG must find the images: set QUORATE_REGISTRY to a registry that you may push to and they may pull from, or OPERATOR_IMAGE and NODE_IMAGE to images that are there, or unset KUBECONFIG to use a cluster on this machine"
    fi
    operator=$OPERATOR_IMAGE node=$NODE_IMAGE version=$(tag "$OPERATOR_IMAGE")
    [ "$(tag "$node")" = "$version" ] || fail "$operator and $node must have the same tag"
  else
    version=${VERSION:-$(hack/version.sh)}
    VERSION=$version hack/images/build.sh
    operator=ghcr.io/quorate/quorate-operator:$version node=ghcr.io/quorate/quorate-node:$version
  fi
  case $target in
    devcluster)
      hack/devcluster.sh up
      hack/devcluster.sh load dist/quorate-operator.tar dist/quorate-node.tar
      export KUBECONFIG=$own_kubeconfig PATH=$cache/devcluster/bin:$PATH
      ;;
    kind:*) load_kind "${target#kind:}" ;;
    given)
      if [ -n "${QUORATE_REGISTRY:-}" ]; then
        operator=$QUORATE_REGISTRY/quorate-operator:$version node=$QUORATE_REGISTRY/quorate-node:$version
        dist/bin/images -push "$operator" dist/quorate-operator.tar
        dist/bin/images -push "$node" dist/quorate-node.tar
      fi
      ;;
  esac
  kubectl version -o json >/dev/null || fail "the cluster in $KUBECONFIG does not answer"
  write_env "$target" "$version" "$operator" "$node"
}

load_kind() {
  local archive
  for archive in dist/quorate-operator.tar dist/quorate-node.tar; do
    kind load image-archive --name "$1" "$archive"
  done
  if [ -z "${KUBECONFIG:-}" ]; then
    export KUBECONFIG=$PWD/dist/kind.kubeconfig
    (umask 077 && kind get kubeconfig --name "$1" >"$KUBECONFIG")
  fi
}

# write_env TARGET VERSION OPERATOR NODE
write_env() {
  mkdir -p dist
  printf 'export %s=%q\n' \
    KUBECONFIG "$KUBECONFIG" \
    PATH "$PATH" \
    QUORATE_CLUSTER "$1" \
    VERSION "$2" \
    OPERATOR_REPOSITORY "$(repository "$3")" \
    NODE_REPOSITORY "$(repository "$4")" >dist/cluster.env
}

case ${1:-} in
  ready) ready ;;
  where) where ;;
  down)
    rm -f dist/cluster.env dist/kind.kubeconfig
    [ "$(where)" != devcluster ] || hack/devcluster.sh down
    ;;
  *) fail "want ready, down or where" ;;
esac
