/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index.h"

#include <createrepo_c/createrepo_c.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/gzip.h"

#define CHANGELOG_ENTRIES 10 /* as createrepo_c does by default */
#define RPM_NS "http://linux.duke.edu/metadata/rpm"

enum { PRIMARY, FILELISTS, OTHER, GROUP, N_FILES };

static const struct {
        const char *type, *temporary, *suffix, *element, *attributes;
} kinds[] = {
        [PRIMARY]   = { "primary", "primary.new", "primary.xml.gz", "metadata",
                        " xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"" RPM_NS "\"" },
        [FILELISTS] = { "filelists", "filelists.new", "filelists.xml.gz", "filelists", " xmlns=\"http://linux.duke.edu/metadata/filelists\"" },
        [OTHER]     = { "other", "other.new", "other.xml.gz", "otherdata", " xmlns=\"http://linux.duke.edu/metadata/other\"" },
        [GROUP]     = { "group", "comps.new", "comps.xml", NULL, NULL },
};

struct Index {
        int dir_fd;
        size_t n_packages, n_added;
        GzipWriter *streams[GROUP];
        IndexFile files[N_FILES];
        size_t n_files;
};

Index *index_free(Index *x) {
        if (!x)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(x->streams); i++)
                gzip_free(x->streams[i]);
        for (size_t i = 0; i < N_FILES; i++)
                free(x->files[i].name);
        safe_close(x->dir_fd);
        free(x);
        return NULL;
}

static int put(Index *x, size_t i, const char *s, Error *e) {
        int r = gzip_write(x->streams[i], s, strlen(s));
        return r < 0 ? error_errno(e, -r, "writing %s.xml.gz", kinds[i].type) : 0;
}

static int open_stream(Index *x, size_t i, Error *e) {
        _cleanup_free_ char *head = NULL;
        int fd;

        fd = openat(x->dir_fd, kinds[i].temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 || fchmod(fd, 0644) < 0)
                return error_errno(e, errno, "repodata/%s", kinds[i].temporary);
        x->streams[i] = gzip_new(fd);
        if (!x->streams[i])
                return error_oom(e);
        head = format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s%s packages=\"%zu\">\n", kinds[i].element, kinds[i].attributes, x->n_packages);
        return head ? put(x, i, head, e) : error_oom(e);
}

int index_new(int dir_fd, size_t n_packages, Index **ret, Error *e) {
        _cleanup_(index_freep) Index *x = calloc(1, sizeof(*x));
        static bool ready;
        int r;

        if (!x)
                return error_oom(e);
        if (!ready) {
                cr_xml_dump_init();
                cr_package_parser_init();
                ready = true;
        }
        x->n_packages = n_packages;
        x->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        if (x->dir_fd < 0)
                return error_errno(e, errno, "repodata");
        for (size_t i = 0; i < GROUP; i++) {
                r = open_stream(x, i, e);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(x);
        return 0;
}

static int dump(Index *x, cr_Package *p, const char *path, Error *e) {
        GError *err = NULL;
        struct cr_XmlStruct xml = cr_xml_dump(p, &err);
        int r;

        if (err || !xml.primary || !xml.filelists || !xml.other)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: cannot be described in XML: %s", path, err ? err->message : "no reason is given");
        else if ((r = put(x, PRIMARY, xml.primary, e)) >= 0 && (r = put(x, FILELISTS, xml.filelists, e)) >= 0)
                r = put(x, OTHER, xml.other, e);
        g_clear_error(&err);
        free(xml.primary);
        free(xml.filelists);
        free(xml.other);
        return r;
}

int index_add(Index *x, const RpmFile *f, const char *href, const char *sha256, Error *e) {
        GError *err = NULL;
        cr_Package *p;
        int r;

        p = cr_package_from_header(f->header, CHANGELOG_ENTRIES, CR_HDRR_NONE, &err);
        if (!p) {
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: createrepo_c does not understand its header: %s", f->path, err ? err->message : "?");
                g_clear_error(&err);
                return r;
        }
        p->pkgId = cr_safe_string_chunk_insert(p->chunk, sha256);
        p->checksum_type = cr_safe_string_chunk_insert(p->chunk, "sha256");
        p->location_href = cr_safe_string_chunk_insert(p->chunk, href);
        p->size_package = (gint64) f->size;
        p->size_archive = (gint64) f->archive_size;
        /* The file's own time depends on who copied it and when. */
        p->time_file = f->build_time;
        p->rpm_header_start = (gint64) f->header_start;
        p->rpm_header_end = (gint64) f->header_end;
        r = dump(x, p, f->path, e);
        cr_package_free(p);
        if (r >= 0)
                x->n_added++;
        return r;
}

static int settle(Index *x, size_t i, const GzipResult *g, Error *e) {
        IndexFile *file = &x->files[x->n_files];

        *file = (IndexFile){ .type = kinds[i].type, .size = g->size, .open_size = g->open_size };
        memcpy(file->sha256, g->sha256, SHA256_HEX_SIZE);
        memcpy(file->open_sha256, g->open_sha256, SHA256_HEX_SIZE);
        file->name = format("%s-%s", g->sha256, kinds[i].suffix);
        if (!file->name)
                return error_oom(e);
        if (renameat(x->dir_fd, kinds[i].temporary, x->dir_fd, file->name) < 0)
                return error_errno(e, errno, "repodata/%s", file->name);
        x->n_files++;
        return 0;
}

static int finish_stream(Index *x, size_t i, Error *e) {
        _cleanup_free_ char *tail = format("</%s>\n", kinds[i].element);
        GzipResult g;
        int r;

        if (!tail)
                return error_oom(e);
        r = put(x, i, tail, e);
        if (r < 0)
                return r;
        r = gzip_finish(x->streams[i], &g);
        if (r < 0)
                return error_errno(e, -r, "writing %s.xml.gz", kinds[i].type);
        return settle(x, i, &g, e);
}

static int write_comps(Index *x, const char *comps, Error *e) {
        GzipResult g = { .size = strlen(comps), .open_size = strlen(comps) };
        int r;

        r = sha256_buffer(comps, strlen(comps), g.sha256);
        if (r < 0)
                return error_errno(e, -r, "SHA-256");
        memcpy(g.open_sha256, g.sha256, SHA256_HEX_SIZE);
        r = write_file_atomic(x->dir_fd, kinds[GROUP].temporary, comps, strlen(comps), 0644);
        return r < 0 ? error_errno(e, -r, "repodata/comps.xml") : settle(x, GROUP, &g, e);
}

static void describe(Text *t, const IndexFile *f, int64_t timestamp) {
        text_printf(t, "  <data type=\"%s\">\n    <checksum type=\"sha256\">%s</checksum>\n", f->type, f->sha256);
        if (!streq(f->type, kinds[GROUP].type))
                text_printf(t, "    <open-checksum type=\"sha256\">%s</open-checksum>\n", f->open_sha256);
        text_printf(t, "    <location href=\"repodata/%s\"/>\n    <timestamp>%" PRIi64 "</timestamp>\n    <size>%" PRIu64 "</size>\n",
                    f->name, timestamp, f->size);
        if (!streq(f->type, kinds[GROUP].type))
                text_printf(t, "    <open-size>%" PRIu64 "</open-size>\n", f->open_size);
        text_append(t, "  </data>\n");
}

int index_finish(Index *x, const char *comps, int64_t revision, char **ret_repomd, Error *e) {
        _cleanup_free_ char *repomd = NULL;
        _cleanup_text_ Text t = {};
        int r;

        if (x->n_added != x->n_packages)
                return error_set(e, EINVAL, EXIT_FAILED, "%zu packages announced, %zu indexed", x->n_packages, x->n_added);
        for (size_t i = 0; i < GROUP; i++) {
                r = finish_stream(x, i, e);
                if (r < 0)
                        return r;
        }
        if (comps && (r = write_comps(x, comps, e)) < 0)
                return r;
        text_printf(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm=\"" RPM_NS "\">\n"
                        "  <revision>%" PRIi64 "</revision>\n", revision);
        for (size_t i = 0; i < x->n_files; i++)
                describe(&t, &x->files[i], revision);
        text_append(&t, "</repomd>\n");
        repomd = text_take(&t);
        if (!repomd)
                return error_oom(e);
        r = write_file_atomic(x->dir_fd, "repomd.xml", repomd, strlen(repomd), 0644);
        if (r < 0)
                return error_errno(e, -r, "repodata/repomd.xml");
        *ret_repomd = TAKE_PTR(repomd);
        return 0;
}

const IndexFile *index_files(const Index *x, size_t *ret_n) {
        *ret_n = x->n_files;
        return x->files;
}
