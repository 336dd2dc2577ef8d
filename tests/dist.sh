#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: dist.sh OUT.tar.gz    packs the sources as they stand in the work tree: same files, same bytes
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: dist.sh OUT.tar.gz}
top=$(basename "$out" .tar.gz)
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        list() { git ls-files -z --cached --others --exclude-standard; }
else
        list() { find . -path ./build -prune -o -type f -printf '%P\0'; }
fi
date=1735689600
mkdir -p "$(dirname "$out")"
# The man pages, made: a machine that builds from this needs no scdoc, which EL8 may lack.
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
made=()
if command -v scdoc >/dev/null; then
        mkdir -p "$pages/docs/man"
        for f in docs/man/*.scd; do
                SOURCE_DATE_EPOCH=$date scdoc <"$f" >"$pages/${f%.scd}"
                made+=("${f%.scd}")
        done
else
        echo "dist.sh: no scdoc here: $out is without man pages that are made" >&2
fi
list | while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done | LC_ALL=C sort -z |
        tar --null --no-recursion --transform "s|^|$top/|" --owner=0 --group=0 --numeric-owner \
            --mtime=@$date --mode=u+rwX,go+rX,go-w --format=ustar --create --files-from=- --directory="$pages" "${made[@]}" |
        gzip -n9 > "$out.tmp"
mv "$out.tmp" "$out"
