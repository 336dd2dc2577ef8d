/* SPDX-License-Identifier: Apache-2.0 */
/* Where manifests and revocation answers come from: settings (/etc/gn8v-tee/attest.conf, the environment of NVIDIA's tools), directories, servers. */
#pragma once

#include "attest/http.h"
#include "attest/ocsp.h"
#include "attest/rim-set.h"

#define ATTEST_CONF        "/etc/gn8v-tee/attest.conf"
#define RIM_PACKAGE_DIR    "/usr/share/gn8v-tee/rims" /* for a package of them */
#define OCSP_CACHE_DIR     "/var/cache/gn8v-tee/ocsp"
#define OCSP_BUNDLE_DIR    "ocsp"                            /* below a bundle: see gn8v-tee-attest(1), fetch */
#define RIM_SERVICE_URL    "https://rim.attestation.nvidia.com/v1/rim/"
#define OCSP_SERVICE_URL   "https://ocsp.ndis.nvidia.com/"
#define ATTEST_TIMEOUT_SEC 30

typedef struct CollateralSettings {
        char **rim_urls;      /* in order; an id is appended */
        char *ocsp_url, *ocsp_digest, *ocsp_cache;
        char *service_key;    /* for the RIM service; or NULL */
        bool ocsp_nonce, allow_hold;
        unsigned timeout_sec; /* for everything that is asked together */
} CollateralSettings;

/* What is built in, then the file (path NULL: ATTEST_CONF, which may be missing), then NV_RIM_URL, NV_OCSP_URL, NV_ALLOW_HOLD_CERT and
 * NVIDIA_ATTESTATION_SERVICE_KEY. EXIT_INVALID. */
int collateral_settings_load(const char *path, CollateralSettings *ret, Error *e);
/* Only the text of a file, on top of what is in s: hostile. */
int collateral_settings_parse(const char *path, const char *data, size_t size, CollateralSettings *s, Error *e);
void collateral_settings_free(CollateralSettings *s);

/* Manifests: directories in order, then servers, all ids of a round together. */
typedef struct RimClient RimClient;
/* directories: of ID.xml, copied; http NULL: no server is asked. settings and http outlive it. */
int rim_client_new(const CollateralSettings *settings, Http *http, char *const *directories, RimClient **ret, Error *e);
RimClient *rim_client_free(RimClient *c);
DEFINE_CLEANUP(RimClient, rim_client_free);
RimSource rim_client_source(RimClient *c);
/* Requests sent so far. */
unsigned rim_client_requests(const RimClient *c);
/* The manifest in the service's answer ({ id, rim, sha256, ... }, hostile), which must be of that id and have that digest; owned by the caller.
 * -EBADMSG, EXIT_UNCHECKED. */
int rim_answer_parse(const char *name, const char *id, const char *data, size_t size, char **ret, size_t *ret_size, Error *e);
/* Letters, digits, '.', '-' and '_' only: fit to be a file's name and an URL's end. */
bool rim_id_is_valid(const char *id);

/* Revocation. */
typedef enum OcspMode {
        OCSP_OFF,
        OCSP_CACHE,  /* stored answers that still hold; the rest is asked */
        OCSP_ONLINE, /* all is asked, each with a nonce */
        _OCSP_MODE_MAX,
} OcspMode;
const char *ocsp_mode_to_string(OcspMode mode);
int ocsp_mode_from_string(const char *s); /* or -EINVAL */

typedef struct OcspClient OcspClient;
/* stored: a directory of answers (CERTIFICATE-SHA-256.der), read unless online, written to if it can be; NULL: none. http NULL: nobody is asked. */
int ocsp_client_new(const CollateralSettings *settings, OcspMode mode, Http *http, const char *stored, int64_t at, OcspClient **ret, Error *e);
OcspClient *ocsp_client_free(OcspClient *c);
DEFINE_CLEANUP(OcspClient, ocsp_client_free);
OcspSource ocsp_client_source(OcspClient *c);
unsigned ocsp_client_requests(const OcspClient *c);
/* How many answers there are, how many came from the directory, and until when all of them hold (0: not told). */
typedef struct OcspSummary {
        size_t asked, answered, stored;
        int64_t next_update;
} OcspSummary;
void ocsp_client_summary(const OcspClient *c, OcspSummary *ret);
