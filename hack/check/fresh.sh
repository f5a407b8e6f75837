#!/usr/bin/env bash
# hack/check/fresh.sh COMMAND...
#
# Runs the command and fails when it changed, made or removed a file that git
# would track. It compares before with after, not with the last commit: a tree with
# uncommitted work may be checked too.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"

# state: a line "HASH  PATH" for each file that git tracks or would offer to.
state() {
  git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' f; do [ ! -f "$f" ] || printf '%s\0' "$f"; done |
    sort -zu | xargs -0 sha256sum
}

before=$(state)
"$@"
after=$(state)
[ "$before" != "$after" ] || exit 0

echo 'These files were not as "make generate" makes them; they are now. Look at them and commit them:' >&2
diff <(echo "$before") <(echo "$after") | sed -n 's/^[<>] [0-9a-f]*  /  /p' | sort -u >&2 || true
exit 1
