#!/usr/bin/env bash
# hack/tools/build.sh NAME...
#
# Builds the named tools at the versions that hack/tools/NAME/go.mod pins and
# prints the directory that holds them, alone on standard output:
#
#   PATH="$(hack/tools/build.sh helm etcdctl):$PATH"
#
# A tool is built again only when its go.mod, its go.sum, the Go release or this
# script changes; otherwise a call takes a few hundredths of a second. Several
# calls may run at once.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${QUORATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate}/bin

fail() {
  printf 'hack/tools/build.sh: %s\n' "$*" >&2
  exit 1
}

# ldflags NAME VERSION: what the tool's own release build would set. Without it a
# tool reports "(devel)": controller-gen would write that into every CRD, and
# Helm would fail the version checks of charts.
ldflags() {
  local x=
  case $1 in
    helm) x="-X helm.sh/helm/v4/internal/version.version=$2" ;;
    controller-gen) x="-X sigs.k8s.io/controller-tools/pkg/version.version=$2" ;;
    golangci-lint) x="-X main.version=${2#v} -X main.date=pinned" ;;
    kustomize) x="-X sigs.k8s.io/kustomize/api/provenance.version=$2" ;;
  esac
  echo "-s -w $x"
}

# pinned NAME PACKAGE: the version of the module that holds the package.
pinned() {
  (cd "$here/$1" && go list -f '{{.Module.Version}}' "$2")
}

build() {
  local name=$1 dir=$here/$1 package version key out=$bin/$1 start=$SECONDS
  [ -f "$dir/go.mod" ] || fail "there is no tool named $name; there are: $(list)"
  key=$(cat "$dir/go.mod" "$dir/go.sum" "$here/build.sh" <(cd / && go version) | sha256sum | cut -c1-16)
  [ -x "$out-$key" ] && [ "$(readlink "$out")" = "$name-$key" ] && return
  mkdir -p "$bin"
  exec 9>"$bin/.$name.lock"
  flock 9
  if [ ! -x "$out-$key" ]; then
    package=$(awk '$1 == "tool" {print $2}' "$dir/go.mod")
    version=$(pinned "$name" "$package")
    printf '[  0s] building %s %s (from its module; %s)\n' "$name" "$version" "$(expected "$name")" >&2
    (cd "$dir" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false nice -n 5 go build -trimpath \
      -ldflags "$(ldflags "$name" "$version")" -o "$out-$key.new" "$package") ||
      fail "cannot build $name $version: see the messages above"
    rm -f "$out"-????????????????
    mv "$out-$key.new" "$out-$key"
    printf '[%3ds] built %s %s\n' $((SECONDS - start)) "$name" "$version" >&2
  fi
  ln -sfn "$name-$key" "$out"
  exec 9>&-
}

# expected NAME: how long a first build takes on two cores.
expected() {
  case $1 in
    helm | golangci-lint) echo 'about 2 min the first time' ;;
    *) echo 'under a minute the first time' ;;
  esac
}

list() {
  (cd "$here" && printf '%s ' */ | tr -d /)
}

[ $# -gt 0 ] || fail "name the tools to build: $(list)"
for name in "$@"; do build "$name"; done
echo "$bin"
