/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests from where they are: what directories have is not asked for; what no server of a round has, the next is asked for. */
#include <jansson.h>

#include "attest/collateral.h"
#include "basic/digest.h"

#define ANSWER_MAX (2 * RIM_MAX)

typedef struct RimEntry {
        char *id, *name, *data;
        size_t size;
        int result;   /* 0: here; -ENOENT: nobody has it; else it could not be had */
        Text reasons; /* why not, of each place */
} RimEntry;

struct RimClient {
        const CollateralSettings *settings;
        Http *http;
        char **directories;
        RimEntry *entries;
        size_t n;
        unsigned requests;
};

int rim_client_new(const CollateralSettings *settings, Http *http, char *const *directories, RimClient **ret, Error *e) {
        _cleanup_(rim_client_freep) RimClient *c = calloc(1, sizeof(RimClient));

        if (!c)
                return error_oom(e);
        c->settings = settings;
        c->http = http;
        STRV_FOREACH(d, directories)
                if (strv_append(&c->directories, *d) < 0)
                        return error_oom(e);
        *ret = TAKE_PTR(c);
        return 0;
}

RimClient *rim_client_free(RimClient *c) {
        if (!c)
                return NULL;
        for (size_t i = 0; i < c->n; i++) {
                free(c->entries[i].id);
                free(c->entries[i].name);
                free(c->entries[i].data);
                text_free(&c->entries[i].reasons);
        }
        free(c->entries);
        (void) strv_free(c->directories);
        free(c);
        return NULL;
}

unsigned rim_client_requests(const RimClient *c) {
        return c->requests;
}

bool rim_id_is_valid(const char *id) {
        size_t n = strlen(id);

        return n > 0 && n <= 128 && *id != '.' && strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static void reason(RimEntry *entry, const char *why) {
        text_printf(&entry->reasons, "%s%s", entry->reasons.size > 0 ? "; " : "", why);
}

static int bad_answer(Error *e, const char *name, const char *what) {
        return error_set(e, EBADMSG, EXIT_UNCHECKED, "%s: %s", name, what);
}

/* Hex of either case; of the manifest, as the service has it, or of its base64 text. */
static bool digest_fits(const char *wanted, const void *data, size_t size, const char *text) {
        char hex[SHA256_HEX_SIZE];

        return (sha256_buffer(data, size, hex) == 0 && strcasecmp(hex, wanted) == 0) ||
               (sha256_buffer(text, strlen(text), hex) == 0 && strcasecmp(hex, wanted) == 0);
}

static int read_answer(const char *name, const char *id, const json_t *root, char **ret, size_t *ret_size, Error *e) {
        const char *own = json_string_value(json_object_get(root, "id")), *rim = json_string_value(json_object_get(root, "rim")),
                   *format = json_string_value(json_object_get(root, "rim_format"));
        const json_t *sha256 = json_object_get(root, "sha256");
        _cleanup_free_ uint8_t *data = NULL;
        size_t size;

        if (!own || !rim)
                return bad_answer(e, name, "not a manifest in the service's JSON (\"id\", \"rim\")");
        if (!streq(own, id))
                return bad_answer(e, name, "the manifest is of another id");
        if (format && !streq(format, "TCG"))
                return bad_answer(e, name, "the manifest is not in TCG's format");
        if (base64_decode(rim, strlen(rim), true, &data, &size) < 0 || size == 0 || size > RIM_MAX)
                return bad_answer(e, name, "\"rim\" is not base64 of a manifest");
        if (sha256 && (!json_is_string(sha256) || !digest_fits(json_string_value(sha256), data, size, rim)))
                return bad_answer(e, name, "the manifest does not have the digest that the service states: it was damaged on its way");
        *ret = (char *) TAKE_PTR(data);
        *ret_size = size;
        return 0;
}

int rim_answer_parse(const char *name, const char *id, const char *data, size_t size, char **ret, size_t *ret_size, Error *e) {
        json_error_t why;
        json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &why);
        int r;

        if (!root)
                return bad_answer(e, name, "not JSON");
        r = read_answer(name, id, root, ret, ret_size, e);
        json_decref(root);
        return r;
}

static int take_directories(RimClient *c, RimEntry *entry) {
        STRV_FOREACH(d, c->directories) {
                _cleanup_error_ Error e = ERROR_INIT;
                int r = rim_directory_get(*d, entry->id, &entry->name, &entry->data, &entry->size, &e);

                if (r == 0) {
                        entry->result = 0;
                        return 0;
                }
                if (r == -ENOMEM)
                        return r;
                if (r != -ENOENT)
                        entry->result = r;
                reason(entry, e.message ? e.message : *d);
        }
        return 0;
}

/* NVIDIA's tools append the id to what NV_RIM_URL says; a server's name alone means the service's own path. */
static char *url_of(const char *base, const char *id) {
        const char *path = strchr(strstr(base, "://") + 3, '/');

        if (!path || streq(path, "/"))
                return format("%s%sv1/rim/%s", base, path ? "" : "/", id);
        return format("%s%s%s", base, endswith(base, "/") ? "" : "/", id);
}

static void take_answer(RimEntry *entry, HttpRequest *q) {
        _cleanup_error_ Error e = ERROR_INIT;

        if (q->failure) {
                reason(entry, q->failure);
                if (!q->missing)
                        entry->result = -EHOSTUNREACH;
                return;
        }
        if (rim_answer_parse(q->url, entry->id, q->answer.data ? q->answer.data : "", q->answer.size, &entry->data, &entry->size, &e) < 0) {
                entry->result = -EBADMSG;
                reason(entry, e.message ? e.message : q->url);
                return;
        }
        entry->name = strdup(q->url);
        entry->result = entry->name ? 0 : -ENOMEM;
}

/* One server, for all that is still missing. */
static int ask_server(RimClient *c, const char *base, RimEntry *entries, size_t n) {
        _cleanup_free_ char *authorization = c->settings->service_key ? format("Authorization: Bearer %s", c->settings->service_key) : NULL;
        const char *const headers[] = { "Accept: application/json", authorization, NULL };
        HttpRequest *requests = calloc(n, sizeof(HttpRequest));
        RimEntry **of = calloc(n, sizeof(RimEntry *));
        _cleanup_error_ Error e = ERROR_INIT;
        size_t k = 0;
        int r = requests && of && (authorization || !c->settings->service_key) ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < n; i++) {
                if (entries[i].data)
                        continue;
                requests[k] = (HttpRequest) { .url = url_of(base, entries[i].id), .headers = headers, .max = ANSWER_MAX };
                r = requests[k].url ? 0 : -ENOMEM;
                of[k++] = &entries[i];
        }
        if (r == 0 && k > 0)
                r = http_run(c->http, requests, k, &e);
        for (size_t i = 0; i < k; i++) {
                if (r == 0)
                        take_answer(of[i], &requests[i]);
                http_request_clear(&requests[i]);
                free((char *) requests[i].url);
        }
        c->requests += (unsigned) k;
        free(requests);
        free(of);
        return r;
}

static int prepare_all(RimClient *c, char *const *ids) {
        size_t first = c->n;
        RimEntry *grown = reallocarray(c->entries, c->n + strv_length(ids), sizeof(RimEntry));

        if (!grown)
                return -ENOMEM;
        c->entries = grown;
        STRV_FOREACH(id, ids) {
                RimEntry *entry = &c->entries[c->n];

                *entry = (RimEntry) { .id = strdup(*id), .result = -ENOENT };
                if (!entry->id)
                        return -ENOMEM;
                c->n++;
                if (!rim_id_is_valid(*id))
                        reason(entry, "not the id of a manifest");
                else if (take_directories(c, entry) < 0)
                        return -ENOMEM;
        }
        STRV_FOREACH(url, c->settings->rim_urls) {
                bool valid = true;

                for (size_t i = first; i < c->n; i++)
                        valid = valid && rim_id_is_valid(c->entries[i].id);
                if (c->http && valid && ask_server(c, *url, c->entries + first, c->n - first) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static void prepare(void *userdata, char *const *ids) {
        (void) prepare_all(userdata, ids);
}

/* What went wrong in prepare() is told here, of each manifest by itself. */
static int get(void *userdata, const char *id, char **ret_name, char **ret_data, size_t *ret_size, Error *e) {
        RimClient *c = userdata;

        for (size_t i = 0; i < c->n; i++) {
                RimEntry *entry = &c->entries[i];

                if (!streq(entry->id, id))
                        continue;
                if (!entry->data) {
                        int r = error_set(e, entry->result < 0 ? -entry->result : ENOENT, entry->result == -EFBIG ? EXIT_INVALID : EXIT_UNCHECKED,
                                          "no manifest %s: %s", id,
                                          entry->reasons.data ? entry->reasons.data : "no place was given to take it from (--rim-dir)");

                        return error_hint(e, r, "Where the service cannot be reached: --rim-dir, --bundle, NV_RIM_URL or RimUrl= in " ATTEST_CONF);
                }
                *ret_name = strdup(entry->name);
                *ret_data = malloc(entry->size + 1);
                if (!*ret_name || !*ret_data) {
                        free(*ret_name);
                        free(*ret_data);
                        return error_oom(e);
                }
                memcpy(*ret_data, entry->data, entry->size);
                (*ret_data)[entry->size] = '\0';
                *ret_size = entry->size;
                return 0;
        }
        return error_set(e, ENOENT, EXIT_UNCHECKED, "no manifest %s: it was not asked for", id);
}

RimSource rim_client_source(RimClient *c) {
        return (RimSource) { c, prepare, get };
}
