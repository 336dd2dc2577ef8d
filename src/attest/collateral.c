/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/collateral.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "release/ini.h"

#define CONF_MAX    ((size_t) 1 << 16)
#define TIMEOUT_MAX 600
#define URLS_MAX    8

void collateral_settings_free(CollateralSettings *s) {
        s->rim_urls = strv_free(s->rim_urls);
        free(s->ocsp_url);
        free(s->ocsp_digest);
        free(s->ocsp_cache);
        free(s->service_key);
        *s = (CollateralSettings) {};
}

static int replace(char **where, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*where);
        *where = copy;
        return 0;
}

static int parse_bool(const char *value, bool *ret) {
        if (!streq(value, "yes") && !streq(value, "no"))
                return -EINVAL;
        *ret = streq(value, "yes");
        return 0;
}

typedef struct Parsing {
        CollateralSettings *s;
        const char *path;
        char **rim_urls; /* of the file: together they take the place of the service's */
} Parsing;

static int take_key(void *userdata, const char *section, const char *key, const char *value, unsigned line, Error *e) {
        Parsing *p = userdata;
        CollateralSettings *s = p->s;
        uint64_t n;

        if (!streq(section, "Attest"))
                return ini_error(e, p->path, line, "[%s]: there is no such section; [Attest] is", section);
        if (streq(key, "RimUrl") || streq(key, "OcspUrl")) {
                if (!http_url_is_valid(value))
                        return ini_error(e, p->path, line, "%s=%s: not an http or https URL", key, value);
                if (streq(key, "OcspUrl"))
                        return replace(&s->ocsp_url, value) < 0 ? error_oom(e) : 0;
                if (strv_length(p->rim_urls) >= URLS_MAX)
                        return ini_error(e, p->path, line, "%s: more than %d", key, URLS_MAX);
                return strv_append(&p->rim_urls, value) < 0 ? error_oom(e) : 0;
        }
        if (streq(key, "OcspDigest")) {
                if (!streq(value, "sha1") && !streq(value, "sha256") && !streq(value, "sha384"))
                        return ini_error(e, p->path, line, "%s=%s: sha1, sha256 or sha384", key, value);
                return replace(&s->ocsp_digest, value) < 0 ? error_oom(e) : 0;
        }
        if (streq(key, "CacheDirectory")) {
                if (*value != '/')
                        return ini_error(e, p->path, line, "%s=%s: not an absolute path", key, value);
                return replace(&s->ocsp_cache, value) < 0 ? error_oom(e) : 0;
        }
        if (streq(key, "OcspNonce") || streq(key, "AllowHold"))
                return parse_bool(value, streq(key, "OcspNonce") ? &s->ocsp_nonce : &s->allow_hold) < 0
                               ? ini_error(e, p->path, line, "%s=%s: yes or no", key, value) : 0;
        if (streq(key, "Timeout")) {
                if (parse_u64(value, &n) < 0 || n == 0 || n > TIMEOUT_MAX)
                        return ini_error(e, p->path, line, "%s=%s: 1 to %d seconds", key, value, TIMEOUT_MAX);
                s->timeout_sec = (unsigned) n;
                return 0;
        }
        return ini_error(e, p->path, line, "%s: there is no such setting", key);
}

int collateral_settings_parse(const char *path, const char *data, size_t size, CollateralSettings *s, Error *e) {
        Parsing p = { .s = s, .path = path };
        int r;

        r = ini_parse(path, data, size, take_key, &p, e);
        if (r < 0 || !p.rim_urls) {
                (void) strv_free(p.rim_urls);
                return r;
        }
        (void) strv_free(s->rim_urls);
        s->rim_urls = p.rim_urls;
        return 0;
}

/* The environment of NVIDIA's tools; what it names is asked, and nobody else. */
static int take_environment(CollateralSettings *s, Error *e) {
        const char *rim = getenv("NV_RIM_URL"), *ocsp = getenv("NV_OCSP_URL"), *hold = getenv("NV_ALLOW_HOLD_CERT"),
                   *key = getenv("NVIDIA_ATTESTATION_SERVICE_KEY");

        if ((rim && *rim && !http_url_is_valid(rim)) || (ocsp && *ocsp && !http_url_is_valid(ocsp)))
                return error_set(e, EINVAL, EXIT_USAGE, "%s: not an http or https URL", rim && *rim && !http_url_is_valid(rim) ? "NV_RIM_URL" : "NV_OCSP_URL");
        if (rim && *rim) {
                s->rim_urls = strv_free(s->rim_urls);
                if (strv_append(&s->rim_urls, rim) < 0)
                        return error_oom(e);
        }
        if (ocsp && *ocsp && replace(&s->ocsp_url, ocsp) < 0)
                return error_oom(e);
        if (hold && (streq(hold, "1") || streq(hold, "true") || streq(hold, "True")))
                s->allow_hold = true;
        if (key && *key) {
                for (const char *p = key; *p; p++)
                        if (*p <= ' ' || *p > '~')
                                return error_set(e, EINVAL, EXIT_USAGE, "NVIDIA_ATTESTATION_SERVICE_KEY: not a key");
                if (strlen(key) > 4096 || replace(&s->service_key, key) < 0)
                        return error_oom(e);
        }
        return 0;
}

int collateral_settings_load(const char *path, CollateralSettings *ret, Error *e) {
        _cleanup_(collateral_settings_free) CollateralSettings s = { .ocsp_nonce = true, .timeout_sec = ATTEST_TIMEOUT_SEC };
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        if (strv_append(&s.rim_urls, RIM_SERVICE_URL) < 0 || replace(&s.ocsp_url, OCSP_SERVICE_URL) < 0 || replace(&s.ocsp_digest, "sha384") < 0 ||
            replace(&s.ocsp_cache, OCSP_CACHE_DIR) < 0)
                return error_oom(e);
        r = read_file(AT_FDCWD, path ? path : ATTEST_CONF, CONF_MAX, &data, &size);
        if (r < 0 && (path || r != -ENOENT))
                return error_errno(e, -r, "%s", path ? path : ATTEST_CONF);
        if (data)
                r = collateral_settings_parse(path ? path : ATTEST_CONF, data, size, &s, e);
        else
                r = 0;
        if (r < 0 || (r = take_environment(&s, e)) < 0)
                return r;
        *ret = s;
        s = (CollateralSettings) {};
        return 0;
}
