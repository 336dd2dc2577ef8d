#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each verb that changes something is killed at every single call that does so, the disk fails there, the disk is full from there on: a client sees the old
# state or the new one, and the next run ends where an undisturbed one does. GN8V_EVERY=1: all points, and not some, other ones each day.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/workspace.sh"
CUT=$BUILD/tests/cut
EVERY=${GN8V_EVERY:-11}

sign_words=() # how the publisher signs: by OpenSSL, which takes no agent
make_signer() {
        openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$SCRATCH/key.pem"
        sign_words=(--key-file "$SCRATCH/key.pem" --user-id 'Publisher <p@test.invalid>' --key-created 2026-01-02)
        KEY=$({ "$REPO" -C "$SCRATCH" rollback --repo "$SCRATCH" --key 0000000000000000000000000000000000000000 "${sign_words[@]}" 2>&1 || :; } | sed -n 's/.*fingerprint is \([0-9A-F]*\),.*/\1/p')
        [ ${#KEY} = 40 ]
        mirror_sign=(--sign-key "$KEY" --sign-key-file "${sign_words[@]:1}")
        sign_words=(--key "$KEY" "${sign_words[@]}")
}
sign_and_publish() { tee_repo -q publish "${sign_words[@]}" --platform platform.provides --baseurl http://a.example/repo --mirror-url http://a.example/repo --keep 2 "$@"; }
helper() { rm -f packages/gn8v-tee-helper-*; cp "$SCRATCH/helpers/gn8v-tee-helper-$1"* packages/; }
# Two generations, and something new.
make_workspace() {
        local version
        CLEANUPS+=("SCRATCH=$SCRATCH")
        mkdir -p "$SCRATCH/memory" "$SCRATCH/helpers"
        mount -t tmpfs -o size=512m tmpfs "$SCRATCH/memory" || :
        vendor_package 7.1
        mkdir -p "$SCRATCH/memory/small/releases"
        cd "$SCRATCH/memory/small"
        printf '/bin/sh\ndkms\n' > platform.provides
        release multi $OLD 7.1
        suite multi $OLD 7.1
        for version in 1.0 1.1 1.2; do package gn8v-tee-helper $version; done
        mv packages/gn8v-tee-helper-* "$SCRATCH/helpers/"
        tee_repo lock
        tee_repo fetch
        rm -rf rpmbuild
        helper 1.0
        mkdir tmp
        cp -a . ../first
        sign_and_publish
        helper 1.1
        sign_and_publish
        cp -a . ../two
        helper 1.2
        cp -a . ../next
        sign_and_publish --keep 3
        cp -a . ../three
}
# What is exported, imported, mirrored and fetched.
make_copies() {
        cd "$SCRATCH/memory"
        cp -a two exporting && cd exporting
        tee_repo -q export "${sign_words[@]}" --generation 1 b.tar
        mkdir ../importing
        tee_repo -q export "${sign_words[@]}" --since 1 ../importing/delta.tar
        "$REPO" -q -C ../importing import --key "$KEY" --repo ../importing/inside --baseurl http://inside.example/repo --mirror-url http://inside.example/repo b.tar
        serve "$SCRATCH/memory/served"
        URL=http://127.0.0.1:$PORT
        cp -a ../two/repo ../served
        cp "$WWW/vendor.pub" ../vendor.pub
        mkdir ../mirroring ../selecting ../fetching
        mirrors_of ../mirroring
        mirrors_of ../selecting --package gn8v-tee-driver-1 "${mirror_sign[@]}"
        rm -rf ../served
        cp -a ../next ../publisher && (cd ../publisher && sign_and_publish) && mv ../publisher/repo ../served
        mkdir ../served/vendor && cp "$WWW"/* ../served/vendor/
        # Artifacts from there: first use and pinned, a key, an RPM, an archive.
        cp -a ../first/releases ../fetching/
        sed -i "s|^URL=file://.*/|URL=$URL/vendor/|" ../fetching/releases/*
        cp -a ../fetching ../locking
        tee_repo -C ../fetching --releases ../fetching/releases lock
        rm -rf ../fetching/store
}
mirrors_of() { "$REPO" -q -C "$1" mirror --key-file "$SCRATCH/memory/served/RPM-GPG-KEY-gn8v-tee" --key-file "$SCRATCH/memory/vendor.pub" --keep 1 "${@:2}" "$URL" "$1/repo"; }
# everywhere NAME BEFORE JSON-MEMBERS COMMAND...
everywhere() {
        local name=$1 before=$2 members=$3
        shift 3
        [ -x "$CUT" ] || skip_scenario "seccomp's user notification is not known here"
        python3 - "$name" "$SCRATCH/memory/$before" "$EVERY" "$members" "$@" > "$SCRATCH/$name.json" <<'PY'
import json, sys, time
name, before, every, members, *run = sys.argv[1:]
spec = {"name": name, "before": before, "run": run, "repo": "repo", "every": int(every), "offset": int(time.time() / 86400), "random": 6}
spec.update(json.loads(members))
print(json.dumps(spec))
PY
        "$SOURCE/tests/e2e/power/repository" "$CUT" "$SCRATCH/memory" "$SCRATCH/$name.json" > "$SCRATCH/points" || { cat "$SCRATCH/points"; die "see above"; }
        cat "$SCRATCH/points"
        cat "$SCRATCH/points" >> "$LOGS/points"
}
words() { python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$@"; }
VERIFY=("$REPO" -C /var/empty --releases releases verify --repo repo --key)
PROGRAM=("$REPO" -q -C . --releases releases)

publish_words() {
        local copy="cp '$SCRATCH'/helpers/gn8v-tee-helper" remove='rm packages/gn8v-tee-helper-*'
        PUBLISH=("${PROGRAM[@]}" publish "${sign_words[@]}" --platform platform.provides --baseurl http://a.example/repo --mirror-url http://a.example/repo --keep 2)
        published=$(words "${PUBLISH[@]}")
        also_1_0=$(words bash -c "$copy-1.0* packages/") now_1_1=$(words bash -c "$remove; $copy-1.1* packages/") now_1_2=$(words bash -c "$remove; $copy-1.2* packages/")
}
first() { publish_words; everywhere first first '{}' "${PUBLISH[@]}"; }
next() { publish_words; everywhere publish next "{\"verify\": $(words "${VERIFY[@]}" "$KEY"), \"later\": [$also_1_0, $published]}" "${PUBLISH[@]}"; }
# One that knows of the last one what that has left: in a copy, nothing is known. What is there at a shortcut's point, a later one goes by.
remembering() {
        publish_words
        everywhere remembering first "{\"warm\": [$published, $now_1_1, $published, $now_1_2], \"later\": [$also_1_0, $published],
                \"only\": \"cache/|store/signed/\", \"random\": 0}" "${PUBLISH[@]}"
}
# Killed when a second one waits for its lock, which then has to finish.
beside() {
        publish_words
        everywhere beside next "{\"hows\": [\"handover\"], \"beside\": $(words "${PROGRAM[@]}" --lock-timeout 60 "${PUBLISH[@]:${#PROGRAM[@]}}"), \"random\": 0}" "${PUBLISH[@]}"
}
back() { everywhere rollback three '{}' "${PROGRAM[@]}" rollback "${sign_words[@]}" --keep 3 2; }
# One that somebody has signed, with the key, and one of ours.
adds() {
        local file other
        file=$(basename "$SCRATCH"/helpers/gn8v-tee-helper-1.2*.rpm)
        other=$(basename "$WWW"/vendor-manager-*.rpm)
        mkdir -p "$SCRATCH/memory/adding/packages"
        cp "$SCRATCH/helpers/$file" "$WWW/$other" "$WWW/vendor.pub" "$SCRATCH/memory/adding/"
        everywhere add adding "{\"repo\": null, \"watch\": [\"packages/$file\"], \"may_stay\": \"store\"}" "${PROGRAM[@]}" add --key-file vendor.pub "$other" "$file"
        cp -a "$SCRATCH/memory/adding" "$SCRATCH/memory/removing" && cd "$SCRATCH/memory/removing"
        tee_repo add --key-file vendor.pub "$other" "$file"
        everywhere remove removing '{"repo": null, "watch": []}' "${PROGRAM[@]}" remove "$other" "${file%.rpm}"
}
prunes() { everywhere prune two '{}' "${PROGRAM[@]}" prune --keep 1; }
exports() { everywhere export exporting '{"repo": null, "watch": ["b.tar"]}' "${PROGRAM[@]}" export "${sign_words[@]}" b.tar; }
imports() { everywhere import importing '{"repo": "inside"}' "${PROGRAM[@]}" import delta.tar --repo inside --keep 1; }

# Where nothing was before.
anew() {
        mkdir -p "$SCRATCH/memory/nothing"
        cp "$SCRATCH/memory/exporting/b.tar" "$SCRATCH/memory/nothing/"
        local some="\"every\": $((EVERY > 1 ? EVERY * 4 : 1)), \"sample\": 3, \"random\": 2"
        everywhere import-anew nothing "{\"repo\": \"inside\", \"may_stay\": \"inside(/packages|/generations)?\$\", $some}" \
                "${PROGRAM[@]}" import --key "$KEY" --repo inside --baseurl http://inside.example/repo --keep 1 b.tar
        everywhere mirror-anew nothing "{\"may_stay\": \"repo(/[.]mirror|/packages\$|/generations\$|\$)\", $some}" \
                "$REPO" -q mirror --key-file "$SCRATCH/memory/served/RPM-GPG-KEY-gn8v-tee" --key-file "$SCRATCH/memory/vendor.pub" --keep 1 --timeout 5 \
                --baseurl http://inside.example/repo "$URL" repo
}
mirrors() {
        everywhere mirror mirroring '{"may_stay": "repo/.mirror"}' "$REPO" -q mirror --key-file "$SCRATCH/memory/served/RPM-GPG-KEY-gn8v-tee" --key-file "$SCRATCH/memory/vendor.pub" \
                --keep 1 --timeout 5 "$URL" repo
}
selects() {
        everywhere select selecting '{"may_stay": "repo/.mirror"}' "$REPO" -q mirror --key-file "$SCRATCH/memory/served/RPM-GPG-KEY-gn8v-tee" --key-file "$SCRATCH/memory/vendor.pub" \
                --keep 1 --timeout 5 --package gn8v-tee-helper "${mirror_sign[@]}" "$URL" repo
}
fetches() { everywhere fetch fetching '{"repo": null, "watch": [], "may_stay": "store"}' "${PROGRAM[@]}" fetch --timeout 5; }
# Of an archive's look-alike all is built but the metapackage.
builds() {
        mkdir -p "$SCRATCH/memory/building/real"
        cd "$SCRATCH/memory/building"
        cp "$(ls "$SOURCE"/repo/releases/single-*.conf | tail -1)" real/
        "$SOURCE/tests/vendor/make" made --releases real --base "file://$PWD/made/www"
        mv made/releases releases
        rm -rf real
        tee_repo lock
        tee_repo fetch
        tee_repo build --specs "$SOURCE/specs"
        rm packages/gn8v-tee-single-*
        everywhere build building '{"repo": null, "watch": []}' "${PROGRAM[@]}" build --specs "$SOURCE/specs"
}
locks() { everywhere lock locking '{"repo": null, "watch": ["locks"], "may_stay": "store"}' "${PROGRAM[@]}" lock --timeout 5; }

# What is being sent is sent to its end, though its state is pruned meanwhile.
downloads() {
        local file
        cp -a "$SCRATCH/memory/three" "$SCRATCH/downloads" && cd "$SCRATCH/downloads"
        serve "$PWD/repo" '' 'limit_rate 3k;'
        file=$(ls repo/packages/gn8v-tee-helper-1.0*)
        python3 - "$PORT" "$file" "${PROGRAM[@]}" <<'PY'
import http.client, subprocess, sys
port, file, *program = sys.argv[1:]
want = open(file, "rb").read()
c = http.client.HTTPConnection("127.0.0.1", int(port))
c.request("GET", file[len("repo"):])
r = c.getresponse()
got = r.read(100)
subprocess.run(program + ["prune", "--keep", "1"], check=True)
assert got + r.read() == want
c.request("GET", file[len("repo"):])
assert c.getresponse().status == 404
PY
}

: > "$LOGS/points"
make_keys
prepare make_signer make_workspace make_copies
scenario 'a first publish' first
scenario 'a publish' next
scenario 'a publish that remembers the last one' remembering
scenario 'a publish that another one waits for' beside
scenario 'a rollback' back
scenario 'packages that are added, and removed' adds
scenario 'a prune' prunes
scenario 'an export' exports
scenario 'an import' imports
scenario 'a first import, a first mirror' anew
scenario 'a mirror' mirrors
scenario 'a mirror of some packages' selects
scenario 'a fetch' fetches
scenario 'a lock' locks
scenario 'a build' builds
scenario 'a download goes on while its state is pruned' downloads
sed 's/^/# /' "$LOGS/points"
finish
