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
# As the administrator of two_sides does it.
order_client() {
        mkdir -p "$ROOT/etc/systemd/system/nobody-knows.service.d"
        printf '[Unit]\nAfter=nvidia-persistenced.service\n' > "$ROOT/etc/systemd/system/nobody-knows.service.d/gpu.conf"
}
# What most scenarios begin with: installed, and off.
installed() {
        a_machine installed all "${EIGHT[@]}"
        order_client
        run_dnf "$ROOT" install gn8v-tee-multi
        umount "$ROOT"/{proc,sys,dev}
        ! mountpoint -q "$ROOT" || umount "$ROOT"
}
prepare base_root workspace sites installed

# again NAME LINE...: another machine as that one.
again() {
        local UNDER=installed name=$1
        shift
        new_root "$name"
        published_repo all
        gpus "$ROOT" "$@"
}
# status CODE NEXT: its exit status, and the one next action.
status() {
        expect "$1" inside gn8v-tee status
        said "^Next: $2"
}
# All is well; whether the clock is synchronised is the host's business.
fine() {
        expect 0 inside gn8v-tee status
        said '^Next: (nothing|systemctl enable --now chronyd)'
        ! grep -E ' (fail|pending|warn)$' "$SCRATCH/output" | grep -v ' clock ' || die "not everything is as wanted"
}
row() { grep -E "$1" "$SCRATCH/output" || die "no such row: $1"; }
is_not_active() { [ "$(inside systemctl is-active "$1" || :)" != active ] || die "$1 is active"; }
before() { [ "$1" -le "$2" ] || die "$3"; } # A B COMPLAINT

in_order() {
        local unit
        is_active nvidia-fabricmanager
        is_active nvidia-persistenced
        before "$(when 'nv-fabricmanager: ready')" "$(when 'nvidia-persistenced: started')" "persistenced began before Fabric Manager was ready"
        before "$(when 'nvidia-persistenced: ready')" "$(when 'nvidia-smi: ready state set')" "the ready state was set too early"
        [[ $(when 'nvidia-persistenced: gpu 0 session made') ]] || die "persistenced was not the first"
        for unit in cloudmonitor docker nobody-knows; do
                is_active $unit
                before "$(when 'nvidia-smi: ready state set')" "$(stamp $unit ExecMainStartTimestampMonotonic)" "$unit began too early"
        done
        before "$(stamp nvidia-fabricmanager ActiveEnterTimestampMonotonic)" "$(stamp nvidia-persistenced InactiveExitTimestampMonotonic)" "systemd says another order"
        ! events | grep 'cannot attach'
}

two_sides() {
        a_machine sides all "${EIGHT[@]}"
        order_client
        boot "$ROOT"
        is_active cloudmonitor
        expect 0 live_dnf "$ROOT" install gn8v-tee-multi
        ! grep -i -E 'scriptlet failed|error:' "$SCRATCH/output" || die "a scriptlet failed"
        [ "$(inside systemctl is-active cloudmonitor || :)" = inactive ] || die "cloudmonitor could open the GPU"
        [ ! -e "$ROOT.machine/run/nvidia-look-alike.d/events" ] || { events; die "something opened a GPU before the reboot"; }
        status 4 reboot
        reboot "$ROOT"
        in_order
        fine
        expect 0 inside gn8v-tee plan
}

slow() {
        again slow gpus=8 switches=4 attach-ms=400 fabric-ms=600
        NO_WAIT=1 boot "$ROOT"
        status 4 wait
        row 'nvidia-persistenced.service running .*pending'
        timeout 60 grep -q 'nvidia-persistenced: gpu 2 session made' <(tail -n +1 -F "$ROOT.machine/run/nvidia-look-alike.d/events" 2>/dev/null)
        status 4 wait
        row ' GPUs  .* [1-7] .*pending$'
        row 'NVML .* not asked: .*activating'
        expect 0 inside timeout 60 gn8v-tee status --wait
        fine
        in_order
}

lost() {
        again lost "${EIGHT[@]}"
        boot "$ROOT"
        in_order
        for unit in docker nobody-knows cloudmonitor; do inside systemctl stop $unit; done
        inside systemctl restart nvidia-persistenced || :
        events | has 'nvidia-persistenced: gpu 7 cannot attach' || die "it was not lost"
        is_not_active nvidia-persistenced
        # Starting it again cannot help, and status must not say so.
        status 3 '.*then reboot'
        inside systemctl start nvidia-persistenced && die "a second session in one boot"
        reboot "$ROOT"
        in_order
        fine
}

mismatch() {
        again mismatch "${EIGHT[@]}" fm-driver=1.2.3 uvm-ms=20
        boot "$ROOT"
        is_not_active nvidia-fabricmanager
        inside journalctl -b --no-pager -u nvidia-fabricmanager | has "version 1.2.3 don't match with driver version" || die "what does the vendor say?"
        inside journalctl -b --no-pager -u nvidia-persistenced | has 'NVLink fabric is not ready' || die "persistenced did not wait for the fabric"
        status 3 '.*nvidia-fabricmanager'
        row 'nvidia-fabricmanager.service running .* failed .* fail$'
}

not_ready() {
        again ready "${EIGHT[@]}" ready=fail
        boot "$ROOT"
        # That it failed must not cost the session.
        is_active nvidia-persistenced
        ! events | grep 'cannot attach' || die "the session is gone"
        status 3 'nvidia-smi conf-compute -srs 1'
        row 'ready state .* not ready .*fail$'
}
taken_away() {
        again away "${EIGHT[@]}"
        boot "$ROOT"
        inside nvidia-smi conf-compute -srs 0
        status 3 'nvidia-smi conf-compute -srs 1'
        inside nvidia-smi conf-compute -srs 1
        fine
}

# The simulated system's verifier, devices and manifests: the verifier's package wants libraries that this root does not have. Its devices answer
# with one nonce for ever, so that it is given in the unit, as are the manifests; the unit is the shipped one for the rest.
verifier() {
        local sim=$ROOT/opt/sim lib
        "$BUILD/tests/attest-sim" --now "$sim"
        install -m755 "$BUILD/tests/gn8v-tee-attest-sim" "$ROOT/usr/bin/gn8v-tee-attest"
        ldd "$ROOT/usr/bin/gn8v-tee-attest" | awk '$3 ~ "^/" { print $3 }' | while read -r lib; do
                [ -e "$ROOT/usr/lib/x86_64-linux-gnu/${lib##*/}" ] || cp -L "$lib" "$ROOT/usr/lib/x86_64-linux-gnu/"
        done
        gcc -w -O1 -D_GNU_SOURCE -shared -fPIC -fvisibility=hidden -o "$sim/nscq" "$SOURCE/tests/vendor/src/nscq.c"
        cp "$sim/nscq" "$(realpath "$ROOT"/usr/lib64/libnvidia-nscq.so.2)"
        echo evidence=/opt/sim/devices > "$ROOT/usr/lib64/libnvidia-nscq.conf"
        install -m644 "$SOURCE/systemd/gn8v-tee-attest.service" "$ROOT/usr/lib/systemd/system/"
        mkdir -p "$ROOT/etc/systemd/system/gn8v-tee-attest.service.d"
        printf '[Service]\nEnvironment=GN8V_SIM_ROOTS=/opt/sim/roots\nExecStart=\nExecStart=/usr/bin/gn8v-tee-attest run --set-ready --offline --rim-dir=/opt/sim/rims --nonce=%s\n' \
                "$(cat "$sim/nonce")" > "$ROOT/etc/systemd/system/gn8v-tee-attest.service.d/sim.conf"
        # The administrator's client that must not even start without.
        printf '[Unit]\nAfter=gn8v-tee-attest.service\nRequires=gn8v-tee-attest.service\n' > "$ROOT/etc/systemd/system/nobody-knows.service.d/gpu.conf"
}
gated() {
        local unit rims=$SCRATCH/roots/gate/opt/sim/rims
        again gate "${EIGHT[@]}" evidence=/opt/sim/devices
        verifier
        expect 0 env GN8V_SIM_ROOTS=/opt/sim/roots chroot "$ROOT" /usr/bin/gn8v-tee-attest gate enable
        NO_WAIT=1 boot "$ROOT"
        expect 0 inside timeout 60 gn8v-tee status --wait
        said ', gn8v-tee-attest (activating|waits|inactive)'
        is_active gn8v-tee-attest
        before "$(when 'nvidia-persistenced: ready')" "$(when 'libnvidia-ml: ready state set')" "the ready state was set before persistenced had the GPUs"
        for unit in docker nobody-knows; do
                is_active $unit
                before "$(when 'libnvidia-ml: ready state set')" "$(stamp $unit ExecMainStartTimestampMonotonic)" "$unit began too early"
        done
        ! events | grep -E 'nvidia-smi: ready state set|cannot attach' || die "somebody else set it"
        fine
        row 'attestation .* trusted, .* 8 GPUs .*4 NVSwitches .* ok$'
        # A genuine manifest, but not that of this driver.
        cp "$rims"/NV_GPU_VBIOS_*.xml "$rims"/NV_GPU_DRIVER_*.xml
        shut "$ROOT"
        NO_WAIT=1 boot "$ROOT"
        expect 3 inside timeout 60 gn8v-tee status --wait
        said 'gave up waiting: gn8v-tee-attest.service failed: exit-code'
        is_active nvidia-persistenced
        is_not_active gn8v-tee-attest
        inside journalctl -b --no-pager -u gn8v-tee-attest | has 'not trusted: GPU-0: driver-rim-version' || die "it does not say why"
        ! events | grep 'ready state set' || die "the GPUs are ready"
        is_not_active docker
        [ "$(stamp nobody-knows ExecMainStartTimestampMonotonic)" = 0 ] || die "the client started"
        status 3 'gn8v-tee attest: it tells what is wrong'
        row 'attestation .* not trusted, .*fail$'
        row 'ready state .* not ready: attestation comes first .*fail$'
        ! grep -e '-srs' "$SCRATCH/output" || die "the gate's way around is told"
}

too_early() {
        again early "${EIGHT[@]}"
        printf '[Unit]\nDefaultDependencies=no\nBefore=nvidia-fabricmanager.service\n[Service]\nType=oneshot\nExecStart=\nExecStart=/usr/bin/nvidia-smi -L\n' > "$ROOT/etc/systemd/system/nobody-knows.service.d/gpu.conf"
        boot "$ROOT"
        events | has 'nvidia-persistenced: gpu . cannot attach' || die "that client did no harm"
        [[ $(when 'nvidia-smi: gpu 0 session made') ]] || die "it was not the first"
        status 3 '.*then reboot'
        order_client
        reboot "$ROOT"
        in_order
        fine
}

upgrade() {
        local unit
        a_machine upgrade older "${EIGHT[@]}"
        order_client
        run_dnf "$ROOT" install gn8v-tee-multi
        boot "$ROOT"
        in_order
        fine
        for unit in nvidia-fabricmanager nvidia-persistenced docker nobody-knows; do stamp $unit MainPID; done > "$SCRATCH/running"
        published_repo all
        expect 0 live_dnf "$ROOT" --refresh upgrade
        for unit in nvidia-fabricmanager nvidia-persistenced docker nobody-knows; do stamp $unit MainPID; done | diff "$SCRATCH/running" -
        ! events | grep -E 'stopped|cannot attach' || die "the session was touched"
        [ "$(cat "$ROOT.machine/run/nvidia-look-alike.d/module/nvidia/version")" = "$(driver_of "$OLD")" ]
        status 4 reboot
        row "driver loaded .* $(driver_of "$NEW") .* $(driver_of "$OLD") .*pending"
        reboot "$ROOT"
        in_order
        [ "$(cat "$ROOT.machine/run/nvidia-look-alike.d/module/nvidia/version")" = "$(driver_of "$NEW")" ]
        fine
}
driver_of() { sed -n '/^\[Artifact driver\]/,/^\[/s/^Version=//p' "$(conf multi "$1")"; }

first_boot() {
        a_machine image all "${EIGHT[@]}"
        order_client
        GN8V_AS='' run_dnf "$ROOT" install gn8v-tee-multi
        [ -e "$ROOT/$STATE/pending" ] || die "nothing is left for the first boot"
        boot "$ROOT"
        inside journalctl --no-pager -u gn8v-tee-apply
        events || :
        [ ! -e "$ROOT/$STATE/pending" ] || die "the first boot left something"
        status 4 reboot
        reboot "$ROOT"
        [ "$(stamp gn8v-tee-apply ConditionResult)" = no ] || die "it ran again"
        in_order
        fine
}

removal() {
        a_machine removal all "${EIGHT[@]}"
        boot "$ROOT"
        is_active cloudmonitor
        shut "$ROOT"
        changes "$ROOT" > "$SCRATCH/before"
        boot "$ROOT"
        live_dnf "$ROOT" install gn8v-tee-multi
        reboot "$ROOT"
        expect 0 live_dnf "$ROOT" remove 'gn8v-tee*' 'nvidia-*' 'libnvidia-*'
        ! grep -i -E 'scriptlet failed|error:' "$SCRATCH/output" || die "a scriptlet failed"
        is_active cloudmonitor
        reboot "$ROOT"
        is_active cloudmonitor
        [ "$(inside systemctl is-enabled nvidia-persistenced 2>&1 || :)" != enabled ]
        ! inside test -e /usr/bin/gn8v-tee
        [[ $(cat "$ROOT.machine/run/fakes/proc/cmdline") != *"$(argument multi "$NEW")"* ]]
        shut "$ROOT"
        nothing_left "$SCRATCH/before"
}

scenario "install on a running machine, reboot, all in order" two_sides
scenario "waiting while 8 GPUs attach slowly" slow
scenario "the session is lost when persistenced restarts" lost
scenario "FabricManager of another driver" mismatch
scenario "the ready state cannot be set" not_ready
scenario "the ready state was taken away" taken_away
scenario "attestation gates the GPUs" gated
scenario "a client opens the GPUs too early" too_early
scenario "an upgrade touches no running session" upgrade
scenario "first boot of an image" first_boot
scenario "removal leaves everything as before" removal
finish
