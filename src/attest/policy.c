/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/policy.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define DEPTH_MAX 32

static int malformed(Error *e, const char *path, const char *what) {
        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a policy: %s", path, what),
                          "a policy is { \"version\", \"authorization-rules\": { \"type\": \"JWT\", \"overall-claims\": {}, \"detached-claims\": {} } }");
}

Policy *policy_free(Policy *p) {
        if (!p)
                return NULL;
        json_decref(p->root);
        free(p->path);
        free(p);
        return NULL;
}

/* A rule behind a name that nobody looks at would pass unasked. */
static int check_names(const char *path, json_t *object, const char *const *known, Error *e) {
        const char *name;
        json_t *value;

        json_object_foreach(object, name, value) {
                _cleanup_free_ char *what = NULL;

                if (strv_contains((char *const *) known, name))
                        continue;
                what = format("it has \"%s\", which would not be asked about", name);
                return what ? malformed(e, path, what) : error_oom(e);
        }
        return 0;
}

static int read_rules(Policy *p, Error *e) {
        static const char *const outer[] = { "version", "authorization-rules", NULL }, *const inner[] = { "type", "overall-claims", "detached-claims", NULL };
        json_t *rules = json_object_get(p->root, "authorization-rules"), *type = json_object_get(rules, "type"), *version, *issuer;

        if (!json_is_object(rules))
                return malformed(e, p->path, "it has no \"authorization-rules\"");
        if (check_names(p->path, p->root, outer, e) < 0 || check_names(p->path, rules, inner, e) < 0)
                return -EBADMSG;
        if (type && (!json_is_string(type) || !streq(json_string_value(type), "JWT")))
                return malformed(e, p->path, "its \"type\" is not \"JWT\"");
        p->overall = json_object_get(rules, "overall-claims");
        p->detached = json_object_get(rules, "detached-claims");
        if ((p->overall && !json_is_object(p->overall)) || (p->detached && !json_is_object(p->detached)))
                return malformed(e, p->path, "\"overall-claims\" and \"detached-claims\" are objects");
        /* One without a rule would let everything pass. */
        if (json_object_size(p->overall) + json_object_size(p->detached) == 0)
                return malformed(e, p->path, "it has no rule");
        version = json_object_get(p->root, "version");
        if (version && !json_is_string(version))
                return malformed(e, p->path, "its \"version\" is not a string");
        if (version && streq(json_string_value(version), "4.0"))
                p->version = CLAIMS_3_0;
        version = json_object_get(p->overall, "x-nvidia-ver");
        if (json_is_string(version)) {
                int n = claims_version_from_string(json_string_value(version));
                p->version = n < 0 ? CLAIMS_2_0 : (ClaimsVersion) n;
        }
        issuer = json_object_get(p->overall, "iss");
        p->kind = -1;
        for (int kind = 0; json_is_string(issuer) && kind < _DEVICE_KIND_MAX; kind++)
                if (streq(json_string_value(issuer), claims_issuer((DeviceKind) kind)))
                        p->kind = kind;
        return 0;
}

int policy_parse(const char *path, const char *data, size_t size, Policy **ret, Error *e) {
        _cleanup_(policy_freep) Policy *p = calloc(1, sizeof(Policy));
        json_error_t why;
        int r;

        if (!p || !(p->path = strdup(path)))
                return error_oom(e);
        p->root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &why);
        if (!p->root)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s:%d: not JSON: %s", path, why.line, why.text);
        r = read_rules(p, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

int policy_load(const char *path, Policy **ret, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = read_file(AT_FDCWD, path, POLICY_MAX, &data, &size);
        if (r == -EFBIG)
                return malformed(e, path, "it is too large");
        return r < 0 ? error_errno(e, -r, "%s", path) : policy_parse(path, data, size, ret, e);
}

/* Refuses at the first rule that the claims do not keep. subject: whose claims, and for nested ones of which. */
static int check_rules(const Policy *p, const char *subject, const json_t *rules, const json_t *claims, unsigned depth, Error *e) {
        const char *name;
        json_t *rule;

        json_object_foreach((json_t *) rules, name, rule) {
                const json_t *claim = json_object_get(claims, name);
                _cleanup_free_ char *below = NULL, *wanted = NULL, *is = NULL;

                if (json_is_object(rule) && json_is_object(claim) && depth < DEPTH_MAX) {
                        int r;

                        below = format("%s: %s", subject, name);
                        r = below ? check_rules(p, below, rule, claim, depth + 1, e) : error_oom(e);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (claim && json_equal(rule, claim))
                        continue;
                wanted = json_dumps(rule, JSON_ENCODE_ANY | JSON_COMPACT);
                is = claim ? json_dumps(claim, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("not there");
                (void) error_set(e, EACCES, EXIT_POLICY, "%s: refused: %s: %s is %s, not %s", p->path, subject, name, is ? is : "?", wanted ? wanted : "?");
                if (strstr(name, "-ocsp-"))
                        return error_hint(e, -EACCES, "was revocation asked about? (--ocsp=online)");
                return endswith(name, "-nonce-match") ? error_hint(e, -EACCES, "which nonce was the device asked with? (--nonce)") : -EACCES;
        }
        return 0;
}

static int check_kind(const Policy *p, const Verdict *v, DeviceKind kind, Error *e) {
        json_t *claims = claims_overall(v, kind, p->version, v->at);
        int r;

        if (!claims)
                return error_oom(e);
        r = check_rules(p, claims_group(kind), p->overall, claims, 0, e);
        json_decref(claims);
        for (size_t i = 0; r == 0 && i < v->n; i++) {
                if (!v->devices[i].known || v->devices[i].kind != kind)
                        continue;
                claims = claims_of_device(v, &v->devices[i], p->version, v->at);
                if (!claims)
                        return error_oom(e);
                r = check_rules(p, v->devices[i].name, p->detached, claims, 0, e);
                json_decref(claims);
        }
        return r;
}

int policy_check(const Policy *p, const Verdict *v, Error *e) {
        bool any = false;

        for (int kind = 0; kind < _DEVICE_KIND_MAX; kind++) {
                int r;

                if ((p->kind >= 0 && p->kind != kind) || verdict_count(v, (DeviceKind) kind) == 0)
                        continue;
                any = true;
                r = check_kind(p, v, (DeviceKind) kind, e);
                if (r < 0)
                        return r;
        }
        return any ? 0 : error_set(e, EACCES, EXIT_POLICY, "%s: refused: there is no device that it is about", p->path);
}
