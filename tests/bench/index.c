/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench-index DIR OUT    indexes DIR's packages with the code that publish uses, digests and all, to the new folder OUT */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/index.h"
#include "repo/parallel.h"
#include "repo/sync.h"

typedef struct Job {
        char **names;
        IndexEntry *entries;
        int dir_fd;
} Job;

static int describe(void *data, size_t i, Error *e) {
        Job *j = data;
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        char hex[SHA256_HEX_SIZE];
        int r = rpm_file_open(j->dir_fd, j->names[i], &f, e);

        if (r >= 0 && (r = sha256_fd(f->fd, hex)) < 0)
                r = error_errno(e, -r, "%s", j->names[i]);
        return r < 0 ? r : index_describe(f, j->names[i], hex, &j->entries[i], e);
}

static int list(const char *path, char ***ret, Error *e) {
        DIR *d = opendir(path);
        struct dirent *entry;

        if (!d)
                return error_errno(e, errno, "%s", path);
        while ((entry = readdir(d)))
                if (endswith(entry->d_name, ".rpm") && strv_append(ret, entry->d_name) < 0)
                        break;
        (void) closedir(d);
        return entry ? error_oom(e) : 0;
}

static int run(const char *from, const char *to, Error *e) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_(index_freep) Index *x = NULL;
        _cleanup_close_ int out = -1;
        Job job = {};
        size_t n;
        int r;

        if ((r = rpm_library_setup(e)) < 0 || (r = list(from, &names, e)) < 0)
                return r;
        n = strv_length(names);
        job = (Job){ .names = names, .entries = calloc(n + 1, sizeof(IndexEntry)), .dir_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
        if (mkdir(to, 0755) < 0 || (out = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || !job.entries || job.dir_fd < 0)
                return error_errno(e, errno, "%s", to);
        r = parallel_run(n, describe, &job, e);
        if (r >= 0)
                r = index_write(out, job.entries, n, NULL, 0, &(Freshness){}, NULL, -1, &x, e);
        if (r >= 0)
                r = sync_tree(out, to, e);
        for (size_t i = 0; i < n; i++)
                index_entry_clear(&job.entries[i]);
        free(job.entries);
        safe_close(job.dir_fd);
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_error_ Error e = ERROR_INIT;

        if (argc != 3)
                return EXIT_USAGE;
        if (run(argv[1], argv[2], &e) < 0)
                fprintf(stderr, "bench-index: %s\n", e.message);
        return e.message ? EXIT_FAILED : EXIT_OK;
}
