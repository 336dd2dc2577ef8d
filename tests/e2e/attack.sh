#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A repository that somebody has changed: dnf installs nothing from it, and verify names the broken link. And a repository that grew by one file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/e2e/root.sh
. "$here/root.sh"
# shellcheck source=tests/e2e/repo.sh
. "$here/repo.sh"

SITE=$SCRATCH/site

site() {
        mkdir -p "$SITE"
        chmod 755 "$SCRATCH"
        serve "$SITE"
        publish_to "$SITE/good"
}
prepare base_root workspace site

bad_site() { cp -a "$SITE/good" "$SITE/$1"; BAD=$SITE/$1; }
root_for() { # SITE
        new_root "$1"
        sed "s,$SITE_URL,http://127.0.0.1:$PORT/$1,g; s,^gpgkey=.*,gpgkey=file://$PUBKEY file://$VENDOR/vendor.pub," "$SITE/$1/gn8v-tee.repo" > "$ROOT.dnf/repos/gn8v-tee.repo"
}
# dnf refuses, and the root is as it was.
dnf_refuses() { # SITE WORDS
        root_for "$1"
        refuses run_dnf "$ROOT" install gn8v-tee-multi
        said "$2"
        [ "$(root_rpm "$ROOT" -qa | grep -c '^gn8v-tee')" = 0 ] || die "something was installed"
        ! grep -q "$(argument multi "$NEW")" "$ROOT/boot/grub2/grubenv" || die "a boot entry was changed"
}
verify_refuses() { refuses builder verify --repo "$1" --key "$KEY"; }
resign() { # HOME KEY [GPG-OPTION...]
        local home=$1 key=$2
        shift 2
        gpg --homedir "$home" --batch --yes --quiet "$@" --local-user "$key" --armor --detach-sign --output "$BAD/repodata/repomd.xml.asc" "$BAD/repodata/repomd.xml"
}

accepted() {
        root_for good
        expect 0 run_dnf "$ROOT" install gn8v-tee-multi
        expect 0 builder verify --repo "$SITE/good" --key "$KEY"
}
tampered_repomd() {
        bad_site repomd
        sed -i 's/<revision>/<revision>1/' "$BAD/repodata/repomd.xml"
        dnf_refuses repomd 'GPG|signature|repomd'
        verify_refuses "$BAD"
        said 'repomd.xml'
}
tampered_primary() {
        bad_site primary
        local f
        f=$(find "$BAD/repodata/" -name '*primary.xml.gz')
        printf 'x' >> "$f"
        dnf_refuses primary 'checksum|Checksum|primary|Cannot download'
        verify_refuses "$BAD"
        said 'primary'
}
tampered_package() {
        bad_site package
        local f
        f=$(find "$BAD/packages/" -name "gn8v-tee-driver-*-$(sed -n '/^\[Artifact driver/,/^\[/s/^Version=//p' "$(conf multi "$NEW")")-*.rpm")
        cp --remove-destination "$f" "$f.new" && mv "$f.new" "$f" # not through a hard link
        printf '\377' | dd of="$f" bs=1 seek=$(($(stat -c %s "$f") - 100)) conv=notrunc status=none
        dnf_refuses package 'checksum|Checksum|Cannot download|GPG|digest'
        verify_refuses "$BAD"
        said "$(basename "$f")"
}
# The attacker has a key of his own, and signs everything again with it.
other_key() {
        local home=$SCRATCH/other key f
        bad_site other
        key=$(make_key "$home" "somebody else <else@test.invalid>")
        resign "$home" "$key"
        dnf_refuses other 'GPG|signature|key'
        verify_refuses "$BAD"
        # Metadata of the right key can never be had; without its check a package of another key is still refused.
        f=$(find "$BAD/packages/" -name "gn8v-tee-multi-$NEW-*.rpm")
        cp --remove-destination "$f" "$f.new" && mv "$f.new" "$f"
        rpmsign --define '__gpg /usr/bin/gpg' --define "_gpg_path $home" --define "_gpg_name $key" --resign "$f" >&2
        createrepo_c --quiet --no-database --general-compress-type=gz "$BAD"
        new_root other2
        sed "s,$SITE_URL,http://127.0.0.1:$PORT/other,g; s,^gpgkey=.*,gpgkey=file://$PUBKEY file://$VENDOR/vendor.pub,; s/^repo_gpgcheck=.*/repo_gpgcheck=0/" "$BAD/gn8v-tee.repo" > "$ROOT.dnf/repos/gn8v-tee.repo"
        refuses run_dnf "$ROOT" install gn8v-tee-multi
        said 'GPG|not installed|signature'
        [ "$(root_rpm "$ROOT" -qa | grep -c '^gn8v-tee')" = 0 ]
}
no_signature() {
        bad_site unsigned
        rm "$BAD/repodata/repomd.xml.asc"
        dnf_refuses unsigned 'asc|GPG|signature'
        verify_refuses "$BAD"
}
expired_key() {
        local home=$SCRATCH/expired key
        bad_site expired
        key=$(make_key "$home" "expired <expired@test.invalid>" 1d 20200101T000000)
        resign "$home" "$key" --faked-system-time 20200101T010000
        gpg --homedir "$home" --batch --quiet --armor --export "$key" > "$SCRATCH/expired.pub"
        new_root expired
        sed "s,$SITE_URL,http://127.0.0.1:$PORT/expired,g; s,^gpgkey=.*,gpgkey=file://$SCRATCH/expired.pub," "$BAD/gn8v-tee.repo" > "$ROOT.dnf/repos/gn8v-tee.repo"
        refuses run_dnf "$ROOT" install gn8v-tee-multi
        said 'GPG|signature|key'
        # Nor does the builder sign with one.
        refuses builder publish --repo "$SCRATCH/never" --key "$key" --gnupghome "$home" --platform "$CACHE/platform.provides" --platform "$CACHE/builder.provides"
        said 'expired'
        [ ! -e "$SCRATCH/never/repodata/repomd.xml" ]
}
truncated_package() {
        bad_site truncated
        local f
        f=$(find "$BAD/packages/" -name "gn8v-tee-cuda-*" | head -n 1)
        for f in "$BAD"/packages/gn8v-tee-cuda-*; do
                head -c 1000 "$f" > "$f.new"
                mv "$f.new" "$f"
        done
        dnf_refuses truncated 'checksum|Checksum|Cannot download|length|Curl'
        verify_refuses "$BAD"
}
# What the vendor publishes changes under a pinned digest: nothing is built from it.
changed_at_the_vendor() {
        local w=$SCRATCH/changed f
        mkdir -p "$w"
        cp -a "$VENDOR/www" "$SCRATCH/vendor-www"
        f=$(find "$SCRATCH/vendor-www/" -name 'NVIDIA-Linux-*.run' | sort | head -n 1)
        cp --remove-destination "$f" "$f.new" && mv "$f.new" "$f"
        printf 'X' | dd of="$f" bs=1 seek=$(($(stat -c %s "$f") - 5)) conv=notrunc status=none
        serve "$SCRATCH/vendor-www"
        look_alikes --port "$PORT"
        cp -a "$VENDOR/releases" "$w/releases"
        look_alikes --port "$(cat "$CACHE/vendor-port")" --dead-first
        expect 0 "$REPO" -C "$w" --releases "$w/releases" lock
        refuses "$REPO" -C "$w" --releases "$w/releases" fetch
        said "$(sha256sum "$f" | cut -d' ' -f1)"
        said "$(sha256sum "$VENDOR/www${f#"$SCRATCH/vendor-www"}" | cut -d' ' -f1)"
        find "$w/store/rejected/" -type f | grep . || die "it was not kept aside"
        refuses "$REPO" -C "$w" --releases "$w/releases" build
}

# One file more in the releases' folder, with made-up versions: look-alikes, lock, fetch, build, publish, upgrade follow from it.
fourth_release() {
        local w=$SCRATCH/fourth v=$SCRATCH/fourth-vendor new
        mkdir -p "$w/src" "$w/work"
        cp "$SOURCE"/repo/releases/*.conf "$w/src/"
        # A higher version of everything that has the release's own: its second number, raised.
        new=$(echo "$NEW" | awk -F. -v OFS=. '{ $2 += 700; print }')
        sed "s/${NEW//./\\.}/$new/g; s/^SHA256=[0-9a-f]*$/SHA256=first-use/; /^Size=/d" "$(conf multi "$NEW")" > "$w/src/multi-$new.conf"
        mkdir -p "$v/cache"
        cp "$VENDOR/cache/vendor-key.sec" "$v/cache/"
        local port
        port=$(free_port)
        "$SOURCE/tests/vendor/make" "$v" --releases "$w/src" --port "$port" --rims "$BUILD/tests"
        serve "$v/www" "$port"
        export NV_RIM_URL=http://127.0.0.1:$port/ PATH=$v/bin:$PATH
        for verb in lock fetch; do expect 0 "$REPO" -C "$w/work" --releases "$v/releases" $verb; done
        # The project's own packages are not made twice.
        mkdir -p "$w/work/packages"
        cp -a "$WORKSPACE"/packages/gn8v-tee-[0-9]* "$WORKSPACE"/packages/gn8v-tee-repo-[0-9]* "$w/work/packages/"
        expect 0 "$REPO" -C "$w/work" --releases "$v/releases" build
        expect 0 "$REPO" -C "$w/work" --releases "$v/releases" publish --repo "$SITE/fourth" --key "$KEY" --gnupghome "$KEYHOME" \
                --platform "$CACHE/platform.provides" --platform "$CACHE/builder.provides" --baseurl "$SITE_URL"
        serve "$SITE"
        root_for fourth
        expect 0 run_dnf "$ROOT" install "gn8v-tee-multi-$NEW"
        expect 0 run_dnf "$ROOT" upgrade
        root_rpm "$ROOT" -q "gn8v-tee-multi-$new" "gn8v-tee-driver-${new%%.*}-$new" "nvidia-fabric-manager-$new"
        cmp "$ROOT/usr/share/gn8v-tee/release.conf" "$v/releases/multi-$new.conf"
        expect 0 "$REPO" -C "$w/work" --releases "$v/releases" verify --repo "$SITE/fourth" --key "$KEY"
}

scenario "the good repository is accepted" accepted
scenario "tampered repomd.xml" tampered_repomd
scenario "tampered primary.xml" tampered_primary
scenario "tampered package" tampered_package
scenario "truncated package" truncated_package
scenario "signed by another key" other_key
scenario "no signature" no_signature
scenario "expired key" expired_key
scenario "a vendor file that changed" changed_at_the_vendor
scenario "a fourth release is one file" fourth_release
finish
