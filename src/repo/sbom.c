/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/sbom.h"

#include <inttypes.h>
#include <jansson.h>

#include "basic/fs.h"
#include "repo/rpm-file.h"

#define NOTHING "NOASSERTION"

/* One package of the state that belongs to the release. */
typedef struct Part {
        const PublishedPackage *p;
        const LockedArtifact *artifact; /* it was made from that, or is it; or NULL */
        RpmFile *file;
        char *id;
} Part;

typedef struct Sbom {
        const SbomOptions *o;
        char *release;
        Part *parts;
        size_t n;
        json_t *packages, *relationships, *licences;
        Error *e;
} Sbom;

static void sbom_done(Sbom *s) {
        for (size_t i = 0; i < s->n; i++) {
                rpm_file_free(s->parts[i].file);
                free(s->parts[i].id);
        }
        free(s->parts);
        free(s->release);
        json_decref(s->packages);
        json_decref(s->relationships);
        json_decref(s->licences);
}

/* Letters, digits, '.' and '-' are what an identifier may have. */
static char *make_id(const char *prefix, const char *s) {
        char *id = format("%s%s", prefix, s);

        for (char *c = id ? id + strlen(prefix) : NULL; c && *c; c++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *c))
                        *c = '-';
        return id;
}

static bool belongs(const Sbom *s, const PublishedPackage *p) {
        return strv_length(p->releases) == 0 || strv_contains(p->releases, s->release);
}

/* A vendor's package is the artifact, byte for byte; ours have its name and version. */
static int find_artifact(const Sbom *s, const PublishedPackage *p, const LockedArtifact **ret) {
        for (size_t i = 0; i < s->o->release->n_artifacts; i++) {
                const Artifact *a = s->o->release->artifacts[i];
                const LockedArtifact *l = lock_find(s->o->lock, a->name);
                _cleanup_strv_ char **names = NULL;

                if (!l)
                        continue;
                if (streq(l->sha256, p->sha256)) {
                        *ret = l;
                        return 0;
                }
                if (artifact_packages(a, &names) < 0)
                        return -ENOMEM;
                if (!p->vendor && a->version && strv_contains(names, p->name) && startswith(p->evr, a->version) && p->evr[strlen(a->version)] == '-')
                        *ret = l;
        }
        return 0;
}

static int add_part(Sbom *s, const PublishedPackage *p) {
        _cleanup_free_ char *name = NULL;
        Part *x = &s->parts[s->n++];
        int r;

        name = format("%s-%.12s", p->nevra, p->sha256); /* two names may become one */
        *x = (Part){ .p = p, .id = name ? make_id("SPDXRef-Package-", name) : NULL };
        if (!x->id || find_artifact(s, p, &x->artifact) < 0)
                return error_oom(s->e);
        if ((r = rpm_file_open(s->o->state->repo_fd, p->href, &x->file, s->e)) < 0)
                return error_hint(s->e, r, "%s: a package of generation %" PRIu64 " is not there as it was", s->o->state->path, s->o->state->generation->number);
        if (!streq(x->file->header_sha256, p->header_sha256))
                return error_set(s->e, EBADMSG, EXIT_UNTRUSTED, "%s/%s: it is not the package that was published", s->o->state->path, p->href);
        return 0;
}

static int collect(Sbom *s) {
        const Generation *g = s->o->state->generation;
        _cleanup_free_ char *meta = release_metapackage(s->o->release), *lock = format("%s %s", s->release, s->o->lock_sha256), *any = format("%s ", s->release);
        bool found = false, same = false;
        int r;

        if (!meta || !lock || !any)
                return error_oom(s->e);
        STRV_FOREACH(l, g->locks) {
                found = found || startswith(*l, any);
                same = same || streq(*l, lock);
        }
        if (!found)
                return error_hint(s->e, error_set(s->e, ENOENT, EXIT_FAILED, "%s: generation %" PRIu64 " does not have %s", s->o->state->path, g->number, s->release),
                                  "publish it first; 'gn8v-tee-repo generations --json' tells what each has");
        if (!same)
                return error_hint(s->e, error_set(s->e, ESTALE, EXIT_DIFFERS, "%s: generation %" PRIu64 " was published with another lock of %s", s->o->state->path, g->number, s->release),
                                  "publish again, or name the generation that was published with this one: --generation");
        if (!(s->parts = calloc(g->n_packages + 1, sizeof(*s->parts))))
                return error_oom(s->e);
        for (size_t i = 0; i < g->n_packages; i++)
                if (belongs(s, g->packages[i]) && (r = add_part(s, g->packages[i])) < 0)
                        return r;
        return 0;
}

/* A licence that SPDX does not know has to be told of in the document. */
static int tell_licence(Sbom *s, const char *id, const char *name, const char *text) {
        json_t *l;
        size_t i;

        json_array_foreach(s->licences, i, l)
                if (streq(json_string_value(json_object_get(l, "licenseId")), id))
                        return 0;
        return json_array_append_new(s->licences, json_pack("{s:s, s:s, s:s}", "licenseId", id, "name", name, "extractedText", text));
}

/* What is no expression becomes a licence of its own, with its words as its text. NULL: out of memory. */
static char *declare_licence(Sbom *s, const char *words) {
        char *id;

        if (!words || !*words)
                return strdup(NOTHING);
        if (!licence_is_expression(words)) {
                id = make_id("LicenseRef-RPM-", words);
                if (!id || tell_licence(s, id, words, words) >= 0)
                        return id;
                free(id);
                return NULL;
        }
        for (const char *w = words; *w; w += strcspn(w, " ()"), w += strspn(w, " ()")) {
                _cleanup_free_ char *word = strndup(w, strcspn(w, " ()"));

                if (!word || (startswith(word, "LicenseRef-") &&
                              tell_licence(s, word, word, "A licence that is not on SPDX's list; its text is in the vendor's file, and in the packages made from it.") < 0))
                        return NULL;
        }
        return strdup(words);
}

static const char *header_text(const RpmFile *f, rpmTagVal tag) {
        const char *s = headerGetString(f->header, tag);
        return s ? s : "";
}

/* What came into the header may not be UTF-8. */
static char *clean(const char *s) {
        char *copy = strdup(s);

        if (copy)
                text_clean(copy, 512);
        return copy;
}

static bool is_unreserved(char c) {
        return c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~", c);
}

static void append_escaped(Text *t, const char *s) {
        for (; *s; s++)
                if (is_unreserved(*s))
                        text_append_n(t, s, 1);
                else
                        text_printf(t, "%%%02X", (unsigned char) *s);
}

/* pkg:rpm/NAMESPACE/NAME@VERSION-RELEASE?arch=ARCH&epoch=EPOCH (package URL specification) */
static char *package_url(const RpmFile *f, bool vendor) {
        _cleanup_text_ Text t = {};

        text_append(&t, vendor ? "pkg:rpm/" : "pkg:rpm/gn8v-tee/");
        append_escaped(&t, f->name);
        text_append(&t, "@");
        append_escaped(&t, f->version);
        text_append(&t, "-");
        append_escaped(&t, f->release);
        text_append(&t, "?arch=");
        append_escaped(&t, f->arch);
        if (f->epoch > 0)
                text_printf(&t, "&epoch=%" PRIu32, f->epoch);
        return text_take(&t);
}

static int relate(Sbom *s, const char *a, const char *how, const char *b) {
        return json_array_append_new(s->relationships, json_pack("{s:s, s:s, s:s}", "spdxElementId", a, "relationshipType", how, "relatedSpdxElement", b)) < 0 ? error_oom(s->e) : 0;
}

static json_t *checksum(const char *hex) {
        return json_pack("[{s:s, s:s}]", "algorithm", "SHA256", "checksumValue", hex);
}

static int describe_part(Sbom *s, const Part *x) {
        const RpmFile *f = x->file;
        _cleanup_free_ char *location = s->o->baseurl ? format("%s/%s", s->o->baseurl, x->p->href) : strdup(NOTHING), *url = package_url(f, x->p->vendor), *built = time_to_text(f->build_time);
        _cleanup_free_ char *words = clean(header_text(f, RPMTAG_LICENSE)), *summary = clean(header_text(f, RPMTAG_SUMMARY)), *vendor = clean(header_text(f, RPMTAG_VENDOR));
        _cleanup_free_ char *licence = declare_licence(s, x->artifact && x->artifact->licence ? x->artifact->licence : words);
        _cleanup_free_ char *supplier = vendor && *vendor ? format("Organization: %s", vendor) : strdup(NOTHING);
        _cleanup_free_ char *source = x->p->signer ? format("signed by %s; header SHA-256 %s", x->p->signer, x->p->header_sha256) : strdup("");
        json_t *j;

        if (!location || !url || !built || !words || !summary || !licence || !supplier || !source)
                return error_oom(s->e);
        j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "SPDXID", x->id, "name", f->name, "versionInfo", f->evr,
                      "packageFileName", x->p->file, "downloadLocation", location, "supplier", supplier, "filesAnalyzed", false, "checksums", checksum(x->p->sha256),
                      "licenseConcluded", NOTHING, "licenseDeclared", licence, "copyrightText", NOTHING, "summary", summary, "builtDate", built, "sourceInfo", source,
                      "externalRefs", "referenceCategory", "PACKAGE-MANAGER", "referenceType", "purl", "referenceLocator", url);
        return j && json_array_append_new(s->packages, j) >= 0 ? 0 : error_oom(s->e);
}

static char *artifact_id(const LockedArtifact *a) {
        return make_id("SPDXRef-Artifact-", a->name);
}

/* A vendor's file. One that is a package of the release itself is told there. */
static int describe_artifact(Sbom *s, const LockedArtifact *a) {
        _cleanup_free_ char *id = artifact_id(a), *licence = NULL, *comment = NULL;
        const char *filename = a->filename ? a->filename : a->name;
        json_t *j;

        for (size_t i = 0; i < s->n; i++)
                if (streq(s->parts[i].p->sha256, a->sha256))
                        return 0;
        licence = declare_licence(s, a->licence);
        comment = format("%s; %s%s%s", a->redistributable ? "may be redistributed" : "may not be redistributed", a->first_use ? "its digest was taken when it was first seen, on " : "its digest is pinned by the release file",
                         a->first_use && a->date ? a->date : "", a->signer ? "; its signature was checked" : "");
        if (!id || !licence || !comment)
                return error_oom(s->e);
        j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:s, s:s, s:s, s:s}", "SPDXID", id, "name", a->name, "packageFileName", filename, "downloadLocation",
                      a->urls && a->urls[0] ? a->urls[0] : NOTHING, "supplier", NOTHING, "filesAnalyzed", false, "checksums", checksum(a->sha256), "licenseConcluded", NOTHING,
                      "licenseDeclared", licence, "copyrightText", NOTHING, "comment", comment, "primaryPackagePurpose", "ARCHIVE");
        if (!j)
                return error_oom(s->e);
        if (a->version)
                (void) json_object_set_new(j, "versionInfo", json_string(a->version));
        return json_array_append_new(s->packages, j) >= 0 ? 0 : error_oom(s->e);
}

static const Part *find_part(const Sbom *s, const char *name) {
        for (size_t i = 0; i < s->n; i++)
                if (streq(s->parts[i].p->name, name))
                        return &s->parts[i];
        return NULL;
}

/* What it needs of the other packages here, by name. */
static int relate_needs(Sbom *s, const Part *x) {
        _cleanup_strv_ char **done = NULL;
        struct rpmtd_s td;
        const char *name;
        int r = 0;

        if (!headerGet(x->file->header, RPMTAG_REQUIRENAME, &td, HEADERGET_MINMEM))
                return 0;
        while (r >= 0 && (name = rpmtdNextString(&td))) {
                const Part *needed = find_part(s, name);

                if (!needed || needed == x || strv_contains(done, name))
                        continue;
                r = strv_append(&done, name) < 0 ? error_oom(s->e) : relate(s, x->id, "DEPENDS_ON", needed->id);
        }
        rpmtdFreeData(&td);
        return r;
}

static int relate_part(Sbom *s, const Part *x) {
        _cleanup_free_ char *id = NULL;
        int r;

        if ((r = relate(s, "SPDXRef-DOCUMENT", "DESCRIBES", x->id)) < 0 || (r = relate_needs(s, x)) < 0)
                return r;
        if (!x->artifact || streq(x->artifact->sha256, x->p->sha256))
                return 0;
        id = artifact_id(x->artifact);
        return id ? relate(s, x->id, "GENERATED_FROM", id) : error_oom(s->e);
}

/* The same parts, the same name: of all their digests. */
static char *make_namespace(const Sbom *s) {
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *text = NULL;
        char hex[SHA256_HEX_SIZE];

        text_printf(&t, "%s %s\n", s->release, s->o->lock_sha256);
        for (size_t i = 0; i < s->n; i++)
                text_printf(&t, "%s\n", s->parts[i].p->sha256);
        if (!(text = text_take(&t)) || sha256_buffer(text, strlen(text), hex) < 0)
                return NULL;
        return format("https://spdx.org/spdxdocs/gn8v-tee-%s-%.8s-%.4s-8%.3s-a%.3s-%.12s", s->release, hex, hex + 8, hex + 12, hex + 15, hex + 18);
}

static int render(Sbom *s, char **ret) {
        _cleanup_free_ char *name = format("gn8v-tee-%s", s->release), *space = make_namespace(s), *created = NULL, *text = NULL;
        int64_t newest = s->o->release->date;
        json_t *j;

        for (size_t i = 0; i < s->n; i++)
                newest = MAX(newest, s->parts[i].file->build_time);
        if (!name || !space || !(created = time_to_text(newest)))
                return error_oom(s->e);
        j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:[s]}, s:O, s:O, s:O}", "spdxVersion", "SPDX-2.3", "dataLicense", "CC0-1.0", "SPDXID", "SPDXRef-DOCUMENT", "name", name,
                      "documentNamespace", space, "creationInfo", "created", created, "creators", "Tool: gn8v-tee-repo-" GN8V_VERSION, "packages", s->packages,
                      "relationships", s->relationships, "hasExtractedLicensingInfos", s->licences);
        text = j ? json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
        json_decref(j);
        if (!text || !(*ret = format("%s\n", text)))
                return error_oom(s->e);
        return 0;
}

int sbom_make(const SbomOptions *o, char **ret, Error *e) {
        _cleanup_(sbom_done) Sbom s = { .o = o, .packages = json_array(), .relationships = json_array(), .licences = json_array(), .e = e };
        int r;

        s.release = release_name(o->release);
        if (!s.release || !s.packages || !s.relationships || !s.licences)
                return error_oom(e);
        if ((r = collect(&s)) < 0)
                return r;
        for (size_t i = 0; i < s.n; i++)
                if ((r = describe_part(&s, &s.parts[i])) < 0)
                        return r;
        for (size_t i = 0; i < o->lock->n_artifacts; i++)
                if ((r = describe_artifact(&s, o->lock->artifacts[i])) < 0)
                        return r;
        for (size_t i = 0; i < s.n; i++)
                if ((r = relate_part(&s, &s.parts[i])) < 0)
                        return r;
        return render(&s, ret);
}
