#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a mirror of named packages makes of several sources' modules, advisories and groups: the same that dnf makes of the sources themselves.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"

mirror() { "$REPO" mirror --key-file "$SCRATCH/up/vendor.pub" "$@"; }
sign_repo() { gpg --homedir "$KEYS" --batch --yes --armor --local-user "$VENDOR" --detach-sign --output "$1/repodata/repomd.xml.asc" "$1/repodata/repomd.xml"; }
# index DIR: with what lies beside it as DIR.comps.xml, DIR.updateinfo.xml, DIR.modules.yaml.
index() {
        local kind
        rm -rf "$1/repodata"
        createrepo_c --quiet --no-database --revision 1 "$1" >&2
        for kind in comps.xml:group updateinfo.xml:updateinfo modules.yaml:modules productid:productid; do
                if [ -e "$1.${kind%:*}" ]; then
                        cp "$1.${kind%:*}" "${kind%:*}"
                        modifyrepo_c --mdtype="${kind#*:}" "${kind%:*}" "$1/repodata" >&2
                fi
        done
        sed -i "s|<revision>.*|<revision>1</revision>|" "$1/repodata/repomd.xml"
        sign_repo "$1"
}

stream() { # NAME STREAM VERSION ARTIFACT...
        local name=$1 stream=$2 version=$3
        shift 3
        printf -- '---\ndocument: modulemd\nversion: 2\ndata:\n  name: %s\n  stream: "%s"\n  version: %s\n  context: c0ffee42\n  arch: noarch\n  summary: Things\n  description: >-\n    Of %s,\n    --- and more\n  license:\n    module: [MIT]\n  profiles:\n    default:\n      rpms: [%s]\n  artifacts:\n    rpms:\n' \
                "$name" "$stream" "$version" "$name" "$name"
        printf '    - %s\n' "$@"
        printf '...\n'
}
defaults() { # NAME STREAM
        printf -- '---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: %s\n  stream: "%s"\n  profiles:\n    "%s": [default]\n...\n' "$1" "$2" "$2"
}
advisory() { # ID SEVERITY DATE PACKAGE...: NAME-VERSION
        local p
        printf '<update from="x@a.example" status="final" type="security" version="1"><id>%s</id><title>%s of %s</title><issued date="2030-01-01 00:00:00"/><updated date="%s"/><severity>%s</severity>\n<description>d</description><pkglist>' \
                "$1" "$1" "$3" "$3" "$2"
        shift 3
        for p; do
                printf '<collection short="c"><name>%s</name><package name="%s" version="%s" release="1" epoch="0" arch="noarch"><filename>%s-1.noarch.rpm</filename></package></collection>' \
                        "$p" "${p%-*}" "${p##*-}" "$p"
        done
        printf '</pkglist></update>\n'
}
updates() { printf '<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n<!-- <update> --><![CDATA[ ]]>'; cat; printf '</updates>\n'; }
group() { # ID PACKAGE:TYPE...
        printf '<group><id>%s</id><name>Group %s</name><description>d</description><default>false</default><uservisible>true</uservisible><packagelist>' "$1" "$1"
        shift
        for p; do printf '<packagereq type="%s">%s</packagereq>' "${p#*:}" "${p%:*}"; done
        printf '</packagelist></group>\n'
}
environment() { # ID GROUP...
        printf '<environment><id>%s</id><name>Environment %s</name><description>d</description><display_order>1</display_order><grouplist>' "$1" "$1"
        shift
        printf '<groupid>%s</groupid>' "$@"
        printf '</grouplist></environment>\n'
}
comps() { printf '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">\n<comps>\n<!-- <group> -->'; cat; printf '</comps>\n'; }

# Two sources that have something to say about the same things. app: default stream 1, which the other source's tool needs; stream 2 is newer, and hidden.
make_upstream() {
        mkdir -p "$SCRATCH/up"
        cd "$SCRATCH/up"
        package app 1.0
        package app 2.0
        package lib 1.0
        package lib 1.1
        package tool 1.0 'Requires: app, lib'
        package other 1.0
        rpmsign --addsign --define "__gpg $(command -v gpg)" --define "_gpg_path $KEYS" --define "_gpg_name $VENDOR" --define '_gpg_digest_algo sha256' packages/*.rpm >&2
        mkdir one two
        mv packages/{app,lib}-*.rpm one/
        mv packages/{tool,other}-*.rpm two/
        { stream things 1 10 app-0:1.0-1.noarch; stream things 2 20 app-0:2.0-1.noarch; defaults things 1; defaults contested a; stream contested a 1 gone-0:1-1.noarch; stream twice 1 5 lib-0:1.1-1.noarch lib-0:1.0-1.noarch; defaults twice 1; } > one.modules.yaml
        { stream others x 7 other-0:1.0-1.noarch; defaults others x; defaults things 1; defaults contested b; stream contested b 1 gone-0:2-1.noarch; stream twice 1 5 tool-0:1.0-1.noarch; defaults twice 1; stream things 1 10 app-0:1.0-1.noarch; } > two.modules.yaml
        { advisory A-1 Low '2030-01-02 00:00:00' lib-1.1 app-1.0; advisory A-5 Low '2030-01-02 00:00:00' gone-1; advisory A-2 Moderate '2030-01-02 00:00:00' app-2.0; advisory A-4 Low '2030-01-02 00:00:00' lib-1.1; } | updates > one.updateinfo.xml
        { advisory A-1 Low '2030-01-02 00:00:00' lib-1.1 tool-1.0; advisory A-5 Critical '2030-01-03 00:00:00' gone-2; advisory A-3 Important '2030-01-03 00:00:00' other-1.0; advisory A-4 Low '2030-01-02 00:00:00' lib-1.1; } | updates > two.updateinfo.xml
        { group base app:mandatory lib:optional; group one app:mandatory; environment all base one; } | comps > one.comps.xml
        { group base app:optional tool:default; group two tool:mandatory; environment all base two; } | comps > two.comps.xml
        echo one > one.productid
        echo two > two.productid
        index one
        index two
        rm -rf rpmbuild packages
        gpg --homedir "$KEYS" --batch --armor --export "$VENDOR" > vendor.pub
}
upstream() {
        rm -rf "$SCRATCH/this" && cp -a "$SCRATCH/up" "$SCRATCH/this" && cd "$SCRATCH/this"
        serve "$PWD"
        URL=http://127.0.0.1:$PORT
}
# client NAME URL... -- COMMAND: dnf with these repositories.
client() {
        local name=$1
        shift
        mkdir -p "$name.dnf/repos"
        printf '[main]\nplugins=0\npluginpath=/nonexistent\nreposdir=%s\ncachedir=%s\nkeepcache=0\nmodule_platform_id=platform:el8\n' "$PWD/$name.dnf/repos" "$PWD/$name.dnf/cache" > "$name.dnf/dnf.conf"
        rm -f "$name.dnf/repos/"*
        for ((; $#; )); do
                if [ "$1" = -- ]; then shift; break; fi
                printf '[r%s]\nname=all\nbaseurl=%s\nenabled=1\ngpgcheck=1\ngpgkey=file://%s\n' "${1##*/}" "$1" "$SCRATCH/up/vendor.pub" > "$name.dnf/repos/${1##*/}.repo"
                shift
        done
        env -i HOME="$PWD/$name.dnf" PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 dnf -c "$name.dnf/dnf.conf" --installroot="$PWD/$name" --releasever=8 -y "$@"
}

# What dnf tells of everything that is not a package, by the names of no repository.
told() {
        local name=$1
        shift
        {
                client "$name" "$@" -- module list
                client "$name" "$@" -- -v group list --hidden
                client "$name" "$@" -- group info base one two
                client "$name" "$@" -- repoquery --qf '%{name}-%{evr}'
                client "$name" "$@" -- install tool lib-1.0
                client "$name" "$@" -- updateinfo list
                client "$name" "$@" -- updateinfo info
        } > "$name.log"
        grep -vE 'metadata|^all$|Repository|^repo|Repo |KB/s|kB/s|MB/s|^$|Last|r(one|two|copy)( |$)|DNF|cachedir|[Cc]ommand|Load|----|timer|Total|releasever|Complete|Importing|Fingerprint|Userid|From  |Key imp|reviving' "$name.log" | sed 's/ *[0-9.]* [kM]\? *$//' | sort | uniq > "$name.told"
}

as_the_sources() {
        upstream
        expect 0 mirror $URL/one copy --also $URL/two --package tool --package lib-1.0 --package other
        said 'warning.*contested'
        told sources $URL/one $URL/two
        told mirrored $URL/copy
        diff sources.told mirrored.told
        grep -q 'contested b ' sources.told && grep -q 'Group two' sources.told && grep -q A-4 sources.told || die 'dnf told nothing'
        # Of two versions of one advisory the newer words, and all packages; one that is there twice is told once.
        python3 - copy/repodata/*-updateinfo.xml.gz <<'PY'
import gzip, sys, xml.etree.ElementTree as E
root = E.fromstring(gzip.open(sys.argv[1]).read())
found = {u.find("id").text: (u.find("severity").text, sorted(p.get("name") + "-" + p.get("version") for p in u.iter("package"))) for u in root}
assert [u.find("id").text for u in root] == ["A-1", "A-5", "A-2", "A-4", "A-3"], [u.find("id").text for u in root]
assert found["A-5"] == ("Critical", ["gone-1", "gone-2"]) and found["A-1"] == ("Low", ["app-1.0", "lib-1.1", "tool-1.0"]) and found["A-4"][1] == ["lib-1.1"], found
PY
        # The same again: the same bytes.
        expect 0 mirror $URL/one copy --also $URL/two --package tool --package lib-1.0 --package other
        said 'nothing to copy'
        expect 0 mirror $URL/one again --also $URL/two --package tool --package lib-1.0 --package other
        diff -r copy/repodata again/repodata
}

names() { (cd "$1" && find . -name '*.rpm' -printf '%f\n' | sed 's/-1.noarch.rpm//' | sort | tr '\n' ' '); }
hidden_packages() {
        upstream
        # tool needs app, of which clients see 1.0 only, if nobody enables the other stream.
        expect 0 mirror $URL/one copy --also $URL/two --package tool
        [ "$(names copy)" = 'app-1.0 lib-1.1 tool-1.0 ' ]
        client copy $URL/copy -- install tool
        expect 0 mirror $URL/one enabled --also $URL/two --package tool --module things:2
        [ "$(names enabled)" = 'app-2.0 lib-1.1 tool-1.0 ' ]
        expect 0 mirror $URL/one hotfixes --also $URL/two --package tool --module-hotfixes
        [ "$(names hotfixes)" = 'app-2.0 lib-1.1 tool-1.0 ' ]
        # What only a hidden stream has is taken, and told.
        expect 0 mirror $URL/one told --package app-2.0
        said "dnf module enable things:2"
        [ "$(names told)" = 'app-2.0 ' ]
        expect 10 mirror $URL/one none --package tool --also $URL/two --module things:3
        said 'no source has this stream'
        expect 10 mirror $URL/one none --package tool --also $URL/two --exclude 'lib*'
}

parts() {
        upstream
        sed -i 's/lib-0:/gone-0:/' one.modules.yaml && index one # else it stays, as an artifact of a stream
        expect 0 mirror $URL/one copy --also $URL/two --newest
        [ "$(names copy)" = 'app-1.0 app-2.0 lib-1.1 other-1.0 tool-1.0 ' ]
        gzip -dc copy/repodata/*-modules.yaml.gz | has "name: others"
        expect 0 mirror $URL/one less --exclude 'app-2*' --exclude lib
        [ "$(names less)" = 'app-1.0 ' ]
        expect 0 mirror $URL/one none --arch x86_64 --exclude '*'
        [ "$(names none)" = '' ] && [ -e none/repodata/repomd.xml ]
        expect 2 mirror $URL/one none --weak
        expect 2 mirror $URL/one none --package app --newest
        expect 2 mirror $URL/one none --limit-rate 5x
        # Only told.
        expect 0 mirror $URL/one new --also $URL/two --dry-run
        said '6 packages .* would be there, 6 of them new'
        [ ! -e new ] || die 'a dry run left something'
        expect 0 mirror $URL/one less --dry-run --limit-rate 9M
        said '4 packages .* would be there, 3 of them new'
        [ ! -e less/.mirror ] && [ "$(names less)" = 'app-1.0 ' ]
        "$REPO" --json mirror --key-file vendor.pub $URL/one less --dry-run | python3 -c '
import json, sys
j = json.load(sys.stdin)
assert j["dry_run"] and j["packages"] == 4 and j["new"] == 3 and sum(w["size"] for w in j["wanted"] if w["new"]) == j["new_bytes"] and j["new_bytes"] > 0, j'
        expect 0 mirror $URL/one less --limit-rate 9M
        [ "$(names less)" = 'app-1.0 app-2.0 lib-1.0 lib-1.1 ' ]
        diff -r one/repodata less/repodata -x 'repomd.xml*' | grep -v 'Only in less' && die 'not the whole source'
        expect 0 mirror $URL/one less --dry-run
        said 'nothing to copy'
}

hostile() {
        local before
        upstream
        expect 0 mirror $URL/one copy --also $URL/two --package tool
        before=$(find copy -type f -exec sha256sum {} + | sort | sha256sum)
        bad() { # FILE STATUS WORDS: that as two's
                rm -f "$1.saved"
                cp "$SCRATCH/up/$1" "$1.saved"
                cat > "$1"
                index two
                mv "$1.saved" "$1"
                expect "$2" timeout 60 "$REPO" mirror --key-file "$SCRATCH/up/vendor.pub" $URL/one copy --also $URL/two --package tool
                said "$3"
                [ "$(find copy -path copy/.mirror -prune -o -type f -print0 | xargs -0 sha256sum | sort | sha256sum)" = "$before" ] || die 'the copy has changed'
        }
        bad two.updateinfo.xml 6 'declares something|entity' <<< '<!DOCTYPE u [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><updates><update><id>&b;</id></update></updates>'
        bad two.updateinfo.xml 6 'ntity' <<< '<updates><update><id>&b;</id></update></updates>'
        bad two.updateinfo.xml 6 'without an id' <<< '<updates><update><title>x</title></update></updates>'
        bad two.comps.xml 6 'another kind of file' <<< '<updates/>'
        bad two.comps.xml 6 'line 1' <<< '<comps><group><id>x</id></comps></group>'
        bad two.comps.xml 6 'too deep' < <(printf '<comps>'; for _ in {1..40}; do printf '<a>'; done; for _ in {1..40}; do printf '</a>'; done; printf '</comps>')
        bad two.modules.yaml 6 'no YAML' <<< $'---\na: [1\n...'
        bad two.modules.yaml 6 'too deep' < <(printf -- '---\na: '; for _ in {1..5000}; do printf '['; done; printf '\n...\n')
        bad two.comps.xml 6 'more than|at most' < <(printf '<comps>'; head -c 300000000 /dev/zero | tr '\0' ' '; printf '</comps>')
        # Aliases are not followed: nine levels of nine would be a gigabyte. They are passed on as they came.
        { echo '---'; echo 'a0: &a0 [x, x, x, x, x, x, x, x, x]'; for i in {1..9}; do p='*a'$((i - 1)); echo "a$i: &a$i [$p, $p, $p, $p, $p, $p, $p, $p, $p]"; done; } >> two.modules.yaml
        index two
        (limit_memory 2000000; expect 0 mirror $URL/one copy --also $URL/two --package tool)
        gzip -dc copy/repodata/*-modules.yaml.gz | has '^a9: &a9'
}

make_keys
prepare make_upstream
scenario 'dnf sees the same modules, advisories and groups as with the sources' as_the_sources
scenario 'what modules hide from clients is not what they are given' hidden_packages
scenario 'parts of repositories, and what they would be' parts
scenario 'hostile modules, advisories and groups change nothing' hostile
finish
