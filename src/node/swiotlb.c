/* SPDX-License-Identifier: Apache-2.0 */
#include "node/swiotlb.h"

#define DEBUGFS_PATH "/sys/kernel/debug"
#define SLABS_PATH DEBUGFS_PATH "/swiotlb/io_tlb_nslabs"
#define SLABS_PER_MIB 512 /* of 2 KiB: IO_TLB_SHIFT 11 */
#define KMSG_PATH "/dev/kmsg"
#define RECORD_MAX 8192       /* of /dev/kmsg: CONSOLE_EXT_LOG_MAX */
#define RECORDS_MAX 200000    /* the log is a ring, and may be written while it is read */

int swiotlb_line_parse(const char *line, uint64_t *ret_mib) {
        const char *p = strstr(line, "software IO TLB: mapped [mem 0x"), *end;
        _cleanup_free_ char *number = NULL;
        uint64_t mib;

        p = p ? strstr(p, "] (") : NULL;
        end = p ? strstr(p, "MB)") : NULL;
        if (!end || end - p > 3 + 12)
                return -ENOENT;
        number = strndup(p + 3, (size_t) (end - p - 3));
        if (!number)
                return -ENOMEM;
        if (parse_u64(number, &mib) < 0)
                return -ENOENT;
        *ret_mib = mib;
        return 0;
}

/* Whole lines at the front of the buffer are looked at and dropped; what begins a line stays. */
static int look_at_lines(char *buffer, size_t *size, uint64_t *ret_mib) {
        char *line = buffer, *end;
        int k = -ENOENT;

        while (k == -ENOENT && (end = memchr(line, '\n', *size - (size_t) (line - buffer)))) {
                *end = '\0';
                k = swiotlb_line_parse(line, ret_mib);
                line = end + 1;
        }
        *size -= (size_t) (line - buffer);
        memmove(buffer, line, *size);
        return k;
}

/* From the oldest message on: the pool is made early in a boot. The device gives one record a read, and -EPIPE for one that was overwritten. */
static int from_kernel_log(Node *n, uint64_t *ret_mib) {
        _cleanup_close_ int fd = node_open_file(n, KMSG_PATH);
        _cleanup_free_ char *buffer = malloc(2 * RECORD_MAX);
        size_t size = 0;
        struct stat st;

        if (fd < 0)
                return fd;
        if (!buffer)
                return -ENOMEM;
        /* The device of another root is this machine's log, not that root's. */
        if (n->root && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
                return -ENOENT;
        for (unsigned i = 0; i < RECORDS_MAX; i++) {
                ssize_t got = read(fd, buffer + size, 2 * RECORD_MAX - size);
                int k;

                if (got < 0 && (errno == EPIPE || errno == EINTR))
                        continue;
                if (got < 0)
                        return errno == EAGAIN ? -ENOENT : -errno;
                if (got == 0)
                        return -ENOENT;
                size += (size_t) got;
                k = look_at_lines(buffer, &size, ret_mib);
                if (k != -ENOENT)
                        return k;
                if (size > RECORD_MAX)
                        size = 0; /* no line of the kernel's is so long */
        }
        return -ENOENT;
}

/* Mounted, and readable: then what it does not have is not there. */
static bool has_debugfs(Node *n) {
        _cleanup_strv_ char **names = NULL;

        return node_list(n, DEBUGFS_PATH, &names) >= 0 && names;
}

int swiotlb_pool(Node *n, SwiotlbPool *ret) {
        _cleanup_free_ char *slabs = NULL;
        uint64_t number;
        int k, log;

        k = node_read(n, SLABS_PATH, 64, &slabs, NULL);
        if (k >= 0) {
                slabs[strcspn(slabs, "\n")] = '\0';
                if (parse_u64(slabs, &number) >= 0) {
                        *ret = (SwiotlbPool){ .mib = number / SLABS_PER_MIB, .source = "debugfs" };
                        return 0;
                }
        }
        if (k == -ENOENT && has_debugfs(n)) {
                *ret = (SwiotlbPool){ .source = "debugfs" };
                return 0;
        }
        log = from_kernel_log(n, &number);
        if (log >= 0) {
                *ret = (SwiotlbPool){ .mib = number, .source = "kernel log" };
                return 0;
        }
        return log == -EACCES || log == -EPERM || (log != -ENOMEM && k == -EACCES) ? -EACCES : log == -ENOMEM ? log : -ENOENT;
}
