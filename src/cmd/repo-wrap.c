/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/log.h"
#include "cmd/repo.h"
#include "repo/wrap.h"

typedef struct Options {
        const char *release, *artifact, *into, *lists, *archive;
        WrapOptions wrap;
} Options;

static void help(void) {
        printf("gn8v-tee-repo wrap --release=FILE --artifact=NAME --into=DIR\n"
               "                   --lists=DIR ARCHIVE\n\n"
               "Read a vendor archive (driver or CUDA .run, cuBLAS wheel), executing none of\n"
               "it, and place its files below a build root. Called by the specs.\n\n"
               "Options:\n"
               "      --release=FILE   the release file that pins the archive\n"
               "      --artifact=NAME  its [Artifact NAME] section\n"
               "      --into=DIR       the build root\n"
               "      --lists=DIR      gets one rpm file list a package: driver.list and\n"
               "                       kmod.list, cuda.list, or cublas.list\n"
               "      --compat32       place the driver's 32-bit libraries, too\n"
               "      --no-glvnd       leave libglvnd and libOpenCL.so.1 to the distribution\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 placed; 1 failed; 6 the archive is malformed; 8 no space.\n");
}

static json_t *to_json(const Options *o, const WrapSummary *s) {
        json_t *warnings = json_array();

        STRV_FOREACH(w, s->warnings)
                (void) json_array_append_new(warnings, json_string(*w));
        return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "artifact", o->artifact, "archive", o->archive, "files", (json_int_t) s->files,
                         "links", (json_int_t) s->links, "directories", (json_int_t) s->directories, "dropped", (json_int_t) s->dropped, "bytes",
                         (json_int_t) s->bytes, "warnings", warnings);
}

/* True to go on; else *ret_exit is the exit code. */
static bool parse(int argc, char *argv[], Options *o, int *ret_exit) {
        enum { ARG_RELEASE = 256, ARG_ARTIFACT, ARG_INTO, ARG_LISTS, ARG_COMPAT32, ARG_NO_GLVND };
        static const Option options[] = {
                { "release", ARG_RELEASE, "FILE" },
                { "artifact", ARG_ARTIFACT, "NAME" },
                { "into", ARG_INTO, "DIR" },
                { "lists", ARG_LISTS, "DIR" },
                { "compat32", ARG_COMPAT32, NULL },
                { "no-glvnd", ARG_NO_GLVND, NULL },
                {}
        };
        int c;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_RELEASE: o->release = optarg; break;
                case ARG_ARTIFACT: o->artifact = optarg; break;
                case ARG_INTO: o->into = optarg; break;
                case ARG_LISTS: o->lists = optarg; break;
                case ARG_COMPAT32: o->wrap.compat32 = true; break;
                case ARG_NO_GLVND: o->wrap.no_glvnd = true; break;
                case 'h': help(); *ret_exit = EXIT_OK; return false;
                default: *ret_exit = option_status(); return false;
                }
        if (!o->release || !o->artifact || !o->into || !o->lists) {
                *ret_exit = verb_usage("wrap", "--release, --artifact, --into and --lists are needed");
                return false;
        }
        if (argc - optind != 1) {
                *ret_exit = verb_usage("wrap", "one archive is needed");
                return false;
        }
        o->archive = argv[optind];
        return true;
}

int verb_wrap(Repo *repo, int argc, char *argv[], Error *e) {
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_(wrap_summary_clear) WrapSummary summary = {};
        Options o = {};
        Progress progress = {};
        const Artifact *a;
        struct stat st;
        int r, status;

        if (!parse(argc, argv, &o, &status))
                return status;
        if ((r = release_load(o.release, &release, e)) < 0)
                return r;
        a = release_artifact(release, o.artifact);
        if (!a)
                return error_set(e, ENOENT, EXIT_USAGE, "%s: has no [Artifact %s]", o.release, o.artifact);
        if (!repo->quiet && !repo->json) {
                progress_begin(&progress, o.artifact, stat(o.archive, &st) == 0 ? (uint64_t) st.st_size : 0, true);
                o.wrap.progress = &progress;
        }
        r = wrap_place(release, a, o.archive, o.into, o.lists, &o.wrap, &summary, e);
        if (o.wrap.progress)
                progress_end(&progress);
        if (r < 0)
                return r;
        STRV_FOREACH(w, summary.warnings)
                log_warning("%s", *w);
        if (repo->json)
                return print_json(to_json(&o, &summary), e);
        log_info("%s: %zu files, %zu links, %zu directories, %" PRIu64 " bytes; %zu members left out", o.artifact, summary.files,
                 summary.links, summary.directories, summary.bytes, summary.dropped);
        return EXIT_OK;
}
