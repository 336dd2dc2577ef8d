#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every single bit, and every length, of a report and of a manifest of the size that NVIDIA's have: its own where they are at hand, else simulated ones.
# GN8V_FLIPS=all: all of NVIDIA's, and the simulated ones.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
FLIPS=$BUILD/tests/attest-flips VECTORS=${GN8V_VECTORS:-$SOURCE/../shared/vectors} SIM=$SCRATCH/sim

need_vectors() { [ -d "$VECTORS" ] || skip_scenario "no vectors (GN8V_VECTORS)"; }
none_passes() { # KIND FILE...
        expect 0 "$FLIPS" "$@"
        if grep -q -v ' 0 accepted; [0-9]* lengths, 0 accepted$' "$SCRATCH/output"; then die "something passed"; fi
}

report() {
        need_vectors
        none_passes report "$VECTORS"/gpu-h100-550.90.07/{chain.pem,report.hex}
}
manifest() {
        need_vectors
        none_passes rim "$VECTORS"/gpu-h100-550.90.07/NV_GPU_DRIVER_*.xml
}
all() {
        local set
        need_vectors
        for set in gpu-h100-545.00 switch-ls10-96.10.55; do
                none_passes report "$VECTORS/$set"/{chain.pem,report.hex}
                none_passes rim "$VECTORS/$set"/*.xml
        done
}
simulated() {
        if [ -d "$VECTORS" ] && [ -z "${GN8V_FLIPS:-}" ]; then skip_scenario "NVIDIA's own are at hand (GN8V_FLIPS=all)"; fi
        "$BUILD/tests/attest-sim" "$SIM" 1 1
        none_passes report "$SIM"/devices/gpu-0.{chain,report}
        none_passes report "$SIM"/devices/switch-0.{chain,report}
        none_passes rim "$SIM"/rims/NV_GPU_DRIVER_*.xml
}
# The tool itself: what is not right before anything is flipped, and a bit that nobody signed, are told.
tells() {
        "$BUILD/tests/attest-sim" "$SCRATCH/told" 1 0
        sed -i 's/Made Corporation/Nade Corporation/' "$SCRATCH"/told/rims/NV_GPU_DRIVER_*.xml
        expect 2 "$FLIPS" rim "$SCRATCH"/told/rims/NV_GPU_DRIVER_*.xml
        sed 's/<ds:KeyInfo>/<ds:KeyInfo >/; s/Nade Corporation/Made Corporation/; 1s/^/<?xml version="1.0" encoding="utf-8"?>/' \
                "$SCRATCH"/told/rims/NV_GPU_DRIVER_*.xml > "$SCRATCH/declared.xml"
        expect 1 "$FLIPS" rim "$SCRATCH/declared.xml"
        said 'does not matter'
}

[ -x "$FLIPS" ] || { skip "$SUITE" "not built"; exit 0; }
scenario report report
scenario manifest manifest
scenario simulated simulated
if [ -n "${GN8V_FLIPS:-}" ]; then
        scenario tells tells
        scenario all all
fi
finish
