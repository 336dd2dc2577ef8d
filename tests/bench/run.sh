#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ours beside the named peer, in one run on this machine; one JSON line a row. Nothing fails because it is slow.
# GN8V_RUNFILE: a driver .run to wrap; without it the look-alike, whose figures say little.
set -euo pipefail
. "$(dirname "$0")/../e2e/lib.sh"
. "$SOURCE/tests/e2e/root.sh"
. "$SOURCE/tests/e2e/repo.sh"
. "$SOURCE/tests/e2e/gpu-machine.sh"
measure() { "$SOURCE/tests/bench/measure" "$@"; }

# row NAME PEER LIMIT "OURS-SECONDS PEAK" "PEER-SECONDS PEAK": limit null where none is set
row() {
        local ours=${4% *} rss=${4#* } peer=${5% *}
        printf '{"bench": "%s", "peer": "%s", "ours_s": %s, "peer_s": %s, "ratio": %s, "limit": %s, "peak_rss_mb": %s}\n' \
                "$1" "$2" "$ours" "$peer" "$(awk -v a="$ours" -v b="$peer" 'BEGIN { printf "%.3f", (b > 0) ? a / b : 0 }')" "$3" "$rss"
}

# The checks of the cloud's document that need no GPU, as its shell commands and those that somebody would type for the rest of the table.
cat > "$SCRATCH/document.sh" <<'DOCUMENT'
curl -s -m 1 -X PUT -H 'X-aliyun-ecs-metadata-token-ttl-seconds: 60' http://127.0.0.1:1/latest/api/token
uname -r
ls /sys/class/net /sys/block
lscpu | grep -i tdx_guest
ls -l /dev/tdx_guest
grep -h '^options' /boot/loader/entries/*.conf
grep -o 'swiotlb=[^ ]*' /proc/cmdline
cat /sys/kernel/debug/swiotlb/io_tlb_nslabs
modinfo -n ecdsa_generic
lsmod | grep ecdsa_generic
readlink /usr/lib64/libcuda.so.1
cat /sys/module/nvidia/version /proc/driver/nvidia/version
cat /usr/local/cuda*/version.json
rpm -q nvidia-fabric-manager openssl3
systemctl is-enabled nvidia-persistenced nvidia-fabricmanager cloudmonitor
systemctl status nvidia-persistenced | grep "Active: "
find /usr /opt /root /home /srv -xdev -maxdepth 6 -path '*site-packages/nvidia/cublas' -prune
timedatectl show -p NTPSynchronized
exit 0
DOCUMENT
# A machine with a great deal on it: kernels, units, libraries, Python environments, a large audit log and Fabric Manager of its real size.
full_root() {
        local root=$1 release=$2 i k
        good_root "$root" "$release"
        for i in $(seq 12); do
                k=$MINIMUM_KERNEL.0.$i.al8.x86_64
                mkdir -p "$root/lib/modules/$k"
                sed "s|$KERNEL|$k|g" "$root/boot/loader/entries/a.conf" > "$root/boot/loader/entries/k$i.conf"
        done
        for i in $(seq 4000); do echo "kernel/drivers/d$i/module_number_$i.ko.xz: kernel/lib/one.ko.xz kernel/lib/other.ko.xz"; done >> "$root/lib/modules/$KERNEL/modules.dep"
        for i in $(seq 192); do printf 'processor\t: %d\nflags\t\t: %0900d tdx_guest vme\n\n' "$i" 0; done > "$root/proc/cpuinfo"
        for i in $(seq 3000); do : > "$root/usr/lib64/liba$i.so.$i"; done
        for i in $(seq 300); do printf '[Unit]\nAfter=x.service\n[Install]\nWantedBy=multi-user.target\n' > "$root/usr/lib/systemd/system/u$i.service"; done
        for i in $(seq 30); do mkdir -p "$root/opt/env$i/lib/python3.11/site-packages"/{nvidia/cublas/lib,nvidia_cublas_cu12-1.2.3.dist-info}; done
        mkdir -p "$root/sys/fs/selinux" "$root/var/log/audit"
        echo 1 > "$root/sys/fs/selinux/enforce"
        for i in $(seq 100000); do echo "type=SYSCALL msg=audit($i.1:$i): arch=c000003e syscall=2 success=yes exit=3 comm=\"sshd\" exe=\"/usr/sbin/sshd\""; done > "$root/var/log/audit/audit.log"
        { head -c 20000000 /dev/urandom; artifact_value "$release" fabric-manager Version; } > "$root/usr/bin/nv-fabricmanager"
}
# Fastest, as hyperfine has it where it is installed: it measures milliseconds better than the shell.
fastest() { # SCRIPT
        local figures
        figures=$(measure 20 sh "$1" 2>/dev/null)
        if command -v hyperfine > /dev/null; then
                hyperfine -N -i -w 3 -r 50 --export-json "$SCRATCH/hyperfine.json" "sh $1" > /dev/null 2>&1
                figures="$(python3 -c 'import json, sys; print("%.4f" % json.load(open(sys.argv[1]))["results"][0]["min"])' "$SCRATCH/hyperfine.json") ${figures#* }"
        fi
        echo "$figures"
}
status_row() {
        local release root=$SCRATCH/full-root
        release=$(ls "$SOURCE"/repo/releases/multi-*.conf | sort -V | tail -n 1)
        full_root "$root" "$release"
        # Its exit status says what it found, which is no failure here.
        printf 'GN8V_TEE_ENVIRONMENT=machine "%s" --root "%s" status\n[ $? != 1 ]\n' "$NODE" "$root" > "$SCRATCH/ours.sh"
        row status "the document's shell commands" 0.030 "$(fastest "$SCRATCH/ours.sh")" "$(fastest "$SCRATCH/document.sh")"
}

# The same on a machine with eight GPUs whose look-alike library answers at once: what asking it in a child costs.
status_gpu_row() {
        local ours peer RELEASE
        can_play || return 0
        RELEASE=$(newest_conf multi)
        library gpus=8 feature=0 multi=1 fabric=3
        printf '"%s" status\n[ $? != 1 ]\n' "$NODE" > "$SCRATCH/ours.sh"
        ours=$(machine "$RELEASE" "$(driver_of "$RELEASE")" 8 4 sse "$SOURCE/tests/bench/measure" 20 sh "$SCRATCH/ours.sh" 2>/dev/null)
        peer=$(measure 20 sh "$SCRATCH/document.sh" 2>/dev/null)
        row status-8-gpus "the document's shell commands" null "$ours" "$peer"
}

# The release file of a driver .run that no release pins: a single-GPU release with another version.
release_for() { # RUNFILE OUT
        local version
        version=$(basename "$1" .run)
        version=${version##*-}
        sed -e "/^\[Artifact cuda\]/,\$d" -e "s/^Version=.*/Version=$version/" -e "s|^URL=.*|URL=file://$1|" -e '/^Referer=/d' \
                -e "s/^Size=.*/Size=$(stat -c %s "$1")/" -e 's/^SHA256=.*/SHA256=first-use/' "$(conf single "$SINGLE")" |
                awk '!(/^URL=/ && seen++)' > "$2"
}
wrap_row() {
        local file=${GN8V_RUNFILE:-} name=wrap-driver ours peer
        if [ -z "$file" ]; then
                file=$(find "$VENDOR/www" -name 'NVIDIA-Linux-*.run' | sort | head -n 1)
                name=wrap-driver-look-alike
        fi
        release_for "$(realpath "$file")" "$SCRATCH/release.conf"
        cat > "$SCRATCH/wrap.sh" <<WRAP
rm -rf "$SCRATCH/into" "$SCRATCH/lists"
exec "$REPO" -q wrap --release "$SCRATCH/release.conf" --artifact driver --into "$SCRATCH/into" --lists "$SCRATCH/lists" "$file"
WRAP
        ours=$(measure 3 sh "$SCRATCH/wrap.sh")
        peer=$(measure 3 sh -c "rm -rf '$SCRATCH/noexec'; sh '$file' --noexec --target '$SCRATCH/noexec' --nox11" 2>/dev/null)
        row "$name" "sh X.run --noexec --target" null "$ours" "$peer"
}

small_packages() { # DIR N
        local top=$SCRATCH/small i
        {
                printf 'Name: small\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\nAutoReqProv: no\n%%description\ns\n'
                for ((i = 0; i < $2; i++)); do printf '%%package p%d\nSummary: s\n%%description p%d\ns\n' "$i" "$i"; done
                printf '%%install\nmkdir -p %%{buildroot}/opt/s\nfor i in $(seq 0 %d); do head -c 40000 /dev/urandom > %%{buildroot}/opt/s/$i; done\n' "$(($2 - 1))"
                for ((i = 0; i < $2; i++)); do printf '%%files p%d\n/opt/s/%d\n' "$i" "$i"; done
        } > "$SCRATCH/small.spec"
        rpmbuild -bb --quiet --define "_topdir $top" --define '_rpmformat 4' "$SCRATCH/small.spec" >&2 2>/dev/null
        mkdir -p "$1"
        mv "$top"/RPMS/noarch/*.rpm "$1/"
}
publish_row() {
        local n=200 ws=$SCRATCH/ws file ours peer
        mkdir -p "$ws"
        cp -a "$WORKSPACE"/packages "$WORKSPACE"/locks "$WORKSPACE"/store "$ws/"
        small_packages "$SCRATCH/few" $n
        for file in "$SCRATCH"/few/*.rpm; do
                cp "$file" "$ws/packages/"
                printf '{"package": "%s", "sha256": "%s", "artifact": null, "artifact_sha256": null, "releases": []}\n' \
                        "$(basename "$file")" "$(sha256sum "$file" | cut -d' ' -f1)" > "$ws/packages/$(basename "$file").json"
        done
        cat > "$SCRATCH/publish.sh" <<PUBLISH
rm -rf "$SCRATCH/published"
exec "$REPO" -q -C "$ws" --releases "$VENDOR/releases" publish --repo "$SCRATCH/published" --key "$KEY" --gnupghome "$KEYHOME" --platform "$CACHE/platform.provides" --platform "$CACHE/builder.provides"
PUBLISH
        cat > "$SCRATCH/peer.sh" <<PEER
set -e
rm -rf "$SCRATCH/peer"; mkdir "$SCRATCH/peer"
cp "$ws"/packages/*.rpm "$SCRATCH/peer/"
rpmsign --addsign --define '__gpg /usr/bin/gpg' --define '_gpg_path $KEYHOME' --define '_gpg_name $KEY' --define '_gpg_digest_algo sha256' "$SCRATCH"/peer/*.rpm >/dev/null 2>&1
createrepo_c --quiet --no-database "$SCRATCH/peer"
gpg --homedir "$KEYHOME" --batch --yes --local-user $KEY --armor --detach-sign "$SCRATCH/peer/repodata/repomd.xml"
PEER
        ours=$(measure 1 sh "$SCRATCH/publish.sh")
        peer=$(measure 1 sh "$SCRATCH/peer.sh")
        row "publish-$n-small" "rpmsign, createrepo_c, gpg" null "$ours" "$peer"
        openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out "$SCRATCH/key.pem" 2>/dev/null ||
                openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out "$SCRATCH/key.pem" 2>/dev/null
        sed -i "s|--key [0-9A-F]* --gnupghome [^ ]*|--key-file $SCRATCH/key.pem --user-id Bench --key-created 2025-01-01|" "$SCRATCH/publish.sh"
        ours=$(measure 1 sh "$SCRATCH/publish.sh")
        row "publish-$n-small-openssl" "rpmsign, createrepo_c, gpg" null "$ours" "$peer"
}

# A simulated system of 8 GPUs and 4 switches, offline; and only its signatures and chains by openssl's command, one device after the other.
attest_row() {
        local dir=$SCRATCH/attest ours peer
        "$BUILD/tests/attest-sim" "$dir"
        python3 - "$dir" > "$SCRATCH/openssl.sh" <<'PYTHON'
import base64, json, sys
d = sys.argv[1]
number = lambda b: (lambda v: b"\x02" + bytes([len(v)]) + v)((b"\0" if b.lstrip(b"\0")[0] > 127 else b"") + b.lstrip(b"\0"))
end = "-----END CERTIFICATE-----\n"
print("set -e")
for i, device in enumerate(json.load(open(d + "/gpu_evidence.json")) + json.load(open(d + "/switch_evidence.json"))):
    report = base64.b64decode(device["evidence"])
    certs = [c + end for c in base64.b64decode(device["certificate"]).decode().split(end)[:-1]]
    both = number(report[-96:-48]) + number(report[-48:])
    for name, data in (("report", report[:-96]), ("signature", b"\x30" + bytes([len(both)]) + both), ("leaf", certs[0].encode()),
                       ("between", "".join(certs[1:-1]).encode()), ("root", certs[-1].encode())):
        open("%s/%d.%s" % (d, i, name), "wb").write(data)
    at = "%s/%d" % (d, i)
    print("openssl verify -no_check_time -CAfile %s.root -untrusted %s.between %s.leaf" % (at, at, at))
    print("openssl x509 -in %s.leaf -noout -pubkey > %s.key" % (at, at))
    print("openssl dgst -sha384 -verify %s.key -signature %s.signature %s.report" % (at, at, at))
PYTHON
        ours=$(GN8V_SIM_ROOTS=$dir/roots measure 5 "$BUILD/tests/gn8v-tee-attest-sim" -q verify --at 2025-06-15T15:06:40Z --rim-dir "$dir/rims" \
                "$dir/gpu_evidence.json" "$dir/switch_evidence.json")
        peer=$(measure 3 sh "$SCRATCH/openssl.sh")
        row attest-8-gpus-4-switches "openssl verify, dgst (chains and reports only)" 0.15 "$ours" "$peer"
}

# The whole of it against servers 50 ms away: all at once, and in the order of NVIDIA's tools, one request after the other: for each device
# its certificates, each manifest and the certificates of its signer; 116 requests, of which many ask the same again.
attest_online_row() (
        local ours peer
        . "$SOURCE/tests/e2e/attest-servers.sh"
        start_servers
        trap 'kill "$FRONT"' EXIT
        behave delay 50
        cat > "$SCRATCH/sequential.py" <<'PYTHON'
import glob, http.client, subprocess, sys
sim, port = sys.argv[1], int(sys.argv[2])
def request(issuer, cert):
    return subprocess.run(["openssl", "ocsp", "-sha384", "-issuer", issuer, "-cert", cert, "-reqout", "-"], capture_output=True, check=True).stdout
def post(body):
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request("POST", "/", body, {"Content-Type": "application/ocsp-request"})
    assert c.getresponse().read()
def get(path):
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request("GET", path)
    assert c.getresponse().read()
o = sim + "/ocsp/"
device = [request(o + "gpu-ica.pem", o + "gpu-ica-responder.pem"), request(o + "identity.pem", o + "gpu-ica.pem"), request(o + "device-root.pem", o + "identity.pem")]
signer = [request(o + "rim-l3.pem", o + "rim-l3-responder.pem"), request(o + "rim-ca.pem", o + "rim-l3.pem"), request(o + "rim-root.pem", o + "rim-ca.pem")]
rims = sorted(p[len(sim):] for p in glob.glob(sim + "/v1/rim/*"))
n = 0
for kind in ["gpu"] * 8 + ["switch"] * 4:
    for body in device:
        post(body); n += 1
    for rim in rims[:2] if kind == "gpu" else rims[2:]:
        get(rim); n += 1
        for body in signer:
            post(body); n += 1
assert n == 116, n
PYTHON
        ours=$(measure 5 "$ATTEST" -q verify --config "$SCRATCH/attest.conf" --ocsp online --nonce "$(cat "$SIM/nonce")" --gpus 8 --switches 4 \
                "$SIM/gpu_evidence.json" "$SIM/switch_evidence.json")
        peer=$(measure 1 python3 "$SCRATCH/sequential.py" "$SIM" "$FRONT_PORT")
        row attest-online "116 requests one by one, same servers, 50 ms each" 0.5 "$ours" "$peer"
)

# The machine that the demonstration installs; before the workspace, which shares the look-alikes with it.
[ -e "$BUILD/demo/root/usr/share/gn8v-tee/release.conf" ] || "$SOURCE/tests/demo.sh" "$BUILD"/gn8v-tee-*.tar.gz >&2
base_root >&2
workspace >&2
status_row
status_gpu_row
wrap_row
publish_row
attest_row
attest_online_row
