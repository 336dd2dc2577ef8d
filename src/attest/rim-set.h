/* SPDX-License-Identifier: Apache-2.0 */
/* The manifests that a system's devices want, each obtained, read and verified once, however many devices want it. */
#pragma once

#include "attest/check.h"
#include "attest/ocsp-status.h"
#include "attest/rim.h"

/* Where manifests come from: a directory here; a service, a mirror or a cache elsewhere. */
typedef struct RimSource {
        void *userdata;
        /* Called once with all distinct ids before the first get(), so that they can be fetched together; may be NULL. A failure is told by get(). */
        void (*prepare)(void *userdata, char *const *ids);
        /* The XML of one, and its name for messages, both owned by the caller. -ENOENT: there is no such manifest; else: it could not be had. */
        int (*get)(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e);
} RimSource;

/* Files DIR/ID.xml; userdata is DIR. */
int rim_directory_get(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e);

typedef enum RimCheck { RIM_FOUND, RIM_SCHEMA, RIM_CHAIN, RIM_STATUS, RIM_SIGNATURE, _RIM_CHECK_MAX } RimCheck;

typedef struct WantedRim {
        char *id;
        Rim *rim;     /* verified, or NULL */
        bool expired; /* its chain is right, but for the time */
        int not_found; /* why the source did not give it: -ENOENT, there is none; -EBADMSG, not this one; another -errno, it could not be asked; 0 */
        Check checks[_RIM_CHECK_MAX];
        OcspResult ocsp; /* the worst of its chain */
} WantedRim;

typedef struct RimSet {
        WantedRim **rims;
        size_t n;
} RimSet;

/* The entry of that id, made if it is not there yet; NULL when out of memory. */
WantedRim *rim_set_want(RimSet *s, const char *id);
/* Obtains and verifies all of them; source may be NULL. What goes wrong is in their checks. -ENOMEM. */
int rim_set_load(RimSet *s, const RimSource *source, CertPool *pool, const TrustRoots *roots, int64_t at, Error *e);
void rim_set_free(RimSet *s);

/* The manifest ids of a report, owned by the caller; NULL in *ret when it does not name its versions. arch: "HOPPER", "BLACKWELL" or "LS10".
 * A switch has none for its driver. */
int rim_id_driver(const Report *r, const char *arch, char **ret);
int rim_id_vbios(const Report *r, const char *arch, char **ret);
/* Whether a verified manifest is the one that an id (NV_...) names, as far as it says: kind of device, chip of a Hopper's driver, version. */
bool rim_fits_id(const Rim *rim, const char *id);
