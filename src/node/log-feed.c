/* SPDX-License-Identifier: Apache-2.0 */
#include "node/log-feed.h"

void log_lines_free(LogLines *l) {
        text_free(&l->partial);
        free(l->words);
}

static int take_line(LogLines *l, const char *line, size_t size) {
        if (l->json_only && (size == 0 || *line != '{')) {
                if (size > 0 && !startswith(line, "-- ")) {
                        free(l->words);
                        l->words = printable(line, MIN(size, (size_t) 300));
                }
                return 0;
        }
        l->diagnose->sources[l->source].lines++;
        if (l->boots && memmem(line, size, "kernel: ", 8) && memmem(line, size, "Linux version ", 14))
                diagnose_reset(l->diagnose);
        return diagnose_line(l->diagnose, line, size, l->origin);
}

int log_feed(const char *data, size_t size, void *userdata) {
        LogLines *l = userdata;
        int k = 0;

        while (size > 0 && k == 0) {
                const char *newline = memchr(data, '\n', size);
                size_t n = newline ? (size_t) (newline - data) : size;

                if (!newline || l->partial.size > 0) {
                        if (!l->skipping)
                                text_append_n(&l->partial, data, MIN(n, LOG_LINE_MAX - l->partial.size));
                        l->skipping = l->partial.size >= LOG_LINE_MAX && !newline;
                        if (l->partial.failed)
                                return -ENOMEM;
                        if (newline) {
                                k = take_line(l, l->partial.data, l->partial.size);
                                l->partial.size = 0;
                        }
                } else
                        k = take_line(l, data, MIN(n, LOG_LINE_MAX));
                data += n + (newline ? 1 : 0);
                size -= n + (newline ? 1 : 0);
        }
        return k;
}

int log_feed_end(LogLines *l) {
        int k = l->partial.size > 0 ? take_line(l, l->partial.data, l->partial.size) : 0;

        l->partial.size = 0;
        l->skipping = false;
        return k;
}

int log_feed_all(int fd, LogLines *l) {
        _cleanup_free_ char *buffer = malloc(256 * 1024);

        if (!buffer)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(fd, buffer, 256 * 1024);
                int k;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return log_feed_end(l);
                k = log_feed(buffer, (size_t) n, l);
                if (k < 0)
                        return k;
        }
}

