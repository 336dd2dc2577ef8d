#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: bash rpmlint.sh PACKAGE.rpm...    that rpmlint, with the project's rpmlint.toml, finds no error in these packages. No test of its own: build.sh calls it.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { echo "usage: $0 PACKAGE.rpm..." >&2; exit 2; }
command -v rpmlint > /dev/null || { echo "skipped: no rpmlint"; exit 77; }
out=$(rpmlint -c rpmlint.toml "$@" 2>&1) || :
# The last line counts; without one, rpmlint itself has failed.
if ! grep -q ' packages\? and .* checked; 0 errors' <<< "$out"; then
        grep -e ' E: ' -e ' checked; ' <<< "$out" || echo "$out"
        exit 1
fi
grep ' checked; ' <<< "$out"
