/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/wrap.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "repo/makeself.h"
#include "repo/place.h"
#include "repo/wrap-kind.h"

WrapList *wrap_list_free(WrapList *l) {
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n_files; i++) {
                free(l->files[i].path);
                free(l->files[i].target);
        }
        free(l->files);
        free(l);
        return NULL;
}

void wrap_summary_clear(WrapSummary *s) {
        strv_free(s->warnings);
        *s = (WrapSummary){};
}

int wrap_text(WrapContext *c, const char *package, const char *path, mode_t mode, Text *t, Error *e) {
        _cleanup_free_ char *s = text_take(t);

        if (!s)
                return error_oom(e);
        return plan_text(c->plan, package, path, mode, s, strlen(s), NULL, e);
}

int wrap_licence(WrapContext *c, const char *package, size_t i, Member *m, Error *e) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *path = NULL;
        Placement *q;
        int r;

        if ((r = artifact_packages(c->artifact, &names)) < 0)
                return error_errno(e, -r, "%s", c->artifact->name);
        if (!m)
                return plan_warn(c->plan, "%s: holds no licence text for %s", c->archive, names[i]) < 0 ? error_oom(e) : 0;
        if (!(path = format("/usr/share/licenses/%s/LICENSE", names[i])))
                return error_oom(e);
        if ((r = plan_member(c->plan, package, 0, path, 0644, m, &q, e)) >= 0)
                q->licence = true;
        return r;
}

static const WrapFormat *format_of(const Artifact *a) {
        switch (a->kind) {
        case ARTIFACT_DRIVER: return &wrap_driver;
        case ARTIFACT_CUDA:   return &wrap_cuda;
        case ARTIFACT_CUBLAS: return &wrap_cublas;
        default:              return NULL;
        }
}

/* Reads the archive onto a stage (in directory, or digested only), and plans. */
static int read_and_plan(const WrapFormat *f, WrapContext *c, int fd, const char *directory, Stage **ret, Error *e) {
        const StageOptions o = {
                .directory = directory,
                .digest = f->digest || !directory,
                .capture = f->capture,
                .shared_library = f->shared_library,
                .captured = f->captured,
                .wanted = f->wanted,
                .userdata = c,
                .progress = c->options ? c->options->progress : NULL,
        };
        MakeselfPayload payload = {};
        _cleanup_(stage_freep) Stage *s = NULL;
        off_t size;
        int r;

        if (f->self_extracting) {
                if ((r = makeself_read(c->archive, fd, &payload, e)) < 0)
                        return r;
        } else if ((size = lseek(fd, 0, SEEK_END)) < 0)
                return error_errno(e, errno, "%s", c->archive);
        else
                payload.size = (uint64_t) size;
        if ((r = stage_read(c->archive, fd, payload.offset, payload.size, f->format, &o, &s, e)) < 0 ||
            (r = f->plan(c, s, e)) < 0 || (r = plan_finish(c->plan, e)) < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

typedef struct Destination {
        const char *into, *lists;
        WrapSummary *ret_summary;
        WrapList **ret_list;
} Destination;

static int write_root(const WrapFormat *f, WrapContext *c, int fd, const char *directory, const Destination *d, Error *e) {
        _cleanup_(stage_freep) Stage *s = NULL;
        _cleanup_close_ int root_fd = -1;
        int r;

        if ((r = read_and_plan(f, c, fd, directory, &s, e)) < 0)
                return r;
        root_fd = open(d->into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return error_errno(e, errno, "%s", d->into);
        if ((r = place_write(c->plan, s, root_fd, d->into, fd, e)) < 0 ||
            (r = place_lists(c->plan, f->packages, d->lists, e)) < 0)
                return r;
        if (d->ret_summary)
                place_summary(c->plan, fd, d->ret_summary);
        return 0;
}

/* The stage is a directory of the build root itself: what is placed only changes its name, no byte is written twice. */
static int write_staged(const WrapFormat *f, WrapContext *c, int fd, const Destination *d, Error *e) {
        _cleanup_free_ char *directory = NULL;
        int r, k;

        if ((r = mkdir_parents(AT_FDCWD, d->into, 0755)) < 0)
                return error_errno(e, -r, "%s", d->into);
        if ((r = make_temp_dir(d->into, ".gn8v-tee-stage-", &directory)) < 0)
                return error_errno(e, -r, "%s", d->into);
        r = write_root(f, c, fd, directory, d, e);
        k = remove_tree(AT_FDCWD, directory);
        return r < 0 ? r : k < 0 ? error_errno(e, -k, "%s", directory) : 0;
}

static int wrap(const Release *release, const Artifact *a, const char *archive, const WrapOptions *o, const Destination *d, Error *e) {
        const WrapFormat *f = format_of(a);
        _cleanup_free_ char *manifest = NULL;
        _cleanup_close_ int fd = -1;
        _cleanup_plan_ Plan plan = {};
        WrapContext c = { .release = release, .artifact = a, .options = o, .archive = archive, .plan = &plan };
        int r;

        if (!f)
                return error_set(e, EINVAL, EXIT_USAGE, "%s: artifact '%s' is of kind %s, which is published as it is", release->path, a->name,
                                 artifact_kind_to_string(a->kind));
        if (!(manifest = format("%s: %s", archive, f->manifest)))
                return error_oom(e);
        c.manifest_name = plan.origin = manifest;
        fd = open(archive, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return error_errno(e, errno, "%s", archive);
        if (d->ret_list) {
                _cleanup_(stage_freep) Stage *s = NULL;

                r = read_and_plan(f, &c, fd, NULL, &s, e);
                if (r >= 0)
                        r = place_describe(&plan, fd, d->ret_list, e);
        } else
                r = write_staged(f, &c, fd, d, e);
        f->done(&c);
        return r;
}

int wrap_place(const Release *r, const Artifact *a, const char *archive, const char *into, const char *lists, const WrapOptions *o,
               WrapSummary *ret_summary, Error *e) {
        return wrap(r, a, archive, o, &(Destination){ .into = into, .lists = lists, .ret_summary = ret_summary }, e);
}

int wrap_describe(const Release *r, const Artifact *a, const char *archive, const WrapOptions *o, WrapList **ret, Error *e) {
        return wrap(r, a, archive, o, &(Destination){ .ret_list = ret }, e);
}
