/* SPDX-License-Identifier: Apache-2.0 */
/* One package file, opened: its headers read once, bounded and checked for form, never its payload.
 * Format: the package file format of rpm 4 (lead, signature header, padding, header, payload). */
#pragma once

#include <rpm/header.h>

#include "basic/digest.h"

typedef struct RpmFile {
        char *path; /* for messages */
        int fd;
        char *name, *version, *release;
        char *arch;           /* "src" of a source package */
        uint32_t epoch;
        char *evr;            /* [EPOCH:]VERSION-RELEASE */
        char *nevra;          /* NAME-EVR.ARCH */
        int64_t build_time;   /* seconds since the epoch */
        uint64_t size;        /* bytes of the file */
        uint64_t archive_size; /* of the payload, unpacked; as the signature header says, which nothing signs */
        uint64_t header_start, header_end; /* the header, with its magic: what is signed, and rpm-md's header-range */
        void *header_bytes;   /* [header_start, header_end) */
        Header header;        /* of the package */
        Header signature;     /* the signature header */
        /* Of the header's bytes: the package's identity. Signing does not change it, and it covers the payload by payload_sha256. */
        char header_sha256[SHA256_HEX_SIZE];
        char *payload_sha256; /* as the header has it; NULL: the header has none */
        const void *signature_packet; /* the RSA signature of the header, in `signature`; NULL: unsigned */
        size_t signature_packet_size;
} RpmFile;

/* -EBADMSG/EXIT_INVALID when it is no package of rpm 4, or has anything outside of its signed region. */
int rpm_file_open(int dir_fd, const char *path, RpmFile **ret, Error *e);
RpmFile *rpm_file_free(RpmFile *f);
DEFINE_CLEANUP(RpmFile, rpm_file_free);

/* "NAME-VERSION-RELEASE.ARCH.rpm", what the file has to be called ("nosrc" for a source package without all its sources), owned by the caller. */
char *rpm_file_canonical_name(const RpmFile *f) _must_check_;

/* Whether it is a source package: its Requires are what building needs. */
bool rpm_file_is_source(const RpmFile *f);

/* rpm's messages are kept for errors instead of being printed; the configuration is read. Once per process, in any thread; later calls do nothing. */
int rpm_library_setup(Error *e);
