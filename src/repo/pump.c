/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/pump.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "repo/lane.h"

#define CHUNK       ((size_t) 512 * 1024)
#define CHUNK_LARGE ((size_t) 4 * 1024 * 1024)
#define LARGE       (16 * 1024 * 1024) /* from here on threads pay */
#define ALIGNMENT   4096               /* of what is written past the page cache: no disk has larger blocks */

typedef struct Flow {
        const Pump *p;
        size_t head_done;
        uint64_t at; /* next one to be read */
        size_t chunk;
        unsigned char *buffer; /* two chunks: the other one may still be worked on */
        bool cloned;
} Flow;

static int update(void *data, const void *bytes, size_t size) {
        return digest_update(data, bytes, size);
}

static int set_direct(int fd, bool direct) {
        int flags = fcntl(fd, F_GETFL);
        return flags < 0 || fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) < 0 ? -errno : 0;
}

static int write_chunk(void *data, const void *bytes, size_t size) {
        const Flow *f = data;
        int r;

        /* The last one, which is followed by no other. */
        if (size % ALIGNMENT > 0 && f->chunk == CHUNK_LARGE && (r = set_direct(f->p->out_fd, false)) < 0)
                return r;
        r = write_all(f->p->out_fd, bytes, size);
        /* A file system that takes the flag, but not such a write. */
        if (r == -EINVAL && f->chunk == CHUNK_LARGE && set_direct(f->p->out_fd, false) == 0)
                r = write_all(f->p->out_fd, bytes, size);
        return r;
}

/* A whole chunk, but at the end; the first `ret_old` bytes of it are the head's. */
static int fill(Flow *f, unsigned char *chunk, size_t *ret_old, size_t *ret, Error *e) {
        size_t n = MIN(f->chunk, f->p->head_size - f->head_done);

        memcpy(chunk, (const char *) f->p->head + f->head_done, n);
        f->head_done += n;
        *ret_old = n;
        while (n < f->chunk) {
                ssize_t k = pread(f->p->in_fd, chunk + n, f->chunk - n, (off_t) f->at);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return error_errno(e, errno, "%s", f->p->name);
                if (k == 0)
                        break;
                n += (size_t) k;
                f->at += (uint64_t) k;
        }
        *ret = n;
        return 0;
}

static int run(Flow *f, Lane *writer, Lane *second, uint64_t *ret_size, Error *e) {
        uint64_t total = 0;

        for (unsigned turn = 0;; turn ^= 1) {
                unsigned char *chunk = f->buffer + turn * f->chunk;
                size_t n = 0, old = 0;
                int r;

                if ((r = fill(f, chunk, &old, &n, e)) < 0)
                        return r;
                if (n == 0)
                        break;
                if ((r = lane_give(writer, chunk, n)) < 0)
                        return error_errno(e, -r, "writing the copy of %s", f->p->name);
                if ((r = lane_give(second, chunk + old, n - old)) < 0 || (r = digest_update(f->p->out, chunk, n)) < 0)
                        return error_errno(e, -r, "SHA-256");
                total += n;
                progress_step(f->p->progress, n);
        }
        *ret_size = total;
        return 0;
}

/* The same blocks of the disk for both files; only then the beginning is written. */
static int clone_file(Flow *f, Error *e) {
        int r;

        if (f->p->head_size != f->p->in_offset || ioctl(f->p->out_fd, FICLONE, f->p->in_fd) < 0)
                return 0;
        f->cloned = true;
        r = write_all(f->p->out_fd, f->p->head, f->p->head_size);
        return r < 0 ? error_errno(e, -r, "writing the copy of %s", f->p->name) : 0;
}

int pump(const Pump *p, uint64_t *ret_size, Error *e) {
        Flow f = { .p = p, .at = p->in_offset, .chunk = CHUNK };
        _cleanup_free_ void *buffer = NULL;
        Lane writer, second;
        struct stat st;
        int r, k, w;

        if (fstat(p->in_fd, &st) == 0 && st.st_size >= LARGE)
                f.chunk = CHUNK_LARGE;
        if (posix_memalign(&buffer, ALIGNMENT, 2 * f.chunk) != 0)
                return error_oom(e);
        f.buffer = buffer;
        if ((r = clone_file(&f, e)) < 0)
                return r;
        if (f.chunk == CHUNK_LARGE && !f.cloned)
                (void) set_direct(p->out_fd, true);
        lane_start(&writer, f.cloned ? NULL : write_chunk, &f, f.chunk == CHUNK_LARGE);
        lane_start(&second, p->in ? update : NULL, p->in, f.chunk == CHUNK_LARGE);
        r = run(&f, &writer, &second, ret_size, e);
        w = lane_end(&writer);
        k = lane_end(&second);
        (void) set_direct(p->out_fd, false);
        if (r >= 0 && w < 0)
                r = error_errno(e, -w, "writing the copy of %s", p->name);
        if (r >= 0 && k < 0)
                r = error_errno(e, -k, "SHA-256");
        return r < 0 ? r : 0;
}
