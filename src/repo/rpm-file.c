/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rpm-file.h"

#include <ctype.h>
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmmacro.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/dependency-scan.h"

#define LEAD_SIZE       96
#define INTRO_SIZE      16 /* magic, reserved, count of entries, bytes of data */
#define ENTRY_SIZE      16
#define SIGNATURE_MAX   (1024 * 1024)
#define HEADER_MAX      (64 * 1024 * 1024)
#define PGPHASH_SHA256  8 /* RFC 4880, 9.4 */

static const unsigned char lead_magic[4] = { 0xed, 0xab, 0xee, 0xdb };
static const unsigned char header_magic[8] = { 0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0 };

RpmFile *rpm_file_free(RpmFile *f) {
        if (!f)
                return NULL;
        safe_close(f->fd);
        headerFree(f->header);
        headerFree(f->signature);
        free(f->header_bytes);
        free(f->payload_sha256);
        free(f->nevra);
        free(f->evr);
        free(f->name);
        free(f->version);
        free(f->release);
        free(f->arch);
        free(f->path);
        free(f);
        return NULL;
}

static int keep_message(rpmlogRec rec, rpmlogCallbackData data) {
        return 0;
}

int rpm_library_setup(Error *e) {
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static bool done;
        bool is_done;

        (void) pthread_mutex_lock(&lock);
        if (!done) {
                rpmlogSetCallback(keep_message, NULL);
                done = rpmReadConfigFiles(NULL, NULL) == 0;
        }
        is_done = done;
        (void) pthread_mutex_unlock(&lock);
        return is_done ? 0 : error_set(e, EIO, EXIT_FAILED, "rpm's configuration files cannot be read");
}

static int malformed(const RpmFile *f, Error *e, const char *what) {
        return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a package of rpm 4: %s", f->path, what);
}

static int read_at(RpmFile *f, uint64_t offset, void *data, size_t size, const char *what, Error *e) {
        for (size_t done = 0; done < size;) {
                ssize_t n = pread(f->fd, (char *) data + done, size - done, (off_t) (offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_errno(e, errno, "%s: %s", f->path, what);
                if (n == 0)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: the file ends within its %s", f->path, what);
                done += (size_t) n;
        }
        return 0;
}

static uint32_t be32(const void *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return be32toh(v);
}

/* That the region (the part that digests and signatures cover) is the whole header: rpm shows what stands behind it, too. */
static bool region_is_whole(const unsigned char *bytes, uint32_t entries, uint32_t data_size, uint32_t region_tag) {
        const unsigned char *entry = bytes + INTRO_SIZE, *trailer;
        uint32_t offset = be32(entry + 8);

        if (be32(entry) != region_tag || be32(entry + 4) != RPM_BIN_TYPE || be32(entry + 12) != ENTRY_SIZE)
                return false;
        if (data_size < ENTRY_SIZE || offset != data_size - ENTRY_SIZE)
                return false;
        trailer = bytes + INTRO_SIZE + (size_t) entries * ENTRY_SIZE + offset;
        return be32(trailer) == region_tag && be32(trailer + 8) == (uint32_t) -(int32_t) (entries * ENTRY_SIZE);
}

/* Reads the header at offset: its bytes with magic (owned by the caller), and rpm's view of it. */
static int read_header(RpmFile *f, uint64_t offset, uint32_t region_tag, size_t max, const char *what,
                       void **ret_bytes, size_t *ret_size, Header *ret, Error *e) {
        unsigned char intro[INTRO_SIZE];
        _cleanup_free_ unsigned char *bytes = NULL;
        uint32_t entries, data_size;
        size_t size;
        void *copy;
        Header h;
        int r;

        r = read_at(f, offset, intro, sizeof(intro), what, e);
        if (r < 0)
                return r;
        entries = be32(intro + 8);
        data_size = be32(intro + 12);
        if (memcmp(intro, header_magic, sizeof(header_magic)) != 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a package of rpm 4: bad magic of the %s", f->path, what);
        if (entries == 0 || entries > max / ENTRY_SIZE || data_size > max || offset + INTRO_SIZE + data_size > f->size)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: %" PRIu32 " entries and %" PRIu32 " bytes are not possible in a %s",
                                 f->path, entries, data_size, what);
        size = INTRO_SIZE + (size_t) entries * ENTRY_SIZE + data_size;
        bytes = malloc(size);
        if (!bytes)
                return error_oom(e);
        r = read_at(f, offset, bytes, size, what, e);
        if (r < 0)
                return r;
        /* The file may be changing under us: what was checked is what is used. */
        if (memcmp(bytes, intro, sizeof(intro)) != 0)
                return malformed(f, e, "it changed while it was read");
        if (!region_is_whole(bytes, entries, data_size, region_tag))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its %s has parts that nothing signs", f->path, what);
        copy = malloc(size - 8);
        if (!copy)
                return error_oom(e);
        memcpy(copy, bytes + 8, size - 8);
        h = headerImport(copy, (unsigned) (size - 8), 0); /* takes the copy */
        if (!h) {
                free(copy);
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its %s is damaged", f->path, what);
        }
        *ret_bytes = TAKE_PTR(bytes);
        *ret_size = size;
        *ret = h;
        return 0;
}

/* Text that becomes a part of file names, XML and messages. */
static bool is_plain(const char *s, const char *also) {
        if (!*s || *s == '.' || *s == '-')
                return false;
        for (; *s; s++)
                if (!isalnum((unsigned char) *s) && !strchr(also, *s))
                        return false;
        return true;
}

static int take_string(RpmFile *f, rpmTagVal tag, const char *also, char **ret, Error *e) {
        const char *s = headerGetString(f->header, tag);

        if (!s || strlen(s) > 255 || !is_plain(s, also))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: its header has no usable %s", f->path, rpmTagGetName(tag));
        *ret = strdup(s);
        return *ret ? 0 : error_oom(e);
}

static int take_identity(RpmFile *f, Error *e) {
        int r;

        if ((r = take_string(f, RPMTAG_NAME, "+-._", &f->name, e)) < 0 ||
            (r = take_string(f, RPMTAG_VERSION, "+._~^", &f->version, e)) < 0 ||
            (r = take_string(f, RPMTAG_RELEASE, "+._~^", &f->release, e)) < 0 ||
            (r = take_string(f, RPMTAG_ARCH, "_", &f->arch, e)) < 0)
                return r;
        if (rpm_file_is_source(f)) {
                free(f->arch);
                if (!(f->arch = strdup("src")))
                        return error_oom(e);
        }
        f->epoch = (uint32_t) headerGetNumber(f->header, RPMTAG_EPOCH);
        f->archive_size = headerGetNumber(f->signature, RPMSIGTAG_LONGARCHIVESIZE);
        if (f->archive_size == 0)
                f->archive_size = headerGetNumber(f->signature, RPMSIGTAG_PAYLOADSIZE);
        f->build_time = (int64_t) headerGetNumber(f->header, RPMTAG_BUILDTIME);
        f->evr = f->epoch > 0 ? format("%" PRIu32 ":%s-%s", f->epoch, f->version, f->release) : format("%s-%s", f->version, f->release);
        if (!f->evr)
                return error_oom(e);
        f->nevra = format("%s-%s.%s", f->name, f->evr, f->arch);
        return f->nevra ? 0 : error_oom(e);
}

/* The payload's digest, which ties the payload to the signed header. */
static int take_payload_digest(RpmFile *f, Error *e) {
        struct rpmtd_s td;
        const char *s;
        int r = 0;

        if (headerGetNumber(f->header, RPMTAG_PAYLOADDIGESTALGO) != PGPHASH_SHA256 ||
            !headerGet(f->header, RPMTAG_PAYLOADDIGEST, &td, HEADERGET_MINMEM))
                return 0;
        s = rpmtdNextString(&td);
        if (!s || !sha256_is_valid(s))
                r = malformed(f, e, "its payload digest is not one");
        else if (!(f->payload_sha256 = strdup(s)))
                r = error_oom(e);
        rpmtdFreeData(&td);
        return r;
}

static int check_dependencies(const RpmFile *f, Error *e) {
        static const rpmTagVal tags[] = { RPMTAG_REQUIRENAME, RPMTAG_PROVIDENAME, RPMTAG_CONFLICTNAME, RPMTAG_OBSOLETENAME,
                                          RPMTAG_RECOMMENDNAME, RPMTAG_SUGGESTNAME, RPMTAG_SUPPLEMENTNAME, RPMTAG_ENHANCENAME };
        DependencyScan scan = {};

        for (size_t i = 0; i < ELEMENTSOF(tags); i++) {
                struct rpmtd_s td;
                const char *name;

                if (!headerGet(f->header, tags[i], &td, HEADERGET_MINMEM))
                        continue;
                while (!scan.is_bad && (name = rpmtdNextString(&td)))
                        (void) dependency_scan_name(&scan, name);
                rpmtdFreeData(&td);
        }
        return scan.is_bad ? dependency_scan_error(&scan, f->path, e) : 0;
}

/* Keeps a pointer into the signature header, which lives as long as f. */
static void take_signature(RpmFile *f) {
        struct rpmtd_s td;

        if (headerGet(f->signature, RPMSIGTAG_RSA, &td, HEADERGET_MINMEM) && rpmtdType(&td) == RPM_BIN_TYPE && td.count > 0) {
                f->signature_packet = td.data;
                f->signature_packet_size = td.count;
        }
}

/* As rpm reads old headers, and those of others: whole names of files, and neither the one nor the other tag that tells what a source package is. */
static int modernize(RpmFile *f, Error *e) {
        bool source = false;
        struct rpmtd_s td;

        if (headerIsEntry(f->header, RPMTAG_OLDFILENAMES) && headerConvert(f->header, HEADERCONV_COMPRESSFILELIST) != 1)
                return malformed(f, e, "its list of files is damaged");
        if (headerIsEntry(f->header, RPMTAG_SOURCERPM) || headerIsEntry(f->header, RPMTAG_SOURCEPACKAGE))
                return 0;
        /* All that such a package has lies in one folder without a name. */
        if (headerGet(f->header, RPMTAG_DIRNAMES, &td, HEADERGET_MINMEM)) {
                const char *s = rpmtdNextString(&td);

                source = rpmtdCount(&td) == 1 && s && !*s;
                rpmtdFreeData(&td);
        }
        if (source ? headerPutUint32(f->header, RPMTAG_SOURCEPACKAGE, &(uint32_t){ 1 }, 1) : headerPutString(f->header, RPMTAG_SOURCERPM, "(none)"))
                return 0;
        return malformed(f, e, "its header cannot be completed");
}

static int read_headers(RpmFile *f, Error *e) {
        _cleanup_free_ void *signature_bytes = NULL;
        unsigned char lead[LEAD_SIZE];
        uint64_t offset = LEAD_SIZE;
        size_t size;
        int r;

        r = read_at(f, 0, lead, sizeof(lead), "lead", e);
        if (r < 0)
                return r;
        if (memcmp(lead, lead_magic, sizeof(lead_magic)) != 0)
                return malformed(f, e, "bad magic");
        r = read_header(f, offset, RPMTAG_HEADERSIGNATURES, SIGNATURE_MAX, "signature header", &signature_bytes, &size, &f->signature, e);
        if (r < 0)
                return r;
        offset += (size + 7) & ~(uint64_t) 7; /* padded to 8 bytes */
        r = read_header(f, offset, RPMTAG_HEADERIMMUTABLE, HEADER_MAX, "header", &f->header_bytes, &size, &f->header, e);
        if (r < 0)
                return r;
        f->header_start = offset;
        f->header_end = offset + size;
        r = modernize(f, e);
        return r < 0 ? r : sha256_buffer(f->header_bytes, size, f->header_sha256);
}

int rpm_file_open(int dir_fd, const char *path, RpmFile **ret, Error *e) {
        _cleanup_(rpm_file_freep) RpmFile *f = NULL;
        struct stat st;
        int r;

        r = rpm_library_setup(e);
        if (r < 0)
                return r;
        f = calloc(1, sizeof(*f));
        if (!f)
                return error_oom(e);
        f->fd = -1;
        f->path = strdup(path);
        if (!f->path)
                return error_oom(e);
        f->fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (f->fd < 0 || fstat(f->fd, &st) < 0)
                return error_errno(e, errno, "%s", path);
        if (!S_ISREG(st.st_mode))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not a regular file", path);
        f->size = (uint64_t) st.st_size;
        if ((r = read_headers(f, e)) < 0 || (r = take_identity(f, e)) < 0 || (r = take_payload_digest(f, e)) < 0 ||
            (r = check_dependencies(f, e)) < 0)
                return r;
        take_signature(f);
        *ret = TAKE_PTR(f);
        return 0;
}

char *rpm_file_canonical_name(const RpmFile *f) {
        bool incomplete = rpm_file_is_source(f) && (headerIsEntry(f->header, RPMTAG_NOSOURCE) || headerIsEntry(f->header, RPMTAG_NOPATCH));

        return format("%s-%s-%s.%s.rpm", f->name, f->version, f->release, incomplete ? "nosrc" : f->arch);
}

bool rpm_file_is_source(const RpmFile *f) {
        return !headerIsEntry(f->header, RPMTAG_SOURCERPM);
}
