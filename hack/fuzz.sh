#!/usr/bin/env bash
# hack/fuzz.sh [TARGET...]
#
# Fuzzes every target of the module (or those named, such as FuzzStep), one after the
# other, FUZZTIME each (default 1m), FUZZJOBS (default 1) at a time with one worker each.
# What each prints is kept in dist/fuzz; a finding is left in the package's testdata/fuzz,
# where "go test" runs it from then on. Ends with a table, and with 1 when there was a finding.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${FUZZTIME:-1m}
jobs=${FUZZJOBS:-1}
logs=dist/fuzz
mkdir -p "$logs"
rm -f "$logs"/*.log "$logs"/*.result

# targets: a line "PACKAGE NAME" for each fuzz target.
targets() {
  git ls-files -co --exclude-standard -- '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]*' |
    sed -E 's|^(.*)/[^/]*:func (.*)$|./\1 \2|' | sort
}

# fuzz PACKAGE NAME: runs one target and leaves its line of the table.
fuzz() {
  local log=$logs/$2.log result=passed last
  if ! GOMAXPROCS=1 go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -parallel 1 "$1" >"$log" 2>&1; then
    # At the end of its time the fuzzer may cut its own worker off, which is no finding.
    if ! grep -q 'Failing input written' "$log" && grep -q 'context deadline exceeded' "$log"; then
      result='passed (cut off)'
    else
      result=FAILED
    fi
  fi
  last=$(grep -oE 'execs: [0-9]+ .*' "$log" | tail -n 1 | sed -E 's/ \([0-9]+\/sec\)//' || true)
  printf '%-28s %-36s %-18s %s\n' "$2" "$1" "$result" "$last" | tee "$logs/$2.result"
}

mapfile -t all < <(targets)
chosen=()
for t in "${all[@]}"; do
  [ $# -gt 0 ] && [[ " $* " != *" ${t#* } "* ]] && continue
  chosen+=("$t")
done
[ ${#chosen[@]} -gt 0 ] || { echo "there is no such fuzz target; there are:" >&2; printf '  %s\n' "${all[@]#* }" >&2; exit 2; }

echo "fuzzing ${#chosen[@]} targets, $time each, $jobs at a time; logs are in $logs"
n=0
for t in "${chosen[@]}"; do
  n=$((n + 1))
  while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do wait -n || true; done
  echo "[$n/${#chosen[@]}] $(date +%H:%M:%S) ${t#* }"
  fuzz "${t% *}" "${t#* }" &
done
wait

echo
sort "$logs"/*.result
mapfile -t failed < <(grep -l ' FAILED ' "$logs"/*.result || true)
echo "${#chosen[@]} targets, ${#failed[@]} with findings"
for f in "${failed[@]}"; do
  echo "--- ${f%.result}.log"
  grep -v '^fuzz: elapsed' "${f%.result}.log" | tail -n 40
done
[ ${#failed[@]} -eq 0 ]
