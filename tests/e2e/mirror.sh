#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copies of repositories: through an air gap (export, import), over the network (mirror), and their readers.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"

export_repo() { tee_repo export --key "$KEY" --gnupghome "$KEYS" "$@"; }
import_repo() { "$REPO" -C . import --key "$KEY" "$@"; }
# whole DIR: by itself; no workspace is here that says what has to be in it.
whole() { expect 11 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$1"; }
fingerprints() { gpg --show-keys --with-colons "$1" | awk -F: '$1 == "pub" { p = 1 } $1 == "fpr" && p { print $10; p = 0 }' | paste -sd' '; }
verify_alone() { "$REPO" -C /var/empty --releases "$SOURCE/repo/releases" verify --repo "$@"; } # DIR [OPTION...]
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
        damage inside/packages/gn8v-tee-helper-1.3-1.noarch.rpm
        rm inside/generations/3/*primary.xml.gz inside/repodata/repomd.xml.key
        expect 0 "$REPO" import bundle3.tar --repo inside
        said 'generation 3 was not whole; repaired: 3 files'
        whole inside
        [ "$(state_of inside)" = "$(state_of repo)" ]
        expect 0 "$REPO" import bundle3.tar --repo inside --baseurl none --mirror-url http://m.example/a
        said 'is there already; changed beside it: repodata/metalink.xml, gn8v-tee.repo$'
        grep -q "^baseurl=file://$PWD/inside$" inside/gn8v-tee.repo
        expect 0 "$REPO" import bundle3.tar --repo inside --mirror-url none
        [ ! -e inside/.stage ]
        # An older one is a replay, also when the directory was lost, unless it is meant.
        expect 3 "$REPO" import bundle2.tar --repo inside
        mv inside lost
        expect 3 "$REPO" import --key "$KEY" bundle2.tar --repo inside
        said 'its generation is 2, and inside had 3 before'
        if [ -e inside/repodata ]; then die "a replay was published"; fi
        expect 0 "$REPO" import --key "$KEY" --allow-older bundle2.tar --repo inside
        expect 0 "$REPO" import bundle2.tar --repo inside
        # A metalink stays one, of each state.
        expect 0 "$REPO" import bundle2.tar --repo inside --mirror-url 'http://inside.example/a?b&c' --mirror-url http://inside.example/b
        grep -q "$(digest inside/repodata/repomd.xml)" inside/repodata/metalink.xml
        expect 0 "$REPO" import bundle3.tar --repo inside
        grep -q "$(digest inside/repodata/repomd.xml)" inside/repodata/metalink.xml
        grep -q 'preference="100">http://inside.example/a?b&amp;c/repodata/repomd.xml<' inside/repodata/metalink.xml
        grep -q 'preference="99">http://inside.example/b/repodata/repomd.xml<' inside/repodata/metalink.xml
        [ "$(state_of lost)" = "$(rm inside/repodata/metalink.xml && "$REPO" -q prune --repo inside --keep 1 && "$REPO" -q prune --repo lost --keep 1 && state_of inside)" ] ||
                [ "$(state_of lost)" = "$(state_of inside)" ]
        # Older ones are a replay, unless somebody means it.
        expect 3 "$REPO" import bundle2.tar --repo inside
        said 'is not newer than generation 3'
        expect 0 "$REPO" import bundle2.tar --repo inside --allow-older
        cmp inside/repodata/repomd.xml repo/generations/2/repomd.xml
        whole inside
        expect 0 "$REPO" import delta3.tar --repo inside
        cmp inside/repodata/repomd.xml repo/repodata/repomd.xml
        [ "$(find bundle3.tar delta3.tar -printf '%s\n' | sort -n | uniq | wc -l)" = 2 ]
        # A place of odd letters has a URL all the same, and keeps it.
        for n in 1 2; do
                expect 0 import_repo bundle$n.tar --repo 'in side ü%'
                grep -q "^baseurl=file://$PWD/in%20side%20%C3%BC%25$" 'in side ü%/gn8v-tee.repo'
        done
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
        expect 5 "$REPO" -C /var/empty import --key "$VENDOR" bundle1.tar --repo inside
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
        # What no digest covers, headers and the room between members, has one right value; also of the state that is there already.
        for at in $(python3 - bundle2.tar 8 <<'PY'
import random, sys, tarfile
places, end = [], 0
with tarfile.open(sys.argv[1]) as t:
    for m in t:
        end = m.offset_data + (m.size + 511) // 512 * 512
        places += [*range(m.offset, m.offset_data), *range(m.offset_data + m.size, end)]
random.seed(4)
print(*random.sample(places, int(sys.argv[2])), random.randrange(end, end + 1024))
PY
        ); do
                cp bundle2.tar bit.tar
                python3 -c 'import sys; f = open("bit.tar", "r+b"); at = int(sys.argv[1]); f.seek(at); b = f.read(1)[0]; f.seek(at); f.write(bytes([b ^ 4]))' "$at"
                expect 6 "$REPO" import bit.tar --repo inside
                [ "$(state_of inside)" = "$before" ] || die "the repository has changed: byte $at"
        done
        cp bundle1.tar bit.tar
        printf x | dd of=bit.tar bs=1 seek=$(($(stat -c %s bit.tar) - 1)) conv=notrunc status=none
        expect 6 "$REPO" import bit.tar --repo inside
        printf '%10240s' '' >> bundle1.tar
        expect 6 "$REPO" import bundle1.tar --repo inside
        truncate -s -10240 bundle1.tar
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
        mkdir folder
        for name in . folder folder/; do
                expect 2 export_repo --generation 1 "$name"
                said 'is a directory'
        done
        [ -z "$(ls -A folder)" ]
        expect 1 export_repo --generation 99999999999999999999 out2.tar
        said 'has no generation 99999999999999999999'
        expect 1 tee_repo diff 99999999999999999999
        said 'there are: 1, 2, 3'
}

# Packages that keep their vendor's signature: its key lies beside the repository, and a signer who is not named is told.
vendors_in_copies() {
        gap
        expect 5 "$REPO" mirror --key "$KEY" "file://$PWD/repo" copy
        said "signed by key $VENDOR, not by $KEY"
        said 'what was fetched so far is kept in copy/.mirror'
        [ "$(ls -A copy)" = .mirror ] || die "$(ls -A copy)"
        expect 1 tee_repo verify --key "$KEY" --repo copy
        said 'nothing is published there'
        # Metadata are enough to tell what would come.
        mv repo/packages away
        expect 0 "$REPO" mirror --key "$KEY" --key "$VENDOR" --dry-run "file://$PWD/repo" copy
        mv away repo/packages
        expect 11 "$REPO" mirror --key "$KEY" --key "${VENDOR//[0-4]/5}" --dry-run "file://$PWD/repo" copy
        expect 0 "$REPO" mirror --key "$KEY" --key "$VENDOR" "file://$PWD/repo" copy
        cmp copy/repodata/repomd.xml repo/repodata/repomd.xml
        # It has what makes it one of ours: of the keys those that were pinned, whatever lies beside the source; and so has a copy of it.
        cp -a repo strange
        cat "$SCRATCH/up/vendor.pub" >> strange/repodata/repomd.xml.key
        cat "$SCRATCH/up/ours.pub" >> strange/RPM-GPG-KEY-gn8v-tee-vendor
        cp "$SCRATCH/up/vendor.pub" strange/RPM-GPG-KEY-gn8v-tee
        sed -i 's/gpgcheck=1/gpgcheck=0/' strange/gn8v-tee.repo
        cp "$SCRATCH/up/vendor.pub" "$SCRATCH/up/ours.pub" .
        expect 0 "$REPO" mirror --key-file ours.pub --key-file vendor.pub --baseurl http://m.example/a/ "file://$PWD/strange" of-strange
        expect 0 "$REPO" mirror --key "$KEY" --key "$VENDOR" "file://$PWD/copy" again
        for copy in copy again of-strange; do
                [ "$(fingerprints "$copy/RPM-GPG-KEY-gn8v-tee") $(fingerprints "$copy/repodata/repomd.xml.key")" = "$KEY $KEY" ]
                [ "$(fingerprints "$copy/RPM-GPG-KEY-gn8v-tee-vendor")" = "$VENDOR" ]
                sed "s|^baseurl=.*|baseurl=file://$PWD/copy|; s|^gpgkey=.*|gpgkey=file://$PWD/copy/RPM-GPG-KEY-gn8v-tee file://$PWD/copy/RPM-GPG-KEY-gn8v-tee-vendor|" \
                        "$copy/gn8v-tee.repo" | cmp - copy/gn8v-tee.repo
        done
        grep -q '^gpgkey=http://m.example/a/RPM-GPG-KEY-gn8v-tee http://m.example/a/RPM-GPG-KEY-gn8v-tee-vendor$' of-strange/gn8v-tee.repo
        rm of-strange/RPM-GPG-KEY*
        expect 0 "$REPO" mirror --key-file ours.pub --key-file vendor.pub "file://$PWD/strange" of-strange
        said 'changed beside it: RPM-GPG-KEY-gn8v-tee, RPM-GPG-KEY-gn8v-tee-vendor$'
        cmp repo/repodata/repomd.xml.key copy/repodata/repomd.xml.key
        # Verified by those who made it, and by anybody who knows the keys.
        verify_copy() { verify_alone copy "$@"; }
        expect 0 verify_copy --key "$KEY" --key "$VENDOR"
        expect 11 verify_copy
        said "^unchecked +key +$VENDOR: found beside the repository"
        expect 11 verify_copy --key "$KEY"
        said "^unchecked +key +$VENDOR: --key does not name it"
        expect 5 verify_copy --key "$VENDOR"
        cp "$SCRATCH/up/ours.pub" copy/RPM-GPG-KEY-gn8v-tee-vendor
        expect 5 verify_copy --key "$KEY" --key "$VENDOR"
        said "signed by key $VENDOR, not by $KEY"
        rm copy/RPM-GPG-KEY-gn8v-tee-vendor
        expect 5 verify_copy --key "$KEY" --key "$VENDOR"
        said "vendor-manager.*not signed"
        expect 0 "$REPO" mirror --key "$KEY" --key "$VENDOR" "file://$PWD/repo" copy
        expect 0 verify_copy --key "$KEY" --key "$VENDOR"
        # What was lost or damaged since is fetched again, and takes its own place.
        damage copy/packages/vendor-manager-7.1-1.noarch.rpm 900
        rm copy/packages/gn8v-tee-helper-1.3-1.noarch.rpm copy/repodata/*primary.xml.gz copy/generations/1/repomd.xml.asc
        damage copy/repodata/repomd.xml.asc
        expect 6 verify_copy --key "$KEY" --key "$VENDOR"
        expect 0 "$REPO" mirror --key "$KEY" --key "$VENDOR" "file://$PWD/repo" copy
        said 'generation 1 was not whole; repaired: 5 files'
        said '^  packages/gn8v-tee-helper-1.3-1.noarch.rpm'
        expect 0 verify_copy --key "$KEY" --key "$VENDOR"
        expect 0 "$REPO" mirror --key "$KEY" --key "$VENDOR" "file://$PWD/repo" copy
        said 'nothing to copy'
        [ "$(ls copy/generations)" = 1 ]
        # An older state stays one, wherever it is served.
        import_repo bundle2.tar --repo older
        expect 3 "$REPO" mirror --key "$KEY" --key "$VENDOR" "file://$PWD/older" copy
        said 'its serial is 2, and 3 was seen before'
        # Somebody else's repository is not held against a workspace that has one of its packages.
        mkdir theirs && cp repo/packages/vendor-manager-7.1-* theirs
        createrepo_c --quiet theirs >&2
        expect 0 "$REPO" mirror --key-file vendor.pub --no-repo-signature "file://$PWD/theirs" of-theirs
        expect 11 tee_repo verify --key "$VENDOR" --repo of-theirs
        said 'the repository is a copy, and not of what this workspace has made'
        for word in '' relative ftp://a.example/ 'http://a b/'; do
                expect 2 "$REPO" mirror --key "$KEY" --key "$VENDOR" --baseurl "$word" "file://$PWD/repo" copy
                expect 2 publish --baseurl "$word"
                expect 2 import_repo --repo copy --baseurl "$word" bundle3.tar
        done
        # A copy is neither published to nor copied to itself, and no password is told to whoever reads it.
        expect 1 publish --repo copy
        said "it is a copy of file://$PWD/repo"
        expect 1 import_repo --repo copy --allow-older bundle3.tar
        expect 2 "$REPO" mirror --key "$KEY" --key "$VENDOR" "file://$PWD/copy/" copy
        expect 2 publish --baseurl http://somebody:secret@a.example/repo
        if grep -q '^gn8v-tee-repo:.*secret' "$SCRATCH/output"; then die 'a password was told'; fi
        # What is no UTF-8 is told in JSON even so.
        expect 0 "$REPO" --json export --key "$KEY" --gnupghome "$KEYS" --repo repo "$(printf 'n\377.tar')"
        said '"file": "n[?].tar"'
        # Of a run that has fetched nothing worth keeping nothing is left.
        expect 7 "$REPO" mirror --key "$KEY" "file://$PWD/nowhere" deep/er/copy
        expect 10 "$REPO" mirror --key "$KEY" --key "$VENDOR" --package no-such-package "file://$PWD/repo" deep/er/copy
        expect 5 "$REPO" mirror --key "$VENDOR" "file://$PWD/repo" deep/er/copy
        expect 5 "$REPO" import --key "$VENDOR" --repo deep/er/copy bundle1.tar
        expect 1 import_repo --repo deep/er/copy delta3.tar
        [ ! -e deep ] || die "$(find deep)"
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

sign_packages() { rpmsign --addsign --define "__gpg $(command -v gpg)" --define "_gpg_path $KEYS" --define "_gpg_name $VENDOR" --define '_gpg_digest_algo sha256' "$@" >&2; }
sign_repo() { gpg --homedir "$KEYS" --batch --yes --armor --local-user "${2:-$VENDOR}" --detach-sign --output "$1/repodata/repomd.xml.asc" "$1/repodata/repomd.xml"; }
# index DIR [CREATEREPO-OPTION...]: as a distribution does it, with groups, advisories and modules.
index() {
        local dir=$1 revision
        shift
        revision=$(($(cat "$dir.revision" 2>/dev/null || echo 100) + 1))
        echo $revision > "$dir.revision"
        createrepo_c --quiet --no-database --revision $revision --groupfile "$SCRATCH/up/comps.xml" "$@" "$dir" >&2
        modifyrepo_c --mdtype=updateinfo "$SCRATCH/up/updateinfo.xml" "$dir/repodata" >&2
        modifyrepo_c --mdtype=modules "$SCRATCH/up/modules.yaml" "$dir/repodata" >&2
        sed -i "s|<revision>.*|<revision>$revision</revision>|" "$dir/repodata/repomd.xml"
        sign_repo "$dir"
}
# Somebody else's two repositories.
make_upstream() {
        local p
        mkdir -p "$SCRATCH/up"
        cd "$SCRATCH/up"
        package app 1.0 'Requires: lib, the-platform-has' 'Recommends: extra'
        package lib 1.0 'Requires: base-lib'
        package extra 1.0
        package unrelated 1.0
        package base-lib 1.0
        package app 1.1 'Requires: lib, the-platform-has' 'Recommends: extra'
        sign_packages packages/*.rpm
        mkdir -p main/Packages/{a,l,e} base later
        mv packages/base-lib-* base/
        mv packages/app-1.1* later/
        mv packages/unrelated-* main/ # one at the top
        for p in packages/*.rpm; do mv "$p" "main/Packages/$(basename "$p" | cut -c1)/"; done
        cat > comps.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<comps><group><id>apps</id><name>Apps</name><description>Apps</description><packagelist><packagereq type="mandatory">app</packagereq></packagelist></group></comps>
XML
        cat > updateinfo.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<updates><update from="x@a.example" status="final" type="security" version="1"><id>TEST-2030-1</id><title>app</title><issued date="2030-01-01 00:00:00"/><severity>Important</severity>
<description>d</description><pkglist><collection short="c"><name>c</name><package name="app" version="1.1" release="1" epoch="0" arch="noarch"><filename>app-1.1-1.noarch.rpm</filename></package></collection></pkglist></update></updates>
XML
        cat > modules.yaml <<'YAML'
---
document: modulemd
version: 2
data:
  name: things
  stream: "1"
  version: 1
  context: abcdef01
  arch: noarch
  summary: Things
  description: Things
  license: {module: [MIT]}
  artifacts: {rpms: ["extra-0:1.0-1.noarch"]}
...
YAML
        index base
        index main
        rm -rf rpmbuild packages
        gpg --homedir "$KEYS" --batch --armor --export "$VENDOR" > vendor.pub
        gpg --homedir "$KEYS" --batch --armor --export "$KEY" > ours.pub
        echo the-platform-has > platform
}
# upstream: a copy of both, served; mirror copies from it.
upstream() {
        rm -rf "$SCRATCH/this" && cp -a "$SCRATCH/up" "$SCRATCH/this" && cd "$SCRATCH/this"
        serve "$PWD" "" "${1:-}"
        URL=http://127.0.0.1:$PORT
}
mirror() { "$REPO" mirror --key-file "$SCRATCH/up/vendor.pub" "$@"; }
fetched() { grep -c "$1" "$NGINX/referer.log" || :; }
# client URL COMMAND...: dnf, which trusts both keys.
client() {
        local url=$1
        shift
        mkdir -p client/repos
        printf '[main]\nplugins=0\npluginpath=/nonexistent\nreposdir=%s\ncachedir=%s\nkeepcache=0\nmodule_platform_id=platform:el8\n' "$PWD/client/repos" "$PWD/client/cache" > client/dnf.conf
        printf '[copy]\nname=copy\n%s\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://%s file://%s\nmetadata_expire=0\n' "$url" "$SCRATCH/up/vendor.pub" "$SCRATCH/up/ours.pub" > client/repos/copy.repo
        env -i HOME="$PWD/client" PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 dnf -c client/dnf.conf --installroot="$PWD/client/root" --releasever=8 -y --refresh "$@"
}

mirrors_everything() {
        upstream
        # What somebody has there is not what an earlier run left.
        for file in own.rpm sub/own.rpm repodata/own.xml; do
                rm -rf theirs
                mkdir -p "theirs/$(dirname "$file")"
                echo own > "theirs/$file"
                expect 1 mirror $URL/main theirs
                said 'it was there before'
                [ "$(find theirs -type f)" = "theirs/$file" ] || die "$(find theirs)"
        done
        expect 0 mirror $URL/main copy
        said '4 packages, 4 of them new .*signed by '"$VENDOR"
        diff -r main/repodata copy/repodata
        diff -r main/Packages copy/Packages
        cmp main/unrelated-1.0-1.noarch.rpm copy/unrelated-1.0-1.noarch.rpm
        [ ! -e copy/.mirror ] && [ ! -e copy/.stage ]
        expect 0 verify_alone copy --key "$VENDOR"
        # One is hidden, because modules.yaml says that it belongs to a stream which is not enabled.
        client "baseurl=$URL/copy" repoquery --qf '%{name}' > names
        [ "$(grep -xE 'app|lib|extra|unrelated' names | tr '\n' ' ')" = 'app lib unrelated ' ]
        client "baseurl=$URL/copy" module list | grep things
        client "baseurl=$URL/copy" group list | grep Apps
        # Nothing new: three requests, and no more.
        : > "$NGINX/referer.log"
        expect 0 mirror $URL/main copy
        said 'nothing to copy'
        [ "$(fetched main/)" -le 3 ]
        # Something new: that, and nothing else.
        cp later/app-1.1* main/Packages/a/ && rm main/Packages/a/app-1.0* && index main
        : > "$NGINX/referer.log"
        expect 0 mirror $URL/main copy --keep 2
        said '4 packages, 1 of them new'
        [ "$(fetched '\.rpm')" = 1 ]
        diff main/repodata/repomd.xml copy/repodata/repomd.xml
        [ -e copy/Packages/a/app-1.0-1.noarch.rpm ] || die "a client in flight loses a package"
        # One state more, and the first is gone with what only it had.
        rm main/Packages/e/extra* && index main
        expect 0 mirror $URL/main copy --keep 2
        [ ! -e copy/Packages/a/app-1.0-1.noarch.rpm ] && [ -e copy/Packages/e/extra-1.0-1.noarch.rpm ]
        ls copy/generations | sort | tr '\n' ' ' | has -x '2 3 '
        # Again what was there before: a replay.
        cp -a main/repodata now && rm -rf main/repodata && cp -a copy/generations/2 main/repodata
        expect 3 mirror $URL/main copy
        said 'is older than'
        diff copy/repodata/repomd.xml now/repomd.xml
        # Our own kind of repository.
        begin_gap=$SCRATCH/gap/repo
        rm -rf ours && cp -a "$begin_gap" ours
        expect 0 "$REPO" mirror --key "$KEY" --key "$VENDOR" --key-file "$SCRATCH/up/vendor.pub" $URL/ours ours-copy
        cmp ours/repodata/repomd.xml ours-copy/repodata/repomd.xml
        expect 1 mirror --no-repo-signature $URL/main ours
        said 'that is no mirror'
}

mirrors_selection() {
        upstream
        expect 10 mirror $URL/main copy --package app --platform platform
        said 'base-lib'
        [ ! -e copy/repodata ]
        expect 10 mirror $URL/main copy --package nothing-of-this-name
        expect 0 mirror $URL/main copy --package app --also $URL/base/ --platform platform --sign-key "$KEY" --gnupghome "$KEYS"
        said '3 packages'
        [ "$(cd copy && find . -name '*.rpm' | sort | tr '\n' ' ')" = './Packages/a/app-1.0-1.noarch.rpm ./Packages/l/lib-1.0-1.noarch.rpm ./base-lib-1.0-1.noarch.rpm ' ]
        gpg --homedir "$KEYS" --batch --verify copy/repodata/repomd.xml.asc copy/repodata/repomd.xml
        # The packages' own XML, and what is kept whole.
        python3 - main copy <<'PY'
import glob, gzip, re, sys
def packages(d, kind):
    text = gzip.open(glob.glob(f"{d}/repodata/*-{kind}.xml.gz")[0]).read().decode()
    return {re.search(r'pkgid="([0-9a-f]{64})"|>([0-9a-f]{64})<', p).group(0)[-66:]: p for p in re.findall(r'<package .*?</package>', text, re.S)}
for kind in "primary", "filelists", "other":
    a, b, base = packages("main", kind), packages("copy", kind), packages("base", kind)
    assert len(b) == 3 and all({**a, **base}[k] == v for k, v in b.items()), kind
PY
        for p in updateinfo.xml.gz modules.yaml.gz comps.xml; do cmp main/repodata/*-$p copy/repodata/*-$p; done
        client "baseurl=$URL/copy" repoquery --qf '%{name}' app lib base-lib | grep -cE '^(app|lib|base-lib)$' | has -x 3
        client "baseurl=$URL/copy" updateinfo list --all || :
        # What is recommended is in a stream that nobody has enabled: dnf would not see it.
        expect 0 mirror $URL/main copy --package app --also $URL/base --platform platform --weak --sign-key "$KEY" --gnupghome "$KEYS"
        said '3 packages'
        expect 0 mirror $URL/main copy --package app --also $URL/base --platform platform --weak --module things:1 --sign-key "$KEY" --gnupghome "$KEYS"
        said '4 packages, 1 of them new'
        # Two that exclude each other are both there; without a signer it is not signed.
        expect 0 mirror $URL/main unsigned --package unrelated --package extra
        said 'signed by nobody'
        [ ! -e unsigned/repodata/repomd.xml.asc ]
}

variants() {
        local kind
        for kind in sha512 xz bz2 plain-names; do
                upstream
                case $kind in
                sha512) index main -s sha512 ;;
                xz) index main --general-compress-type=xz ;;
                bz2) index main --general-compress-type=bz2 ;;
                plain-names) index main --simple-md-filenames ;;
                esac
                expect 0 mirror $URL/main copy
                diff -r main/repodata copy/repodata
                expect 0 mirror $URL/main copy
                said 'nothing to copy'
                expect 0 mirror $URL/main some --package unrelated --sign-key "$KEY" --gnupghome "$KEYS"
                client "baseurl=$URL/some" repoquery --qf '%{name}' | has -x unrelated
                cp later/app-1.1* main/Packages/a/ && index main
                expect 0 mirror $URL/main copy
                said '5 packages, 1 of them new'
                expect 0 verify_alone copy --key "$VENDOR"
                expect 0 verify_alone some --key "$KEY" --key "$VENDOR"
                unserve "$NGINX"
        done
        # zstd, which this createrepo_c cannot write.
        upstream
        python3 - <<'PY'
import glob, gzip, hashlib, os, re, subprocess
repomd = open("main/repodata/repomd.xml").read()
for name in glob.glob("main/repodata/*.xml.gz"):
    text = gzip.open(name).read()
    old = hashlib.sha256(open(name, "rb").read()).hexdigest()
    data = subprocess.run(["zstd", "-q", "-c"], input=text, stdout=subprocess.PIPE, check=True).stdout
    new = hashlib.sha256(data).hexdigest()
    size = os.path.getsize(name)
    os.unlink(name)
    open(name.replace(old, new).replace(".gz", ".zst"), "wb").write(data)
    block = re.search(r'<data type="[^"]*">(?:(?!</data>).)*%s.*?</data>' % old, repomd, re.S)[0]
    repomd = repomd.replace(block, block.replace(old, new).replace(".xml.gz", ".xml.zst").replace(f"<size>{size}<", f"<size>{len(data)}<"))
open("main/repodata/repomd.xml", "w").write(repomd)
PY
        sign_repo main
        expect 0 mirror $URL/main copy
        expect 0 mirror $URL/main some --package unrelated
        client "baseurl=$URL/copy" repoquery --qf '%{name}' | has -x unrelated
        expect 0 verify_alone copy --key "$VENDOR"
        # What nobody signed is told, and packages are looked at even so.
        expect 11 verify_alone some --key "$VENDOR"
        said "^unchecked +key .*: nobody's signature on the metadata was asked for"
        said '^ok +package +unrelated'
        printf x >> some/unrelated-1.0-1.noarch.rpm
        expect 5 verify_alone some --key "$VENDOR"
        expect 0 "$REPO" mirror --no-signatures $URL/main nobodys
        expect 11 verify_alone nobodys
        said '^unchecked +package +unrelated.*nobody signed it'
}

hostile_sources() {
        upstream 'location /away/ { return 302 file:///etc/passwd; } location /loop/ { return 302 /loop/x; }'
        expect 0 mirror $URL/main copy
        local before
        before=$(cd copy && find . -type f -exec sha256sum {} + | sort | sha256sum)
        # evil STATUS WORDS PYTHON: main's repomd.xml, primary.xml or packages are changed and signed; the copy must not.
        evil() {
                rm -rf main && cp -a "$SCRATCH/up/main" main
                python3 - "$3" <<'PY'
import glob, gzip, hashlib, os, re, sys
repomd = open("main/repodata/repomd.xml").read()
name = glob.glob("main/repodata/*-primary.xml.gz")[0]
primary = gzip.open(name).read().decode()
bomb = None
exec(sys.argv[1])
old = hashlib.sha256(open(name, "rb").read()).hexdigest()
oldopen = hashlib.sha256(gzip.open(name).read()).hexdigest()
size = os.path.getsize(name)
openlen = len(gzip.open(name).read())
text = bomb if bomb else primary.encode()
data = gzip.compress(text, mtime=0)
os.unlink(name)
new = hashlib.sha256(data).hexdigest()
open(name.replace(old, new), "wb").write(data)
repomd = repomd.replace(old, new).replace(f"<size>{size}<", f"<size>{len(data)}<")
if not bomb: repomd = repomd.replace(oldopen, hashlib.sha256(text).hexdigest()).replace(f"<open-size>{openlen}<", f"<open-size>{len(text)}<")
open("main/repodata/repomd.xml", "w").write(repomd.replace("<revision>", "<revision>9"))
PY
                sign_repo main
                expect "$1" mirror $URL/main copy
                said "$2"
                [ "$(cd copy && find . -path ./.mirror -prune -o -type f -print0 | xargs -0 sha256sum | sort | sha256sum)" = "$before" ] || die "the copy has changed: $3"
        }
        evil 6 'leaves the repository' 'primary = primary.replace("href=\"Packages/a/", "href=\"../../a/")'
        evil 6 'leaves the repository' 'primary = primary.replace("href=\"Packages/a/", "href=\"/etc/")'
        evil 6 'no place for a package' 'primary = primary.replace("href=\"Packages/a/", "href=\"repodata/")'
        evil 6 'no place for a package' 'primary = primary.replace("href=\"Packages/a/", "href=\".stage/")'
        evil 6 'no place for a package' 'primary = primary.replace("app-1.0-1.noarch.rpm\"", "app.html\"")'
        evil 6 'another server' 'primary = primary.replace("<location ", "<location xml:base=\"http://evil.example/\" ")'
        evil 6 'two different packages' 'primary = re.sub("href=\"[^\"]*\"", "href=\"a.rpm\"", primary)'
        evil 6 'as many packages' 'primary = primary.replace("packages=\"4\"", "packages=\"5\"")'
        evil 6 'document type or an entity' 'primary = primary.replace("<metadata ", "<!DOCTYPE m [<!ENTITY a \"b\">]><metadata ", 1)'
        evil 6 'document type or an entity|[Ee]ntity' 'repomd = repomd.replace("<repomd ", "<!DOCTYPE m [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]><repomd ", 1).replace("<revision>", "<revision>&b;")'
        evil 6 'leaves the repository' 'repomd = repomd.replace("href=\"repodata/", "href=\"repodata/../../")'
        evil 6 'more metadata than is taken' 'repomd = re.sub("<size>[0-9]*", "<size>9999999999", repomd, 1)'
        evil 6 'unpacks to more than' 'bomb = b" " * (64 << 20)'
        evil 5 'protects nothing' 'repomd = re.sub("checksum type=\"sha256\">[0-9a-f]{40}[0-9a-f]*", "checksum type=\"sha1\">" + "0" * 40, repomd)'
        evil 5 'protects nothing' 'primary = re.sub("checksum type=\"sha256\" pkgid=\"YES\">[0-9a-f]*", "checksum type=\"md5\" pkgid=\"YES\">" + "0" * 32, primary)'
        evil 5 'expected' 'primary = re.sub("(pkgid=\"YES\">)....", r"\g<1>0000", primary, 1)'
        evil 8 'are needed there' 'primary = re.sub("package=\"[0-9]*\"", "package=\"99999999999999\"", re.sub("(pkgid=\"YES\">)....", r"\g<1>0000", primary))'
        evil 5 'not ppa-1.0' 'primary = primary.replace("<name>app</name>", "<name>ppa</name>")'
        # Packages and metadata that others signed, or nobody.
        rm -rf main && cp -a "$SCRATCH/up/main" main
        sign_repo main "$KEY" && sed -i 's/<revision>/&9/' main/repodata/repomd.xml && sign_repo main "$KEY"
        expect 5 mirror $URL/main copy
        said 'another key signed it'
        rm main/repodata/repomd.xml.asc
        expect 5 mirror $URL/main copy
        said 'not signed'
        expect 0 mirror --no-repo-signature $URL/main without
        (cd main && package intruder 1 && mv packages/intruder* . && rm -rf packages rpmbuild)
        index main
        expect 5 mirror $URL/main copy
        said 'intruder.*: it is not signed'
        expect 5 "$REPO" mirror --key "$KEY" --no-repo-signature $URL/main other
        expect 5 "$REPO" mirror --key "$KEY" --key-file "$SCRATCH/up/vendor.pub" $URL/main other
        expect 2 "$REPO" mirror $URL/main other
        expect 2 "$REPO" mirror --no-signatures ftp://x/ other
        expect 0 "$REPO" mirror --no-signatures $URL/main other
        # Answers that lead away, or never end, or are not there.
        expect 7 mirror $URL/away other2
        said 'neither http nor https'
        expect 7 mirror $URL/loop other2
        expect 7 mirror $URL/nowhere other2
        mkdir -p endless/repodata && truncate -s 5M endless/repodata/repomd.xml
        expect 5 mirror $URL/endless other2
        said 'at most|sends more'
}

# More than fifty of them, each bounded in time and memory; hostile.py is the server, too.
hostile_servers() {
        mkdir "$SCRATCH/hostile"
        cd "$SCRATCH/hostile"
        package good 1
        expect 0 python3 "$SOURCE/tests/e2e/hostile.py" "$REPO" packages/good-1-1.noarch.rpm "$PWD"
        said '^[0-9]+ hostile sources, 0 not refused'
}

# A source that is published anew while it is read.
changing_source() {
        upstream
        cp -a main before && cp later/app-1.1* main/Packages/a/ && rm main/Packages/a/app-1.0* && index main
        cat > server.py <<'PY'
import http.server, os, sys
count = 0
class H(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path):
        global count
        if path.endswith("repomd.xml"): count += 1
        return ("before" if count <= 1 and "primary" not in path and not path.endswith(".rpm") else "main") + path
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", 0), H)
open("port.new", "w").write(str(s.server_port)); os.rename("port.new", "port")
s.serve_forever()
PY
        mkfifo ready
        python3 server.py & 
        CLEANUPS+=("kill $!")
        pid=$!
        python3 -c 'import os, time
while not os.path.exists("port"): time.sleep(0.05)'
        expect 0 mirror --timeout 5 "http://127.0.0.1:$(cat port)" copy
        kill $pid
        cmp main/repodata/repomd.xml copy/repodata/repomd.xml
        [ -e copy/Packages/a/app-1.1-1.noarch.rpm ]
}

mirror_full_disk() {
        upstream
        mkdir small && mount -t tmpfs -o size=300k tmpfs small
        CLEANUPS+=("umount '$PWD/small'")
        head -c "$(($(df --output=avail -B1 small | tail -1) - 60000))" /dev/zero > small/ballast
        expect 8 mirror $URL/main small/copy
        [ ! -e small/copy/repodata ]
        rm small/ballast
        expect 0 mirror $URL/main small/copy
        diff -r main/repodata small/copy/repodata
        exec 9> small/copy/.lock
        flock 9
        expect 9 mirror $URL/main small/copy
        exec 9>&-
        umount small
}

# dnf over a metalink: a mirror that is behind is not believed.
metalinks() {
        upstream
        expect 0 mirror $URL/main stale
        cp later/app-1.1* main/Packages/a/ && index main
        expect 0 mirror $URL/main copy --mirror-url $URL/stale --mirror-url $URL/copy/
        python3 - <<'PY'
import hashlib, xml.etree.ElementTree as E
ns = "{http://www.metalinker.org/}"
f = E.parse("copy/repodata/metalink.xml").getroot().find(f"{ns}files/{ns}file")
data = open("copy/repodata/repomd.xml", "rb").read()
assert f.get("name") == "repomd.xml" and int(f.find(ns + "size").text) == len(data)
assert f.find(f"{ns}verification/{ns}hash").text == hashlib.sha256(data).hexdigest()
assert len(f.findall(f"{ns}resources/{ns}url")) == 2
PY
        : > "$NGINX/referer.log"
        client "metalink=$URL/copy/repodata/metalink.xml" repoquery --qf '%{evr}' app | tee evr
        grep -qx 1.1-1 evr
        [ "$(fetched 'GET /stale/repodata/repomd.xml ')" -ge 1 ] && [ "$(fetched 'GET /copy/repodata/repomd.xml ')" -ge 1 ]
        # Only mirrors that are behind: an error, and not the old state.
        sed -i '/\/copy\/repodata/d' copy/repodata/metalink.xml
        rm -rf client
        refuses client "metalink=$URL/copy/repodata/metalink.xml" repoquery app
        # It stays one until somebody wants none, and so does the signature.
        expect 2 mirror $URL/main copy --exclude nothing
        said 'metadata are signed by key'
        expect 0 mirror $URL/main copy --exclude nothing --allow-unsigned
        [ "$(grep -c '<url ' copy/repodata/metalink.xml)" = 1 ]
        expect 0 mirror $URL/main copy --exclude nothing --mirror-url none
        [ ! -e copy/repodata/metalink.xml ]
        expect 0 mirror $URL/main copy
        cp -a main unsigned && rm unsigned/repodata/repomd.xml.asc
        expect 5 mirror $URL/unsigned copy --no-repo-signature
        # A publisher's own.
        gap
        publish --baseurl $URL/this/repo --mirror-url http://m.example/a --mirror-url "http://m.example/b?c&d"
        grep -q '<url protocol="http" type="http" preference="99">http://m.example/b?c&amp;d/repodata/repomd.xml</url>' repo/repodata/metalink.xml
        grep -q "$(digest repo/repodata/repomd.xml)" repo/repodata/metalink.xml
        expect 2 publish --mirror-url 'http://m.example/"'
        # Neither these nor the place have to be said again, until somebody wants none.
        package gn8v-tee-helper 1.4
        publish
        grep -q "$(digest repo/repodata/repomd.xml)" repo/repodata/metalink.xml
        [ "$(grep -c '<url protocol="http".*>http://m.example/' repo/repodata/metalink.xml)" = 2 ]
        grep -q "^baseurl=$URL/this/repo$" repo/gn8v-tee.repo
        expect 2 publish --mirror-url http://m.example/a --mirror-url none
        expect 2 publish --mirror-url none --mirror-url http://m.example/a
        expect 0 publish --mirror-url none --baseurl none
        said 'generation [0-9]+ is up to date; changed beside it: repodata/metalink.xml, gn8v-tee.repo$'
        [ "$(publish --baseurl none --json | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["changed"], d["beside"])')" = 'False []' ]
        grep -q "^baseurl=file://$PWD/repo$" repo/gn8v-tee.repo
        rm packages/gn8v-tee-helper-1.4*
        publish
        [ ! -e repo/repodata/metalink.xml ]
        mv repo moved
        publish --repo moved
        grep -q "^baseurl=file://$PWD/moved$" moved/gn8v-tee.repo
}

# Clients that read all the while: from the publisher and from its mirror, each time from the beginning. GN8V_PUBLISHES: how often there is something new.
readers() {
        local n i pids=() publishes=${GN8V_PUBLISHES:-20}
        gap
        serve "$PWD"
        URL=http://127.0.0.1:$PORT
        mkdir away && mv packages/gn8v-tee-helper-1.3* away/
        package gn8v-tee-helper 1.4
        mv packages/gn8v-tee-helper-1.4* away/
        publish_other() { # 1.3 and 1.4 by turns
                rm -f packages/gn8v-tee-helper-*
                cp away/gn8v-tee-helper-1.$((3 + $1 % 2))* packages/
                publish -q > /dev/null
                "$REPO" -q mirror --key "$KEY" --key-file "$SCRATCH/up/ours.pub" --key-file "$SCRATCH/up/vendor.pub" --key "$VENDOR" $URL/repo copy
        }
        publish() { "$REPO" -q -C . --releases releases publish --key "$KEY" --gnupghome "$KEYS" --platform platform.provides; }
        publish_other 0
        reader() { # NAME
                mkdir -p "reader-$1"
                cd "reader-$1"
                while [ ! -e ../stop ] && kill -0 $$; do # nor longer than the script
                        rm -rf client/cache client/root got
                        if client "baseurl=$URL/$1" install --downloadonly --downloaddir="$PWD/got" gn8v-tee-helper > log 2>&1 && ls got/gn8v-tee-helper-1.[34]-1.noarch.rpm > /dev/null; then
                                echo >> good
                        else
                                cat log >> bad
                        fi
                done
        }
        for n in repo copy; do
                (trap - ERR; set +e; reader $n) &
                pids+=($!)
        done
        for ((i = 1; i <= publishes; i++)); do publish_other "$i"; done
        touch stop
        wait "${pids[@]}"
        for n in repo copy; do
                [ ! -e reader-$n/bad ] || die "a reader of $n failed: $(head -c 2000 reader-$n/bad)"
                echo "$publishes publishes, read from $n: $(wc -l < reader-$n/good) times, no error" >> "$LOGS/readers"
                [ "$(wc -l < reader-$n/good)" -ge 3 ] || die "hardly anything was read"
        done
        [ "$(ls repo/generations | wc -l)" = 3 ]
}

: > "$LOGS/readers"
make_keys
prepare make_template make_air_gap make_upstream

scenario 'a state crosses an air gap, whole or as a difference' air_gap
scenario 'bundles that are not what was exported are refused' refused_bundles
scenario 'exports of what is not there as it was are refused' refused_exports
scenario 'vendors sign packages of copies, and a first run that fails leaves nothing' vendors_in_copies
scenario 'full disks leave the old state' full_disks
scenario 'everything is copied, byte for byte, and only once' mirrors_everything
scenario 'what a package needs is copied, from several places' mirrors_selection
scenario 'other digests and compressions' variants
scenario 'hostile sources change nothing' hostile_sources
scenario 'hostile metadata and servers are refused, in bounded time and memory' hostile_servers
scenario 'a source that changes while it is read' changing_source
scenario 'a mirror on a full disk goes on when there is room' mirror_full_disk
scenario 'a metalink keeps dnf from mirrors that are behind' metalinks
scenario 'readers see whole states while others publish and mirror' readers
sed 's/^/# /' "$LOGS/readers"
finish
