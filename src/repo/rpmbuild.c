/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rpmbuild.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/process.h"

#define LOG_SIZE_MAX ((size_t) 16 * 1024 * 1024)
#define LOG_TAIL     12u
#define RPMS_MAX     64u

int rpmbuild_check_path(const char *path, Error *e) {
        if (path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-=@,:")] == '\0')
                return 0;
        return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: rpmbuild cannot work below a path with such characters", path),
                          "use a workspace (-C) whose path has only letters, digits and any of / . _ + - = @ , :");
}

uint64_t rpmbuild_space(const RpmbuildOptions *o, const BuildJob *job) {
        /* Unpacked, and as a package: a driver's xz unfolds to three times its size, a toolkit's to less than two; mock copies the source. */
        uint64_t factor = (job->kind == BUILD_DRIVER ? 4 : 3) + (o->mock ? 2 : 0), size = (uint64_t) 8 << 20;

        for (size_t i = 0; i < job->n_sources; i++)
                size += job->sources[i].size;
        return __builtin_mul_overflow(size, factor, &size) ? UINT64_MAX : size;
}

static int make_directories(const char *top, Error *e) {
        static const char *const names[] = { "BUILD", "BUILDROOT", "RPMS", "SOURCES", "SPECS", "SRPMS", "tmp", "home" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = path_join(top, names[i]);

                if (!path)
                        return error_oom(e);
                if (mkdir(path, 0755) < 0)
                        return error_errno(e, errno, "%s", path);
        }
        return 0;
}

/* A source under its own name: a hard link where that is possible, else a symbolic one; nothing is copied. */
static int place_source(const char *top, const BuildSource *s, Error *e) {
        _cleanup_free_ char *to = format("%s/SOURCES/%s", top, s->name);
        int r;

        if (!to)
                return error_oom(e);
        if (s->text) {
                r = write_file_atomic(AT_FDCWD, to, s->text, s->size, 0644);
                return r < 0 ? error_errno(e, -r, "%s", to) : 0;
        }
        if (link(s->path, to) < 0 && symlink(s->path, to) < 0)
                return error_errno(e, errno, "%s", to);
        return 0;
}

static int prepare(const RpmbuildOptions *o, const BuildJob *job, const char *top, char **ret_spec, Error *e) {
        _cleanup_free_ char *spec = format("%s/SPECS/%s.spec", top, job->packages[0]), *tool = path_join(top, "gn8v-tee-repo");
        int r;

        if (!spec || !tool)
                return error_oom(e);
        r = make_directories(top, e);
        for (size_t i = 0; r >= 0 && i < job->n_sources; i++)
                r = place_source(top, &job->sources[i], e);
        if (r < 0)
                return r;
        r = write_file_atomic(AT_FDCWD, spec, job->spec, strlen(job->spec), 0644);
        if (r < 0)
                return error_errno(e, -r, "%s", spec);
        /* Under a name that any shell and rpm can read, wherever the program is. */
        if (symlink(o->program, tool) < 0)
                return error_errno(e, errno, "%s", tool);
        *ret_spec = TAKE_PTR(spec);
        return 0;
}

static char *tail_of(const char *log) {
        size_t end = strlen(log), start;
        unsigned lines = 0;

        while (end > 0 && log[end - 1] == '\n')
                end--;
        for (start = end; start > 0 && end - start < 4096; start--)
                if (log[start - 1] == '\n' && ++lines == LOG_TAIL)
                        break;
        return strndup(log + start, end - start);
}

/* What ran inside mock has said why in a log of mock's own, in a directory that goes: the end of that goes after what mock itself has said,
 * less the call stack that mock ends it with. */
static int append_build_log(const char *top, char **log, Error *e) {
        _cleanup_free_ char *path = path_join(top, "RPMS/build.log"), *inner = NULL, *both = NULL;
        char *stack;
        int r;

        if (!path)
                return error_oom(e);
        r = read_file(AT_FDCWD, path, LOG_SIZE_MAX, &inner, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        stack = strstr(inner, "\nEXCEPTION: [");
        if (stack)
                *stack = '\0';
        both = format("%s\n==> build.log <==\n%s\n", *log, inner);
        if (!both)
                return error_oom(e);
        free(*log);
        *log = TAKE_PTR(both);
        return 0;
}

/* Keeps the log, and tells of it. */
static int failed(const RpmbuildOptions *o, const BuildJob *job, const char *program, int status, const char *log, Error *e) {
        _cleanup_free_ char *dir = path_join(o->workspace, "logs"), *path = dir ? format("%s/%s.log", dir, job->name) : NULL,
                            *tail = tail_of(log);
        bool full = strstr(log, "No space left on device") || strstr(log, "Disk quota exceeded");
        int r;

        if (!path || !tail)
                return error_oom(e);
        r = error_set(e, full ? ENOSPC : EIO, full ? EXIT_NO_SPACE : EXIT_FAILED, "%s: %s failed (exit status %d); its last lines:\n%s", job->name,
                      program, status, tail);
        if (mkdir_parents(AT_FDCWD, dir, 0755) < 0 || write_file_atomic(AT_FDCWD, path, log, strlen(log), 0644) < 0)
                return error_hint(e, r, "its log could not be kept in %s", path);
        if (full)
                return error_hint(e, r, "make room below %s; the whole log is %s", o->workspace, path);
        return error_hint(e, r, "the whole log is %s", path);
}

static int run(const RpmbuildOptions *o, const BuildJob *job, const char *top, char **argv, bool private_home, Error *e) {
        _cleanup_free_ char *home = format("HOME=%s/home", top), *path = format("PATH=%s", getenv("PATH") ?: "/usr/sbin:/usr/bin:/sbin:/bin"),
                            *date = format("SOURCE_DATE_EPOCH=%lld", (long long) job->date), *log = NULL;
        const char *env[] = { home, path, date, "LANG=C.UTF-8", "TZ=UTC", NULL };
        int status, r;

        if (!home || !path || !date)
                return error_oom(e);
        /* A home of its own: somebody's ~/.rpmmacros must not be seen in the result. */
        r = process_run(&(Process){ .argv = (const char *const *) argv, .env = private_home ? env : NULL, .output_max = LOG_SIZE_MAX }, &status,
                        &log, e);
        if (r < 0)
                return error_hint(e, r, "install %s", argv[0]);
        if (status == 0)
                return 0;
        r = private_home ? 0 : append_build_log(top, &log, e);
        return r < 0 ? r : failed(o, job, argv[0], status, log, e);
}

static int arguments(char ***argv, const char *first, ...) __attribute__((sentinel));
static int arguments(char ***argv, const char *first, ...) {
        va_list ap;
        int r = strv_append(argv, first);
        const char *s;

        va_start(ap, first);
        while (r >= 0 && (s = va_arg(ap, const char *)))
                r = strv_append(argv, s);
        va_end(ap);
        return r;
}

static int run_rpmbuild(const RpmbuildOptions *o, const BuildJob *job, const char *top, const char *spec, Error *e) {
        _cleanup_strv_ char **argv = NULL;
        _cleanup_free_ char *topdir = format("_topdir %s", top), *tmp = format("_tmppath %s/tmp", top),
                            *tool = format("gn8v_tee_repo %s/gn8v-tee-repo", top);

        if (!topdir || !tmp || !tool || arguments(&argv, "rpmbuild", o->mock ? "-bs" : "-bb", "--define", topdir, "--define", tmp, NULL) < 0)
                return error_oom(e);
        if (!o->mock && arguments(&argv, "--define", "gn8v_native 1", "--define", tool, NULL) < 0)
                return error_oom(e);
        if (arguments(&argv, "--target", "x86_64", NULL) < 0)
                return error_oom(e);
        if ((o->mock || o->no_dependencies) && strv_append(&argv, "--nodeps") < 0)
                return error_oom(e);
        return strv_append(&argv, spec) < 0 ? error_oom(e) : run(o, job, top, argv, true, e);
}

/* All .rpm files of a directory and its subdirectories (one level: RPMS/ARCH). */
static int collect(const char *dir, bool sources, char ***ret, unsigned depth, Error *e) {
        DIR *d = opendir(dir);
        struct dirent *entry;
        int r = 0;

        if (!d)
                return error_errno(e, errno, "%s", dir);
        while (r >= 0 && (entry = readdir(d))) {
                _cleanup_free_ char *path = path_join(dir, entry->d_name);
                struct stat st;

                if (!path)
                        r = error_oom(e);
                else if (entry->d_name[0] == '.' || lstat(path, &st) < 0)
                        continue;
                else if (S_ISDIR(st.st_mode) && depth > 0)
                        r = collect(path, sources, ret, depth - 1, e);
                else if (S_ISREG(st.st_mode) && endswith(entry->d_name, ".rpm") && sources == endswith(entry->d_name, ".src.rpm") &&
                         strv_length(*ret) < RPMS_MAX)
                        r = strv_append(ret, path) < 0 ? error_oom(e) : 0;
        }
        (void) closedir(d);
        return r;
}

static int run_mock(const RpmbuildOptions *o, const BuildJob *job, const char *top, Error *e) {
        _cleanup_strv_ char **argv = NULL, **found = NULL;
        _cleanup_free_ char *dir = path_join(top, "SRPMS"), *result = path_join(top, "RPMS"),
                            *repo = o->own_repo ? format("--addrepo=file://%s", o->own_repo) : NULL;
        int r;

        if (!dir || !result || (o->own_repo && !repo))
                return error_oom(e);
        r = collect(dir, true, &found, 0, e);
        if (r < 0)
                return r;
        if (strv_length(found) != 1)
                return error_set(e, EIO, EXIT_FAILED, "%s: rpmbuild made no source package", job->name);
        /* A build root of its own, by the version too: two versions of one package are built side by side. */
        if (arguments(&argv, "mock", "-r", o->mock, "--resultdir", result, "--uniqueext", job->name, NULL) < 0 ||
            (o->mock_dir && arguments(&argv, "--configdir", o->mock_dir, NULL) < 0) || (repo && strv_append(&argv, repo) < 0) ||
            arguments(&argv, "--rebuild", found[0], NULL) < 0)
                return error_oom(e);
        return run(o, job, top, argv, false, e);
}

/* That what came out is what was promised, before any of it counts. */
static int check_names(const BuildJob *job, char *const *files, Error *e) {
        STRV_FOREACH(name, job->packages) {
                bool found = false;

                STRV_FOREACH(file, files) {
                        const char *rest = startswith(path_basename(*file), *name);

                        found = found || (rest && rest[0] == '-' && rest[1] >= '0' && rest[1] <= '9');
                }
                if (!found)
                        return error_set(e, EIO, EXIT_FAILED, "%s: the build made no package %s", job->name, *name);
        }
        return 0;
}

/* On disk before its record says so. */
static int sync_file(const char *path, Error *e) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? error_errno(e, errno, "%s", path) : 0;
}

static int move_packages(char *const *files, const char *packages, char ***ret, Error *e) {
        _cleanup_strv_ char **names = NULL;
        int r;

        STRV_FOREACH(file, files) {
                _cleanup_free_ char *to = path_join(packages, path_basename(*file)), *record = to ? format("%s.json", to) : NULL;

                if (!record || strv_append(&names, path_basename(*file)) < 0)
                        return error_oom(e);
                /* An older record must not speak for a newer package. */
                if (unlink(record) < 0 && errno != ENOENT)
                        return error_errno(e, errno, "%s", record);
                r = sync_file(*file, e);
                if (r < 0)
                        return r;
                if (chmod(*file, 0644) < 0 || rename(*file, to) < 0)
                        return error_errno(e, errno, "%s", to);
        }
        *ret = TAKE_PTR(names);
        return 0;
}

static int build_in(const RpmbuildOptions *o, const BuildJob *job, const char *top, const char *packages, char ***ret, Error *e) {
        _cleanup_free_ char *spec = NULL, *rpms = path_join(top, "RPMS");
        _cleanup_strv_ char **files = NULL;
        int r;

        if (!rpms)
                return error_oom(e);
        if ((r = prepare(o, job, top, &spec, e)) < 0 || (r = run_rpmbuild(o, job, top, spec, e)) < 0 ||
            (o->mock && (r = run_mock(o, job, top, e)) < 0) || (r = collect(rpms, false, &files, 1, e)) < 0 ||
            (r = check_names(job, files, e)) < 0)
                return r;
        return move_packages(files, packages, ret, e);
}

int rpmbuild_run(const RpmbuildOptions *o, const BuildJob *job, const char *packages, char ***ret, Error *e) {
        _cleanup_free_ char *prefix = format("%s%s-", RPMBUILD_DIR_PREFIX, job->packages[0]), *top = NULL;
        int r, k;

        if (!prefix)
                return error_oom(e);
        r = make_temp_dir(o->workspace, prefix, &top);
        if (r < 0)
                return error_errno(e, -r, "%s: cannot make a directory to build in", o->workspace);
        r = build_in(o, job, top, packages, ret, e);
        k = remove_tree(AT_FDCWD, top);
        return r >= 0 && k < 0 ? error_errno(e, -k, "%s: it cannot be removed", top) : r;
}
