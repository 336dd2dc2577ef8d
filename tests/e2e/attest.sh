#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gn8v-tee-attest on a simulated system of 8 GPUs and 4 switches, with the roots of the simulation; and with NVIDIA's data where that is at hand.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# The program as it is shipped, and the same with the simulation's roots.
SHIPPED=$BUILD/gn8v-tee-attest ATTEST=$BUILD/tests/gn8v-tee-attest-sim SIM=$SCRATCH/sim
WHEN=2025-06-15T15:06:40Z
export GN8V_SIM_ROOTS=$SIM/roots

all=("$SIM"/gpu_evidence.json "$SIM"/switch_evidence.json)
judge() { # STATUS OPTION...
        local wanted=$1
        shift
        expect "$wanted" "$ATTEST" verify --at "$WHEN" --rim-dir "$SIM/rims" "$@"
}
document() { # OPTION...: what is on standard output, and nothing else is
        "$ATTEST" -q verify --at "$WHEN" --rim-dir "$SIM/rims" "$@" > "$SCRATCH/out"
}
json() { # EXPRESSION on the document d in $SCRATCH/out
        python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); v = eval(sys.argv[2]); print(v); sys.exit(not v)' "$SCRATCH/out" "$1"
}

trusted() {
        judge 0 --nonce "$(cat "$SIM/nonce")" --gpus 8 --switches 4 --mode protected-pcie "${all[@]}"
        [ "$(grep -c ' trusted$' "$SCRATCH/output")" = 12 ]
        grep -qx 'gn8v-tee-attest: trusted: 12 of 12 devices' "$SCRATCH/output"
        document --json "${all[@]}"
        json 'd["result"] == "trusted" and len(d["devices"]) == 12 and all(c["state"] in ("ok", "skipped") for v in d["devices"] for c in v["checks"].values())'
        json 'd["system"]["topology-gpus-attested"]["state"] == "ok"'
}

# Names that are no UTF-8 hide no device; and output that cannot be written is told.
odd_names() {
        local dir=$SCRATCH/odd name
        name=$dir/$'n\xff\e[31m'
        mkdir -p "$name"
        cp "${all[@]}" "$name/"
        document --json "$name/gpu_evidence.json" "$name/switch_evidence.json"
        json 'd["result"] == "trusted" and len(d["devices"]) == 12 and all("?[31m" in v["source"] and len(v["checks"]) > 10 for v in d["devices"])'
        judge 11 --offline --rim-dir "$name" "${all[@]}"
        judge 2 --report a --chain b --report c
        judge 2 --report a --chain b --chain c
        judge 2 --ocsp online --offline "${all[@]}"
        if grep -q $'\e' "$SCRATCH/output"; then die "an escape sequence on the terminal"; fi
        for words in "verify --at $WHEN --rim-dir $SIM/rims ${all[*]}" "rim --at 2025-06-15 $SIM/rims/$(ls "$SIM/rims" | head -n 1)"; do
                # shellcheck disable=SC2086
                expect 8 sh -c '"$@" > /dev/full' sh "$ATTEST" $words
        done
}

# Two of the release files, by what they expect.
release() {
        judge 0 --release "$(ls "$SOURCE"/repo/releases/multi-*.conf | head -n 1)" "${all[@]}"
        judge 5 --release "$(ls "$SOURCE"/repo/releases/single-*.conf | head -n 1)" "${all[@]}"
        grep -q 'gpu-count: failed: 8 GPUs, not 1' "$SCRATCH/output"
        judge 5 --release "$(ls "$SOURCE"/repo/releases/multi-*.conf | head -n 1)" "${all[0]}"
}

# A simulation is nothing to the shipped program, which has no switch for other roots.
pinned() {
        expect 5 env GN8V_SIM_ROOTS="$SIM/roots" "$SHIPPED" verify --at "$WHEN" --rim-dir "$SIM/rims" "${all[@]}"
        grep -q 'its last certificate is not the root that is believed' "$SCRATCH/output"
        [ "$(grep -c 'NOT TRUSTED$' "$SCRATCH/output")" = 12 ]
        if strings -a "$SHIPPED" | has GN8V_SIM_ROOTS; then die "the shipped program knows of the simulation"; fi
}

outcomes() {
        # Not trusted.
        judge 5 --nonce "$(printf '0%.0s' {1..64})" "${all[@]}"
        judge 5 --gpus 7 "${all[@]}"
        judge 5 --switches 0 "${all[@]}"
        judge 5 --mode confidential-computing "${all[@]}"
        expect 5 "$ATTEST" verify --at 2035-01-01T00:00:00Z --rim-dir "$SIM/rims" "${all[@]}"
        judge 5 "${all[0]}" "${all[0]}"
        # Could not be checked.
        expect 11 "$ATTEST" verify --offline --at "$WHEN" "${all[@]}"
        expect 11 "$ATTEST" verify --offline --at "$WHEN" --rim-dir "$SCRATCH/nowhere" "${all[@]}"
        grep -q 'NV_GPU_DRIVER_GH100_1.2.3' "$SCRATCH/output"
        # Malformed, not there, wrong words.
        head -c 1000 "${all[0]}" > "$SCRATCH/half.json"
        judge 6 "$SCRATCH/half.json"
        judge 1 "$SCRATCH/nowhere.json"
        judge 2
        judge 2 --report "${all[0]}"
        judge 2 --nonce 12 "${all[0]}"
        judge 2 --at yesterday "${all[0]}"
        judge 2 --ocsp sometimes "${all[0]}"
        judge 2 --gpus -1 "${all[0]}"
        judge 2 --sign-key x "${all[0]}"
        judge 2 --at 2025-06-15T15:06:40 "${all[0]}"
        judge 2 --at '' "${all[0]}"
        judge 2 --gpus '' "${all[0]}"
        judge 2 --timeout 0 "${all[0]}"
        judge 2 --mode off "${all[0]}"
        judge 2 --claims 4.0 "${all[0]}"
        judge 2 --nonce "$(printf 'g%.0s' {1..64})" "${all[0]}"
        judge 2 --no-such-option
        # What is no file, or nothing; a whole second, a fraction, a zone and a day are the same verdict.
        judge 1 "$SCRATCH"
        judge 6 /dev/null
        judge 6 /dev/zero
        judge 1 --policy "$SCRATCH" "${all[@]}"
        judge 6 --policy /dev/null "${all[@]}"
        head -c 100000 /dev/urandom > "$SCRATCH/noise"
        judge 6 "$SCRATCH/noise"
        judge 6 --report "$SCRATCH/noise" --chain "$SCRATCH/noise"
        judge 0 - "${all[1]}" < "${all[0]}"
        judge 6 - - < "${all[0]}"
        for at in 2025-06-15T15:06:40.123Z 2025-06-15T23:06:40+08:00 '2025-06-15 15:06:40z' 2025-06-15 2025-06-15T15:06:60Z; do judge 0 --at "$at" "${all[@]}"; done
}

files() {
        python3 - "$SIM" "$SCRATCH" <<'PYTHON'
import base64, json, sys
d = json.load(open(sys.argv[1] + "/switch_evidence.json"))[0]
report = base64.b64decode(d["evidence"])
open(sys.argv[2] + "/report.bin", "wb").write(report)
open(sys.argv[2] + "/report.hex", "w").write(report.hex() + "\n")
open(sys.argv[2] + "/flipped.bin", "wb").write(report[:-1] + bytes([report[-1] ^ 1]))
open(sys.argv[2] + "/short.bin", "wb").write(report[:-1])
open(sys.argv[2] + "/chain.pem", "wb").write(base64.b64decode(d["certificate"]))
PYTHON
        for f in report.bin report.hex; do
                judge 0 --report "$SCRATCH/$f" --chain "$SCRATCH/chain.pem" --nonce "$(cat "$SIM/nonce")"
        done
        judge 5 --report "$SCRATCH/flipped.bin" --chain "$SCRATCH/chain.pem"
        # What cannot be read has one code, whatever it is and wherever that shows.
        for f in short.bin chain.pem /dev/null; do judge 6 --report "$(cd "$SCRATCH" && realpath "$f")" --chain "$SCRATCH/chain.pem"; done
        judge 6 --report "$SCRATCH/report.bin" --chain "$SCRATCH/report.hex"
        said 'not trusted: DEVICE-0: certificates: .*not a PEM certificate chain'
        judge 6 --report "$SCRATCH/report.bin" --chain /dev/null
}

# judge_each < STATUS FILE lines: evidence, or a chain for the simulation's first GPU, or its driver's manifest, by the name's end.
judge_each() {
        local status file
        while read -r status file; do
                case $file in
                *.json) judge "$status" --gpus 1 --switches 0 "$file" ;;
                *.report) judge "$status" --report "$file" --chain "$SIM/devices/gpu-0.chain" ;;
                *.chain) judge "$status" --report "$SIM/devices/gpu-0.report" --chain "$file" ;;
                *) judge "$status" --rim-dir "$file" --offline --report "$SIM/devices/gpu-0.report" --chain "$SIM/devices/gpu-0.chain"
                   # The verb that judges manifests alone says the same.
                   if [ "$status" != 11 ]; then expect "$status" "$ATTEST" rim --at "$WHEN" "$file"/NV_GPU_DRIVER_*.xml; fi ;;
                esac
        done
}
# As editors, mail programs, other systems and ill will leave files.
odd_files() {
        local status file
        mkdir "$SCRATCH/odd-files"
        python3 "$SOURCE/tests/attest/odd.py" "$SIM" "$SCRATCH/odd-files" > "$SCRATCH/expected"
        [ "$(wc -l < "$SCRATCH/expected")" -gt 40 ]
        judge_each < "$SCRATCH/expected"
        # A system with one device too many, one too few, one that is there twice.
        for file in "${all[0]}" "$SCRATCH/odd-files/plain.json"; do judge 5 "${all[@]}" "$file"; done
        judge 5 --gpus 8 --switches 3 "${all[@]}"
        judge 5 --gpus 0 "${all[@]}"
        # A device that cannot be read is not hidden by what follows from it, nor by one that is not trusted.
        judge 6 --gpus 8 --switches 4 "${all[@]}" "$SCRATCH/odd-files/cut.json"
}

POLICY='{"version":"3.0","authorization-rules":{"type":"JWT","overall-claims":{"iss":"LOCAL_%s_VERIFIER","x-nvidia-overall-att-result":true,"x-nvidia-ver":"2.0"},
"detached-claims":{"measres":"%s","x-nvidia-%s-attestation-report-nonce-match":true}}}\n'
policies() {
        # shellcheck disable=SC2059
        { printf "$POLICY" GPU success gpu > "$SCRATCH/gpu.json"; printf "$POLICY" SWITCH success switch > "$SCRATCH/switch.json"
          printf "$POLICY" SWITCH fail switch > "$SCRATCH/no.json"; }
        judge 0 --policy "$SCRATCH/gpu.json" --policy "$SCRATCH/switch.json" "${all[@]}"
        judge 12 --policy "$SCRATCH/gpu.json" --policy "$SCRATCH/no.json" "${all[@]}"
        document --json --policy "$SCRATCH/gpu.json" --policy "$SCRATCH/no.json" "${all[@]}" 2> /dev/null && die "not refused"
        json 'd["result"] == "refused by a policy" and "no.json" in d["policy"]'
        grep -q 'SWITCH-0: measres is "success", not "fail"' "$SCRATCH/output"
        judge 12 --policy "$SCRATCH/switch.json" "${all[0]}"
        judge 6 --policy "$SIM/roots" "${all[@]}"
        # Not trusted stays so, whatever a policy says.
        judge 5 --gpus 1 --policy "$SCRATCH/no.json" "${all[@]}"
}

claims() {
        document --claims 2.0 "${all[@]}"
        json 'd["LOCAL_GPU_CLAIMS"][1]["GPU-7"]["measres"] == "success" and d["LOCAL_SWITCH_CLAIMS"][0]["x-nvidia-ver"] == "2.0"'
        document --claims 3.0 --json "${all[@]}"
        json 'd["claims"]["LOCAL_GPU_CLAIMS"][1]["GPU-0"]["x-nvidia-gpu-driver-rim-cert-chain"]["x-nvidia-cert-status"] == "valid"'
        openssl ecparam -name secp384r1 -genkey -noout -out "$SCRATCH/key.pem"
        judge 0 --token "$SCRATCH/token" --sign-key "$SCRATCH/key.pem" "${all[@]}"
        cp "$SCRATCH/token" "$SCRATCH/out"
        json 'd[0][0] == "JWT" and len(d[1]["LOCAL_GPU_CLAIMS"][1]) == 8'
        # Another program's view of the signature: openssl's, of r and s as DER.
        python3 - "$SCRATCH" <<'PYTHON'
import base64, json, sys
jwt = json.load(open(sys.argv[1] + "/token"))[1]["LOCAL_SWITCH_CLAIMS"][1]["SWITCH-3"]
body, signature = jwt.rsplit(".", 1)
raw = base64.urlsafe_b64decode(signature + "==")
number = lambda b: (lambda v: b"\x02" + bytes([len(v)]) + v)((b"\0" if b.lstrip(b"\0")[0] > 127 else b"") + b.lstrip(b"\0"))
both = number(raw[:48]) + number(raw[48:])
open(sys.argv[1] + "/signed", "w").write(body)
open(sys.argv[1] + "/signature", "wb").write(b"\x30" + bytes([len(both)]) + both)
PYTHON
        openssl ec -in "$SCRATCH/key.pem" -pubout -out "$SCRATCH/public.pem"
        openssl dgst -sha384 -verify "$SCRATCH/public.pem" -signature "$SCRATCH/signature" "$SCRATCH/signed"
        document --token - "${all[@]}"
        json 'd[0][0] == "JWT"'
        judge 1 --token "$SCRATCH/nowhere/token" "${all[@]}"
        judge 6 --token "$SCRATCH/token" --sign-key "$SIM/roots" "${all[@]}"
}

# NVIDIA's data with the shipped program.
vectors() {
        local v=${GN8V_VECTORS:-$SOURCE/../shared/vectors} set
        [ -d "$v" ] || skip_scenario "no vectors (GN8V_VECTORS)"
        set=$v/gpu-h100-545.00
        expect 0 "$SHIPPED" verify --report "$set/report.hex" --chain "$set/chain.pem" --rim-dir "$set" --at 2024-06-01T00:00:00Z
        expect 5 "$SHIPPED" verify --report "$set/report.hex" --chain "$set/chain.pem" --rim-dir "$set" --at 2026-06-01T00:00:00Z
        set=$v/switch-ls10-96.10.55
        expect 0 "$SHIPPED" verify --report "$set/report.hex" --chain "$set/chain.pem" --rim-dir "$set" --at 2026-06-01T00:00:00Z
        expect 11 "$SHIPPED" verify --offline --gpus 8 --switches 4 --mode protected-pcie "$v"/hgx-8gpu-4switch/*.json
        grep -q '^system  *12  *ok .* ok *$' "$SCRATCH/output"
        set=$v/negative
        expect 5 "$SHIPPED" verify --offline --report "$set/report-invalid-signature.hex" --chain "$set/report-invalid-signature.chain.pem"
        grep -q 'not trusted: GPU-0: signature: ' "$SCRATCH/output"
}

# What a gigabyte of anything does, and what the whole takes: CPU of 12 devices with their manifests, and memory.
frugal() {
        local ms kb
        truncate -s 1G "$SCRATCH/large"
        judge 6 "$SCRATCH/large"
        judge 6 --report "$SCRATCH/large" --chain "$SCRATCH/large"
        judge 6 --policy "$SCRATCH/large" "${all[@]}"
        # A sanitizer's memory is not the program's.
        if grep -q __asan_init "$ATTEST"; then return 0; fi
        "$SOURCE/tests/bench/measure" 3 "$ATTEST" -q verify --at "$WHEN" --rim-dir "$SIM/rims" "${all[@]}" > "$SCRATCH/figures"
        read -r ms kb < "$SCRATCH/figures"
        echo "$ms s, $kb MB"
        # The aim is 0.15 s and 16 MB; a machine that is busy gets more time.
        awk -v s="$ms" -v mb="$kb" 'BEGIN { exit !(s < 1.5 && mb <= 16) }'
}

[ -x "$ATTEST" ] || { skip "$SUITE" "not built"; exit 0; }
simulate() { "$BUILD/tests/attest-sim" "$SIM"; }
prepare simulate
scenario trusted trusted
scenario "odd names" odd_names
scenario release release
scenario pinned pinned
scenario outcomes outcomes
scenario files files
scenario "odd files" odd_files
scenario policies policies
scenario claims claims
scenario vectors vectors
scenario frugal frugal
finish
