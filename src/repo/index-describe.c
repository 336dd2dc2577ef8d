/* SPDX-License-Identifier: Apache-2.0 */
/* A package as rpm-md metadata, by libcreaterepo_c. */
#include <createrepo_c/createrepo_c.h>
#include <dlfcn.h>
#include <pthread.h>
#undef MIN
#undef MAX

#include "basic/strings.h"
#include "repo/index-text.h"
#include "repo/index.h"

#define LIBRARY "libcreaterepo_c.so.0"
#define CHANGELOG_ENTRIES 10 /* as createrepo_c does by default */

/* What libcreaterepo_c said last in this thread, of a dependency that it would leave out. */
static __thread char *complaint;

static void keep_complaint(const char *domain, GLogLevelFlags level, const char *message, void *data) {
        if (!complaint && message)
                complaint = strdup(message);
}

/* Of libcreaterepo_c, which brings forty libraries more: a publish of which nothing has to be described does without. */
static struct {
        __typeof__(cr_xml_dump_init) *xml_dump_init;
        __typeof__(cr_package_parser_init) *package_parser_init;
        __typeof__(cr_package_from_header) *package_from_header;
        __typeof__(cr_package_free) *package_free;
        __typeof__(cr_xml_dump) *xml_dump;
        char *problem; /* why it cannot be used; NULL: it can */
} cr;

static void *library;

static void *find(const char *name) {
        void *found = library ? dlsym(library, name) : NULL;

        if (!found && !cr.problem)
                cr.problem = strdup(dlerror() ?: name);
        return found;
}

static void load(void) {
        library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        cr.xml_dump_init = find("cr_xml_dump_init");
        cr.package_parser_init = find("cr_package_parser_init");
        cr.package_from_header = find("cr_package_from_header");
        cr.package_free = find("cr_package_free");
        cr.xml_dump = find("cr_xml_dump");
        if (cr.problem || !cr.xml_dump)
                return;
        cr.xml_dump_init();
        cr.package_parser_init();
        (void) g_log_set_handler("C_CREATEREPOLIB", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL, keep_complaint, NULL);
}

static int dump(cr_Package *p, const char *path, IndexEntry *ret, Error *e) {
        GError *err = NULL;
        struct cr_XmlStruct xml = cr.xml_dump(p, &err);
        char *texts[INDEX_STREAMS] = { xml.primary, xml.filelists, xml.other };
        int r = 0;

        if (err || !xml.primary || !xml.filelists || !xml.other)
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: cannot be described in XML: %s", path, err ? err->message : "no reason is given");
        g_clear_error(&err);
        for (size_t i = 0; i < INDEX_STREAMS; i++) {
                if (r < 0) {
                        free(texts[i]);
                        continue;
                }
                ret->xml[i] = ret->owned[i] = texts[i];
                ret->size[i] = strlen(texts[i]);
        }
        return r;
}

/* Metadata that lack a dependency would be believed. */
static int read_package(const RpmFile *f, cr_Package **ret, Error *e) {
        _cleanup_free_ char *why = NULL;
        GError *err = NULL;
        cr_Package *p = cr.package_from_header(f->header, CHANGELOG_ENTRIES, CR_HDRR_NONE, &err);
        int r = 0;

        why = TAKE_PTR(complaint);
        if (!p || why)
                r = error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: createrepo_c does not understand its header: %s", f->path, why ? why : err ? err->message : "?"),
                               "build the package again, without that");
        g_clear_error(&err);
        if (r == 0)
                r = index_text_clean(p, f->path, e);
        if (r == 0)
                *ret = p;
        else if (p)
                cr.package_free(p);
        return r;
}

int index_describe(const RpmFile *f, const char *href, const char *sha256, IndexEntry *ret, Error *e) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        cr_Package *p = NULL;
        int r;

        (void) pthread_once(&once, load);
        if (!library || cr.problem)
                return error_hint(e, error_set(e, ELIBACC, EXIT_FAILED, "%s: %s", LIBRARY, cr.problem ? cr.problem : "it cannot be loaded"), "install createrepo_c's libraries");
        if ((r = read_package(f, &p, e)) < 0)
                return r;
        p->pkgId = g_string_chunk_insert(p->chunk, sha256);
        p->checksum_type = g_string_chunk_insert(p->chunk, "sha256");
        p->location_href = g_string_chunk_insert(p->chunk, href);
        p->size_package = (gint64) f->size;
        p->size_archive = (gint64) f->archive_size;
        /* The file's own time depends on who copied it and when. */
        p->time_file = f->build_time;
        p->rpm_header_start = (gint64) f->header_start;
        p->rpm_header_end = (gint64) f->header_end;
        r = dump(p, f->path, ret, e);
        cr.package_free(p);
        memcpy(ret->sha256, sha256, SHA256_HEX_SIZE);
        ret->href = href;
        return r;
}
