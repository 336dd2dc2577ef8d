#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Several hundred odd packages, published: dnf, zypper, libsolv and createrepo_c read of the repository what they read of one by createrepo_c of the
# same files, field by field. GN8V_HUGE=1: with a package of 5 GiB made by rpmbuild (half a minute), and not only with headers that say so.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"

ORACLE=$SOURCE/tests/oracle
INDEX=$BUILD/tests/bench/bench-index
WORKSPACE=$SCRATCH/workspace

records() { # of all of packages/
        local hex file
        sha256sum packages/*.rpm | while read -r hex file; do
                file=${file#packages/}
                [ -e "packages/$file.json" ] ||
                        printf '{"package": "%s", "sha256": "%s", "artifact": null, "artifact_sha256": null, "releases": []}\n' "$file" "$hex" > "packages/$file.json"
        done
}
# Hundreds of signatures are quicker without an agent.
publish() { tee_repo publish --key-file "$SCRATCH/key.pem" --user-id oracle --key-created 2024-01-01 --platform platform.provides "$@"; }
theirs() { # DIR: createrepo_c's index of the published files
        mkdir "$1"
        createrepo_c --quiet --no-database --outputdir "$1" repo
}

make_packages() {
        mkdir -p "$WORKSPACE/packages" "$WORKSPACE/releases" "$WWW"
        cd "$WORKSPACE"
        "$ORACLE/packages" packages ${GN8V_HUGE:+huge}
        "$ORACLE/headers" packages/bare-p000-1-1.noarch.rpm packages
        records
        release single $SINGLE
        suite single $SINGLE
        rm -rf rpmbuild
        printf '%s\n' 'cap-a = 1' 'cap-b = 1' cap-c /opt/capability /bin/sh /sbin/ldconfig 'libc.so.6(GLIBC_2.17)' dkms > platform.provides
        openssl genrsa -out "$SCRATCH/key.pem" 3072
        tee_repo lock
        tee_repo fetch
}
publish_all() {
        publish
        theirs theirs
        [ "$(ls packages/*.rpm | wc -l)" -gt 500 ]
        [ "$(find repo/packages -name '*.rpm' | wc -l)" = "$(ls packages/*.rpm | wc -l)" ]
        "$ORACLE/compare" --damage repo damaged
}

every_field() { "$ORACLE/compare" repo theirs; }
comparison_sees_changes() { "$ORACLE/compare" --mutate repo theirs; }
reads_the_same() { # READER
        for which in repo theirs damaged; do "$ORACLE/read" "$1" "$which" "$SCRATCH/$1-$which" > "$SCRATCH/$1-$which.text"; done
        [ "$(wc -l < "$SCRATCH/$1-repo.text")" -gt 500 ]
        cmp "$SCRATCH/$1-repo.text" "$SCRATCH/$1-theirs.text" || { diff "$SCRATCH/$1-repo.text" "$SCRATCH/$1-theirs.text" | head -20 | cut -c1-300; false; }
        ! cmp -s "$SCRATCH/$1-repo.text" "$SCRATCH/$1-damaged.text" || die "$1 was not asked about what differs"
}

# The second time most of it comes out of what is known.
after_a_change() {
        rm packages/text-p001-1-1.noarch.rpm* packages/changelog3-p000-1-1.noarch.rpm*
        package added 1 'Recommends: none'
        publish --keep 1
        theirs theirs-again
        "$ORACLE/compare" repo theirs-again
        mkdir elsewhere
        # The archive of a made-up release is none, so that all that hangs on records is left out.
        expect 11 "$REPO" -C elsewhere --releases releases verify --repo repo
        said 'the others hold'
}
any_file_name() {
        mkdir files ours named
        cp packages/header-0[0-3]*.rpm packages/source-*.rpm files/
        cp packages/file-p001-1-1.noarch.rpm files/of-another-name.rpm
        cp repo/packages/file-p002-1-1.noarch.rpm files/signed.x86_64.rpm
        "$INDEX" files named/repodata
        createrepo_c --quiet --no-database --outputdir ours files
        "$ORACLE/compare" named ours
}
# createrepo_c makes a repository of it that nobody can read.
text_that_no_xml_holds() {
        mkdir bad bad-theirs bad-ours
        "$ORACLE/headers" packages/bare-p000-1-1.noarch.rpm bad unreadable
        createrepo_c --quiet --no-database --outputdir bad-theirs bad
        refuses "$ORACLE/compare" --well-formed bad-theirs
        "$INDEX" bad bad-ours/repodata > said 2>&1
        [ ! -s said ] || die "it talks: $(cat said)"
        "$ORACLE/compare" --well-formed bad-ours
        "$ORACLE/read" libsolv bad-ours "$SCRATCH" > bad.text
        [ "$(grep -c ' \.$' bad.text)" = "$(ls bad/*.rpm | wc -l)" ]
}
# createrepo_c leaves such a package out, or its dependency.
what_metadata_cannot_say() {
        local file before
        before=$(state)
        "$ORACLE/headers" packages/bare-p000-1-1.noarch.rpm refused refused
        for file in refused/*.rpm; do
                mkdir one
                cp "$file" one/
                expect 1 "$INDEX" one two
                said 'control character \(0x|Bad epoch'
                [ "$(wc -l < "$SCRATCH/output")" = 1 ]
                rm -rf one two
        done
        mv refused/refused-000-1-1.noarch.rpm packages/
        records
        expect 6 publish
        said 'refused-000-1-1.noarch.rpm: its summary has a control character \(0x1b\)'
        rm packages/refused-000*
        same_state "$before"
}

prepare make_packages publish_all
cd "$WORKSPACE"
scenario every-field every_field
scenario comparison-sees-changes comparison_sees_changes
for reader in createrepo_c libsolv dnf zypper; do scenario "$reader-reads-the-same" reads_the_same $reader; done
scenario any-file-name any_file_name
scenario text-that-no-xml-holds text_that_no_xml_holds
scenario what-metadata-cannot-say what_metadata_cannot_say
scenario after-a-change after_a_change
finish
