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
mkdir -p "$(dirname "$out")"
list | while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done | LC_ALL=C sort -z |
        tar --null --no-recursion --files-from=- --transform "s|^|$top/|" --owner=0 --group=0 --numeric-owner \
            --mtime=@1735689600 --mode=u+rwX,go+rX,go-w --format=ustar --create | gzip -n9 > "$out.tmp"
mv "$out.tmp" "$out"
