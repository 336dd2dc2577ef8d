#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gn8v-tee launch-config: what it prints is what a shell, cloud-init, a kickstart, Ansible and dnf take it for.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/root.sh
. "$here/root.sh"
# shellcheck source=tests/e2e/repo.sh
. "$here/repo.sh"

RELEASES_HERE=$SOURCE/repo/releases
MULTI=$(conf multi "$NEW") SINGLE_FILE=$(conf single "$SINGLE")
EMPTY=$SCRATCH/empty # what is installed where the tests run says nothing
URL=http://mirror.test.invalid/gn8v-tee
SITE=$SCRATCH/site
# Debian's Python, which has Debian's modules.
PYTHON=/usr/bin/python3

keys() {
        repo_key
        mkdir -p "$EMPTY" "$SITE" "$SCRATCH/bin"
        chmod 755 "$SCRATCH"
        printf '#!/bin/sh\nprintf "%%s\\0" "$@" > "$RECORD"\n' > "$SCRATCH/bin/aliyun"
        chmod +x "$SCRATCH/bin/aliyun"
        make_key "$SCRATCH/vendor-keys" "a vendor <vendor@test.invalid>" > /dev/null
        gpg --homedir "$SCRATCH/vendor-keys" --batch --armor --export > "$SCRATCH/vendor.pub"
}
sites() {
        serve "$SITE"
        publish_to "$SITE/all"
}
prepare keys

launch() { "$NODE" --root "$EMPTY" launch-config --releases "$RELEASES_HERE" "$@"; }
launch_with_repo() { launch --repo-url "$URL" --repo-key "$PUBKEY" --repo-key "$SCRATCH/vendor.pub" "$@"; }
# words FILE: an argv that the look-alike recorded, one word a line
words() { tr '\0' '\n' < "$1"; }
value_after() { words "$1" | grep -xF -A1 -- "$2" | sed -n 2p; } # FILE OPTION

which_release() {
        mkdir -p "$SCRATCH/installed/usr/share/gn8v-tee"
        cp "$SINGLE_FILE" "$SCRATCH/installed/usr/share/gn8v-tee/release.conf"
        "$NODE" --root "$SCRATCH/installed" launch-config --repo-url "$URL" --repo-key "$PUBKEY" --user-data > "$SCRATCH/ud"
        grep -qF "gn8v-tee-single-$SINGLE" "$SCRATCH/ud"
        launch_with_repo --release multi --user-data | grep -cF "gn8v-tee-multi-$NEW"
        launch_with_repo --release "multi-$OLD" --user-data | grep -cF "gn8v-tee-multi-$OLD"
        launch_with_repo --release "$MULTI" --user-data | grep -cF "gn8v-tee-multi-$NEW"
        expect 2 launch_with_repo
        said "name one of: .*multi-$OLD"
        said "single-$SINGLE"
        expect 2 launch_with_repo --release no-such
        said 'no such release'
        said "single-$SINGLE"
        expect 2 "$NODE" --root "$EMPTY" launch-config
        said 'no release is named'
        expect 1 launch_with_repo --release "$SCRATCH/absent.conf"
        printf '[Release]\n' > "$SCRATCH/broken.conf"
        expect 6 launch_with_repo --release "$SCRATCH/broken.conf"
}

only_what_is_listed() {
        local option key listed
        for option in region:Region zone:Zone type:InstanceType image:Image; do
                key=${option#*:} option=${option%:*}
                expect 2 launch_with_repo --release "$MULTI" "--$option=no-such"
                said "$option=no-such"
                for listed in $(sed -n "s/^$key=//p" "$MULTI"); do
                        said "right: .*$listed"
                        launch_with_repo --release "$MULTI" "--$option=$listed" | grep -cE -- "--[A-Za-z]+ $listed \\\\$"
                done
        done
        # The other profile's machines are not this one's.
        expect 2 launch_with_repo --release "$MULTI" --type "$(release_value "$SINGLE_FILE" InstanceType)"
        expect 2 launch_with_repo --release "$MULTI" --image m-1 --kernel 1.2.3
        said "$(release_value "$MULTI" MinimumKernel) or later"
        launch_with_repo --release "$MULTI" --image m-1 --kernel "$KERNEL" | grep -cF -- '--ImageId m-1 '
        expect 2 launch_with_repo --release "$MULTI" --disk 20
        expect 2 launch_with_repo --release "$MULTI" --format terraform
        expect 2 launch_with_repo --release "$MULTI" word
}

# The shell passes on exactly what was asked for, whatever is in it.
the_call() {
        local shell hostile
        # shellcheck disable=SC2016
        hostile='a b'\''c"d$(touch pwned)`touch pwned`\;|&*~#!{1,2}'
        launch_with_repo --release "$MULTI" --vswitch vsw-1 --security-group 'sg-$HOME' --key-pair "$hostile" --name '北京 "1"' > "$SCRATCH/call"
        launch_with_repo --release "$MULTI" --user-data > "$SCRATCH/ud"
        mkdir -p "$SCRATCH/run"
        for shell in bash dash; do
                $shell -n "$SCRATCH/call"
                (cd "$SCRATCH/run" && PATH=$SCRATCH/bin:$PATH RECORD=$SCRATCH/argv $shell "$SCRATCH/call")
                [ -z "$(ls "$SCRATCH/run")" ] || die "a value was run"
                [ "$(words "$SCRATCH/argv" | head -n 2 | xargs)" = "ecs RunInstances" ]
                [ "$(value_after "$SCRATCH/argv" --RegionId)" = "$(release_value "$MULTI" Region)" ]
                [ "$(value_after "$SCRATCH/argv" --ZoneId)" = "$(release_value "$MULTI" Zone)" ]
                [ "$(value_after "$SCRATCH/argv" --InstanceType)" = "$(release_value "$MULTI" InstanceType)" ]
                [ "$(value_after "$SCRATCH/argv" --ImageId)" = "$(release_value "$MULTI" Image)" ]
                [ "$(value_after "$SCRATCH/argv" --VSwitchId)" = vsw-1 ]
                # shellcheck disable=SC2016
                [ "$(value_after "$SCRATCH/argv" --SecurityGroupId)" = 'sg-$HOME' ]
                [ "$(value_after "$SCRATCH/argv" --KeyPairName)" = "$hostile" ]
                [ "$(value_after "$SCRATCH/argv" --InstanceName)" = '北京 "1"' ]
                [ "$(value_after "$SCRATCH/argv" --InternetMaxBandwidthOut)" -gt 0 ]
                value_after "$SCRATCH/argv" --UserData | base64 -d | cmp - "$SCRATCH/ud"
                ! words "$SCRATCH/argv" | grep -cE -- '--(NetworkInterface|DataDisk|SecurityOptions)' || die "more than such an instance bears"
        done
        launch_with_repo --release "$MULTI" --no-public-ip > "$SCRATCH/output"
        ! grep -q Internet "$SCRATCH/output" || die "a public address"
        expect 2 launch_with_repo --release "$MULTI" --name "$(printf 'a\nb')"
        expect 2 launch_with_repo --release "$MULTI" --name=-x
        # The document's own: data disks and interfaces only matter with several GPUs.
        grep -q '^# .*secondary network interface' "$SCRATCH/call"
        launch_with_repo --release "$SINGLE_FILE" > "$SCRATCH/output"
        ! grep -q 'secondary' "$SCRATCH/output"
}

# What was not given is asked of the environment, and without it nothing is run.
the_call_without() {
        local variable
        launch_with_repo --release "$MULTI" > "$SCRATCH/call"
        for variable in VSWITCH_ID SECURITY_GROUP_ID KEY_PAIR_NAME; do
                rm -f "$SCRATCH/argv"
                refuses env PATH="$SCRATCH/bin:$PATH" RECORD="$SCRATCH/argv" VSWITCH_ID=v SECURITY_GROUP_ID=s KEY_PAIR_NAME=k $variable= dash "$SCRATCH/call"
                said "$variable: the (id|name) of"
                [ ! -e "$SCRATCH/argv" ] || die "it ran without $variable"
        done
        env PATH="$SCRATCH/bin:$PATH" RECORD="$SCRATCH/argv" VSWITCH_ID='v w' SECURITY_GROUP_ID=s KEY_PAIR_NAME=k dash "$SCRATCH/call"
        [ "$(value_after "$SCRATCH/argv" --VSwitchId)" = "v w" ]
}

as_json() {
        launch_with_repo --release "$SINGLE_FILE" --vswitch vsw-1 --security-group sg-1 --key-pair k > "$SCRATCH/call"
        PATH=$SCRATCH/bin:$PATH RECORD=$SCRATCH/argv dash "$SCRATCH/call"
        launch_with_repo --release "$SINGLE_FILE" --vswitch vsw-1 --security-group sg-1 --key-pair k --json > "$SCRATCH/json"
        $PYTHON - "$SCRATCH/json" "$SCRATCH/argv" <<'PY'
import base64, json, sys
document = json.load(open(sys.argv[1]))
words = open(sys.argv[2]).read().split("\0")[2:-1]
assert {"--" + k: v for k, v in document["parameters"].items()} == dict(zip(words[::2], words[1::2]))
assert base64.b64decode(document["parameters"]["UserData"]).decode() == document["user_data"]
assert document["missing"] == []
PY
        launch_with_repo --release "$SINGLE_FILE" --format json | $PYTHON -c 'import json, sys; assert len(json.load(sys.stdin)["missing"]) == 3'
}

keys_and_urls() {
        gpg --homedir "$KEYHOME" --batch --armor --export-secret-keys > "$SCRATCH/secret"
        gpg --homedir "$KEYHOME" --batch --export-secret-keys > "$SCRATCH/secret.bin"
        for f in secret secret.bin; do
                expect 6 launch --release "$MULTI" --repo-url "$URL" --repo-key "$SCRATCH/$f"
                said 'secret key'
        done
        echo nothing > "$SCRATCH/nothing"
        expect 6 launch --release "$MULTI" --repo-url "$URL" --repo-key "$SCRATCH/nothing"
        expect 1 launch --release "$MULTI" --repo-url "$URL" --repo-key "$SCRATCH/absent"
        expect 2 launch --release "$MULTI" --repo-url "$URL" --repo-key http://mirror.test.invalid/KEY
        expect 2 launch --release "$MULTI" --repo-url "$URL"
        said 'give --repo-key'
        expect 2 launch --release "$MULTI" --repo-key "$PUBKEY"
        said 'give --repo-url'
        expect 2 launch --release "$MULTI" --repo-key "$PUBKEY" --repo-url 'http://a/{{1}}'
        expect 2 launch --release "$MULTI" --repo-key "$PUBKEY" --repo-url "$(printf 'http://a/\nenabled=0')"
        # Binary or armored, one file or two: the same keys. A release with vendor packages needs the vendor's.
        gpg --homedir "$KEYHOME" --batch --export > "$SCRATCH/key.bin"
        launch --release "$MULTI" --repo-url "$URL" --repo-key "$SCRATCH/key.bin" --user-data > "$SCRATCH/binary" 2> "$SCRATCH/output"
        said "^gn8v-tee: warning: only one key"
        launch --release "$MULTI" --repo-url "$URL" --repo-key "$PUBKEY" --user-data 2>/dev/null | cmp - "$SCRATCH/binary"
        cat "$PUBKEY" "$SCRATCH/vendor.pub" > "$SCRATCH/both"
        launch --release "$MULTI" --repo-url "$URL" --repo-key "$SCRATCH/both" --user-data > /dev/null 2> "$SCRATCH/output"
        ! grep "^gn8v-tee: warning: only one key" "$SCRATCH/output" || die "a warning with both keys"
        launch --release "$MULTI" --repo-url "$URL" --repo-key https://mirror.test.invalid/KEY --ansible > "$SCRATCH/output"
        said '^ *gpgkey=https://mirror.test.invalid/KEY$'
        said 'key: "https://mirror.test.invalid/KEY"'
        # The limit of the cloud.
        for f in 1 2 3 4 5 6; do cat "$SCRATCH/vendor.pub"; done > "$SCRATCH/many"
        expect 2 launch --release "$MULTI" --repo-url "$URL" --repo-key "$SCRATCH/many" --repo-key "$SCRATCH/many"
        said 'bytes of user data: the cloud takes'
}

same_again() {
        local format
        for format in aliyun user-data kickstart ansible json; do
                launch_with_repo --release "$MULTI" --format $format > "$SCRATCH/once"
                (cd / && LC_ALL=C TZ=Asia/Shanghai launch_with_repo --release "$MULTI" --format $format) | cmp - "$SCRATCH/once"
                [ "$format" = aliyun ] || [ "$format" = json ] || launch_with_repo --release "$MULTI" --$format | cmp - "$SCRATCH/once"
        done
}

# cloud-init's own judgement: as a program where it is installed, else the one that deps.sh unpacked.
schema() {
        if command -v cloud-init > /dev/null; then
                cloud-init schema -c "$1"
        else
                PYTHONPATH=$CACHE/cloud-init/usr/lib/python3/dist-packages $PYTHON -m cloudinit.config.schema -c "$1"
        fi
}
user_data() {
        command -v cloud-init > /dev/null || [ -d "$CACHE/cloud-init" ] || skip_scenario "there is no cloud-init"
        local release
        for release in "$RELEASES_HERE"/*.conf; do
                launch_with_repo --release "$release" --user-data > "$SCRATCH/ud"
                schema "$SCRATCH/ud"
        done
        sed 's/mode: reboot/mode: sleep/' "$SCRATCH/ud" > "$SCRATCH/wrong"
        refuses schema "$SCRATCH/wrong"
}

# The installer's shell part, run with stand-ins for what it changes.
kickstart() {
        launch_with_repo --release "$MULTI" --kickstart > "$SCRATCH/ks"
        mkdir -p "$SCRATCH/target/etc/yum.repos.d" "$SCRATCH/target/lib/modules/1.2.3.x86_64"
        printf '#!/bin/sh\necho "$GN8V_TEE_ENVIRONMENT" "$@" >> %s/dnf.log\n' "$SCRATCH" > "$SCRATCH/bin/dnf"
        chmod +x "$SCRATCH/bin/dnf"
        sed -n '/^%post/,/^%end/p' "$SCRATCH/ks" | sed '1d;$d' | sed "s,/etc/pki/rpm-gpg/\(RPM\|$\),$SCRATCH/target&,; s,> /etc/yum,> $SCRATCH/target/etc/yum,; s,in /lib,in $SCRATCH/target/lib," > "$SCRATCH/post"
        bash -n "$SCRATCH/post"
        PATH=$SCRATCH/bin:$PATH GN8V_TEE_ENVIRONMENT='' dash "$SCRATCH/post"
        rm "$SCRATCH/bin/dnf"
        gpg --show-keys --with-colons "$SCRATCH/target/etc/pki/rpm-gpg/RPM-GPG-KEY-gn8v-tee" | grep -c "^fpr:.*$KEY"
        [ "$(grep -c '^gpgcheck=1\|^repo_gpgcheck=1' "$SCRATCH/target/etc/yum.repos.d/gn8v-tee.repo")" = 2 ]
        grep -qx " -y install kernel-devel-1.2.3.x86_64" "$SCRATCH/dnf.log"
        grep -qx "machine -y install gn8v-tee-multi-$NEW" "$SCRATCH/dnf.log"
}
kickstart_validator() {
        command -v ksvalidator > /dev/null || skip_scenario "there is no ksvalidator: Debian has no pykickstart"
        launch_with_repo --release "$MULTI" --kickstart > "$SCRATCH/ks"
        ksvalidator -v RHEL8 "$SCRATCH/ks"
}

ansible() {
        command -v ansible-playbook > /dev/null || skip_scenario "there is no ansible-playbook"
        launch_with_repo --release "$MULTI" --ansible > "$SCRATCH/play.yml"
        launch_with_repo --release "$MULTI" --user-data > "$SCRATCH/ud"
        echo '[gn8v_tee]' > "$SCRATCH/inventory"
        HOME=$SCRATCH ansible-playbook -i "$SCRATCH/inventory" --syntax-check "$SCRATCH/play.yml"
        sed 's/builtin.reboot/builtin.no_such/' "$SCRATCH/play.yml" > "$SCRATCH/wrong.yml"
        refuses env HOME="$SCRATCH" ansible-playbook -i "$SCRATCH/inventory" --syntax-check "$SCRATCH/wrong.yml"
        # Only modules of ansible-core; and the very files of the user data.
        $PYTHON - "$SCRATCH/play.yml" "$SCRATCH/ud" <<'PY'
import sys, yaml
play, data = (yaml.safe_load(open(f)) for f in sys.argv[1:])
modules = [k for t in play[0]["tasks"] for k in t if "." in k]
assert len(modules) == len(play[0]["tasks"]) and all(m.startswith("ansible.builtin.") for m in modules), modules
copies = {c["dest"]: c["content"] for t in play[0]["tasks"] if (c := t.get("ansible.builtin.copy"))}
assert copies == {f["path"]: f["content"] for f in data["write_files"]} and len(copies) == 3
PY
}

# As cloud-init would: the files written, then the commands, by the shell. dnf and rpm act on the root.
apply_user_data() { # FILE
        mkdir -p "$SCRATCH/instance"
        printf '#!/bin/bash\nexec bash %q "$@"\n' "$SCRATCH/dnf-in-root" > "$SCRATCH/instance/dnf"
        printf '#!/bin/bash\nexec rpm --root %q --define "_dbpath /var/lib/rpm" "$@"\n' "$ROOT" > "$SCRATCH/instance/rpm"
        printf '#!/bin/bash\necho %q\n' "$KERNEL" > "$SCRATCH/instance/uname"
        sed -i "s,exec rpm,exec $(command -v rpm)," "$SCRATCH/instance/rpm"
        {
                declare -f run_dnf
                printf 'set -e\nROOT=%q\n' "$ROOT"
                # dnf runs outside: the files that it is to read are the root's.
                # shellcheck disable=SC2016
                printf '%s\n' 'sed "s,file:///etc/,file://$ROOT/etc/,g" "$ROOT/etc/yum.repos.d/gn8v-tee.repo" > "$ROOT.dnf/repos/gn8v-tee.repo"' 'run_dnf "$ROOT" "$@"'
        } > "$SCRATCH/dnf-in-root"
        chmod +x "$SCRATCH"/instance/*
        $PYTHON - "$1" "$ROOT" <<'PY' > "$SCRATCH/commands"
import os, shlex, sys, yaml
data, root = yaml.safe_load(open(sys.argv[1])), sys.argv[2]
for f in data["write_files"]:
    path = root + f["path"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write(f["content"])
    os.chmod(path, int(f["permissions"], 8))
for c in data["runcmd"]:
    print(c if isinstance(c, str) else shlex.join(c))
print("echo REBOOT-IF;", shlex.join(data["power_state"]["condition"]), "&& echo REBOOT")
PY
        PATH=$SCRATCH/instance:$PATH dash "$SCRATCH/commands" > "$SCRATCH/output" 2>&1
        cat "$SCRATCH/output"
}
# A repository of ours for dnf, installed from by nothing but the user data.
first_boot() {
        local vendor=$SITE/all/RPM-GPG-KEY-gn8v-tee-vendor
        new_root first-boot
        launch --release multi --repo-url "http://127.0.0.1:$PORT/all" --repo-key "$SITE/all/RPM-GPG-KEY-gn8v-tee" --repo-key "$vendor" --user-data > "$SCRATCH/ud"
        apply_user_data "$SCRATCH/ud"
        said '^REBOOT$'
        root_rpm "$ROOT" -q "gn8v-tee-multi-$NEW" gn8v-tee-release "kernel-devel-${KERNEL%.x86_64}"
        find "$ROOT/lib/modules/$KERNEL" -name 'nvidia.ko*' | grep -c .
        # An instance tells how to make the next one.
        sed "s,http://127.0.0.1:$PORT/all,$SITE_URL," "$SCRATCH/ud" > "$SCRATCH/wanted"
        sed -i "s,^baseurl=.*,baseurl=$SITE_URL," "$ROOT/etc/yum.repos.d/gn8v-tee.repo"
        "$NODE" --root "$ROOT" launch-config --user-data | diff - "$SCRATCH/wanted"
}
# With another's key nothing is installed, and nothing reboots.
another_key() {
        new_root another-key
        launch --release multi --repo-url "http://127.0.0.1:$PORT/all" --repo-key "$SCRATCH/vendor.pub" --repo-key "$SCRATCH/vendor.pub" --user-data > "$SCRATCH/ud"
        apply_user_data "$SCRATCH/ud" || :
        cat "$SCRATCH/output"
        said '^REBOOT-IF$'
        ! grep -q '^REBOOT$' "$SCRATCH/output" || die "it would reboot"
        ! root_rpm "$ROOT" -q gn8v-tee-multi
}

scenario which-release which_release
scenario only-what-is-listed only_what_is_listed
scenario the-call the_call
scenario the-call-without the_call_without
scenario json as_json
scenario keys-and-urls keys_and_urls
scenario same-again same_again
scenario user-data user_data
scenario kickstart kickstart
scenario ksvalidator kickstart_validator
scenario ansible ansible
# shellcheck disable=SC2053
if [ -z "${GN8V_ONLY:-}" ] || [[ first-boot = $GN8V_ONLY ]] || [[ another-key = $GN8V_ONLY ]]; then prepare base_root workspace sites; fi
scenario first-boot first_boot
scenario another-key another_key
finish
