#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Evidence from look-alikes of NVIDIA's libraries, the verdict on it, and the ready state.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
ATTEST=$BUILD/tests/gn8v-tee-attest-sim SIM=$SCRATCH/sim LIB=$SCRATCH/lib WHEN=2025-06-15T15:06:40Z
export GN8V_SIM_ROOTS=$SIM/roots LD_LIBRARY_PATH=$LIB

simulate() {
        "$BUILD/tests/attest-sim" "$SIM"
        mkdir "$LIB"
        gcc -w -O1 -D_GNU_SOURCE -shared -fPIC -fvisibility=hidden -o "$LIB/libnvidia-ml.so.1" "$SOURCE/tests/vendor/src/nvml.c"
        gcc -w -O1 -D_GNU_SOURCE -shared -fPIC -fvisibility=hidden -o "$LIB/libnvidia-nscq.so.2" "$SOURCE/tests/vendor/src/nscq.c"
}
gpus() { # LINE...: of libnvidia-ml.conf
        printf '%s\n' gpus=8 feature=0 multi=1 "evidence=$SIM/devices" "ready-file=$SCRATCH/ready" "$@" > "$LIB/libnvidia-ml.conf"
        rm -f "$SCRATCH/ready"
}
switches() { printf '%s\n' "evidence=$SIM/devices" "$@" > "$LIB/libnvidia-nscq.conf"; }
collect() { # STATUS OPTION...
        local wanted=$1
        shift
        expect "$wanted" "$ATTEST" collect "$@"
}
# The devices answer with the simulation's nonce, whatever they are asked with: a fresh one makes their reports old ones.
run() { # STATUS OPTION...
        local wanted=$1
        shift
        expect "$wanted" "$ATTEST" run --save "$SCRATCH/state.json" --at "$WHEN" --rim-dir "$SIM/rims" --offline --nonce "$(cat "$SIM/nonce")" "$@"
}
run_now() { # STATUS OPTION...: with a simulation of today, as --set-ready wants it
        local wanted=$1
        shift
        expect "$wanted" "$ATTEST" run --save "$SCRATCH/state.json" --rim-dir "$SIM/rims" --offline --nonce "$(cat "$SIM/nonce")" "$@"
}

collected() {
        gpus; switches
        collect 0 --nonce "$(cat "$SIM/nonce")" --output "$SCRATCH/all.json"
        said 'evidence of 8 GPUs and 4 NVSwitches'
        expect 0 "$ATTEST" verify --at "$WHEN" --rim-dir "$SIM/rims" --nonce "$(cat "$SIM/nonce")" --gpus 8 --switches 4 "$SCRATCH/all.json"
        mkdir "$SCRATCH/both"
        collect 0 --nonce "$(cat "$SIM/nonce")" --output "$SCRATCH/both"
        expect 0 "$ATTEST" verify --at "$WHEN" --rim-dir "$SIM/rims" --gpus 8 --switches 4 "$SCRATCH"/both/*.json
        # The keys of NVIDIA's own evidence files.
        python3 - "$SCRATCH/both" <<'PYTHON'
import json, sys
# In their very layout, too.
for kind in "gpu", "switch":
    text = open("%s/%s_evidence.json" % (sys.argv[1], kind)).read()
    assert text.rstrip("\n") == json.dumps(json.loads(text), indent=4, sort_keys=True)
gpu, switch = (json.load(open("%s/%s_evidence.json" % (sys.argv[1], kind)))[0] for kind in ("gpu", "switch"))
assert sorted(gpu) == ["arch", "certificate", "driver_version", "evidence", "nonce", "vbios_version", "version"], sorted(gpu)
assert sorted(switch) == ["arch", "certificate", "evidence", "nonce", "version"], sorted(switch)
assert gpu["arch"] == "HOPPER" and switch["arch"] == "LS10"
PYTHON
        # Two nonces of their own.
        collect 0 --device gpu --output "$SCRATCH/one.json"
        collect 0 --device gpu --output "$SCRATCH/two.json"
        [ "$(grep -m1 '"nonce"' "$SCRATCH/one.json")" != "$(grep -m1 '"nonce"' "$SCRATCH/two.json")" ]
        expect 5 "$ATTEST" verify --at "$WHEN" --rim-dir "$SIM/rims" "$SCRATCH/one.json"
}

# As on a machine whose GPU is not in confidential computing mode.
off() {
        gpus feature=0 multi=0; switches
        sed -i 's/^gpus=8/gpus=1/; /^multi=1/d' "$LIB/libnvidia-ml.conf"
        collect 11
        said 'confidential computing is off on this machine'
        said 'nvmlDeviceGetConfComputeGpuCertificate: Unknown Error .999.'
        run 11
        said 'confidential computing is off on this machine'
        [ ! -e "$SCRATCH/ready" ]
}

failures() {
        switches
        for line in nvmlInit=9 nvmlDeviceGetConfComputeGpuAttestationReport=999 garbage=nvmlDeviceGetConfComputeGpuCertificate \
                garbage=nvmlDeviceGetConfComputeGpuAttestationReport crash=nvmlDeviceGetConfComputeGpuAttestationReport exit=nvmlInit nvmlDeviceGetCount=3; do
                gpus "$line"
                collect 11
                if grep -q Sanitizer "$SCRATCH/output"; then die "a sanitizer spoke"; fi
        done
        gpus print=nvmlInit
        collect 0 --output "$SCRATCH/quiet.json"
        gpus
        for line in create=-7 observe=-8 crash=1 switches=0; do
                switches "$line"
                collect 11
        done
        mv "$LIB/libnvidia-nscq.so.2" "$LIB/away"
        collect 11
        said 'libnvidia-nscq.so. cannot be loaded'
        mv "$LIB/away" "$LIB/libnvidia-nscq.so.2"
        mv "$LIB/libnvidia-ml.so.1" "$LIB/away"
        collect 11
        said 'libnvidia-ml.so.1. cannot be loaded'
        mv "$LIB/away" "$LIB/libnvidia-ml.so.1"
        collect 2 --nonce 12
        collect 2 --device nic
        collect 2 word
}

verdicts() {
        gpus; switches
        run 0 --gpus 8 --switches 4 --mode protected-pcie
        said 'trusted: 12 of 12 devices'
        python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["result"] == "trusted" and d["gpus"] == 8 and d["switches"] == 4 and len(d["devices"]) == 12 and not d["ready_set"] and d["boot_id"] == open("/proc/sys/kernel/random/boot_id").read().strip() and all(v["uuid"] for v in d["devices"]), d' "$SCRATCH/state.json"
        [ ! -e "$SCRATCH/ready" ]
        # A fresh nonce: these reports are old ones.
        expect 5 "$ATTEST" run --save "$SCRATCH/state.json" --at "$WHEN" --rim-dir "$SIM/rims" --offline
        said 'nonce: the report answers another request'
        grep -q '"result": "not trusted"' "$SCRATCH/state.json"
        gpus devtools=1
        run 5 --token "$SCRATCH/token"
        said 'devtools mode is on'
        ! grep -q '[^t] trusted' "$SCRATCH/output" || die "trusted is said of it"
        [ ! -e "$SCRATCH/token" ]
        gpus environment=1
        run 5
        gpus; switches mode=1
        run 5
        said 'not in locked trusted mode'
        switches
        run 5 --gpus 1
        run 2 --set-ready
}

# Only success makes the GPUs ready.
ready() {
        "$BUILD/tests/attest-sim" --now "$SIM"
        gpus; switches
        run_now 5 --set-ready --gpus 7
        run_now 11 --set-ready --ocsp cache --config /dev/null
        expect 5 "$ATTEST" run --save "$SCRATCH/state.json" --rim-dir "$SIM/rims" --offline --set-ready
        [ ! -e "$SCRATCH/ready" ]
        run_now 0 --set-ready --gpus 8
        [ "$(cat "$SCRATCH/ready")" = 1 ]
        grep -q '"ready_set": true' "$SCRATCH/state.json"
        gpus nvmlSystemSetConfComputeGpusReadyState=4
        run_now 1 --set-ready
        said 'ready state cannot be set: nvmlSystemSetConfComputeGpusReadyState: Insufficient Permissions'
}

# Drop-ins and systemctl's words; on a root of our own for what is written.
gate() {
        local release verb
        unshare -m true || skip_scenario "no mount namespaces"
        release=$(ls "$SOURCE"/repo/releases/multi-*.conf | head -n 1)
        mkdir -p "$SCRATCH/bin" "$SCRATCH/units"
        printf '#!/bin/sh\necho "$*" >> %s/systemctl\n[ ! -e %s/fails ]\n' "$SCRATCH" "$SCRATCH" > "$SCRATCH/bin/systemctl"
        chmod +x "$SCRATCH/bin/systemctl"
        cat > "$SCRATCH/gate" <<GATE
set -e
mount -t tmpfs none /usr/share
mkdir -p /usr/share/gn8v-tee /etc/systemd/system
[ "\$1" = nothing ] || cp "$release" /usr/share/gn8v-tee/release.conf
mount --bind "$SCRATCH/units" /etc/systemd/system
mkdir -p /run/systemd
mount -t tmpfs none /run/systemd
[ -e "$SCRATCH/unbooted" ] || mkdir /run/systemd/system
shift
PATH=$SCRATCH/bin:\$PATH exec "$ATTEST" gate "\$@"
GATE
        expect 0 unshare -m bash "$SCRATCH/gate" release enable
        grep -qx 'ExecStartPost=' "$SCRATCH/units/nvidia-persistenced.service.d/90-gn8v-tee-attest.conf"
        [ "$(cat "$SCRATCH/systemctl")" = $'enable gn8v-tee-attest.service\ndaemon-reload' ]
        expect 0 unshare -m bash "$SCRATCH/gate" release disable
        [ -z "$(find "$SCRATCH/units" -name '*.conf')" ]
        # Where systemd does not run, as in a chroot, there is nobody to be told; nor is there below another root.
        touch "$SCRATCH/unbooted"
        mkdir -p "$SCRATCH/image/usr/share/gn8v-tee"
        cp "$release" "$SCRATCH/image/usr/share/gn8v-tee/release.conf"
        for verb in enable disable; do
                : > "$SCRATCH/systemctl"
                expect 0 unshare -m bash "$SCRATCH/gate" release $verb
                expect 0 unshare -m bash "$SCRATCH/gate" nothing --root="$SCRATCH/image" $verb
                [ "$(cat "$SCRATCH/systemctl")" = "$verb gn8v-tee-attest.service"$'\n'"$verb gn8v-tee-attest.service --root=$SCRATCH/image" ]
                find "$SCRATCH/units" "$SCRATCH/image/etc" -name 90-gn8v-tee-attest.conf >> "$SCRATCH/found"
        done
        [ "$(wc -l < "$SCRATCH/found")" = 2 ]
        rm "$SCRATCH/unbooted"
        # And a drop-in that cannot be written, nothing enabled. The root may be named in a roundabout way.
        touch "$SCRATCH/image/etc/systemd/system/nvidia-persistenced.service.d"
        : > "$SCRATCH/systemctl"
        expect 1 unshare -m bash "$SCRATCH/gate" nothing --root="$SCRATCH/image/../image" enable
        [ "$(cat "$SCRATCH/systemctl")" = "enable gn8v-tee-attest.service --root=$SCRATCH/image"$'\n'"disable gn8v-tee-attest.service --root=$SCRATCH/image" ]
        # A unit that cannot be enabled leaves persistenced as it was.
        touch "$SCRATCH/fails"
        expect 1 unshare -m bash "$SCRATCH/gate" release enable
        [ ! -e "$SCRATCH/units/nvidia-persistenced.service.d/90-gn8v-tee-attest.conf" ]
        expect 1 unshare -m bash "$SCRATCH/gate" nothing enable
        expect 2 "$ATTEST" gate
        expect 2 "$ATTEST" gate maybe
}

[ -x "$ATTEST" ] || { skip "$SUITE" "not built"; exit 0; }
prepare simulate
scenario collected collected
scenario off off
scenario failures failures
scenario verdicts verdicts
scenario ready ready
scenario gate gate
finish
