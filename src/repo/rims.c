/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/rims.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sys/mman.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "basic/process.h"
#include "basic/strings.h"

#define PROGRAM     "gn8v-tee-attest"
#define FOLDER      "rims" /* below store/partial */
#define ANSWER_MAX  ((size_t) 1 << 20)
#define TIMEOUT_SEC 30
#define GRACE_SEC   30

void rim_want_clear(RimWant *w) {
        free(w->ret_sha256);
        free(w->ret_url);
        free(w->ret_version);
        free(w->ret_signer);
        free(w->ret_expires);
        *w = (RimWant) { .id = w->id, .sha256 = w->sha256 };
}

static void jsonp(json_t **j) {
        json_decref(*j);
}

/* The program of PATH, as any other; or the one beside this one, where neither is installed. NULL: out of memory. */
static char *find_program(void) {
        char self[PATH_MAX];
        ssize_t n = program_exists(NULL, PROGRAM) ? -1 : readlink("/proc/self/exe", self, sizeof(self) - 1);
        _cleanup_free_ char *beside = NULL;

        if (n > 0) {
                self[n] = '\0';
                beside = format("%.*s" PROGRAM, (int) (path_basename(self) - self), self);
                if (!beside || access(beside, X_OK) == 0)
                        return TAKE_PTR(beside);
        }
        return strdup(PROGRAM);
}

static int add_option(char ***argv, const char *name, const char *value) {
        _cleanup_free_ char *s = format("--%s=%s", name, value);

        return s ? strv_append(argv, s) : -ENOMEM;
}

static int make_arguments(const RimOptions *o, const char *folder, char *const *ids, char ***ret) {
        _cleanup_strv_ char **argv = NULL;
        _cleanup_free_ char *program = find_program(), *timeout = format("%u", o->timeout_sec > 0 ? o->timeout_sec : TIMEOUT_SEC);

        if (!program || !timeout || strv_append(&argv, program) < 0 || strv_append(&argv, "--json") < 0 || strv_append(&argv, "rim") < 0 ||
            add_option(&argv, "get", folder) < 0 || add_option(&argv, "timeout", timeout) < 0 ||
            (o->directory && add_option(&argv, "rim-dir", o->directory) < 0))
                return -ENOMEM;
        STRV_FOREACH(url, o->urls)
                if (add_option(&argv, "rim-url", *url) < 0)
                        return -ENOMEM;
        if (strv_append(&argv, "--") < 0)
                return -ENOMEM;
        STRV_FOREACH(id, ids)
                if (strv_append(&argv, *id) < 0)
                        return -ENOMEM;
        *ret = TAKE_PTR(argv);
        return 0;
}

/* The last line of what a program said. */
static const char *last_line(char *said) {
        size_t n = strlen(said);
        char *line;

        while (n > 0 && (unsigned char) said[n - 1] <= ' ')
                said[--n] = '\0';
        line = strrchr(said, '\n');
        text_clean(line ? line + 1 : said, 1000);
        return line ? line + 1 : said;
}

/* Runs it; *ret is the list it printed. It exits with a failure where a manifest is not right, and has printed the list then, too. */
static int run(const RimOptions *o, const char *folder, char *const *ids, json_t **ret, Error *e) {
        static const char *const also[] = { "NV_RIM_URL", "NVIDIA_ATTESTATION_SERVICE_KEY", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                            "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", NULL };
        _cleanup_strv_ char **argv = NULL, **env = NULL;
        _cleanup_close_ int fd = memfd_create("rims", MFD_CLOEXEC);
        _cleanup_free_ char *said = NULL, *text = NULL;
        json_error_t why;
        size_t size;
        int status, r;

        if (fd < 0)
                return error_errno(e, errno, "memfd");
        if (make_arguments(o, folder, ids, &argv) < 0 || process_environment(also, &env) < 0)
                return error_oom(e);
        r = process_run(&(Process){ .argv = (const char *const *) argv, .env = (const char *const *) env, .stdout_fd = fd,
                                    .timeout_sec = (o->timeout_sec > 0 ? o->timeout_sec : TIMEOUT_SEC) + GRACE_SEC }, &status, &said, e);
        if (r < 0 || status == 127)
                return error_hint(e, r < 0 ? r : error_set(e, ENOENT, EXIT_FAILED, "%s: cannot be run", argv[0]),
                                  "Install gn8v-tee-attest, which judges reference manifests; or leave them out: --without-rims");
        if (lseek(fd, 0, SEEK_SET) < 0 || (r = read_fd(fd, ANSWER_MAX, &text, &size)) < 0)
                return error_errno(e, r < 0 ? -r : errno, "%s: its answer", argv[0]);
        *ret = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
        if (!json_is_array(*ret))
                return error_set(e, EIO, status == EXIT_INVALID || status == EXIT_USAGE ? (ExitCode) status : EXIT_FAILED, "%s: exit status %d: %s", argv[0],
                                 status, last_line(said));
        return 0;
}

static const json_t *find_row(const json_t *rows, const char *id) {
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                const char *s = json_string_value(json_object_get(row, "id"));

                if (s && streq(s, id))
                        return row;
        }
        return NULL;
}

static int take(const json_t *row, const char *key, char **ret) {
        const char *s = json_string_value(json_object_get(row, key));

        *ret = s ? strdup(s) : NULL;
        if (*ret)
                text_clean(*ret, 4096);
        return !s ? -EBADMSG : *ret ? 0 : -ENOMEM;
}

/* Where it came from, as a URL: a file's name is only a path. */
static int take_url(const json_t *row, char **ret) {
        _cleanup_free_ char *path = NULL;
        int r = take(row, "source", ret);

        if (r < 0 || strstr(*ret, "://"))
                return r;
        path = realpath(*ret, NULL);
        if (!path)
                return -errno;
        free(*ret);
        *ret = format("file://%s", path);
        return *ret ? 0 : -ENOMEM;
}

/* What goes wrong with each, and the worst of it. */
typedef struct Reasons {
        Text text;
        ExitCode worst;
        bool is_other; /* right, but not what is locked */
} Reasons;

static void reasons_clear(Reasons *x) {
        text_free(&x->text);
}

static unsigned weight(ExitCode code) {
        return code == EXIT_UNTRUSTED ? 3 : code == EXIT_UNCHECKED ? 2 : code == EXIT_UNREACHABLE ? 1 : 0;
}

static void add_reason(Reasons *x, ExitCode code, const char *id, const char *why) {
        text_printf(&x->text, "%s%s: %s", x->text.size > 0 ? "\n" : "", id, why);
        if (weight(code) > weight(x->worst))
                x->worst = code;
}

/* It is signed, but not what is locked. */
static int add_other(Reasons *x, const RimWant *w, const char *hex, const char *aside, Error *e) {
        _cleanup_free_ char *why = format("%s has SHA-256 %s, not %s as locked%s%s", w->ret_url, hex, w->sha256, aside ? "; it is kept aside: " : "",
                                          aside ? aside : "");

        if (!why)
                return error_oom(e);
        x->is_other = true;
        add_reason(x, EXIT_UNTRUSTED, w->id, why);
        return 0;
}

/* The child's words are about a file it wrote; which bytes go into the store is found out here. */
static int insert(Store *store, RimWant *w, const json_t *row, Reasons *x, Error *e) {
        _cleanup_free_ char *name = format(FOLDER "/%s.xml", w->id), *file = format("%s.xml", w->id), *aside = NULL;
        const char *told = json_string_value(json_object_get(row, "sha256"));
        _cleanup_close_ int fd = -1;
        char hex[SHA256_HEX_SIZE];
        uint64_t size;
        int r;

        if (!name || !file)
                return error_oom(e);
        if (take_url(row, &w->ret_url) < 0 || take(row, "version", &w->ret_version) < 0 || take(row, "signer_sha256", &w->ret_signer) < 0 ||
            take(row, "not_after", &w->ret_expires) < 0 || !sha256_is_valid(w->ret_signer) || !told || !sha256_is_valid(told))
                return error_set(e, EIO, EXIT_FAILED, PROGRAM ": %s: its answer is not complete", w->id);
        /* Two releases may have locked two of one id: there is only one of them now, and it was taken already. */
        if (store_partial_size(store, name) == 0)
                return w->sha256 ? add_other(x, w, told, NULL, e) : error_set(e, EIO, EXIT_FAILED, PROGRAM ": %s: it has not written it", w->id);
        fd = store_partial_open(store, name, &size, e);
        if (fd < 0)
                return fd;
        r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : sha256_fd(fd, hex);
        if (r < 0)
                return error_errno(e, -r, "%s", file);
        if (!streq(hex, told))
                return error_set(e, EIO, EXIT_FAILED, PROGRAM ": %s: what it has written is not what it has judged", w->id);
        if (w->sha256 && !streq(hex, w->sha256)) {
                r = store_reject(store, name, file, hex, &aside, e);
                return r < 0 ? r : add_other(x, w, hex, aside, e);
        }
        w->ret_size = size;
        w->fetched = true;
        w->ret_sha256 = strdup(hex);
        return w->ret_sha256 ? store_insert(store, name, fd, hex, e) : error_oom(e);
}

static int take_row(Store *store, RimWant *w, const json_t *rows, Reasons *x, Error *e) {
        const json_t *row = find_row(rows, w->id);
        const char *state = row ? json_string_value(json_object_get(row, "state")) : NULL, *why = row ? json_string_value(json_object_get(row, "reason")) : NULL;
        _cleanup_free_ char *reason = strdup(why ? why : "not right");

        if (!reason)
                return error_oom(e);
        text_clean(reason, 2000);
        if (!state)
                return error_set(e, EIO, EXIT_FAILED, PROGRAM ": %s: it has not answered", w->id);
        if (streq(state, "trusted"))
                return insert(store, w, row, x, e);
        add_reason(x, streq(state, "missing") ? EXIT_UNCHECKED : streq(state, "unreachable") ? EXIT_UNREACHABLE : EXIT_UNTRUSTED, w->id, reason);
        return 0;
}

static int conclude(Reasons *x, Error *e) {
        _cleanup_free_ char *all = x->text.size > 0 ? text_take(&x->text) : NULL;
        int r;

        if (x->worst == EXIT_OK)
                return 0;
        if (!all)
                return error_oom(e);
        if (x->worst == EXIT_UNCHECKED) {
                r = error_set(e, ENODATA, EXIT_UNCHECKED, "a reference manifest is not published, so that such GPUs could not be attested:\n%s", all);
                return error_hint(e, r, "Take a driver that NVIDIA has published one for; or leave them out: --without-rims, or for good DriverRim=no in the release file");
        }
        if (x->worst == EXIT_UNREACHABLE) {
                r = error_set(e, EHOSTUNREACH, EXIT_UNREACHABLE, "whether there is a reference manifest could not be found out:\n%s", all);
                return error_hint(e, r, "Check the network or the proxy (https_proxy); or name a mirror (--rim-url, NV_RIM_URL) or a folder of ID.xml (--rim-dir)");
        }
        r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "a reference manifest is not to be trusted:\n%s", all);
        return error_hint(e, r, x->is_other ? "It is signed, but another than was locked: NVIDIA signs them anew. Take it with 'gn8v-tee-repo lock --refresh'"
                                            : "Nothing was locked or stored of it: ask another server (--rim-url), and whoever runs this one");
}

static bool is_here(const Store *store, const RimWant *w) {
        return w->sha256 && store_has(store, w->sha256);
}

static int obtain(Store *store, RimWant *wants, size_t n, const RimOptions *o, const char *folder, char *const *ids, Error *e) {
        _cleanup_(reasons_clear) Reasons x = {};
        _cleanup_(jsonp) json_t *rows = NULL;
        int r;

        r = run(o, folder, ids, &rows, e);
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (!is_here(store, &wants[i]))
                        r = take_row(store, &wants[i], rows, &x, e);
        return r < 0 ? r : conclude(&x, e);
}

int rims_obtain(Store *store, RimWant *wants, size_t n, const RimOptions *options, Error *e) {
        static const RimOptions none = {};
        _cleanup_free_ char *folder = store_partial_path(store, FOLDER);
        _cleanup_strv_ char **ids = NULL;
        int r;

        if (!folder)
                return error_oom(e);
        for (size_t i = 0; i < n; i++)
                if (!is_here(store, &wants[i]) && !strv_contains(ids, wants[i].id) && strv_append(&ids, wants[i].id) < 0)
                        return error_oom(e);
        if (!ids)
                return 0;
        /* Of a run that was killed. */
        r = remove_tree(AT_FDCWD, folder);
        if (r >= 0)
                r = mkdir_parents(AT_FDCWD, folder, 0700);
        if (r < 0)
                return error_errno(e, -r, "%s", folder);
        r = obtain(store, wants, n, options ? options : &none, folder, ids, e);
        (void) remove_tree(AT_FDCWD, folder);
        return r;
}
