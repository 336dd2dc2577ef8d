# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced: a simulated system that is valid now, with a web server for its manifests and `openssl ocsp` for its authorities.

# A collector of its own for each: $BUILD may be built without sanitizers.
ATTEST=$BUILD/tests/gn8v-tee-attest-sim SIM=$SCRATCH/sim
export GN8V_SIM_ROOTS=$SIM/roots

# What the servers do from now on: words of tests/attest/front.py
# shellcheck disable=SC2120  # by those who source this
behave() { echo "$*" > "$SIM/behaviour"; }
# Requests since the last call.
requests() {
        wc -l < "$SIM/requests"
        : > "$SIM/requests"
}

start_servers() {
        "$BUILD/tests/attest-sim" --now "$SIM"
        : > "$SIM/requests"
        behave
        serve "$SIM" "" "default_type application/json;"
        mkfifo "$SCRATCH/ended"
        python3 "$SOURCE/tests/attest/front.py" "$SIM" "$SCRATCH/port" "$PORT" > "$SCRATCH/front.log" 2>&1 &
        FRONT=$!
        CLEANUPS+=("kill $FRONT")
        for _ in $(seq 200); do
                if [ -s "$SCRATCH/port" ]; then break; fi
                kill -0 "$FRONT" || { cat "$SCRATCH/front.log"; return 1; }
                read -r -t 0.05 < <(:) || read -r -t 0.05 <> "$SCRATCH/ended" || :
        done
        FRONT_PORT=$(cat "$SCRATCH/port")
        NV_RIM_URL=http://127.0.0.1:$FRONT_PORT/v1/rim/ NV_OCSP_URL=http://127.0.0.1:$FRONT_PORT/
        export NV_RIM_URL NV_OCSP_URL
        printf '[Attest]\nCacheDirectory=%s\n' "$SCRATCH/cache" > "$SCRATCH/attest.conf"
}

# openssl's index: the certificate of that serial number (hex) gets another line. A new file each time: its time has whole seconds only.
set_status() { # SERIAL revoked|hold|good|none|again
        awk -F '\t' -v OFS='\t' -v serial="$1" -v what="$2" '
                $4 == serial && what == "none" { next }
                $4 == serial && what == "good" { $1 = "V"; $3 = "" }
                $4 == serial && what == "revoked" { $1 = "R"; $3 = "250101000000Z,keyCompromise" }
                $4 == serial && what == "hold" { $1 = "R"; $3 = "250101000000Z,certificateHold" }
                { print }
                END { if (what == "again") print "V", "991231235959Z", "", serial, "unknown", "/CN=again" }' "$SIM/ocsp/index.txt" > "$SIM/ocsp/index.new"
        mv "$SIM/ocsp/index.new" "$SIM/ocsp/index.txt"
        reread
}
# A responder looks at its index between two requests: one is asked for nothing.
reread() { "$ATTEST" -q verify --ocsp online --config "$SCRATCH/attest.conf" --rim-dir "$SIM/rims" "$SIM/gpu_evidence.json" > /dev/null 2>&1 || :; }
