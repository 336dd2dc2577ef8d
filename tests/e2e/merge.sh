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
        { stream things 1 10 app-0:1.0-1.noarch; stream things 2 20 app-0:2.0-1.noarch; defaults things 1; defaults contested a; stream contested a 1 gone-0:1-1.noarch; } > one.modules.yaml
        { stream others x 7 other-0:1.0-1.noarch; defaults others x; defaults things 1; defaults contested b; stream contested b 1 gone-0:2-1.noarch; stream things 1 10 app-0:1.0-1.noarch; } > two.modules.yaml
        { advisory A-1 Low '2030-01-02 00:00:00' lib-1.1 app-1.0; advisory A-2 Moderate '2030-01-02 00:00:00' app-2.0; advisory A-4 Low '2030-01-02 00:00:00' lib-1.1; } | updates > one.updateinfo.xml
        { advisory A-1 Critical '2030-01-03 00:00:00' lib-1.1 tool-1.0; advisory A-3 Important '2030-01-03 00:00:00' other-1.0; advisory A-4 Low '2030-01-02 00:00:00' lib-1.1; } | updates > two.updateinfo.xml
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
        grep -vE 'metadata|^all$|Repository|^repo|Repo |KB/s|kB/s|MB/s|^$|Last|r(one|two|copy)( |$)|DNF|cachedir|[Cc]ommand|Load|----|timer|Total|releasever|Complete|Importing|Fingerprint|Userid|From  |Key imp' "$name.log" | sed 's/ *[0-9.]* [kM]\? *$//' | sort | uniq > "$name.told"
}

as_the_sources() {
        upstream
        expect 0 mirror $URL/one copy --also $URL/two --package tool --package lib-1.0 --package other
        said 'warning.*contested'
        told sources $URL/one $URL/two
        told mirrored $URL/copy
        cat sources.told; diff sources.told mirrored.told
}

: > "$LOGS/kills"
make_keys
prepare make_upstream
scenario 'dnf sees the same modules, advisories and groups as with the sources' as_the_sources
finish
