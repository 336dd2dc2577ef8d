/* SPDX-License-Identifier: Apache-2.0 */
/* The cuBLAS wheel. Who needs exactly this version are Python stacks, so the package has the wheel itself, as it was published, and a
 * constraints file that makes pip take that version (`pip install -c CONSTRAINTS --find-links WHEELS ...`). Programs without Python find
 * the libraries through the loader's configuration, in a directory of their own: the toolkit's package has files of the same names. */
#include <ctype.h>

#include "basic/fs.h"
#include "repo/wheel.h"
#include "repo/wrap-kind.h"

#define SHARE     "/usr/share/gn8v-tee"
#define LIBRARIES "nvidia/cublas/lib/"
#define HEADERS   "nvidia/cublas/include/"

/* NAME-VERSION.dist-info/FILE: the directory's length, or 0. */
static size_t dist_info(const char *name) {
        const char *slash = strchr(name, '/');
        size_t n = slash ? (size_t) (slash - name) : 0;
        return n > 10 && strncmp(name + n - 10, ".dist-info", 10) == 0 ? n : 0;
}

static bool is_dist_info(const char *name, const char *file) {
        size_t n = dist_info(name);
        return n > 0 && streq(name + n + 1, file);
}

static bool capture(const char *name) {
        return is_dist_info(name, "RECORD") || is_dist_info(name, "METADATA");
}

static int check_member(WrapContext *c, WheelRecord *record, const Member *m, Error *e) {
        WheelFile *f = wheel_record_find(record, m->name);

        if (m->kind != ARCHIVE_FILE)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: member '%s': a wheel has no links", c->archive, m->name);
        if (!f)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: '%s' is not in the wheel's RECORD", c->archive, m->name);
        f->seen = true;
        if (*f->sha256 && (!streq(f->sha256, m->sha256) || f->size != m->size))
                return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: '%s' has SHA-256 %s, but the wheel's RECORD says %s", c->archive, m->name,
                                 m->sha256, f->sha256);
        return 0;
}

static int check_record(WrapContext *c, Member *const *members, size_t n, const Member *m, Error *e) {
        _cleanup_(wheel_record_freep) WheelRecord *record = NULL;
        int r = wheel_record_parse(c->manifest_name, m->content, (size_t) m->size, &record, e);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                if ((r = check_member(c, record, members[i], e)) < 0)
                        return r;
        for (size_t i = 0; i < record->n_files; i++)
                if (!record->files[i].seen)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: '%s' of the wheel's RECORD is missing", c->archive, record->files[i].path);
        return 0;
}

/* Lower case, runs of '-', '_', '.' as one '-': how pip compares names. */
static void normalize(char *s) {
        char *to = s;

        for (char *p = s; *p; p++)
                if (!strchr("-_.", *p))
                        *to++ = (char) tolower((unsigned char) *p);
                else if (to == s || to[-1] != '-')
                        *to++ = '-';
        *to = '\0';
}

static int constraints(WrapContext *c, const Member *metadata, Error *e) {
        _cleanup_free_ char *name = NULL, *version = NULL;
        _cleanup_text_ Text t = {};

        if (wheel_metadata_get(metadata->content, "Name", &name) < 0 || wheel_metadata_get(metadata->content, "Version", &version) < 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: '%s' has no Name or no Version", c->archive, metadata->name);
        normalize(name);
        if (!startswith(name, "nvidia-cublas") || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not the cuBLAS wheel: its name is not nvidia-cublas...", c->archive);
        if (!streq(version, c->artifact->version)) {
                for (char *p = version; *p; p++)
                        *p = isprint((unsigned char) *p) ? *p : '?';
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: version %s, but the release says %s", c->archive, version,
                                               c->artifact->version), "give the wheel that the release file names");
        }
        text_printf(&t, "# pip install -c " SHARE "/constraints.txt --find-links " SHARE "/wheels ...\n%s==%s\n", name, version);
        return wrap_text(c, PACKAGE_CUBLAS, SHARE "/constraints.txt", 0644, &t, e);
}

static int place_members(WrapContext *c, Member *const *members, size_t n, const char *root, Error *e) {
        for (size_t i = 0; i < n; i++) {
                Member *m = members[i];
                const char *library = startswith(m->name, LIBRARIES), *header = startswith(m->name, HEADERS);
                _cleanup_free_ char *path = NULL;
                int r;

                if ((library && endswith(library, ".py")) || (header && endswith(header, ".py")) || (!library && !header)) {
                        c->plan->dropped++;
                        continue;
                }
                path = format("%s/%s/%s", root, library ? "lib" : "include", library ?: header);
                if (!path)
                        return error_oom(e);
                if ((r = plan_member(c->plan, PACKAGE_CUBLAS, 0, path, library ? 0755 : 0644, m, NULL, e)) < 0)
                        return r;
        }
        return 0;
}

static int own_files(WrapContext *c, const char *root, const char *branch, Error *e) {
        _cleanup_free_ char *wheel = format(SHARE "/wheels/%s", c->artifact->filename);
        _cleanup_free_ char *loader = format("/etc/ld.so.conf.d/gn8v-tee-cublas-%s.conf", branch);
        _cleanup_text_ Text t = {};
        int r;

        if (!wheel || !loader)
                return error_oom(e);
        text_printf(&t, "%s/lib\n", root);
        if ((r = wrap_text(c, PACKAGE_CUBLAS, loader, 0644, &t, e)) < 0)
                return r;
        return plan_archive(c->plan, PACKAGE_CUBLAS, wheel, e);
}

static int plan(WrapContext *c, Stage *s, Error *e) {
        _cleanup_free_ char *branch = version_major_minor(c->artifact->version), *root = NULL;
        Member *record = NULL, *metadata = NULL, *licence = NULL;
        size_t n;
        Member **members = stage_members(s, &n);
        int r;

        for (size_t i = 0; i < n; i++) {
                Member *m = members[i];
                const char *base = path_basename(m->name);

                if (is_dist_info(m->name, "RECORD"))
                        record = m;
                else if (is_dist_info(m->name, "METADATA"))
                        metadata = m;
                else if (dist_info(m->name) > 0 && strncasecmp(base, "licen", 5) == 0 && !licence)
                        licence = m;
        }
        if (!record || !record->content || !metadata || !metadata->content)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: no wheel: RECORD or METADATA is missing", c->archive);
        if (!branch || !(root = format("/usr/lib64/gn8v-tee/cublas-%s", branch)))
                return error_oom(e);
        if ((r = check_record(c, members, n, record, e)) < 0 || (r = constraints(c, metadata, e)) < 0 ||
            (r = place_members(c, members, n, root, e)) < 0 || (r = own_files(c, root, branch, e)) < 0)
                return r;
        return wrap_licence(c, PACKAGE_CUBLAS, 0, licence, e);
}

static void done(WrapContext *c) {
        (void) c;
}

const WrapFormat wrap_cublas = {
        .format = ARCHIVE_ZIP,
        .digest = true,
        .manifest = "RECORD",
        .packages = (const char *const[]){ PACKAGE_CUBLAS, NULL },
        .capture = capture,
        .plan = plan,
        .done = done,
};
