/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/makeself.h"

#include <ctype.h>
#include <sys/stat.h>

#include "basic/strings.h"

typedef struct Header {
        uint64_t lines;   /* N of skip= or head -n N; 0: not found */
        uint64_t payload; /* sum of filesizes=; 0: not said */
        bool skip;        /* from skip=, whose meaning depends on who wrote the script */
} Header;

static bool is_payload(const char *p, size_t size) {
        static const struct {
                size_t at, size;
                const char *magic;
        } magics[] = {
                { 0, 6, "\xfd"  "7zXZ\0" },
                { 0, 4, "\x28\xb5\x2f\xfd" },
                { 0, 2, "\x1f\x8b" },
                { 0, 3, "BZh" },
                { 257, 5, "ustar" },
        };
        for (size_t i = 0; i < ELEMENTSOF(magics); i++)
                if (size >= magics[i].at + magics[i].size && memcmp(p + magics[i].at, magics[i].magic, magics[i].size) == 0)
                        return true;
        return false;
}

/* The number at p (quotes allowed around it), or 0. */
static uint64_t number_at(const char *p, const char *end) {
        uint64_t n = 0;

        if (p < end && (*p == '"' || *p == '\''))
                p++;
        for (; p < end && isdigit((unsigned char) *p); p++)
                if (n > UINT64_MAX / 20)
                        return 0;
                else
                        n = n * 10 + (uint64_t) (*p - '0');
        return n;
}

/* A list of sizes: filesizes="1 2 3". */
static uint64_t sum_at(const char *p, const char *end) {
        uint64_t sum = 0, n;

        if (p < end && *p == '"')
                p++;
        while (p < end && isdigit((unsigned char) *p)) {
                n = number_at(p, end);
                if (n == 0 || __builtin_add_overflow(sum, n, &sum))
                        return 0;
                while (p < end && isdigit((unsigned char) *p))
                        p++;
                while (p < end && *p == ' ')
                        p++;
        }
        return sum;
}

static const char *after(const char *line, const char *end, const char *word) {
        size_t n = strlen(word);
        const char *p = memmem(line, (size_t) (end - line), word, n);

        return p ? p + n : NULL;
}

static void parse_line(const char *line, const char *end, Header *h) {
        const char *p;

        if (h->lines == 0 && end - line > 5 && memcmp(line, "skip=", 5) == 0) {
                h->lines = number_at(line + 5, end);
                h->skip = true;
        } else if (h->payload == 0 && end - line > 10 && memcmp(line, "filesizes=", 10) == 0)
                h->payload = sum_at(line + 10, end);
        else if (h->lines == 0 && (p = after(line, end, "offset=`head -n ")))
                h->lines = number_at(p, end); /* 0 for a variable: then skip= is elsewhere */
}

/* Behind the first n lines, or NULL. */
static const char *skip_lines(const char *head, const char *end, uint64_t n) {
        for (; n > 0 && head; n--) {
                const char *lf = memchr(head, '\n', (size_t) (end - head));
                head = lf ? lf + 1 : NULL;
        }
        return head;
}

static const char *find_payload(const char *head, const char *end, const Header *h) {
        /* NVIDIA's makeself counts to the first line of the payload, the usual one counts the header's lines: the magic decides. */
        for (uint64_t lines = h->skip ? h->lines - 1 : h->lines; lines <= h->lines; lines++) {
                const char *p = skip_lines(head, end, lines);
                if (p && is_payload(p, (size_t) (end - p)))
                        return p;
        }
        return NULL;
}

int makeself_parse(const char *name, const char *head, size_t size, uint64_t file_size, MakeselfPayload *ret, Error *e) {
        const char *end = head + size, *payload;
        Header h = {};
        uint64_t offset;

        if (size < 4 || memcmp(head, "#!", 2) != 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a self-extracting archive: it does not begin with #!", name);
        for (const char *line = head, *lf; (lf = memchr(line, '\n', (size_t) (end - line))); line = lf + 1) {
                if (memchr(line, '\0', (size_t) (lf - line)))
                        break; /* the script is over */
                parse_line(line, lf, &h);
        }
        if (h.lines == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a self-extracting archive: neither skip= nor offset=`head -n N` "
                                 "in its first %zu bytes", name, size);
        payload = find_payload(head, end, &h);
        if (!payload)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: no xz, zstd, gzip, bzip2 or tar data behind line %llu, where the header "
                                 "says that the payload is", name, (unsigned long long) h.lines);
        offset = (uint64_t) (payload - head);
        if (offset >= file_size || (h.payload > 0 && h.payload > file_size - offset))
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: cut short: the header announces %llu bytes of payload, there "
                                               "are %llu", name, (unsigned long long) h.payload,
                                               (unsigned long long) (file_size > offset ? file_size - offset : 0)),
                                  "fetch it again");
        *ret = (MakeselfPayload){ .offset = offset, .size = h.payload > 0 ? h.payload : file_size - offset };
        return 0;
}

int makeself_read(const char *name, int fd, MakeselfPayload *ret, Error *e) {
        _cleanup_free_ char *head = NULL;
        size_t size = 0;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_errno(e, errno, "%s", name);
        if (!S_ISREG(st.st_mode))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a regular file", name);
        head = malloc(MAKESELF_HEADER_MAX);
        if (!head)
                return error_oom(e);
        while (size < MAKESELF_HEADER_MAX) {
                ssize_t n = pread(fd, head + size, MAKESELF_HEADER_MAX - size, (off_t) size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_errno(e, errno, "%s", name);
                if (n == 0)
                        break;
                size += (size_t) n;
        }
        return makeself_parse(name, head, size, (uint64_t) st.st_size, ret, e);
}
