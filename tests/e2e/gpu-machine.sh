# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A machine with GPUs, played in a mount namespace: the driver's files in /proc and /sys, and a look-alike of its management library. Sourced after lib.sh.

LIBRARY=$CACHE/look-alike/libnvidia-ml.so.1
newest_conf() { find "$SOURCE/repo/releases" -name "$1-*.conf" | sort -V | tail -n 1; } # PROFILE
driver_of() { awk '/^\[/ { s = $0 } s == "[Artifact driver]" && sub(/^Version=/, "") { print }' "$1"; }

# machine RELEASE MODULE-VERSION GPUS NVSWITCHES CPU-FLAG COMMAND...: the command on that machine.
machine() {
        local play=$SCRATCH/play
        cat > "$play" <<'PLAY'
set -euo pipefail
release=$1 module=$2 gpus=$3 nvswitches=$4 flag=$5 scratch=$6
shift 6
device() { mkdir -p "/sys/bus/pci/devices/$1" && echo 0x10de > "/sys/bus/pci/devices/$1/vendor" && echo "$2" > "/sys/bus/pci/devices/$1/class"; }
printf 'processor\t: 0\nflags\t\t: fpu %s vme\n' "$flag" > "$scratch/cpuinfo"
for folder in /sys/module /sys/bus/pci/devices /proc/driver /usr/share; do mount -t tmpfs none "$folder"; done
if [ -d /var/lib/gn8v-tee ]; then mount -t tmpfs none /var/lib/gn8v-tee; fi # what was tried on this machine by hand
mount --bind "$scratch/cpuinfo" /proc/cpuinfo
mkdir -p /sys/module/nvidia /usr/share/gn8v-tee /proc/driver/nvidia/gpus
echo "$module" > /sys/module/nvidia/version
cp "$release" /usr/share/gn8v-tee/release.conf
for ((i = 0; i < gpus; i++)); do device "0000:1$i:00.0" 0x030200; mkdir "/proc/driver/nvidia/gpus/0000:1$i:00.0"; done
for ((i = 0; i < nvswitches; i++)); do device "0000:2$i:00.0" 0x068000; done
exec "$@" 2> "$scratch/stderr"
PLAY
        unshare -m bash "$play" "$1" "$2" "$3" "$4" "$5" "$SCRATCH" env GN8V_TEE_ENVIRONMENT=machine LD_LIBRARY_PATH="$SCRATCH/lib" "${@:6}"
}
# The library, told how to behave, for the driver of $RELEASE; by itself it answers as one GPU of a machine that is ready.
library() { # LINE...
        mkdir -p "$SCRATCH/lib" "${LIBRARY%/*}"
        if [ -z "$(find "$LIBRARY" -newer "$SOURCE/tests/vendor/src/nvml.c" 2>/dev/null)" ]; then
                gcc -w -O1 -D_GNU_SOURCE -shared -fPIC -fvisibility=hidden -o "$LIBRARY" "$SOURCE/tests/vendor/src/nvml.c"
        fi
        cp "$LIBRARY" "$SCRATCH/lib/"
        rm -f "$SCRATCH/opened"
        printf '%s\n' "driver=$(driver_of "$RELEASE")" "nvml=12.$(driver_of "$RELEASE")" "log=$SCRATCH/opened" "$@" > "$SCRATCH/lib/libnvidia-ml.conf"
}
can_play() { [ "$(id -u)" = 0 ] && unshare -m true 2> /dev/null; }
