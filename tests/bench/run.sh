#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ours beside the named peer, in one run on this machine; one JSON line a row. Nothing fails because it is slow.
# GN8V_BENCH="publish sign": only these; 15 GB of disk are needed for all.
# GN8V_RUNFILE: a driver .run to wrap (or one in build/cache/real-driver/); without it the look-alike, whose figures say little.
set -euo pipefail
. "$(dirname "$0")/../e2e/lib.sh"
. "$SOURCE/tests/e2e/root.sh"
. "$SOURCE/tests/e2e/repo.sh"
. "$SOURCE/tests/e2e/gpu-machine.sh"
measure() { "$SOURCE/tests/bench/measure" "$@"; }

# row NAME PEER LIMIT OURS PEER'S: both as measure prints them; limit null where none is set
row() {
        local ours peer
        read -r -a ours <<< "$4"
        read -r -a peer <<< "$5"
        printf '{"bench": "%s", "peer": "%s", "ours_s": %s, "peer_s": %s, "ratio": %s, "limit": %s, "peak_rss_mb": %s, "ours_cpu_s": %s, "peer_cpu_s": %s}\n' \
                "$1" "$2" "${ours[0]}" "${peer[0]}" "$(awk -v a="${ours[0]}" -v b="${peer[0]}" 'BEGIN { printf "%.3f", (b > 0) ? a / b : 0 }')" "$3" "${ours[1]}" \
                "${ours[2]}" "${peer[2]}"
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
# From the vendor's file to packages: ours locked and fetched before, the peer as one does it by hand, with the same compression of the payload.
wrap_row() {
        local file=${GN8V_RUNFILE:-} name=wrap-driver limit=0.9 ours peer payload ws=$SCRATCH/wrap
        [ -n "$file" ] || file=$(find "$CACHE/real-driver" -name 'NVIDIA-Linux-*.run' 2>/dev/null | sort | tail -n 1)
        if [ -z "$file" ]; then
                file=$(find "$VENDOR/www" -name 'NVIDIA-Linux-*.run' | sort | head -n 1)
                name=wrap-driver-look-alike limit=null
        fi
        file=$(realpath "$file")
        mkdir -p "$ws/releases" "$ws/tree/top"
        release_for "$file" "$ws/release.conf"
        mv "$ws/release.conf" "$ws/releases/single-$(release_value "$ws/release.conf" Version).conf"
        "$REPO" -q -C "$ws" --releases "$ws/releases" lock
        "$REPO" -q -C "$ws" --releases "$ws/releases" fetch
        printf 'rm -rf "%s/packages"\nexec "%s" -q -C "%s" --releases "%s/releases" build --specs "%s/specs"\n' "$ws" "$REPO" "$ws" "$ws" "$SOURCE" > "$SCRATCH/ours.sh"
        ours=$(measure 2 sh "$SCRATCH/ours.sh")
        payload=$(rpm -qp --qf 'w%{PAYLOADFLAGS}.%{PAYLOADCOMPRESSOR}dio' "$ws"/packages/gn8v-tee-driver-*.rpm 2>/dev/null | sed 's/gzipdio/gzdio/; s/zstddio/zstdio/')
        printf 'Name: usual\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\nAutoReqProv: no\n%%description\nx\n%%install\nmkdir -p %%{buildroot}/opt/x\ncp -a %s/files/. %%{buildroot}/opt/x\n%%files\n/opt/x\n' \
                "$ws/tree" > "$ws/usual.spec"
        printf 'set -e\nrm -rf "%s/files"\nsh "%s" --noexec --target "%s/files" --nox11\n' "$ws/tree" "$file" "$ws/tree" > "$SCRATCH/peer.sh"
        printf "exec rpmbuild -bb --quiet --define '_topdir %s/top' --define '__os_install_post %%{nil}' --define 'debug_package %%{nil}' --define '_build_id_links none' --define '_binary_payload %s' '%s'\n" \
                "$ws/tree" "$payload" "$ws/usual.spec" >> "$SCRATCH/peer.sh"
        peer=$(measure 2 sh "$SCRATCH/peer.sh" 2>/dev/null)
        row "$name" "sh X.run --noexec, rpmbuild of the tree" "$limit" "$ours" "$peer"
        rm -rf "$ws"
}

# The repository. GN8V_BENCH_LARGE: MiB of each of the three large packages (1024); GN8V_BENCH_MANY: packages of the large repository (10000).
LARGE=${GN8V_BENCH_LARGE:-1024} MANY=${GN8V_BENCH_MANY:-10000}
PACKAGES=$CACHE/bench
packages() { # DIR PREFIX COUNT FILES SIZE [PAYLOAD]: made once
        local dir=$PACKAGES/$1
        [ -e "$dir.done" ] || { rm -rf "$dir"; "$SOURCE/tests/bench/packages" "$dir" "${@:2}" && touch "$dir.done"; }
}
workspace_of() { # NAME DIR...: a workspace with the look-alikes' packages and those of PACKAGES/DIR; hard links, nothing is copied
        local ws=$SCRATCH/$1 dir
        mkdir -p "$ws/packages"
        cp -al "$WORKSPACE"/packages/. "$ws/packages/" 2>/dev/null || cp -a "$WORKSPACE"/packages/. "$ws/packages/"
        cp -a "$WORKSPACE"/locks "$WORKSPACE"/store "$ws/"
        for dir in "${@:2}"; do cp -al "$PACKAGES/$dir"/. "$ws/packages/" 2>/dev/null || cp -a "$PACKAGES/$dir"/. "$ws/packages/"; done
        "$SOURCE/tests/bench/seal" "$ws/packages"
}
publish_script() { # FILE WORKSPACE REPO KEY-OPTIONS [COMMAND-BEFORE]
        printf '%s\nexec "%s" -q -C "%s" --releases "%s" publish --repo "%s" %s --platform "%s" --platform "%s"\n' "${5:-:}" "$REPO" "$2" "$VENDOR/releases" \
                "$3" "$4" "$CACHE/platform.provides" "$CACHE/builder.provides" > "$1"
}
# The peer signs in place: what it signs is copied before the clock starts.
peer_copy() { # WORKSPACE
        rm -rf "$SCRATCH/peer"
        mkdir "$SCRATCH/peer"
        cp "$1"/packages/*.rpm "$SCRATCH/peer/"
        sync
}
peer_publish() { # WORKSPACE: its figures
        peer_copy "$1"
        printf 'set -e\n%s "%s"/*.rpm >/dev/null 2>&1\ncreaterepo_c --quiet --no-database "%s"\n%s "%s/repodata/repomd.xml"\n' "$RPMSIGN" "$SCRATCH/peer" "$SCRATCH/peer" \
                "$SIGN_METADATA" "$SCRATCH/peer" > "$SCRATCH/peer.sh"
        measure 1 sh "$SCRATCH/peer.sh"
}

# The faster of two measurements: the peer's, which measure cannot repeat because each needs a copy of its own.
faster() {
        if awk -v a="${1%% *}" -v b="${2%% *}" 'BEGIN { exit !(a < b) }'; then echo "$1"; else echo "$2"; fi
}

publish_rows() {
        local peer ours
        packages few few 200 1 40000
        packages large large 3 1 $((LARGE << 20)) w0.gzdio
        workspace_of large-ws few large
        peer=$(peer_publish "$SCRATCH/large-ws")
        peer=$(faster "$peer" "$(peer_publish "$SCRATCH/large-ws")")
        rm -rf "$SCRATCH/peer"
        publish_script "$SCRATCH/publish.sh" "$SCRATCH/large-ws" "$SCRATCH/published" "$OPENSSL_KEY" \
                "rm -rf '$SCRATCH/published' '$SCRATCH/large-ws/store/signed' '$SCRATCH/large-ws/cache'"
        ours=$(measure 2 sh "$SCRATCH/publish.sh")
        row publish-cold "rpmsign, createrepo_c, gpg" 0.20 "$ours" "$peer"
        publish_script "$SCRATCH/publish.sh" "$SCRATCH/large-ws" "$SCRATCH/published" "$OPENSSL_KEY" "rm -rf '$SCRATCH/published'"
        ours=$(measure 3 sh "$SCRATCH/publish.sh")
        row publish-carried "rpmsign, createrepo_c, gpg" 0.05 "$ours" "$peer"
        rm -rf "$SCRATCH/published" "$SCRATCH/large-ws/store/signed"
        publish_script "$SCRATCH/publish.sh" "$SCRATCH/large-ws" "$SCRATCH/published" "$GPG_KEY"
        ours=$(measure 1 sh "$SCRATCH/publish.sh")
        row publish-cold-gpg "rpmsign, createrepo_c, gpg" null "$ours" "$peer"
        rm -rf "$SCRATCH/published" "$SCRATCH/peer" "$SCRATCH/large-ws"
}

# Ours does all of a publish there; the peer only signs.
sign_row() {
        local ours peer=
        packages five-hundred five 500 1 20000
        workspace_of sign-ws five-hundred
        publish_script "$SCRATCH/publish.sh" "$SCRATCH/sign-ws" "$SCRATCH/signed" "$OPENSSL_KEY" "rm -rf '$SCRATCH/signed' '$SCRATCH/sign-ws/store/signed' '$SCRATCH/sign-ws/cache'"
        ours=$(measure 2 sh "$SCRATCH/publish.sh")
        printf '%s "%s"/*.rpm >/dev/null 2>&1\n' "$RPMSIGN" "$SCRATCH/peer" > "$SCRATCH/peer.sh"
        for _ in 1 2; do
                rm -rf "$SCRATCH/peer"
                mkdir "$SCRATCH/peer"
                cp "$PACKAGES"/five-hundred/*.rpm "$SCRATCH/peer/"
                peer=$(faster "${peer:-1e9 0 0}" "$(measure 1 sh "$SCRATCH/peer.sh")")
        done
        row sign-500 "rpmsign --addsign with gpg-agent" 0.20 "$ours" "$peer"
        rm -rf "$SCRATCH/signed" "$SCRATCH/peer" "$SCRATCH/sign-ws"
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

index_row() {
        local ours peer
        packages fifteen-hundred mid 1500 20 2000
        rm -rf "$SCRATCH/peer" && mkdir "$SCRATCH/peer"
        cp "$PACKAGES"/fifteen-hundred/*.rpm "$SCRATCH/peer/"
        printf 'rm -rf "%s/ours"; exec "%s" "%s" "%s/ours"\n' "$SCRATCH" "$BUILD/tests/bench/bench-index" "$SCRATCH/peer" "$SCRATCH" > "$SCRATCH/ours.sh"
        printf 'rm -rf "%s/repodata"; exec createrepo_c --quiet --no-database "%s"\n' "$SCRATCH/peer" "$SCRATCH/peer" > "$SCRATCH/peer.sh"
        ours=$(measure 7 sh "$SCRATCH/ours.sh") peer=$(measure 7 sh "$SCRATCH/peer.sh")
        row index-1500 createrepo_c 0.80 "$ours" "$peer"
}

# dnf's repoclosure and reposync are plugins; a distribution that does not have them installed need not get them for this.
dnf_plugins() {
        local plugins=$CACHE/dnf-plugins
        if [ ! -e "$plugins/usr/lib/python3/dist-packages/dnf-plugins/repoclosure.py" ]; then
                mkdir -p "$plugins/deb"
                (cd "$plugins/deb" && apt-get download -qq dnf-plugins-core >&2) || return 1
                dpkg -x "$plugins"/deb/dnf-plugins-core_*.deb "$plugins"
        fi
        printf '[main]\nreposdir=/nonexistent\ncachedir=%s/dnf-cache\nplugins=1\npluginpath=%s/usr/lib/python3/dist-packages/dnf-plugins\nlogdir=%s\n' \
                "$SCRATCH" "$plugins" "$SCRATCH" > "$SCRATCH/dnf.conf"
        DNF="env PYTHONPATH=$plugins/usr/lib/python3/dist-packages dnf -q -c $SCRATCH/dnf.conf --releasever=3 --repo=x"
}
# Ours keeps nothing from one run to the next; dnf keeps what it has read, as libsolv's own file. So both ways are shown.
proof_row() {
        local ours peer
        packages fifteen-hundred mid 1500 20 2000
        rm -rf "$SCRATCH/peer" && mkdir "$SCRATCH/peer"
        cp "$PACKAGES"/fifteen-hundred/*.rpm "$SCRATCH/peer/"
        createrepo_c --quiet --no-database "$SCRATCH/peer"
        # The releases' metapackages are not in it: what is measured ends with status 10 for that alone.
        printf '"%s" -q -C "%s" --releases "%s" solve --repo "%s" --platform "%s"\n[ $? = 10 ]\n' "$REPO" "$SCRATCH" "$VENDOR/releases" "$SCRATCH/peer" \
                "$CACHE/platform.provides" > "$SCRATCH/ours.sh"
        ours=$(measure 7 sh "$SCRATCH/ours.sh" 2>/dev/null)
        if ! dnf_plugins; then echo "closure-1500: dnf's repoclosure cannot be had" >&2; return 0; fi
        printf 'rm -rf "%s/dnf-cache"; exec %s --repofrompath=x,file://%s repoclosure\n' "$SCRATCH" "$DNF" "$SCRATCH/peer" > "$SCRATCH/peer.sh"
        row closure-1500 "dnf repoclosure" 0.05 "$ours" "$(measure 5 sh "$SCRATCH/peer.sh")"
        sed -i 's/^rm [^;]*; //' "$SCRATCH/peer.sh"
        row closure-1500-again "dnf repoclosure, from its cache" null "$ours" "$(measure 5 sh "$SCRATCH/peer.sh")"
        rm -rf "$SCRATCH/peer"
}

many_rows() {
        local ours peer
        packages many many "$MANY" 20 300
        packages another another 2 20 300
        workspace_of many-ws many
        publish_script "$SCRATCH/publish.sh" "$SCRATCH/many-ws" "$SCRATCH/published" "$OPENSSL_KEY"
        sh "$SCRATCH/publish.sh"
        # One package more, one less: each run of either has one that changed.
        cat > "$SCRATCH/ours.sh" <<OURS
if [ -e "$SCRATCH/many-ws/packages/another-p0-1-1.noarch.rpm" ]
then rm "$SCRATCH/many-ws/packages/another-p0-1-1.noarch.rpm"*
else cp -p "$PACKAGES"/another/another-p0-1-1.noarch.rpm* "$SCRATCH/many-ws/packages/"
fi
$(cat "$SCRATCH/publish.sh")
OURS
        rm -rf "$SCRATCH/peer" && mkdir "$SCRATCH/peer"
        cp -l "$PACKAGES"/many/*.rpm "$SCRATCH/peer/" 2>/dev/null || cp "$PACKAGES"/many/*.rpm "$SCRATCH/peer/"
        createrepo_c --quiet --no-database "$SCRATCH/peer"
        cat > "$SCRATCH/peer.sh" <<PEER
if [ -e "$SCRATCH/peer/another-p0-1-1.noarch.rpm" ]
then rm "$SCRATCH/peer/another-p0-1-1.noarch.rpm"
else cp -p "$PACKAGES"/another/another-p0-1-1.noarch.rpm "$SCRATCH/peer/"
fi
exec createrepo_c --quiet --no-database --update "$SCRATCH/peer"
PEER
        ours=$(measure 20 sh "$SCRATCH/ours.sh") peer=$(measure 20 sh "$SCRATCH/peer.sh")
        row "republish-$MANY-one-changed" "createrepo_c --update" 0.10 "$ours" "$peer"
        # The repository alone: without a workspace not all can be checked, which status 11 says.
        mkdir -p "$SCRATCH/empty" "$SCRATCH/db"
        rpmkeys --define "_dbpath $SCRATCH/db" --import "$SCRATCH"/published/RPM-GPG-KEY-*
        printf '"%s" -q -C "%s/empty" --releases "%s" verify --repo "%s"\n[ $? = 11 ]\n' "$REPO" "$SCRATCH" "$VENDOR/releases" "$SCRATCH/published" > "$SCRATCH/ours.sh"
        cat > "$SCRATCH/peer.sh" <<PEER
rm -rf "$SCRATCH/again"; mkdir "$SCRATCH/again"
createrepo_c --quiet --no-database -x nothing --outputdir "$SCRATCH/again" "$SCRATCH/published"
# One after the other, each of them: nothing is extrapolated.
for f in "$SCRATCH"/published/packages/*.rpm; do rpmkeys --define "_dbpath $SCRATCH/db" --checksig "\$f" || exit; done
PEER
        ours=$(measure 2 sh "$SCRATCH/ours.sh" 2>/dev/null) peer=$(measure 1 sh "$SCRATCH/peer.sh")
        row "verify-$MANY" "createrepo_c, rpmkeys --checksig of each" 0.20 "$ours" "$peer"
        rm -rf "$SCRATCH/published" "$SCRATCH/peer" "$SCRATCH/many-ws" "$SCRATCH/again"
}

# Three files of 1 GiB, which are packages, so that dnf can fetch them, too.
fetch_row() {
        local ours peer kind i=0 www=$SCRATCH/fetch/www file
        packages large large 3 1 $((LARGE << 20)) w0.gzdio
        mkdir -p "$SCRATCH/fetch/releases" "$www"
        sed '/^\[Artifact/,$d' "$(conf single "$SINGLE")" > "$SCRATCH/fetch/release"
        serve "$www"
        for kind in driver cuda cublas; do
                file=$PACKAGES/large/large-p$((i++))-1-1.noarch.rpm
                ln "$file" "$www/" 2>/dev/null || cp "$file" "$www/"
                printf '[Artifact %s]\nKind=%s\nVersion=1.2.%d\nURL=http://127.0.0.1:%d/%s\nSize=%d\nSHA256=%s\nLicence=LicenseRef-Test\nRedistributable=no\n' \
                        "$kind" "$kind" "$i" "$PORT" "${file##*/}" "$(stat -c %s "$file")" "$(sed 's/.*"sha256": "\([0-9a-f]*\)".*/\1/' "$file.json")" >> "$SCRATCH/fetch/release"
        done
        createrepo_c --quiet --no-database "$www"
        mv "$SCRATCH/fetch/release" "$SCRATCH/fetch/releases/$(basename "$(conf single "$SINGLE")")"
        "$REPO" -q -C "$SCRATCH/fetch" --releases "$SCRATCH/fetch/releases" lock
        printf 'rm -rf "%s"/store\nexec "%s" -q -C "%s" --releases "%s/releases" fetch\n' "$SCRATCH/fetch" "$REPO" "$SCRATCH/fetch" "$SCRATCH/fetch" > "$SCRATCH/ours.sh"
        printf 'set -e; rm -rf "%s/curl"; mkdir "%s/curl"; cd "%s/curl"\nfor i in 0 1 2; do curl -s -O http://127.0.0.1:%d/large-p$i-1-1.noarch.rpm; done\nsha256sum ./*.rpm\n' \
                "$SCRATCH/fetch" "$SCRATCH/fetch" "$SCRATCH/fetch" "$PORT" > "$SCRATCH/peer.sh"
        ours=$(measure 2 sh "$SCRATCH/ours.sh")
        rm -rf "$SCRATCH/fetch/store"
        peer=$(measure 2 sh "$SCRATCH/peer.sh")
        row fetch-3-gb "curl, sha256sum" 0.60 "$ours" "$peer"
        rm -rf "$SCRATCH/fetch/curl"
        if dnf_plugins; then
                printf 'rm -rf "%s/dnf-cache" "%s/sync"\nexec %s --repofrompath=x,http://127.0.0.1:%d/ reposync --download-path "%s/sync"\n' \
                        "$SCRATCH" "$SCRATCH/fetch" "$DNF" "$PORT" "$SCRATCH/fetch" > "$SCRATCH/peer.sh"
                row fetch-3-gb-reposync "dnf reposync" 0.60 "$ours" "$(measure 2 sh "$SCRATCH/peer.sh")"
        fi
        rm -rf "$SCRATCH/fetch"
}

ROWS=${GN8V_BENCH:-status status_gpu wrap publish sign index proof many fetch attest attest_online}
# The machine that the demonstration installs; before the workspace, which shares the look-alikes with it.
[[ $ROWS != *status* ]] || [ -e "$BUILD/demo/root/usr/share/gn8v-tee/release.conf" ] || "$SOURCE/tests/demo.sh" "$BUILD"/gn8v-tee-*.tar.gz >&2
base_root >&2
workspace >&2
openssl genrsa -out "$SCRATCH/key.pem" 4096 2>/dev/null
OPENSSL_KEY="--key-file $SCRATCH/key.pem --user-id Bench --key-created 2025-01-01"
GPG_KEY="--key $KEY --gnupghome $KEYHOME"
RPMSIGN="rpmsign --addsign --define '__gpg /usr/bin/gpg' --define '_gpg_path $KEYHOME' --define '_gpg_name $KEY' --define '_gpg_digest_algo sha256'"
SIGN_METADATA="gpg --homedir $KEYHOME --batch --yes --local-user $KEY --armor --detach-sign"
mkdir -p "$PACKAGES"
for name in $ROWS; do
        case $name in
        publish) publish_rows ;;
        many) many_rows ;;
        *) "${name}_row" ;;
        esac
done
