#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gn8v-tee status on a machine with GPUs, played in a mount namespace: the driver's files in /proc and /sys, and a look-alike of its management library
# that answers, fails, hangs and crashes as it is told. What needs a systemd is in the booted tests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

. "$SOURCE/tests/e2e/gpu-machine.sh"
SINGLE=$(newest_conf single) MULTI=$(newest_conf multi)

# look [ENV...]: status on the machine that $RELEASE, $MODULE, $FLAG and the counts describe, as JSON; within five seconds.
look() {
        local began=${EPOCHREALTIME/./} took rc=0
        machine "$RELEASE" "${MODULE:-$(driver_of "$RELEASE")}" "${GPUS:-1}" "${NVSWITCHES:-0}" "${FLAG:-sse}" "$@" "$NODE" status --json > "$SCRATCH/status" || rc=$?
        took=$(((${EPOCHREALTIME/./} - began) / 1000))
        [ "$rc" -le 4 ] || die "exit status $rc: $(cat "$SCRATCH/stderr")"
        [ ! -s "$SCRATCH/stderr" ] || die "on standard error: $(cat "$SCRATCH/stderr")"
        [ "$took" -le 5500 ] || die "$took ms" # with the namespace, and under sanitizers
}
# is PYTHON: an expression over s (the document), n (what NVML said) and row(NAME): (state, found)
is() {
        python3 - "$SCRATCH/status" "$1" <<'PYTHON' || die "not so: $1"
import json, sys
s = json.load(open(sys.argv[1], encoding="utf-8"))
n = s["gpu"]["nvml"]
rows = {r["name"]: r for r in s["rows"]}
for r in s["rows"]:
    assert r["group"] != "gpu" or r["state"] == "ok" or r["next"], r
def row(name):
    return (rows[name]["state"], rows[name]["found"]) if name in rows else None
if not eval(sys.argv[2]):
    print(json.dumps([r for r in s["rows"] if r["group"] == "gpu"] + [s["gpu"]], indent=1))
    sys.exit(1)
PYTHON
}

RELEASE=$SINGLE
every_figure() {
        library name="NVIDIA A" vbios=9.8.7 memory=1234 ready=1
        look
        is 'n["outcome"] == "answered" and n["count"] == 1 and n["cuda"] == "12.8" and n["driver"] == s["gpu"]["module"] and n["failed_calls"] == []'
        is '{k: n["gpus"][0][k] for k in ("index", "name", "pci", "vbios", "memory_mib", "persistence", "fabric_state")} == {"index": 0, "name": "NVIDIA A",
            "pci": "00000000:10:00.0", "vbios": "9.8.7", "memory_mib": 1234, "persistence": True, "fabric_state": "not-supported"}'
        is 'n["confidential_computing"] == {"feature": True, "devtools": False, "environment": "production", "multi_gpu_mode": "none", "ready": True, "cpu": "intel-tdx", "capable": True, "supported": True}'
        is 's["gpu"]["bus_gpus"] == ["0000:10:00.0"] == s["gpu"]["attached_gpus"] and s["gpu"]["bus_nvswitches"] == [] and s["gpu"]["not_asked"] is None'
        is 'all(r["state"] == "ok" for r in s["rows"] if r["group"] == "gpu") and row("CC feature") == ("ok", "ON") and row("ready state") == ("ok", "ready")'
        [ "$(wc -l < "$SCRATCH/opened")" = 1 ]
}
eight() {
        RELEASE=$MULTI GPUS=8 NVSWITCHES=4
        library gpus=8 feature=0 multi=1 fabric=3
        look
        is 'all(r["state"] == "ok" for r in s["rows"] if r["group"] == "gpu") and row("CC feature") == ("ok", "OFF") and row("multi-GPU mode") == ("ok", "Protected PCIe")'
        is 'row("NVLink fabric") == ("ok", "completed") and row("NVSwitches on the bus") == ("ok", "4") and len(n["gpus"]) == 8'
        library gpus=7 feature=0 multi=0 fabric=3 fabric.2=2 persistence.1=0
        GPUS=7 NVSWITCHES=3
        look
        is 'row("multi-GPU mode") == ("fail", "none") and row("NVLink fabric")[0] == "pending" and row("persistence mode")[0] == "fail"'
        is '[row(r)[0] for r in ("GPUs on the bus", "NVSwitches on the bus", "GPUs", "GPUs of NVML")] == ["fail"] * 4'
}
confidential_computing_off() {
        library feature=0
        look
        is 'row("CC feature") == ("fail", "OFF") and "instance of type" in rows["CC feature"]["next"]'
        library feature=1 devtools=1 ready=0
        look
        is 'row("devtools mode") == ("fail", "ON") and row("ready state") == ("fail", "not ready")'
}
fails() { # LINE STATE WORDS
        library "$1"
        look
        is "row('NVML')[0] == '$2' and '$3' in row('NVML')[1]"
}
another_driver() {
        library nvmlInit=18
        MODULE=1.2.3
        look
        is 'row("NVML")[0] == "pending" and "mismatch" in row("NVML")[1] and rows["NVML"]["next"] == "reboot"'
}
no_library() {
        library
        echo nonsense > "$SCRATCH/lib/libnvidia-ml.so.1"
        look
        is 'row("NVML")[0] == "fail" and n["outcome"] == "no library" and "reinstall" in rows["NVML"]["next"]'
}
one_gpu_lost() {
        RELEASE=$MULTI GPUS=8 NVSWITCHES=4
        library gpus=8 feature=0 multi=1 fabric=3 nvmlDeviceGetHandleByIndex.5=15
        look
        is 'row("GPU 5") == ("fail", "nvmlDeviceGetHandleByIndex: GPU is lost (15)") and n["gpus"][6]["uuid"] and not n["gpus"][5]["uuid"]'
}
# Without persistenced nobody may open a GPU of a confidential machine: the library is not even loaded.
never_first() {
        local trace=$SCRATCH/trace
        library
        FLAG=tdx_guest
        look
        is 'n is None and "nvidia-persistenced" in s["gpu"]["not_asked"] and row("NVML")[0] == "unknown"'
        look ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=file -o "$trace"
        grep -q 'openat(' "$trace"
        ! grep -E 'open(at)?\(' "$trace" | grep -E 'libnvidia-ml|nvidia[0-9]|nvidiactl' | grep -v O_PATH || die "opened" # O_PATH asks no driver
        [ ! -e "$SCRATCH/opened" ]
        # Nor by attest, however its options are written.
        for words in "" run collect "--nonce $(printf '0%.0s' {1..64})" "--json --policy x" "-q --set-ready" "--rim-dir=x"; do
                # shellcheck disable=SC2086
                expect 4 machine "$RELEASE" "$(driver_of "$RELEASE")" 1 0 tdx_guest "$NODE" attest $words
                [ ! -e "$SCRATCH/opened" ]
        done
}
unprivileged() {
        library
        chmod 755 "$SCRATCH" "$SCRATCH/lib"
        rm -f "$SCRATCH/opened"
        look setpriv --reuid=65534 --regid=65534 --clear-groups env LD_LIBRARY_PATH="$SCRATCH/lib"
        is 'n["outcome"] == "answered" and row("CC feature") == ("ok", "ON")'
}
nothing_left() {
        library hang=nvmlInit
        look
        is 'n["outcome"] == "hung"'
        for child in $(pgrep -f 'nvml-query$'); do
                [ "$(readlink "/proc/$child/exe")" != "$NODE" ] || die "the child is still there"
        done
}

if ! can_play; then
        skip "$SUITE" "needs root and mount namespaces"
        exit 0
fi
scenario "every figure of one GPU" every_figure
scenario "eight GPUs in Protected PCIe mode" eight
scenario "confidential computing off, devtools on, not ready" confidential_computing_off
scenario "the library hangs" nothing_left
scenario "the library hangs at a GPU" fails hang=nvmlDeviceGetUUID fail "no answer within"
scenario "the library crashes" fails crash=nvmlDeviceGetName fail "crashed in nvmlDeviceGetName"
scenario "the library exits" fails exit=nvmlInit fail "ended without an answer"
scenario "the library prints" fails print=nvmlDeviceGetName ok ""
scenario "Unknown Error" fails nvmlInit=999 fail "Unknown Error (999)"
scenario "no permission" fails nvmlInit=4 unknown "Insufficient Permissions"
scenario "another driver is loaded" another_driver
scenario "no library" no_library
scenario "one of eight GPUs is lost" one_gpu_lost
scenario "never the first to open a GPU" never_first
scenario "unprivileged" unprivileged
finish
