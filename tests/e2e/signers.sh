#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who signs: keys in files, encrypted or not, in a PKCS#11 token, in GnuPG; two at once while one replaces the other, with dnf as the client that must not
# notice; keys that cannot sign, or that not every client could check.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"

PIN=735182
export SOFTHSM2_CONF=$SCRATCH/softhsm.conf
# Nobody sits at a terminal, but in the one test that makes one.
unset CREDENTIALS_DIRECTORY

tee_publish() { tee_repo publish --platform platform.provides "$@"; }
pem() { echo "--key-file $SCRATCH/pem/$1.pem --user-id $1 --key-created ${2:-2026-01-02}"; }
key_of() { # OPTION...: the fingerprint of such a key
        { "$REPO" -q --releases "$SCRATCH/template/releases" publish --platform /dev/null --key 0000000000000000000000000000000000000000 "$@" 2>&1 || :; } |
                sed -n 's/.*fingerprint is \([0-9A-F]*\),.*/\1/p' | grep .
}
make_pems() {
        mkdir -p "$SCRATCH/pem" "$SCRATCH/none"
        cd "$SCRATCH/pem"
        for name in old new third; do openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out $name.pem 2>/dev/null; done
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out small.pem
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem
        chmod 600 ./*.pem
        mkdir "$SCRATCH/tokens"
        printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$SCRATCH/tokens" > "$SOFTHSM2_CONF"
        softhsm2-util --init-token --free --label builder --so-pin 99$PIN --pin $PIN
        softhsm2-util --init-token --free --label another --so-pin 99$PIN --pin $PIN
        softhsm2-util --import new.pem --token builder --label release --id 01 --pin $PIN
        softhsm2-util --import small.pem --token builder --label small --id 02 --pin $PIN
        pkcs11-tool --module "$MODULE" --token-label builder --login --pin $PIN --keypairgen --key-type EC:prime256v1 --label curve --id 03
        echo $PIN > "$SCRATCH/pin"
        echo wrong1 > "$SCRATCH/wrong-pin"
        chmod 600 "$SCRATCH/pin" "$SCRATCH/wrong-pin"
}
make_small_template() {
        mkdir -p "$SCRATCH/template/releases" "$WWW"
        cd "$SCRATCH/template"
        printf '/bin/sh\ndkms\n' > platform.provides
        release single $SINGLE
        suite single $SINGLE
        package gn8v-tee-helper 1.0
        tee_repo lock
        rm -rf rpmbuild store
}
# The repository alone: all that there is to be checked is right.
verify_alone() { "$REPO" -C "$SCRATCH/none" --releases releases verify --repo repo "$@"; }
holds() {
        expect 11 verify_alone "$@"
        said '^ok +signature'
        ! grep -q -E '^unchecked +(key|signature|repomd|freshness)' "$SCRATCH/output" || die "too little was checked"
}
MODULE=/usr/lib/softhsm/libsofthsm2.so
TOKEN='pkcs11:token=builder;object=release'
token() { echo "--key-file ${1:-$TOKEN} --passphrase-file $SCRATCH/pin --user-id new --key-created 2026-01-02"; }

# What gpg, rpm and dnf think of what was signed.
all_good() { # REPO FINGERPRINT...
        local repo=$1 home db f key
        shift
        home=$(mktemp -d "$SCRATCH/h.XXX") db=$(mktemp -d "$SCRATCH/d.XXX")
        gpg --homedir "$home" --batch --quiet --import "$repo/RPM-GPG-KEY-gn8v-tee"
        rpmkeys --define "_dbpath $db" --import "$repo/RPM-GPG-KEY-gn8v-tee"
        gpg --homedir "$home" --batch --status-fd 1 --verify "$repo/repodata/repomd.xml.asc" "$repo/repodata/repomd.xml" > status
        for key; do grep -q "VALIDSIG $key" status; done
        [ "$(grep -c VALIDSIG status)" = $# ]
        cmp "$repo/RPM-GPG-KEY-gn8v-tee" "$repo/repodata/repomd.xml.key"
        for f in $(hrefs "$repo"); do rpmkeys --define "_dbpath $db" --define '_pkgverify_level all' -K "$repo/$f" | has 'digests signatures OK'; done
}
hrefs() { zcat "$1/$(grep -o 'repodata/[0-9a-f]*-primary.xml.gz' "$1/repodata/repomd.xml")" | sed -n 's/.*<location href="\([^"]*\)".*/\1/p' | grep .; }

a_token_signs() {
        local key first
        begin token
        # shellcheck disable=SC2046
        {
                key=$(key_of $(token))
                [ "$key" = "$(key_of $(pem new))" ] || die "the token's key is another than the file's"
                expect 0 env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -s 4096 -e trace=execve -o trace "$REPO" -C . --releases releases publish --platform platform.provides $(token) --key "$key"
                ! grep -q $PIN trace || die "the PIN was an argument"
                all_good repo "$key"
                expect 0 tee_publish $(token)
                said 'nothing to publish'
                # The same key in a file signs the same bytes.
                begin token-file
                tee_publish $(pem new) --baseurl http://a.example/r
                first=$(state)
                begin token-again
                tee_publish $(token "pkcs11:token=builder;id=%01?module-path=$MODULE&pin-source=file:$SCRATCH/pin") --baseurl http://a.example/r
                same_state "$first"
        }
}

tokens_are_refused() {
        local before options='--user-id new --key-created 2026-01-02' words
        begin refused-tokens
        # shellcheck disable=SC2046
        tee_publish $(token)
        before=$(state)
        package gn8v-tee-helper 1.1
        # What is wrong, the exit status, and the URI with its options.
        while IFS='|' read -r words status uri; do
                # shellcheck disable=SC2086
                expect "$status" tee_publish $options --key-file $uri < /dev/null
                said "$words"
                same_state "$before"
        done <<TABLE
a PIN in it|2|pkcs11:token=builder;object=release?pin-value=$PIN
pkcs11: URI|2|pkcs11:token=%zz
not known|2|pkcs11:token=builder;colour=red --passphrase-file $SCRATCH/pin
PIN is not right|1|$TOKEN --passphrase-file $SCRATCH/wrong-pin
wants a PIN, and none was given|1|$TOKEN
no token is there|1|pkcs11:token=gone;object=release --passphrase-file $SCRATCH/pin
2 tokens fit|2|pkcs11:object=release --passphrase-file $SCRATCH/pin
no private key in it|1|pkcs11:token=builder;object=gone --passphrase-file $SCRATCH/pin
no private key in it|1|pkcs11:token=another --passphrase-file $SCRATCH/pin
more than one private key|2|pkcs11:token=builder --passphrase-file $SCRATCH/pin
2048 bits are too few|5|pkcs11:token=builder;object=small --passphrase-file $SCRATCH/pin
not an RSA key|5|pkcs11:token=builder;object=curve --passphrase-file $SCRATCH/pin
cannot be used|1|$TOKEN?module-path=/nonexistent.so --passphrase-file $SCRATCH/pin
cannot be used|1|$TOKEN?module-path=/etc/passwd --passphrase-file $SCRATCH/pin
not an absolute path|2|$TOKEN?pin-source=%7Ccat
No such file|1|$TOKEN --passphrase-file $SCRATCH/no-such-file
a directory|6|$TOKEN --passphrase-file $SCRATCH
TABLE
        said_keys_and_tokens
        lone_token
}
# What fits is listed, and what is listed fits: each line is a URI that is taken.
said_keys_and_tokens() {
        expect 2 tee_publish $options --key-file "pkcs11:token=builder" --passphrase-file "$SCRATCH/pin"
        [ "$(grep -c '^  pkcs11:.*token=builder;id=' "$SCRATCH/output")" = 3 ] || die "three keys are there"
        grep -q 'object=small' "$SCRATCH/output" || die "one of the keys is not told"
        expect 2 tee_publish $options --key-file "pkcs11:object=release" --passphrase-file "$SCRATCH/pin"
        [ "$(grep -c '^  pkcs11:.*token=' "$SCRATCH/output")" = 2 ] || die "two tokens are there"
        same_state "$before"
}
# One token, one key: also then they are named.
lone_token() {
        local uri
        mkdir "$SCRATCH/lone"
        printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$SCRATCH/lone" > "$SCRATCH/lone.conf"
        (
                export SOFTHSM2_CONF=$SCRATCH/lone.conf
                softhsm2-util --init-token --free --label lone --so-pin 99$PIN --pin $PIN
                softhsm2-util --import "$SCRATCH/pem/new.pem" --token lone --label "the key" --id 07 --pin $PIN
                expect 2 tee_publish $options --key-file "pkcs11:" --passphrase-file "$SCRATCH/pin"
                said 'does not say which token'
                expect 2 tee_publish $options --key-file "pkcs11:token=lone" --passphrase-file "$SCRATCH/pin"
                said 'does not say which key'
                uri=$(sed -n 's/^  \(pkcs11:.*\)/\1/p' "$SCRATCH/output")
                tee_publish $options --key-file "$uri" --passphrase-file "$SCRATCH/pin"
        )
}

# The token is pulled at one operation after the other: whatever was to be signed then, nothing has changed, and the next run finishes.
a_token_is_pulled() {
        local before objects n=1 failed=0 rc
        begin pulled
        # shellcheck disable=SC2046
        tee_publish $(token)
        before=$(state)
        package gn8v-tee-helper 1.1
        rm -rf store/signed
        mapfile -t objects < <(find "$SCRATCH/tokens" -name '*.object' -printf '-P\n%p\n')
        while n=$((n + 1)); do
                rc=0
                # shellcheck disable=SC2046
                ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null "${objects[@]}" -e trace=openat -e "inject=openat:error=ENOENT:when=$((n * 5))+" "$REPO" -C . --releases releases \
                        publish --platform platform.provides $(token) > "$SCRATCH/output" 2>&1 || rc=$?
                [ $rc != 0 ] || break
                failed=$((failed + 1))
                [ $rc -lt 120 ] || die "exit status $rc"
                said 'token builder|PKCS#11: no token is there'
                same_state "$before"
                rm -rf store/signed
        done
        [ $failed -gt 3 ] || die "only $failed times it was missed"
        [ "$(state)" != "$before" ]
        holds
}

passphrases() {
        local locked=$SCRATCH/pem/locked.pem old=$SCRATCH/pem/oldform.pem options key
        begin passphrases
        openssl pkcs8 -topk8 -in "$SCRATCH/pem/old.pem" -v2 aes-256-cbc -passout pass:sesame -out "$locked"
        openssl rsa -in "$SCRATCH/pem/old.pem" -traditional -aes256 -passout pass:sesame -out "$old"
        chmod 600 "$locked" "$old"
        # shellcheck disable=SC2046
        key=$(key_of $(pem old))
        printf 'sesame\n' > secret
        printf 'simsim\n' > wrong
        : > empty
        chmod 600 secret wrong empty
        for file in "$locked" "$old"; do
                options="--key-file $file --user-id old --key-created 2026-01-02 --key $key"
                # shellcheck disable=SC2086
                {
                        rm -rf repo
                        expect 1 tee_publish $options
                        said 'it is encrypted, and no passphrase was given'
                        expect 1 tee_publish $options --passphrase-file wrong
                        said 'the passphrase does not open it'
                        expect 6 tee_publish $options --passphrase-file empty
                        expect 6 tee_publish $options --passphrase-file /dev/zero
                        said 'too large for a passphrase'
                        expect 1 tee_publish $options --passphrase-fd 99
                        expect 2 tee_publish $options --passphrase-fd 0 --passphrase-file secret
                        [ ! -e repo/repodata ]
                        expect 0 tee_publish $options --passphrase-file secret
                        expect 0 tee_publish $options --passphrase-file <(echo sesame)
                        expect 0 tee_publish $options --passphrase-fd 7 7< secret
                        expect 0 tee_publish $options --passphrase-fd 0 < <(echo sesame)
                        mkdir -p credentials
                        cp secret credentials/gn8v-tee-repo.passphrase
                        CREDENTIALS_DIRECTORY=$PWD/credentials expect 0 tee_publish $options
                        chmod 644 secret
                        expect 0 tee_publish $options --passphrase-file secret
                        said 'others than its owner can read it'
                        chmod 600 secret
                }
        done
        # shellcheck disable=SC2086
        terminal sesame "$REPO" -C . --releases releases publish --platform platform.provides $options > said
        grep -q 'Passphrase (or PIN) of .*oldform.pem' said
        grep -q 'nothing to publish' said
        ! grep -q sesame said || die "the passphrase was echoed"
        # shellcheck disable=SC2086
        ! terminal simsim "$REPO" -C . --releases releases publish --platform platform.provides $options > said
        # The key itself by a pipe.
        # shellcheck disable=SC2046
        expect 0 tee_publish --key-file <(cat "$SCRATCH/pem/old.pem") --user-id old --key-created 2026-01-02
        all_good repo "$key"
}
# terminal ANSWER COMMAND...: runs it on a terminal of its own, and types when it is asked.
terminal() { python3 - "$@" <<'PY'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
said, typed = b"", False
while True:
    try:
        chunk = os.read(fd, 4096)
    except OSError:
        break
    if not chunk:
        break
    said += chunk
    if not typed and b"PIN) of" in said and said.endswith(b": "):
        os.write(fd, sys.argv[1].encode() + b"\n")
        typed = True
sys.stdout.write(said.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
}

odd_keys() {
        local before home=$SCRATCH/o key
        begin odd
        # shellcheck disable=SC2046
        tee_publish $(pem old)
        before=$(state)
        ln -s loop.pem "$SCRATCH/loop.pem"
        while IFS='|' read -r words status file; do
                expect "$status" tee_publish --user-id old --key-created 2026-01-02 --key-file "$file"
                said "$words"
                same_state "$before"
        done <<TABLE
a directory|6|$SCRATCH
neither a file nor a pipe|6|/dev/null
No such file|1|$SCRATCH/none.pem
symbolic links|1|$SCRATCH/loop.pem
not an RSA key|5|$SCRATCH/pem/ec.pem
2048 bits are too few|5|$SCRATCH/pem/small.pem
no provider of OpenSSL|1|handle:0x81000001
TABLE
        ln -s old.pem "$SCRATCH/pem/link.pem"
        expect 0 tee_publish --user-id old --key-created 2026-01-02 --key-file "$SCRATCH/pem/link.pem"
        expect 0 tee_publish --user-id old --key-created 2026-01-02 --key-file "file:$SCRATCH/pem/link.pem"
        # GnuPG's: a certification with SHA-1, DSA, an agent that takes no passphrase from us, a home that is open to all, one that is none.
        gpg_key() { gpg --homedir "$home" --batch --quiet --no-tty --pinentry-mode loopback --passphrase "$1" "${@:4}" --quick-generate-key "$2" "$3" sign never; }
        gpg_fpr() { gpg --homedir "$home" --batch --with-colons --list-keys "$1" | awk -F: '$1 == "fpr" { print $10; exit }'; }
        mkdir -m 700 "$home"
        gpg_key '' weak rsa3072 --cert-digest-algo SHA1
        gpg_key '' digital dsa2048
        gpg_key secret locked rsa3072
        expect 5 tee_publish --gnupghome "$home" --key "$(gpg_fpr weak)"
        said 'certifies itself with SHA-1'
        expect 5 tee_publish --gnupghome "$home" --key "$(gpg_fpr digital)"
        said 'not an RSA key'
        same_state "$before"
        key=$(gpg_fpr locked)
        echo secret > secret
        chmod 600 secret
        echo no-allow-loopback-pinentry > "$home/gpg-agent.conf"
        gpgconf --homedir "$home" --kill all
        expect 1 tee_publish --gnupghome "$home" --key "$key" --passphrase-file secret
        said 'takes no passphrase from us'
        said 'no-allow-loopback-pinentry'
        expect 1 tee_publish --gnupghome "$home" --key "$key"
        said 'did not sign'
        same_state "$before"
        : > "$home/gpg-agent.conf"
        gpgconf --homedir "$home" --kill all
        echo wrong > wrong
        chmod 600 wrong
        expect 1 tee_publish --gnupghome "$home" --key "$key" --passphrase-file wrong
        said 'is the passphrase in wrong right'
        expect 1 tee_publish --gnupghome "$SCRATCH/pem/old.pem" --key "$key"
        said 'not a directory'
        expect 1 tee_publish --gnupghome /nonexistent --key "$key"
        same_state "$before"
        terminal secret "$REPO" -C . --releases releases publish --platform platform.provides --gnupghome "$home" --key "$key" --repo asked > said
        all_good asked "$key"
        chmod 755 "$home"
        expect 0 tee_publish --gnupghome "$home" --key "$key" --passphrase-file secret
        said 'others than its owner can get in'
        all_good repo "$key"
}

# The client's file of keys is the package gn8v-tee-release's.
client() {
        mkdir -p root.dnf/repos root/etc/pki/rpm-gpg
        printf '[main]\nreposdir=%s\ncachedir=%s\nplugins=0\npluginpath=/nonexistent\nbest=True\n' "$PWD/root.dnf/repos" "$PWD/root.dnf/cache" > root.dnf/dnf.conf
        sed "s|^gpgkey=.*|gpgkey=file://$PWD/root/etc/pki/rpm-gpg/RPM-GPG-KEY-gn8v-tee|" repo/gn8v-tee.repo > root.dnf/repos/gn8v-tee.repo
        echo '%_dbpath /var/lib/rpm' > root.dnf/.rpmmacros
        cp repo/RPM-GPG-KEY-gn8v-tee root/etc/pki/rpm-gpg/
}
upgrade() { run_dnf "$PWD/${1:-root}" --refresh upgrade > upgraded 2>&1 || { cat upgraded; return 1; }; cat upgraded; }
installed() { rpm --root "$PWD/${2:-root}" --define '_dbpath /var/lib/rpm' -q "$1"; }
known_keys() { rpm --root "$PWD/root" --define '_dbpath /var/lib/rpm' -qa 'gpg-pubkey*' | wc -l; }
key_package() { # OPTION...
        rm -f packages/gn8v-tee-release*
        tee_repo build --own --specs "$SOURCE/specs" --baseurl "$BASEURL" "$@"
}
helper() { rm -f packages/gn8v-tee-helper*; package gn8v-tee-helper "$1"; }
publish_at() { tee_publish --baseurl "$BASEURL" --keep 9 "$@"; }

# Old key, both, both with packages of the new one, new key: what each kind of client does at each stage.
rotation() {
        local port old new third both OLD_KEY NEW_KEY THIRD NEW_ALSO
        begin rotation
        port=$(free_port)
        BASEURL=http://127.0.0.1:$port
        mkdir repo
        serve "$PWD/repo" "$port"
        OLD_KEY=$(pem old) NEW_KEY=$(token) THIRD=$(pem third)
        # shellcheck disable=SC2086
        {
        old=$(key_of $OLD_KEY) new=$(key_of $NEW_KEY) third=$(key_of $THIRD)
        NEW_ALSO=${NEW_KEY/--key-file/--also-key-file} OLD_ALSO=${OLD_KEY/--key-file/--also-key-file}
        both="--key $old --key $new"

        # 1: the old key.
        key_package $OLD_KEY
        publish_at $OLD_KEY
        client
        run_dnf "$PWD/root" install gn8v-tee-release gn8v-tee-helper
        installed gn8v-tee-helper-1.0
        holds $both
        expect 5 verify_alone --key "$new"
        tee_repo export $OLD_KEY 1.tar
        "$REPO" import 1.tar --repo inside --key "$old" --keep 9
        cp -a inside skipped
        "$REPO" -q mirror $both "$BASEURL" copy 2> warned
        grep -q "key $new is not beside it" warned

        # 2: both sign metadata, and clients are given both; packages are still the old one's.
        key_package $OLD_KEY $NEW_ALSO --revision 2
        helper 1.1
        expect 0 publish_at $OLD_KEY $NEW_ALSO
        all_good repo "$old" "$new"
        cp -a root late
        cp -a root.dnf late.dnf
        sed -i "s|$PWD/root|$PWD/late|g" late.dnf/dnf.conf late.dnf/repos/gn8v-tee.repo
        upgrade
        installed gn8v-tee-helper-1.1
        [ "$(known_keys)" = 1 ] || die "a client with the old key needed the new one already"
        [ "$(grep -c BEGIN root/etc/pki/rpm-gpg/RPM-GPG-KEY-gn8v-tee)" = 2 ] || die "the client was not given the new key"
        holds $both
        expect 5 verify_alone --key "$old"
        said "it is key $new, not"
        expect 5 verify_alone --key "$old" --key "$third"
        expect 0 publish_at $OLD_KEY $NEW_ALSO
        said 'nothing to publish'
        tee_repo export $OLD_KEY $NEW_ALSO 2.tar
        "$REPO" import 2.tar --repo inside --keep 9
        "$REPO" import 2.tar --repo fresh --key "$new"
        expect 5 "$REPO" import 2.tar --repo other --key "$third"
        said 'it was exported with key'
        [ ! -e other/repodata ]
        "$REPO" -q mirror --key "$old" "$BASEURL" copy2
        # Who pins the new one alone believes the metadata, and no package yet.
        expect 5 "$REPO" -q mirror --key "$new" "$BASEURL" copy3
        said 'rpm: signed by key .*, not by'
        "$REPO" -q mirror $both "$BASEURL" copy
        expect 5 "$REPO" -q mirror --key "$third" "$BASEURL" copy4

        # 3: packages are the new one's. A client that took 2 goes on, one that did not is told so, and keeps what it has.
        helper 1.2
        expect 0 publish_at $NEW_KEY $OLD_ALSO
        said '[1-9] signed'
        all_good repo "$new" "$old"
        ! rpm -Kv repo/packages/gn8v-tee-helper-1.2-1.noarch.rpm | has -i "${old: -8}" || die "signed by the old key"
        upgrade
        installed gn8v-tee-helper-1.2
        [ "$(known_keys)" = 2 ]
        ! upgrade late
        installed gn8v-tee-helper-1.0 late
        holds $both
        tee_repo export $NEW_KEY $OLD_ALSO 3.tar
        "$REPO" import 3.tar --repo inside --keep 9
        "$REPO" import 3.tar --repo skipped
        "$REPO" -q mirror $both "$BASEURL" copy
        # Back to the state before, whose packages are the old one's: that takes both.
        expect 5 tee_repo rollback $NEW_KEY 2
        said '--also-key'
        expect 0 tee_repo rollback $NEW_KEY $OLD_ALSO 2
        all_good repo "$new" "$old"
        upgrade
        holds $both --at-least 4

        # 4: the new key alone.
        key_package $NEW_KEY --revision 3
        helper 1.3
        expect 0 publish_at $NEW_KEY
        all_good repo "$new"
        upgrade
        installed gn8v-tee-helper-1.3
        [ "$(grep -c BEGIN root/etc/pki/rpm-gpg/RPM-GPG-KEY-gn8v-tee)" = 1 ]
        holds --key "$new"
        holds $both
        expect 5 verify_alone --key "$old"
        tee_repo export $NEW_KEY 4.tar
        "$REPO" import 4.tar --repo inside
        expect 5 "$REPO" import 4.tar --repo skipped-all --key "$old"
        "$REPO" -q mirror $both "$BASEURL" copy
        expect 5 "$REPO" -q mirror --key "$old" "$BASEURL" copy5
        expect 5 tee_repo rollback $NEW_KEY 4

        # Somebody else's key, with the old state's place taken over.
        helper 1.4
        expect 0 publish_at $THIRD
        ! upgrade
        installed gn8v-tee-helper-1.3
        expect 5 verify_alone $both
        expect 5 "$REPO" -q mirror $both "$BASEURL" copy
        tee_repo export $THIRD 5.tar
        expect 5 "$REPO" import 5.tar --repo inside
        }
        unserve "$NGINX"
}

# By its own length: two signatures of one key may differ by a byte.
first_packet() { python3 -c 'import sys; d = sys.stdin.buffer.read(); assert d[0] == 0x89; sys.stdout.buffer.write(d[:3 + int.from_bytes(d[1:3], "big")])'; }
# One of two signatures is missing, is bad, or is a third one's; a key file that offers what did not sign.
half_signed() {
        local old new both home=$SCRATCH/hs third
        begin half
        third=$(make_key "$home" third)
        # shellcheck disable=SC2046,SC2086
        {
        old=$(key_of $(pem old)) new=$(key_of $(token))
        both="--key $old --key $new"
        expect 2 tee_publish $(pem old) --also-key-file "$SCRATCH/pem/old.pem" --user-id old --key-created 2026-01-02
        said 'the first key again'
        expect 2 tee_publish --also-key "$third" --gnupghome "$home"
        expect 0 tee_publish $(pem old) --also-key "$third" --gnupghome "$home"
        holds --key "$old" --key "$third"
        cp repo/repodata/repomd.xml.asc two.asc
        # Without one of them.
        gpg --dearmor < two.asc | first_packet > one.sig
        cp one.sig repo/repodata/repomd.xml.asc
        expect 5 verify_alone --key "$old" --key "$third"
        said "key $third did not sign it, though"
        # With one that is bad: rather nothing than half.
        { cat one.sig; gpg --homedir "$home" --detach-sign -u "$third" < two.asc; } > repo/repodata/repomd.xml.asc
        expect 5 verify_alone --key "$old" --key "$third"
        said 'content is not what was signed'
        # With one that nobody knows.
        expect 0 tee_publish $(pem old)
        { gpg --dearmor < repo/repodata/repomd.xml.asc; gpg --homedir "$home" --detach-sign -u "$third" < repo/repodata/repomd.xml; } > x
        mv x repo/repodata/repomd.xml.asc
        expect 5 verify_alone --key "$old" --key "$third"
        said "key $third signed it, too, which is not in"
        # A client is offered one key more than signed.
        rm -rf repo && tee_publish $(pem old)
        gpg --homedir "$home" --armor --export "$third" >> repo/RPM-GPG-KEY-gn8v-tee
        expect 5 verify_alone --key "$old" --key "$third"
        # Metadata and generation name a second key; what was signed before by one is not signed again.
        rm -rf repo && tee_publish $(pem old)
        expect 0 tee_publish $(pem old) --also-key-file "$TOKEN" --passphrase-file "$SCRATCH/pin" --user-id new --key-created 2026-01-02
        said ' 0 signed'
        tee_repo generations --json | python3 -c 'import json, sys; d = json.load(sys.stdin); assert [g["also"] is None for g in d] == [True, False], d'
        holds $both
        }
}

prepare make_pems make_small_template
scenario 'a key in a PKCS#11 token signs, the same bytes as from a file' a_token_signs
scenario 'tokens, PINs and keys in them that are not right' tokens_are_refused
scenario 'a token that is pulled while it signs' a_token_is_pulled
scenario 'a passphrase from a file, an open file, systemd, a terminal' passphrases
scenario 'key files and GnuPG homes that are not right' odd_keys
scenario 'one key replaces another, and dnf does not notice' rotation
scenario 'every key that clients are given has signed, and no other' half_signed
finish
