/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/stage.h"

#include <fcntl.h>
#include <search.h>
#include <sys/statvfs.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/elf.h"

struct Stage {
        StageOptions options;
        const char *name;
        int directory_fd;
        void *tree; /* Member by name, while reading */
        Member **members;
        size_t n_members, allocated;
        /* the member that streams by */
        Member *current;
        int fd;
        uint64_t taken;
        Digest *digest;
        Text captured;
        bool capturing;
        ElfReader *elf;
};

static int compare_members(const void *a, const void *b) {
        return strcmp(((const Member *) a)->name, ((const Member *) b)->name);
}

static int compare_pointers(const void *a, const void *b) {
        return compare_members(*(Member *const *) a, *(Member *const *) b);
}

static void member_free(Member *m) {
        if (!m)
                return;
        free(m->name);
        free(m->target);
        free(m->soname);
        free(m->content);
        free(m);
}
DEFINE_CLEANUP(Member, member_free);

static void keep(void *p) {
        (void) p;
}

Stage *stage_free(Stage *s) {
        if (!s)
                return NULL;
        tdestroy(s->tree, keep);
        for (size_t i = 0; i < s->n_members; i++)
                member_free(s->members[i]);
        free(s->members);
        s->directory_fd = safe_close(s->directory_fd);
        s->fd = safe_close(s->fd);
        digest_free(s->digest);
        text_free(&s->captured);
        elf_reader_free(s->elf);
        free(s);
        return NULL;
}

static Member *find_exact(const Stage *s, const char *name) {
        Member key = { .name = (char *) name }, **found;

        if (s->tree) {
                found = tfind(&key, &s->tree, compare_members);
                return found ? *found : NULL;
        }
        const Member *k = &key;
        found = s->n_members ? bsearch(&k, s->members, s->n_members, sizeof(Member *), compare_pointers) : NULL;
        return found ? *found : NULL;
}

Member *stage_find(const Stage *s, const char *name) {
        Member *m = find_exact(s, name);
        return m && m->same ? m->same : m;
}

Member **stage_members(const Stage *s, size_t *ret_n) {
        *ret_n = s->n_members;
        return s->members;
}

char *stage_file(const Member *m) {
        return format("%zu", m->number);
}

int stage_directory(const Stage *s) {
        return s->directory_fd;
}

static int resolve_hard_link(Stage *s, Member *m, const char *target, Error *e) {
        _cleanup_free_ char *clean = NULL;
        int r = 0;

        clean = archive_clean_name(target, &r);
        if (r == -ENOMEM)
                return error_oom(e);
        m->same = clean ? stage_find(s, clean) : NULL;
        if (!m->same || m->same->kind != ARCHIVE_FILE)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: member '%s': a hard link to no earlier file of the archive", s->name, m->name);
        return 0;
}

static int stage_add(Stage *s, Member *m, Error *e) {
        Member **node;

        if (s->n_members == s->allocated) {
                size_t n = s->allocated ? s->allocated * 2 : 256;
                Member **grown = reallocarray(s->members, n, sizeof(Member *));
                if (!grown)
                        return error_oom(e);
                s->members = grown;
                s->allocated = n;
        }
        node = tsearch(m, &s->tree, compare_members);
        if (!node)
                return error_oom(e);
        if (*node != m)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: two members are called '%s'", s->name, m->name);
        m->number = s->n_members;
        s->members[s->n_members++] = m;
        return 0;
}

/* Says that the disk is too small before it is full. */
static int check_space(Stage *s, const Member *m, Error *e) {
        struct statvfs v;

        if (fstatvfs(s->directory_fd, &v) == 0 && v.f_frsize > 0 && m->size / v.f_frsize >= v.f_bavail)
                return error_hint(e, error_set(e, ENOSPC, EXIT_NO_SPACE, "%s: member '%s' needs %llu bytes, more than is free below '%s'", s->name,
                                               m->name, (unsigned long long) m->size, s->options.directory), "free some space there");
        return 0;
}

static int open_member(Stage *s, Member *m, Error *e) {
        const StageOptions *o = &s->options;
        _cleanup_free_ char *file = NULL;
        int r;

        m->stored = true;
        if (o->digest && !(s->digest = digest_new("sha256")))
                return error_oom(e);
        if (o->shared_library && o->shared_library(m->name) && !(s->elf = elf_reader_new()))
                return error_oom(e);
        if (!o->directory)
                return 0;
        if ((r = check_space(s, m, e)) < 0)
                return r;
        file = stage_file(m);
        if (!file)
                return error_oom(e);
        s->fd = openat(s->directory_fd, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (s->fd < 0)
                return error_errno(e, errno, "%s/%s", o->directory, file);
        return 0;
}

static int on_begin(void *userdata, const ArchiveMember *a, bool *ret_wanted, Error *e) {
        Stage *s = userdata;
        _cleanup_(member_freep) Member *m = calloc(1, sizeof(Member));
        Member *owned;
        int r;

        if (!m || !(m->name = strdup(a->name)))
                return error_oom(e);
        m->kind = a->kind;
        m->mode = a->mode;
        m->size = a->size;
        if (a->kind == ARCHIVE_LINK && !(m->target = strdup(a->target)))
                return error_oom(e);
        if (a->kind == ARCHIVE_HARD_LINK && (r = resolve_hard_link(s, m, a->target, e)) < 0)
                return r;
        if ((r = stage_add(s, m, e)) < 0)
                return r;
        owned = TAKE_PTR(m);
        s->capturing = s->options.capture && s->options.capture(owned->name);
        *ret_wanted = owned->kind == ARCHIVE_FILE &&
                      (s->capturing || !s->options.wanted || s->options.wanted(s->options.userdata, owned->name));
        if (!*ret_wanted)
                return 0;
        s->current = owned;
        s->taken = 0;
        return open_member(s, owned, e);
}

static int on_data(void *userdata, const void *data, size_t size, Error *e) {
        Stage *s = userdata;
        int r;

        if (s->fd >= 0 && (r = write_all(s->fd, data, size)) < 0)
                return error_hint(e, error_errno(e, -r, "%s: cannot write member '%s' below '%s'", s->name, s->current->name,
                                                 s->options.directory), "free some space there, then run again");
        if (s->digest && digest_update(s->digest, data, size) < 0)
                return error_oom(e);
        if (s->elf)
                elf_reader_update(s->elf, data, size);
        if (s->capturing) {
                if (s->taken + size > STAGE_CAPTURE_MAX)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: member '%s' is larger than %u bytes", s->name, s->current->name,
                                         STAGE_CAPTURE_MAX);
                text_append_n(&s->captured, data, size);
        }
        s->taken += size;
        return 0;
}

static int on_end(void *userdata, Error *e) {
        Stage *s = userdata;
        Member *m = TAKE_PTR(s->current);

        s->fd = safe_close(s->fd);
        m->size = s->taken;
        if (s->digest) {
                _cleanup_free_ char *hex = digest_hex(s->digest);

                s->digest = digest_free(s->digest);
                if (!hex)
                        return error_oom(e);
                memcpy(m->sha256, hex, SHA256_HEX_SIZE);
        }
        if (s->elf) {
                m->soname = elf_reader_soname(s->elf);
                s->elf = elf_reader_free(s->elf);
        }
        if (!s->capturing)
                return 0;
        if (!(m->content = text_take(&s->captured)))
                return error_oom(e);
        return s->options.captured ? s->options.captured(s->options.userdata, m, e) : 0;
}

int stage_read(const char *name, int fd, uint64_t offset, uint64_t size, ArchiveFormat fmt, const StageOptions *o, Stage **ret, Error *e) {
        static const ArchiveVisitor visitor = { .begin = on_begin, .data = on_data, .end = on_end };
        _cleanup_(stage_freep) Stage *s = calloc(1, sizeof(Stage));
        int r;

        if (!s)
                return error_oom(e);
        s->options = *o;
        s->name = name;
        s->fd = s->directory_fd = -1;
        if (o->directory && (s->directory_fd = open(o->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
                return error_errno(e, errno, "%s", o->directory);
        if ((r = archive_stream(name, fd, offset, size, fmt, &visitor, s, o->progress, e)) < 0)
                return r;
        tdestroy(s->tree, keep);
        s->tree = NULL;
        if (s->n_members > 0)
                qsort(s->members, s->n_members, sizeof(Member *), compare_pointers);
        *ret = TAKE_PTR(s);
        return 0;
}
