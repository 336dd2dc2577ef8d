/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/payload.h"

#include <rpm/rpmfiles.h>
#include <sys/stat.h>

#include "basic/strings.h"

#define PGPHASH_SHA256 8 /* RFC 4880, 9.4 */

static int differs(const RpmFile *f, const char *path, const char *what, Error *e) {
        return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s: %s", f->path, path, what);
}

static mode_t type_of(const WrapFile *w) {
        return w->kind == WRAP_FILE ? S_IFREG : w->kind == WRAP_LINK ? S_IFLNK : S_IFDIR;
}

static bool same_digest(rpmfiles files, int i, const char *sha256) {
        static const char digits[] = "0123456789abcdef";
        const unsigned char *d;
        char hex[SHA256_HEX_SIZE] = "";
        size_t length = 0;
        int algorithm = 0;

        d = rpmfilesFDigest(files, i, &algorithm, &length);
        if (!d || algorithm != PGPHASH_SHA256 || length != (SHA256_HEX_SIZE - 1) / 2)
                return false;
        for (size_t k = 0; k < length; k++) {
                hex[2 * k] = digits[d[k] >> 4];
                hex[2 * k + 1] = digits[d[k] & 15];
        }
        return streq(hex, sha256);
}

static int compare_file(const RpmFile *f, rpmfiles files, int i, const WrapFile *w, Error *e) {
        mode_t mode = rpmfilesFMode(files, i);
        const char *user = rpmfilesFUser(files, i), *group = rpmfilesFGroup(files, i), *link = rpmfilesFLink(files, i);

        if ((mode & S_IFMT) != type_of(w))
                return differs(f, w->path, "it is another kind of file than in the archive", e);
        if (w->kind != WRAP_LINK && (mode & 07777) != w->mode)
                return differs(f, w->path, "its mode is not the archive's", e);
        if (!user || !group || !streq(user, "root") || !streq(group, "root"))
                return differs(f, w->path, "it does not belong to root", e);
        if (w->kind == WRAP_LINK && (!link || !w->target || !streq(link, w->target)))
                return differs(f, w->path, "it links to something else than in the archive", e);
        if (w->kind == WRAP_FILE && (rpmfilesFSize(files, i) != w->size || !same_digest(files, i, w->sha256)))
                return differs(f, w->path, "its content is not the archive's", e);
        return 0;
}

static int compare_path(const void *key, const void *item) {
        return strcmp(key, ((const WrapFile *) item)->path);
}

/* A directory may belong to two packages of one archive. */
static const WrapFile *find_file(const WrapList *list, const char *path, const char *package) {
        const WrapFile *w = list->n_files > 0 ? bsearch(path, list->files, list->n_files, sizeof(*w), compare_path) : NULL;

        while (w && w > list->files && streq(w[-1].path, path))
                w--;
        for (; w && w < list->files + list->n_files && streq(w->path, path); w++)
                if (streq(w->package, package))
                        return w;
        return NULL;
}

/* The metapackage's own licence text, which rpm's %license puts there: no release or archive has it. */
static bool is_own_licence(rpmfiles files, int i, const char *path) {
        mode_t mode = rpmfilesFMode(files, i);

        if (!startswith(path, "/usr/share/licenses/gn8v-tee-"))
                return false;
        return S_ISDIR(mode) || ((rpmfilesFFlags(files, i) & RPMFILE_LICENSE) && S_ISREG(mode) && (mode & 07777) == 0644);
}

static int compare_all(const RpmFile *f, rpmfiles files, const WrapList *list, const char *package, Error *e) {
        size_t wanted = 0, seen = 0;

        for (size_t i = 0; i < list->n_files; i++)
                wanted += streq(list->files[i].package, package);
        for (int i = 0, n = (int) rpmfilesFC(files); i < n; i++) {
                _cleanup_free_ char *path = rpmfilesFN(files, i);
                const WrapFile *w = path ? find_file(list, path, package) : NULL;
                int r;

                if (!w && path && streq(package, PACKAGE_META) && is_own_licence(files, i, path))
                        continue;
                if (!w)
                        return differs(f, path ? path : "?", "it is not in the archive", e);
                r = compare_file(f, files, i, w, e);
                if (r < 0)
                        return r;
                seen++;
        }
        /* rpm has no path twice. */
        if (seen != wanted)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %zu files of the archive are not in it", f->path, wanted - seen);
        return 0;
}

int payload_compare(const RpmFile *f, const WrapList *list, const char *package, Error *e) {
        rpmfiles files = rpmfilesNew(NULL, f->header, RPMTAG_BASENAMES, RPMFI_FLAGS_QUERY);
        int r;

        if (!files)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its file list is malformed", f->path);
        r = compare_all(f, files, list, package, e);
        rpmfilesFree(files);
        return r;
}
