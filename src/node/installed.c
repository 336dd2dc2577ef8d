/* SPDX-License-Identifier: Apache-2.0 */
#include "node/installed.h"

#include <ctype.h>
#include <jansson.h>

#include "basic/fs.h"

#define LINKS_MAX 4 /* libnvidia-nscq.so -> .so.2 -> .so.2.0 -> .so.VERSION */
#define PROGRAM_MAX ((uint64_t) 512 * 1024 * 1024)
#define PIECE ((size_t) 128 * 1024)
#define VERSION_MAX 24
#define LOG_TAIL ((off_t) 256 * 1024)

static bool is_version(const char *s) {
        return isdigit((unsigned char) s[0]) && strlen(s) <= 32 && strspn(s, "0123456789.") == strlen(s);
}

char *link_version(Node *n, const char *path) {
        _cleanup_free_ char *current = strdup(path);

        for (unsigned i = 0; i < LINKS_MAX && current; i++) {
                _cleanup_free_ char *target = NULL;
                const char *slash = strrchr(current, '/'), *version;
                char *next;

                if (node_readlink(n, current, &target) < 0)
                        break;
                next = target[0] == '/' ? strdup(target) : format("%.*s/%s", (int) (slash - current), current, target);
                free(current);
                current = next;
                version = strstr(path_basename(target), ".so.");
                /* Two dots and more: not only the interface's number. */
                if (version && is_version(version + 4) && strchr(version + 4, '.') && strchr(strchr(version + 4, '.') + 1, '.') && current &&
                    node_exists(n, current))
                        return strdup(version + 4);
        }
        return NULL;
}

char *library_version(Node *n, const char *link) {
        static const char *const directories[] = { "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/local/lib64" };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                _cleanup_free_ char *path = format("%s/%s", directories[i], link);
                char *version = path ? link_version(n, path) : NULL;

                if (version)
                        return version;
        }
        return NULL;
}

int cuda_version_parse(const char *text, size_t size, char **ret) {
        json_t *document = json_loadb(text, size, 0, NULL);
        const char *version = json_string_value(json_object_get(json_object_get(document, "cuda"), "version"));
        char *copy = version && is_version(version) ? strdup(version) : NULL;

        json_decref(document);
        if (!copy)
                return -EBADMSG;
        *ret = copy;
        return 0;
}

char *cuda_version(Node *n, const char *root) {
        _cleanup_free_ char *path = format("%s/version.json", root), *text = NULL;
        char *version = NULL;
        size_t size;

        if (path && node_read(n, path, (size_t) 256 * 1024, &text, &size) >= 0)
                (void) cuda_version_parse(text, size, &version);
        return version;
}

/* NNN.N+.N+ at p, with a byte behind it that does not belong to it: its length, or 0. */
static size_t driver_version_at(const char *p, const char *end) {
        size_t n = 0, dots = 0;

        while (p + n < end && n < VERSION_MAX && (isdigit((unsigned char) p[n]) || p[n] == '.'))
                dots += p[n++] == '.';
        if (n < 7 || p + n == end || p[3] != '.' || dots != 2 || p[n - 1] == '.' || isalnum((unsigned char) p[n]))
                return 0;
        return n;
}

/* Reads through the file in pieces that overlap by a version and the bytes around it; behind the last one comes a NUL. look() returns -ENOENT
 * to go on. */
static int search_file(int fd, int (*look)(const char *data, size_t size, void *userdata), void *userdata) {
        const size_t overlap = VERSION_MAX + 2;
        _cleanup_free_ char *buffer = malloc(PIECE + overlap);
        size_t size = 0;

        if (!buffer)
                return -ENOMEM;
        for (uint64_t done = 0; done < PROGRAM_MAX;) {
                ssize_t got = read(fd, buffer + size, PIECE);
                int k;

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (got == 0)
                        buffer[size] = '\0';
                size += (size_t) MAX(got, (ssize_t) 1);
                k = look(buffer, size, userdata);
                if (k != -ENOENT || got == 0)
                        return k;
                done += (uint64_t) got;
                if (size > overlap) {
                        memmove(buffer, buffer + size - overlap, overlap);
                        size = overlap;
                }
        }
        return -ENOENT;
}

static int look_for(const char *data, size_t size, void *userdata) {
        return memmem(data, size, userdata, strlen(userdata)) ? 0 : -ENOENT;
}

static int look_for_any(const char *data, size_t size, void *userdata) {
        const char *end = data + size;

        /* By its first dot, behind three digits. */
        for (const char *p = data + 3; p < end && (p = memchr(p, '.', (size_t) (end - p))); p++) {
                const char *start = p - 3;
                size_t n;

                if (!isdigit((unsigned char) start[0]) || (start > data && (isalnum((unsigned char) start[-1]) || start[-1] == '.')))
                        continue;
                n = driver_version_at(start, end);
                if (n == 0)
                        continue;
                *(char **) userdata = strndup(start, n);
                return *(char **) userdata ? 0 : -ENOMEM;
        }
        return -ENOENT;
}

char *program_version(Node *n, const char *path, const char *expected) {
        _cleanup_close_ int fd = node_open_file(n, path);
        char *version = NULL;

        if (fd < 0)
                return NULL;
        if (search_file(fd, look_for, (void *) expected) == 0)
                return strdup(expected);
        if (lseek(fd, 0, SEEK_SET) == 0)
                (void) search_file(fd, look_for_any, &version);
        return version;
}

char *logged_version(Node *n, const char *path, const char *words) {
        _cleanup_close_ int fd = node_open_file(n, path);
        _cleanup_free_ char *text = NULL, *version = NULL;
        const char *last = NULL;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || (st.st_size > LOG_TAIL && lseek(fd, st.st_size - LOG_TAIL, SEEK_SET) < 0) ||
            read_fd(fd, (size_t) LOG_TAIL * 2, &text, NULL) < 0)
                return NULL;
        for (const char *p = text; (p = strstr(p, words)); p += strlen(words))
                last = p + strlen(words);
        version = last ? strndup(last, strspn(last, "0123456789.")) : NULL;
        return version && is_version(version) ? TAKE_PTR(version) : NULL;
}
