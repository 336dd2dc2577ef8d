#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# On a systemd that really boots: installed on the running machine, rebooted, and asked on both sides; and what goes wrong on such machines.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/root.sh
. "$here/root.sh"
# shellcheck source=tests/e2e/repo.sh
. "$here/repo.sh"
# shellcheck source=tests/e2e/boot.sh
. "$here/boot.sh"

STATE=var/lib/gn8v-tee
MULTI=$(conf multi "$NEW")
EIGHT=(gpus=8 switches=4 attach-ms=20 fabric-ms=50)

if ! can_boot; then
        skip "$SUITE" "$WHY_NOT"
        exit 0
fi

sites() {
        mkdir -p "$SITE"
        chmod 755 "$SCRATCH"
        serve "$SITE"
        publish_to "$SITE/all"
        publish_to "$SITE/older" "multi-$OLD" "single-$SINGLE"
}
prepare base_root workspace sites

# a_machine NAME SITE LINE...: a root with that hardware and two clients of the administrator, before anything of ours.
a_machine() {
        local name=$1 site=$2 unit
        shift 2
        a_root "$name" "$site" with-headers
        gpus "$ROOT" "$@"
        for unit in docker nobody-knows; do
                printf '[Unit]\nDescription=%s look-alike\n[Service]\nExecStart=/bin/sh -c "nvidia-smi -L && nvidia-smi conf-compute -grs | grep -q \\": ready\\" || exit 1; exec sleep infinity"\n[Install]\nWantedBy=multi-user.target\n' $unit > "$ROOT/etc/systemd/system/$unit.service"
                ln -s "/etc/systemd/system/$unit.service" "$ROOT/etc/systemd/system/multi-user.target.wants/$unit.service"
        done
}
# status CODE NEXT: its exit status, and the one next action.
status() {
        expect "$1" inside gn8v-tee status
        said "^Next: $2"
}

two_sides() {
        a_machine sides all "${EIGHT[@]}"
        boot "$ROOT"
        is_active cloudmonitor
        expect 0 live_dnf "$ROOT" install gn8v-tee-multi
        ! grep -i -E 'scriptlet failed|error:' "$SCRATCH/output" || die "a scriptlet failed"
        [ "$(inside systemctl is-active cloudmonitor || :)" = inactive ] || die "cloudmonitor could open the GPU"
        status 4 reboot
        reboot "$ROOT"
        events
        status 0 nothing
}

scenario "install on a running machine, reboot, all in order" two_sides
finish
