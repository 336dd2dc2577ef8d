/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/prove.h"

#include <sys/stat.h>

#include "basic/strings.h"
#include "repo/solve.h"

typedef struct Prove {
        const ProveOptions *o;
        WorldSource *sources;
        size_t n_sources;
        Platform **platforms;   /* the lists among them */
        size_t n_platforms;
        World *world;           /* nothing installed, until upgrades are asked for */
        char ***installed;      /* per release: what installing its metapackage brings; NULL: it does not install */
        const char **metapackage; /* per release: NEVRA or NULL */
        ProveReport *report;
} Prove;

ProveReport *prove_report_free(ProveReport *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_checks; i++) {
                free(r->checks[i].subject);
                strv_free(r->checks[i].problems);
        }
        free(r->checks);
        free(r);
        return NULL;
}

static void prove_done(Prove *p) {
        for (size_t i = 0; p->installed && i < p->o->n_releases; i++)
                strv_free(p->installed[i]);
        free(p->installed);
        free(p->metapackage);
        for (size_t i = 0; i < p->n_platforms; i++)
                platform_free(p->platforms[i]);
        free(p->platforms);
        free(p->sources);
        world_free(p->world);
        prove_report_free(p->report);
}

/* Takes subject and problems. */
static int add_check(Prove *p, const char *kind, char *subject, char **problems, Error *e) {
        ProveCheck *grown = subject ? reallocarray(p->report->checks, p->report->n_checks + 1, sizeof(*grown)) : NULL;

        if (!grown) {
                free(subject);
                strv_free(problems);
                return error_oom(e);
        }
        p->report->checks = grown;
        grown[p->report->n_checks++] = (ProveCheck){ .kind = kind, .subject = subject, .problems = problems };
        if (problems)
                p->report->n_failed++;
        return 0;
}

static int complain(char ***problems, Error *e, const char *fmt, ...) _printf_(3, 4);
static int complain(char ***problems, Error *e, const char *fmt, ...) {
        _cleanup_free_ char *s = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&s, fmt, ap);
        va_end(ap);
        if (n < 0) {
                s = NULL;
                return error_oom(e);
        }
        return strv_append(problems, s) < 0 ? error_oom(e) : 0;
}

static int gather_sources(Prove *p, Error *e) {
        size_t n = 1 + strv_length(p->o->platforms) + strv_length(p->o->beside);

        p->sources = calloc(n, sizeof(*p->sources));
        p->platforms = calloc(n, sizeof(*p->platforms));
        if (!p->sources || !p->platforms)
                return error_oom(e);
        p->sources[p->n_sources++] = (WorldSource){ .role = WORLD_OURS, .path = p->o->repo, .rpms = p->o->rpms, .known = p->o->known };
        STRV_FOREACH(s, p->o->platforms) {
                WorldSource *source = &p->sources[p->n_sources++];
                struct stat st;

                if (stat(*s, &st) < 0)
                        return error_errno(e, errno, "platform %s", *s);
                source->role = WORLD_PLATFORM;
                if (S_ISDIR(st.st_mode))
                        source->path = *s;
                else {
                        /* Read once: it may be a pipe. */
                        int r = platform_load(*s, &p->platforms[p->n_platforms], e);
                        if (r < 0)
                                return r;
                        source->list = p->platforms[p->n_platforms++];
                }
        }
        STRV_FOREACH(s, p->o->beside) {
                if (access(*s, R_OK) < 0)
                        return error_errno(e, errno, "repository %s", *s);
                p->sources[p->n_sources++] = (WorldSource){ .role = WORLD_BESIDE, .path = *s };
        }
        return 0;
}

/* Every package alone: nothing is in the repository that cannot be used. */
static int check_each(Prove *p, Error *e) {
        char **problems = NULL;
        size_t tried;
        int r = world_install_each(p->world, &tried, &problems, e);

        return r < 0 ? r : add_check(p, "installable", format("each of %zu packages", tried), problems, e);
}

/* That a set of packages has the metapackage and every pin of a release. */
static int check_pins(const Release *rel, char *const *set, char ***problems, Error *e) {
        _cleanup_free_ char *meta = release_metapackage(rel);
        bool found = false;

        if (!meta)
                return error_oom(e);
        STRV_FOREACH(s, set)
                found = found || nevra_is(*s, meta, rel->version, rel->revision);
        if (!found && complain(problems, e, "%s-%s-%s is not among what is installed then", meta, rel->version, rel->revision) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < rel->n_artifacts; i++) {
                const Artifact *a = rel->artifacts[i];
                _cleanup_strv_ char **names = NULL;

                if (artifact_packages(a, &names) < 0)
                        return error_oom(e);
                STRV_FOREACH(name, names) {
                        found = false;
                        STRV_FOREACH(s, set)
                                found = found || nevra_is(*s, *name, a->version, a->revision);
                        if (!found && complain(problems, e, "%s-%s-%s, a pin of the release, is not among what is installed then", *name,
                                               a->version, a->revision) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

static int check_release(Prove *p, size_t i, Error *e) {
        const Release *rel = p->o->releases[i];
        _cleanup_free_ char *meta = release_metapackage(rel);
        _cleanup_strv_ char **problems = NULL;
        int r = 0;

        if (!meta)
                return error_oom(e);
        p->metapackage[i] = world_find(p->world, meta, rel->version, rel->revision);
        if (!p->metapackage[i])
                r = complain(&problems, e, "%s-%s-%s is not in the repository", meta, rel->version, rel->revision);
        else {
                char *const one[] = { (char *) p->metapackage[i], NULL };

                r = world_solve(p->world, one, &p->installed[i], &problems, e);
                if (r >= 0 && !problems)
                        r = check_pins(rel, p->installed[i], &problems, e);
        }
        if (problems) {
                strv_free(p->installed[i]);
                p->installed[i] = NULL;
        }
        return r < 0 ? r : add_check(p, "release", format("install %s %s", meta, rel->version), TAKE_PTR(problems), e);
}

static int check_exclusive(Prove *p, size_t a, size_t b, Error *e) {
        char *const both[] = { (char *) p->metapackage[a], (char *) p->metapackage[b], NULL };
        _cleanup_strv_ char **problems = NULL, **reasons = NULL;
        int r;

        r = world_solve(p->world, both, NULL, &reasons, e);
        if (r >= 0 && !reasons)
                r = complain(&problems, e, "%s and %s can be installed together", both[0], both[1]);
        /* A driver's file or a pin may also keep them apart: only the metapackages' own conflict is one by design. */
        if (r >= 0 && !world_conflict(p->world, both[0], both[1]))
                r = complain(&problems, e, "neither %s nor %s says that it conflicts with the other", both[0], both[1]);
        return r < 0 ? r : add_check(p, "exclusive", format("%s excludes %s", both[0], both[1]), TAKE_PTR(problems), e);
}

static int compare_releases(Prove *p, const Release *a, const Release *b) {
        _cleanup_free_ char *x = format("%s-%s", a->version, a->revision), *y = format("%s-%s", b->version, b->revision);
        return x && y ? world_compare(p->world, x, y) : 0;
}

static size_t newest_of_profile(Prove *p, size_t i) {
        size_t best = i;

        for (size_t j = 0; j < p->o->n_releases; j++)
                if (streq(p->o->releases[j]->profile, p->o->releases[i]->profile) && compare_releases(p, p->o->releases[j], p->o->releases[best]) > 0)
                        best = j;
        return best;
}

/* `dnf upgrade` where the older release is installed. */
static int check_upgrade(Prove *p, size_t old, size_t new, Error *e) {
        _cleanup_strv_ char **problems = NULL, **result = NULL;
        int r;

        r = world_set_installed(p->world, p->installed[old], e);
        if (r < 0)
                return r;
        r = world_solve(p->world, NULL, &result, &problems, e);
        if (r >= 0 && !problems)
                r = check_pins(p->o->releases[new], result, &problems, e);
        if (r < 0)
                return r;
        return add_check(p, "upgrade", format("%s to %s", p->metapackage[old], p->metapackage[new]), TAKE_PTR(problems), e);
}

/* `dnf upgrade` where the newest is installed, and other repositories offer other things under the same names. */
static int check_beside(Prove *p, size_t i, Error *e) {
        _cleanup_strv_ char **problems = NULL, **result = NULL;
        int r;

        r = world_set_installed(p->world, p->installed[i], e);
        if (r < 0)
                return r;
        r = world_solve(p->world, NULL, &result, &problems, e);
        STRV_FOREACH(s, p->installed[i])
                if (r >= 0 && !problems && !strv_contains(result, *s))
                        r = complain(&problems, e, "%s would be replaced or removed", *s);
        STRV_FOREACH(s, result)
                if (r >= 0 && !strv_contains(p->installed[i], *s))
                        r = complain(&problems, e, "%s would be installed", *s);
        return r < 0 ? r : add_check(p, "beside", format("upgrade of %s changes nothing", p->metapackage[i]), TAKE_PTR(problems), e);
}

static int check_all(Prove *p, Error *e) {
        int r = check_each(p, e);

        for (size_t i = 0; r >= 0 && i < p->o->n_releases; i++)
                r = check_release(p, i, e);
        for (size_t i = 0; r >= 0 && i < p->o->n_releases; i++)
                for (size_t j = i + 1; r >= 0 && j < p->o->n_releases; j++)
                        if (p->installed[i] && p->installed[j] && !streq(p->o->releases[i]->profile, p->o->releases[j]->profile))
                                r = check_exclusive(p, i, j, e);
        for (size_t i = 0; r >= 0 && i < p->o->n_releases; i++) {
                size_t newest = newest_of_profile(p, i);

                if (newest != i && p->installed[i] && p->installed[newest])
                        r = check_upgrade(p, i, newest, e);
                else if (newest == i && p->installed[i] && p->o->beside)
                        r = check_beside(p, i, e);
        }
        return r;
}

/* Anew when nothing was known, or so much has changed that it is slow. */
static bool is_worth_writing(const ProveOptions *o, const World *w) {
        size_t gone = 0;

        if (!o->write || !world_was_known(w))
                return o->write;
        for (size_t i = 0; i < o->known->n; i++)
                gone += o->known->gone[i];
        return 2 * gone + world_count(w) - o->known->n > world_count(w) / 8 + 64;
}

int prove(const ProveOptions *o, ProveReport **ret, Error *e) {
        _cleanup_(prove_done) Prove p = { .o = o };
        int r;

        p.report = calloc(1, sizeof(*p.report));
        p.installed = calloc(o->n_releases + 1, sizeof(*p.installed));
        p.metapackage = calloc(o->n_releases + 1, sizeof(*p.metapackage));
        if (!p.report || !p.installed || !p.metapackage)
                return error_oom(e);
        if ((r = gather_sources(&p, e)) < 0 || (r = world_new(o->readers, p.sources, p.n_sources, &p.world, e)) < 0 || (r = check_all(&p, e)) < 0)
                return r;
        p.report->n_packages = world_count(p.world);
        p.report->known = world_was_known(p.world);
        p.report->written = is_worth_writing(o, p.world) && world_write(p.world, o->write);
        *ret = TAKE_PTR(p.report);
        return 0;
}

int prove_report_error(const ProveReport *r, Error *e) {
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *text = NULL;

        if (r->n_failed == 0)
                return 0;
        for (size_t i = 0; i < r->n_checks; i++)
                STRV_FOREACH(s, r->checks[i].problems)
                        text_printf(&t, "\n  %s: %s", r->checks[i].subject, *s);
        text = text_take(&t);
        if (!text)
                return error_oom(e);
        return error_hint(e, error_set(e, ENOTSUP, EXIT_UNSOLVABLE, "the repository does not install as it has to:%s", text),
                          "build what is missing; if the target has it, say so in the platform file (--platform)");
}
