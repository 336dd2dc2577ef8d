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
        said '2 generations and 2 package files removed, 0.0 MiB freed'
        [ "$(ls repo/generations)" = $'3\n4' ] && [ "$(ls repo/repodata/*primary.xml.gz | wc -l)" = 2 ]
        [ "$before" = "$(sha256sum repo/repodata/repomd.xml)" ]
        whole
        expect 0 tee_repo prune --keep 2
        said '0 generations and 0 package files removed'
        # What is removed is off the disk, with the signed copy that is kept for the next time.
        file=repo/packages/gn8v-tee-helper-1.2-1.noarch.rpm
        bytes=$(stat -c %s $file)
        [ "$(stat -c %h $file)" = 2 ] && [ "$(find store/signed -samefile $file | wc -l)" = 1 ]
        signed=$(find store/signed -type f | wc -l)
        expect 0 tee_repo --json prune --keep 1
        [ "$(json "j['removed_generations'], j['removed_packages'], j['freed_bytes']")" = "1 1 $bytes" ]
        [ "$(find store/signed -type f | wc -l)" = $((signed - 1)) ] && [ -z "$(find -L store/signed -type l)" ]
        [ "$(ls repo/packages/gn8v-tee-helper-*)" = repo/packages/gn8v-tee-helper-1.3-1.noarch.rpm ]
        [ "$(ls repo/repodata/*primary.xml.gz | wc -l)" = 1 ]
        whole
        # Files that nothing names are told, also without a workspace.
        for stray in evil.rpm evil.repo RPM-GPG-KEY-evil generations/4/x generations/7/x; do
                mkdir -p "$(dirname repo/$stray)" && echo x > repo/$stray
                expect 5 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$PWD/repo"
                said "$stray: no generation names this file|generations/7: no generation names this file"
                rm repo/$stray
        done
        rmdir repo/generations/7
        expect 2 tee_repo prune
        expect 2 tee_repo prune --keep 0
        expect 9 flock repo/.lock "$REPO" -C . --releases releases prune --keep 1
        refuses tee_repo prune --keep 1 --repo nowhere
        [ ! -e nowhere ] || die "prune made a repository"
}

rollback() { tee_repo rollback --key "$KEY" --gnupghome "$KEYS" "$@"; }
metadata() { (cd repo/repodata && python3 -c 'import re; print(sorted(re.findall("href=\"(.*?)\"", open("repomd.xml").read())))'); }

gone_back() {
        begin back
        publish
        first=$(metadata)
        refuses rollback
        said 'no generation before'
        helper 1.1
        publish
        second=$(metadata)
        touch repo/packages/gn8v-tee-helper-1.0-1.noarch.rpm # its date says nothing then, its digest does
        expect 0 rollback
        said 'generation 3, 12 packages'
        [ "$(metadata)" = "$first" ] || die "not the packages of generation 1"
        whole
        grep -q '<content>gn8v-tee:serial=3</content>' repo/repodata/repomd.xml
        # A real client takes it, and what it installs is the old one.
        printf '[main]\nreposdir=%s\ncachedir=%s\nplugins=0\npluginpath=/nonexistent\n' "$PWD/repos" "$PWD/cache" > dnf.conf
        mkdir repos
        sed "s|^baseurl=.*|baseurl=file://$PWD/repo|; s|^gpgkey=.*|gpgkey=file://$PWD/repo/RPM-GPG-KEY-gn8v-tee|" repo/gn8v-tee.repo > repos/r.repo
        expect 0 dnf -c dnf.conf -y --installroot "$PWD/empty" repoquery gn8v-tee-helper
        said '^gn8v-tee-helper-0:1.0-1'
        # It is done already: only what a killed run may have left is done.
        expect 0 rollback 1
        said 'generation 3, 12 packages'
        expect 0 rollback 2 --mirror-url http://m.example/a
        [ "$(metadata)" = "$second" ]
        grep -q "$(digest repo/repodata/repomd.xml)" repo/repodata/metalink.xml
        expect 2 rollback 4
        said 'is the published one'
        refuses rollback 9
        expect 2 rollback nonsense
        expect 2 tee_repo rollback
        # The next publish goes on from there.
        expect 0 publish
        said 'generation 4 is up to date'
        helper 1.2
        expect 0 publish --keep 9
        said 'generation 5'
        # A key whose halves do not belong together is named.
        cp -a "$KEYS" odd
        rm -f odd/S.*
        gpg --homedir odd --batch --with-colons --list-keys --with-keygrip "$KEY" "$VENDOR" > grips
        grip() { awk -F: -v k="$1" '$1 == "fpr" { ours = $10 == k } $1 == "grp" && ours { print $10; exit }' grips; }
        cp "odd/private-keys-v1.d/$(grip "$VENDOR").key" "odd/private-keys-v1.d/$(grip "$KEY").key"
        expect 5 tee_repo rollback --key "$KEY" --gnupghome odd 3
        said "signing key $KEY: what its secret part signs is not good by its public one"
        gpgconf --homedir odd --kill gpg-agent
        # Another key's, and packages that are not as they were.
        expect 5 tee_repo rollback --key "$VENDOR" --gnupghome "$KEYS" 3
        before=$(state)
        # Nor metadata; also when what is damaged is as large as it was.
        primary=$(echo repo/generations/3/*primary.xml.gz) helper=repo/packages/gn8v-tee-helper-1.0-1.noarch.rpm
        cp "$primary" kept
        damage "$primary"
        expect 5 rollback 3
        said 'primary.xml.gz: .* is not what repomd.xml says'
        expect 5 tee_repo export --key "$KEY" --gnupghome "$KEYS" --generation 3 out.tar
        cat kept > "$primary"
        damage "$helper" $(($(stat -c %s "$helper") - 9))
        expect 5 rollback 3
        said 'is not the file that generation 3 was published with'
        rm repo/packages/gn8v-tee-helper-1.0-*
        refuses rollback 3
        cp repo/packages/gn8v-tee-helper-1.1-1.noarch.rpm repo/packages/gn8v-tee-helper-1.0-1.noarch.rpm
        expect 5 rollback 3
        rm repo/packages/gn8v-tee-helper-1.0-*
        [ "$before" != "$(state)" ] || die "the state does not see a package go"
        verify_is_5
}
verify_is_5() { grep -q '<content>gn8v-tee:serial=5</content>' repo/repodata/repomd.xml; }

replayed() {
        begin replayed
        publish
        cp -a repo old
        helper 1.1
        publish
        mv repo new
        mv old repo
        expect 3 tee_repo verify --key "$KEY"
        said 'its serial is 1, and 2 was seen before: an older state is served again'
        rm -rf repo
        mv new repo
        expect 3 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$PWD/repo" --at-least 3
        expect 11 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$PWD/repo" --at-least 2
        # A directory that was lost and made anew goes on counting.
        rm -rf repo
        publish
        grep -q '<content>gn8v-tee:serial=3</content>' repo/repodata/repomd.xml
}

expired() {
        begin expired
        export SOURCE_DATE_EPOCH=1700000000
        publish --valid-days 10
        grep -q '<content>gn8v-tee:expires=2023-11-24T22:13:20Z</content>' repo/repodata/repomd.xml
        # A time in the past, as build machines set it, keeps nothing fresh.
        expect 3 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$PWD/repo"
        said 'it expired at 2023-11-24T22:13:20Z'
        unset SOURCE_DATE_EPOCH
        # Nothing new, and most of the time is left: nothing is done. Half of it is over: the date is set anew.
        publish --valid-days 10
        expect 0 publish --valid-days 10
        said 'generation 2 is up to date'
        whole
        SOURCE_DATE_EPOCH=$(($(date +%s) + 11 * 86400)) expect 3 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$PWD/repo"
        expect 0 publish --valid-days 19
        said 'generation 3, 12 packages: 0 signed'
        # It is said once: the next state is valid as long, from its own day on; also one that is published again.
        expect 0 publish
        said 'generation 3 is up to date'
        SOURCE_DATE_EPOCH=$(($(date +%s) + 10 * 86400)) expect 0 publish
        said 'generation 4, '
        grep -q "<content>gn8v-tee:expires=$(date -u -d '29 days' +%F)" repo/repodata/repomd.xml
        expect 0 rollback
        grep -q "<content>gn8v-tee:expires=$(date -u -d '19 days' +%F)" repo/repodata/repomd.xml
        expect 0 publish --valid-days none
        said 'generation 6, '
        if grep -q expires repo/repodata/repomd.xml; then die "expires though nobody said so"; fi
        expect 0 publish
        said 'generation 6 is up to date'
        if grep -q expires repo/repodata/repomd.xml; then die "expires though nobody said so"; fi
        publish --valid-days 1
        expect 2 publish --valid-days 0
        # Made and signed later than now, as this machine's clock has it, which then cannot tell what has expired; the signature is good.
        cp -a repo early && rm -r early/generations
        sed -i 's|<revision>.*<|<revision>4102444800<|; s|expires=[^<]*|expires=2100-01-02T00:00:00Z|' early/repodata/repomd.xml
        gpg --homedir "$KEYS" --batch --yes --armor --faked-system-time 20991231T000000 --local-user "$KEY" --detach-sign --output early/repodata/repomd.xml.asc early/repodata/repomd.xml
        expect 11 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$PWD/early"
        said '^ok +signature'
        said "^unchecked +freshness +.*: this machine's clock is behind"
        # Tags that are no serial, well signed.
        for tag in serial=0 serial=x expires=yesterday 'serial=2</content><content>gn8v-tee:serial=3'; do
                sed "s|<content>gn8v-tee:${tag%%=*}=.*|<content>gn8v-tee:$tag</content>|" -i repo/repodata/repomd.xml
                gpg --homedir "$KEYS" --batch --yes --armor --local-user "$KEY" --detach-sign --output repo/repodata/repomd.xml.asc repo/repodata/repomd.xml
                expect 6 "$REPO" -C /var/empty --releases releases verify --key "$KEY" --repo "$PWD/repo"
                said 'malformed, or said twice'
        done
}

# What a release is made of, in SPDX's words: every identifier, reference and digest is followed.
bill_of_materials() {
        begin sbom
        package gn8v-tee-odd 1 'Requires: gn8v-tee-helper'
        refuses tee_repo sbom multi-$OLD
        publish
        expect 0 tee_repo sbom --output one.json --baseurl http://m.example/r/ multi-$OLD
        expect 0 tee_repo sbom multi-$NEW
        printed > two.json
        python3 - "$OLD" "$(digest "$WWW/driver-$OLD.run")" <<'PY'
import datetime, hashlib, json, re, sys
old, driver = sys.argv[1:]
for name in "one.json", "two.json":
    j = json.load(open(name))
    assert j["spdxVersion"] == "SPDX-2.3" and j["dataLicense"] == "CC0-1.0" and j["SPDXID"] == "SPDXRef-DOCUMENT"
    assert re.fullmatch(r"https://[^#\s]+", j["documentNamespace"]) and j["creationInfo"]["creators"][0].startswith("Tool: ")
    datetime.datetime.strptime(j["creationInfo"]["created"], "%Y-%m-%dT%H:%M:%SZ")
    ids = [p["SPDXID"] for p in j["packages"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids)
    extra = {l["licenseId"] for l in j["hasExtractedLicensingInfos"]}
    for p in j["packages"]:
        assert {"name", "downloadLocation", "licenseDeclared", "licenseConcluded", "copyrightText"} <= set(p) and p["filesAnalyzed"] is False
        assert all(c["algorithm"] == "SHA256" and re.fullmatch("[0-9a-f]{64}", c["checksumValue"]) for c in p["checksums"])
        assert p["licenseDeclared"] in {"MIT", "Apache-2.0"} | extra, p["licenseDeclared"]
    used = {p["licenseDeclared"] for p in j["packages"]}
    assert extra <= used
    for r in j["relationships"]:
        assert {r["spdxElementId"], r["relatedSpdxElement"]} <= set(ids) | {"SPDXRef-DOCUMENT"}
j = json.load(open("one.json"))
by = {p["name"]: p for p in j["packages"]}
branch = old.split(".")[0]
assert {"gn8v-tee-multi", "gn8v-tee-driver-" + branch, "vendor-manager", "gn8v-tee-helper", "gn8v-tee-odd", "driver"} <= set(by), sorted(by)
assert by["gn8v-tee-multi"]["versionInfo"] == old + "-1" and by["driver"]["checksums"][0]["checksumValue"] == driver
file = by["gn8v-tee-helper"]
assert file["downloadLocation"] == "http://m.example/r/packages/" + file["packageFileName"]
assert hashlib.sha256(open("repo/packages/" + file["packageFileName"], "rb").read()).hexdigest() == file["checksums"][0]["checksumValue"]
assert file["externalRefs"][0]["referenceLocator"] == "pkg:rpm/gn8v-tee/gn8v-tee-helper@1.0-1?arch=noarch"
edges = {(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in j["relationships"]}
meta, drv = by["gn8v-tee-multi"]["SPDXID"], by["gn8v-tee-driver-" + branch]["SPDXID"]
assert (meta, "DEPENDS_ON", drv) in edges and (drv, "GENERATED_FROM", by["driver"]["SPDXID"]) in edges and ("SPDXRef-DOCUMENT", "DESCRIBES", meta) in edges
assert (meta, "DEPENDS_ON", by["vendor-manager"]["SPDXID"]) in edges
PY
        # The same state, the same bytes; another one, another name.
        expect 0 tee_repo sbom --output again.json --baseurl http://m.example/r multi-$OLD
        cmp one.json again.json
        helper 1.1
        publish
        expect 0 tee_repo sbom --output later.json multi-$OLD
        [ "$(grep documentNamespace one.json)" != "$(grep documentNamespace later.json)" ]
        expect 0 tee_repo sbom --generation 1 --output again.json --baseurl http://m.example/r multi-$OLD
        cmp one.json again.json
        "$REPO" --releases releases sbom --json --output again.json multi-$OLD > told
        python3 -c 'import json, os; d = json.load(open("told")); assert d["file"] == "again.json" and d["size"] == os.path.getsize("again.json"), d'
        expect 1 tee_repo sbom --output releases multi-$OLD
        said 'releases: Is a directory'
        expect 2 tee_repo sbom
        expect 2 tee_repo sbom multi-$OLD multi-$NEW
        expect 1 tee_repo sbom nothing-1
        tee_repo publish --key "$KEY" --gnupghome "$KEYS" --platform platform.provides --repo single single-$SINGLE
        expect 1 tee_repo sbom --repo single multi-$OLD
        said 'does not have multi'
        rm locks/multi-$OLD.lock
        refuses tee_repo sbom multi-$OLD
        said 'lock multi-'
        cp repo/packages/gn8v-tee-helper-1.1* repo/packages/gn8v-tee-driver-"${NEW%%.*}-$NEW"-1.noarch.rpm
        expect 5 tee_repo sbom multi-$NEW
}

# mended WORDS: the next publish, of nothing new, says so and makes the state whole; the one after it has nothing to do.
mended() {
        expect 0 publish --baseurl http://a.example/r
        said "repaired: $1"
        if ! diff -r repo/packages fresh/packages; then die "not what a fresh publish makes: $1"; fi
        whole
        expect 0 publish --baseurl http://a.example/r
        said 'nothing to publish'
}
healed() {
        local file=repo/packages/gn8v-tee-helper-1.0-1.noarch.rpm vendor=repo/packages/vendor-manager-7.1-1.noarch.rpm before i
        begin healed
        publish --baseurl http://a.example/r
        cp -a repo fresh
        # One byte in place, which is the kept signed copy's byte, too; with and without what is remembered.
        for i in remembered forgotten; do
                printf X | dd of=$file bs=1 seek=$(($(stat -c %s $file) - 9)) conv=notrunc status=none
                [ $i = remembered ] || rm -rf cache store/signed
                mended '1 of its packages'
        done
        truncate -s -5 $file && rm $vendor
        [ "$(publish --baseurl http://a.example/r --json | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["changed"], d["repaired"], d["repaired_metadata"])')" = 'True 2 False' ]
        diff -r repo/packages fresh/packages
        # A copy without its seals is as good.
        find repo/packages -name '*.rpm' -exec touch -d 2020-01-01 {} +
        expect 0 publish --baseurl http://a.example/r
        said 'nothing to publish'
        rm repo/repodata/*-primary.xml.gz
        mended 'its metadata'
        for i in repo/repodata/*-filelists.xml.gz repo/repodata/repomd.xml.asc repo/repodata/repomd.xml.key; do
                [ -e "$i" ] || continue
                printf X | dd of="$i" bs=1 seek=40 conv=notrunc status=none
        done
        mended 'its metadata'
        rm repo/repodata/repomd.xml.asc
        mended 'its metadata'
        # A pipe is not waited for.
        rm repo/repodata/repomd.xml.asc
        mkfifo repo/repodata/repomd.xml.asc
        mended 'its metadata'
        # Without repomd.xml nothing that is refused or cannot be done costs a generation, and the count goes on, here and elsewhere.
        before=$(ls repo/generations)
        rm repo/repodata/repomd.xml
        refuses rollback 1
        said 'publish again'
        refuses tee_repo prune --keep 1
        mv locks other && expect 3 publish && mv other locks
        [ "$(ls repo/generations)" = "$before" ] || die "a refused run has removed generations"
        rm -rf repo/repodata serials
        expect 0 publish --keep 9
        said "generation $(($(tail -n 1 <<< "$before") + 1)), "
        whole
        # A record that cannot be written is told before anything is published.
        before=$(state)
        helper 1.1
        mv serials away && touch serials
        refuses publish
        said 'nothing was published'
        same_state "$before"
        rm serials && mv away serials
        # Of a generation that somebody removed nothing stays; without any, our signature tells whose the rest is.
        publish --keep 9
        rm -r repo/generations/*
        rm packages/gn8v-tee-helper-1.1* && package gn8v-tee-helper 1.2
        i=$(sed -n 's/.*serial=\([0-9]*\).*/\1/p' repo/repodata/repomd.xml)
        rm -r serials && expect 0 publish
        said "generation $((i + 1)), "
        [ "$(ls repo/packages/gn8v-tee-helper-*)" = repo/packages/gn8v-tee-helper-1.2-1.noarch.rpm ]
        helper 1.3
        publish
        rm "repo/generations/$((i + 1))/manifest.json"
        expect 0 publish
        [ "$(ls repo/packages/gn8v-tee-helper-*)" = repo/packages/gn8v-tee-helper-1.3-1.noarch.rpm ] && [ "$(ls repo/generations)" = $((i + 2)) ]
        whole
        rm -r repo/generations/*
        expect 1 tee_repo publish --key "$VENDOR" --gnupghome "$KEYS" --platform platform.provides
        said 'was not published by gn8v-tee-repo'
}

make_keys
prepare make_template

scenario 'what changes between two states is told' differences
scenario 'an earlier state is published again' gone_back
scenario 'a replayed state is told' replayed
scenario 'an expired state is told' expired
scenario 'older states are removed' pruned
scenario 'what was damaged or removed is published whole again' healed
scenario 'a release is told in SPDX' bill_of_materials
finish
