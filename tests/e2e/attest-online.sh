#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Manifests and revocation from servers: what is asked, what is believed, what is kept, and what happens when servers are not as they should be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/attest-servers.sh"

judge() { # STATUS OPTION...
        local wanted=$1
        shift
        expect "$wanted" "$ATTEST" verify --config "$SCRATCH/attest.conf" --nonce "$(cat "$SIM/nonce")" "$@" "$SIM"/gpu_evidence.json "$SIM"/switch_evidence.json
}

# Each manifest and each certificate is asked for once: 3 + 18, where a tool that does not look asks 116 times.
online() {
        requests > /dev/null
        judge 0 --ocsp online --gpus 8 --switches 4 --mode protected-pcie
        said 'revocation: answers on 18 of 18 certificates, good until 20.*, 0 of them stored'
        [ "$(requests)" = 21 ]
        # What is not told is asked, when nothing says otherwise.
        judge 0
        [ "$(requests)" = 21 ]
        judge 0 --ocsp off
        [ "$(requests)" = 3 ]
        judge 0 --rim-dir "$SIM/rims"
        [ "$(requests)" = 0 ]
        judge 0 --ocsp online --rim-dir "$SIM/rims"
        [ "$(requests)" = 18 ]
}

stored() {
        rm -rf "$SCRATCH/cache"
        judge 0 --ocsp cache --rim-dir "$SIM/rims"
        [ "$(requests)" = 18 ]
        [ "$(find "$SCRATCH/cache" -name '*.der' | wc -l)" = 18 ]
        judge 0 --ocsp cache --rim-dir "$SIM/rims"
        said '18 of them stored'
        [ "$(requests)" = 0 ]
        # One that is damaged is asked for again; one of another certificate is none.
        echo x > "$(find "$SCRATCH/cache" -name '*.der' | sort | head -n 1)"
        cp "$(find "$SCRATCH/cache" -name '*.der' | sort | sed -n 2p)" "$(find "$SCRATCH/cache" -name '*.der' | sort | sed -n 3p)"
        judge 0 --ocsp cache --rim-dir "$SIM/rims"
        [ "$(requests)" = 2 ]
        # Offline, nothing stored: not asked, and so not known.
        rm -rf "$SCRATCH/cache"
        judge 11 --ocsp cache --rim-dir "$SIM/rims" --offline
        said 'no stored answer'
        [ "$(requests)" = 0 ]
}

# SERIAL of the certificate that all GPUs have in common: of the issuer of their BROM certificates.
common() { openssl x509 -in "$SIM/ocsp/gpu-ica.pem" -noout -serial | cut -d= -f2; }
revoked() {
        local serial
        serial=$(common)
        set_status "$serial" revoked
        judge 5 --ocsp online
        said 'not trusted: GPU-0: certificate-status: certificate 3 is revoked: keyCompromise'
        set_status "$serial" hold
        judge 5 --ocsp online
        said 'certificate 3 is on hold'
        judge 0 --ocsp online --allow-hold
        expect 0 env NV_ALLOW_HOLD_CERT=true "$ATTEST" verify --ocsp online --config "$SCRATCH/attest.conf" "$SIM/gpu_evidence.json"
        set_status "$serial" none
        judge 5 --ocsp online --allow-hold
        said 'certificate 3 is unknown to its issuer'
        set_status "$serial" again
        judge 0 --ocsp online
}

replayed() {
        judge 0 --ocsp online
        behave replay
        judge 5 --ocsp online
        said 'another nonce than the request'
        behave
        judge 0 --ocsp online
}

# Answers for the GPUs' issuer by who has no right to give them: the parent's responder, a sibling's, one of the manifests' authority; one without
# OCSPSigning, one that may no longer, one that may not yet, one with a small key, one that nobody knows.
impostor() {
        local who
        for who in identity-responder switch-ica-responder rim-l3-responder plain expired future stranger; do
                behave signer "$who"
                judge 5 --ocsp online --rim-dir "$SIM/rims"
                said "not trusted: GPU-0: certificate-status: .*not signed by the certificate's issuer"
        done
        behave signer small
        judge 5 --ocsp online --rim-dir "$SIM/rims"
        said 'less than ECDSA on P-384'
        behave
        judge 0 --ocsp online --rim-dir "$SIM/rims"
}

# Answers that are right, but too old, of another certificate, or none; without a nonce, which would tell of the first two.
stale() {
        printf '[Attest]\nCacheDirectory=%s\nOcspNonce=no\n' "$SCRATCH/stale" > "$SCRATCH/stale.conf"
        behave replay
        judge 0 --ocsp online --config "$SCRATCH/stale.conf" --rim-dir "$SIM/rims"
        judge 5 --ocsp online --config "$SCRATCH/stale.conf" --rim-dir "$SIM/rims" --at "$(date -u -d '+3 hours' +%FT%TZ)"
        said 'certificate-status: .*expired at 20'
        judge 5 --ocsp online --config "$SCRATCH/stale.conf" --rim-dir "$SIM/rims" --at "$(date -u -d '-3 hours' +%FT%TZ)"
        said 'certificate-status: .*not valid before 20'
        # Stored ones that do not hold any more are as if they were not there.
        judge 0 --ocsp cache --offline --config "$SCRATCH/stale.conf" --rim-dir "$SIM/rims"
        judge 11 --ocsp cache --offline --config "$SCRATCH/stale.conf" --rim-dir "$SIM/rims" --at "$(date -u -d '+3 hours' +%FT%TZ)"
        said 'certificate-status: .*expired at 20'
        behave other
        judge 5 --ocsp online --config "$SCRATCH/stale.conf" --rim-dir "$SIM/rims"
        said 'does not tell of the certificate'
        judge 5 --ocsp online --rim-dir "$SIM/rims"
        said 'has no nonce'
        behave unauthorized
        judge 11 --ocsp online --rim-dir "$SIM/rims"
        said 'does not answer: unauthorized'
        behave
}

# NVIDIA's policies as they are, claims 2.0 and 3.0; those of the second want the responder's word.
policies() {
        local v=${GN8V_VECTORS:-$SOURCE/../shared/vectors} p
        [ -d "$v" ] || skip_scenario "no vectors (GN8V_VECTORS)"
        for p in "$v"/policies/*.json; do judge 0 --ocsp online --rim-dir "$SIM/rims" --policy "$p"; done
        judge 12 --ocsp off --rim-dir "$SIM/rims" --policy "$v/policies/NVGPULocalv4PolicyExample.json"
        said 'x-nvidia-cert-ocsp-status is null, not "good"'
}

# Not an answer is not a verdict: could not be checked, within the time.
unreachable() {
        local words started
        for words in closed error large redirect-file; do
                behave "$words"
                judge 11 --ocsp online --timeout 5
                judge 11 --ocsp online --timeout 5 --rim-dir "$SIM/rims"
        done
        for words in rim-id rim-sha256 rim-json; do
                behave "$words"
                judge 11
                said 'no manifest NV_GPU_DRIVER'
        done
        behave silent
        started=$SECONDS
        judge 11 --ocsp online --timeout 1
        said 'no answer within 1000 ms'
        [ $((SECONDS - started)) -le 4 ]
        behave
        NV_OCSP_URL=http://127.0.0.1:1/ judge 11 --ocsp online
        NV_RIM_URL=http://127.0.0.1:1/ judge 11 --ocsp online
        # Revoked is told even where others cannot be asked about, and a second server has what the first has not.
        printf '[Attest]\nRimUrl=http://127.0.0.1:1/\nRimUrl=%s\nOcspUrl=%s\nCacheDirectory=%s\n' "$NV_RIM_URL" "$NV_OCSP_URL" "$SCRATCH/cache" > "$SCRATCH/two.conf"
        expect 0 env -u NV_RIM_URL -u NV_OCSP_URL "$ATTEST" verify --config "$SCRATCH/two.conf" "$SIM/gpu_evidence.json"
        printf '[Attest]\nRimUrl=file:///etc\n' > "$SCRATCH/bad.conf"
        judge 6 --config "$SCRATCH/bad.conf"
        expect 2 env NV_RIM_URL=ftp://x "$ATTEST" verify "$SIM/gpu_evidence.json"
}

# With SHA-1, as NVIDIA's newer tools ask, too; and without a nonce.
variants() {
        for digest in sha1 sha256; do
                printf '[Attest]\nCacheDirectory=%s\nOcspDigest=%s\nOcspNonce=%s\n' "$SCRATCH/cache" "$digest" "$([ $digest = sha1 ] && echo yes || echo no)" > "$SCRATCH/variant.conf"
                judge 0 --ocsp online --config "$SCRATCH/variant.conf"
        done
}

bundle() {
        expect 0 "$ATTEST" fetch --config "$SCRATCH/attest.conf" "$SCRATCH/bundle" "$SIM"/gpu_evidence.json "$SIM"/switch_evidence.json
        said '^NV_GPU_DRIVER_GH100_1.2.3 .* signed until 20'
        said '^answers on revocation .* 18 of 18, good until 20'
        "$ATTEST" fetch --json --config "$SCRATCH/attest.conf" "$SCRATCH/bundle2" "$SIM"/gpu_evidence.json "$SIM"/switch_evidence.json > "$SCRATCH/fetched"
        python3 - "$SCRATCH" << 'PY'
import hashlib, json, os, sys
d = json.load(open(sys.argv[1] + "/fetched"))
assert d["dir"] == sys.argv[1] + "/bundle2" and d["revocation"]["asked"] == d["revocation"]["answered"] == 18 and d["revocation"]["good_until"].startswith("20"), d
assert len(d["manifests"]) >= 3, d
for m in d["manifests"]:
    assert m["state"] == "trusted" and m["reason"] is None and m["not_after"].startswith("20") and m["source"].startswith("http"), m
    assert m["file"] == "%s/%s.xml" % (d["dir"], m["id"]) and hashlib.sha256(open(m["file"], "rb").read()).hexdigest() == m["sha256"], m
PY
        requests > /dev/null
        judge 0 --bundle "$SCRATCH/bundle"
        said '18 of them stored'
        judge 0 --rim-dir "$SCRATCH/bundle" --ocsp off
        [ "$(requests)" = 0 ]
        rm "$SCRATCH"/bundle/ocsp/*.der
        judge 11 --bundle "$SCRATCH/bundle"
        judge 2 --bundle "$SCRATCH/bundle" --ocsp online
        [ "$(requests)" = 0 ]
        # A release's driver has no manifest here: told by its name.
        expect 11 "$ATTEST" fetch --config "$SCRATCH/attest.conf" --release "$(ls "$SOURCE"/repo/releases/single-*.conf | head -n 1)" "$SCRATCH/other"
        said '^NV_GPU_DRIVER_GH100_[0-9.]+ .* not there'
        expect 11 "$ATTEST" fetch --json --config "$SCRATCH/attest.conf" --release "$(ls "$SOURCE"/repo/releases/single-*.conf | head -n 1)" "$SCRATCH/other"
        said '"state": "missing"'
        expect 2 "$ATTEST" fetch "$SCRATCH/other"
        expect 2 "$ATTEST" fetch
}

# The man page's examples, each as it stands there, on look-alikes of the devices. These answer with the simulation's nonce, so that one is given to
# those that would make their own; and files are kept here.
examples() {
        local lib=$SCRATCH/lib work=$SCRATCH/work line n=0
        mkdir "$lib" "$work"
        gcc -w -O1 -D_GNU_SOURCE -shared -fPIC -fvisibility=hidden -o "$lib/libnvidia-ml.so.1" "$SOURCE/tests/vendor/src/nvml.c"
        gcc -w -O1 -D_GNU_SOURCE -shared -fPIC -fvisibility=hidden -o "$lib/libnvidia-nscq.so.2" "$SOURCE/tests/vendor/src/nscq.c"
        printf '%s\n' gpus=8 feature=0 multi=1 "evidence=$SIM/devices" "ready-file=$SCRATCH/ready" > "$lib/libnvidia-ml.conf"
        echo "evidence=$SIM/devices" > "$lib/libnvidia-nscq.conf"
        cp "$(ls "$SOURCE"/repo/releases/multi-*.conf | head -n 1)" "$work/release.conf"
        own_policies "$work"
        cd "$work"
        export LD_LIBRARY_PATH=$lib NONCE ATTEST SCRATCH
        NONCE=$(cat "$SIM/nonce")
        # shellcheck disable=SC2016  # for the shell that runs the example
        awk '/^# EXAMPLES/ { on = 1 } /^# SEE ALSO/ { on = 0 } /^```/ { inside = !inside; next } on && inside' "$SOURCE/docs/man/gn8v-tee-attest.1.scd" |
                sed -E 's/gn8v-tee attest( --set-ready)?$/& --nonce $NONCE/
                        s/gn8v-tee attest/"$ATTEST" run --save "$SCRATCH"\/state.json --config "$SCRATCH"\/attest.conf/
                        s/gn8v-tee-attest (--json verify|verify|fetch)/"$ATTEST" \1 --config "$SCRATCH"\/attest.conf/; s/gn8v-tee-attest/"$ATTEST"/' > "$SCRATCH/lines"
        while read -r line; do
                if [[ $line == *jq* ]] && ! command -v jq > /dev/null; then line=${line%%|*}; fi
                expect 0 bash -euo pipefail -c "$line"
                n=$((n + 1))
        done < "$SCRATCH/lines"
        [ $n -ge 10 ]
        [ "$(cat "$SCRATCH/ready")" = 1 ]
}
# The policies that stand in the cloud's own scripts, as they are; where those are not at hand, the same claims in our own words.
own_policies() { # DIR
        local seeds=${GN8V_SEEDS:-$SOURCE/../shared/seeds}
        if [ ! -d "$seeds" ]; then seeds=; fi
        python3 - "$1" "$seeds" <<'PYTHON'
import glob, json, re, sys
found = {}
for path in sorted(glob.glob(sys.argv[2] + "/*")) if sys.argv[2] else []:
    for text in re.findall(r"policy = '{3}(.*?)'{3}", open(path).read(), re.S):
        found["switch" if "LOCAL_SWITCH_VERIFIER" in text else "gpu"] = text
report = ["cert-chain-validated", "parsed", "nonce-match", "signature-verified"]
rim = ["fetched", "schema-validated", "cert-validated", "signature-verified", "measurements-available"]
for kind, rims in ("gpu", ["driver-rim", "vbios-rim"]), ("switch", ["bios-rim"]):
    names = ["arch-check"] + ["attestation-report-" + s for s in report] + [r + "-" + s for r in rims for s in rim] + ["vbios-index-no-conflict"] * (kind == "gpu")
    claims = {"measres": "success", **{"x-nvidia-%s-%s" % (kind, s): True for s in names}}
    overall = {"iss": "LOCAL_%s_VERIFIER" % kind.upper(), "x-nvidia-overall-att-result": True, "x-nvidia-ver": "2.0"}
    policy = {"version": "3.0", "authorization-rules": {"type": "JWT", "overall-claims": overall, "detached-claims": claims}}
    if kind in found:
        assert json.loads(found[kind]) == policy, kind
    open("%s/%s.json" % (sys.argv[1], kind), "w").write(found.get(kind) or json.dumps(policy))
PYTHON
}

[ -x "$ATTEST" ] || { skip "$SUITE" "not built"; exit 0; }
prepare start_servers
scenario online online
scenario stored stored
scenario replayed replayed
scenario revoked revoked
scenario impostor impostor
scenario stale stale
scenario policies policies
scenario examples examples
scenario variants variants
scenario bundle bundle
scenario unreachable unreachable
finish
