#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# publish, solve and verify on small packages: what dnf accepts, what is refused, and that a failed or killed run leaves the old repository.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"

client() { # URL: an empty root that knows the repository
        mkdir -p root.dnf/repos root
        printf '[main]\nreposdir=%s\ncachedir=%s\nplugins=0\npluginpath=/nonexistent\nbest=True\nsslverify=0\n' "$PWD/root.dnf/repos" "$PWD/root.dnf/cache" > root.dnf/dnf.conf
        sed "s|^gpgkey=.*|gpgkey=file://$PWD/repo/RPM-GPG-KEY-gn8v-tee file://$WWW/vendor.pub|" repo/gn8v-tee.repo > root.dnf/repos/gn8v-tee.repo
        echo '%_dbpath /var/lib/rpm' > root.dnf/.rpmmacros
        package base 1 'Provides: dkms' 'Provides: /bin/sh'
        rpm --root "$PWD/root" --define '_dbpath /var/lib/rpm' -i --nodeps --nosignature packages/base-1-1.noarch.rpm
        rm packages/base-*
}
installed() { rpm --root "$PWD/root" --define '_dbpath /var/lib/rpm' -qa --qf '%{name}-%{version}\n' | sort; }

publish_for_dnf() {
        local port
        port=$(free_port)
        begin dnf
        serve "$PWD/repo" "$port"
        publish --baseurl "http://127.0.0.1:$port"
        grep -q '^gpgcheck=1' repo/gn8v-tee.repo && grep -q '^repo_gpgcheck=1' repo/gn8v-tee.repo
        client
        run_dnf "$PWD/root" install "gn8v-tee-multi-$OLD"
        installed | tee installed
        grep -qx "gn8v-tee-driver-1-$OLD" installed && grep -qx 'vendor-manager-7.1' installed
        run_dnf "$PWD/root" upgrade
        installed | has -x "gn8v-tee-driver-1-$NEW"
        refuses run_dnf "$PWD/root" install gn8v-tee-single
        run_dnf "$PWD/root" swap gn8v-tee-multi gn8v-tee-single
        installed | has -x "gn8v-tee-single-$SINGLE"
        run_dnf "$PWD/root" group list --available 2>&1 | has 'Confidential GPU'
        # An index by createrepo_c of the same files says the same of each.
        mkdir other
        createrepo_c --quiet --no-database --outputdir other repo >&2
        for what in primary filelists other; do
                zcat repo/repodata/*-$what.xml.gz | sed 's/<time file="[0-9]*"/<time/' > ours
                zcat other/repodata/*-$what.xml.gz | sed 's/<time file="[0-9]*"/<time/' > theirs
                diff <(sort ours) <(sort theirs)
        done
        unserve "$NGINX"
}

signed_by_rpm() {
        begin signed
        publish
        mkdir db
        rpmkeys --define "_dbpath $PWD/db" --import repo/RPM-GPG-KEY-gn8v-tee
        for f in repo/packages/gn8v*.rpm; do
                rpmkeys --define "_dbpath $PWD/db" --define '_pkgverify_level all' -K "$f" | has 'digests signatures OK'
                rpm -qp --define "_dbpath $PWD/db" --qf '%{RSAHEADER:pgpsig}\n' "$f" | has -i "RSA/SHA256.*${KEY: -16}"
        done
        cmp repo/packages/vendor-manager-7.1-1.noarch.rpm "$WWW/vendor-manager-7.1-1.noarch.rpm"
        gpg --homedir "$KEYS" --batch --verify repo/repodata/repomd.xml.asc repo/repodata/repomd.xml
        # The unsigned package comes back when the signature is taken off, but for the room rpm leaves for one.
        cp repo/packages/gn8v-tee-helper-1.0-1.noarch.rpm again.rpm
        rpmsign --delsign again.rpm
        cmp <(rpm2cpio again.rpm) <(rpm2cpio packages/gn8v-tee-helper-1.0-1.noarch.rpm)
}

nothing_new() {
        begin nothing
        publish
        before=$(state)
        expect 0 publish
        said 'nothing to publish'
        same_state "$before"
        [ "$(ls repo/generations)" = 1 ] || die "a generation was made of nothing"
        [ "$(publish --json | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["changed"], d["generation"], d["reused"])')" = 'False 1 12' ]
        # The same inputs somewhere else, at another time: the same bytes.
        begin nothing-again
        tee_repo publish --key "$KEY" --gnupghome "$KEYS" --platform platform.provides --baseurl http://a.example/repo
        (cd ../nothing && publish --baseurl http://a.example/repo)
        diff -r repo ../nothing/repo
}

generations() {
        begin generations
        publish
        first=$(ls repo/repodata/*primary.xml.gz)
        for i in 1 2 3 4; do
                package gn8v-tee-helper "1.$i"
                rm "packages/gn8v-tee-helper-1.$((i - 1))-1.noarch.rpm"*
                expect 0 publish --keep 2
                said '1 signed'
                [ -e "repo/packages/gn8v-tee-helper-1.$i-1.noarch.rpm" ]
                [ -e "repo/packages/gn8v-tee-helper-1.$((i - 1))-1.noarch.rpm" ] || die "a client of the generation before lost a package"
                [ "$(ls repo/generations | wc -l)" = 2 ]
                [ "$(ls repo/repodata/*primary.xml.gz | wc -l)" = 2 ] || die "a client of the generation before lost its metadata"
        done
        if [ -e "$first" ] || [ -e repo/packages/gn8v-tee-helper-1.2-1.noarch.rpm ]; then die "an old generation was not removed"; fi
        [ ! -e repo/.stage ]
}

other_content() {
        begin other
        publish
        before=$(state)
        CONTENT='something else' package gn8v-tee-helper 1.0
        expect 3 publish
        said 'raise Revision'
        same_state "$before"
        publish --replace
        verify_repo_only
        # The clients of the generation before still find the old one at its place.
        [ "$(find repo/packages -name 'gn8v-tee-helper-*' | wc -l)" = 2 ]
}
verify_repo_only() { python3 - <<'PY'
import gzip, hashlib, re, glob
primary = gzip.open(sorted(glob.glob("repo/repodata/*-primary.xml.gz"), key=lambda p: p in open("repo/repodata/repomd.xml").read())[-1]).read().decode()
found = re.findall(r'pkgid="YES">([0-9a-f]{64})<.*?<location href="([^"]+)"', primary, re.S)
assert found
for digest, href in found:
    assert hashlib.sha256(open("repo/" + href, "rb").read()).hexdigest() == digest, href
PY
}

bad_inputs() {
        begin bad
        publish
        before=$(state)
        # A package that is not what its record says.
        package gn8v-tee-extra 1.0
        CONTENT=changed package gn8v-tee-other 1.0
        mv packages/gn8v-tee-other-1.0-1.noarch.rpm packages/gn8v-tee-extra-2.0-1.noarch.rpm
        mv packages/gn8v-tee-other-1.0-1.noarch.rpm.json packages/x
        sed 's/other-1.0/extra-2.0/' packages/x > packages/gn8v-tee-extra-2.0-1.noarch.rpm.json
        expect 6 publish
        said 'would be called gn8v-tee-other'
        rm packages/gn8v-tee-extra-2.0* packages/x
        sed -i 's/"sha256": "..../"sha256": "0000/' packages/gn8v-tee-extra-1.0-1.noarch.rpm.json
        expect 5 publish
        said 'its SHA-256 is'
        rm packages/gn8v-tee-extra-1.0-1.noarch.rpm.json
        expect 6 publish
        said 'no build record'
        head -c 2000 packages/gn8v-tee-helper-1.0-1.noarch.rpm > packages/gn8v-tee-extra-1.0-1.noarch.rpm
        record gn8v-tee-extra-1.0-1.noarch.rpm
        expect 6 publish
        rm packages/gn8v-tee-extra*
        # A vendor's package that was changed in the store.
        rm -rf fresh && hex=$(digest "$WWW/vendor-manager-7.2-1.noarch.rpm")
        chmod u+w "store/sha256/${hex:0:2}/$hex"
        printf x >> "store/sha256/${hex:0:2}/$hex"
        expect 5 publish --repo fresh
        [ ! -e fresh/repodata ]
        same_state "$before"
        # A release without a lock, and one that was edited after it.
        mv locks/single-$SINGLE.lock x
        expect 3 publish
        said 'gn8v-tee-repo lock'
        mv x locks/single-$SINGLE.lock
        echo '# edited' >> releases/single-$SINGLE.conf
        refuses publish
        same_state "$before"
}

bad_keys() {
        local home=$SCRATCH/k expired weak sub
        begin bad-keys
        publish
        before=$(state)
        expired=$(make_key "$home" expired seconds=1000 20200101T000000)
        expect 5 tee_repo publish --key "$expired" --gnupghome "$home" --platform platform.provides
        said 'has expired'
        gpg --homedir "$home" --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key weak rsa2048 sign never >&2
        weak=$(gpg --homedir "$home" --batch --with-colons --list-keys weak | awk -F: '$1 == "fpr" { print $10; exit }')
        expect 5 tee_repo publish --key "$weak" --gnupghome "$home" --platform platform.provides
        said '2048 bits are too few'
        gpg --homedir "$home" --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key curve ed25519 sign never >&2
        expect 5 tee_repo publish --key "$(gpg --homedir "$home" --batch --with-colons --list-keys curve | awk -F: '$1 == "fpr" { print $10; exit }')" \
                --gnupghome "$home" --platform platform.provides
        said 'not an RSA key'
        gpg --homedir "$home" --batch --quiet --import < "$WWW/vendor.pub"
        expect 1 tee_repo publish --key "$VENDOR" --gnupghome "$home" --platform platform.provides
        said 'secret part is not here'
        expect 1 tee_repo publish --key 0123456789ABCDEF0123456789ABCDEF01234567 --gnupghome "$home" --platform platform.provides
        expect 2 tee_repo publish --key "${KEY: -16}" --gnupghome "$KEYS" --platform platform.provides
        said 'full fingerprint'
        # A passphrase nobody gave, and one from a file.
        gpg --homedir "$home" --batch --quiet --pinentry-mode loopback --passphrase secret --quick-generate-key locked rsa3072 sign never >&2
        sub=$(gpg --homedir "$home" --batch --with-colons --list-keys locked | awk -F: '$1 == "fpr" { print $10; exit }')
        gpgconf --homedir "$home" --kill all
        expect 1 tee_repo publish --key "$sub" --gnupghome "$home" --platform platform.provides --repo other
        said 'passphrase'
        printf secret > passphrase
        expect 0 tee_repo publish --key "$sub" --gnupghome "$home" --platform platform.provides --repo other --passphrase-file passphrase
        said '10 signed, 2 of vendors, 0 as before'
        same_state "$before"
        # The same packages under another key: all of ours are signed anew, the vendor's are not.
        expect 0 tee_repo publish --key "$sub" --gnupghome "$home" --platform platform.provides --passphrase-file passphrase
        # What this key signed for the other repository is taken from there.
        said '0 signed, 0 of vendors, 12 as before'
        verify_repo_only
}

# A key that ends soon, and one whose subkey signs.
keys_with_an_end() {
        local home=$SCRATCH/ks soon sub
        begin ends
        soon=$(make_key "$home" soon 10d)
        expect 5 tee_repo publish --key "$soon" --gnupghome "$home" --platform platform.provides
        said 'expires in (9|10) days, and 30 are wanted'
        [ ! -e repo/repodata ]
        expect 2 tee_repo publish --key "$soon" --gnupghome "$home" --key-valid-for soon
        expect 0 tee_repo publish --key "$soon" --gnupghome "$home" --platform platform.provides --key-valid-for 5
        gpg --homedir "$home" --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' --quick-generate-key subbed rsa4096 cert never
        sub=$(gpg --homedir "$home" --batch --with-colons --list-keys subbed | awk -F: '$1 == "fpr" { print $10; exit }')
        gpg --homedir "$home" --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' --quick-add-key "$sub" rsa4096 sign never
        expect 5 tee_repo publish --key "$sub" --gnupghome "$home" --platform platform.provides --repo subs
        said 'primary key cannot sign'
        sub=$(gpg --homedir "$home" --batch --with-colons --list-keys subbed | awk -F: '$1 == "fpr" { print $10 }' | tail -n 1)
        expect 0 tee_repo publish --key "$sub" --gnupghome "$home" --platform platform.provides --repo subs
        said 'a subkey signs'
        gpg --homedir "$home" --batch --quiet --verify subs/repodata/repomd.xml.asc subs/repodata/repomd.xml
        mkdir db
        rpmkeys --define "_dbpath $PWD/db" --import subs/RPM-GPG-KEY-gn8v-tee
        for f in subs/packages/gn8v*.rpm; do rpmkeys --define "_dbpath $PWD/db" --define '_pkgverify_level all' -K "$f" | has 'digests signatures OK'; done
        # gpg itself, told the time (the key's: it is younger than the packages), makes the very same bytes.
        rm -rf db && publish
        gpg --homedir "$KEYS" --batch --yes --faked-system-time "$(gpg --homedir "$KEYS" --batch --with-colons --list-keys "$KEY" | awk -F: '$1 == "pub" { print $6 }')!" \
                --digest-algo SHA256 --local-user "$KEY!" --output same.sig --detach-sign repo/repodata/repomd.xml
        gpg --batch --dearmor < repo/repodata/repomd.xml.asc | cmp - same.sig
}

# The other signer: a key in a PEM file, which no GnuPG home knows.
openssl_signer() {
        local key
        begin openssl
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out key.pem
        set -- --key-file key.pem --user-id 'Publisher <p@test.invalid>' --key-created 2026-01-02 --platform platform.provides
        expect 5 tee_repo publish --key "$KEY" "$@"
        key=$(sed -n 's/.*fingerprint is \([0-9A-F]*\),.*/\1/p' "$SCRATCH/output")
        expect 0 tee_repo publish --key "$key" "$@"
        expect 0 tee_repo publish --key "$key" "$@"
        said 'nothing to publish'
        expect 2 tee_repo publish --key "$key" --key-file key.pem
        mkdir -m 700 gnupg db
        gpg --homedir "$PWD/gnupg" --batch --import repo/RPM-GPG-KEY-gn8v-tee
        gpg --homedir "$PWD/gnupg" --batch --with-colons --list-keys | has "^fpr:*$key:"
        gpg --homedir "$PWD/gnupg" --batch --verify repo/repodata/repomd.xml.asc repo/repodata/repomd.xml
        rpmkeys --define "_dbpath $PWD/db" --import repo/RPM-GPG-KEY-gn8v-tee
        for f in repo/packages/gn8v*.rpm; do rpmkeys --define "_dbpath $PWD/db" --define '_pkgverify_level all' -K "$f" | has 'digests signatures OK'; done
}

# What a traced publish reads of package files. A payload is far larger than all headers of one.
traced_publish() { # TRACE [OPTION...]
        ASAN_OPTIONS=detect_leaks=0 strace -f -y -o "$1" -e trace=read,pread64,readv,preadv,mmap,copy_file_range,sendfile,splice "$REPO" -C . --releases releases \
                publish --key "$KEY" --gnupghome "$KEYS" --platform platform.provides "${@:2}"
}
bytes_read() { python3 - "$@" <<'PY'
import re, sys
# TRACE MOST FILE-PATTERN...: fails when more than MOST bytes were read of any file that fits
total = {}
for line in open(sys.argv[1], errors="replace"):
    m = re.search(r'(read|pread64|readv|preadv|copy_file_range|sendfile|splice)\((\d+)<([^>]*)>.*= (\d+)$', line)
    if m:
        total[m[3]] = total.get(m[3], 0) + int(m[4])
    elif re.search(r'mmap\(.*<[^>]*\.rpm>', line):
        sys.exit("mapped: " + line)
found = {f: n for f, n in total.items() if any(re.search(p, f) for p in sys.argv[3:])}
print(found)
assert found or sys.argv[2] == "0", "no such file was read"
assert all(n <= int(sys.argv[2]) for n in found.values()), found
PY
}
payload_is_read_once() {
        local size vendor
        begin once
        CONTENT=$(head -c 80000 /dev/urandom | base64 -w 0) package gn8v-tee-helper 1.1
        rm packages/gn8v-tee-helper-1.0*
        size=$(stat -c %s packages/gn8v-tee-helper-1.1-1.noarch.rpm)
        # Once, with room for its headers, which are read before.
        traced_publish trace
        bytes_read trace $((size + 20000)) '/once/packages/gn8v-tee-helper-1.1'
        bytes_read trace 30000 '/repo/.*gn8v-tee-helper-1.1'
        # Somewhere else, again, and after a change of something else: never.
        traced_publish trace --repo other
        bytes_read trace 30000 'gn8v-tee-helper-1.1' '\.rpm$'
        cmp repo/packages/gn8v-tee-helper-1.1-1.noarch.rpm other/packages/gn8v-tee-helper-1.1-1.noarch.rpm
        rm -rf repo
        package gn8v-tee-extra 1.0
        traced_publish trace
        bytes_read trace 30000 'gn8v-tee-helper-1.1' '\.rpm$'
        cmp repo/packages/gn8v-tee-helper-1.1-1.noarch.rpm other/packages/gn8v-tee-helper-1.1-1.noarch.rpm
        # A vendor's package, whose digest the store carries: copied by the kernel, its payload read by nobody.
        vendor=$(digest "$WWW/vendor-manager-7.1-1.noarch.rpm")
        traced_publish trace --repo third
        bytes_read trace $(($(stat -c %s "store/sha256/${vendor:0:2}/$vendor") + 20000)) "sha256/${vendor:0:2}/$vendor"
        # Nothing is taken for known that was written to: another inode, time or content.
        chmod u+w other/packages/gn8v-tee-helper-1.1-1.noarch.rpm
        printf X | dd of=other/packages/gn8v-tee-helper-1.1-1.noarch.rpm bs=1 seek=$((size - 1000)) conv=notrunc status=none
        rm -rf repo
        publish
        verify_repo_only
}

# A record that is sealed to its file: the digest is not taken again, unless anything was done to the file; and the payload lies where it lay.
sealed_packages() {
        local file=packages/gn8v-tee-helper-1.1-1.noarch.rpm
        begin sealed
        CONTENT=$(head -c 80000 /dev/urandom | base64 -w 0) package gn8v-tee-helper 1.1
        rm packages/gn8v-tee-helper-1.0*
        "$SOURCE/tests/bench/seal" packages
        publish
        verify_repo_only
        cmp -i $(($(stat -c %s "$file") - 50000)) "$file" "repo/$file"
        [ "$(stat -c %s "$file")" = "$(stat -c %s "repo/$file")" ] || die "the room for a signature was not used"
        # The same without a seal.
        cp -a repo sealed
        record gn8v-tee-helper-1.1-1.noarch.rpm
        rm -rf cache store/signed repo serials
        publish
        cmp "sealed/$file" "repo/$file"
        # Another byte, and the old time: the digest is taken, and differs.
        "$SOURCE/tests/bench/seal" packages
        touch -r "$file" time
        flip "$file"
        touch -r time "$file"
        rm -rf cache store/signed repo
        expect 5 publish
        said 'its SHA-256 is'
        [ ! -e repo/repodata ]
}

# The same packages give the same bytes, on one core or on all, from what is remembered or anew.
same_bytes() {
        local i
        begin bytes
        for i in 1 2 3 4 5 6 7 8; do package gn8v-tee-more-$i 1.0; done
        taskset -c 0 "$REPO" -C . --releases releases publish --key "$KEY" --gnupghome "$KEYS" --platform platform.provides --baseurl http://a.example/repo
        package gn8v-tee-more-9 1.0
        publish --baseurl http://a.example/repo
        cp -a repo remembered
        rm -rf cache store/signed repo
        publish --baseurl http://a.example/repo
        # The one state has another before it, so that its serial is higher.
        cmp <(sed '/gn8v-tee:serial=/d' repo/repodata/repomd.xml) <(sed '/gn8v-tee:serial=/d' remembered/repodata/repomd.xml)
        for file in $(cd repo/repodata && ls -- *-primary.xml.gz *-filelists.xml.gz *-other.xml.gz); do cmp "repo/repodata/$file" "remembered/repodata/$file"; done
        diff -r repo/packages remembered/packages
        gzip -t repo/repodata/*.gz
        # A state that is not one is no harm.
        for i in state xml.1 base.solv; do
                for size in 0 100 5000; do
                        cp cache/*/$i kept
                        head -c $size kept > "$(ls cache/*/$i)"
                        package "gn8v-tee-${i%.*}-$size" 1.0
                        publish --baseurl http://a.example/repo
                        verify_repo_only
                done
        done
}

unsolvable() {
        begin unsolvable
        expect 10 tee_repo solve --platform <(echo /bin/sh)
        said 'nothing provides dkms needed by gn8v-tee-kmod-1-dkms'
        publish
        before=$(state)
        expect 10 tee_repo publish --key "$KEY" --gnupghome "$KEYS" --platform <(echo /bin/sh) --repo none
        [ ! -e none/repodata ]
        # A pin that is missing.
        mv packages/gn8v-tee-driver-1-$NEW-1.noarch.rpm* .
        expect 10 publish
        said "gn8v-tee-driver-1 = $NEW-1"
        same_state "$before"
        # A metapackage that forgets one: its own requirements are met, its release's are not.
        mv gn8v-tee-driver-1-$NEW-1.noarch.rpm* packages/
        REVISION=2 RELEASE=single-$SINGLE package gn8v-tee-single $SINGLE 'Provides: gn8v-tee-profile = 9' 'Conflicts: gn8v-tee-profile'
        rm packages/gn8v-tee-single-$SINGLE-1.*
        sed -i 's/^Profile=.*/&\nRevision=2/' releases/single-$SINGLE.conf
        tee_repo lock
        expect 10 tee_repo solve --platform platform.provides
        said 'a pin of the release'
        # Profiles that do not exclude each other.
        RELEASE=single-$SINGLE REVISION=2 package gn8v-tee-single $SINGLE "Requires: gn8v-tee-driver-2 = $SINGLE-1, gn8v-tee-kmod-2-dkms = $SINGLE-1"
        expect 10 tee_repo solve --platform platform.provides
        said 'can be installed together'
        # An upgrade that leaves a pin behind: dnf would keep the older one.
        begin behind
        RELEASE=multi-$NEW package gn8v-tee-multi $NEW "Requires: gn8v-tee-driver-1 = $OLD-1, gn8v-tee-kmod-1-dkms = $OLD-1, vendor-manager = 7.1-1" \
                'Provides: gn8v-tee-profile = 9' 'Conflicts: gn8v-tee-profile'
        expect 10 tee_repo solve --platform platform.provides
        said "gn8v-tee-driver-1-$NEW-1, a pin of the release"
}

beside() {
        local repo=$SCRATCH/beside-repo
        mkdir -p "$repo"
        for f in "$WWW"/vendor-manager-9*.rpm "$WWW"/vendormanager-9*.rpm; do cp "$f" "$repo/"; done
        createrepo_c --quiet "$repo" >&2
        begin beside
        expect 0 tee_repo solve --platform platform.provides --beside "$repo"
        said 'ok +beside +upgrade of gn8v-tee-multi-'
        tee_repo --json solve --platform platform.provides --beside "$repo" | python3 -c 'import json, sys; assert json.load(sys.stdin)["ok"]'
        # A mirror as the platform: real packages instead of a list.
        mkdir mirror
        package dkms 3 'Provides: /bin/sh'
        mv packages/dkms-3-1.noarch.rpm mirror/ && rm packages/dkms-*
        createrepo_c --quiet mirror >&2
        expect 0 tee_repo solve --platform mirror
        expect 10 tee_repo solve --platform "$repo"
}

# A plain repository is proven by a program that has few libraries, any other by the one that has all: the words are the same.
whatever_form() {
        local primary form was
        restate() { sed -i "s/>$was</>$(digest "$1"/repodata/*-primary.xml.*)</" "$1/repodata/repomd.xml"; } # DIR: repomd.xml says what primary.xml is now
        begin forms
        publish
        tee_repo --json solve --platform platform.provides --repo repo > said
        expect 0 tee_repo solve --platform <(cat platform.provides) --repo repo
        cp -r repo quoted && cp -r repo packed
        primary=$(basename repo/repodata/*-primary.xml.gz)
        was=${primary%%-*}
        zcat "repo/repodata/$primary" | sed "s/ type=\"rpm\"/ type='rpm'/" | gzip -n > "quoted/repodata/$primary"
        zcat "repo/repodata/$primary" | xz > "packed/repodata/${primary%.gz}.xz"
        sed -i "s/-primary.xml.gz/-primary.xml.xz/" packed/repodata/repomd.xml
        rm "packed/repodata/$primary"
        # What is not as repomd.xml states is nobody's word, in whatever form it comes.
        gzip -n9 < <(zcat "repo/repodata/$primary") > quoted/other && cp -r repo plain && mv quoted/other "plain/repodata/$primary"
        for form in plain quoted packed; do
                expect 5 tee_repo solve --platform platform.provides --repo "$form"
                said "$form/repodata/$was-primary.xml[.a-z]*: its sha256 is $(digest "$form"/repodata/*-primary.xml.*), not $was as $form/repodata/repomd.xml says"
                expect 5 tee_repo solve --platform "$form" --repo repo
                restate "$form"
                tee_repo --json solve --platform platform.provides --repo "$form" > said.again
                cmp said said.again
        done
        rm packed/repodata/*.xz
        expect 1 tee_repo solve --platform platform.provides --repo packed
        said 'primary.xml.xz'
        was=$(digest "quoted/repodata/$primary")
        zcat "repo/repodata/$primary" | head -n 20 | gzip -n > "quoted/repodata/$primary"
        restate quoted
        expect 6 tee_repo solve --platform platform.provides --repo quoted
        said 'malformed'
}

locked() {
        begin locked
        (umask 077 && publish)
        [ -z "$(find repo -type d ! -perm 755)" ] || die "a web server cannot read it"
        [ -z "$(find repo -type f ! -name .lock ! -perm 644)" ] || die "a web server cannot read it"
        exec 9> repo/.lock
        flock 9
        expect 9 publish
        said 'wait for it: gn8v-tee-repo --lock-timeout'
        expect 9 tee_repo --lock-timeout 1 prune --keep 1
        # It waits, and goes on with what the other run has left.
        exec 9>&-
        package gn8v-tee-helper 1.1
        for i in 1 2 3 4; do
                tee_repo --lock-timeout 60 publish --key "$KEY" --gnupghome "$KEYS" --platform platform.provides --valid-days $((i * 100)) > "log.$i" 2>&1 &
        done
        wait
        cat log.*
        [ "$(grep -l "^./repo: generation [2-5]" log.* | wc -l)" = 4 ] || die "not each of four publishers had its turn"
        verify_repo_only
        expect 2 tee_repo --lock-timeout soon publish
        expect 0 publish
        expect 2 publish --repo .
        mkdir foreign && createrepo_c --quiet foreign >&2
        expect 1 publish --repo foreign
        said 'not published by gn8v-tee-repo'
        # Nor does a first run remove what somebody else has there; an empty folder is nobody's.
        mkdir -p theirs/packages own/packages && : > theirs/packages/a.rpm
        expect 1 publish --repo theirs
        said 'theirs/packages: it was there before'
        expect 1 tee_repo prune --keep 1 --repo theirs
        [ "$(find theirs foreign -name '.*')" = '' ] && [ -e theirs/packages/a.rpm ] || die "their file is gone, or ours is left"
        # Of a first run that is refused nothing is left, wherever it stops.
        for words in '--baseurl ftp://a.example/' '--platform no-such-file' "--key $VENDOR --key-valid-for 36500 --gnupghome /nowhere"; do
                # shellcheck disable=SC2086
                refuses publish --repo no/such/place $words
                [ ! -e no ] || die "left behind by publish $words: $(find no)"
        done
        echo '%dkms' > empty.provides
        mkdir there
        expect 10 tee_repo publish --key "$KEY" --gnupghome "$KEYS" --platform empty.provides --repo there
        [ -z "$(ls -A there)" ] || die "left behind: $(ls -A there)"
        expect 1 tee_repo verify --key "$KEY" --repo there
        said 'nothing is published there'
        publish --repo own
        expect 8 sh -c '"$@" > /dev/full' sh "$REPO" -C . --releases releases generations --repo own
}

full_disk() {
        begin full
        mkdir small && mount -t tmpfs -o size=100k tmpfs small
        CLEANUPS+=("umount '$PWD/small'")
        head -c 200000 /dev/urandom | base64 > big
        CONTENT=$(head -c 60000 big | tr -d '\n') package gn8v-tee-big 1.0
        CONTENT=$(tail -c 60000 big | tr -d '\n') package gn8v-tee-bigger 1.0
        expect 8 publish --repo small/repo
        [ ! -e small/repo/repodata ] && [ ! -e small/repo/.stage ]
        umount small
}

# A workspace that the real `build` filled from a vendor's look-alikes, published; each scenario breaks one link in a copy.
make_chain() {
        mkdir -p "$SCRATCH/chain/real"
        cd "$SCRATCH/chain"
        cp "$(ls "$SOURCE"/repo/releases/single-*.conf | tail -1)" real/
        "$SOURCE/tests/vendor/make" made --releases real --base "file://$PWD/made/www"
        mv made/releases releases
        printf '/bin/sh\ndkms\nopenssl3\nopenssl3-libs\nkernel-devel\ngcc\nmake\nsystemd\nkmod\ndracut\ngrubby\nelfutils-libelf-devel\n/sbin/ldconfig\n' > platform.provides
        tee_repo lock
        tee_repo fetch
        tee_repo build --specs "$SOURCE/specs"
        package gn8v-tee 1.0
        publish --platform "$SOURCE/repo/platform/el8.provides"
}
chain() { rm -rf "$SCRATCH/broken" && cp -a "$SCRATCH/chain" "$SCRATCH/broken" && cd "$SCRATCH/broken"; }
# broken LINK STATUS [VERIFY-OPTION...]: that verify stops at this link, in words and in JSON.
broken() {
        local link=$1 status=$2
        shift 2
        expect "$status" verify "$@"
        said "^broken +$link "
        { verify "$@" --json 2> /dev/null || :; } | python3 -c 'import json, sys; d = json.load(sys.stdin); assert not d["ok"] and d["links"][-1]["link"] == sys.argv[1] and d["links"][-1]["state"] == "broken", d' "$link"
}
flip() { # FILE: its last byte becomes another
        chmod u+w "$1"
        python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(-1, 2); b = f.read(1)[0]; f.seek(-1, 2); f.write(bytes([b ^ 1]))' "$1"
}
damage() { # FILE: one letter in the middle of its lines becomes another
        python3 -c 'import sys
lines = open(sys.argv[1]).read().split("\n")
i = len(lines) // 2
lines[i] = ("B" if lines[i][0] == "A" else "A") + lines[i][1:]
open(sys.argv[1], "w").write("\n".join(lines))' "$1"
}
driver() { ls "$1"/gn8v-tee-driver-*.rpm; }
resign() { gpg --homedir "$KEYS" --batch --yes --armor --local-user "${1:-$KEY}" --detach-sign --output repo/repodata/repomd.xml.asc repo/repodata/repomd.xml; }

chain_holds() {
        chain
        expect 0 verify
        said '^ok +payload +gn8v-tee-driver-'
        said '^ok +payload +gn8v-tee-kmod-'
        said '^ok +payload +gn8v-tee-cuda-'
        said '^ok +payload +gn8v-tee-cublas-'
        said '^ok +payload +gn8v-tee-single-'
        said 'all [0-9]+ links hold'
        verify --json | python3 -c 'import json, sys; assert json.load(sys.stdin)["ok"]'
        expect 0 tee_repo verify
        # A copy of it is as good, down to the archives; of anything else this workspace knows nothing.
        "$REPO" -q mirror --key "$KEY" --key "$VENDOR" "file://$PWD/repo" copy
        expect 0 tee_repo verify --key "$KEY" --repo copy
        said '^ok +payload +gn8v-tee-driver-'
        rm -rf copy
        # Without the store, and without the workspace, what is left holds, but not all could be checked.
        mv store away
        expect 11 verify
        mkdir empty
        expect 11 "$REPO" -C empty --releases releases verify --repo repo --key "$KEY"
        said '^unchecked +lock'
        said '^ok +signature'
}
# Packages that were not built here: unsigned ones get our signature, others keep theirs, and clients get that key.
others() {
        local file=team-signed-1.0-1.noarch.rpm
        chain
        mkdir team theirs && cd team
        package team-tool 1.0
        package team-signed 1.0
        package team-needs 1.0 'Requires: what-nobody-has'
        cd ..
        mv team/packages/*.rpm theirs/
        cp theirs/$file unsigned.rpm
        rpmsign --addsign --define "__gpg $(command -v gpg)" --define "_gpg_path $KEYS" --define "_gpg_name $VENDOR" --define '_gpg_digest_algo sha256' theirs/$file
        gpg --homedir "$KEYS" --batch --armor --export "$KEY" > ours.pub
        # What is refused leaves nothing, and all are added or none.
        expect 5 tee_repo add theirs/team-tool-1.0-1.noarch.rpm theirs/$file
        said 'whose key that is was not said'
        expect 5 tee_repo add --key-file ours.pub theirs/$file
        expect 5 tee_repo add --key-file "$WWW/vendor.pub" --key "$KEY" theirs/$file
        head -c 6000 unsigned.rpm > cut.rpm
        cp unsigned.rpm flipped.rpm && flip flipped.rpm
        mkfifo pipe
        for bad in cut.rpm:6 flipped.rpm:5 pipe:6 ours.pub:6 theirs:6 nowhere.rpm:1; do expect "${bad#*:}" timeout 10 "$REPO" -C . add "${bad%:*}"; done
        expect 3 tee_repo add "$(driver packages)"
        expect 1 tee_repo remove "$(basename "$(driver packages)")"
        [ -z "$(find packages -name 'team*' -o -name 'RPM-GPG*' -o -name '.*.tmp')" ] || die 'something was left'
        # Both ways.
        expect 0 tee_repo add --key-file "$WWW/vendor.pub" --key "$VENDOR" theirs/team-tool-1.0-1.noarch.rpm theirs/$file
        expect 0 tee_repo add theirs/team-tool-1.0-1.noarch.rpm theirs/team-tool-1.0-1.noarch.rpm
        [ "$(grep -c '^team-tool-1.0-1.noarch.rpm: there already, nothing to do' "$SCRATCH/output")" = 1 ]
        expect 3 tee_repo add unsigned.rpm
        tee_repo list | has 'team-tool-1.0-1.noarch.rpm  *added .* no$'
        publish --platform "$SOURCE/repo/platform/el8.provides"
        cmp theirs/$file repo/packages/$file
        expect 0 verify
        said "^ok +package +team-tool-1.0-1.noarch.rpm"
        gpg --show-keys --with-colons repo/RPM-GPG-KEY-gn8v-tee-vendor | has "$VENDOR"
        grep -q '^gpgkey=.*RPM-GPG-KEY-gn8v-tee-vendor' repo/gn8v-tee.repo
        expect 0 publish --platform "$SOURCE/repo/platform/el8.provides"
        said 'nothing to publish'
        tee_repo sbom "$(basename releases/single-*.conf .conf)" | python3 -c 'import json, sys; assert {"team-tool", "team-signed"} <= {p["name"] for p in json.load(sys.stdin)["packages"]}'
        flip packages/$file && broken record 5 && flip packages/$file
        # What does not install is not published; what was removed is gone with the next state, its key, too.
        expect 0 tee_repo add theirs/team-needs-1.0-1.noarch.rpm
        expect 10 publish --platform "$SOURCE/repo/platform/el8.provides"
        said 'nothing provides what-nobody-has'
        expect 0 tee_repo remove team-needs $file team-tool-1.0-1.noarch
        publish --platform "$SOURCE/repo/platform/el8.provides"
        [ -z "$(find packages -name 'team*' -o -name 'RPM-GPG*')" ]
        [ ! -e repo/RPM-GPG-KEY-gn8v-tee-vendor ]
        expect 0 verify
        # A state whose packages clients could not check any more is neither brought back nor carried on; a key that signed nothing is given to nobody.
        expect 5 tee_repo rollback --key "$KEY" --gnupghome "$KEYS"
        said "key $VENDOR, which signed packages/$file of generation [0-9]+, is not in it any more"
        expect 5 tee_repo export --key "$KEY" --gnupghome "$KEYS" --generation previous old.tar
        cp "$WWW/vendor.pub" "packages/RPM-GPG-KEY-$VENDOR"
        expect 0 publish --platform "$SOURCE/repo/platform/el8.provides"
        [ ! -e repo/RPM-GPG-KEY-gn8v-tee-vendor ]
        expect 0 tee_repo add --key-file "$WWW/vendor.pub" theirs/$file
        publish --platform "$SOURCE/repo/platform/el8.provides"
        expect 0 tee_repo rollback --key "$KEY" --gnupghome "$KEYS"
}

chain_of_workspace() {
        local file
        # What was built since, and a release that was not published.
        chain && package gn8v-tee 1.1 && broken primary 5
        said 'gn8v-tee-1.1-1.noarch.rpm is not in it'
        chain && sed 's/^Version=.*/&.1/' releases/single-*.conf > releases/x
        file=$(sed -n '/^\[Release/,/^\[P/s/^Version=//p' releases/x)
        mv releases/x "releases/single-$file.conf"
        tee_repo lock "single-$file"
        expect 11 verify
        said "^unchecked +primary +single-$file: this release is not published"
        chain && echo '# edited' >> releases/single-*.conf && broken lock 3
        chain && echo '{' > "$(ls locks/single-*.lock)" && broken lock 6
        chain && for file in store/sha256/*/*; do flip "$file"; broken store 5; flip "$file"; done
        expect 0 verify
        file=$(driver packages)
        chain && sed -i 's/"artifact_sha256": "..../"artifact_sha256": "0000/' "$file.json" && broken record 5
        chain && flip "$file" && broken record 5
        chain && echo '{' > "$file.json" && broken record 6
        chain && rm "$file" "$file.json"
        broken primary 5
        said "no lock and no build record has packages/gn8v-tee-driver"
}
chain_of_packages() {
        local file
        chain && file=$(driver repo/packages)
        flip "$file" && broken package 5
        said 'payload is not the one'
        chain && rm "$file" && broken package 5
        chain && cp "$(driver packages)" "$file" && broken package 5
        chain && ln -sf /etc/passwd "$file" && broken package 5
        # Somebody has our key, and publishes a driver that is not the vendor's: every signature is good, the payload is not.
        chain
        file=$(basename "$(driver packages)")
        mkdir rebuild && rpm2archive "packages/$file" && tar -xzf "packages/$file.tgz" -C rebuild && rm "packages/$file.tgz"
        flip "$(find rebuild -name 'libnvidia-ml.so.*' -type f | head -1)"
        find rebuild -mindepth 1 ! -type d -printf '/%P\n' > list
        cat > evil.spec <<SPEC
Name: $(rpm -qp --qf '%{name}' "packages/$file")
Version: $(rpm -qp --qf '%{version}' "packages/$file")
Release: $(rpm -qp --qf '%{release}' "packages/$file")
Summary: Not the vendor's
License: MIT
AutoReqProv: no
%description
.
%install
cp -a $PWD/rebuild/. %{buildroot}/
%files -f $PWD/list
SPEC
        rpmbuild -bb --quiet --define "_topdir $PWD/evil" --define '_build_id_links none' --define '__os_install_post %{nil}' --define 'debug_package %{nil}' evil.spec
        cp "evil/RPMS/x86_64/$file" packages/
        sed -i "s/\"sha256\": \"[0-9a-f]*\"/\"sha256\": \"$(digest "packages/$file")\"/" "packages/$file.json"
        publish --replace --platform "$SOURCE/repo/platform/el8.provides"
        broken payload 5
}
chain_of_metadata() {
        local file
        chain && file=$(ls repo/repodata/*-primary.xml.gz)
        flip "$file" && broken repomd 5
        chain && rm "$file" && broken repomd 5
        chain && sed -i 's/<revision>/&1/' repo/repodata/repomd.xml && broken signature 5
        said 'content is not what was signed'
        chain && rm repo/repodata/repomd.xml.asc && broken signature 5
        chain && resign "$VENDOR" && broken signature 5
        said 'another key signed it'
        chain && cp "$WWW/vendor.pub" repo/RPM-GPG-KEY-gn8v-tee && broken key 5
        chain && expect 5 tee_repo verify --key "$VENDOR"
        said '^broken +key .*RPM-GPG-KEY'
        chain && echo nonsense > repo/RPM-GPG-KEY-gn8v-tee && broken key 6
        # One byte of the armor: gpg reads such a key, rpm does not.
        for file in RPM-GPG-KEY-gn8v-tee repodata/repomd.xml.key; do
                chain && damage "repo/$file" && broken key 6
        done
        chain && damage repo/repodata/repomd.xml.asc && broken signature 6
        # Well signed, but hostile: a document type, a location outside, a size that is none.
        chain && sed -i '1a <!DOCTYPE repomd [<!ENTITY a "b">]>' repo/repodata/repomd.xml && resign && broken repomd 6
        chain && sed -i 's|href="repodata/[0-9a-f]*-primary|href="repodata/../../../etc/primary|' repo/repodata/repomd.xml && resign && broken repomd 6
        chain && sed -i '0,/<open-size>[0-9]*/s//<open-size>7/' repo/repodata/repomd.xml && resign && broken repomd 6
        chain && rm -rf repo/repodata && broken key 5
}

# Two generations of it, with a date of expiry and a metalink; mutate.py changes one thing at a time.
mutations() {
        mkdir "$SCRATCH/mutations" "$SCRATCH/mutations/nothing"
        cp -a "$SCRATCH/chain" "$SCRATCH/changed"
        cd "$SCRATCH/changed"
        rm -rf rpmbuild made packages/gn8v-tee-1.0-*
        cp -a repo older
        package gn8v-tee 1.1
        rm -rf rpmbuild
        publish --platform "$SOURCE/repo/platform/el8.provides" --valid-days 300 --baseurl http://example.invalid/repo --mirror-url http://example.invalid/repo
        expect 0 verify
        expect 0 python3 "$SOURCE/tests/e2e/mutate.py" "$REPO" "$PWD" "$KEYS" "$KEY" "$VENDOR" "$SCRATCH/mutations"
        said '^[0-9]{3} mutations, 0 not caught'
        rm -rf "$SCRATCH/changed"
}

for_chain() {
        vendor_package 9.0
        (cd "$SCRATCH" && package vendormanager 9.5 'Obsoletes: vendor-manager < 9.5' 'Provides: vendor-manager = 9.5')
        mv "$SCRATCH/packages/vendormanager-9.5-1.noarch.rpm" "$WWW/"
        make_chain
}
make_keys
prepare make_template for_chain

scenario 'dnf installs, upgrades, swaps with gpgcheck and repo_gpgcheck' publish_for_dnf
scenario 'rpm finds the signatures good' signed_by_rpm
scenario 'publishing twice changes nothing, elsewhere gives the same bytes' nothing_new
scenario 'generations are kept and removed' generations
scenario 'other content under the same version is refused' other_content
scenario 'bad inputs leave the repository' bad_inputs
scenario 'bad keys are refused' bad_keys
scenario 'a key that ends soon is refused, a subkey signs with a warning' keys_with_an_end
scenario 'a key of OpenSSL signs as well' openssl_signer
scenario 'a payload is read once, and what is known not at all' payload_is_read_once
scenario 'a sealed package is taken at its word, and no other' sealed_packages
scenario 'the same bytes on one core and on all, remembered or anew' same_bytes
scenario 'what does not install is not published' unsolvable
scenario 'upgrades beside other repositories change nothing' beside
scenario 'the proof does not depend on how metadata is written' whatever_form
scenario 'locked, foreign and nonsensical repositories' locked
scenario 'a full disk' full_disk
scenario 'the chain holds' chain_holds
scenario 'packages of others are added and removed' others
scenario 'broken links in the workspace are named' chain_of_workspace
scenario 'broken packages are named' chain_of_packages
scenario 'broken metadata, signatures and keys are named' chain_of_metadata
scenario 'more than a hundred mutations of a good repository are caught' mutations
finish
