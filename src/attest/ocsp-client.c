/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a responder for all certificates at once, and those that were stored and still hold. */
#include <fcntl.h>
#include <openssl/rand.h>

#include "attest/collateral.h"
#include "basic/digest.h"
#include "basic/fs.h"

typedef struct OcspEntry {
        OcspQuery query;
        char *file;     /* where its answer is stored, or NULL */
        int result;     /* 0: there is an answer; else why not is in error */
        bool stored;
        OcspResult answer;
        Error error;
} OcspEntry;

struct OcspClient {
        const CollateralSettings *settings;
        OcspMode mode;
        Http *http;
        char *directory;
        int64_t at;
        OcspEntry *entries;
        size_t n;
        unsigned requests;
};

/* What is sent for one certificate. */
typedef struct Asking {
        OcspEntry *entry;
        uint8_t nonce[OCSP_NONCE_SIZE];
        uint8_t *body;
} Asking;

static const char *const mode_names[_OCSP_MODE_MAX] = { [OCSP_OFF] = "off", [OCSP_CACHE] = "cache", [OCSP_ONLINE] = "online" };

const char *ocsp_mode_to_string(OcspMode mode) {
        return mode_names[mode];
}

int ocsp_mode_from_string(const char *s) {
        for (int i = 0; i < _OCSP_MODE_MAX; i++)
                if (streq(mode_names[i], s))
                        return i;
        return -EINVAL;
}

int ocsp_client_new(const CollateralSettings *settings, OcspMode mode, Http *http, const char *stored, int64_t at, OcspClient **ret, Error *e) {
        _cleanup_(ocsp_client_freep) OcspClient *c = calloc(1, sizeof(OcspClient));

        if (!c || (stored && !(c->directory = strdup(stored))))
                return error_oom(e);
        c->settings = settings;
        c->mode = mode;
        c->http = http;
        c->at = at;
        *ret = TAKE_PTR(c);
        return 0;
}

OcspClient *ocsp_client_free(OcspClient *c) {
        if (!c)
                return NULL;
        for (size_t i = 0; i < c->n; i++) {
                free(c->entries[i].file);
                error_clear(&c->entries[i].error);
        }
        free(c->entries);
        free(c->directory);
        free(c);
        return NULL;
}

unsigned ocsp_client_requests(const OcspClient *c) {
        return c->requests;
}

void ocsp_client_summary(const OcspClient *c, OcspSummary *ret) {
        *ret = (OcspSummary) { .asked = c->n };
        for (size_t i = 0; i < c->n; i++) {
                const OcspEntry *entry = &c->entries[i];

                ret->answered += entry->result == 0;
                ret->stored += entry->result == 0 && entry->stored;
                if (entry->result == 0 && entry->answer.next_update && (!ret->next_update || entry->answer.next_update < ret->next_update))
                        ret->next_update = entry->answer.next_update;
        }
}

/* DIR/SHA-256.der, of the certificate. */
static int name_file(const OcspClient *c, OcspEntry *entry) {
        char hex[SHA256_HEX_SIZE];
        unsigned char *der = NULL;
        int size = i2d_X509(entry->query.cert, &der), r;

        r = size > 0 ? sha256_buffer(der, (size_t) size, hex) : -ENOMEM;
        OPENSSL_free(der);
        if (r < 0)
                return r;
        entry->file = format("%s/%s.der", c->directory, hex);
        return entry->file ? 0 : -ENOMEM;
}

/* A stored answer is read as strictly as one that just came; it only has no nonce of ours. One that does not hold is as if it were not there. */
static void read_stored(const OcspClient *c, OcspEntry *entry) {
        OcspQuestion q = { .query = &entry->query, .at = c->at, .name = entry->file };
        _cleanup_free_ char *data = NULL;
        size_t size;

        if (!entry->file)
                return;
        if (read_regular_file(AT_FDCWD, entry->file, OCSP_RESPONSE_MAX, &data, &size) < 0) {
                (void) error_set(&entry->error, ENOENT, EXIT_UNCHECKED, "%s: there is no stored answer of the responder", entry->file);
                return;
        }
        if (ocsp_response_read(&q, data, size, &entry->answer, &entry->error) == 0) {
                entry->result = 0;
                entry->stored = true;
        } else
                entry->error.code = EXIT_UNCHECKED;
}

/* To be found again by --ocsp=cache; that it cannot be written is no reason to doubt it. */
static void store(const OcspClient *c, const OcspEntry *entry, const void *data, size_t size) {
        if (entry->file && entry->answer.next_update && mkdir_parents(AT_FDCWD, c->directory, 0755) >= 0)
                (void) write_file_atomic(AT_FDCWD, entry->file, data, size, 0644);
}

static void take_answer(const OcspClient *c, const Asking *a, HttpRequest *q) {
        OcspEntry *entry = a->entry;
        _cleanup_free_ char *name = format("%s: the answer", q->url);
        OcspQuestion question = { .query = &entry->query, .digest = c->settings->ocsp_digest, .nonce = c->settings->ocsp_nonce ? a->nonce : NULL,
                                  .at = c->at, .name = name ? name : q->url };

        error_clear(&entry->error);
        if (q->failure) {
                entry->result = error_set(&entry->error, EHOSTUNREACH, EXIT_UNCHECKED, "%s", q->failure);
                return;
        }
        entry->result = ocsp_response_read(&question, q->answer.data ? q->answer.data : "", q->answer.size, &entry->answer, &entry->error);
        if (entry->result == 0)
                store(c, entry, q->answer.data, q->answer.size);
}

static int ask_responder(OcspClient *c, OcspEntry *entries, size_t n) {
        static const char *const headers[] = { "Content-Type: application/ocsp-request", "Accept: application/ocsp-response", NULL };
        HttpRequest *requests = calloc(n, sizeof(HttpRequest));
        Asking *asking = calloc(n, sizeof(Asking));
        _cleanup_error_ Error e = ERROR_INIT;
        int r = requests && asking ? 0 : -ENOMEM;
        size_t k = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                Asking *a = &asking[k];
                OcspQuestion q = { .query = &entries[i].query, .digest = c->settings->ocsp_digest, .nonce = c->settings->ocsp_nonce ? a->nonce : NULL };

                if (entries[i].result == 0)
                        continue;
                a->entry = &entries[i];
                requests[k] = (HttpRequest) { .url = c->settings->ocsp_url, .headers = headers, .max = OCSP_RESPONSE_MAX };
                r = RAND_bytes(a->nonce, OCSP_NONCE_SIZE) == 1 ? ocsp_request_make(&q, &a->body, &requests[k].body_size) : -EIO;
                requests[k].body = a->body;
                k += r == 0;
        }
        if (r == 0 && k > 0)
                r = http_run(c->http, requests, k, &e);
        for (size_t i = 0; i < k; i++) {
                if (r == 0)
                        take_answer(c, &asking[i], &requests[i]);
                http_request_clear(&requests[i]);
                free(asking[i].body);
        }
        c->requests += (unsigned) k;
        free(requests);
        free(asking);
        return r;
}

static int prepare_all(OcspClient *c, const OcspQuery *queries, size_t n) {
        OcspEntry *grown = reallocarray(c->entries, c->n + n, sizeof(OcspEntry));
        size_t first = c->n;

        if (!grown)
                return -ENOMEM;
        c->entries = grown;
        for (size_t i = 0; i < n; i++) {
                OcspEntry *entry = &c->entries[c->n++];

                *entry = (OcspEntry) { .query = queries[i], .result = -EHOSTUNREACH, .error = ERROR_INIT };
                if (c->directory && name_file(c, entry) < 0)
                        return -ENOMEM;
                if (c->mode == OCSP_CACHE)
                        read_stored(c, entry);
        }
        return c->http ? ask_responder(c, c->entries + first, n) : 0;
}

static void prepare(void *userdata, const OcspQuery *queries, size_t n) {
        (void) prepare_all(userdata, queries, n);
}

static int ask(void *userdata, const OcspQuery *query, OcspResult *ret, Error *e) {
        OcspClient *c = userdata;

        for (size_t i = 0; i < c->n; i++) {
                const OcspEntry *entry = &c->entries[i];

                if (entry->query.cert != query->cert || entry->query.issuer != query->issuer)
                        continue;
                if (entry->result < 0)
                        return error_set(e, -entry->result, entry->error.code == EXIT_OK ? EXIT_UNCHECKED : entry->error.code, "%s",
                                         entry->error.message ? entry->error.message : "the responder was not asked");
                *ret = entry->answer;
                return 0;
        }
        return error_set(e, ENOENT, EXIT_UNCHECKED, "the responder was not asked about this certificate");
}

OcspSource ocsp_client_source(OcspClient *c) {
        return (OcspSource) { c, prepare, ask, c->settings->allow_hold };
}
