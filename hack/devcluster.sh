#!/usr/bin/env bash
# hack/devcluster.sh COMMAND...: builds the devcluster program, when its sources changed,
# and runs it. hack/devcluster/README.md tells what it does.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${QUORATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate}/bin
command -v go >/dev/null || {
  echo "hack/devcluster.sh: go is needed to build the devcluster; see CONTRIBUTING.md" >&2
  exit 1
}
mkdir -p "$bin"
# go build does nothing when the program is up to date. Two calls at once must not write it both.
(
  flock 9
  cd "$root" && CGO_ENABLED=0 go build -buildvcs=false -trimpath -o "$bin/devcluster" ./hack/devcluster
) 9>"$bin/.devcluster.lock"
DEVCLUSTER_SOURCE=$root/hack/devcluster exec "$bin/devcluster" "$@"
