#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers and runs each for $FUZZ_SECONDS (default 10), one a processor, on its seeds: tests/data/fuzz/NAME/ and what the project ships.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${GN8V_BUILD:-build}/fuzz
export build seconds=${FUZZ_SECONDS:-10} UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
[ -f "$build/build.ninja" ] || CC=clang meson setup "$build" -Dfuzz=true -Dunit-tests=false -Db_lundef=false -Db_sanitize=address,undefined \
        -Ddebug=false -Dc_args='-fsanitize=fuzzer-no-link -gline-tables-only' > /dev/null
# The fuzzers alone: the programs beside them are a fifth of all there is to be compiled.
mapfile -t targets < <(for source in tests/fuzz/fuzz_*.c; do echo "tests/fuzz/$(basename "$source" .c)"; done)
ninja -C "$build" "${targets[@]}" > "$build/ninja.log" || { tail -20 "$build/ninja.log"; exit 1; }

one() {
        local name=$1 corpus=$build/corpus/$1
        mkdir -p "$corpus"
        cp -n tests/data/fuzz/"$name"/* "$corpus"/ 2>/dev/null || :
        [ "$name" != release ] || cp repo/releases/*.conf "$corpus"/
        [ "$name" != diagnoses ] || cp src/node/diagnoses.conf "$corpus"/
        if "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -artifact_prefix="$build/$name-" \
                -print_final_stats=1 "$corpus" > "$build/$name.log" 2>&1; then
                echo "ok - fuzz: $name ($(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log") inputs)"
        else
                echo "not ok - fuzz: $name: log $build/$name.log"
                return 1
        fi
}
export -f one
for source in tests/fuzz/fuzz_*.c; do
        name=$(basename "$source" .c)
        echo "${name#fuzz_}"
done | xargs -P "$(nproc)" -I{} bash -c 'one {}'
