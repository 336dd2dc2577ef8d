#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whole published states: what changed between them, going back, removing the old ones.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"

helper() { # VERSION SPEC-LINE...: replaces the one that is there
        rm -f packages/gn8v-tee-helper-*
        package gn8v-tee-helper "$@"
}
# printed: what the program printed, without the shell's trace of the call.
printed() { grep -vF "+ $REPO" "$SCRATCH/output" || :; }
# whole: the repository by itself; no look-alike archives are here to hold the payloads against.
whole() { expect 11 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$PWD/repo"; }
json() { python3 -c "import json, sys; j = json.load(sys.stdin); print($1)" < <(printed); }

differences() {
        begin differences
        publish
        expect 0 tee_repo diff current
        [ -z "$(printed)" ] || die "a state differs from itself"
        helper 1.1
        publish
        expect 3 tee_repo diff 1 2 --files
        said '^~ gn8v-tee-helper 1.0-1 -> 1.1-1, [+-][0-9]+ bytes; files: 0 new, 0 gone, 1 changed$'
        said '^    ~ /opt/gn8v-tee-helper/content \(content\)$'
        [ "$(printed | grep -c '^[~+-]')" = 1 ] || die "more than one package differs"
        package newcomer 1
        rm packages/gn8v-tee-helper-*
        publish
        expect 3 tee_repo diff previous
        said '^\+ newcomer 1-1, [0-9]+ bytes$'
        said '^- gn8v-tee-helper 1.1-1, [0-9]+ bytes$'
        expect 3 tee_repo --json diff 3 1
        [ "$(json "sorted((p['name'], p['change']) for p in j['packages'])")" = "[('gn8v-tee-helper', 'added'), ('newcomer', 'removed')]" ]
        # Another repository, published with another key: the same packages, signed anew.
        tee_repo publish --key "$VENDOR" --gnupghome "$KEYS" --platform platform.provides --repo other
        expect 3 tee_repo diff other
        said 'newcomer 1-1, [+-][0-9]+ bytes; the same package, signed anew'
        refuses tee_repo diff 9
        said 'there are: 1, 2, 3'
        refuses tee_repo diff nowhere
        refuses tee_repo diff
        rm -f repo/packages/newcomer-*
        expect 3 tee_repo diff previous
        # A file that its manifest names and that somebody replaced.
        cp repo/packages/gn8v-tee-driver-"${OLD%%.*}-$OLD"-*.rpm repo/packages/gn8v-tee-helper-1.0-1.noarch.rpm
        refuses tee_repo diff 1 2
        said 'not the package that the generation.s manifest describes'
}

pruned() {
        begin pruned
        publish
        for i in 1 2 3; do helper "1.$i"; publish --keep 10; done
        expect 0 tee_repo generations
        said '^ *4\* '
        [ "$(printed | wc -l)" = 5 ]
        expect 0 tee_repo --json generations
        [ "$(json "[(g['generation'], g['current']) for g in j]")" = '[(1, False), (2, False), (3, False), (4, True)]' ]
        before=$(sha256sum repo/repodata/repomd.xml)
        expect 0 tee_repo prune --keep 2
        said '2 generations and 2 package files removed'
        [ "$(ls repo/generations)" = $'3\n4' ] && [ "$(ls repo/repodata/*primary.xml.gz | wc -l)" = 2 ]
        [ "$before" = "$(sha256sum repo/repodata/repomd.xml)" ]
        whole
        expect 0 tee_repo prune --keep 2
        said '0 generations and 0 package files removed'
        expect 0 tee_repo prune --keep 1
        [ "$(ls repo/packages/gn8v-tee-helper-*)" = repo/packages/gn8v-tee-helper-1.3-1.noarch.rpm ]
        [ "$(ls repo/repodata/*primary.xml.gz | wc -l)" = 1 ]
        whole
        expect 2 tee_repo prune
        expect 2 tee_repo prune --keep 0
        expect 9 flock repo/.lock "$REPO" -C . --releases releases prune --keep 1
        refuses tee_repo prune --keep 1 --repo nowhere
        [ ! -e nowhere ] || die "prune made a repository"
}

make_keys
prepare make_template

scenario 'what changes between two states is told' differences
scenario 'older states are removed' pruned
finish
