/* SPDX-License-Identifier: Apache-2.0 */
#include "node/repository.h"

#include <inttypes.h>

#define CACHE      "/var/cache/dnf"
#define ID         "gn8v-tee-" /* of the section in gn8v-tee.repo; dnf appends a digest of its URLs */
#define REPOMD_MAX ((size_t) 1024 * 1024)

/* The newest one's path, owned by the caller; NULL in *ret: none. */
static int find_repomd(Node *n, char **ret) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *newest = NULL;
        struct timespec newest_time = {};
        int r = node_list(n, CACHE, &names);

        if (r < 0)
                return r;
        STRV_FOREACH(name, names) {
                _cleanup_free_ char *path = NULL;
                struct stat st;

                if (!startswith(*name, ID))
                        continue;
                if (!(path = format(CACHE "/%s/repodata/repomd.xml", *name)))
                        return -ENOMEM;
                if (node_stat(n, path, &st) < 0 || !S_ISREG(st.st_mode))
                        continue;
                if (newest && (st.st_mtim.tv_sec < newest_time.tv_sec ||
                               (st.st_mtim.tv_sec == newest_time.tv_sec && st.st_mtim.tv_nsec <= newest_time.tv_nsec)))
                        continue;
                free(newest);
                newest = TAKE_PTR(path);
                newest_time = st.st_mtim;
        }
        *ret = TAKE_PTR(newest);
        return 0;
}

/* Content tags alone: dnf has checked the signature, and read the rest. */
static int read_tags(char *text, Freshness *ret) {
        static const char open[] = "<content>", close[] = "</content>";
        Freshness f = {};

        for (char *p = text, *end; (p = strstr(p, open)); p = end + 1) {
                p += strlen(open);
                end = strstr(p, close);
                if (!end)
                        return -EBADMSG;
                *end = '\0';
                if (freshness_take(&f, p) < 0)
                        return -EBADMSG;
        }
        *ret = f;
        return 0;
}

int repository_freshness(Node *n, Freshness *ret, Error *e) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r = find_repomd(n, &path);

        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_errno(e, -r, CACHE);
        *ret = (Freshness){};
        if (!path)
                return 0;
        r = node_read(n, path, REPOMD_MAX, &text, NULL);
        if (r >= 0)
                r = read_tags(text, ret);
        if (r == -EBADMSG || r == -EFBIG)
                return error_hint(e, error_set(e, -r, EXIT_INVALID, "%s: its serial or date of expiry is malformed", path), "yum clean metadata");
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

uint64_t repository_known(Node *n) {
        _cleanup_free_ char *text = NULL;
        uint64_t serial = 0;

        if (node_read(n, NODE_SERIAL_PATH, 64, &text, NULL) < 0)
                return 0;
        text[strcspn(text, "\n")] = '\0';
        return parse_u64(text, &serial) < 0 ? 0 : serial;
}

int repository_remember(Node *n, Error *e) {
        _cleanup_free_ char *text = NULL;
        Freshness f;
        int r = repository_freshness(n, &f, e);

        if (r < 0 || f.serial <= repository_known(n))
                return r;
        if (!(text = format("%" PRIu64 "\n", f.serial)))
                return error_oom(e);
        r = node_write(n, NODE_SERIAL_PATH, text, strlen(text), 0644);
        return r < 0 ? error_errno(e, -r, NODE_SERIAL_PATH) : 0;
}
