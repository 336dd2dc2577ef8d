#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gn8v-tee status beside a look-alike metadata service, on foreign roots, and on files made to hurt it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/root.sh"

MULTI=$(ls "$SOURCE"/repo/releases/multi-*.conf | sort -V | tail -n 1)
SINGLE=$(ls "$SOURCE"/repo/releases/single-*.conf | sort -V | tail -n 1)
TYPE=$(release_value "$MULTI" InstanceType) ZONE=$(release_value "$MULTI" Zone) REGION=$(release_value "$MULTI" Region)

begin() { # RELEASE
        local library
        R=$(mktemp -d "$SCRATCH/root.XXXXXX")
        good_root "$R" "$1"
        # The program in it, for chroot.
        cp "$NODE" "$R/usr/bin/gn8v-tee"
        ldd "$NODE" | grep -o '/[^ ]*' | while read -r library; do
                mkdir -p "$R${library%/*}"
                cp -L "$library" "$R$library"
        done
        chmod 755 "$SCRATCH" "$R"
}
# The service, in a mode; its address is in $URL.
serve() {
        [ -p "$SCRATCH/port" ] || mkfifo "$SCRATCH/port"
        : > "$SCRATCH/requests"
        "$SOURCE/tests/e2e/metadata.py" "$1" "$SCRATCH/port" "$SCRATCH/requests" "instance/instance-type=${2-$TYPE}" "region-id=$REGION" "zone-id=$ZONE" &
        SERVER=$!
        URL=http://127.0.0.1:$(cat "$SCRATCH/port") # waits for it
}
unserve() { kill $SERVER; wait $SERVER 2>/dev/null || :; }
inside() { env GN8V_TEE_ENVIRONMENT=machine GN8V_TEE_METADATA_URL="$URL" ${AS-} chroot ${USERSPEC-} "$R" /usr/bin/gn8v-tee "$@"; }
outside() { env GN8V_TEE_ENVIRONMENT=machine GN8V_TEE_METADATA_URL="${URL-}" "$NODE" --root "$R" "$@"; }
# row NAME FILE: "STATE|FOUND" of a row of --json
row() { python3 -c 'import json,sys; print(*[r["state"] + "|" + (r["found"] or "") for r in json.load(open(sys.argv[2]))["rows"] if r["name"] == sys.argv[1]])' "$1" "$2"; }
# The row is in this state, after at most five seconds; what was found matches the pattern.
has_row() { # NAME STATE|PATTERN COMMAND...
        local name=$1 want=$2 rc=0 began=$SECONDS found
        shift 2
        "$@" status --json > "$SCRATCH/json" || rc=$?
        case $rc in 0 | 3 | 4) ;; *) die "exit status $rc" ;; esac
        [ $((SECONDS - began)) -le 5 ] || die "took $((SECONDS - began)) s"
        found=$(row "$name" "$SCRATCH/json")
        # shellcheck disable=SC2053
        [[ $found == $want ]] || die "$name: $found, not $want"
}

service_is_asked() {
        local mode
        for mode in hardened plain; do
                begin "$MULTI"
                serve $mode
                has_row "instance type" "ok|$TYPE" inside
                has_row zone "ok|$ZONE" inside
                grep -qx 'PUT /latest/api/token' "$SCRATCH/requests"
                [ "$(grep -c PUT "$SCRATCH/requests")" = 1 ] || die "asked again: $(cat "$SCRATCH/requests")"
                [ $mode = plain ] || ! grep -v PUT "$SCRATCH/requests" | grep -v ' token$' || die "asked without the token"
                unserve
                # From the cache, to everybody; whose write bits are not ours to trust is not believed.
                [ "$(stat -c %a "$R/run/gn8v-tee/metadata.json")" = 644 ]
                USERSPEC=--userspec=65534:65534 has_row "instance type" "ok|$TYPE" inside
                has_row "instance type" "ok|$TYPE" outside
                echo another-boot > "$R/proc/sys/kernel/random/boot_id"
                has_row "instance type" "unknown|*refused" inside
                echo this-boot > "$R/proc/sys/kernel/random/boot_id"
                chmod 666 "$R/run/gn8v-tee/metadata.json"
                has_row "instance type" "unknown|*refused" inside
        done
}
another_root_is_not_asked() {
        begin "$MULTI"
        serve plain
        has_row "instance type" "unknown|not asked about another root" outside
        GN8V_TEE_ENVIRONMENT=image has_row "instance type" "unknown|not asked*" env GN8V_TEE_ENVIRONMENT=image GN8V_TEE_METADATA_URL="$URL" chroot "$R" /usr/bin/gn8v-tee
        [ ! -s "$SCRATCH/requests" ] || die "asked: $(cat "$SCRATCH/requests")"
        unserve
}
wrong_type() {
        begin "$MULTI"
        serve hardened ecs.g8i.large
        has_row "instance type" "fail|ecs.g8i.large" inside
        expect 3 inside status
        said '^Next: ecs.g8i.large cannot run'
        unserve
}
hostile_service() { # MODE PATTERN
        begin "$MULTI"
        serve "$1"
        has_row "instance type" "unknown|$2" inside
        USERSPEC=--userspec=65534:65534 has_row "instance type" "unknown|$2" inside
        [ ! -e "$R/run/gn8v-tee" ] || die "cached: $(cat "$R"/run/gn8v-tee/*)"
        unserve
}
all_right() {
        local release
        for release in "$SINGLE" "$MULTI"; do
                begin "$release"
                expect 0 outside status
                said '^Next: nothing'
                ! grep -E ' (warn|pending|fail)$' "$SCRATCH/output" || die "not right"
        done
}
json_is_stable() {
        begin "$MULTI"
        : > "$R/sys/module/nvidia/version"
        outside status --json > "$SCRATCH/json" || [ $? = 4 ]
        python3 - "$SCRATCH/json" <<'CHECK'
import json, sys
d = json.load(open(sys.argv[1]))
assert set(d) >= {"release", "environment", "state", "next", "rows"}, set(d)
groups = [r["group"] for r in d["rows"]]
order = ["release", "instance", "tdx", "kernel", "crypto", "driver", "software", "services", "clients", "gpu", "system", "journal"]
assert [g for i, g in enumerate(groups) if i == 0 or groups[i - 1] != g] == [g for g in order if g in groups], groups
for r in d["rows"]:
    assert set(r) == {"group", "name", "expected", "found", "state", "next"}, r
    assert r["state"] in ("ok", "unknown", "warn", "pending", "fail"), r
    assert (r["state"] == "ok") == (r["next"] is None), r
assert d["state"] == max((r["state"] for r in d["rows"]), key=["ok", "unknown", "warn", "pending", "fail"].index)
CHECK
}
metrics_are_clean() {
        begin "$MULTI"
        outside status --prometheus > "$SCRATCH/prom" || [ $? = 3 ] || [ $? = 4 ]
        "$SOURCE/tests/e2e/promcheck.py" "$SCRATCH/prom"
        grep -qx 'gn8v_tee_check{group="tdx",name="TDX guest"} 0' "$SCRATCH/prom"
        if command -v promtool > /dev/null; then promtool check metrics < "$SCRATCH/prom"; fi
        expect 2 outside status --prometheus --json
        # What would need every escape is no kernel's name: nothing is made for it, and it names no row.
        printf 'title "q\\b\nversion x"y\\z\nlinux /vmlinuz-x"y\\z\n' > "$R/boot/loader/entries/b.conf"
        : > "$R/boot/loader/entries/a.conf"
        outside status --prometheus > "$SCRATCH/prom" || [ $? = 3 ]
        "$SOURCE/tests/e2e/promcheck.py" "$SCRATCH/prom"
        ! grep -F 'module of' "$SCRATCH/prom"
}
an_empty_root() {
        R=$(mktemp -d "$SCRATCH/root.XXXXXX")
        expect 3 env -u GN8V_TEE_ENVIRONMENT "$NODE" --root "$R" status
        said '^Next: yum install'
        [ -z "$(find "$R" -mindepth 1)" ] || die "status wrote something"
        mkdir -p "$R/usr/share/gn8v-tee"
        cp "$SINGLE" "$R/usr/share/gn8v-tee/release.conf"
        expect 3 env -u GN8V_TEE_ENVIRONMENT "$NODE" --root "$R" status
        [ "$(find "$R" -type f | wc -l)" = 1 ] || die "status wrote something"
}
files_that_hurt() {
        local i
        begin "$SINGLE"
        truncate -s 8G "$R/proc/cpuinfo" "$R/usr/bin/nv-fabricmanager"
        truncate -s 1G "$R/lib/modules/$KERNEL/modules.dep"
        mkdir -p "$R/sys/fs/selinux" "$R/var/log/audit" "$R/opt/many" "$R/home"
        echo 1 > "$R/sys/fs/selinux/enforce"
        yes 'type=AVC msg=audit(1.1:1): avc:  denied  { x } for comm="nvidia-smi"' | head -c 30M > "$R/var/log/audit/audit.log" || [ $? = 141 ]
        (cd "$R/opt/many" && seq 50000 | xargs touch)
        for i in $(seq 2000); do mkdir -p "$R/home/u$i/a" "$R/home/u$i/b"; done
        ln -s loop "$R/opt/loop"
        rm -f "$R"/usr/local/cuda-*/version.json
        mkfifo "$R"/usr/local/cuda-*/version.json 2>/dev/null || mkfifo "$(echo "$R"/usr/local/cuda-*)/version.json"
        rm "$R/proc/cmdline"
        mkfifo "$R/proc/cmdline" "$R/dev/kmsg"
        has_row "swiotlb running" "unknown|*" outside
        has_row CUDA "unknown|*" outside
        has_row SELinux "warn|enforcing: * denied*" outside
        begin "$SINGLE"
        head -c 3M /dev/urandom > "$R/proc/cpuinfo"
        head -c 3M /dev/urandom > "$R/proc/cmdline"
        head -c 3000 /dev/urandom > "$R/proc/sys/kernel/osrelease"
        head -c 3M /dev/urandom > "$R/proc/driver/nvidia/params"
        head -c 3M /dev/urandom > "$R/lib/modules/$KERNEL/modules.dep"
        head -c 3M /dev/urandom > "$R/boot/loader/entries/b.conf"
        mkdir -p "$R/run/gn8v-tee"
        head -c 3000 /dev/urandom > "$R/run/gn8v-tee/metadata.json"
        has_row "TDX guest" "fail|*" outside
        outside status > "$SCRATCH/output" || :
        ! LC_ALL=C grep -q -P '[\x00-\x08\x0b-\x1f\x7f]' "$SCRATCH/output" || die "control characters"
}
# What is no release file, journal or boot entry is named in plain words, at once, and by one exit status.
no_files_at_all() {
        local file kind
        for file in usr/share/gn8v-tee/release.conf var/lib/gn8v-tee/journal.json boot/loader/entries/a.conf; do
                for kind in large directory loop pipe; do
                        begin "$SINGLE"
                        mkdir -p "$R/${file%/*}"
                        rm -f "$R/$file"
                        case $kind in
                        large) truncate -s 40M "$R/$file" ;;
                        directory) mkdir "$R/$file" ;;
                        loop) ln -s "${file##*/}" "$R/$file" ;;
                        pipe) mkfifo "$R/$file" ;;
                        esac
                        case $file in
                        boot/*) has_row "swiotlb configured" "fail|unreadable" outside ;;
                        *)
                                expect 6 timeout 5 "$NODE" --root "$R" status
                                said "/$file: [a-z ]+"
                                ! grep -q -e 'Invalid argument' "$SCRATCH/output" || die "not in plain words"
                                ;;
                        esac
                done
        done
}
# On a terminal the table is as wide as that; what is not known is no praise.
a_narrow_terminal() {
        begin "$MULTI"
        GN8V_TEE_ENVIRONMENT=machine script -qec "stty cols 80; '$NODE' --root '$R' status" /dev/null | tr -d '\r' > "$SCRATCH/output"
        ! sed '/^$/,$d' "$SCRATCH/output" | grep '.\{81\}' || die "wider than the terminal"
        said '^          nvidia-persistenced'
        said '^Next: nothing; what could be looked at is as wanted, and [0-9]+ of the checks are unknown$'
}
not_root_is_no_error() {
        begin "$MULTI"
        mkdir -p "$R/var/lib/gn8v-tee" "$R/sys/kernel/debug/swiotlb" "$R/sys/fs/selinux" "$R/var/log/audit"
        echo 1 > "$R/sys/fs/selinux/enforce"
        : > "$R/var/log/audit/audit.log"
        : > "$R/sys/kernel/debug/swiotlb/io_tlb_nslabs"
        chmod 700 "$R/var/lib/gn8v-tee" "$R/var/log/audit" "$R/sys/kernel/debug"
        URL=http://127.0.0.1:1
        USERSPEC=--userspec=65534:65534 has_row SELinux "unknown|*not readable*" inside
        USERSPEC=--userspec=65534:65534 has_row journal "unknown|not readable" inside
        USERSPEC=--userspec=65534:65534 has_row "swiotlb pool" "unknown|not readable" inside
        USERSPEC=--userspec=65534:65534 has_row "TDX guest" "ok|*" inside
}
help_and_words() {
        expect 0 "$NODE" status --help
        ! grep '.\{81\}' "$SCRATCH/output"
        said -- --prometheus
        expect 2 "$NODE" status now
}

[ "$(id -u)" = 0 ] || { skip "$SUITE" "needs root for chroot"; exit 0; }
scenario "everything right, on both profiles" all_right
scenario "the metadata service is asked, token first, and cached" service_is_asked
scenario "another root's service is never asked" another_root_is_not_asked
scenario "an instance of the wrong type" wrong_type
while read -r mode pattern; do scenario "metadata service: $mode" hostile_service "$mode" "$pattern"; done <<'MODES'
silent *did not answer within*
drip *did not answer within*
endless *without end
endless-fields *without end
redirect *HTTP status 302
chunks *malformed answer
garbage *malformed answer
MODES
scenario "JSON keeps its shape" json_is_stable
scenario "metrics by Prometheus' rules" metrics_are_clean
scenario "an empty root" an_empty_root
scenario "files that hurt" files_that_hurt
scenario "what is no file at all" no_files_at_all
scenario "a narrow terminal" a_narrow_terminal
scenario "not root: less is told, and nothing fails" not_root_is_no_error
scenario "help and words" help_and_words
finish
