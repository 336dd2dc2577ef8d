#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers and runs each for $FUZZ_SECONDS (default 10) on its seeds: tests/data/fuzz/NAME/ and what the project ships.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${GN8V_BUILD:-build}/fuzz
seconds=${FUZZ_SECONDS:-10}
failed=0
[ -f "$build/build.ninja" ] || CC=clang meson setup "$build" -Dfuzz=true -Dunit-tests=false -Db_lundef=false -Db_sanitize=address,undefined \
        -Dc_args=-fsanitize=fuzzer-no-link > /dev/null
ninja -C "$build" > "$build/ninja.log" || { tail -20 "$build/ninja.log"; exit 1; }
for source in tests/fuzz/fuzz_*.c; do
        name=$(basename "$source" .c) name=${name#fuzz_}
        corpus=$build/corpus/$name
        mkdir -p "$corpus"
        cp -n tests/data/fuzz/"$name"/* "$corpus"/ 2>/dev/null || :
        [ "$name" != release ] || cp repo/releases/*.conf "$corpus"/
        program=$(find "$build" -maxdepth 3 -name "fuzz_$name" -type f -perm -u+x | head -1)
        if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -artifact_prefix="$build/$name-" \
                -print_final_stats=1 "$corpus" > "$build/$name.log" 2>&1; then
                echo "ok - fuzz: $name ($(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log") inputs)"
        else
                echo "not ok - fuzz: $name: log $build/$name.log"
                failed=1
        fi
done
exit $failed
