#!/usr/bin/env bash
# Prints the version of what is in this tree: the tag, when a commit has one; otherwise
# v0.1.0-dev and the commit, and then a digest of what was changed since. Images are
# tagged with it, so that a pod never runs an older build under the same name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

base=v0.1.0-dev
if ! git rev-parse --git-dir >/dev/null 2>&1; then
  echo "$base"
  exit
fi
sources=(-- '*.go' go.mod go.sum hack/images)
changes=$({
  git diff HEAD "${sources[@]}"
  git ls-files -o --exclude-standard -z "${sources[@]}" | xargs -0 -r cat
} | sha256sum | cut -c1-8)
unchanged=$(printf '' | sha256sum | cut -c1-8)

if [ "$changes" = "$unchanged" ] && tag=$(git describe --tags --exact-match 2>/dev/null); then
  echo "$tag"
  exit
fi
version=$base.$(git rev-parse --short=8 HEAD)
[ "$changes" = "$unchanged" ] || version+=.$changes
echo "$version"
