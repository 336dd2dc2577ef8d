/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define BLOCK (256 * 1024)

typedef struct Source {
        int fd;
        uint64_t begin, size, position; /* position: in the archive */
        Progress *progress;
        char *block;
} Source;

static la_ssize_t source_read(struct archive *a, void *userdata, const void **ret) {
        Source *s = userdata;
        size_t want = (size_t) MIN((uint64_t) BLOCK, s->size - s->position);
        ssize_t n;

        do
                n = pread(s->fd, s->block, want, (off_t) (s->begin + s->position));
        while (n < 0 && errno == EINTR);
        if (n < 0) {
                archive_set_error(a, errno, "cannot read: %s", strerror(errno));
                return ARCHIVE_FATAL;
        }
        s->position += (uint64_t) n;
        progress_step(s->progress, (uint64_t) n);
        *ret = s->block;
        return n;
}

/* Only zip's table of contents needs to go back. */
static la_int64_t source_seek(struct archive *a, void *userdata, la_int64_t offset, int whence) {
        Source *s = userdata;
        int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t) s->position : (int64_t) s->size, to;

        if (__builtin_add_overflow(base, offset, &to) || to < 0 || (uint64_t) to > s->size)
                return ARCHIVE_FATAL;
        s->position = (uint64_t) to;
        return to;
}

static void archive_closep(struct archive **a) {
        if (*a)
                (void) archive_read_free(*a);
}

char *archive_clean_name(const char *name, int *ret_r) {
        char *clean = calloc(strlen(name) + 1, 1), *to = clean;

        if (!clean) {
                *ret_r = -ENOMEM;
                return NULL;
        }
        for (const char *p = name; *p;) {
                size_t n = strcspn(p, "/");
                if (!(n == 0 || (n == 1 && p[0] == '.'))) {
                        if (to != clean)
                                *to++ = '/';
                        to = mempcpy(to, p, n);
                }
                p += n + (p[n] == '/');
        }
        *to = '\0';
        if (name[0] == '/' || strlen(clean) > ARCHIVE_NAME_MAX || !text_is_printable(clean) || (*clean && !path_is_safe(clean))) {
                free(clean);
                *ret_r = -EBADMSG;
                return NULL;
        }
        return clean;
}

/* A hostile name must not reach a terminal raw. */
static char *shown(const char *s) {
        char *t = format("%.200s", s);

        for (char *p = t; p && *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
        return t;
}

static int refuse(const char *archive, const char *member, const char *why, Error *e) {
        _cleanup_free_ char *s = shown(member);
        return error_set(e, EBADMSG, EXIT_INVALID, "%s: member '%s': %s", archive, s ?: "", why);
}

static int read_error(const char *name, struct archive *a, const char *member, Error *e) {
        const char *why = archive_error_string(a);
        _cleanup_free_ char *s = shown(why ?: "damaged");
        int r;

        if (member)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: member '%s': %s", name, member, s ?: "");
        else
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: %s", name, s ?: "");
        return error_hint(e, r, "the archive is damaged or cut short: fetch it again");
}

typedef struct Flow {
        const char *name;
        const ArchiveMember *member;
        const ArchiveVisitor *visitor;
        void *userdata;
        bool is_sized;       /* the member's size was announced */
        uint64_t at, *total; /* bytes given of this member, of the archive */
} Flow;

/* Counts before anything is written: a bomb must not fill the disk first. */
static int flow_count(Flow *f, uint64_t more, Error *e) {
        if (__builtin_add_overflow(*f->total, more, f->total) || *f->total > ARCHIVE_BYTES_MAX)
                return refuse(f->name, f->member->name, "the archive unfolds to more than 64 GiB", e);
        f->at += more;
        return 0;
}

/* Zeros up to the offset: a sparse file's hole. */
static int flow_hole(Flow *f, uint64_t to, Error *e) {
        static const char zeros[65536];
        uint64_t hole = to - f->at;
        int r = flow_count(f, hole, e);

        for (size_t n; r >= 0 && hole > 0; hole -= n) {
                n = (size_t) MIN(hole, (uint64_t) sizeof(zeros));
                r = f->visitor->data(f->userdata, zeros, n, e);
        }
        return r;
}

static int member_data(struct archive *a, Flow *f, Error *e) {
        int r;

        for (;;) {
                const void *data;
                size_t size;
                la_int64_t offset;

                r = archive_read_data_block(a, &data, &size, &offset);
                if (r == ARCHIVE_EOF)
                        break;
                if (r < ARCHIVE_WARN || offset < 0 || (uint64_t) offset < f->at)
                        return read_error(f->name, a, f->member->name, e);
                if (f->is_sized && ((uint64_t) offset > f->member->size || size > f->member->size - (uint64_t) offset))
                        return refuse(f->name, f->member->name, "it is longer than announced", e);
                if (((uint64_t) offset > f->at && (r = flow_hole(f, (uint64_t) offset, e)) < 0) || (r = flow_count(f, size, e)) < 0)
                        return r;
                if (size > 0 && (r = f->visitor->data(f->userdata, data, size, e)) < 0)
                        return r;
        }
        return f->member->size > f->at ? flow_hole(f, f->member->size, e) : 0;
}

/* Fills m from the entry, whose strings it borrows but for the name. */
static int member_parse(const char *name, struct archive_entry *entry, const char *path, ArchiveMember *m, Error *e) {
        const char *target;
        mode_t type = archive_entry_filetype(entry);

        m->mode = archive_entry_perm(entry) & 07777;
        m->size = archive_entry_size(entry) > 0 ? (uint64_t) archive_entry_size(entry) : 0;
        m->target = NULL;
        if ((target = archive_entry_hardlink(entry) ?: archive_entry_hardlink_utf8(entry)))
                m->kind = ARCHIVE_HARD_LINK;
        else if (type == AE_IFLNK) {
                m->kind = ARCHIVE_LINK;
                target = archive_entry_symlink(entry) ?: archive_entry_symlink_utf8(entry);
        } else if (type == AE_IFREG || type == 0)
                m->kind = ARCHIVE_FILE;
        else
                return refuse(name, path, "neither a file, a directory nor a link", e);
        if (m->kind != ARCHIVE_FILE) {
                if (!target || !*target || strlen(target) > ARCHIVE_NAME_MAX || !text_is_printable(target))
                        return refuse(name, path, "a link whose target is empty, too long or not text", e);
                m->target = target;
        }
        return 0;
}

static int one_member(const char *name, struct archive *a, struct archive_entry *entry, const ArchiveVisitor *v, void *userdata,
                      uint64_t *names, uint64_t *total, Error *e) {
        const char *path = archive_entry_pathname(entry) ?: archive_entry_pathname_utf8(entry);
        _cleanup_free_ char *clean = NULL;
        ArchiveMember m;
        Flow f = { .name = name, .member = &m, .visitor = v, .userdata = userdata, .total = total };
        bool wanted = false;
        int r = 0;

        if (!path)
                return refuse(name, "", "its name is not text", e);
        clean = archive_clean_name(path, &r);
        if (r == -ENOMEM)
                return error_oom(e);
        if (!clean)
                return refuse(name, path, "its name is absolute, has '..' or a control character, or is too long", e);
        *names += strlen(clean);
        if (*names > ARCHIVE_NAMES_MAX)
                return refuse(name, clean, "the archive's names are too long together", e);
        m.name = clean;
        if (archive_entry_filetype(entry) == AE_IFDIR)
                return flow_count(&f, archive_entry_size(entry) > 0 ? (uint64_t) archive_entry_size(entry) : 0, e);
        if (!*clean)
                return refuse(name, path, "a member without a name", e);
        if ((r = member_parse(name, entry, clean, &m, e)) < 0)
                return r;
        if ((r = v->begin(userdata, &m, &wanted, e)) < 0)
                return r;
        if (!wanted)
                return flow_count(&f, m.size, e); /* what is skipped is unpacked as well */
        f.is_sized = archive_entry_size_is_set(entry);
        if (m.kind == ARCHIVE_FILE && (r = member_data(a, &f, e)) < 0)
                return r;
        return v->end(userdata, e);
}

/* An xz number: seven bits a byte, low ones first. Moves *p; false when it is cut. */
static bool xz_number(const unsigned char **p, const unsigned char *end, uint64_t *ret) {
        *ret = 0;
        for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
                unsigned char c = *(*p)++;

                *ret |= (uint64_t) (c & 0x7f) << shift;
                if (c < 0x80)
                        return true;
        }
        return false;
}

/* The dictionary that the first block of an xz file asks for, in bytes: a decoder allocates it whole. 0 when it cannot be told. */
static uint64_t xz_dictionary(const unsigned char *p, size_t size) {
        const unsigned char *end;
        uint64_t number, id;
        unsigned filters, flags;

        if (size < 14 || memcmp(p, "\xfd" "7zXZ\0", 6) != 0 || p[12] == 0)
                return 0;
        end = p + MIN(size, 12 + ((size_t) p[12] + 1) * 4);
        flags = p[13];
        p += 14;
        for (unsigned bit = 0x40; bit <= 0x80; bit <<= 1) /* sizes of the block, if they are given */
                if ((flags & bit) && !xz_number(&p, end, &number))
                        return 0;
        for (filters = (flags & 3) + 1; filters > 0; filters--) {
                if (!xz_number(&p, end, &id) || !xz_number(&p, end, &number) || number > (uint64_t) (end - p))
                        return 0;
                if (id == 0x21 && number == 1) /* LZMA2 */
                        return *p > 40 ? 0 : *p == 40 ? UINT32_MAX : (uint64_t) (2 | (*p & 1)) << (*p / 2 + 11);
                p += number;
        }
        return 0;
}

/* zstd's own limit, which libarchive keeps, is ARCHIVE_DICTIONARY_MAX as well; the others need little. */
static int check_dictionary(const char *name, const Source *s, Error *e) {
        unsigned char head[64];
        ssize_t n = pread(s->fd, head, (size_t) MIN(s->size, (uint64_t) sizeof(head)), (off_t) s->begin);
        uint64_t dictionary = n > 0 ? xz_dictionary(head, (size_t) n) : 0;

        if (dictionary <= ARCHIVE_DICTIONARY_MAX)
                return 0;
        return error_set(e, EBADMSG, EXIT_INVALID, "%s: needs %llu MiB of memory to unpack, more than the %llu MiB that are allowed", name,
                         (unsigned long long) dictionary >> 20, ARCHIVE_DICTIONARY_MAX >> 20);
}

/* Only the filter that the data needs: where libarchive lacks one it would run a program in its place, which is refused. */
static int add_filter(const char *name, struct archive *a, const Source *s, Error *e) {
        static const struct {
                const char *name, *magic;
                size_t size;
                int (*support)(struct archive *a);
        } filters[] = {
                { "xz", "\xfd" "7zXZ\0", 6, archive_read_support_filter_xz },
                { "zstd", "\x28\xb5\x2f\xfd", 4, archive_read_support_filter_zstd },
                { "gzip", "\x1f\x8b", 2, archive_read_support_filter_gzip },
                { "bzip2", "BZh", 3, archive_read_support_filter_bzip2 },
        };
        char head[8];
        ssize_t n = pread(s->fd, head, (size_t) MIN(s->size, (uint64_t) sizeof(head)), (off_t) s->begin);

        for (size_t i = 0; i < ELEMENTSOF(filters); i++)
                if (n >= (ssize_t) filters[i].size && memcmp(head, filters[i].magic, filters[i].size) == 0 &&
                    filters[i].support(a) != ARCHIVE_OK)
                        return error_hint(e, error_set(e, ENOTSUP, EXIT_FAILED, "%s: the libarchive of this machine cannot read %s", name,
                                                       filters[i].name), "use one that is built with it");
        return 0;
}

static int open_archive(const char *name, struct archive *a, Source *s, ArchiveFormat format, Error *e) {
        int r;

        if (format != ARCHIVE_ZIP) {
                (void) (format == ARCHIVE_TAR ? archive_read_support_format_tar(a) : archive_read_support_format_raw(a));
                if ((r = add_filter(name, a, s, e)) < 0)
                        return r;
        } else
                (void) archive_read_support_format_zip(a);
        (void) archive_read_set_read_callback(a, source_read);
        if (format == ARCHIVE_ZIP)
                (void) archive_read_set_seek_callback(a, source_seek);
        (void) archive_read_set_callback_data(a, s);
        if (archive_read_open1(a) != ARCHIVE_OK)
                return read_error(name, a, NULL, e);
        return 0;
}

int archive_stream(const char *name, int fd, uint64_t offset, uint64_t size, ArchiveFormat format, const ArchiveVisitor *v,
                   void *userdata, Progress *progress, Error *e) {
        _cleanup_free_ char *block = malloc(BLOCK);
        Source s = { .fd = fd, .begin = offset, .size = size, .progress = progress, .block = block };
        _cleanup_(archive_closep) struct archive *a = archive_read_new();
        uint64_t names = 0, total = 0;
        int r;

        if (!a || !block)
                return error_oom(e);
        (void) posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        if ((r = check_dictionary(name, &s, e)) < 0 || (r = open_archive(name, a, &s, format, e)) < 0)
                return r;
        for (size_t n = 0;; n++) {
                struct archive_entry *entry;

                r = archive_read_next_header(a, &entry);
                if (r == ARCHIVE_EOF)
                        break;
                if (r < ARCHIVE_WARN || r == ARCHIVE_RETRY) /* to go on behind a damaged header would be to guess */
                        return read_error(name, a, NULL, e);
                if (n >= ARCHIVE_MEMBERS_MAX)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: more than %u members", name, ARCHIVE_MEMBERS_MAX);
                if ((r = one_member(name, a, entry, v, userdata, &names, &total, e)) < 0)
                        return r;
        }
        return 0;
}

/* The only entry of an archive that is none. */
static int unpack(const char *name, struct archive *a, uint64_t max, int (*data)(void *userdata, const void *data, size_t size, Error *e), void *userdata, Error *e) {
        struct archive_entry *entry;
        uint64_t total = 0;
        int r;

        if (archive_read_next_header(a, &entry) != ARCHIVE_OK)
                return read_error(name, a, NULL, e);
        for (;;) {
                const void *block;
                size_t size;
                la_int64_t offset;

                r = archive_read_data_block(a, &block, &size, &offset);
                if (r == ARCHIVE_EOF)
                        return 0;
                if (r < ARCHIVE_WARN)
                        return read_error(name, a, NULL, e);
                if (__builtin_add_overflow(total, size, &total) || total > max)
                        return error_set(e, EFBIG, EXIT_INVALID, "%s: it unpacks to more than %ju bytes", name, (uintmax_t) max);
                if (size > 0 && (r = data(userdata, block, size, e)) < 0)
                        return r;
        }
}

int archive_unpack(const char *name, int fd, uint64_t max, int (*data)(void *userdata, const void *data, size_t size, Error *e), void *userdata, Error *e) {
        _cleanup_free_ char *block = malloc(BLOCK);
        Source s = { .fd = fd, .block = block };
        _cleanup_(archive_closep) struct archive *a = archive_read_new();
        struct stat st;
        int r;

        if (!a || !block)
                return error_oom(e);
        if (fstat(fd, &st) < 0)
                return error_errno(e, errno, "%s", name);
        s.size = (uint64_t) st.st_size;
        if ((r = check_dictionary(name, &s, e)) < 0 || (r = open_archive(name, a, &s, ARCHIVE_PLAIN, e)) < 0)
                return r;
        return unpack(name, a, max, data, userdata, e);
}
