/* SPDX-License-Identifier: Apache-2.0 */

#include "basic/log.h"
#include "cmd/repo.h"
#include "repo/wrap.h"

static void help(void) {
        printf("gn8v-tee-repo render --release=FILE --into=DIR --lists=DIR\n\n"
               "Write the files of a release's metapackage below a build root. Called by the\n"
               "specs.\n\n"
               "Options:\n"
               "      --release=FILE   the release file\n"
               "      --into=DIR       the build root\n"
               "      --lists=DIR      gets meta.list, an rpm file list\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 written; 1 failed; 6 the release file is malformed; 8 no space.\n");
}

int verb_render(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_RELEASE = 256, ARG_INTO, ARG_LISTS };
        static const Option options[] = {
                { "release", ARG_RELEASE, "FILE" },
                { "into", ARG_INTO, "DIR" },
                { "lists", ARG_LISTS, "DIR" },
                {}
        };
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_(wrap_summary_clear) WrapSummary summary = {};
        const char *file = NULL, *into = NULL, *lists = NULL;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_RELEASE: file = optarg; break;
                case ARG_INTO: into = optarg; break;
                case ARG_LISTS: lists = optarg; break;
                case 'h': help(); return EXIT_OK;
                default: return option_status();
                }
        if (!file || !into || !lists || optind != argc)
                return verb_usage("render", "--release, --into and --lists are needed, and nothing else");
        if ((r = release_load(file, &release, e)) < 0 || (r = render_place(release, into, lists, &summary, e)) < 0)
                return r;
        if (repo->json)
                return print_json(json_pack("{s:s, s:I, s:I, s:I}", "release", file, "files", (json_int_t) summary.files, "directories",
                                            (json_int_t) summary.directories, "bytes", (json_int_t) summary.bytes), e);
        log_info("%s: %zu files", file, summary.files);
        return EXIT_OK;
}
