#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Reference manifests: judged one by one, locked for a release, stored, packaged, and found by attestation where there is no network.
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Who believes the simulation's authority, under the name that the builder runs; and the program as it is shipped.
SIM=$SCRATCH/sim SHIPPED=$BUILD/gn8v-tee-attest ATTEST=$SCRATCH/bin/gn8v-tee-attest
DRIVER=NV_GPU_DRIVER_GH100_1.2.3
NAME=single-1.2.3 # made up, as every version here
export PATH=$SCRATCH/bin:$PATH
tee_repo() { "$REPO" -C . --releases releases "$@"; }
digest() { sha256sum "$1" | cut -d' ' -f1; }
json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); v = eval(sys.argv[2]); print(v); sys.exit(not v)' "$1" "$2"; }
requests() {
        grep -c . "$NGINX/referer.log" || :
        : > "$NGINX/referer.log"
}

# The service, and what may stand in its place: each below a path of its own.
setup() {
        mkdir -p "$SCRATCH/bin" "$SCRATCH/www"
        "$BUILD/tests/attest-sim" --now "$SIM"
        "$BUILD/tests/attest-sim" --rims "$SCRATCH/other" "$DRIVER" NV_GPU_DRIVER_GH100_1.2.4
        printf '#!/bin/sh\nGN8V_SIM_ROOTS=%s exec %s "$@"\n' "$SIM/roots" "$BUILD/tests/gn8v-tee-attest-sim" > "$ATTEST"
        chmod +x "$ATTEST"
        IDS=$(cd "$SIM/rims" && ls -- *.xml | sed 's/\.xml$//')
        python3 - "$SIM" "$SCRATCH/other" "$SCRATCH/www" "$DRIVER" <<'PYTHON'
import base64, hashlib, json, os, sys
sim, other, www, name = sys.argv[1:]
right = open(f"{sim}/rims/{name}.xml", "rb").read()
def answer(data, **more):
    d = {"id": name, "rim": base64.b64encode(data).decode(), "sha256": hashlib.sha256(data).hexdigest(), "rim_format": "TCG"}
    d.update(more)
    return json.dumps({k: v for k, v in d.items() if v is not None}).encode()
def put(folder, data):
    os.makedirs(f"{www}/{folder}", exist_ok=True)
    open(f"{www}/{folder}/{name}", "wb").write(data)
put("other-root", answer(open(f"{other}/rims/{name}.xml", "rb").read()))
put("other-version", answer(open(f"{sim}/rims/NV_SWITCH_BIOS_5612_0002_890_0102030405.xml", "rb").read()))
put("flipped", answer(right.replace(b'Hash0="0', b'Hash0="1', 1)))
put("other-id", answer(right, id="NV_GPU_DRIVER_GH100_9.9.9"))
put("wrong-digest", answer(right, sha256="0" * 64))
put("digest-number", answer(right, sha256=7))
put("corim", answer(right, rim_format="CORIM"))
put("not-base64", answer(right, rim="<>"))
put("no-rim", answer(right, rim=None))
put("empty", b"")
put("list", b"[]")
put("deep", b"[" * 100000)
put("page", b"<!DOCTYPE html><html><body>Please log in</body></html>")
put("entities", answer(b'<!DOCTYPE x [<!ENTITY a "b">]>' + right))
put("large-rim", answer(b" " * (1 << 20) + right))
put("good", answer(right, last_updated="today", request_id="1"))
put("no-digest", answer(right, sha256=None))
os.makedirs(f"{www}/huge", exist_ok=True)
with open(f"{www}/huge/{name}", "wb") as f:
    f.truncate(1 << 32)
PYTHON
        serve "$SCRATCH/www" "" "default_type application/json;
                location /v1/rim/ { alias $SIM/v1/rim/; }
                location /error/ { return 500; }
                location /file/ { return 302 file:///$SIM/v1/rim/$DRIVER; }
                location /away/ { return 302 /good/$DRIVER; }
                location /round/ { return 302 /round/$DRIVER; }"
        BASE=http://127.0.0.1:$PORT
        export NV_RIM_URL=$BASE
}

# begin NAME [ATTESTATION-LINE...]: a workspace with one release.
begin() {
        mkdir -p "$SCRATCH/$1/releases"
        cd "$SCRATCH/$1"
        shift
        echo "a driver" > driver.run
        attestation "$@"
}
attestation() {
        {
                sed '/^\[Artifact/,$d; s/^Version=.*/Version=1.2.3/; s/^Profile=.*/Profile=single/' "$(find "$SOURCE/repo/releases" -name 'single-*.conf' | sort | head -1)"
                printf '[Artifact driver]\nKind=driver\nVersion=1.2.3\nURL=file://%s/driver.run\nSHA256=%s\nLicence=LicenseRef-Test\nRedistributable=no\n' "$PWD" "$(digest driver.run)"
                if [ $# -gt 0 ]; then printf '[Attestation]\n'; printf '%s\n' "$@"; fi
        } > "releases/$NAME.conf"
}
nothing_locked() {
        [ ! -e "locks/$NAME.lock" ] || die "there is a lock"
        [ -z "$(find store/sha256 store/partial -type f ! -name "$(digest "$SIM/rims/$DRIVER.xml")")" ] || die "something is in the store"
}

judged() {
        local f=$SIM/rims/$DRIVER.xml
        expect 0 "$ATTEST" rim "$SIM"/rims/*.xml
        said "^$DRIVER\$"
        said '^  trusted: GPU GH100, version 1\.2\.3, [0-9]+ measurements$'
        said "^  SHA-256 $(digest "$f"), $(stat -c %s "$f") bytes$"
        "$ATTEST" --json rim "$f" > out
        json out "d[0]['state'] == 'trusted' and d[0]['sha256'] == '$(digest "$f")' and d[0]['measurements'] > 0 and d[0]['not_before'] < d[0]['not_after']"
        # To the shipped program it is nothing, and there is no switch.
        expect 5 env GN8V_SIM_ROOTS="$SIM/roots" "$SHIPPED" rim "$f"
        said 'its last certificate is not the root that is believed'
        expect 5 "$ATTEST" rim "$SCRATCH/other/rims/$DRIVER.xml"
        expect 5 "$ATTEST" rim --at 2000-01-01T00:00:00Z "$f"
        said 'NOT TRUSTED: .* not at 2000'
        # A right one under another's name; a name of its own says nothing.
        cp "$f" NV_GPU_DRIVER_GH100_1.2.4.xml
        cp "$f" mine.xml
        expect 5 "$ATTEST" rim NV_GPU_DRIVER_GH100_1.2.4.xml
        said 'version 1\.2\.3, and not NV_GPU_DRIVER_GH100_1\.2\.4'
        expect 0 "$ATTEST" rim mine.xml
        # Every file is judged, whatever another one is; the worst is the exit status.
        sed 's/Hash0="0/Hash0="1/' "$f" > flipped.xml
        head -c 1000 "$f" > short.xml
        expect 5 "$ATTEST" rim short.xml mine.xml flipped.xml
        said '^  malformed: short.xml'
        said '^  NOT TRUSTED: flipped.xml: its signature is wrong'
        said '^  trusted: '
        expect 6 "$ATTEST" rim short.xml mine.xml
        truncate -s 4G large
        expect 6 "$ATTEST" rim large
        : > none.xml
        expect 6 "$ATTEST" rim none.xml
        expect 11 "$ATTEST" rim nowhere.xml
        expect 1 "$ATTEST" rim .
        expect 2 "$ATTEST" rim
        expect 2 "$ATTEST" rim --rim-dir . mine.xml
        expect 2 "$ATTEST" rim --get here ../x
        expect 2 "$ATTEST" rim --get here --rim-url file:///etc "$DRIVER"
        [ ! -e here ]
}

vectors() {
        local v=${GN8V_VECTORS:-$SOURCE/../shared/vectors}
        [ -d "$v" ] || skip_scenario "no vectors (GN8V_VECTORS)"
        expect 0 "$SHIPPED" rim --at 2024-06-01T00:00:00Z "$v"/gpu-h100-545.00/*.xml
        expect 0 "$SHIPPED" rim --at 2026-06-01T00:00:00Z "$v"/gpu-h100-550.90.07/*.xml "$v"/switch-*/*.xml
        expect 5 "$SHIPPED" rim --at 2026-06-01T00:00:00Z "$v"/negative/*.xml
        [ "$(grep -c 'NOT TRUSTED' "$SCRATCH/output")" = 2 ]
}

# Recorded with all that says what it is; asked for once; what is locked stands.
locked() {
        begin locked GPU=GH100 "Rim=$(echo "$IDS" | grep -v "^$DRIVER" | xargs)"
        requests > /dev/null
        expect 0 env SOURCE_DATE_EPOCH=1000000000 "$REPO" -C . --releases releases lock
        said '1 artifacts, 3 reference manifests'
        [ "$(requests)" = 3 ]
        for id in $IDS; do
                json "locks/$NAME.lock" "(lambda a: a['kind'] == 'rim' and a['checksum'] == 'sha256:$(digest "$SIM/rims/$id.xml")' and a['filename'] == '$id.xml' \
                        and a['urls'] == ['$BASE/v1/rim/$id'] and a['first_use'] == '2001-09-09' and a['expires'] > '2025' and len(a['signer']) == 64)(d['artifacts']['$id'])"
                cmp "$SIM/rims/$id.xml" "store/sha256/$(digest "$SIM/rims/$id.xml" | cut -c 1-2)/$(digest "$SIM/rims/$id.xml")"
        done
        cp "locks/$NAME.lock" before
        NV_RIM_URL=http://127.0.0.1:1 expect 0 tee_repo lock
        said 'is current'
        expect 0 tee_repo lock --check
        cmp before "locks/$NAME.lock"
        [ "$(requests)" = 0 ]
        expect 0 tee_repo list
        said "$DRIVER +rim +1\.2\.3 .* 2001-09-09 +yes +no"
        # The store is filled again from the lock, from the service or a folder; with everything there nobody is asked.
        rm -rf store
        expect 0 tee_repo fetch
        [ "$(requests)" = 3 ]
        NV_RIM_URL=http://127.0.0.1:1 expect 0 tee_repo fetch
        rm -rf store
        NV_RIM_URL=http://127.0.0.1:1 expect 7 tee_repo fetch
        said 'could not be found out'
        NV_RIM_URL=http://127.0.0.1:1 expect 0 tee_repo fetch --rim-dir "$SIM/rims"
        rm -rf store
        NV_RIM_URL=http://127.0.0.1:1 expect 0 tee_repo fetch --rim-url http://127.0.0.1:1 --rim-url "$BASE"
        # Another release file wants another set.
        attestation GPU=GH100
        expect 3 tee_repo lock --check
        expect 0 tee_repo lock
        json "locks/$NAME.lock" "sorted(d['artifacts']) == ['$DRIVER', 'driver']"
        json "locks/$NAME.lock" "d['artifacts']['$DRIVER']['first_use'] == '2001-09-09'"
}

# "There is none" and "it could not be found out" are two things.
refused() {
        begin refused GPU=GH100
        sed -i '/^Kind=driver/,$s/^Version=.*/Version=1.2.9/' "releases/$NAME.conf"
        expect 11 tee_repo lock
        said 'NV_GPU_DRIVER_GH100_1\.2\.9: .*404'
        said '[-][-]without-rims'
        nothing_locked
        NV_RIM_URL=http://127.0.0.1:1 expect 7 tee_repo lock
        NV_RIM_URL=$BASE/error/ expect 7 tee_repo lock
        said 'could not be found out'
        nothing_locked
        # Another kind of GPU has manifests of another name.
        attestation GPU=GB100
        expect 11 tee_repo lock
        said 'NV_GPU_CC_DRIVER_GB100_1\.2\.3'
        attestation GPU=GH100 Rim=NV_GPU_VBIOS_X_1
        expect 11 tee_repo lock
        said 'NV_GPU_VBIOS_X_1'
        nothing_locked
        # Told otherwise: once, or for good.
        NV_RIM_URL=http://127.0.0.1:1 expect 0 tee_repo lock --without-rims
        said 'warning: .*no reference manifest is locked \(--without-rims\)'
        json "locks/$NAME.lock" "d['without_rims'] and list(d['artifacts']) == ['driver']"
        expect 0 tee_repo lock --check
        NV_RIM_URL=http://127.0.0.1:1 expect 0 tee_repo fetch
        expect 11 tee_repo lock
        attestation DriverRim=no
        NV_RIM_URL=http://127.0.0.1:1 expect 0 tee_repo lock
        said 'as the release file says'
        json "locks/$NAME.lock" "'without_rims' not in d"
        attestation
        expect 0 tee_repo lock
        # Nonsense in the release file.
        for line in GPU=gh100 GPU=../x GPU= Rim=NV_/etc Rim=x DriverRim=maybe DriverRim=yes; do
                attestation "$line"
                expect 6 tee_repo lock
                said "releases/$NAME.conf"
        done
        attestation GPU=GH100
        expect 2 tee_repo lock --rim-url file:///etc/
        expect 2 tee_repo lock --without-rims --rim-dir .
        NV_RIM_URL=ftp://x/ expect 2 tee_repo lock
        said 'NV_RIM_URL: not an http or https URL'
}

# What a server may answer: nothing of it is stored, and no lock is written.
hostile() {
        local folder
        begin hostile GPU=GH100
        for folder in other-root other-version flipped other-id wrong-digest digest-number corim not-base64 no-rim empty list deep page entities; do
                NV_RIM_URL=$BASE/$folder/ expect 5 tee_repo lock
                said "$DRIVER: "
                nothing_locked
        done
        for folder in huge error file round; do
                NV_RIM_URL=$BASE/$folder/ expect 7 tee_repo lock
                nothing_locked
        done
        NV_RIM_URL=$BASE/large-rim/ refuses tee_repo lock
        nothing_locked
        for folder in good no-digest away; do
                NV_RIM_URL=$BASE/$folder/ expect 0 tee_repo lock
                rm -rf locks store
        done
        # The next server is asked for what the first has not, or has wrong; a folder before both.
        expect 0 tee_repo lock --rim-url "$BASE/flipped2/" --rim-url "$BASE"
        rm -rf locks store
        NV_RIM_URL=$BASE/error/ expect 0 tee_repo lock --rim-dir "$SIM/rims"
        json "locks/$NAME.lock" "d['artifacts']['$DRIVER']['urls'] == ['file://$SIM/rims/$DRIVER.xml']"
}

# Signed anew: the lock stands until somebody says otherwise; what does not fit it is kept aside.
signed_anew() {
        begin anew GPU=GH100
        sed "s,$SIM/roots,$SCRATCH/anew/sim/roots," "$ATTEST" > gn8v-tee-attest
        chmod +x gn8v-tee-attest
        cp -r "$SIM" sim
        PATH=$PWD:$PATH expect 0 tee_repo lock --rim-dir sim/rims
        cp "locks/$NAME.lock" before
        "$BUILD/tests/attest-sim" --rims sim "$DRIVER"
        PATH=$PWD:$PATH expect 0 tee_repo lock --rim-dir sim/rims
        rm -rf store
        PATH=$PWD:$PATH expect 5 tee_repo fetch --rim-dir sim/rims
        said 'lock --refresh'
        [ "$(digest store/rejected/*)" = "$(digest "sim/rims/$DRIVER.xml")" ]
        [ -z "$(find store/partial -type f)" ]
        cmp before "locks/$NAME.lock"
        PATH=$PWD:$PATH expect 0 tee_repo lock --refresh --rim-dir sim/rims
        said 'it is signed anew'
        json "locks/$NAME.lock" "d['artifacts']['$DRIVER']['checksum'] == 'sha256:$(digest "sim/rims/$DRIVER.xml")'"
        PATH=$PWD:$PATH expect 0 tee_repo fetch --rim-dir sim/rims
}

# The verifier itself fails: that is no verdict on any manifest.
no_verifier() {
        begin nobody GPU=GH100
        mkdir -p bin
        for words in 'exit 0' 'echo "[]"' 'echo "{}"' 'kill -SEGV $$' 'exit 77' 'head -c 3000000 /dev/zero' \
                'echo "[{\"id\": \"'"$DRIVER"'\", \"state\": \"trusted\"}]"' 'echo "[{\"id\": 1}, 2]"'; do
                printf '#!/bin/sh\n%s\n' "$words" > bin/gn8v-tee-attest
                chmod +x bin/gn8v-tee-attest
                PATH=$PWD/bin:$PATH expect 1 tee_repo lock
                said gn8v-tee-attest
                nothing_locked
        done
        # It says that all is right, but what it has written is something else.
        sed "s,exec .*,$BUILD/tests/gn8v-tee-attest-sim \"\$@\"; for f in store/partial/rims/*.xml; do echo >> \$f; done," "$ATTEST" > bin/gn8v-tee-attest
        PATH=$PWD/bin:$PATH expect 1 tee_repo lock
        said 'is not what it has judged'
        # A lock that was tampered with.
        expect 0 tee_repo lock
        for edit in 's/"first_use": "[^"]*"/"first_use": null/' 's/"kind": "rim"/"kind": "key"/' 's/"filename": "NV/"filename": "..\/NV/' 's/"filename": "NV_/"filename": "%(id)NV_/' "/$DRIVER/,/}/s/sha256:./sha256:g/"; do
                cp "locks/$NAME.lock" before
                sed -i "$edit" "locks/$NAME.lock"
                refuses tee_repo fetch
                cp before "locks/$NAME.lock"
        done
}

# From the release file to an attestation without a network: the release's driver is what the simulated GPUs run.
packaged() {
        local id
        begin packaged GPU=GH100 "Rim=$(echo "$IDS" | grep -v "^$DRIVER" | xargs)"
        "$SOURCE/tests/vendor/make" vendor --releases releases --base "file://$PWD/vendor/www" --rims "$BUILD/tests"
        cp vendor/releases/*.conf releases/
        expect 0 tee_repo lock
        expect 0 tee_repo fetch
        expect 0 tee_repo build --specs "$SOURCE/specs"
        mkdir root
        rpm2cpio packages/gn8v-tee-rims-*.rpm | (cd root && cpio -idm --quiet)
        for id in $IDS; do cmp "$SIM/rims/$id.xml" "root/usr/share/gn8v-tee/rims/$id.xml"; done
        # As on a machine: in the package's place, without --rim-dir, and with no network to ask.
        cat > attest <<SH
mount -t tmpfs none /usr/share && cp -r root/usr/share/gn8v-tee /usr/share/ || exit 77
exec "$ATTEST" verify --ocsp off "\$@" "$SIM/gpu_evidence.json" "$SIM/switch_evidence.json"
SH
        export NV_RIM_URL=http://127.0.0.1:1
        expect 11 "$ATTEST" verify --ocsp off "$SIM/gpu_evidence.json"
        expect 0 unshare -m -n sh attest
        said 'trusted: 12 of 12 devices'
        # verify: what is in the package is what was locked and stored.
        cp "$SOURCE/repo/gn8v-tee.repo.in" .
        printf '/bin/sh\ndkms\n' > platform.provides
        KEY=$(make_key "$SCRATCH/k" publisher)
        rpm -qp --requires packages/*.rpm 2>/dev/null | sed 's/ [<=>].*//' | grep -v '^gn8v-tee-\|^rpmlib(' | sort -u >> platform.provides
        expect 0 tee_repo publish --key "$KEY" --gnupghome "$SCRATCH/k" --platform platform.provides --baseurl http://x.invalid/
        expect 0 tee_repo -v verify --key "$KEY"
        "$REPO" -C . --releases releases --json verify --key "$KEY" > out
        json out "any(l['link'] == 'payload' and 'gn8v-tee-rims' in l['subject'] and l['state'] == 'ok' for l in (d['links'] if isinstance(d, dict) else d))"
        # The lock says another digest than the package has.
        sed -i "/\"$DRIVER\"/,/}/s/\"checksum\": \"sha256:....../\"checksum\": \"sha256:000000/" "locks/$NAME.lock"
        refuses tee_repo verify --key "$KEY"
}

[ -x "$BUILD/tests/gn8v-tee-attest-sim" ] || { skip "$SUITE" "not built"; exit 0; }
prepare setup
cd "$SCRATCH"
scenario judged judged
scenario vectors vectors
scenario locked locked
scenario refused refused
scenario hostile hostile
scenario signed_anew signed_anew
scenario no_verifier no_verifier
scenario packaged packaged
finish
