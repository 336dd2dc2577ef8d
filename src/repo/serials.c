/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/serials.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/strings.h"

static int known_path(const char *workspace, const char *repo, const char *fingerprint, char **ret, Error *e) {
        _cleanup_free_ char *real = realpath(repo, NULL);
        char hex[SHA256_HEX_SIZE];

        if (!real)
                return error_errno(e, errno, "%s", repo);
        if (sha256_buffer(real, strlen(real), hex) < 0)
                return error_oom(e);
        *ret = format("%s/serials/%s-%.12s", workspace, fingerprint, hex);
        return *ret ? 0 : error_oom(e);
}

static int read_known(const char *path, uint64_t *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        int r = read_file(AT_FDCWD, path, 64, &text, NULL);

        *ret = 0;
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        text[strcspn(text, "\n")] = '\0';
        if (parse_u64(text, ret) < 0)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a serial", path), "find out who wrote it; then remove it");
        return 0;
}

int serial_known(const char *workspace, const char *repo, char *const *fingerprints, uint64_t *ret, Error *e) {
        uint64_t newest = 0;

        STRV_FOREACH(s, fingerprints) {
                _cleanup_free_ char *path = NULL;
                uint64_t known;
                int r;

                if ((r = known_path(workspace, repo, *s, &path, e)) < 0 || (r = read_known(path, &known, e)) < 0)
                        return r;
                newest = MAX(newest, known);
        }
        *ret = newest;
        return 0;
}

static int write_serial(const char *workspace, const char *path, uint64_t serial, Error *e) {
        _cleanup_free_ char *dir = path_join(workspace, "serials"), *text = format("%" PRIu64 "\n", serial);
        int r;

        if (!dir || !text)
                return error_oom(e);
        if ((r = mkdir_parents(AT_FDCWD, dir, 0755)) < 0 || (r = remove_temporaries(AT_FDCWD, dir, path_basename(path))) < 0 ||
            (r = write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644)) < 0)
                return error_errno(e, -r, "%s", path);
        return 0;
}

static int try_write(const char *workspace, const char *path, Error *e) {
        const char *base = path_basename(path);
        _cleanup_free_ char *dir = path_join(workspace, "serials"), *temp = format("%s/.%s.%d.tmp", dir ? dir : "", base, (int) getpid());
        bool made = dir && access(dir, F_OK) < 0;
        int r;

        if (!dir || !temp)
                return error_oom(e);
        if ((r = mkdir_parents(AT_FDCWD, dir, 0755)) >= 0 && (r = remove_temporaries(AT_FDCWD, dir, base)) >= 0) {
                r = write_file_new(AT_FDCWD, temp, "0\n", 2, 0600);
                if (unlink(temp) < 0 && r >= 0)
                        r = -errno;
        }
        if (made)
                (void) rmdir(dir); /* what comes before the switch may still fail */
        if (r >= 0)
                return 0;
        return error_hint(e, error_errno(e, -r, "%s", path), "nothing was published; let who publishes write to %s, then run it again", dir);
}

int serial_check(const char *workspace, const char *repo, char *const *fingerprints, uint64_t serial, Error *e) {
        STRV_FOREACH(s, fingerprints) {
                _cleanup_free_ char *path = NULL;
                uint64_t known;
                int r;

                if ((r = known_path(workspace, repo, *s, &path, e)) < 0 || (r = read_known(path, &known, e)) < 0)
                        return r;
                if (known < serial && (r = try_write(workspace, path, e)) < 0)
                        return r;
        }
        return 0;
}

/* back: also where a higher one is known. */
static int set_known(const char *workspace, const char *repo, char *const *fingerprints, uint64_t serial, bool back, Error *e) {
        STRV_FOREACH(s, fingerprints) {
                _cleanup_free_ char *path = NULL;
                uint64_t known;
                int r;

                if ((r = known_path(workspace, repo, *s, &path, e)) < 0 || (r = read_known(path, &known, e)) < 0)
                        return r;
                if ((back ? known != serial : known < serial) && (r = write_serial(workspace, path, serial, e)) < 0)
                        return r;
        }
        return 0;
}

int serial_remember(const char *workspace, const char *repo, char *const *fingerprints, uint64_t serial, Error *e) {
        return set_known(workspace, repo, fingerprints, serial, false, e);
}

int serial_go_back(const char *workspace, const char *repo, char *const *fingerprints, uint64_t serial, Error *e) {
        return set_known(workspace, repo, fingerprints, serial, true, e);
}
