#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: real-gpu.sh --pack DIR          where the project builds: the program and the libraries that it needs, to be carried
#        real-gpu.sh DIR [REPORTDIR]     on a machine with an NVIDIA GPU and its driver, as root, with DIR: the trial
# `gn8v-tee status --json` against the real driver: every figure beside the one of nvidia-smi, which shares no code with ours; the verdict beside what
# this machine is. Needs bash, nvidia-smi and python3 there, and no compiler. A release file is put in place for the trial, and removed after it.
# Not one of run.sh's suites: it needs the GPU.
set -euo pipefail
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

pack() {
        local dir=$1 build file
        build=$(mktemp -d /tmp/real-gpu.XXXXXX)
        mkdir -p "$dir/lib"
        meson setup "$build" "$SOURCE" -Drepo=false -Dunit-tests=false -Dbuildtype=release > /dev/null
        ninja -C "$build" gn8v-tee > /dev/null
        cp "$build/gn8v-tee" "$dir/"
        # Not the C library: the other machine has its own, newer than what these ask for.
        ldd "$build/gn8v-tee" | awk '$2 == "=>" { print $3 }' | grep -Ev '/(libc|libm|libdl|libpthread|ld-linux[^/]*)\.so' | while read -r file; do cp -L "$file" "$dir/lib/"; done
        rm -rf "$build"
        echo "$dir: $(du -sm "$dir" | cut -f1) MB to carry"
}

if [ "${1:-}" = --pack ] && [ -n "${2:-}" ]; then
        pack "$(realpath -m "$2")"
        exit 0
fi
if [ -z "${1:-}" ]; then
        echo "ok - real-gpu # skip no DIR given: see the head of this file"
        exit 0
fi
DIR=$(realpath "$1") SCRATCH=$(mktemp -d /tmp/real-gpu.XXXXXX) PROGRAM=$DIR/gn8v-tee CONF=/usr/share/gn8v-tee/release.conf FAILED=0
REPORT=${2:-$SCRATCH/report}
mkdir -p "$REPORT"
trap 'rm -rf "$SCRATCH"; [ -z "${PLACED:-}" ] || { rm -f "$CONF"; rmdir "${CONF%/*}" 2> /dev/null || :; }' EXIT
pass() { echo "ok - real-gpu: $1"; }
fail() { echo "not ok - real-gpu: $1"; FAILED=1; }
command -v nvidia-smi > /dev/null || { echo "not ok - real-gpu: no nvidia-smi here"; exit 1; }
[ ! -e "$CONF" ] || { echo "not ok - real-gpu: $CONF exists: this is an instance, not a trial"; exit 1; }

# Where the driver's library is no folder of the loader's, it is the one that nvidia-smi uses: beside its program.
LIBRARIES=$DIR/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
if [[ $(ldconfig -p 2> /dev/null) != *libnvidia-ml.so.1* ]]; then
        library=$(find /usr/local/nvidia /usr/lib* /opt -name 'libnvidia-ml.so.1' 2> /dev/null | sort | sed -n 1p || :)
        [ -z "$library" ] || LIBRARIES+=:${library%/*}
fi
# The carried libraries are for this program alone.
NODE=$SCRATCH/node
wrapper() { printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$LIBRARIES" "$PROGRAM" > "$NODE" && chmod +x "$NODE"; }
wrapper
"$NODE" --version > "$SCRATCH/version" 2>&1 || { echo "not ok - real-gpu: the carried program does not run here: $(head -n 1 "$SCRATCH/version")"; exit 1; }
echo "# $(uname -r), $("$NODE" --version), driver $(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1), $(nvidia-smi -L | wc -l) GPU(s)"

# What the peer says, in its own words.
nvidia-smi -q -x > "$REPORT/nvidia-smi.xml"
nvidia-smi --version > "$REPORT/nvidia-smi-version.txt" 2>&1 || :
for question in -f -d -e -grs -mgm; do
        { echo "== nvidia-smi conf-compute $question"; nvidia-smi conf-compute $question 2>&1 || :; } >> "$REPORT/conf-compute.txt"
done
nvidia-smi --query-gpu=index,name,uuid,pci.bus_id,vbios_version,memory.total,persistence_mode,driver_version --format=csv,noheader,nounits > "$REPORT/query.csv"
if command -v lspci > /dev/null; then lspci -n -d 10de:; fi > "$REPORT/lspci.txt"

# A single-GPU release that pins the driver that is here: then what is wrong is what this machine is not.
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)
models=("$SOURCE"/repo/releases/single-*.conf)
mkdir -p "${CONF%/*}"
PLACED=yes
awk -v version="$driver" '/^\[/ { section = $0 } section == "[Artifact driver]" && /^Version=/ { $0 = "Version=" version } { print }' "${models[-1]}" > "$CONF"

began=$(date +%s%N)
rc=0
"$NODE" status --json > "$REPORT/status.json" 2> "$REPORT/status.err" || rc=$?
took=$((($(date +%s%N) - began) / 1000000))
"$NODE" status > "$REPORT/status.txt" 2>&1 || :
echo "# status --json: exit status $rc, $took ms"
if [ "$rc" = 3 ]; then pass "exit status 3: not as wanted"; else fail "exit status $rc, not 3"; fi
if [ "$took" -le 5000 ]; then pass "within 5 s"; else fail "$took ms"; fi
[ ! -s "$REPORT/status.err" ] || sed 's/^/# stderr: /' "$REPORT/status.err"

python3 - "$REPORT" << 'PYTHON' || FAILED=1
import csv, json, re, sys, xml.etree.ElementTree as tree
report = sys.argv[1]
status = json.load(open(report + "/status.json", encoding="utf-8"))
smi = tree.parse(report + "/nvidia-smi.xml").getroot()
query = [[cell.strip() for cell in row] for row in csv.reader(open(report + "/query.csv", encoding="utf-8")) if row]
words = open(report + "/conf-compute.txt", encoding="utf-8").read()
versions = open(report + "/nvidia-smi-version.txt", encoding="utf-8").read()
gpu, nvml = status["gpu"], status["gpu"]["nvml"]
bad = 0


def tell(good, what):
    global bad
    bad += not good
    print("%s - real-gpu: %s" % ("ok" if good else "not ok", what))


def same(name, ours, theirs):
    tell(ours == theirs, "%s: %r%s" % (name, ours, "" if ours == theirs else ", nvidia-smi says %r" % theirs))


def said(pattern):
    m = re.search(pattern, words, re.M | re.I)
    return m.group(1).strip() if m else None


if not nvml or nvml["outcome"] != "answered":
    tell(False, "NVML was not asked or did not answer: %s" % json.dumps({"not_asked": gpu["not_asked"], "nvml": nvml}))
    sys.exit(1)
same("driver version", nvml["driver"], smi.findtext("driver_version"))
same("CUDA version", nvml["cuda"], smi.findtext("cuda_version"))
theirs = re.search(r"^NVML version\s*:\s*(\S+)", versions, re.M)
if theirs:
    ours = nvml["library"].split(".", 1)[1]
    tell(ours == theirs.group(1) or ours.startswith(theirs.group(1) + "."), "NVML version: %s, nvidia-smi says %s" % (ours, theirs.group(1)))
same("GPUs counted", nvml["count"], int(smi.findtext("attached_gpus")))
same("GPUs described", len(nvml["gpus"]), len(smi.findall("gpu")))
for ours, x, row in zip(nvml["gpus"], smi.findall("gpu"), query):
    n = "GPU %d, " % ours["index"]
    same(n + "index", str(ours["index"]), row[0])
    same(n + "name", ours["name"], x.findtext("product_name"))
    same(n + "name (query)", ours["name"], row[1])
    same(n + "UUID", ours["uuid"], x.findtext("uuid"))
    same(n + "UUID (query)", ours["uuid"], row[2])
    same(n + "PCI address", ours["pci"], x.findtext("pci/pci_bus_id"))
    same(n + "PCI address (query)", ours["pci"], row[3])
    same(n + "VBIOS", ours["vbios"], x.findtext("vbios_version"))
    same(n + "VBIOS (query)", ours["vbios"], row[4])
    same(n + "memory", "%d MiB" % ours["memory_mib"], x.findtext("fb_memory_usage/total"))
    same(n + "memory (query)", str(ours["memory_mib"]), row[5])
    same(n + "persistence mode", {True: "Enabled", False: "Disabled", None: None}[ours["persistence"]], x.findtext("persistence_mode"))
    same(n + "persistence mode (query)", {True: "Enabled", False: "Disabled", None: None}[ours["persistence"]], row[6])
    theirs = x.findtext("cc_protected_memory_usage/total")
    if theirs and theirs != "N/A" and ours["protected_memory_mib"] is not None:
        same(n + "protected memory", "%d MiB" % ours["protected_memory_mib"], theirs)
    theirs = x.findtext("fabric/state")
    if theirs:
        names = {"not-supported": ("N/A", "Not Supported"), "not-started": ("Not Started",), "in-progress": ("In Progress",), "completed": ("Completed",), None: ("N/A",)}
        tell(theirs in names[ours["fabric_state"]], n + "fabric state: %r, nvidia-smi says %r" % (ours["fabric_state"], theirs))
    address = ours["pci"].lower()[4:]
    tell(gpu["bus_gpus"] is None or address in gpu["bus_gpus"], n + "is in the list of the bus: %s" % address)
    tell(not gpu["attached_gpus"] or address in gpu["attached_gpus"], n + "is in the list of the driver")
lines = [line for line in open(report + "/lspci.txt", encoding="utf-8") if re.search(r" 030[02]: ", line)]
if lines:
    same("GPUs on the bus (lspci)", len(gpu["bus_gpus"]), len(lines))

cc = nvml["confidential_computing"]
on_off = {True: "ON", False: "OFF", None: None}
for name, ours, pattern in (("CC feature", on_off[cc["feature"]], r"^CC status:\s*(\S+)"), ("devtools mode", on_off[cc["devtools"]], r"^DevTools Mode:\s*(\S+)"),
                            ("CC environment", cc["environment"], r"^CC Environment:\s*(\S+)"),
                            ("multi-GPU mode", {"none": "none", "protected-pcie": "protected pcie"}.get(cc["multi_gpu_mode"], cc["multi_gpu_mode"]), r"^Multi-GPU Mode:\s*(.+)"),
                            ("ready state", {True: "ready", False: "not-ready", None: None}[cc["ready"]], r"Ready state:\s*(\S+)")):
    theirs = said(pattern)
    if theirs is None or ours is None:
        print("# %s: ours %r; nvidia-smi says %r" % (name, ours, theirs))
    else:
        tell(str(ours).lower() == theirs.lower(), "%s: %r, nvidia-smi says %r" % (name, ours, theirs))
print("# failed calls: %s" % json.dumps(nvml["failed_calls"]))

rows = {row["name"]: row for row in status["rows"]}
tell(rows["NVML"]["state"] == "ok", "row NVML: %s" % json.dumps(rows["NVML"]))
row = rows.get("CC feature", {})
if cc["feature"] is not True:
    tell(row.get("state") == "fail" and row.get("found") in ("OFF", "not supported") and bool(row.get("next")), "row CC feature is a failure that says what to do: %s" % json.dumps(row))
silent = [row["name"] for row in status["rows"] if row["state"] != "ok" and not row["next"]]
tell(not silent, "every row that is not ok says what to do%s" % "".join(", but not " + name for name in silent))
tell(status["state"] == "fail" and bool(status["next"]), "one next action: %s" % status["next"])
sys.exit(bad > 0)
PYTHON

# shellcheck disable=SC2016  # the inner shell's words
# In a confidential virtual machine that cannot see persistenced, nothing may open a GPU: here one is played, by a CPU flag.
if sed 's/^flags\([^:]*\):/flags\1: tdx_guest/' /proc/cpuinfo > "$SCRATCH/cpuinfo" && grep -q tdx_guest "$SCRATCH/cpuinfo" &&
                unshare -m sh -c 'mount --bind "$1" /proc/cpuinfo' sh "$SCRATCH/cpuinfo" 2> /dev/null; then
        rc=0
        unshare -m sh -c 'mount --bind "$1" /proc/cpuinfo && shift && exec "$@"' sh "$SCRATCH/cpuinfo" "$NODE" status --json > "$REPORT/status-tdx.json" 2>&1 || rc=$?
        if python3 -c 'import json, sys; g = json.load(open(sys.argv[1]))["gpu"]; print("# " + str(g["not_asked"])); sys.exit(g["nvml"] is not None or not g["not_asked"])' \
                        "$REPORT/status-tdx.json"; then pass "a confidential machine without persistenced: NVML is not asked"; else fail "NVML was asked in a confidential machine without persistenced"; fi
else
        echo "ok - real-gpu: a confidential machine without persistenced # skip no mount namespaces here"
fi
echo "# ten more, in ms:$(for _ in 1 2 3 4 5 6 7 8 9 10; do a=$(date +%s%N); "$NODE" status -q || :; printf ' %d' $((($(date +%s%N) - a) / 1000000)); done)"
sed 's/^/# /' "$REPORT/status.txt"
exit $FAILED
