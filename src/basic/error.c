/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/error.h"

#include "basic/strings.h"

void error_clear(Error *e) {
        free(e->message);
        free(e->hint);
        *e = ERROR_INIT;
}

int error_set(Error *e, int errnum, ExitCode code, const char *fmt, ...) {
        if (e && !e->message) {
                va_list ap;

                va_start(ap, fmt);
                e->message = format_va(fmt, ap);
                va_end(ap);
                e->code = code;
        }
        return -errnum;
}

int error_errno(Error *e, int errnum, const char *fmt, ...) {
        ExitCode code = errnum == ENOSPC || errnum == EDQUOT ? EXIT_NO_SPACE : EXIT_FAILED;
        _cleanup_free_ char *what = NULL;
        va_list ap;

        va_start(ap, fmt);
        what = format_va(fmt, ap);
        va_end(ap);
        return error_set(e, errnum, code, "%s: %s", what ? what : fmt, strerror(errnum));
}

int error_unreadable(Error *e, int errnum, const char *path) {
        switch (errnum) {
        case EISDIR: return error_set(e, errnum, EXIT_INVALID, "%s: is a directory, not a file", path);
        case EINVAL: return error_set(e, errnum, EXIT_INVALID, "%s: not a plain file", path);
        case ELOOP: return error_set(e, errnum, EXIT_INVALID, "%s: its symbolic links lead to no file", path);
        case EFBIG: return error_set(e, errnum, EXIT_INVALID, "%s: much too large for what it should be", path);
        default: return error_errno(e, errnum, "%s", path);
        }
}

int error_hint(Error *e, int r, const char *fmt, ...) {
        if (e && e->message && !e->hint) {
                va_list ap;

                va_start(ap, fmt);
                e->hint = format_va(fmt, ap);
                va_end(ap);
        }
        return r;
}

int error_oom(Error *e) {
        return error_set(e, ENOMEM, EXIT_FAILED, "out of memory");
}
