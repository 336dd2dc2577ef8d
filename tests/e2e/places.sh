#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where a mirror's sources are: mirror lists, metalinks, servers with TLS that want to know who asks.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"

mirror() { "$REPO" -q mirror --key-file "$SCRATCH/vendor.pub" --timeout 5 "$@"; }
source_at() { # DIR REVISION
        createrepo_c --quiet --no-database --revision "$2" "$1"
        gpg --homedir "$KEYS" --batch --yes --armor --local-user "$VENDOR" --detach-sign "$1/repodata/repomd.xml"
}
# The same repository in several places, each with something of its own.
make_places() {
        mkdir -p "$SCRATCH/w/old" && cd "$SCRATCH"
        cp "$WWW/vendor.pub" vendor.pub
        vendor_package 7.1
        cp "$WWW"/*.rpm w/old/
        source_at w/old 1000
        cp -a w/old w/good
        vendor_package 7.2
        cp "$WWW"/*-7.2-*.rpm w/good/
        source_at w/good 2000
        cp -a w/good w/tampered
        sed -i 's/<revision>2/<revision>3/' w/tampered/repodata/repomd.xml
        cp -a w/good w/broken
        python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(-1, 2); f.write(b"x")' w/broken/vendor-manager-7.2-1.noarch.rpm
        serve "$SCRATCH/w"
        URL=http://127.0.0.1:$PORT
}
list() { printf '%s\n' "$@" > "$SCRATCH/w/list"; }
fresh() { rm -rf "$SCRATCH/copy"; cd "$SCRATCH"; }
is_good() { cmp copy/repodata/repomd.xml w/good/repodata/repomd.xml && cmp copy/vendor-manager-7.2-1.noarch.rpm w/good/vendor-manager-7.2-1.noarch.rpm; }

lists() {
        local L=mirrorlist:$URL/list line
        fresh
        list '# places' '' "ftp://127.0.0.1/a" 'rsync://127.0.0.1/b' "  $URL/gone/ "$'\r' "$URL/tampered" "$URL/good//" "$URL/good"
        expect 0 mirror "$L" copy
        is_good
        said "warning: $L: places that were passed over:"
        said "$URL/gone: .*HTTP status 404|HTTP status 404"
        said "  $URL/tampered: "
        # In another order, and with a place that is behind what is here: nothing to do.
        list "$URL/old" "$URL/good"
        expect 0 mirror --json "$L" copy
        has '"changed": *false' < "$SCRATCH/output"
        list "$URL/old"
        expect 3 mirror "$L" copy
        said 'older than 2000'
        is_good
        # A file that is not what it has to be comes from the next place.
        fresh
        list "$URL/broken" "$URL/good"
        expect 0 mirror "$L" copy
        is_good
        fresh
        list "$URL/broken"
        expect 5 mirror "$L" copy
        list "$URL/gone" "$URL/tampered"
        expect 5 mirror "$L" copy
        said 'none of its places will do'
        list "$URL/gone" "http://127.0.0.1:1/x"
        expect 7 mirror "$L" copy
        expect 7 mirror "$L.gone" copy
        for line in '<html>' '/etc/passwd' 'file:///etc' '# nothing' "$URL/a b" $'http://a\x1b[31m/' ''; do
                list "$line"
                expect 6 mirror "$L" copy
                if grep -q $'\x1b' "$SCRATCH/output"; then die "it speaks to the terminal"; fi
        done
        head -c 2000000 /dev/zero | tr '\0' '#' > w/list
        expect 5 mirror "$L" copy
        # Among several sources; a list from a file may name files.
        list "file://$SCRATCH/w/good"
        expect 0 mirror "$URL/old" selection --also "mirrorlist:file://$SCRATCH/w/list" --newest --no-repo-signature
        [ -e selection/vendor-manager-7.2-1.noarch.rpm ]
        expect 2 mirror mirrorlist:ftp://127.0.0.1/x copy
        if [ -e copy/repodata ]; then die "something was published"; fi
}

# metalink [SED-SCRIPT]: of w/good, at the places old and good; the preferred one is behind.
metalink() {
        local f=w/good/repodata/repomd.xml
        cat > w/metalink <<XML
<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
<files><file name="repomd.xml"><mm0:timestamp>1</mm0:timestamp>
<size>$(stat -c %s $f)</size>
<verification><hash type="md5">$(md5sum < $f | cut -d' ' -f1)</hash>
<hash type="sha256">$(digest $f)</hash>
</verification>
<mm0:alternates><mm0:alternate><size>7</size><verification><hash type="sha256">$(digest w/old/repodata/repomd.xml)</hash></verification></mm0:alternate></mm0:alternates>
<resources maxconnections="1">
<url protocol="rsync" preference="100">rsync://127.0.0.1/x/repodata/repomd.xml</url>
<url protocol="http" preference="3">$URL/good/repodata/repomd.xml</url>
<url protocol="http" preference="90">$URL/old/repodata/repomd.xml</url>
<url protocol="file" preference="95">file://$SCRATCH/w/good/repodata/repomd.xml</url>
</resources></file></files></metalink>
XML
        [ $# = 0 ] || sed -i "$1" w/metalink
}
metalinks() {
        local M=metalink:$URL/metalink script status
        fresh
        metalink
        expect 0 mirror "$M" copy
        is_good
        said "  $URL/old: "
        if grep -q 'file:' "$SCRATCH/output"; then die "a server led to a file"; fi
        expect 0 mirror "$M" copy --json
        has '"changed": *false' < "$SCRATCH/output"
        fresh
        while IFS='|' read -r status script; do
                metalink "$script"
                expect "$status" mirror "$M" copy
                if [ -e copy ]; then die "it leaves $(find copy): $script"; fi
        done <<'CASES'
5|/hash type="sha256"/s/sha256/sha1/
5|/^<hash type="sha256"/s/>.*</>0000000000000000000000000000000000000000000000000000000000000000</
5|s/^<size>[0-9]*/<size>7/
6|s/^<size>[0-9]*/<size>99999999999/
6|s/^<size>[0-9]*/<size>-1/
6|/^<size>/d
6|s/^<hash type="sha256".*/&&/
6|s/^<hash type="sha256">.../<hash type="sha256">XYZ/
6|s/name="repomd.xml"/name="other.xml"/
6|/^<url/d
5|/good.repodata/d
6|s/good.repodata.repomd.xml/good/
6|2s/^/<!DOCTYPE metalink [<!ENTITY a "b">]>/
6|$d
7|s/\/good\/repodata/\/gone\/repodata/; /\/old\//d
CASES
        rm w/metalink
        expect 7 mirror "$M" copy
}

certificate() { # NAME SUBJECT-ALTERNATIVE-NAME [ISSUER [x509-OPTION...]]
        local issuer=${3:-ca}
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
        openssl x509 -req -in "$1.csr" -CA "$issuer.pem" -CAkey "$issuer.key" -CAcreateserial -extfile <(echo "subjectAltName=$2") -out "$1.pem" "${@:4}"
}
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem"; }
tls() { # NAME [DIRECTIVES]: serves by that certificate; prints the URL
        TLS=$(free_port)
        serve "$SCRATCH/w" '' "listen 127.0.0.1:$TLS ssl; ssl_certificate $PWD/$1.pem; ssl_certificate_key $PWD/$1.key; ${2:-}"
        TLS=https://127.0.0.1:$TLS
}
over_tls() {
        local plain=$URL private
        mkdir "$SCRATCH/tls" && cd "$SCRATCH/tls"
        authority ca
        authority other
        certificate server IP:127.0.0.1
        certificate elsewhere DNS:elsewhere.test
        certificate expired IP:127.0.0.1 ca -days -1
        certificate client DNS:client.test
        certificate stranger DNS:client.test other
        tls server
        expect 7 mirror "$TLS/good" copy
        said 'certificate'
        expect 7 mirror --ca-file other.pem "$TLS/good" copy
        expect 7 mirror --ca-file none.pem "$TLS/good" copy
        expect 0 mirror --ca-file ca.pem "$TLS/good" copy
        cmp copy/repodata/repomd.xml ../w/good/repodata/repomd.xml
        # What https says may name http only where digests say what has to come.
        cd "$SCRATCH" && metalink && list "$plain/good" && cd tls
        expect 6 mirror --ca-file ca.pem "mirrorlist:$TLS/list" listed
        expect 0 mirror --ca-file ca.pem "metalink:$TLS/metalink" listed
        tls expired
        expect 7 mirror --ca-file ca.pem "$TLS/good" copy
        said 'expired'
        tls elsewhere
        expect 7 mirror --ca-file ca.pem "$TLS/good" copy
        tls server "ssl_client_certificate $PWD/ca.pem; ssl_verify_client on;"
        private=$TLS
        expect 7 mirror --ca-file ca.pem "$private/good" private
        said 'HTTP status 400|certificate required|alert'
        expect 7 mirror --ca-file ca.pem --client-cert stranger.pem --client-key stranger.key "$private/good" private
        refuses mirror --ca-file ca.pem --client-cert client.pem --client-key stranger.key "$private/good" private
        refuses mirror --ca-file ca.pem --client-cert client.pem --client-key none.key "$private/good" private
        expect 0 mirror --ca-file ca.pem --client-cert client.pem --client-key client.key "$private/good" private
        cat client.pem client.key > both.pem
        expect 0 mirror --ca-file ca.pem --client-cert both.pem "$private/old" old
        # A list is the user's word for the places that it names; a redirect is a server's.
        list() { printf '%s\n' "$@" > "$SCRATCH/w/list"; }
        list "$private/good"
        expect 0 mirror --ca-file ca.pem --client-cert both.pem "mirrorlist:$private/list" by-list
        tls server "location /good/ { return 302 $private\$request_uri; }"
        expect 7 mirror --ca-file ca.pem --client-cert both.pem "$TLS/good" redirected
}

make_keys
prepare make_places
scenario 'a mirror list names places, and each is asked in turn' lists
scenario 'a metalink says what has to be there' metalinks
scenario 'servers and clients show certificates, and the right ones' over_tls
finish
