/* SPDX-License-Identifier: Apache-2.0 */
#include "node/selinux.h"

#include "basic/fs.h"

#define LOG_PATH "/var/log/audit/audit.log"
#define TAIL_MAX ((off_t) 512 * 1024)
#define STAT_HEAD ((size_t) 1024 * 1024)

/* Seconds of "msg=audit(1700000000.123:45)"; 0: none. */
static int64_t time_of(const char *line) {
        const char *p = strstr(line, "msg=audit(");
        int64_t seconds = 0;

        for (p = p ? p + strlen("msg=audit(") : ""; *p >= '0' && *p <= '9' && seconds < INT64_MAX / 100; p++)
                seconds = seconds * 10 + (*p - '0');
        return seconds;
}

/* Programs are known by 15 bytes of their name: nvidia-persistenced is "nvidia-persiste". */
static bool is_about_us(const char *line) {
        static const char *const words[] = { "comm=\"nvidia-", "comm=\"nv-fabric", "comm=\"gn8v-tee", "gn8v-tee", "path=\"/dev/nvidia", "name=\"nvidia" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strstr(line, words[i]))
                        return true;
        return false;
}

int denials_parse(const char *text, int64_t since, Denials *d) {
        for (const char *p = text, *end; *p; p = *end ? end + 1 : end) {
                _cleanup_free_ char *line = NULL;
                const char *comm;

                end = p + strcspn(p, "\n");
                if (!startswith(p, "type=AVC ") && !startswith(p, "type=USER_AVC "))
                        continue;
                line = strndup(p, (size_t) (end - p));
                if (!line)
                        return -ENOMEM;
                if (!strstr(line, " denied ") || !is_about_us(line) || time_of(line) < since)
                        continue;
                d->n++;
                comm = strstr(line, " comm=\"");
                if (comm) {
                        comm += strlen(" comm=\"");
                        free(d->comm);
                        d->comm = strndup(comm, strcspn(comm, "\""));
                        if (!d->comm)
                                return -ENOMEM;
                }
        }
        return 0;
}

/* Seconds since the epoch at which this boot began; 0: not known. */
static int64_t boot_time(Node *n) {
        _cleanup_free_ char *text = NULL;
        const char *p;

        if (node_read_head(n, "/proc/stat", STAT_HEAD, &text, NULL) < 0)
                return 0;
        p = strstr(text, "\nbtime ");
        return p ? strtoll(p + strlen("\nbtime "), NULL, 10) : 0;
}

int denials_load(Node *n, Denials *ret) {
        _cleanup_close_ int fd = node_open_file(n, LOG_PATH);
        _cleanup_free_ char *text = NULL;
        Denials d = {};
        struct stat st;
        int k;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0 || (st.st_size > TAIL_MAX && lseek(fd, st.st_size - TAIL_MAX, SEEK_SET) < 0))
                return -errno;
        /* It may grow while it is read. */
        k = read_fd(fd, (size_t) TAIL_MAX * 2, &text, NULL);
        if (k >= 0)
                k = denials_parse(text, boot_time(n), &d);
        if (k < 0)
                free(d.comm);
        else
                *ret = d;
        return k;
}
