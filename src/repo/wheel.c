/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/wheel.h"

#include <ctype.h>

#include "basic/fs.h"
#include "repo/archive.h"

#define FILES_MAX 100000u

WheelRecord *wheel_record_free(WheelRecord *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_files; i++)
                free(r->files[i].path);
        free(r->files);
        free(r);
        return NULL;
}

static int compare(const void *a, const void *b) {
        return strcmp(((const WheelFile *) a)->path, ((const WheelFile *) b)->path);
}

WheelFile *wheel_record_find(const WheelRecord *r, const char *path) {
        const WheelFile key = { .path = (char *) path };
        return r->n_files ? bsearch(&key, r->files, r->n_files, sizeof(WheelFile), compare) : NULL;
}

static int base64url_digit(char c) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        const char *p = c ? strchr(digits, c) : NULL;
        return p ? (int) (p - digits) : -1;
}

/* 43 digits without padding are the 32 bytes of a SHA-256. */
static int digest_to_hex(const char *s, char ret[static SHA256_HEX_SIZE]) {
        unsigned bits = 0, have = 0;
        size_t n = 0;

        if (strlen(s) != 43)
                return -EBADMSG;
        for (; *s; s++) {
                int d = base64url_digit(*s);

                if (d < 0)
                        return -EBADMSG;
                bits = (bits << 6 | (unsigned) d) & 0xffff;
                have += 6;
                for (; have >= 4 && n < 64; have -= 4)
                        ret[n++] = "0123456789abcdef"[bits >> (have - 4) & 15];
        }
        ret[64] = '\0';
        return n == 64 && (bits & ((1u << have) - 1)) == 0 ? 0 : -EBADMSG;
}

/* The CSV field at *p, unquoted in place; *p moves behind its comma. NULL when malformed. */
static char *field(char **p) {
        char *s = *p, *to = s, *from = s;

        if (*from == '"') {
                for (from++; *from; from++) {
                        if (*from == '"' && from[1] != '"')
                                break;
                        if (*from == '"')
                                from++;
                        *to++ = *from;
                }
                if (*from++ != '"')
                        return NULL;
        } else {
                from += strcspn(from, ",");
                to = from;
        }
        if (*from != ',' && *from != '\0')
                return NULL;
        *p = *from ? from + 1 : from;
        *to = '\0';
        return s;
}

static int parse_line(char *line, WheelFile *f) {
        char *path = field(&line), *digest = path ? field(&line) : NULL, *size = digest ? field(&line) : NULL;
        const char *hash;

        if (!size || *line || !path_is_safe(path) || !text_is_printable(path))
                return -EBADMSG;
        if (*digest) {
                if (!(hash = startswith(digest, "sha256=")) || digest_to_hex(hash, f->sha256) < 0 || parse_u64(size, &f->size) < 0)
                        return -EBADMSG;
        } else if (!endswith(path, ".dist-info/RECORD") && !endswith(path, ".dist-info/RECORD.jws") && !endswith(path, ".dist-info/RECORD.p7s"))
                return -EBADMSG;
        return (f->path = strdup(path)) ? 0 : -ENOMEM;
}

static int refuse(const char *name, unsigned line, Error *e) {
        return error_set(e, EBADMSG, EXIT_INVALID, "%s, line %u: not 'PATH,sha256=DIGEST,SIZE', or a path named twice", name, line);
}

int wheel_record_parse(const char *name, const char *data, size_t size, WheelRecord **ret, Error *e) {
        _cleanup_(wheel_record_freep) WheelRecord *record = calloc(1, sizeof(WheelRecord));
        const char *end = data + size;
        size_t allocated = 0;
        unsigned n = 0;
        int r;

        if (!record)
                return error_oom(e);
        while (data < end) {
                const char *lf = memchr(data, '\n', (size_t) (end - data)) ?: end;
                _cleanup_free_ char *line = strndup(data, (size_t) (lf - data));

                n++;
                if (!line)
                        return error_oom(e);
                if (strlen(line) != (size_t) (lf - data) || record->n_files >= FILES_MAX)
                        return refuse(name, n, e);
                line[strcspn(line, "\r")] = '\0';
                data = lf < end ? lf + 1 : end;
                if (!*line)
                        continue;
                if (record->n_files == allocated) {
                        WheelFile *grown = reallocarray(record->files, allocated = allocated ? allocated * 2 : 64, sizeof(WheelFile));
                        if (!grown)
                                return error_oom(e);
                        record->files = grown;
                }
                record->files[record->n_files] = (WheelFile){};
                if ((r = parse_line(line, &record->files[record->n_files])) < 0)
                        return r == -ENOMEM ? error_oom(e) : refuse(name, n, e);
                record->n_files++;
        }
        if (record->n_files > 0)
                qsort(record->files, record->n_files, sizeof(WheelFile), compare);
        for (size_t i = 1; i < record->n_files; i++)
                if (streq(record->files[i - 1].path, record->files[i].path))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: '%s' is named twice", name, record->files[i].path);
        *ret = TAKE_PTR(record);
        return 0;
}

int wheel_metadata_get(const char *metadata, const char *header, char **ret) {
        size_t n = strlen(header);

        for (const char *p = metadata; *p && *p != '\n' && *p != '\r';) {
                size_t length = strcspn(p, "\r\n");

                if (length > n && strncasecmp(p, header, n) == 0 && p[n] == ':') {
                        const char *value = p + n + 1 + strspn(p + n + 1, " \t");
                        char *copy = value > p + length ? strdup("") : strndup(value, (size_t) (p + length - value));

                        if (!copy)
                                return -ENOMEM;
                        *ret = copy;
                        return 0;
                }
                p += length;
                p += *p == '\r';
                p += *p == '\n';
        }
        return -ENOENT;
}
