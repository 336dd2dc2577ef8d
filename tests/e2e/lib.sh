# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every end-to-end script sources, after "set -euo pipefail". Scripts print TAP-like lines on standard output:
#   ok - NAME, not ok - NAME, ok - NAME # skip REASON; a scenario's own output goes to $LOGS/NAME.log.
# GN8V_BUILD: Meson's build folder (default build/).

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(realpath -m "${GN8V_BUILD:-$SOURCE/build}")
CACHE=$BUILD/cache
SUITE=$(basename "$0" .sh)
LOGS=$BUILD/logs/$SUITE
SCRATCH=$(mktemp -d /tmp/gn8v.XXXXXX) # short: an agent's socket has to fit below a GnuPG home
FAILED=0 PREPARING=
# Whoever sources this may put more undo commands here, last one runs first.
CLEANUPS=()
mkdir -p "$LOGS" "$CACHE"
# shellcheck disable=SC2034  # for those who source this
REPO=$BUILD/gn8v-tee-repo NODE=$BUILD/gn8v-tee
export LC_ALL=C.UTF-8 TZ=UTC
# Of a sanitized build every report counts, whatever the scenario thought of the program's exit status: they go to files, which finish() looks for.
# A leak in somebody else's library is not ours.
rm -f "$LOGS"/sanitizer.*
SANITIZERS=log_path=$LOGS/sanitizer:exitcode=121
export ASAN_OPTIONS=$SANITIZERS:${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=$SANITIZERS:halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=$SANITIZERS:suppressions=$SOURCE/tests/e2e/leaks.supp:print_suppressions=0
# ThreadSanitizer knows malloc(), and not the allocator that GLib has of its own.
export TSAN_OPTIONS=$SANITIZERS:suppressions=$SOURCE/tests/e2e/races.supp
if grep -q fsanitize= "$BUILD/compile_commands.json" 2> /dev/null; then export G_SLICE=always-malloc GN8V_SANITIZED=1; fi

cleanup() {
        local i pid home mount
        if [ -n "$PREPARING" ]; then
                exec >&3 2>&4
                fail "$SUITE: prepare" "log: $LOGS/prepare.log"
                tail -n 25 "$LOGS/prepare.log" | sed 's/^/#   /' >&2
        fi
        for ((i = ${#CLEANUPS[@]} - 1; i >= 0; i--)); do eval "${CLEANUPS[i]}" || :; done
        for pid in "$SCRATCH"/nginx*/pid; do
                if [ -s "$pid" ]; then kill "$(cat "$pid")" 2>/dev/null || :; fi
        done
        for home in "$SCRATCH"/*/private-keys-v1.d; do
                if [ -d "$home" ]; then gpgconf --homedir "${home%/*}" --kill all 2>/dev/null || :; fi
        done
        # Deepest first; nothing below may survive, or the removal would reach outside.
        while read -r mount; do umount "$mount" 2>/dev/null || umount -l "$mount" || :; done \
                < <(awk -v s="$SCRATCH/" 'index($2, s) == 1 { print $2 }' /proc/self/mounts | sort -r)
        if awk -v s="$SCRATCH/" 'index($2, s) == 1 { exit 1 }' /proc/self/mounts; then rm -rf --one-file-system "$SCRATCH"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

pass() { echo "ok - $1"; }
skip() { echo "ok - $1 # skip ${2:-}"; }
fail() { echo "not ok - $1${2:+: $2}"; FAILED=$((FAILED + 1)); }
# Inside a scenario: stop it, saying why.
die() { echo "FAILED: $*" >&2; exit 1; }
# Inside a scenario: it cannot run here, REASON.
skip_scenario() { echo "$*" > "$SCRATCH/skip"; exit 77; }

# told LOG STATUS: of a scenario that failed, what it says itself and its end.
told() {
        echo "#   exit status $2; log: $1"
        { grep -a '^FAILED: ' "$1" || :; tail -n "${GN8V_TAIL:-12}" "$1"; } | sed 's/^/#   /'
}
# scenario NAME COMMAND...: runs it in a subshell under set -e; one counted test. With GN8V_ONLY=PATTERN (a shell pattern) only those named so.
scenario() {
        local name=$1 rc
        shift
        # shellcheck disable=SC2053
        if [ -n "${GN8V_ONLY:-}" ] && [[ $name != $GN8V_ONLY ]]; then return 0; fi
        set +e
        (set -euo pipefail; set -E; trap - EXIT; trap 'echo "FAILED: ${BASH_SOURCE[0]}:$LINENO: $BASH_COMMAND" >&2' ERR; set -x; "$@") \
                > "$LOGS/${name//[^A-Za-z0-9.-]/-}.log" 2>&1 < /dev/null
        rc=$?
        set -e
        case $rc in
        0) pass "$SUITE: $name" ;;
        77) skip "$SUITE: $name" "$(cat "$SCRATCH/skip" 2>/dev/null)" ;;
        *)
                fail "$SUITE: $name"
                told "$LOGS/${name//[^A-Za-z0-9.-]/-}.log" $rc >&2
                ;;
        esac
}
# The last line of every script.
finish() {
        local report
        for report in "$LOGS"/sanitizer.*; do
                [ ! -e "$report" ] || fail "$SUITE: a sanitizer spoke" "$(grep -a -m 1 -E 'ERROR|WARNING|runtime error' "$report"); log: $report"
        done
        [ "$FAILED" = 0 ]
}

# prepare COMMAND...: what the scenarios need, in this shell; when one of them fails, the script ends, and says so.
prepare() {
        local command
        PREPARING=1
        exec 3>&1 4>&2 > "$LOGS/prepare.log" 2>&1 < /dev/null
        for command in "$@"; do "$command"; done
        exec >&3 2>&4
        PREPARING=
}

# expect STATUS COMMAND...: that it exits with this status; its output is kept in $SCRATCH/output.
expect() {
        local want=$1 rc=0
        shift
        "$@" > "$SCRATCH/output" 2>&1 || rc=$?
        cat "$SCRATCH/output"
        [ "$rc" = "$want" ] || die "exit status $rc, not $want: $*"
}
# refuses COMMAND...: that it fails, by an exit status of its own (no signal, no sanitizer report).
refuses() {
        local rc=0
        "$@" > "$SCRATCH/output" 2>&1 || rc=$?
        cat "$SCRATCH/output"
        [ "$rc" != 0 ] || die "should have failed: $*"
        [ "$rc" -lt 120 ] || die "exit status $rc: $*"
        ! grep -q 'Sanitizer' "$SCRATCH/output" || die "a sanitizer spoke: $*"
}
# ... | has [GREP-OPTIONS] PATTERN: reads all, where "grep -q" would end at the first hit and, by pipefail, take a writer's SIGPIPE for a failure.
has() { [ "$(grep -c "$@")" != 0 ]; }
# A sanitizer's memory is not the program's.
limit_memory() { [ -n "${GN8V_SANITIZED:-}" ] || ulimit -v "$1"; } # KiB
said() { grep -q -E -e "$1" "$SCRATCH/output" || die "did not say '$1'"; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# serve DIR [PORT [SERVER-DIRECTIVES]]: serves DIR on loopback until the script ends; sets PORT and NGINX (its folder).
serve() {
        local dir=$1
        PORT=${2:-$(free_port)}
        NGINX=$(mktemp -d "$SCRATCH/nginx.XXXXXX")
        cat > "$NGINX/conf" <<NGINX
user root; worker_processes 1; pid $NGINX/pid; error_log $NGINX/error.log;
events { worker_connections 256; }
http {
        access_log $NGINX/access.log; default_type application/octet-stream; sendfile on;
        client_body_temp_path $NGINX/t1; proxy_temp_path $NGINX/t2; fastcgi_temp_path $NGINX/t3; uwsgi_temp_path $NGINX/t4; scgi_temp_path $NGINX/t5;
        log_format referer '\$request "\$http_referer" \$status';
        server { listen 127.0.0.1:$PORT; root $dir; access_log $NGINX/referer.log referer; ${3:-} }
}
NGINX
        nginx -e "$NGINX/error.log" -c "$NGINX/conf" # returns when it listens
}
unserve() { # FOLDER: that $NGINX
        local pid
        pid=$(cat "$1/pid")
        kill "$pid"
        tail --pid="$pid" -f /dev/null
}

# make_key HOME NAME [EXPIRY [FAKED-TIME]]: an RSA-4096 signing key without a passphrase; prints its fingerprint. HOME must be a short path.
make_key() {
        local home=$1 name=$2 expiry=${3:-never}
        mkdir -p "$home"
        chmod 700 "$home"
        gpg --homedir "$home" --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' ${4:+--faked-system-time "$4"} \
                --quick-generate-key "$name" rsa4096 sign "$expiry" >&2
        gpg --homedir "$home" --batch --with-colons --list-keys "$name" | awk -F: '$1 == "fpr" { print $10; exit }'
}

# run_dnf ROOT ARGUMENTS...: dnf for a scratch root as on a machine; its settings are ROOT.dnf/ (dnf.conf, repos/). Scriptlets see only what is named here.
# GN8V_AS: the environment that the node program is to believe in; "" leaves it to find out.
run_dnf() {
        local root=$1
        shift
        # shellcheck disable=SC2086
        env -i HOME="$root.dnf" PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 ${GN8V_AS-GN8V_TEE_ENVIRONMENT=machine} \
                dnf -c "$root.dnf/dnf.conf" --installroot="$root" --releasever=3 -y "$@"
}
