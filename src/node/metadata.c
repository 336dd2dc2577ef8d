/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metadata.h"

#include <jansson.h>

#include "basic/strings.h"
#include "node/http.h"

/* https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata */
#define SERVICE_URL "http://100.100.100.200"
#define TOKEN_PATH "/latest/api/token"
#define TOKEN_FIELD "X-aliyun-ecs-metadata-token"
#define KEYS_PATH "/latest/meta-data/"
#define TOKEN_MS 400    /* a service that does not know tokens, and says nothing, leaves time for the plain question */
#define TOTAL_MS 1000
#define SILENCE_MS 60000 /* so long it is not asked again when it said nothing at all */
#define CACHE_MAX ((size_t) 4096)

void metadata_free(Metadata *m) {
        free(m->instance_type);
        free(m->region);
        free(m->zone);
        free(m->missing);
        *m = (Metadata){};
}

/* Names of types, regions and zones: words that can stand in a table, a label and a file. */
static bool is_name(const char *s) {
        return *s && strlen(s) <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == strlen(s);
}

static char *take_name(const json_t *document, const char *key) {
        const char *s = json_string_value(json_object_get(document, key));

        return s && is_name(s) ? strdup(s) : NULL;
}

int metadata_cache_parse(const char *text, size_t size, const char *boot_id, const char *url, int64_t now_ms, Metadata *ret) {
        json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        const char *boot = json_string_value(json_object_get(document, "boot")), *from = json_string_value(json_object_get(document, "url"));
        const char *silent = json_string_value(json_object_get(document, "silent"));
        const json_int_t until = json_integer_value(json_object_get(document, "until"));
        Metadata m = {};
        int r = 0;

        if (!json_is_object(document) || !boot || !from)
                r = -EBADMSG;
        else if (!boot_id || !streq(boot, boot_id) || !streq(from, url) || (silent && (until < now_ms || until > now_ms + SILENCE_MS)))
                r = -ESTALE;
        else if (silent) {
                m.missing = strdup(silent);
                r = m.missing ? 0 : -ENOMEM;
        } else {
                m.instance_type = take_name(document, "instance-type");
                m.region = take_name(document, "region-id");
                m.zone = take_name(document, "zone-id");
                r = m.instance_type ? 0 : -EBADMSG;
        }
        json_decref(document);
        if (r < 0)
                metadata_free(&m);
        else
                *ret = m;
        return r;
}

/* Believed only if nobody but root (or ourselves) could have written it. */
static int read_cache(Node *n, const char *url, Metadata *ret) {
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size;
        int r;

        r = node_stat(n, METADATA_CACHE_PATH, &st);
        if (r < 0)
                return r;
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) || !S_ISREG(st.st_mode))
                return -EPERM;
        r = node_read(n, METADATA_CACHE_PATH, CACHE_MAX, &text, &size);
        return r < 0 ? r : metadata_cache_parse(text, size, n->boot_id, url, clock_ms(), ret);
}

/* For the next runs; where we may not write, they ask for themselves. */
static void write_cache(Node *n, const char *url, const Metadata *m, bool silent) {
        json_t *document;
        char *text;

        if (geteuid() != 0 || !n->boot_id)
                return;
        document = silent ? json_pack("{s:s, s:s, s:s, s:I}", "boot", n->boot_id, "url", url, "silent", m->missing, "until",
                                      (json_int_t) (clock_ms() + SILENCE_MS))
                          : json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "boot", n->boot_id, "url", url, "instance-type", m->instance_type,
                                      "region-id", m->region, "zone-id", m->zone);
        text = document ? json_dumps(document, JSON_SORT_KEYS) : NULL;
        if (text)
                (void) node_write(n, METADATA_CACHE_PATH, text, strlen(text), 0644);
        free(text);
        json_decref(document);
}

/* Hardened mode: the token as a header field, owned by the caller; -errno when the service gave none. */
static int get_token(const char *url, int64_t deadline, char **ret) {
        static const char *const fields[] = { TOKEN_FIELD "-ttl-seconds: 60", NULL };
        _cleanup_http_answer_ HttpAnswer a = {};
        int r;

        r = http_request(url, "PUT", TOKEN_PATH, fields, deadline, &a);
        if (r < 0)
                return r;
        if (a.status != 200)
                return -EACCES;
        a.body[strcspn(a.body, "\r\n")] = '\0';
        if (!*a.body || strlen(a.body) > 1024)
                return -EBADMSG;
        for (const char *p = a.body; *p; p++)
                if (*p <= ' ' || *p >= 0x7f)
                        return -EBADMSG;
        *ret = format(TOKEN_FIELD ": %s", a.body);
        return *ret ? 0 : -ENOMEM;
}

/* Why a question got no usable answer, in words for people. */
static char *reason(const char *url, int error, unsigned status) {
        switch (error) {
        case 0: return format("%s answered with HTTP status %u", url, status);
        case ETIME: return format("%s did not answer within %d s", url, TOTAL_MS / 1000);
        case ETIMEDOUT: return format("%s cannot be reached", url);
        case EBADMSG: return format("%s gave a malformed answer", url);
        case EFBIG: return format("%s gave an answer without end", url);
        case EINVAL: return format("%s: not of the form http://ADDRESS[:PORT], the address in numbers", url);
        default: return format("%s: %s", url, strerror(error));
        }
}

/* *ret NULL: no such key. *ret_reason gets why not. */
static int get_key(const char *url, const char *key, const char *token, int64_t deadline, char **ret, char **ret_reason) {
        const char *const fields[] = { token, NULL };
        _cleanup_free_ char *path = format(KEYS_PATH "%s", key);
        _cleanup_http_answer_ HttpAnswer a = {};
        int r;

        if (!path)
                return -ENOMEM;
        r = http_request(url, "GET", path, fields, deadline, &a);
        if (r >= 0 && a.status == 200) {
                a.body[strcspn(a.body, "\r\n")] = '\0';
                if (!is_name(a.body))
                        r = -EBADMSG;
        } else if (r >= 0)
                r = -ENOENT;
        if (r < 0) {
                *ret_reason = reason(url, r == -ENOENT ? 0 : -r, a.status);
                return r;
        }
        *ret = TAKE_PTR(a.body);
        return 0;
}

static int ask(const char *url, Metadata *ret) {
        const int64_t now = clock_ms();
        _cleanup_free_ char *token = NULL;
        Metadata m = {};
        int r;

        r = get_token(url, now + TOKEN_MS, &token);
        if (r == -EACCES || r == -EBADMSG || r == -EFBIG || r == -ETIME || r == -ECONNRESET || r == -EPIPE || r >= 0)
                r = get_key(url, "instance/instance-type", token, now + TOTAL_MS, &m.instance_type, &m.missing);
        else
                m.missing = reason(url, -r, 0);
        if (r >= 0) {
                /* Nice to have: without them the type is still worth telling. */
                _cleanup_free_ char *ignored = NULL, *ignored_too = NULL;

                (void) get_key(url, "region-id", token, now + TOTAL_MS, &m.region, &ignored);
                (void) get_key(url, "zone-id", token, now + TOTAL_MS, &m.zone, &ignored_too);
        }
        *ret = m;
        return m.instance_type || m.missing ? r : -ENOMEM;
}

int metadata_load(Node *n, Metadata *ret) {
        const char *override = getenv("GN8V_TEE_METADATA_URL");
        const bool own = !override || !*override;
        const char *url = own ? SERVICE_URL : override;
        Metadata m = {};
        int r;

        r = read_cache(n, url, &m);
        if (r == -ENOMEM)
                return r;
        if (r < 0 && (n->root || (n->environment != ENVIRONMENT_MACHINE && n->environment != ENVIRONMENT_OSTREE))) {
                m.missing = n->root ? strdup("not asked about another root") : format("not asked here (%s)", environment_to_string(n->environment));
                r = 0;
        } else if (r < 0) {
                r = ask(url, &m);
                /* What was set by hand is asked every time. */
                if (r >= 0 || ((r == -ETIMEDOUT || r == -ETIME) && own))
                        write_cache(n, url, &m, r < 0);
        }
        if (r == -ENOMEM || (!m.instance_type && !m.missing)) {
                metadata_free(&m);
                return -ENOMEM;
        }
        *ret = m;
        return 0;
}
