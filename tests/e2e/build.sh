#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build: packages from look-alikes of the vendor's files, as they come out of rpmbuild.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

VENDOR=$SCRATCH/vendor WS=$SCRATCH/ws RELEASES=$SCRATCH/vendor/releases
DIST=${GN8V_DIST:-$SCRATCH/gn8v-tee-$(sed -n "s/^ *version : '\([^']*\)',$/\1/p" "$SOURCE/meson.build" | head -1).tar.gz}
run_repo() { "$REPO" -C "${AT:-$WS}" --releases "$RELEASES" "$@"; }
# "NAME = VERSION-REVISION" of every package that a release file pins, from the file alone.
pins() {
        python3 - "$1" <<'PYTHON'
import re, sys
kind = {}
sections = re.split(r"(?m)^\[", open(sys.argv[1], encoding="utf-8").read())
for s in sections:
    if not s.startswith("Artifact "):
        continue
    a = dict(line.split("=", 1) for line in s.splitlines()[1:] if "=" in line and not line.startswith("#"))
    v = a.get("Version", "")
    parts = v.split(".")
    names = {"driver": ["gn8v-tee-driver-" + parts[0], "gn8v-tee-kmod-" + parts[0] + "-dkms"], "rpm": [a.get("Package")],
             "cuda": ["gn8v-tee-cuda-" + "-".join(parts[:2])], "cublas": ["gn8v-tee-cublas-" + "-".join(parts[:2])], "key": []}[a["Kind"]]
    for n in names:
        print("%s = %s-%s" % (n, v, a.get("Revision", "1")))
PYTHON
}

# Reference manifests of the look-alikes' own authority, judged by who believes that.
export PATH=$VENDOR/bin:$PATH
lock() { run_repo lock --rim-dir "$VENDOR/www/rims" "$@"; }

prepare() {
        PORT=$(free_port)
        "$SOURCE/tests/vendor/make" "$VENDOR" --releases "$SOURCE/repo/releases" --port "$PORT" --rims "$BUILD/tests"
        serve "$VENDOR/www" "$PORT"
        lock
        run_repo fetch
        # It serves until the script ends: its process is not the scenario's.
}

everything() {
        run_repo build > "$SCRATCH/built"
        [ "$(wc -l < "$SCRATCH/built")" = "$(ls "$WS"/packages/*.rpm | wc -l)" ]
        while read -r f; do [ -s "$WS/packages/$f" ] && [ -s "$WS/packages/$f.json" ]; done < "$SCRATCH/built"
        for conf in "$RELEASES"/*.conf; do
                pins "$conf" | while read -r name _ evr; do
                        case $name in gn8v-tee-*) ls "$WS/packages/$name-$evr".*.rpm ;; esac
                done
        done
        ! ls -d "$WS"/.build-* || die "something is left of the builds"
}

again_is_nothing() {
        run_repo build 2> "$SCRATCH/said" > /dev/null
        grep -q ': 0 built' "$SCRATCH/said"
        ! grep -q 'building' "$SCRATCH/said" || die "built again"
        run_repo --json build | python3 -c 'import json, sys; l = json.load(sys.stdin); assert l and not any(p["fresh"] for p in l)'
}

# Another place, time zone, umask, home with its own macros, number of jobs, and another second: the same bytes.
reproducible() {
        local other="$SCRATCH/some/other place" home=$SCRATCH/home
        mkdir -p "$SCRATCH/some" "$home"
        printf '%%_buildhost elsewhere\n%%packager Somebody\n%%_binary_payload w9.gzdio\n%%dist .x\n' > "$home/.rpmmacros"
        refuses env AT="$other" bash -c '"$0" -C "$AT" --releases "$1" build' "$REPO" "$RELEASES" # a blank: rpmbuild cannot
        other=$SCRATCH/some/deeper/place
        mkdir -p "$other"
        cp -a "$WS/locks" "$WS/store" "$other/"
        (umask 077; AT=$other HOME=$home TZ=Asia/Shanghai SOURCE_DATE_EPOCH=1 run_repo build -j 1 > /dev/null)
        for f in "$WS"/packages/*.rpm; do cmp "$f" "$other/packages/${f##*/}"; done
        for f in "$WS"/packages/*.rpm; do
                rpm -qp --qf '%{BUILDHOST} %{PACKAGER} %{PAYLOADCOMPRESSOR}\n' "$f" | has -x 'gn8v-tee-repo (none) zstd'
                rpm -qp --qf '[%{FILEDIGESTALGO}\n]' "$f" | has -x '8\|(none)'
                ! zgrep -a -q -e "$SCRATCH" "$f" || die "$f: has a path of the build"
        done
}

records_are_right() {
        python3 - "$WS" <<'PYTHON'
import glob, hashlib, json, sys
ws = sys.argv[1]
locks = {l["release"]: l for l in (json.load(open(p)) for p in glob.glob(ws + "/locks/*.lock"))}
seen = set()
for path in glob.glob(ws + "/packages/*.rpm"):
    r = json.load(open(path + ".json"))
    assert r["package"] == path.rsplit("/", 1)[1], path
    assert r["sha256"] == hashlib.sha256(open(path, "rb").read()).hexdigest(), path
    assert r["releases"] and set(r["releases"]) <= set(locks), r
    for release in r["releases"]:
        seen.add(release)
    if r["artifact"] is not None:
        assert "sha256:" + r["artifact_sha256"] == locks[r["releases"][0]]["artifacts"][r["artifact"]]["checksum"], r
assert seen == set(locks)
PYTHON
}

requirements_are_exact() {
        local conf name profile
        for conf in "$RELEASES"/*.conf; do
                name=$(basename "$conf" .conf) profile=${name%%-*}
                rpm -qp --requires "$WS/packages/gn8v-tee-$profile-${name#*-}"-*.rpm > "$SCRATCH/requires"
                pins "$conf" | while read -r pin; do grep -qxF "$pin" "$SCRATCH/requires" || die "$name does not require $pin"; done
                sed -n '/^\[Platform\]/,/^\[/s/^Package=//p' "$conf" | while read -r p; do grep -qx "$p" "$SCRATCH/requires"; done
                grep -qx gn8v-tee "$SCRATCH/requires"
                rpm -qp --provides --conflicts "$WS/packages/gn8v-tee-$profile-${name#*-}"-*.rpm | has -x 'gn8v-tee-profile'
        done
}

files_are_as_they_should_be() {
        local f
        for f in "$WS"/packages/*.rpm; do
                ! rpm -qpl "$f" | grep -F .build-id || die "$f: has build-id links"
                rpm -qp --qf '[%{FILEFLAGS:fflags} %{FILENAMES}\n]' "$f" > "$SCRATCH/flags"
                case ${f##*/} in
                gn8v-tee-driver-* | gn8v-tee-kmod-* | gn8v-tee-cuda-* | gn8v-tee-cublas-*) grep -q '^l ' "$SCRATCH/flags" || die "$f: no %license" ;;
                esac
                rpm -qp --qf '%{LICENSE}\n' "$f" | has -x 'Apache-2.0\|LicenseRef-NVIDIA-.*'
        done
        for f in "$WS"/packages/gn8v-tee-driver-*.rpm; do
                rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$f" | has -x -e '-rwsr-xr-x /usr/bin/nvidia-modprobe'
                rpm -qpl "$f" | has -x /usr/lib/nvidia/alternate-install-present
                rpm -qp --provides "$f" | has -x 'libcuda.so.1()(64bit)'
                ! rpm -qp --scripts "$f" | grep . || die "the driver must have no scriptlet"
                for c in nvidia-driver xorg-x11-drv-nvidia cuda-drivers gn8v-tee-driver; do rpm -qp --conflicts "$f" | has -x "$c"; done
        done
        for f in "$WS"/packages/*.rpm; do
                ! rpm -qp --scripts "$f" | grep -i 'restart' || die "$f: restarts something"
                # Every line of a scriptlet ends so that it cannot fail.
                rpm -qp --scripts "$f" | sed '/scriptlet (using /d' | while read -r line; do case $line in *'|| :') ;; *) die "$f: $line" ;; esac; done
        done
}

# One package of all manifests, each as it is stored; a metapackage asks for its driver's; what is no longer locked is no longer there.
manifests() {
        local conf name id f copy=$SCRATCH/manifests
        ls "$WS"/packages/gn8v-tee-rims-*.noarch.rpm > "$SCRATCH/rims"
        [ "$(wc -l < "$SCRATCH/rims")" = 1 ]
        f=$(cat "$SCRATCH/rims")
        rpm -qp --provides "$f" > "$SCRATCH/provides"
        rpm2cpio "$f" | (mkdir -p "$SCRATCH/unpacked" && cd "$SCRATCH/unpacked" && cpio -idm --quiet)
        for conf in "$RELEASES"/*.conf; do
                name=$(basename "$conf" .conf)
                id=NV_GPU_DRIVER_$(sed -n 's/^GPU=//p' "$conf")_$(sed -n '/^Kind=driver/,/^\[/s/^Version=//p' "$conf")
                grep -qxF "gn8v-tee-rim($id)" "$SCRATCH/provides"
                rpm -qp --recommends "$WS/packages/gn8v-tee-$name"-*.rpm | has -xF "gn8v-tee-rim($id)"
                cmp "$SCRATCH/unpacked/usr/share/gn8v-tee/rims/$id.xml" "$VENDOR/www/rims/$id.xml"
                grep -qF "\"$name\"" "$f.json"
        done
        [ "$(find "$SCRATCH/unpacked" -name '*.xml' | wc -l)" = "$(grep -c '^gn8v-tee-rim(' "$SCRATCH/provides")" ]
        # One that was locked before makes way; without any there is no package.
        mkdir -p "$copy"
        cp -a "$WS/store" "$WS/locks" "$WS/packages" "$copy/"
        for f in "$copy"/packages/gn8v-tee-rims-*; do mv "$f" "${f/-rims-/-rims-1}"; done
        AT=$copy run_repo build > /dev/null
        [ "$(basename "$(ls "$copy"/packages/gn8v-tee-rims-*.rpm)")" = "$(basename "$(cat "$SCRATCH/rims")")" ]
        name=$(basename "$(ls "$RELEASES"/*.conf | head -n 1)" .conf)
        AT=$copy run_repo lock --without-rims "$name"
        AT=$copy run_repo build "$name" > /dev/null
        ! grep -qF "\"$name\"" "$copy"/packages/gn8v-tee-rims-*.json || die "without manifests, and in their package"
        AT=$copy run_repo lock --without-rims
        AT=$copy run_repo build > /dev/null
        ! ls "$copy"/packages/gn8v-tee-rims-* || die "no manifest is locked, and there is a package"
}

specs_have_no_version() {
        local conf v
        for conf in "$SOURCE"/repo/releases/*.conf; do
                for v in $(sed -n 's/^Version=//p; s/^SHA256=//p' "$conf" | grep -v first-use | sort -u); do
                        ! grep -rnF -e "$v" "$SOURCE/specs" "$SOURCE/scriptlets" "$SOURCE/mock-configs" || die "$v is written there"
                done
        done
}

one_more_release() {
        local first name copy
        first=$(ls "$RELEASES"/*.conf | head -1) name=more-1.2.3
        copy=$SCRATCH/more
        mkdir -p "$copy"
        cp "$RELEASES"/*.conf "$copy/"
        sed -e '/^\[Release\]/,/^\[Platform\]/{s/^Profile=.*/Profile=more/;s/^Version=.*/Version=1.2.3/;s/^Date=.*/Date=2030-01-02/}' "$first" > "$copy/$name.conf"
        RELEASES=$copy lock "$name"
        RELEASES=$copy run_repo fetch "$name"
        RELEASES=$copy run_repo build 2> "$SCRATCH/said" > /dev/null
        # What it shares with others is not built again: only the metapackage.
        grep -q ': 1 built' "$SCRATCH/said"
        grep -q '"more-1.2.3"' "$WS"/packages/gn8v-tee-driver-*.json
        rpm -qp --requires "$WS"/packages/gn8v-tee-more-1.2.3-1.noarch.rpm > "$SCRATCH/requires"
        pins "$first" | while read -r pin; do grep -qxF "$pin" "$SCRATCH/requires"; done
        rm -f "$WS"/packages/gn8v-tee-more-*
        run_repo build > /dev/null
}

hostile_values() {
        local first copy=$SCRATCH/hostile
        first=$(ls "$RELEASES"/*.conf | head -1)
        mkdir -p "$copy"
        sed "s/^Summary=.*/Summary=100%(touch $(printf '%s' "$SCRATCH/owned" | sed 's/\//\\\//g'))/" "$first" > "$copy/${first##*/}"
        mkdir -p "$SCRATCH/hostile-ws"
        cp -a "$WS/store" "$SCRATCH/hostile-ws/"
        AT=$SCRATCH/hostile-ws RELEASES=$copy lock || exit 0 # refused earlier: as good
        AT=$SCRATCH/hostile-ws RELEASES=$copy expect 6 run_repo build
        said "${first##*/}"
        [ ! -e "$SCRATCH/owned" ]
}

broken_archive() {
        local ws=$SCRATCH/broken sha file
        mkdir -p "$ws"
        cp -a "$WS/locks" "$WS/store" "$ws/"
        sha=$(python3 -c 'import glob, json, sys; l = json.load(open(sorted(glob.glob(sys.argv[1] + "/locks/*.lock"))[0])); print(l["artifacts"]["driver"]["checksum"].split(":")[1])' "$ws")
        file=$ws/store/sha256/${sha:0:2}/$sha
        chmod u+w "$file"
        truncate -s 3000 "$file"
        AT=$ws expect 1 run_repo build
        said 'rpmbuild failed'
        said "the whole log is $ws/logs/gn8v-tee-driver-"
        ls "$ws"/logs/gn8v-tee-driver-*.log
        ! ls -d "$ws"/.build-* || die "something is left of the build"
}

disk_too_small() {
        local ws=$SCRATCH/small
        mkdir -p "$ws"
        mount -t tmpfs -o size=3m tmpfs "$ws" || skip_scenario "no tmpfs here"
        cp -a "$WS/locks" "$WS/store" "$ws/" || skip_scenario "the look-alikes have outgrown the test's disk"
        AT=$ws expect 8 run_repo build
        said 'MiB are free'
        ! ls -d "$ws"/.build-* || die "something is left of the build"
}

missing_things() {
        AT=$SCRATCH/nowhere refuses run_repo build
        said 'gn8v-tee-repo (lock|fetch)'
        expect 2 run_repo build --jobs 0
        expect 2 run_repo build --key 0123456789ABCDEF0123456789ABCDEF01234567
        refuses run_repo build --specs "$SCRATCH"
        said "$SCRATCH/.*\.spec"
        refuses run_repo build nothere-1.2.3
        "$REPO" build --help > "$SCRATCH/output"
        awk 'length > 80 { print; exit 1 }' "$SCRATCH/output"
}

# A signal while a build runs: it ends at once, its children with it, and nothing is left.
interrupted() {
        local ws=$SCRATCH/interrupted pid rc=0
        mkdir -p "$ws" "$SCRATCH/slow"
        cp -a "$WS/locks" "$WS/store" "$ws/"
        mkfifo "$SCRATCH/slow/started"
        # An rpmbuild that says it has begun, and then works for ever.
        printf '#!/bin/bash\necho $$ > %s\ntail -f /dev/null\n' "$SCRATCH/slow/started" > "$SCRATCH/slow/rpmbuild"
        chmod +x "$SCRATCH/slow/rpmbuild"
        PATH=$SCRATCH/slow:$PATH "$REPO" -C "$ws" --releases "$RELEASES" build -j 1 > "$SCRATCH/output" 2>&1 &
        pid=$!
        read -r child < "$SCRATCH/slow/started"
        kill -TERM "$pid"
        wait "$pid" || rc=$?
        [ "$rc" = 1 ] || die "exit status $rc"
        said interrupted
        ! kill -0 "$child" 2> /dev/null || die "rpmbuild is still there"
        ! ls -d "$ws"/.build-* || die "something is left of the build"
        [ -z "$(find "$ws/packages" -name '*.rpm*')" ]
}

one_at_a_time() {
        exec 9> "$WS/packages/.build.lock"
        flock 9
        expect 9 run_repo build
        said 'another build'
}

own_packages() {
        local ws=$SCRATCH/own fpr
        [ -n "${GN8V_DIST:-}" ] || "$SOURCE/tests/dist.sh" "$DIST"
        fpr=$(make_key "$SCRATCH/gpg" "A Tester <t@example.com>")
        AT=$ws run_repo build --own --source "$DIST" --key "$fpr" --gnupghome "$SCRATCH/gpg" --baseurl https://h.example/repo
        rpm -qp --qf '%{LICENSE}\n' "$ws"/packages/gn8v-tee-repo-*.rpm | has -x 'Apache-2.0 AND GPL-3.0-or-later'
        rpm -qpl "$ws"/packages/gn8v-tee-repo-*.rpm > "$SCRATCH/list"
        for f in "$SOURCE"/specs/*.spec "$SOURCE"/scriptlets/* "$SOURCE"/repo/releases/*.conf "$SOURCE"/mock-configs/*.cfg; do
                grep -q "^/usr/share/gn8v-tee-repo/.*/${f##*/}$" "$SCRATCH/list" || die "${f##*/} is not in gn8v-tee-repo"
        done
        rpm -qp --filetriggers "$ws"/packages/gn8v-tee-[0-9]*.rpm | has '^transfiletriggerin .* -- /usr/src/kernels'
        rpm -qpc "$ws"/packages/gn8v-tee-release-*.rpm | has -x /etc/yum.repos.d/gn8v-tee.repo
        rpm2cpio "$ws"/packages/gn8v-tee-release-*.rpm | cpio -i --to-stdout --quiet ./etc/yum.repos.d/gn8v-tee.repo > "$SCRATCH/repo"
        for line in baseurl=https://h.example/repo gpgcheck=1 repo_gpgcheck=1 gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-gn8v-tee; do
                grep -qx "$line.*" "$SCRATCH/repo"
        done
        rpm2cpio "$ws"/packages/gn8v-tee-release-*.rpm | cpio -i --to-stdout --quiet ./etc/pki/rpm-gpg/RPM-GPG-KEY-gn8v-tee |
                gpg --homedir "$SCRATCH/gpg" --batch --with-colons --show-keys | has "$fpr"
}

lint() {
        local rc=0
        bash "$SOURCE/tests/e2e/rpmlint.sh" "$WS"/packages/*.rpm "$SCRATCH"/own/packages/*.rpm || rc=$?
        [ "$rc" != 77 ] || skip_scenario "no rpmlint"
        return "$rc"
}

# As mock does it: executed with a config_opts. They include nothing, so that a path to one is enough anywhere.
mock_configurations() {
        python3 - "$SOURCE/mock-configs" <<'PYTHON'
import configparser, glob, os, sys
base = sys.argv[1]
roots = set()
def text(path):
    return open(path, encoding="utf-8").read()
files = sorted(glob.glob(base + "/*.cfg"))
assert len(files) >= 3
for path in files:
    o = {}
    exec(compile(text(path), path, "exec"), {"config_opts": o})
    for key in ("root", "target_arch", "legal_host_arches", "chroot_setup_cmd", "dist", "releasever", "package_manager", "dnf.conf", "use_bootstrap"):
        assert key in o, (path, key)
    assert "x86_64" in o["legal_host_arches"] and o["package_manager"] == "dnf" and o["chroot_setup_cmd"].startswith("install ")
    assert o["root"] not in roots and os.path.basename(path) == o["root"].replace("gn8v-", "", 1) + ".cfg", path
    roots.add(o["root"])
    dnf = configparser.RawConfigParser()
    dnf.read_string(o["dnf.conf"].replace("{{ gn8v_mirror }}", o["gn8v_mirror"]))
    repos = [s for s in dnf.sections() if s != "main"]
    wanted = {"alinux3-os", "alinux3-updates", "alinux3-module", "alinux3-plus", "alinux3-powertools", "epel"} if "alinux3" in path \
        else {"baseos", "appstream", "powertools", "epel"}
    assert set(repos) == wanted, repos
    assert dnf["main"]["module_platform_id"] == ("platform:al8" if "alinux3" in path else "platform:el8")
    for r in repos:
        assert dnf[r]["gpgcheck"] == "1" and dnf[r]["gpgkey"] and ("baseurl" in dnf[r] or "metalink" in dnf[r]), (path, r)
# The one for inside the cloud is the public one with another mirror, and stays so.
public, inside = ([l for l in text(f"{base}/alinux3{kind}-x86_64.cfg").splitlines() if not l.startswith(("#", "config_opts['root']", "config_opts['gn8v_mirror']"))]
                  for kind in ("", "-vpc"))
assert public == inside
PYTHON
}

# The way through mock, with a stand-in for it that rebuilds the source package with the gn8v-tee-repo of the additional repository, as mock
# would after installing it: what is right here is what we give to mock, in which order, and what we take from it.
through_mock() {
        local ws=$SCRATCH/mocked
        command -v createrepo_c > /dev/null || skip_scenario "no createrepo_c"
        mkdir -p "$ws" "$SCRATCH/bin"
        cp -a "$WS/locks" "$WS/store" "$ws/"
        cat > "$SCRATCH/bin/mock" <<STAND_IN
#!/bin/bash
set -euo pipefail
echo "\$*" >> "$SCRATCH/mock.log"
repo="" result="" srpm="" root=""
while [ \$# -gt 0 ]; do
        case \$1 in
        -r) shift ;;
        --uniqueext) root=\$2; shift ;;
        --configdir) [ -s "\$2/alinux3-x86_64.cfg" ]; shift ;;
        --resultdir) result=\$2; shift ;;
        --rebuild) srpm=\$2; shift ;;
        --addrepo=file://*) repo=\${1#--addrepo=file://} ;;
        *) echo "unknown: \$1" >&2; exit 5 ;;
        esac
        shift
done
# One build at a time in a build root, as in mock's own.
exec 9> "$SCRATCH/mock-root.\$root"
flock -n 9 || { echo "ERROR: Build root is locked by another process."; exit 60; }
if [ -e "$SCRATCH/mock-fails" ]; then
        mkdir -p "\$result"
        printf 'Building for target\nerror: the disk is on fire\nChild return code was: 1\nEXCEPTION: [Error]\nTraceback\n' > "\$result/build.log"
        echo "ERROR: Command failed"
        exit 1
fi
top=\$(mktemp -d "$SCRATCH/mock.XXXXXX")
if rpm -qp --requires "\$srpm" | grep -x gn8v-tee-repo > /dev/null; then
        [ -s "\$repo/repodata/repomd.xml" ]
        (cd "\$top" && rpm2cpio "\$repo"/gn8v-tee-repo-*.rpm | cpio -id --quiet './usr/bin/gn8v-tee-repo' './usr/libexec/gn8v-tee-repo/*')
fi
mkdir -p "\$result"
# One source of the programs is compiled once, and without optimization: what they are is not asked here.
built="$SCRATCH/mock-built.\$(rpm -qp --qf '[%{FILENAMES} %{FILEDIGESTS}\n]' "\$srpm" | sha256sum | cut -c 1-16)"
if [ ! -e "\$built" ] || [[ \$srpm != */gn8v-tee-[0-9]* ]]; then
        rpmbuild --quiet --rebuild --nodeps --define "_topdir \$top" --define "dist .el8" --define "optflags -O0" --define "gn8v_tee_repo \$top/usr/bin/gn8v-tee-repo" "\$srpm"
        rm -rf "\$built"
        mv "\$top/RPMS" "\$built"
else
        echo "\$srpm" >> "$SCRATCH/mock-again"
fi
cp "\$srpm" "\$built"/*/*.rpm "\$result/"
rm -rf "\$top"
STAND_IN
        chmod +x "$SCRATCH/bin/mock"
        PATH=$SCRATCH/bin:$PATH AT=$ws refuses run_repo build --mock alinux3-x86_64
        said 'source'
        # What the build inside has said is in a log of mock's own.
        touch "$SCRATCH/mock-fails"
        PATH=$SCRATCH/bin:$PATH AT=$ws refuses run_repo build --mock alinux3-x86_64 --own --source "$DIST"
        said 'the disk is on fire'
        ! grep Traceback "$SCRATCH/output" || die "mock's call stack was shown"
        grep -h 'the disk is on fire' "$ws"/logs/gn8v-tee-*.log
        rm "$SCRATCH/mock-fails" "$SCRATCH/mock.log"
        # Two versions of one package side by side, each in a build root of its own.
        PATH=$SCRATCH/bin:$PATH AT=$ws run_repo build -j 4 --mock alinux3-x86_64 --source "$DIST"
        # The programs first, then what they build.
        head -1 "$SCRATCH/mock.log" | has -e '-r alinux3-x86_64 .*--configdir .* --rebuild .*/gn8v-tee-[0-9].*\.src\.rpm'
        ls "$ws"/packages/gn8v-tee-repo-*.el8.x86_64.rpm "$ws"/packages/gn8v-tee-driver-*.rpm
        ! ls "$ws"/packages/*.src.rpm || die "a source package among the packages"
        ! ls -d "$ws"/.build-* || die "something is left of the builds"
        # The vendor's files are the same whichever way they were built.
        for f in "$WS"/packages/gn8v-tee-driver-*.rpm; do
                rpm -qp --qf '[%{FILENAMES} %{FILEMODES:octal} %{FILEDIGESTS} %{FILELINKTOS}\n]' "$f" > "$SCRATCH/native"
                rpm -qp --qf '[%{FILENAMES} %{FILEMODES:octal} %{FILEDIGESTS} %{FILELINKTOS}\n]' "$ws/packages/${f##*/}" | cmp - "$SCRATCH/native"
        done
        # Built for this machine: one version is there once, in the newest way it was built.
        AT=$ws run_repo build --own --source "$DIST" > /dev/null
        # And in another place than before, with other programs there: the same bytes.
        for f in "$SCRATCH"/own/packages/gn8v-tee{,-repo,-attest}-[0-9]*.rpm; do cmp "$f" "$ws/packages/${f##*/}"; done
        [ "$(find "$ws/packages" -name 'gn8v-tee-repo-*.rpm' | wc -l)" = 1 ]
        PATH=$SCRATCH/bin:$PATH AT=$ws run_repo build --mock alinux3-x86_64 --own --source "$DIST" > /dev/null
        [ "$(find "$ws/packages" -name 'gn8v-tee-repo-*.rpm*' | grep -c el8)" = 2 ]
        # Without the tarball: the programs of the earlier run.
        PATH=$SCRATCH/bin:$PATH AT=$ws run_repo build --mock alinux3-x86_64 --force > /dev/null
        # By its path.
        PATH=$SCRATCH/bin:$PATH AT=$ws run_repo build --mock "$SOURCE/mock-configs/alinux3-x86_64.cfg" --own --source "$DIST" > /dev/null
        tail -1 "$SCRATCH/mock.log" | has -e "-r $SOURCE/mock-configs/alinux3-x86_64.cfg "
        # The same sources went into the source package each time.
        [ "$(wc -l < "$SCRATCH/mock-again")" = 2 ]
}

mock_accepts_them() {
        command -v mock > /dev/null || skip_scenario "no mock"
        # Of root it wants to know who called it, to drop to.
        if [ "$(id -u)" = 0 ]; then export SUDO_UID=${SUDO_UID:-65534}; fi
        for c in "$SOURCE"/mock-configs/*.cfg; do
                mock --configdir "$SOURCE/mock-configs" -r "$(basename "$c" .cfg)" --debug-config > "$SCRATCH/output"
                said "gn8v-"
        done
}

scenario "look-alikes are made, locked and fetched" prepare
scenario "every package is built" everything
scenario "a second build does nothing" again_is_nothing
scenario "two builds give the same bytes" reproducible
scenario "records agree with packages and locks" records_are_right
scenario "metapackages require every pin exactly" requirements_are_exact
scenario "modes, licences, scriptlets, conflicts" files_are_as_they_should_be
scenario "manifests are one package" manifests
scenario "specs, scriptlets and mock configurations hold no version" specs_have_no_version
scenario "one more release file is one more package" one_more_release
scenario "a macro in a release file is refused" hostile_values
scenario "a broken archive: log kept, nothing left" broken_archive
scenario "too small a disk is told before" disk_too_small
scenario "what is missing is named" missing_things
scenario "a signal ends the build and leaves nothing" interrupted
scenario "one build at a time" one_at_a_time
scenario "the project's own packages" own_packages
scenario "rpmlint finds no error" lint
scenario "through mock: order, repository, results" through_mock
scenario "mock configurations are valid" mock_configurations
scenario "mock accepts the configurations" mock_accepts_them
finish
