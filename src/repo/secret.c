/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/secret.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define SECRET_MAX 4096

char *secret_free(char *s) {
        if (s)
                explicit_bzero(s, strlen(s));
        free(s);
        return NULL;
}

bool secret_is_there(const SecretSource *s) {
        return s->file || s->fd_given || s->ask;
}

char *secret_file_warning(int fd, const char *path) {
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) ? format("%s: others than its owner can read it: chmod 600", path) : NULL;
}

/* Not by read_fd(): what that grows into is given back as it is. */
static int read_line(int fd, const char *name, char **ret, Error *e) {
        char *line = calloc(1, SECRET_MAX + 1);
        size_t size = 0;
        ssize_t n = 1;

        if (!line)
                return error_oom(e);
        while (n != 0 && size <= SECRET_MAX) {
                n = read(fd, line + size, SECRET_MAX + 1 - size);
                if (n < 0 && errno != EINTR)
                        break;
                size += n > 0 ? (size_t) n : 0;
        }
        if (n >= 0 && size <= SECRET_MAX) {
                line[strcspn(line, "\r\n")] = '\0';
                if (*line) {
                        *ret = line;
                        return 0;
                }
        }
        explicit_bzero(line, SECRET_MAX + 1);
        free(line);
        if (n < 0)
                return error_errno(e, errno, "%s", name);
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, size > SECRET_MAX ? "%s: too large for a passphrase" : "%s: no passphrase in its first line", name),
                          "write the passphrase there, alone in the first line");
}

int secret_read(const SecretSource *s, const char *what, char **ret, char **ret_warning, Error *e) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        *ret = NULL;
        if (s->fd_given) {
                _cleanup_free_ char *name = format("--passphrase-fd %d", s->fd);

                return name ? read_line(s->fd, name, ret, e) : error_oom(e);
        }
        if (!s->file)
                return s->ask ? s->ask(what, ret, e) : 0;
        fd = open(s->file, O_RDONLY | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_errno(e, errno, "%s", s->file);
        if (S_ISDIR(st.st_mode))
                return error_set(e, EISDIR, EXIT_INVALID, "%s: a directory, where the passphrase of %s is wanted", s->file, what);
        if ((r = read_line(fd, s->file, ret, e)) < 0)
                return r;
        if (ret_warning)
                *ret_warning = secret_file_warning(fd, s->file);
        return 0;
}
