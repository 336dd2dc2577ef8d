#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# diagnose and order as an operator uses them: a look-alike journalctl (where no systemd runs), saved logs, an archive with planted secrets,
# units of a scratch root.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

RULES=$SOURCE/src/node/diagnoses.conf
MULTI=$(ls "$SOURCE"/repo/releases/multi-*.conf | sort -V | tail -n 1)
LKCA='NVRM: libspdm_check_crypto_backend: Error - libspdm expects LKCA but found stubs!'
BIN=$SCRATCH/bin
mkdir -p "$BIN"

# journalctl BODY: stands in for journalctl; its arguments go to $SCRATCH/asked.
journalctl() {
        printf '#!/bin/bash\nif [[ "$*" == *--grep=* ]]; then cat %q; exit; fi\nprintf "%%s\\n" "$@" > %q\n%s\n' "$SCRATCH/others" "$SCRATCH/asked" "$1" \
                > "$BIN/journalctl"
        : > "$SCRATCH/others"
        chmod 755 "$BIN/journalctl"
}
entry() { # IDENTIFIER MESSAGE [KEY VALUE...]: one line of journalctl -o json
        python3 - "$@" <<'PY'
import json, sys
who, what, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
o = {"__REALTIME_TIMESTAMP": "1763770733000000", "MESSAGE": what, "SYSLOG_IDENTIFIER": who, "_TRANSPORT": "kernel" if who == "kernel" else "journal"}
o.update(zip(rest[::2], rest[1::2]))
print(json.dumps(o))
PY
}
diagnose() { PATH=$BIN:$PATH "$NODE" diagnose --rules "$RULES" "$@"; }

reads_the_journal() {
        {
                entry kernel "$LKCA"
                entry kernel 'NVRM: SPDM: Session establishment failed!'
                entry systemd "nvidia-persistenced.service: Failed with result 'timeout'." UNIT nvidia-persistenced.service
        } > "$SCRATCH/journal"
        journalctl "cat '$SCRATCH/journal'"
        expect 3 diagnose
        said '^1\. the driver was built without'
        said 'following from that: no encrypted session'
        said '^2\. the services were given too little time'
        [ "$(grep -c ^Next: "$SCRATCH/output")" = 1 ]
        said '2025-11-22T00:18:53Z kernel: NVRM'
        # Only what can matter is asked for, of this boot.
        grep -qx -e --boot "$SCRATCH/asked"
        grep -qx _TRANSPORT=kernel "$SCRATCH/asked"
        grep -qx UNIT=nvidia-persistenced.service "$SCRATCH/asked"
        diagnose --json > "$SCRATCH/json" || [ $? = 3 ]
        python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
f = {x["id"]: x for x in d["findings"]}
assert f["spdm-failed"]["explained_by"] == "lkca-stubs" and f["lkca-stubs"]["count"] == 1 and d["next"] == f["lkca-stubs"]["next"], d' "$SCRATCH/json"
        # Other programs are searched for what any program may say; what was read already does not count twice.
        { cat "$SCRATCH/journal"; entry training 'CUDA error 802' _SYSTEMD_UNIT user-1.slice; } > "$SCRATCH/others"
        diagnose --json > "$SCRATCH/json" || [ $? = 3 ]
        python3 -c 'import json, sys
f = {x["id"]: x["count"] for x in json.load(open(sys.argv[1]))["findings"]}
assert f == {"lkca-stubs": 1, "spdm-failed": 1, "persistenced-timeout": 1, "not-ready": 1}, f' "$SCRATCH/json"
        expect 3 diagnose --quiet
        ! grep -E "^(Next|[0-9]\.)" "$SCRATCH/output"
}
finds_nothing() {
        journalctl "$(printf 'cat <<X\n%s\nX' "$(entry kernel 'Linux version')")"
        expect 0 diagnose
        said 'No known failure'
        said 'Next: nothing'
}
one_entry_more() {
        cp "$RULES" "$SCRATCH/rules"
        printf '\n[Diagnosis my-own]\nSummary=mine\nSeverity=error\nRank=1\nWhere=my.service\nMatch=the flux is ([0-9]+) too high\nVariables=flux\nMeaning=m\nCause=c\nNext=lower it by {flux}\n' \
                >> "$SCRATCH/rules"
        entry my 'the flux is 7 too high' _SYSTEMD_UNIT my.service > "$SCRATCH/journal"
        journalctl "cat '$SCRATCH/journal'"
        PATH=$BIN:$PATH expect 3 "$NODE" diagnose --rules "$SCRATCH/rules"
        said 'Next: lower it by 7'
        grep -qx _SYSTEMD_UNIT=my.service "$SCRATCH/asked"
        echo 'Frob=1' >> "$SCRATCH/rules"
        PATH=$BIN:$PATH expect 6 "$NODE" diagnose --rules "$SCRATCH/rules"
        said "rules:$(wc -l < "$SCRATCH/rules"): "
        expect 1 "$NODE" diagnose --rules "$SCRATCH/none"
}
hanging_journalctl() {
        local started=$SECONDS
        journalctl "printf '%s\n' '$(entry kernel "${LKCA/\'/}")'; exec sleep 60"
        expect 3 diagnose --timeout 1
        said 'came to no end within 1 seconds'
        said 'built without'
        journalctl 'exec sleep 60'
        expect 11 diagnose --timeout=1
        journalctl 'echo "Failed to open the journal: broken" >&2; exit 1'
        expect 11 diagnose
        said 'Failed to open the journal: broken'
        [ $((SECONDS - started)) -lt 10 ] || die "took $((SECONDS - started)) s"
}
huge_log() {
        local started=$SECONDS
        { entry kernel 'usb 1-1: new high-speed USB device'; } > "$SCRATCH/one"
        for _ in $(seq 12); do cat "$SCRATCH/one" "$SCRATCH/one" > "$SCRATCH/two"; mv "$SCRATCH/two" "$SCRATCH/one"; done
        journalctl "for i in \$(seq 400); do cat '$SCRATCH/one'; done; printf '%s\n' '$(entry kernel "$LKCA")'"
        limit_memory 60000
        expect 3 diagnose --timeout 60
        said '1638401 lines'
        [ $((SECONDS - started)) -lt 30 ] || die "took $((SECONDS - started)) s"
}
# Files without an end: what was read until the time is over counts.
endless_files() {
        local started
        { yes "$LKCA" || :; } | head -c 1500000000 | gzip -1 > "$SCRATCH/endless.gz"
        started=$SECONDS
        expect 3 diagnose --timeout 1 --file "$SCRATCH/endless.gz"
        said 'not at its end after 1 seconds'
        [ $((SECONDS - started)) -lt 5 ] || die "took $((SECONDS - started)) s"
        rm "$SCRATCH/endless.gz"
        mkfifo "$SCRATCH/pipe"
        expect 6 timeout 10 "$NODE" diagnose --rules "$SCRATCH/pipe"
}
# The real journald and journalctl, on a /run of their own: also what is not asked for, and the kernel's own lines of this machine.
real_journal() {
        local journald=/lib/systemd/systemd-journald
        [ -x $journald ] && [ -s /etc/machine-id ] || skip_scenario "no journald"
        unshare -m true 2> /dev/null || skip_scenario "no mount namespaces"
        cat > "$SCRATCH/inside" <<'SH'
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
"$1" & journald=$!
trap 'kill $journald' EXIT
python3 - <<'PY'
import os, socket, subprocess, time
for _ in range(100):
    if os.path.exists("/run/systemd/journal/socket"): break
    time.sleep(0.05)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
send = lambda who, what: s.sendto(b"MESSAGE=" + what + b"\nSYSLOG_IDENTIFIER=" + who + b"\n", "/run/systemd/journal/socket")
send(b"nvidia-persistenced", b"Unable to find any NVIDIA devices")
send(b"training", b"cudaErrorSystemNotReady")
send(b"somebody", b"fabric manager don't have access permissions to directory /x")
s.sendto(b"SYSLOG_IDENTIFIER=nv-fabricmanager\nMESSAGE\n" + (14).to_bytes(8, "little") + b"\xff\x1b not UTF-8 \x00\n", "/run/systemd/journal/socket")
send(b"last", b"the end")
for _ in range(100):
    if b"the end" in subprocess.run(["journalctl", "-o", "cat", "-t", "last"], capture_output=True).stdout: break
    time.sleep(0.05)
PY
rc=0
"$2" diagnose --rules "$3" --json || rc=$?
exit $rc
SH
        unshare -m bash "$SCRATCH/inside" $journald "$NODE" "$RULES" > "$SCRATCH/json" 2> "$SCRATCH/err" || [ $? = 3 ] || { cat "$SCRATCH/err"; die "failed"; }
        python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
f = {x["id"]: x for x in d["findings"]}
assert "persistenced-no-device" in f and f["not-ready"]["count"] == 1 and "fm-directory" not in f and d["sources"][0]["name"] == "journal" and d["sources"][0]["complete"], d' "$SCRATCH/json"
}
saved_logs() {
        local f=$SCRATCH/saved
        rm -f "$BIN/journalctl"
        printf 'Nov 22 00:18:53 h kernel: %s\n' "$LKCA" > "$f"
        expect 3 diagnose --file "$f"
        gzip -c "$f" > "$f.gz"
        expect 3 diagnose --file "$f.gz"
        tar -C "$SCRATCH" -czf "$f.tgz" saved
        expect 3 diagnose --file "$f.tgz"
        expect 3 diagnose --file - < "$f"
        printf '[   12.5] %s\n' "$LKCA" > "$f.dmesg"
        expect 3 diagnose --file "$f.dmesg"
        head -c 40 "$f.gz" > "$f.cut"
        expect 6 diagnose --file "$f.cut"
        expect 1 diagnose --file "$SCRATCH/none"
        expect 1 diagnose --file "$SCRATCH"
        mkfifo "$f.fifo"
        expect 1 diagnose --file "$f.fifo"
        head -c 2000000 /dev/urandom > "$f.noise"
        expect 0 diagnose --file "$f.noise"
        # Nothing of a log steers the terminal.
        printf 'Nov 22 00:18:53 h kernel: %s \033]0;x\007\n' "$LKCA" > "$f"
        expect 3 diagnose --file "$f"
        ! grep -q $'\033' "$SCRATCH/output" || die "an escape sequence went through"
}
without_a_journal() {
        local r=$SCRATCH/syslog
        mkdir -p "$r/var/log" "$r/proc"
        # The boot before has the failure; this one has not.
        { echo "Nov 21 00:00:00 h kernel: $LKCA"; echo 'Nov 22 00:00:00 h kernel: Linux version 1.2.3'; echo 'Nov 22 00:00:01 h kernel: fine'; } > "$r/var/log/messages"
        expect 0 diagnose --root "$r"
        said '/var/log/messages \(3 lines\)'
        echo "Nov 22 00:00:02 h kernel: $LKCA" >> "$r/var/log/messages"
        expect 3 diagnose --root "$r"
        # FabricManager's own log, of this boot only.
        : > "$r/var/log/messages"
        echo "[Nov 22 2026 00:18:53] [ERROR] [tid 9] fabric manager don't have access permissions to directory /run/x" > "$r/var/log/fabricmanager.log"
        expect 3 diagnose --root "$r"
        said 'fm-directory'
        printf 'cpu 1\nbtime %s\n' "$(($(date +%s) + 100))" > "$r/proc/stat"
        expect 11 diagnose --root "$r"
        said 'give --file'
        mkdir "$SCRATCH/empty"
        chmod 755 "$SCRATCH"
        cp "$RULES" "$SCRATCH/rules.public"
        rc=0
        setpriv --reuid=65534 --regid=65534 --clear-groups env PATH="$SCRATCH/empty" "$NODE" diagnose --rules "$SCRATCH/rules.public" > "$SCRATCH/output" 2>&1 || rc=$?
        cat "$SCRATCH/output"
        case $rc in 0 | 3) ;; 11) said 'run as root|give --file' ;; *) die "exit status $rc" ;; esac
}

# A machine full of secrets: none of these words may be in the archive.
planted_root() {
        local r=$1
        mkdir -p "$r"/{proc/driver/nvidia/gpus/0000:01:00.0,etc/systemd/system/nvidia-persistenced.service.d,etc/modprobe.d,etc/docker,boot/loader/entries,var/log}
        mkdir -p "$r/usr/share/gn8v-tee" "$r/sys/bus/pci/devices/0000:01:00.0"
        cp "$MULTI" "$r/usr/share/gn8v-tee/release.conf"
        echo 00000000PLANTED0machine0id000001 > "$r/etc/machine-id"
        echo plantedhost > "$r/etc/hostname"
        echo 'ro luks.key=PLANTED1 registry=http://u:PLANTED2@h/ ip=10.11.12.13 quiet' > "$r/proc/cmdline"
        printf 'title x\noptions ro token=PLANTED3\n' > "$r/boot/loader/entries/00000000PLANTED0machine0id000001-1.conf"
        printf '[Service]\nEnvironment=HF=PLANTED4 "B=PLANTED5 PLANTED6" CUDA_VISIBLE_DEVICES=0\nExecStart=/bin/x --password PLANTED7\n' \
                > "$r/etc/systemd/system/nvidia-persistenced.service.d/x.conf"
        echo 'options x secret=PLANTED8' > "$r/etc/modprobe.d/x.conf"
        echo '{"auths": {"r": {"auth": "PLANTED9"}}, "runtimes": {}}' > "$r/etc/docker/daemon.json"
        printf 'Model: H\nGPU UUID: GPU-12345678-aaaa-bbbb-cccc-1234PLANTEDA\nSerial Number: PLANTEDB\n' > "$r/proc/driver/nvidia/gpus/0000:01:00.0/information"
        sed -i s/1234PLANTEDA/123456789abc/ "$r/proc/driver/nvidia/gpus/0000:01:00.0/information"
        printf 0x10de > "$r/sys/bus/pci/devices/0000:01:00.0/vendor"
        {
                echo "Nov 22 00:00:02 plantedhost kernel: $LKCA"
                echo 'Nov 22 00:00:03 plantedhost kernel: driver line of NVRM from 10.11.12.14 Authorization: Bearer PLANTEDC'
                echo 'Nov 22 00:00:03 plantedhost nvidia-persistenced[3]: -----BEGIN PRIVATE KEY-----'
                echo 'Nov 22 00:00:03 plantedhost secretapp[1]: a line of somebody else PLANTEDD'
                echo 'Nov 22 00:00:03 plantedhost train[1]: CUDA error 802 LTAI5tPLANTEDEabcdefgh'
        } > "$r/var/log/messages"
        ln -s /etc/shadow "$r/etc/modprobe.d/planted.conf"
        mkdir -p "$r/etc/systemd/system/nvidia-x.service"
}
archive() {
        local r=$SCRATCH/planted a=$SCRATCH/support.tar.gz t=gn8v-tee-support
        planted_root "$r"
        expect 3 diagnose --root "$r" --bundle "$a"
        said 'written'
        [ "$(stat -c %a "$a")" = 600 ]
        mkdir "$SCRATCH/out"
        tar -C "$SCRATCH/out" -xzf "$a"
        ! grep -rE 'PLANTED|plantedhost|10\.11\.12|12345678-aaaa' "$SCRATCH/out" || die "a secret is in it"
        ! find "$SCRATCH/out" | grep PLANTED
        grep -q 'libspdm expects LKCA' "$SCRATCH/out/$t/logs/driver.log"
        grep -q 'CUDA_VISIBLE_DEVICES=0' "$SCRATCH/out/$t/files/etc/systemd/system/nvidia-persistenced.service.d/x.conf"
        cmp "$MULTI" "$SCRATCH/out/$t/files/usr/share/gn8v-tee/release.conf"
        grep -q 0000:01:00.0 "$SCRATCH/out/$t/pci.txt"
        for f in status plan order diagnose; do python3 -m json.tool "$SCRATCH/out/$t/$f.json" > /dev/null; done
        # The list says what is in it, and the archive is read like any log.
        (cd "$SCRATCH/out/$t" && find . -type f ! -name MANIFEST -printf '%P %s\n' | sort) > "$SCRATCH/have"
        awk '$1 ~ /^[0-9]+$/ { print $2, $1 }' "$SCRATCH/out/$t/MANIFEST" | sort | diff - "$SCRATCH/have"
        expect 3 diagnose --file "$a"
        said lkca-stubs
        # Never over something else, and never through a link.
        expect 1 diagnose --root "$r" --bundle "$a"
        said 'not overwritten'
        ln -s "$SCRATCH/victim" "$SCRATCH/link"
        expect 1 diagnose --root "$r" --bundle "$SCRATCH/link"
        [ ! -e "$SCRATCH/victim" ]
        expect 1 diagnose --root "$r" --bundle "$SCRATCH/none/x"
        mkdir "$SCRATCH/nogzip"
        expect 1 env PATH="$SCRATCH/nogzip" "$NODE" diagnose --rules "$RULES" --root "$r" --bundle "$SCRATCH/second"
        [ ! -e "$SCRATCH/second" ]
        ! find "$SCRATCH" -maxdepth 1 -name '.*.tmp' | grep .
        expect 3 diagnose --root "$r" --bundle "$SCRATCH/full" --full
        tar -xzOf "$SCRATCH/full" | grep -a 10.11.12.13
        ! tar -xzOf "$SCRATCH/full" | grep -aE 'PLANTED[1-9C]' || die "a secret is in the full one"
}

ordering() {
        local r=$SCRATCH/units lib=$SCRATCH/units/usr/lib/systemd/system
        order() { "$NODE" --root "$r" order "$@"; }
        mkdir -p "$lib" "$r/etc/systemd/system/multi-user.target.wants" "$r/etc/systemd/system/mine.service.d" "$r/usr/share/gn8v-tee"
        cp "$MULTI" "$r/usr/share/gn8v-tee/release.conf"
        for u in nvidia-persistenced my mine tick; do printf '[Service]\nExecStart=/usr/bin/nvidia-smi\n[Install]\nWantedBy=multi-user.target\n' > "$lib/$u.service"; done
        printf '[Timer]\nOnBootSec=1\n' > "$lib/tick.timer"
        for u in my.service mine.service tick.timer nvidia-persistenced.service; do ln -s "/usr/lib/systemd/system/$u" "$r/etc/systemd/system/multi-user.target.wants/"; done
        echo '# the user'"'"'s' > "$r/etc/systemd/system/mine.service.d/50-gn8v-tee-order.conf"
        (cd "$r/etc" && find . -printf '%p %l\n' | sort; cat "$r"/etc/systemd/system/*/*.conf) > "$SCRATCH/before"
        expect 3 order list
        said '^Next: gn8v-tee order add mine.service my.service tick.service$'
        expect 0 order add my tick.timer new@.service
        said 'does not exist \(yet\)'
        grep -qx After=nvidia-persistenced.service "$r/etc/systemd/system/my.service.d/50-gn8v-tee-order.conf"
        grep -qx After=gn8v-tee-attest.service "$r/etc/systemd/system/my.service.d/50-gn8v-tee-order.conf"
        [ -e "$r/etc/systemd/system/tick.service.d/50-gn8v-tee-order.conf" ]
        [ ! -e "$r/etc/systemd/system/tick.timer.d" ]
        find "$r/etc" "$r/var" -printf '%p %i %T@\n' | sort > "$SCRATCH/one"
        expect 0 order add my.service
        find "$r/etc" "$r/var" -printf '%p %i %T@\n' | sort | diff "$SCRATCH/one" -
        "$NODE" --root "$r" plan --json > "$SCRATCH/json" || [ $? = 3 ]
        python3 -c 'import json, sys
a = {x["id"]: x["action"] for x in json.load(open(sys.argv[1]))["resources"]}
assert a["order:my.service"] == "none" and a["order:new@.service"] == "none", a' "$SCRATCH/json"
        expect 3 order add mine
        said 'kept'
        # All names are right, or nothing is done.
        expect 2 order add other ../x
        expect 1 order add other basic.target
        said 'loop'
        expect 2 order add
        expect 2 order frob x
        expect 2 order list x
        [ ! -e "$r/etc/systemd/system/other.service.d" ]
        order list --json > "$SCRATCH/json" || [ $? = 3 ]
        python3 -c 'import json, sys
u = {x["unit"]: x for x in json.load(open(sys.argv[1]))["units"]}
assert u["my.service"]["by"] == "gn8v-tee order" and not u["mine.service"]["ordered"] and "nvidia-persistenced.service" not in u, u' "$SCRATCH/json"
        expect 9 flock "$r/var/lib/gn8v-tee/lock" "$NODE" --root "$r" order remove my
        expect 0 order remove tick.timer
        [ ! -e "$r/etc/systemd/system/tick.service.d" ]
        # Removing the package takes back the rest.
        expect 0 "$NODE" --root "$r" revert --package gn8v-tee-multi
        (cd "$r/etc" && find . -printf '%p %l\n' | sort; cat "$r"/etc/systemd/system/*/*.conf) | diff "$SCRATCH/before" -
        [ ! -e "$r/var/lib/gn8v-tee/journal.json" ]
}

scenario "the journal: the cause first, one next action" reads_the_journal
scenario "nothing found is said" finds_nothing
scenario "one more entry is one more diagnosis" one_entry_more
scenario "journalctl hangs or fails" hanging_journalctl
scenario "a huge log, in little memory" huge_log
scenario "files without an end" endless_files
scenario "the real journald" real_journal
scenario "saved logs of every kind" saved_logs
scenario "no journal: syslog, the kernel's buffer, logs of services" without_a_journal
scenario "an archive without secrets, whole or not at all" archive
scenario "order add, list, remove, revert" ordering
finish
