#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copies of repositories: through an air gap (export, import), over the network (mirror), and their readers.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"

export_repo() { tee_repo export --key "$KEY" --gnupghome "$KEYS" "$@"; }
import_repo() { "$REPO" -C /var/empty import --key "$KEY" "$@"; }
# whole DIR: by itself; no workspace is here that says what has to be in it.
whole() { expect 11 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$1"; }
state_of() { (cd "$1" && find packages repodata -type f -exec sha256sum {} + | sort | sha256sum); }
# tampered PROGRAM: rewrites a copy of bundle.tar, whose members are in the list m of [TarInfo, bytes]; prints its name.
tampered() {
        python3 - "$1" <<'PY'
import io, sys, tarfile
with tarfile.open("bundle.tar") as t:
    m = [[i, t.extractfile(i).read() if i.isreg() else b""] for i in t]
def find(name): return next(x for x in m if x[0].name.endswith(name))
exec(sys.argv[1])
with tarfile.open("tampered.tar", "w", format=tarfile.PAX_FORMAT) as t:
    for i, data in m:
        i.size = len(data)
        t.addfile(i, io.BytesIO(data))
PY
}

# Three generations of a small repository, and their bundles; copied by the scenarios.
make_air_gap() {
        local n
        begin gap
        for n in 1 2 3; do
                rm -f packages/gn8v-tee-helper-*
                package gn8v-tee-helper 1.$n
                publish --baseurl http://outside.example/repo
                export_repo "bundle$n.tar"
        done
        export_repo --since 2 delta3.tar
        rm -rf rpmbuild
}
gap() { rm -rf "$SCRATCH/this" && cp -a "$SCRATCH/gap" "$SCRATCH/this" && cd "$SCRATCH/this"; }

air_gap() {
        gap
        expect 0 import_repo bundle1.tar --repo inside --baseurl http://inside.example/a
        said 'generation 1, [0-9]+ packages, [0-9]+ of them new'
        cmp inside/repodata/repomd.xml repo/generations/1/repomd.xml
        grep -q '^baseurl=http://inside.example/a$' inside/gn8v-tee.repo
        grep -q '^gpgkey=http://inside.example/a/RPM-GPG-KEY-gn8v-tee ' inside/gn8v-tee.repo
        whole inside
        # The key of what is there is the pin, and its place stays.
        expect 0 "$REPO" import bundle2.tar --repo inside
        grep -q '^baseurl=http://inside.example/a$' inside/gn8v-tee.repo
        expect 0 "$REPO" --json import delta3.tar --repo inside
        [ "$(python3 -c 'import json, sys; j = json.load(sys.stdin); print(j["generation"], j["new"], j["changed"])' < <(grep -v '^+' "$SCRATCH/output"))" = '3 1 True' ]
        whole inside
        [ "$(state_of inside)" = "$(state_of repo)" ]
        expect 0 "$REPO" import bundle3.tar --repo inside
        said 'nothing to do'
        [ ! -e inside/.stage ]
        # Older ones are a replay, unless somebody means it.
        expect 3 "$REPO" import bundle2.tar --repo inside
        said 'is not newer than generation 3'
        expect 0 "$REPO" import bundle2.tar --repo inside --allow-older
        cmp inside/repodata/repomd.xml repo/generations/2/repomd.xml
        whole inside
        expect 0 "$REPO" import delta3.tar --repo inside
        cmp inside/repodata/repomd.xml repo/repodata/repomd.xml
        [ "$(find bundle3.tar delta3.tar -printf '%s\n' | sort -n | uniq | wc -l)" = 2 ]
        # The same state, the same bytes; nothing of this machine in them.
        export_repo again.tar
        cmp again.tar bundle3.tar
        [ "$(tar -tvf bundle3.tar | awk '{ print $1, $2 }' | sort -u)" = '-rw-r--r-- 0/0' ]
        [ "$(tar -tf bundle3.tar | head -3 | tr '\n' ' ')" = 'manifest.json manifest.json.asc manifest.json.key ' ]
        # By hand, without this program: gpg and sha256sum are enough.
        mkdir by-hand && tar -xf bundle3.tar -C by-hand && cd by-hand
        gpg --homedir "$KEYS" --batch --verify manifest.json.asc manifest.json
        python3 -c 'import json; [print(f["sha256"] + "  " + f["path"]) for f in json.load(open("manifest.json"))["files"]]' | sha256sum -c --quiet
}

refused_bundles() {
        local before
        gap
        expect 2 "$REPO" import bundle1.tar --repo inside
        said 'name the full fingerprint'
        expect 5 import_repo --key "$VENDOR" bundle1.tar --repo inside
        [ ! -e inside ] || die "it was touched before the signature was right"
        expect 1 import_repo delta3.tar --repo inside
        said 'is left out, and'
        [ ! -e inside/repodata ] && [ ! -e inside/.stage ]
        import_repo bundle1.tar --repo inside
        before=$(state_of inside)
        cp bundle2.tar bundle.tar
        bad() { # STATUS PROGRAM
                tampered "$2"
                expect "$1" "$REPO" import tampered.tar --repo inside
                [ "$(state_of inside)" = "$before" ] || die "the repository has changed: $2"
                [ ! -e inside/.stage ] || die "something was left behind: $2"
        }
        # Signed by somebody else, whose key is in the file; not signed; another manifest under the same signature.
        tee_repo publish --key "$VENDOR" --gnupghome "$KEYS" --platform platform.provides --repo foreign
        tee_repo export --key "$VENDOR" --gnupghome "$KEYS" --repo foreign foreign.tar
        expect 5 "$REPO" import foreign.tar --repo inside
        said 'it was exported with key'
        bad 5 'm[0][1] = m[0][1].replace(b"\"since\": 0", b"\"since\": 1")'
        bad 5 'm[1][1] = open("repo/repodata/repomd.xml.asc", "rb").read()'
        bad 6 'del m[1]'
        bad 6 'm[2][1] = b"nonsense"'
        # Members: changed, missing, one more, another order, another name, a link, a way out.
        bad 5 'x = find(".rpm"); x[1] = x[1][:-1] + bytes([x[1][-1] ^ 1])'
        bad 5 'x = find("-primary.xml.gz"); x[1] = x[1][:-1] + bytes([x[1][-1] ^ 1])'
        bad 6 'x = find(".rpm"); x[1] += b"x"'
        bad 6 'x = find(".rpm"); x[1] = x[1][:-1]'
        bad 6 'del m[-1]'
        bad 6 'del m[4]'
        bad 6 'm.append(m[-1])'
        bad 6 'm[-1], m[-2] = m[-2], m[-1]'
        bad 6 'm[-1][0].name = "packages/../../x.rpm"'
        bad 6 'm[-1][0].name = "/tmp/x.rpm"'
        bad 6 'm[-1][0].name = "packages/other.rpm"'
        bad 6 'm[-1][0].type = tarfile.SYMTYPE; m[-1][0].linkname = "/etc/passwd"; m[-1][1] = b""'
        bad 6 'm[-1][0].type = tarfile.FIFOTYPE; m[-1][1] = b""'
        bad 6 'm[0][0].type = tarfile.LNKTYPE; m[0][0].linkname = "x"; m[0][1] = b""'
        bad 6 'm[0][1] = b"x" * (65 << 20)'
        # Cut anywhere, or no tar at all.
        for size in 0 1 511 5000 20000 $(($(stat -c %s bundle2.tar) - 30000)); do
                head -c "$size" bundle2.tar > cut.tar
                expect 6 "$REPO" import cut.tar --repo inside
        done
        expect 6 "$REPO" import /dev/null --repo inside
        expect 1 "$REPO" import nowhere.tar --repo inside
        [ "$(state_of inside)" = "$before" ]
        # What the exporter signed has to hold by itself: a bundle made of two generations, signed anew by the same key.
        for swap in 'x = find("repomd.xml"); x[1] = open("repo/repodata/repomd.xml", "rb").read()' \
                'x = find("generation.json"); x[1] = x[1].replace(b"\"generation\": 2", b"\"generation\": 7")' \
                'import re; x = find("generation.json"); x[1] = re.sub(b"\"header_sha256\": \"....", b"\"header_sha256\": \"0000", x[1])'; do
                tampered "$swap"'
import hashlib, json, subprocess
j = json.loads(m[0][1])
for f, x in zip(j["files"], m[2:]):
    f["size"], f["sha256"] = len(x[1]), hashlib.sha256(x[1]).hexdigest()
m[0][1] = json.dumps(j).encode()
open("m.json", "wb").write(m[0][1])
subprocess.run(["gpg", "--homedir", "'"$KEYS"'", "--batch", "--yes", "--armor", "--local-user", "'"$KEY"'", "--detach-sign", "-o", "m.asc", "m.json"], check=True)
m[1][1] = open("m.asc", "rb").read()'
                refuses "$REPO" import tampered.tar --repo inside
                [ "$(state_of inside)" = "$before" ] || die "the repository has changed: $swap"
        done
        exec 9> inside/.lock
        flock 9
        expect 9 "$REPO" import bundle2.tar --repo inside
        exec 9>&-
        expect 0 "$REPO" import bundle2.tar --repo inside
}

refused_exports() {
        gap
        expect 5 tee_repo export --key "$VENDOR" --gnupghome "$KEYS" out.tar
        said 'was signed by key'
        expect 1 export_repo --generation 9 out.tar
        expect 2 export_repo --since 3 out.tar
        expect 2 export_repo
        expect 2 export_repo --since elsewhere out.tar
        printf x >> "$(find repo/packages -name 'gn8v-tee-helper-1.3*')"
        expect 5 export_repo out.tar
        said 'not the file that generation 3'
        [ -z "$(find . -name '*out.tar*')" ] || die "a broken export was left"
        echo "<!-- -->" >> repo/generations/2/repomd.xml
        expect 5 export_repo --generation 2 out.tar
        (exec 9> .out.tar.new && flock 9 && expect 9 export_repo --generation 1 out.tar)
        expect 0 export_repo --generation 1 out.tar
        cmp out.tar bundle1.tar
        expect 1 export_repo --generation 1 /nowhere/out.tar
}

full_disks() {
        gap
        mkdir small && mount -t tmpfs -o size=40k tmpfs small
        CLEANUPS+=("umount '$PWD/small'")
        expect 8 import_repo bundle1.tar --repo small/repo
        [ ! -e small/repo/repodata ] && [ ! -e small/repo/.stage ]
        expect 8 export_repo small/out.tar
        [ -z "$(find small -name '*tar*')" ]
        umount small
        # Found out in the middle of writing, not before it: the old state stands, and with room the next run ends.
        mount -t tmpfs -o size=400k tmpfs small
        import_repo bundle1.tar --repo small/repo
        before=$(state_of small/repo)
        head -c "$(($(df --output=avail -B1 small | tail -1) - 16384))" /dev/zero > small/ballast
        expect 8 import_repo bundle2.tar --repo small/repo
        [ "$(state_of small/repo)" = "$before" ]
        rm small/ballast
        expect 0 import_repo bundle2.tar --repo small/repo
        whole small/repo
        umount small
}

# consistent DIR: that a client finds a whole state there, whichever.
consistent() {
        python3 - "$1" <<'PY'
import gzip, hashlib, re, sys
repo = sys.argv[1] + "/"
repomd = open(repo + "repodata/repomd.xml").read()
for digest, name in re.findall(r'<checksum type="sha256">([0-9a-f]+)</checksum>.*?<location href="([^"]+)"', repomd, re.S):
    assert hashlib.sha256(open(repo + name, "rb").read()).hexdigest() == digest, name
name = re.search(r'href="(repodata/[^"]*-primary.xml.gz)"', repomd)[1]
for digest, href in re.findall(r'pkgid="YES">([0-9a-f]{64})<.*?<location href="([^"]+)"', gzip.open(repo + name).read().decode(), re.S):
    assert hashlib.sha256(open(repo + href, "rb").read()).hexdigest() == digest, href
PY
}
# killed_everywhere OLD PREPARE CHECK COMMAND...: kills COMMAND at its every write-side system call (each kind counted from 1 until it ends by itself).
# PREPARE makes the state before, CHECK judges what is left and the next run. The number of kills is $KILLS.
CALLS='openat mkdirat write pwrite64 ftruncate linkat renameat renameat2 rename fsync fdatasync unlinkat fchmod fchmodat'
killed_everywhere() {
        local prepare=$1 check=$2 call when rc step
        shift 2
        KILLS=0
        for call in $CALLS; do
                step=1
                for ((when = 1; when < 5000; when += step)); do
                        $prepare
                        rc=0
                        # Only what is traced is tampered with; leaks cannot be looked for in a traced process.
                        ASAN_OPTIONS=detect_leaks=0 strace -o trace -e trace="$call" -e inject="$call:signal=KILL:when=$when" "$@" > killed.log 2>&1 || rc=$?
                        if [ "$rc" = 0 ]; then break; fi
                        [ "$rc" = 137 ] || die "exit status $rc at $call $when: $(cat killed.log)"
                        KILLS=$((KILLS + 1))
                        $check || die "after a kill at $call $when"
                        # Most opens and writes are alike: every one of the first, then some.
                        if [ -z "${GN8V_EVERY:-}" ] && [ "$when" -ge 6 ]; then step=$((when / 3)); fi
                done
        done
}

imports_killed() {
        gap
        import_repo bundle1.tar --repo inside
        export_repo --since 1 delta.tar
        cp -a inside inside.old
        old=$(sha256sum < inside/repodata/repomd.xml)
        new=$(sha256sum < repo/repodata/repomd.xml)
        before() { rm -rf inside && cp -a inside.old inside; }
        after() {
                local now
                now=$(sha256sum < inside/repodata/repomd.xml)
                [ "$now" = "$old" ] || [ "$now" = "$new" ]
                consistent inside
                "$REPO" -q import delta.tar --repo inside
                [ "$(sha256sum < inside/repodata/repomd.xml)" = "$new" ]
                consistent inside
                [ ! -e inside/.stage ]
                [ -z "$(find inside/packages -name '*helper*' | grep -v -e 'helper-1.[13]')" ]
        }
        killed_everywhere before after "$REPO" -q import delta.tar --repo inside
        echo "imports killed: $KILLS" >> "$LOGS/kills"
        [ "$KILLS" -ge 60 ] || die "only $KILLS runs were killed"
}

: > "$LOGS/kills"
make_keys
prepare make_template make_air_gap

scenario 'a state crosses an air gap, whole or as a difference' air_gap
scenario 'bundles that are not what was exported are refused' refused_bundles
scenario 'exports of what is not there as it was are refused' refused_exports
scenario 'full disks leave the old state' full_disks
scenario 'an import that is killed anywhere leaves old or new' imports_killed
sed 's/^/# /' "$LOGS/kills"
finish
