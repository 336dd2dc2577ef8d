/* SPDX-License-Identifier: Apache-2.0 */
/* The state that the last publish left: whatever is in it, nothing outside of it is read. The bytes come behind a header that fits this boot. */
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/memo.h"

#define HEAD 152 /* format, boot, signer */
#define TAIL 8   /* the size of all, at the end of the header */

#define XML_NUMBER (HEAD + 2048 + 32)

static char *dir, *path, *cache, *xml_path[INDEX_STREAMS];
static char head[HEAD];
static size_t header_size;

static void gone(void) {
        (void) remove_tree(AT_FDCWD, dir);
        free(dir);
        free(path);
        free(cache);
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                free(xml_path[i]);
}

/* One real state, for its header. */
static void setup(void) {
        static const IndexEntry xml = { .xml = { "a", "b", "c" }, .size = { 1, 1, 1 } };
        MemoItem item = { .href = "packages/a.rpm", .file = "a.rpm", .xml = &xml };
        MemoEntry entry = {};
        _cleanup_(memo_freep) Memo *m = NULL;
        _cleanup_free_ char *pattern = NULL, *text = NULL;
        IndexParts parts = {};
        size_t size;
        glob_t found;

        if (make_temp_dir(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", "fuzz", &dir) < 0 || atexit(gone) != 0 ||
            memo_open(dir, "/repo", "signer", &m, NULL) < 0 || !memo_solv_new(m))
                abort();
        memo_write(m, &item, &entry, 1, &parts, false);
        memo_switch(m);
        pattern = format("%s/cache/publish-*/state", dir);
        if (!pattern || glob(pattern, 0, NULL, &found) != 0 || !(path = strdup(found.gl_pathv[0])) || read_file(AT_FDCWD, path, 1 << 20, &text, &size) < 0)
                abort();
        globfree(&found);
        cache = strndup(path, (size_t) (path_basename(path) - path));
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                static const char *const streams[] = { "primary", "filelists", "other" };

                xml_path[i] = cache ? format("%s1.%s", cache, streams[i]) : NULL;
                if (!xml_path[i])
                        abort();
        }
        memcpy(head, text, HEAD);
        for (size_t at = HEAD; header_size == 0 && at + TAIL <= size; at += TAIL)
                if (memcmp(text + at, &(uint64_t){ size }, TAIL) == 0)
                        header_size = at + TAIL;
        if (header_size == 0)
                abort();
}

/* The files have the times that the state knows. */
#define SECOND INT64_C(1700000000)
static const int64_t seals[] = { SECOND * 1000000000, SECOND * 1000000000, SECOND * 1000000000, SECOND * 1000000000, SECOND * 1000000000 };

static void set_time(const char *file) {
        const struct timespec times[] = { { .tv_sec = SECOND }, { .tv_sec = SECOND } };

        if (utimensat(AT_FDCWD, file, times, 0) < 0)
                abort();
}

static void look(const Memo *m) {
        static const char *const names[] = { "a.rpm", "", "z" };
        const IndexParts *parts = memo_parts(m);
        volatile size_t sum = 0;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const MemoEntry *x = memo_find(m, names[i], i);
                IndexEntry entry = {};
                uint32_t at;

                if (!x)
                        continue;
                memo_xml(m, x, &entry);
                for (size_t k = 0; k < INDEX_STREAMS; k++)
                        for (size_t j = 0; j < entry.size[k]; j++)
                                sum += (unsigned char) entry.xml[k][j];
                sum += strlen(memo_string(m, x->href)) + strlen(memo_string(m, x->file));
                at = x->releases;
                for (uint32_t k = 0; k < x->n_releases; k++)
                        at += (uint32_t) strlen(memo_string(m, at)) + 1;
        }
        for (size_t i = 0; parts && i < INDEX_STREAMS; i++)
                for (size_t k = 0; k < parts->n[i]; k++)
                        sum += strlen(parts->parts[i][k].key);
        if (sum == SIZE_MAX)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(memo_freep) Memo *m = NULL;
        _cleanup_close_ int fd = -1;
        uint64_t total = HEAD + size;

        if (!dir)
                setup();
        /* What does not fit is removed, all of it. */
        if (mkdir_parents(AT_FDCWD, cache, 0700) < 0)
                abort();
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                if (access(xml_path[i], F_OK) < 0 && write_file_new(AT_FDCWD, xml_path[i], "abcdefghij", 10, 0600) < 0)
                        abort();
        fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write_all(fd, head, HEAD) < 0 || write_all(fd, data, size) < 0 ||
            (total >= header_size && (pwrite(fd, &total, TAIL, (off_t) (header_size - TAIL)) != TAIL ||
                                      pwrite(fd, seals, sizeof(seals), (off_t) (header_size - TAIL - sizeof(seals))) != sizeof(seals) ||
                                      pwrite(fd, &(uint64_t){ 1 }, 8, XML_NUMBER) != 8)))
                abort();
        set_time(path);
        for (size_t i = 0; i < INDEX_STREAMS; i++)
                set_time(xml_path[i]);
        if (memo_open(dir, "/repo", "signer", &m, NULL) < 0)
                abort();
        look(m);
        return 0;
}
