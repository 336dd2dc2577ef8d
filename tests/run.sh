#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh DIST.tar.gz
# Every test: unit tests (those of the sanitized build), style, end to end. The last line is "N passed, N failed", with ", N skipped" if any was.
# GN8V_ONLY=PATTERN: only scenarios named so; GN8V_SUITES="install attack": only these scripts.
set -euo pipefail
cd "$(dirname "$0")/.."
GN8V_DIST=$(realpath "${1:?usage: run.sh DIST.tar.gz}")
export GN8V_DIST
build=$(realpath -m "${GN8V_BUILD:-build}")
export GN8V_BUILD=$build
sanitized=$build/sanitize
mkdir -p "$build/logs"
results=$build/logs/results
: > "$results"

# A script's own lines, as they come; one that dies without a word is a failure.
run_script() {
        local name=$1 rc=0 started=$SECONDS own=$build/logs/$1.results
        shift
        : > "$own"
        { TIMEFORMAT='%U %S'; time "$@" 2>"$build/logs/$name.err" | tee -a "$own" || rc=$?; } 2>"$build/logs/$name.cpu"
        if [ $rc != 0 ] && ! grep -q '^not ok' "$own"; then
                echo "not ok - $name: exit status $rc" | tee -a "$own"
        fi
        cat "$own" >> "$results"
        if [ $rc != 0 ]; then cat "$build/logs/$name.err" >&2; fi
        echo "# $name: $((SECONDS - started)) s, $(awk '{ printf "%d", $1 + $2 }' "$build/logs/$name.cpu") s of a processor" >&2
}

unit() {
        local rc=0
        meson test -C "$sanitized" --suite unit --no-rebuild --print-errorlogs > "$build/logs/unit.log" 2>&1 || rc=$?
        # One line a test program.
        sed -n 's/^ *[0-9]*\/[0-9]* \(.*:\)\{0,1\} *\([^ ]*\) *\(OK\|FAIL\|TIMEOUT\|ERROR\|SKIP\|UNEXPECTEDPASS\) .*/\3 \2/p' "$build/logs/unit.log" |
                while read -r verdict name; do
                        case $verdict in
                        OK) echo "ok - unit: $name" ;;
                        SKIP) echo "ok - unit: $name # skip" ;;
                        *) echo "not ok - unit: $name: $verdict" ;;
                        esac
                done
        [ $rc = 0 ] || { tail -n 80 "$build/logs/unit.log" >&2; return $rc; }
}

suites=${GN8V_SUITES:-}
wanted() { [ -z "$suites" ] || [[ " $suites " == *" $1 "* ]]; }

if wanted unit && [ -e "$sanitized/build.ninja" ]; then run_script unit unit; fi
fuzz_and_style() {
        local script name
        if wanted fuzz; then FUZZ_SECONDS=${FUZZ_SECONDS:-3} run_script fuzz tests/fuzz/run.sh; fi
        for script in tests/style/*; do
                name=style-$(basename "$script")
                if [ -x "$script" ] && wanted "$name"; then run_script "$name" "$script"; fi
        done
}
# Executable ones are tests; the others are sourced by these. Those with "real" in their name need something that is not here.
# Two rows side by side: those that share the cached root and workspace, and those that have everything of their own.
row() { # shared|own
        local script name kind
        for script in tests/e2e/*.sh; do
                name=$(basename "$script" .sh)
                if [ ! -x "$script" ] || [[ $name == real-* ]] || ! wanted "$name"; then continue; fi
                kind=own
                if grep -q '/root\.sh"$' "$script"; then kind=shared; fi
                if [ "$1" = $kind ]; then run_script "$name" "$script"; fi
        done
}
# Each in a shell of its own, so that one's time is not taken for another's.
row shared &
{ fuzz_and_style; row own; } &
wait

skipped=$(grep -c '^ok .*# skip' "$results" || :)
passed=$(($(grep -c '^ok ' "$results" || :) - skipped))
failed=$(grep -c '^not ok ' "$results" || :)
grep '^not ok ' "$results" || :
summary="$passed passed, $failed failed"
[ "$skipped" = 0 ] || summary+=", $skipped skipped"
echo "$summary"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
