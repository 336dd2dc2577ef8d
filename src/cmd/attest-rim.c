/* SPDX-License-Identifier: Apache-2.0 */
/* Reference manifests by themselves: judged, and taken from the service; gn8v-tee-repo runs this. */
#include <fcntl.h>
#include <jansson.h>
#include <time.h>

#include "attest/collateral.h"
#include "basic/fs.h"
#include "basic/log.h"
#include "cmd/attest.h"

#define URLS_MAX 8

static void help(void) {
        printf("gn8v-tee-attest rim [OPTION...] FILE...\n"
               "gn8v-tee-attest rim [OPTION...] --get=DIR ID...\n\n"
               "Judge reference manifests, each by itself: its form, its signature, its signer's\n"
               "certificates up to NVIDIA's root, and that it is what its name says. With --get,\n"
               "take them from the service; only those that are right get into DIR, as ID.xml.\n\n"
               "      --get=DIR          manifests by their ids, into DIR\n"
               "      --rim-dir=DIR      take them from there if they are there\n"
               "      --rim-url=URL      ask this server; may be repeated. Default: NV_RIM_URL,\n"
               "                         else the configured ones, else NVIDIA's\n"
               "      --offline          no server is asked\n"
               "      --timeout=SECONDS  for everything that servers are asked (default: 30)\n"
               "      --config=FILE      instead of /etc/gn8v-tee/attest.conf\n"
               "      --at=TIME          judge as of that time (RFC 3339)\n"
               "      --json             one JSON array on standard output\n"
               "  -h, --help             this text\n\n"
               "Exit codes: 0 all are right; 1 failed; 5 one is not to be trusted; 6 one is\n"
               "malformed; 11 one could not be had, or its server not be reached.\n");
}

typedef struct RimArguments {
        const char *into, *rim_dir, *config;
        char **urls;
        unsigned timeout_sec; /* 0: as configured */
        bool offline;
        int64_t at;
} RimArguments;

typedef enum RimState { RIM_TRUSTED, RIM_UNTRUSTED, RIM_MALFORMED, RIM_MISSING, RIM_UNREACHABLE, RIM_UNREADABLE, _RIM_STATE_MAX } RimState;

static const struct { const char *name; ExitCode code; } states[_RIM_STATE_MAX] = {
        [RIM_TRUSTED] = { "trusted", EXIT_OK },
        [RIM_UNTRUSTED] = { "untrusted", EXIT_UNTRUSTED },
        [RIM_MALFORMED] = { "malformed", EXIT_INVALID },
        [RIM_MISSING] = { "missing", EXIT_UNCHECKED },
        [RIM_UNREACHABLE] = { "unreachable", EXIT_UNCHECKED },
        [RIM_UNREADABLE] = { "unreadable", EXIT_FAILED },
};

/* One manifest, and what was found of it. */
typedef struct Row {
        char *id;     /* or NULL: a file with a name of its own */
        char *source; /* file or URL */
        RimState state;
        Error why;
        Rim *rim;     /* right, or NULL */
        char *signer;
        size_t size;
        char sha256[SHA256_HEX_SIZE];
} Row;

typedef struct Rows {
        Row *rows;
        size_t n;
        CertPool *pool;
} Rows;

static void rows_clear(Rows *v) {
        for (size_t i = 0; i < v->n; i++) {
                Row *row = &v->rows[i];

                free(row->id);
                free(row->source);
                free(row->signer);
                (void) rim_free(row->rim);
                error_clear(&row->why);
        }
        free(v->rows);
        (void) cert_pool_free(v->pool);
}

static char *common_name(const PooledCert *c) {
        X509_NAME *subject = X509_get_subject_name(c->x509);
        int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        unsigned char *utf8 = NULL;
        char *s = NULL;
        int n = at < 0 ? -1 : ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));

        if (n >= 0)
                s = strndup((const char *) utf8, (size_t) n);
        OPENSSL_free(utf8);
        if (s)
                text_clean(s, 128);
        return s;
}

/* Nothing of it is believed before all of it is right. */
static RimState check(const TrustRoots *roots, int64_t at, CertPool *pool, Row *row, Rim *rim) {
        int r = cert_chain_verify(pool, rim->chain, row->source, roots->rim, RIM_CHAIN_LENGTH, at, &row->why);

        if (r >= 0)
                r = rim_verify(rim, &row->why);
        if (r < 0)
                return r == -EBADMSG ? RIM_MALFORMED : RIM_UNTRUSTED;
        if (row->id && startswith(row->id, "NV_") && !rim_fits_id(rim, row->id)) {
                (void) error_set(&row->why, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is the manifest of %s %s, version %s, and not %s", row->source, rim->edition,
                                 rim->product, rim->version, row->id);
                return RIM_UNTRUSTED;
        }
        return RIM_TRUSTED;
}

static int judge(const Attest *attest, const RimArguments *a, Rows *v, Row *row, const char *data, size_t size, Error *e) {
        Rim *rim = NULL;
        int r;

        row->size = size;
        if (sha256_buffer(data, size, row->sha256) < 0)
                return error_set(e, EIO, EXIT_FAILED, "SHA-256");
        r = rim_parse(v->pool, row->source, data, size, &rim, &row->why);
        if (r == -ENOMEM)
                return error_oom(e);
        row->state = r < 0 ? RIM_MALFORMED : check(attest->roots, a->at, v->pool, row, rim);
        if (row->state == RIM_TRUSTED)
                row->rim = TAKE_PTR(rim);
        (void) rim_free(rim);
        if (row->rim && !(row->signer = common_name(row->rim->chain->certs[0])))
                return error_oom(e);
        return 0;
}

/* ID.xml is that manifest; any other name says nothing. */
static char *id_of(const char *path) {
        const char *base = path_basename(path);
        size_t n = strlen(base);

        return endswith(base, ".xml") && n > 4 ? strndup(base, n - 4) : NULL;
}

static int judge_file(const Attest *attest, const RimArguments *a, Rows *v, Row *row, const char *path, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        row->id = id_of(path);
        row->source = strdup(path);
        if (!row->source)
                return error_oom(e);
        r = read_file(AT_FDCWD, path, RIM_MAX, &data, &size);
        if (r < 0) {
                row->state = r == -EFBIG ? RIM_MALFORMED : r == -ENOENT ? RIM_MISSING : RIM_UNREADABLE;
                (void) (r == -EFBIG ? error_set(&row->why, EFBIG, EXIT_INVALID, "%s: larger than a manifest may be (%zu bytes)", path, RIM_MAX)
                                    : error_errno(&row->why, -r, "%s", path));
                return 0;
        }
        return judge(attest, a, v, row, data, size, e);
}

static int get_one(const Attest *attest, const RimArguments *a, Rows *v, Row *row, const char *id, RimSource *source, Error *e) {
        _cleanup_free_ char *data = NULL, *path = format("%s/%s.xml", a->into, id);
        size_t size;
        int r;

        if (!path || !(row->id = strdup(id)))
                return error_oom(e);
        r = source->get(source->userdata, id, &row->source, &data, &size, &row->why);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0) {
                row->state = r == -ENOENT ? RIM_MISSING : r == -EBADMSG ? RIM_MALFORMED : RIM_UNREACHABLE;
                return 0;
        }
        r = judge(attest, a, v, row, data, size, e);
        if (r < 0 || row->state != RIM_TRUSTED)
                return r;
        r = write_file_atomic(AT_FDCWD, path, data, size, 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

/* The installed package of manifests is not asked: this is how it is made. */
static int get_all(const Attest *attest, const RimArguments *a, Rows *v, char **ids, Error *e) {
        _cleanup_(collateral_settings_free) CollateralSettings settings = {};
        char *directories[] = { (char *) a->rim_dir, NULL };
        _cleanup_(http_freep) Http *http = NULL;
        _cleanup_(rim_client_freep) RimClient *client = NULL;
        RimSource source;
        int r;

        r = collateral_settings_load(a->config, &settings, e);
        if (r < 0)
                return r;
        if (a->urls) {
                settings.rim_urls = strv_free(settings.rim_urls);
                STRV_FOREACH(url, a->urls)
                        if (strv_append(&settings.rim_urls, *url) < 0)
                                return error_oom(e);
        }
        r = mkdir_parents(AT_FDCWD, a->into, 0755);
        if (r < 0)
                return error_errno(e, -r, "%s", a->into);
        if (!a->offline && (r = http_new((int64_t) (a->timeout_sec > 0 ? a->timeout_sec : settings.timeout_sec) * 1000, &http, e)) < 0)
                return r;
        r = rim_client_new(&settings, http, directories, &client, e);
        if (r < 0)
                return r;
        source = rim_client_source(client);
        source.prepare(source.userdata, ids);
        for (; r >= 0 && *ids; ids++)
                r = get_one(attest, a, v, &v->rows[v->n++], *ids, &source, e);
        return r;
}

static void print_rows(const Rows *v) {
        for (size_t i = 0; i < v->n; i++) {
                const Row *row = &v->rows[i];
                _cleanup_free_ char *until = row->rim ? time_to_text(row->rim->chain->not_after) : NULL;

                printf("%s\n", row->id ? row->id : row->source);
                if (row->rim)
                        printf("  trusted: %s %s, version %s, %u measurements\n  signed by %s, until %s\n  SHA-256 %s, %zu bytes\n", row->rim->edition,
                               row->rim->product, row->rim->version, row->rim->n_active, row->signer, until ? until : "", row->sha256, row->size);
                else
                        printf("  %s: %s\n", row->state == RIM_UNTRUSTED ? "NOT TRUSTED" : states[row->state].name, row->why.message ? row->why.message : "");
        }
}

static json_t *row_to_json(const Row *row) {
        json_t *j = json_pack("{s:o, s:o, s:s, s:o}", "id", json_text(row->id), "source", json_text(row->source), "state", states[row->state].name,
                              "reason", json_text(row->rim ? NULL : row->why.message));
        _cleanup_free_ char *from = row->rim ? time_to_text(row->rim->chain->not_before) : NULL,
                            *until = row->rim ? time_to_text(row->rim->chain->not_after) : NULL;

        if (j && *row->sha256) {
                (void) json_object_set_new(j, "sha256", json_string(row->sha256));
                (void) json_object_set_new(j, "size", json_integer((json_int_t) row->size));
        }
        if (j && row->rim) {
                json_t *more = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "version", row->rim->version, "edition", row->rim->edition, "product",
                                         row->rim->product, "measurements", (int) row->rim->n_active, "signer", row->signer, "signer_sha256",
                                         row->rim->chain->certs[0]->sha256, "not_before", from ? from : "", "not_after", until ? until : "");

                (void) json_object_update(j, more);
                json_decref(more);
        }
        return j;
}

static int print(const Attest *attest, const Rows *v, Error *e) {
        json_t *all;

        if (!attest->json) {
                if (!attest->quiet)
                        print_rows(v);
                return 0;
        }
        all = json_array();
        for (size_t i = 0; i < v->n; i++)
                (void) json_array_append_new(all, row_to_json(&v->rows[i]));
        if (json_array_size(all) == v->n)
                return print_json(all, e);
        json_decref(all);
        return error_oom(e);
}

/* The worst of what was found; all of it stands on standard output. */
static int conclude(const Rows *v, Error *e) {
        static const RimState order[] = { RIM_UNTRUSTED, RIM_MALFORMED, RIM_UNREADABLE, RIM_MISSING, RIM_UNREACHABLE };

        for (size_t k = 0; k < ELEMENTSOF(order); k++)
                for (size_t i = 0; i < v->n; i++)
                        if (v->rows[i].state == order[k])
                                return error_set(e, EKEYREJECTED, states[order[k]].code, "%s", v->rows[i].why.message ? v->rows[i].why.message : states[order[k]].name);
        return EXIT_OK;
}

static int run(const Attest *attest, const RimArguments *a, char **words, size_t n, Error *e) {
        _cleanup_(rows_clear) Rows v = {};
        int r = 0;

        v.rows = calloc(n + 1, sizeof(Row));
        v.pool = cert_pool_new();
        if (!v.rows || !v.pool)
                return error_oom(e);
        if (a->into)
                r = get_all(attest, a, &v, words, e);
        else
                for (; r >= 0 && *words; words++)
                        r = judge_file(attest, a, &v, &v.rows[v.n++], *words, e);
        if (r < 0 || (r = print(attest, &v, e)) < 0)
                return r;
        return conclude(&v, e);
}

static int take_url(RimArguments *a, const char *url) {
        if (!http_url_is_valid(url))
                return option_refuse("not an http or https URL");
        if (strv_length(a->urls) >= URLS_MAX)
                return option_refuse("too many servers");
        return strv_append(&a->urls, url) < 0 ? option_refuse("out of memory") : EXIT_OK;
}

static int take_timeout(RimArguments *a, const char *text) {
        uint64_t n;
        int r = option_number(text, 1, ATTEST_TIMEOUT_MAX, &n);

        if (r == EXIT_OK)
                a->timeout_sec = (unsigned) n;
        return r;
}

/* What is wrong with the options together; NULL. */
static const char *check_words(const RimArguments *a, char **words) {
        if (!*words)
                return a->into ? "which ids?" : "which files?";
        if (!a->into && (a->rim_dir || a->urls || a->offline || a->timeout_sec > 0))
                return "--rim-dir, --rim-url, --offline and --timeout are for --get";
        for (; a->into && *words; words++)
                if (!rim_id_is_valid(*words))
                        return "that is not the id of a manifest";
        return NULL;
}

int verb_attest_rim(Attest *attest, int argc, char *argv[], Error *e) {
        enum { ARG_GET = 256, ARG_RIM_DIR, ARG_RIM_URL, ARG_OFFLINE, ARG_TIMEOUT, ARG_CONFIG, ARG_AT };
        static const Option options[] = {
                { "get", ARG_GET, "DIR" },
                { "rim-dir", ARG_RIM_DIR, "DIR" },
                { "rim-url", ARG_RIM_URL, "URL" },
                { "offline", ARG_OFFLINE, NULL },
                { "timeout", ARG_TIMEOUT, "SECONDS" },
                { "config", ARG_CONFIG, "FILE" },
                { "at", ARG_AT, "TIME" },
                {}
        };
        RimArguments a = { .at = (int64_t) time(NULL) };
        const char *wrong;
        int c, r = EXIT_OK;

        while (r == EXIT_OK && (c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_GET: a.into = optarg; break;
                case ARG_RIM_DIR: a.rim_dir = optarg; break;
                case ARG_RIM_URL: r = take_url(&a, optarg); break;
                case ARG_OFFLINE: a.offline = true; break;
                case ARG_TIMEOUT: r = take_timeout(&a, optarg); break;
                case ARG_CONFIG: a.config = optarg; break;
                case ARG_AT: r = attest_take_time(optarg, &a.at); break;
                case 'h': help(); return EXIT_OK;
                default: (void) strv_free(a.urls); return option_status();
                }
        wrong = r == EXIT_OK ? check_words(&a, argv + optind) : NULL;
        if (wrong)
                r = verb_usage("rim", "%s", wrong);
        else if (r == EXIT_OK)
                r = run(attest, &a, argv + optind, (size_t) (argc - optind), e);
        (void) strv_free(a.urls);
        return r;
}
