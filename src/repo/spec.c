/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/spec.h"

#include <fcntl.h>
#include <time.h>

#include "basic/fs.h"

#define SPEC_MAX      ((size_t) 256 * 1024)
#define SCRIPTLET_MAX ((size_t) 64 * 1024)
/* rpm takes no changelog entry from before 1990. */
#define DATE_MIN      631152000

/* Set in every build. Nothing of the build machine (host, clock, path, rpm's defaults, which differ by distribution) may be seen in the result. */
static const char common[] =
        "%global _buildhost gn8v-tee-repo\n"
        "%global source_date_epoch_from_changelog 1\n"
        "%global use_source_date_epoch_as_buildtime 1\n"
        "%global clamp_mtime_to_source_date_epoch 1\n"
        /* EL8 and Fedora leave out entries that are two years old, and with the only one goes the date above. */
        "%global _changelog_trimtime 0\n"
        "%global _changelog_trimage 0\n"
        "%global build_mtime_policy clamp_to_source_date_epoch\n"
        /* Version 4 packages with SHA-256 everywhere; rpm 4.14 reads zstd, and level 3 costs a tenth of xz's time. */
        "%global _rpmformat 4\n"
        "%global _source_filedigest_algorithm 8\n"
        "%global _binary_filedigest_algorithm 8\n"
        "%global _source_payload w1.zstdio\n"
        "%global _binary_payload w3.zstdio\n"
        /* Debian's rpm knows none of these. */
        "%{!?_unitdir:%global _unitdir /usr/lib/systemd/system}\n"
        "%{!?_presetdir:%global _presetdir /usr/lib/systemd/system-preset}\n"
        "%{!?_modprobedir:%global _modprobedir /usr/lib/modprobe.d}\n"
        "%{!?gn8v_tee_repo:%global gn8v_tee_repo /usr/bin/gn8v-tee-repo}\n";

/* For what comes from a vendor: byte for byte what it was. */
static const char vendor[] =
        "%global debug_package %{nil}\n"
        "%global __strip /bin/true\n"
        "%global __os_install_post %{nil}\n"
        "%global _build_id_links none\n"
        "%global _missing_build_ids_terminate_build 0\n"
        "%global _binaries_in_noarch_packages_terminate_build 0\n"
        /* Plug-ins that only the driver itself opens are no library of anybody. */
        "%global __provides_exclude_from ^(/usr/lib64/(xorg|gbm|vdpau|nvidia)/|/usr/lib/(nvidia|firmware)/|/lib/firmware/).*$\n";

int spec_define(Text *t, const char *origin, const char *name, const char *value, Error *e) {
        if (value[0] == '\0' || value[0] == ' ' || value[0] == '{')
                goto refuse;
        for (const unsigned char *p = (const unsigned char *) value; *p; p++)
                if (*p < ' ' || *p == 0x7f || *p == '%' || *p == '\\' || *p == '"')
                        goto refuse;
        text_printf(t, "%%global %s %s\n", name, value);
        return 0;
refuse:
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: '%s' cannot be the value of %s in a spec", origin, value, name),
                          "leave out %%, \\, quotes and control characters");
}

/* For what becomes a file name or an EVR. */
static int define_word(Text *t, const char *origin, const char *name, const char *value, Error *e) {
        if (value[0] == '.' || value[0] == '-' || value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~-")])
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: '%s' cannot be part of a package's name (%s)", origin, value, name);
        return spec_define(t, origin, name, value, e);
}

static int define_version(Text *t, const char *origin, const char *version, const char *revision, Error *e) {
        int r;

        if (strchr(version, '-') || strchr(revision, '-'))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: version %s, revision %s: '-' is no part of either", origin, version, revision);
        r = define_word(t, origin, "gn8v_version", version, e);
        return r < 0 ? r : define_word(t, origin, "gn8v_revision", revision, e);
}

int spec_define_artifact(Text *t, const Release *release, const Artifact *a, Error *e) {
        _cleanup_free_ char *name = release_name(release), *branch = version_branch(a->version),
                            *major_minor = version_major_minor(a->version);
        int r;

        if (!name || !branch || !major_minor)
                return error_oom(e);
        text_append(t, vendor);
        if ((r = define_version(t, release->path, a->version, a->revision, e)) < 0 ||
            (r = define_word(t, release->path, "gn8v_release_name", name, e)) < 0 ||
            (r = define_word(t, release->path, "gn8v_artifact", a->name, e)) < 0 ||
            (r = define_word(t, release->path, "gn8v_artifact_file", a->filename, e)) < 0 ||
            (r = define_word(t, release->path, "gn8v_branch", branch, e)) < 0 ||
            (r = define_word(t, release->path, "gn8v_major_minor", major_minor, e)) < 0)
                return r;
        return spec_define(t, release->path, "gn8v_licence", a->licence, e);
}

/* "NAME = VERSION-REVISION, ..." of every package that comes from an artifact. */
static int pins(const Release *release, char **ret, Error *e) {
        _cleanup_text_ Text t = {};
        char *s;

        for (size_t i = 0; i < release->n_artifacts; i++) {
                const Artifact *a = release->artifacts[i];
                _cleanup_strv_ char **names = NULL;

                if (artifact_packages(a, &names) < 0)
                        return error_oom(e);
                STRV_FOREACH(name, names)
                        text_printf(&t, "%s%s = %s-%s", t.size > 0 ? ", " : "", *name, a->version, a->revision);
        }
        s = text_take(&t);
        if (!s)
                return error_oom(e);
        *ret = s;
        return 0;
}

/* Only recommended: a mirror may have been locked without them, and attestation also asks the service. */
static int recommend_rims(Text *t, const Release *release, Error *e) {
        _cleanup_strv_ char **ids = NULL;
        _cleanup_text_ Text list = {};
        _cleanup_free_ char *s = NULL;

        if (release_rims(release, &ids) < 0)
                return error_oom(e);
        if (!ids)
                return 0;
        STRV_FOREACH(id, ids)
                text_printf(&list, "%sgn8v-tee-rim(%s)", list.size > 0 ? ", " : "", *id);
        s = text_take(&list);
        return s ? spec_define(t, release->path, "gn8v_recommends", s, e) : error_oom(e);
}

int spec_define_release(Text *t, const Release *release, Error *e) {
        _cleanup_free_ char *name = release_name(release), *requires = NULL, *platform = NULL;
        int r;

        if (!name || !(platform = strv_join(release->platform_packages, ", ")))
                return error_oom(e);
        if ((r = pins(release, &requires, e)) < 0 ||
            (r = define_version(t, release->path, release->version, release->revision, e)) < 0 ||
            (r = define_word(t, release->path, "gn8v_release_name", name, e)) < 0 ||
            (r = define_word(t, release->path, "gn8v_profile", release->profile, e)) < 0 ||
            (r = spec_define(t, release->path, "gn8v_summary", release->summary, e)) < 0)
                return r;
        if (*requires && (r = spec_define(t, release->path, "gn8v_requires", requires, e)) < 0)
                return r;
        if ((r = recommend_rims(t, release, e)) < 0)
                return r;
        if (*platform && (r = spec_define(t, release->path, "gn8v_platform_requires", platform, e)) < 0)
                return r;
        return 0;
}

/* An %include line's file, without its comments: they explain the file, the package's reader gets the commands. */
static int include(Text *t, const char *specs_dir, const char *spec, const char *file, Error *e) {
        _cleanup_free_ char *path = path_join(specs_dir, file), *text = NULL;
        const char *name = startswith(file, "../scriptlets/");
        char *save = NULL;
        int r;

        if (!path)
                return error_oom(e);
        if (!name || !path_is_safe(name))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %%include %s: only ../scriptlets/NAME can be included", spec, file);
        r = read_file(AT_FDCWD, path, SCRIPTLET_MAX, &text, NULL);
        if (r < 0)
                return error_errno(e, -r, "%s (included by %s)", path, spec);
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (line[0] != '#')
                        text_printf(t, "%s\n", line);
        return 0;
}

static int append_body(Text *t, const char *specs_dir, const char *kind, Error *e) {
        _cleanup_free_ char *path = format("%s/%s.spec", specs_dir, kind), *text = NULL;
        int r;

        if (!path)
                return error_oom(e);
        r = read_file(AT_FDCWD, path, SPEC_MAX, &text, NULL);
        if (r < 0)
                return error_hint(e, error_errno(e, -r, "%s", path), "name the directory of the specs with --specs DIR");
        for (char *line = text, *next; line; line = next) {
                const char *file;

                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                file = startswith(line, "%include ");
                if (!file)
                        text_printf(t, "%s%s", line, next ? "\n" : "");
                else if ((r = include(t, specs_dir, path, file, e)) < 0)
                        return r;
        }
        return 0;
}

int spec_generate(const char *specs_dir, const char *kind, const char *definitions, int64_t date, const char *change, char **ret, Error *e) {
        _cleanup_text_ Text t = {};
        char day[64], *s;
        time_t seconds = (time_t) date;
        struct tm tm;
        int r;

        if (date < DATE_MIN || !gmtime_r(&seconds, &tm) || strftime(day, sizeof day, "%a %b %d %T UTC %Y", &tm) == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s.spec: a package's date must be 1990-01-01 or later", kind);
        text_printf(&t, "# Made by gn8v-tee-repo from %s.spec and what is pinned: change those, not this.\n%s%s\n", kind, common, definitions);
        r = append_body(&t, specs_dir, kind, e);
        if (r < 0)
                return r;
        /* With the time of day: rpm takes noon else, and mock, which is told no date, would make other bytes than rpmbuild here. */
        text_printf(&t, "\n%%changelog\n* %s gn8v-tee-repo <gn8v-tee@localhost> - %%{version}-%%{release}\n- %s\n", day, change);
        s = text_take(&t);
        if (!s)
                return error_oom(e);
        *ret = s;
        return 0;
}
