#!/usr/bin/env bash
# hack/images/build.sh: builds the static binaries quorate-operator and quorate-node and
# packs each into dist/NAME.tar, an image archive that ctr, kind and docker load.
# VERSION chooses the version and the tag (default: hack/version.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=${VERSION:-$(hack/version.sh)}
registry=ghcr.io/quorate
out=dist
start=$SECONDS

say() { printf '[%3ds] %s\n' $((SECONDS - start)) "$*" >&2; }

export CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOFLAGS=-buildvcs=false
mkdir -p "$out/bin"

say "building quorate-operator and quorate-node $version (about 2 min the first time)"
ldflags="-s -w -X github.com/quorate/quorate/node/server.Version=$version -X main.version=$version"
go build -trimpath -ldflags "$ldflags" -o "$out/bin/quorate-operator" .
go build -trimpath -ldflags "$ldflags" -o "$out/bin/quorate-node" ./node
(cd hack/images && go build -trimpath -ldflags '-s -w' -o "../../$out/bin/images" .)

# pack NAME DESCRIPTION
pack() {
  "$out/bin/images" -out "$out/$1.tar" -name "$registry/$1:$version" -entrypoint "/$1" \
    -label "org.opencontainers.image.title=$1" \
    -label "org.opencontainers.image.description=$2" \
    -label org.opencontainers.image.source=https://github.com/quorate/quorate \
    -label org.opencontainers.image.licenses=Apache-2.0 \
    -label "org.opencontainers.image.version=$version" \
    -label "org.opencontainers.image.revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    "$out/bin/$1=/$1"
  say "packed $out/$1.tar: $registry/$1:$version, $(du -h "$out/$1.tar" | cut -f1)"
}

pack quorate-operator "Hosts Raft clusters on Kubernetes"
pack quorate-node "One member of a Raft cluster, a key-value store with the etcd v3 API"
