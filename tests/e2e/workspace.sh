# shellcheck shell=bash disable=SC2034,SC2164  # variables are used, and failures end it, where this is sourced
# SPDX-License-Identifier: Apache-2.0
# What the scripts about publishing source after lib.sh: small packages with build records, releases, a key, a workspace to copy.

KEYS=$SCRATCH/keys
WWW=$SCRATCH/www
OLD=1.2.3 NEW=1.3.0 SINGLE=2.0.1 # made up, as every version here

digest() { sha256sum "$1" | cut -d' ' -f1; }
tee_repo() { "$REPO" -C . --releases releases "$@"; }
publish() { tee_repo publish --key "$KEY" --gnupghome "$KEYS" --platform platform.provides "$@"; }
verify() { tee_repo verify --key "$KEY" "$@"; }

# package NAME VERSION SPEC-LINE...: builds one into packages/, with a build record of the release in $RELEASE and of the artifact in $ARTIFACT.
package() {
        local name=$1 version=$2 top=$PWD/rpmbuild file
        shift 2
        mkdir -p "$top" packages
        {
                printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: A package\nLicense: MIT\nBuildArch: noarch\nAutoReqProv: no\n' "$name" "$version" "${REVISION:-1}"
                if [ $# -gt 0 ]; then printf '%s\n' "$@"; fi
                printf '%%description\nA package.\n%%install\nmkdir -p %%{buildroot}/opt/%s\necho "%s" > %%{buildroot}/opt/%s/content\n%%files\n/opt/%s\n' \
                        "$name" "${CONTENT:-$name-$version}" "$name" "$name"
        } > "$top/$name.spec"
        SOURCE_DATE_EPOCH=1700000000 rpmbuild -bb --quiet --define "_topdir $top" --define '_rpmformat 4' --define '_buildhost test' \
                --define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' --define '_build_id_links none' "$top/$name.spec"
        file=$name-$version-${REVISION:-1}.noarch.rpm
        mv "$top/RPMS/noarch/$file" packages/
        record "$file"
}
record() { # FILE
        local releases='' artifact=null hex=null
        if [ -n "${RELEASE:-}" ]; then releases=\"$RELEASE\"; fi
        if [ -n "${ARTIFACT:-}" ]; then artifact=\"${ARTIFACT%%:*}\" hex=\"${ARTIFACT#*:}\"; fi
        printf '{"package": "%s", "sha256": "%s", "artifact": %s, "artifact_sha256": %s, "releases": [%s]}\n' \
                "$1" "$(digest "packages/$1")" "$artifact" "$hex" "$releases" > "packages/$1.json"
}

# release PROFILE VERSION [VENDOR-VERSION]: a release with a driver artifact, and a vendor's RPM if a version of it is given.
release() {
        local name=$1-$2
        sed '/^\[Artifact/,$d; s/^Version=.*/Version='"$2"'/' "$(ls "$SOURCE"/repo/releases/"$1"-*.conf | head -1)" > "releases/$name.conf"
        echo "archive of $2" > "$WWW/driver-$2.run"
        printf '[Artifact driver]\nKind=driver\nVersion=%s\nURL=file://%s\nSHA256=%s\nLicence=LicenseRef-Test\nRedistributable=no\n' \
                "$2" "$WWW/driver-$2.run" "$(digest "$WWW/driver-$2.run")" >> "releases/$name.conf"
        if [ -n "${3:-}" ]; then
                printf '[Artifact manager]\nKind=rpm\nPackage=vendor-manager\nVersion=%s\nURL=file://%s\nSHA256=first-use\nSigner=%s\nLicence=MIT\nRedistributable=no\n' \
                        "$3" "$WWW/vendor-manager-$3-1.noarch.rpm" "$VENDOR" >> "releases/$name.conf"
                printf '[Artifact vendor-key]\nKind=key\nURL=file://%s\nSHA256=first-use\nFingerprint=%s\nLicence=MIT\nRedistributable=yes\n' \
                        "$WWW/vendor.pub" "$VENDOR" >> "releases/$name.conf"
        fi
}
# suite PROFILE VERSION [VENDOR-VERSION]: that release's packages, as `build` makes them.
suite() {
        local branch=${2%%.*} RELEASE=$1-$2 needs ARTIFACT
        needs="Requires: gn8v-tee-driver-$branch = $2-1, gn8v-tee-kmod-$branch-dkms = $2-1${3:+, vendor-manager = $3-1}"
        package "gn8v-tee-$1" "$2" "$needs" 'Provides: gn8v-tee-profile = %{version}' 'Conflicts: gn8v-tee-profile'
        ARTIFACT=driver:$(digest "$WWW/driver-$2.run")
        package "gn8v-tee-driver-$branch" "$2"
        package "gn8v-tee-kmod-$branch-dkms" "$2" 'Requires: dkms'
}
vendor_package() { # VERSION [SPEC-LINE...]
        local version=$1 file
        shift
        (cd "$SCRATCH" && package vendor-manager "$version" "$@")
        file=$WWW/vendor-manager-$version-1.noarch.rpm
        mv "$SCRATCH/packages/vendor-manager-$version-1.noarch.rpm" "$file"
        rpmsign --addsign --define "__gpg $(command -v gpg)" --define "_gpg_path $KEYS" --define "_gpg_name $VENDOR" --define '_gpg_digest_algo sha256' "$file" >&2
}
make_keys() {
        mkdir -p "$WWW"
        KEY=$(make_key "$KEYS" publisher)
        VENDOR=$(make_key "$KEYS" vendor)
        gpg --homedir "$KEYS" --batch --armor --export "$VENDOR" > "$WWW/vendor.pub"
}
# template: a workspace with two releases of one profile and one of another, built; copied by begin.
make_template() {
        vendor_package 7.1
        vendor_package 7.2
        mkdir -p "$SCRATCH/template/releases"
        cd "$SCRATCH/template"
        printf '/bin/sh\ndkms # of EPEL\n' > platform.provides
        release multi $OLD 7.1
        release multi $NEW 7.2
        release single $SINGLE
        suite multi $OLD 7.1
        suite multi $NEW 7.2
        suite single $SINGLE
        package gn8v-tee-helper 1.0
        tee_repo lock
        tee_repo fetch
        rm -rf rpmbuild
}
begin() {
        cp -a "$SCRATCH/template" "$SCRATCH/$1"
        cd "$SCRATCH/$1"
        # First-use locks name no path; the releases are the same bytes.
}
# damage FILE [AT]: other bytes in place, as many as there were.
damage() { printf gn8v | dd of="$1" bs=1 seek="${2:-100}" conv=notrunc status=none; }
# state: what a client sees, as one digest.
state() { (cd repo && find packages repodata gn8v-tee.repo RPM-GPG-KEY-gn8v-tee -type f -exec sha256sum {} + | sort | sha256sum); }
same_state() { [ "$(state)" = "$1" ] || die "the repository has changed"; }
