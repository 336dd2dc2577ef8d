/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/rim-set.h"

#include <ctype.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "release/release.h"

/* NVIDIA's own tool knows one kind of LS10 by these, too: project, its SKU, chip SKU. */
#define LS10_ID_PARTS "5612_0002_890"

WantedRim *rim_set_want(RimSet *s, const char *id) {
        WantedRim **grown, *w;

        for (size_t i = 0; i < s->n; i++)
                if (streq(s->rims[i]->id, id))
                        return s->rims[i];
        grown = reallocarray(s->rims, s->n + 1, sizeof(WantedRim *));
        if (!grown)
                return NULL;
        s->rims = grown;
        w = calloc(1, sizeof(WantedRim));
        if (w && !(w->id = strdup(id))) {
                free(w);
                w = NULL;
        }
        if (w)
                s->rims[s->n++] = w;
        return w;
}

void rim_set_free(RimSet *s) {
        for (size_t i = 0; i < s->n; i++) {
                checks_clear(s->rims[i]->checks, _RIM_CHECK_MAX);
                (void) rim_free(s->rims[i]->rim);
                free(s->rims[i]->id);
                free(s->rims[i]);
        }
        free(s->rims);
        *s = (RimSet) {};
}

/* The checks of a manifest are an array of their own, with CheckIds of no meaning: the device's copies have the names. */
static void set(WantedRim *w, RimCheck check, CheckState state, Error *e) {
        if (e)
                check_take(w->checks, (CheckId) check, state, e);
        else
                check_set(w->checks, (CheckId) check, state, "%s", "");
}

/* Signature and chain are told apart, and both are told: a manifest may be wrong in one way only. */
static Rim *verify(WantedRim *w, Rim *rim, CertPool *pool, const TrustRoots *roots, int64_t at) {
        _cleanup_error_ Error chain = ERROR_INIT, signature = ERROR_INIT;
        int r, k;

        k = cert_chain_verify(pool, rim->chain, rim->name, roots->rim, RIM_CHAIN_LENGTH, at, &chain);
        w->expired = k == -EKEYEXPIRED;
        set(w, RIM_CHAIN, k < 0 ? CHECK_FAILED : CHECK_OK, k < 0 ? &chain : NULL);
        r = rim_verify(rim, &signature);
        set(w, RIM_SCHEMA, r == -EBADMSG ? CHECK_FAILED : CHECK_OK, r == -EBADMSG ? &signature : NULL);
        if (r == -EBADMSG)
                check_set(w->checks, (CheckId) RIM_SIGNATURE, CHECK_OK, "%s", "");
        else
                set(w, RIM_SIGNATURE, r < 0 ? CHECK_FAILED : CHECK_OK, r < 0 ? &signature : NULL);
        return r == 0 ? rim : rim_free(rim);
}

static void load(WantedRim *w, const RimSource *source, CertPool *pool, const TrustRoots *roots, int64_t at) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *name = NULL, *data = NULL;
        size_t size = 0;
        Rim *rim = NULL;
        int r;

        if (!source) {
                check_set(w->checks, (CheckId) RIM_FOUND, CHECK_UNCHECKED, "%s is wanted: no place was given to take it from (--rim-dir)", w->id);
                return;
        }
        r = source->get(source->userdata, w->id, &name, &data, &size, &e);
        if (r < 0) {
                w->not_found = r;
                set(w, RIM_FOUND, e.code == EXIT_INVALID ? CHECK_FAILED : CHECK_UNCHECKED, &e);
                return;
        }
        set(w, RIM_FOUND, CHECK_OK, NULL);
        r = rim_parse(pool, name, data, size, &rim, &e);
        if (r < 0)
                set(w, RIM_SCHEMA, CHECK_FAILED, &e);
        else
                w->rim = verify(w, rim, pool, roots, at);
}

int rim_set_load(RimSet *s, const RimSource *source, CertPool *pool, const TrustRoots *roots, int64_t at, Error *e) {
        _cleanup_strv_ char **ids = NULL;

        for (size_t i = 0; i < s->n; i++)
                if (strv_append(&ids, s->rims[i]->id) < 0)
                        return error_oom(e);
        if (source && source->prepare && ids)
                source->prepare(source->userdata, ids);
        for (size_t i = 0; i < s->n; i++)
                load(s->rims[i], source, pool, roots, at);
        return 0;
}

int rim_directory_get(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e) {
        _cleanup_free_ char *path = format("%s/%s.xml", (const char *) userdata, id);
        int r;

        if (!path)
                return error_oom(e);
        r = read_regular_file(AT_FDCWD, path, RIM_MAX, ret_data, ret_size);
        if (r == -EFBIG)
                return error_set(e, -r, EXIT_INVALID, "%s: larger than %zu bytes", path, RIM_MAX);
        if (r == -ENOTSUP)
                return error_set(e, -r, EXIT_UNCHECKED, "%s: not a regular file", path);
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        *ret_name = TAKE_PTR(path);
        return 0;
}

int rim_id_driver(const Report *r, const char *arch, char **ret) {
        char *id;

        if (r->kind == DEVICE_SWITCH || !r->driver_version || !*r->driver_version) {
                *ret = NULL;
                return 0;
        }
        id = driver_rim_id(streq(arch, "HOPPER") ? "GH100" : r->chip_info && *r->chip_info ? r->chip_info : "GB100", r->driver_version);
        if (!id)
                return -ENOMEM;
        *ret = id;
        return 0;
}

/* As it stands at the end of an id. NULL: out of memory. */
static char *firmware_version(const char *version) {
        char *s = strdup(version), *out = s;

        for (const char *p = version; s && *p; p++)
                if (*p != '.')
                        *out++ = (char) toupper((unsigned char) *p);
        if (s)
                *out = '\0';
        return s;
}

bool rim_fits_id(const Rim *rim, const char *id) {
        _cleanup_free_ char *driver = format("NV_GPU_DRIVER_%s_%s", rim->product, rim->version), *other = format("_%s", rim->version),
                            *firmware = firmware_version(rim->version), *end = firmware ? format("_%s", firmware) : NULL;

        if (!driver || !other || !end || !streq(rim->edition, startswith(id, "NV_SWITCH_") ? "SWITCH" : "GPU"))
                return false;
        if (startswith(id, "NV_GPU_DRIVER_"))
                return streq(id, driver);
        return startswith(id, "NV_GPU_CC_DRIVER_") ? endswith(id, other) : endswith(id, end);
}

int rim_id_vbios(const Report *r, const char *arch, char **ret) {
        _cleanup_free_ char *version = NULL;
        char *id;

        if (!r->vbios_version || (r->kind == DEVICE_GPU && (!r->project || !r->project_sku || !r->chip_sku))) {
                *ret = NULL;
                return 0;
        }
        version = firmware_version(r->vbios_version);
        if (!version)
                return -ENOMEM;
        id = r->kind == DEVICE_SWITCH ? format("NV_SWITCH_BIOS_" LS10_ID_PARTS "_%s", version)
                                      : format("NV_GPU_VBIOS_%s_%s_%s_%s", r->project, r->project_sku, r->chip_sku, version);
        if (!id)
                return -ENOMEM;
        *ret = id;
        return 0;
}
