/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/build-keep.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "repo/build-record.h"
#include "repo/rims-package.h"

void build_take_back(const char *packages, char *const *files) {
        STRV_FOREACH(file, files) {
                _cleanup_free_ char *path = path_join(packages, *file), *record = path ? format("%s.json", path) : NULL;

                if (!record)
                        return;
                (void) unlink(record);
                (void) unlink(path);
        }
}

/* Digest, size and seal: see BuildRecord. What was written to while it was read gets none. */
static int take_digest(const char *path, BuildRecord *r, Error *e) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        struct stat before, after;
        FileId first, id;
        int k;

        if (fd < 0 || fstat(fd, &before) < 0)
                return error_errno(e, errno, "%s", path);
        if ((k = sha256_fd(fd, r->sha256)) < 0)
                return error_errno(e, -k, "%s", path);
        if (fstat(fd, &after) < 0)
                return error_errno(e, errno, "%s", path);
        id = file_id(&after);
        r->size = id.size;
        first = file_id(&before);
        if (file_id_same(&first, &id) && file_id_is_settled(&id, file_id_now()))
                r->seal = id;
        return 0;
}

int build_keep(const char *packages, const BuildJob *job, char **files, Error *e) {
        STRV_FOREACH(file, files) {
                BuildRecord record = { .package = *file, .artifact = job->artifact, .releases = job->releases, .together = files };
                _cleanup_free_ char *path = path_join(packages, *file);
                int r;

                if (!path)
                        return error_oom(e);
                memcpy(record.artifact_sha256, job->artifact_sha256, SHA256_HEX_SIZE);
                memcpy(record.inputs, job->inputs, SHA256_HEX_SIZE);
                if ((r = take_digest(path, &record, e)) < 0 || (r = build_record_save(packages, &record, e)) < 0) {
                        build_take_back(packages, files);
                        return r;
                }
        }
        return 0;
}

int build_supersede(const char *packages, const BuildJob *job, char *const *files, Error *e) {
        const char *version = job->name + strlen(job->packages[0]); /* "-VERSION-REVISION" */
        bool only_one = job->kind == BUILD_RIMS;
        _cleanup_strv_ char **old = NULL;
        DIR *d = opendir(packages);
        struct dirent *entry;
        int r = d ? 0 : error_errno(e, errno, "%s", packages);

        while (r >= 0 && d && (entry = readdir(d)))
                STRV_FOREACH(name, job->packages) {
                        const char *rest = startswith(entry->d_name, *name);

                        if (rest && only_one)
                                rest = rest[0] == '-' && rest[1] >= '0' && rest[1] <= '9' ? strrchr(rest, '.') : NULL;
                        else
                                rest = rest ? startswith(rest, version) : NULL;
                        if (rest && rest[0] == '.' && endswith(rest, ".rpm") && !strv_contains(files, entry->d_name) &&
                            strv_append(&old, entry->d_name) < 0)
                                r = error_oom(e);
                }
        if (d)
                (void) closedir(d);
        STRV_FOREACH(file, old) {
                _cleanup_free_ char *path = path_join(packages, *file), *record = path ? format("%s.json", path) : NULL;

                if (!record)
                        return error_oom(e);
                if ((unlink(record) < 0 && errno != ENOENT) || unlink(path) < 0)
                        return error_errno(e, errno, "%s", path);
        }
        return r;
}

int build_remove_rims(const char *packages, const BuildPlan *plan, Error *e) {
        char *names[] = { (char *) RIMS_PACKAGE, NULL };
        const BuildJob none = { .kind = BUILD_RIMS, .name = (char *) RIMS_PACKAGE, .packages = names };

        for (size_t i = 0; i < plan->n_jobs; i++)
                if (plan->jobs[i].kind == BUILD_RIMS)
                        return 0;
        return build_supersede(packages, &none, NULL, e);
}
