#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lock, fetch and list against a real web server: resume, redirects, Referer, mismatch, full disk, and who signed a vendor's RPM.
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

WWW=$SCRATCH/www
KEYS=$SCRATCH/keys
MAIN_PORT=$(free_port)
OTHER_PORT=$(free_port)
BASE=http://127.0.0.1:$MAIN_PORT
HEAD=$(find "$SOURCE/repo/releases" -name 'single-*.conf' | sort | head -1)
NAME=single-1.2.3 # made up, as every version here

digest() { sha256sum "$1" | cut -d' ' -f1; }
size() { stat -c %s "$1"; }
stored() { echo "store/sha256/${1:0:2}/$1"; }

# begin NAME: an empty workspace with an empty folder of releases, and the working directory is there.
begin() {
        mkdir -p "$SCRATCH/$1/releases"
        cd "$SCRATCH/$1"
}
# release: the head of a real release file, under a made-up name; the artifacts come from standard input.
release() {
        sed '/^\[Artifact/,$d; s/^Version=.*/Version=1.2.3/; s/^Profile=.*/Profile=single/' \
                "$HEAD" > "releases/$NAME.conf"
        cat >> "releases/$NAME.conf"
}
# driver LINE...: an artifact of that kind with these lines (URL=, SHA256=, Size=, Referer=).
driver() {
        printf '[Artifact driver]\nKind=driver\nVersion=1.2.3\nDate=2026-01-02\nLicence=LicenseRef-Test\nRedistributable=no\n'
        printf '%s\n' "$@"
}
# signed URL-OF-RPM URL-OF-KEY FINGERPRINT [VERSION]
signed() {
        printf '[Artifact thing]\nKind=rpm\nPackage=thing\nVersion=%s\nURL=%s\nSHA256=first-use\nSigner=%s\nLicence=MIT\nRedistributable=no\n' "${4:-1.2.3}" "$1" "$3"
        printf '[Artifact key]\nKind=key\nURL=%s\nSHA256=first-use\nFingerprint=%s\nLicence=MIT\nRedistributable=yes\n' "$2" "$3"
}
# lacks PATTERN FILE
lacks() { if grep -q -e "$1" "$2"; then die "'$1' is in $2"; fi; }
tee_repo() { "$REPO" -C . --releases releases "$@"; }

make_packages() {
        mkdir -p "$SCRATCH/rpm"
        cat > "$SCRATCH/rpm/thing.spec" <<SPEC
Name: thing
Version: 1.2.3
Release: 1
Summary: A package to sign
License: MIT
BuildArch: noarch
%description
A package to sign.
%install
mkdir -p %{buildroot}/opt/thing
seq 1 5000 > %{buildroot}/opt/thing/numbers
%files
/opt/thing
SPEC
        rpmbuild -bb --quiet --define "_topdir $SCRATCH/rpm" "$SCRATCH/rpm/thing.spec"
        cp "$SCRATCH/rpm/RPMS/noarch/thing-1.2.3-1.noarch.rpm" "$WWW/unsigned.rpm"
}
# sign OUTPUT FINGERPRINT [FAKED-TIME]
sign() {
        cp "$WWW/unsigned.rpm" "$WWW/$1"
        GNUPGHOME=$KEYS rpmsign --define "__gpg /usr/bin/gpg" --define "_gpg_name $2" --define "_gpg_digest_algo sha256" \
                ${3:+--define "_gpg_sign_cmd_extra_args --faked-system-time $3"} --addsign "$WWW/$1"
}
export_key() { gpg --homedir "$KEYS" --armor --export "$2" > "$WWW/$1"; }

# The pinned key's file with somebody else's signing key appended as a subkey that nobody has bound: gpg drops it, a careless reader does not.
adopt_stranger() {
        gpg --homedir "$KEYS" --export "$VENDOR" > "$SCRATCH/vendor.gpg"
        gpg --homedir "$KEYS" --export "$STRANGER" > "$SCRATCH/stranger.gpg"
        python3 - "$SCRATCH/vendor.gpg" "$SCRATCH/stranger.gpg" "$SCRATCH/vendor.gpg" "$WWW/adopted.pub" <<'PYTHON'
import sys

def packets(data):
    at = 0
    while at < len(data):
        tag, size = (data[at] >> 2) & 15, {0: 1, 1: 2}[data[at] & 3]
        length = int.from_bytes(data[at + 1:at + 1 + size], "big")
        yield tag, data[at + 1 + size:at + 1 + size + length], data[at:at + 1 + size + length]
        at += 1 + size + length

vendor, stranger = (list(packets(open(path, "rb").read())) for path in sys.argv[1:3])
key = next(body for tag, body, _ in stranger if tag == 6)
signature = next(raw for tag, _, raw in reversed(vendor) if tag == 2)
subkey = bytes([0x80 | 14 << 2 | 1]) + len(key).to_bytes(2, "big") + key
open(sys.argv[4], "wb").write(b"".join(raw for _, _, raw in vendor) + subkey + signature)
PYTHON
}

setup() {
        mkdir -p "$WWW/guarded" "$WWW/slow"
        make_packages
        VENDOR=$(make_key "$KEYS" vendor@example.com)
        STRANGER=$(make_key "$KEYS" stranger@example.com)
        EXPIRED=$(make_key "$KEYS" expired@example.com 10d 20200101T000000)
        export_key vendor.pub "$VENDOR"
        export_key stranger.pub "$STRANGER"
        export_key expired.pub "$EXPIRED"
        gpg --homedir "$KEYS" --armor --export "$VENDOR" "$STRANGER" > "$WWW/two.pub"
        sign good.rpm "$VENDOR"
        REVOKED=$(make_key "$KEYS" revoked@example.com)
        sign revoked.rpm "$REVOKED"
        sed 's/^:---/---/' "$KEYS/openpgp-revocs.d/$REVOKED.rev" | gpg --homedir "$KEYS" --batch --import
        export_key revoked.pub "$REVOKED"
        FAMILY=$(make_key "$KEYS" family@example.com)
        gpg --homedir "$KEYS" --batch --pinentry-mode loopback --passphrase '' --quick-add-key "$FAMILY" rsa3072 sign never
        CHILD=$(gpg --homedir "$KEYS" --batch --with-colons --list-keys "$FAMILY" | awk -F: '$1 == "fpr" { last = $10 } END { print last }')
        export_key family.pub "$FAMILY"
        sign child.rpm "$CHILD!"
        adopt_stranger
        sign stranger.rpm "$STRANGER"
        sign expired.rpm "$EXPIRED" 20200102T000000
        head -c 3000000 /dev/urandom > "$WWW/driver.run"
        cp "$WWW/driver.run" "$WWW/guarded/driver.run"
        serve "$WWW" "$MAIN_PORT" "
                location /guarded/ { if (\$http_referer != http://vendor.example/) { return 403; } }
                location /slow/ { alias $WWW/; limit_rate 1m; }
                location /moved/ { rewrite ^/moved/(.*)$ http://127.0.0.1:$OTHER_PORT/\$1 redirect; }
                location /loop/ { return 302 $BASE/loop/driver.run; }
                location /passwd/ { return 302 file:///etc/passwd; }"
        FIRST=$NGINX
        serve "$WWW" "$OTHER_PORT"
        OTHER=$NGINX
}
driver_digest() { digest "$WWW/driver.run"; }

locks_and_fetches() {
        begin thread
        { driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)"; signed "$BASE/good.rpm" "$BASE/vendor.pub" "$VENDOR"; } | release
        expect 3 tee_repo fetch
        said "gn8v-tee-repo lock $NAME"
        expect 3 tee_repo lock --check
        expect 0 env SOURCE_DATE_EPOCH=1000000000 "$REPO" -C . --releases releases lock
        cp "locks/$NAME.lock" before
        python3 - "locks/$NAME.lock" "$(driver_digest)" "$(digest "$WWW/good.rpm")" "$(size "$WWW/good.rpm")" "$VENDOR" <<'PYTHON'
import json, sys
artifacts = json.load(open(sys.argv[1]))["artifacts"]
thing = artifacts["thing"]
assert artifacts["driver"]["checksum"] == "sha256:" + sys.argv[2] and artifacts["driver"]["first_use"] is None, artifacts
assert thing["checksum"] == "sha256:" + sys.argv[3] and thing["first_use"] == "2001-09-09" and thing["size"] == int(sys.argv[4]), thing
assert thing["signer"] == sys.argv[5], thing
PYTHON
        [ ! -e "$(stored "$(driver_digest)")" ] || die "lock fetched what is pinned"
        expect 0 tee_repo lock
        cmp before "locks/$NAME.lock"
        expect 0 tee_repo lock --refresh
        cmp before "locks/$NAME.lock" # the same bytes were first seen on that day
        expect 0 tee_repo lock --check
        expect 0 tee_repo fetch
        cmp "$WWW/driver.run" "$(stored "$(driver_digest)")"
        [ "$(stat -c %a "$(stored "$(driver_digest)")")" = 444 ]
        [ -z "$(ls store/partial)" ]
        tee_repo list --json > rows
        python3 - rows <<'PYTHON'
import json, sys
rows = json.load(open(sys.argv[1]))
assert len(rows) == 3 and all(row["stored"] for row in rows) and rows[2]["published"] is None, rows
PYTHON
}
second_run_is_offline() {
        cd "$SCRATCH/thread"
        wc -l < "$FIRST/referer.log" > lines
        expect 0 env http_proxy=http://127.0.0.1:1/ "$REPO" -C . --releases releases fetch
        expect 0 env ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=connect -o trace "$REPO" -C . --releases releases fetch
        lacks 'connect(' trace
        [ "$(wc -l < "$FIRST/referer.log")" = "$(cat lines)" ]
}
edited_release_is_stale() {
        cd "$SCRATCH/thread"
        cp -r . "$SCRATCH/stale"
        cd "$SCRATCH/stale"
        echo '# edited' >> "releases/$NAME.conf"
        expect 3 tee_repo lock --check
        expect 3 tee_repo fetch
        said 'stale'
        expect 0 tee_repo list
        said stale
        expect 0 tee_repo lock
        expect 0 tee_repo lock --check
        grep -q 2001-09-09 "locks/$NAME.lock" || die "the first use's date is lost"
}
republished_file_is_refused() {
        begin republished
        cp "$WWW/vendor.pub" "$WWW/changing.pub"
        { driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)"; signed "$BASE/good.rpm" "$BASE/changing.pub" "$VENDOR"; } | release
        expect 0 env SOURCE_DATE_EPOCH=1000000000 "$REPO" -C . --releases releases lock
        was=$(digest "$WWW/changing.pub")
        gpg --homedir "$KEYS" --export "$VENDOR" > "$WWW/changing.pub" # the same key, other bytes
        rm -rf store
        expect 5 tee_repo fetch
        said 'lock --refresh'
        said "$(size "$WWW/changing.pub")|$(digest "$WWW/changing.pub")"
        expect 0 tee_repo lock
        expect 0 tee_repo lock --refresh
        said "was $was"
        expect 0 tee_repo fetch
}
mismatch_is_kept_aside() {
        begin mismatch
        wrong=$(printf x | sha256sum | cut -d' ' -f1)
        driver "URL=$BASE/driver.run" "SHA256=$wrong" | release
        expect 0 tee_repo lock
        expect 5 tee_repo fetch
        said "$wrong"
        said "$(driver_digest)"
        said "store/rejected/driver.run.$(driver_digest)"
        cmp "$WWW/driver.run" "store/rejected/driver.run.$(driver_digest)"
        [ -z "$(find store/sha256 -type f)" ]
}
second_url_is_tried() {
        begin second
        driver "URL=$BASE/none/driver.run" "URL=http://127.0.0.1:1/driver.run" "URL=$BASE/driver.run" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 0 tee_repo fetch
        said 'none/driver.run: HTTP status 404'
        driver "URL=$BASE/none/driver.run" "URL=http://127.0.0.1:1/driver.run" "SHA256=$(digest "$WWW/good.rpm")" | release
        expect 0 tee_repo lock
        expect 7 tee_repo fetch
        said 'none/driver.run: HTTP status 404'
        said '127.0.0.1:1/driver.run: '
}
referer_is_for_one_host() {
        begin referer
        driver "URL=$BASE/guarded/driver.run" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 7 tee_repo fetch
        said 'HTTP status 403'
        driver "URL=$BASE/guarded/driver.run" "Referer=127.0.0.1:$MAIN_PORT http://vendor.example/" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 0 tee_repo fetch
        rm -rf store
        driver "URL=$BASE/moved/driver.run" "Referer=127.0.0.1:$MAIN_PORT http://vendor.example/" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 0 tee_repo fetch
        grep -q '/moved/driver.run .*"http://vendor.example/" 302' "$FIRST/referer.log"
        lacks vendor.example "$OTHER/referer.log"
        grep -q '/driver.run .*"-" 200' "$OTHER/referer.log"
}
redirects_are_bounded() {
        begin redirects
        driver "URL=$BASE/loop/driver.run" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 7 tee_repo fetch
        said 'more than 10'
        driver "URL=$BASE/passwd/driver.run" "SHA256=$(digest /etc/passwd)" | release
        expect 0 tee_repo lock
        expect 7 tee_repo fetch
        said 'file:///etc/passwd'
        [ -z "$(find store/sha256 -type f)" ]
}
broken_off_is_continued() {
        begin resume
        driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)" "Size=$(size "$WWW/driver.run")" | release
        expect 0 tee_repo lock
        head -c 1000000 "$WWW/driver.run" > "store/partial/$(driver_digest)"
        : > "$FIRST/referer.log"
        expect 0 tee_repo fetch
        grep -q '/driver.run .* 206' "$FIRST/referer.log"
        cmp "$WWW/driver.run" "$(stored "$(driver_digest)")"
        # A partial file of other bytes is found out by the digest, and the file is read in one piece.
        rm -rf store
        expect 0 tee_repo lock
        head -c 1000000 /dev/zero > "store/partial/$(driver_digest)"
        expect 0 tee_repo fetch
        cmp "$WWW/driver.run" "$(stored "$(driver_digest)")"
}
killed_run_is_continued() {
        begin killed
        driver "URL=$BASE/slow/driver.run" "SHA256=$(driver_digest)" "Size=$(size "$WWW/driver.run")" | release
        expect 0 tee_repo lock
        "$REPO" -C . --releases releases fetch &
        until [ "$(stat -c %s "store/partial/$(driver_digest)" 2>/dev/null || echo 0)" -gt 0 ]; do kill -0 $!; done
        kill -KILL $!
        wait $! || :
        [ ! -e "$(stored "$(driver_digest)")" ] || die "it was too fast to be killed"
        : > "$FIRST/referer.log"
        expect 0 tee_repo fetch
        grep -q '/slow/driver.run .* 206' "$FIRST/referer.log"
        cmp "$WWW/driver.run" "$(stored "$(driver_digest)")"
}
short_file_is_not_taken() {
        begin short
        head -c 2000000 "$WWW/driver.run" > "$WWW/short.run"
        driver "URL=$BASE/short.run" "SHA256=$(driver_digest)" "Size=$(size "$WWW/driver.run")" | release
        expect 0 tee_repo lock
        expect 7 tee_repo fetch
        said 'ended after 2000000 of 3000000 bytes'
        [ -z "$(find store/sha256 -type f)" ]
        cp "$WWW/driver.run" "$WWW/short.run"
        expect 0 tee_repo fetch
        cat "$WWW/driver.run" /etc/hostname > "$WWW/long.run"
        rm -rf store
        driver "URL=$BASE/long.run" "SHA256=$(driver_digest)" "Size=$(size "$WWW/driver.run")" | release
        expect 0 tee_repo lock
        expect 5 tee_repo fetch
        said 'expected are 3000000'
}
full_disk_changes_nothing() {
        begin full
        mkdir disk
        mount -t tmpfs -o size=2m tmpfs disk || skip_scenario "no tmpfs can be mounted here"
        driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)" "Size=$(size "$WWW/driver.run")" | release
        : > "$FIRST/referer.log"
        expect 0 "$REPO" -C disk --releases releases lock
        expect 8 "$REPO" -C disk --releases releases fetch
        said 'Free [0-9]+ MiB'
        [ ! -s "$FIRST/referer.log" ] || die "it asked the server without space for the answer"
        # Full in the middle: two files, each of which would fit.
        head -c 1200000 "$WWW/driver.run" > "$WWW/one.run"
        tail -c 1200000 "$WWW/driver.run" > "$WWW/two.run"
        { driver "URL=$BASE/one.run" "SHA256=$(digest "$WWW/one.run")"; driver "URL=$BASE/two.run" "SHA256=$(digest "$WWW/two.run")" |
                sed 's/\[Artifact driver\]/[Artifact driver2]/'; } | release
        expect 0 "$REPO" -C disk --releases releases lock
        expect 8 "$REPO" -C disk --releases releases fetch
        [ "$(grep -c . "$SCRATCH/output")" -le 4 ]
        mount -o remount,size=8m disk
        expect 0 "$REPO" -C disk --releases releases fetch
}
signer_must_be_the_pinned_one() {
        begin signer
        for case in "stranger.rpm vendor.pub $VENDOR" "unsigned.rpm vendor.pub $VENDOR" "good.rpm stranger.pub $VENDOR" \
                    "expired.rpm expired.pub $EXPIRED" "revoked.rpm revoked.pub $REVOKED" "stranger.rpm adopted.pub $VENDOR" \
                    "child.rpm family.pub $CHILD" "good.rpm two.pub $VENDOR" "good.rpm unsigned.rpm $VENDOR"; do
                # shellcheck disable=SC2086
                set -- $case
                rm -rf store locks
                { driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)"; signed "$BASE/$1" "$BASE/$2" "$3"; } | release
                expect 5 tee_repo lock
                [ ! -e "locks/$NAME.lock" ] || die "locked all the same: $case"
                [ ! -e "$(stored "$(digest "$WWW/$1")")" ] || die "stored all the same: $case"
        done
        # One byte of the payload, one of the signed header (the summary).
        for at in -100 "$(grep -abo 'A package to sign' "$WWW/good.rpm" | head -1 | cut -d: -f1)"; do
                python3 - "$WWW/good.rpm" "$WWW/changed.rpm" "$at" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[3])] ^= 1
open(sys.argv[2], "wb").write(data)
PYTHON
                rm -rf store locks
                { driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)"; signed "$BASE/changed.rpm" "$BASE/vendor.pub" "$VENDOR"; } | release
                expect 5 tee_repo lock
        done
        rm -rf store locks
        { driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)"; signed "$BASE/good.rpm" "$BASE/vendor.pub" "$VENDOR" 1.2.4; } | release
        expect 5 tee_repo lock
        said 'thing-1.2.3-1.noarch, expected thing-1.2.4-1'
}
subkey_may_sign() {
        begin subkey
        { driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)"; signed "$BASE/child.rpm" "$BASE/family.pub" "$FAMILY"; } | release
        expect 0 tee_repo lock
}
releases_share_a_file() {
        begin shared
        { driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)"; signed "$BASE/good.rpm" "$BASE/vendor.pub" "$VENDOR"; } | release
        sed 's/^Profile=.*/Profile=multi/' "releases/$NAME.conf" > releases/multi-1.2.3.conf
        : > "$FIRST/referer.log"
        expect 0 tee_repo lock
        expect 0 tee_repo fetch
        [ "$(grep -c vendor.pub "$FIRST/referer.log")" = 1 ]
        [ "$(grep -c driver.run "$FIRST/referer.log")" = 1 ]
        expect 0 tee_repo fetch multi-1.2.3
        # The other release expects another package under the same URL.
        sed -i 's/^Package=thing/Package=other/' releases/multi-1.2.3.conf
        rm -rf store locks
        expect 5 tee_repo lock
        said 'expected other-1.2.3-1'
        [ ! -e locks ]
}
pinned_digest_does_not_replace_the_signature() {
        begin digest-only
        { driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)"; signed "$BASE/unsigned.rpm" "$BASE/vendor.pub" "$VENDOR" |
                sed "0,/SHA256=first-use/s//SHA256=$(digest "$WWW/unsigned.rpm")/"; } | release
        expect 0 tee_repo lock
        expect 5 tee_repo fetch
        said 'not signed'
        [ ! -e "$(stored "$(digest "$WWW/unsigned.rpm")")" ]
}
one_run_at_a_time() {
        begin locked
        driver "URL=$BASE/driver.run" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 9 flock store/lock "$REPO" -C . --releases releases fetch
        expect 0 tee_repo fetch
}
https_is_checked() {
        local port bundle=/etc/ssl/certs/ca-certificates.crt
        begin https
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key -out cert
        port=$(free_port)
        serve "$WWW" "$(free_port)" "listen 127.0.0.1:$port ssl; ssl_certificate $PWD/cert; ssl_certificate_key $PWD/key;
                location /down/ { return 302 $BASE/driver.run; }"
        driver "URL=https://localhost:$port/driver.run" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 7 tee_repo fetch
        said 'certificate'
        # In a mount namespace where the certificate is one that the machine trusts.
        [ -e "$bundle" ] || skip_scenario "no $bundle"
        unshare -m true || skip_scenario "no mount namespaces here"
        # shellcheck disable=SC2317  # expect calls it
        trusting() { unshare -m sh -c "mount --bind cert $bundle && exec \"\$@\"" - "$@"; }
        expect 0 trusting "$REPO" -C . --releases releases fetch
        cmp "$WWW/driver.run" "$(stored "$(driver_digest)")"
        rm -rf store
        driver "URL=https://localhost:$port/down/driver.run" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 7 trusting "$REPO" -C . --releases releases fetch
        said 'not encrypted'
}
files_without_a_server() {
        begin file
        driver "URL=file://$WWW/none/driver.run" "URL=file://$WWW/driver.run" "SHA256=$(driver_digest)" | release
        expect 0 tee_repo lock
        expect 0 tee_repo fetch
        cmp "$WWW/driver.run" "$(stored "$(driver_digest)")"
        mkdir empty
        [ "$("$REPO" -C . --releases empty list --json)" = '[]' ]
        for verb in lock fetch list; do
                "$REPO" "$verb" --help > help
                lacks '.\{81\}' help
                expect 2 "$REPO" "$verb" --nonsense
        done
}

setup > "$LOGS/setup.log" 2>&1 || { tail "$LOGS/setup.log" >&2; fail "$SUITE: setup"; exit 1; }
scenario "lock takes digests, fetch fills the store" locks_and_fetches
scenario "a second fetch opens no connection" second_run_is_offline
scenario "an edited release makes its lock stale" edited_release_is_stale
scenario "a file that was published anew is refused" republished_file_is_refused
scenario "a wrong digest is kept aside" mismatch_is_kept_aside
scenario "URLs are tried in order" second_url_is_tried
scenario "the Referer is for its host only" referer_is_for_one_host
scenario "redirects are bounded" redirects_are_bounded
scenario "a broken-off download is continued" broken_off_is_continued
scenario "a killed run is continued" killed_run_is_continued
scenario "a short or long file is not taken" short_file_is_not_taken
scenario "a full disk" full_disk_changes_nothing
scenario "an RPM must have its signer" signer_must_be_the_pinned_one
scenario "a subkey of the pinned key may sign" subkey_may_sign
scenario "releases share what is the same" releases_share_a_file
scenario "a digest does not replace a signature" pinned_digest_does_not_replace_the_signature
scenario "one run at a time" one_run_at_a_time
scenario "https is checked, and not left for http" https_is_checked
scenario "file URLs, empty lists, help" files_without_a_server
finish
