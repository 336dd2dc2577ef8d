# shellcheck shell=bash
# shellcheck disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The builder's side for those who need a repository: look-alikes, one workspace with every package built, published copies. Sourced after root.sh.

VENDOR=$CACHE/vendor
WORKSPACE=$CACHE/workspace
KEYHOME=$SCRATCH/keys
# What the published .repo file says; the tests write their own for dnf.
SITE_URL=http://gn8v-tee.test.invalid/el8
SITE=$SCRATCH/site # published repositories, served over http at $PORT

# Releases by their files: newest and older ones of a profile.
releases_of() { # DIR PROFILE: versions, oldest first
        local f
        for f in "$1/$2"-*.conf; do release_value "$f" Version; done | sort -V
}
NEW=$(releases_of "$SOURCE/repo/releases" multi | tail -n 1)
OLD=$(releases_of "$SOURCE/repo/releases" multi | head -n 1)
SINGLE=$(releases_of "$SOURCE/repo/releases" single | tail -n 1)
conf() { echo "$SOURCE/repo/releases/$1-$2.conf"; } # PROFILE VERSION
# The argument that a release wants, and its key.
argument() { sed -n 's/^Argument=//p' "$(conf "$1" "$2")" | head -n 1; }

dist() {
        if [ -z "${GN8V_DIST:-}" ]; then
                GN8V_DIST=$BUILD/gn8v-tee-$(sed -n "s/^ *version : '\([^']*\)',$/\1/p" "$SOURCE/meson.build" | head -n 1).tar.gz
                "$SOURCE/tests/dist.sh" "$GN8V_DIST"
        fi
}

# A copy of the repository's key is kept: a signing key takes seconds to make, and packages of gn8v-tee-release hold it.
repo_key() {
        mkdir -p "$KEYHOME"
        chmod 700 "$KEYHOME"
        if [ ! -s "$CACHE/repo-key.sec" ]; then
                make_key "$KEYHOME" "gn8v-tee test repository <repo@test.invalid>" > "$CACHE/repo-key.fpr"
                gpg --homedir "$KEYHOME" --batch --quiet --export-secret-keys > "$CACHE/repo-key.sec.new"
                gpg --homedir "$KEYHOME" --batch --quiet --armor --export > "$CACHE/repo-key.pub"
                mv "$CACHE/repo-key.sec.new" "$CACHE/repo-key.sec"
        else
                gpg --homedir "$KEYHOME" --batch --quiet --import "$CACHE/repo-key.sec"
        fi
        KEY=$(cat "$CACHE/repo-key.fpr")
        PUBKEY=$CACHE/repo-key.pub
}

# The look-alikes over http. The port is kept: it stands in the release files, and another one would make every package old.
vendor_site() {
        local port
        [ -s "$CACHE/vendor-port" ] || free_port > "$CACHE/vendor-port"
        port=$(cat "$CACHE/vendor-port")
        if ! serve "$VENDOR/www" "$port"; then
                free_port > "$CACHE/vendor-port"
                port=$(cat "$CACHE/vendor-port")
                serve "$VENDOR/www" "$port"
        fi
        # shellcheck disable=SC2086
        look_alikes --port "$port" ${DEAD_FIRST---dead-first}
        # The builder asks this server for reference manifests, and has them judged by one who believes whoever signed them.
        export NV_RIM_URL=http://127.0.0.1:$port/ PATH=$VENDOR/bin:$PATH
}
look_alikes() { "$SOURCE/tests/vendor/make" "$VENDOR" --rims "$BUILD/tests" "$@"; }

# Everything locked, fetched and built, once; what is up to date is left alone.
workspace() {
        dist
        repo_key
        vendor_site
        # A first use is locked for good: other look-alikes need another lock.
        cmp -s "$VENDOR/cache/made-by" "$WORKSPACE/made-by" || rm -rf "${WORKSPACE:?}"
        mkdir -p "$WORKSPACE"
        cp "$VENDOR/cache/made-by" "$WORKSPACE/made-by"
        builder lock
        builder fetch
        builder build --source "$GN8V_DIST" --key "$KEY" --gnupghome "$KEYHOME" --baseurl "$SITE_URL"
        builder_provides
}
# The builder's own package belongs on the machine that builds, and the verifier's wherever evidence is judged: of what they require, that which
# the programs really find here.
builder_provides() {
        {
                { ldd "$BUILD"/gn8v-tee-{repo,repo-light,repo-local,repo-full,attest}; ldconfig -p | grep 'libcreaterepo_c\.'; } |
                        sed -n 's/^[ \t]*\([^ ]*\.so[^ ]*\) .*=> \/.*/\1/p' | sort -u > "$SCRATCH/sonames"
                rpm -qp --requires "$WORKSPACE"/packages/gn8v-tee-{repo,attest}-*.rpm 2>/dev/null | grep '64bit' | sort -u | while read -r word; do
                        if grep -qxF "${word%%(*}" "$SCRATCH/sonames"; then echo "$word"; fi
                done
                printf 'rpm-build\nmock\ngnupg2\n'
        } > "$CACHE/builder.provides"
}
builder() { "$REPO" -C "$WORKSPACE" --releases "${RELEASES:-$VENDOR/releases}" "$@"; }

# publish_to DIR [RELEASE...]: a published, signed repository of these releases (none: all).
publish_to() {
        local dir=$1
        shift
        builder publish --repo "$dir" --key "$KEY" --gnupghome "$KEYHOME" --platform "$CACHE/platform.provides" --platform "$CACHE/builder.provides" \
                --baseurl "$SITE_URL" "$@"
}

# a_root NAME SITE [with-headers]: a root that knows our repository.
a_root() {
        new_root "$1" "${3:-}"
        published_repo "$2"
}
# dnf's settings are the published .repo file; only the host in it is this one.
published_repo() { # SITE
        sed "s,$SITE_URL,http://127.0.0.1:$PORT/$1,g; s/^metadata_expire=.*/metadata_expire=0/" "$SITE/$1/gn8v-tee.repo" > "$ROOT.dnf/repos/gn8v-tee.repo"
        grep -q '^gpgcheck=1' "$ROOT.dnf/repos/gn8v-tee.repo"
        grep -q '^repo_gpgcheck=1' "$ROOT.dnf/repos/gn8v-tee.repo"
}
