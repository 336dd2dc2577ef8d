/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs for packages that were not built here: add, and remove. */
#include "basic/strings.h"
#include "cmd/output.h"
#include "cmd/repo.h"
#include "repo/add.h"
#include "repo/keyring.h"

static void help_add(void) {
        printf("gn8v-tee-repo add [OPTION...] FILE.rpm...\n\n"
               "Add packages of your own, or of somebody else's, to what is published next: for\n"
               "all releases. Unsigned ones are signed by the repository's key; a signature that\n"
               "is there has to be good, and stays, and clients are given its key. All are added\n"
               "or none.\n\n"
               "      --key-file=FILE  a public key that may have signed them; may be repeated\n"
               "      --key=FPR        full fingerprint that a --key-file has to have; may be\n"
               "                       repeated\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "Exit codes: 0 added, or there already; 3 other bytes are there under this name;\n"
               "5 a digest or a signature is wrong; 6 no package, or a part of one; 9 another\n"
               "run is at work.\n");
}

static void help_remove(void) {
        printf("gn8v-tee-repo remove [OPTION...] NAME...\n\n"
               "Take packages away again that were added. What is published stays as it is until\n"
               "the next publish, and earlier states keep them as long as they are kept.\n\n"
               "      --json           one JSON document on standard output\n"
               "  -h, --help           this text\n\n"
               "NAME: a package's name, or its file's, with or without .rpm.\n"
               "Exit codes: 0 removed; 1 none of this name was added; 9 another run is at work.\n");
}

static int report(const Repo *repo, const AddedPackages *a, bool added, Error *e) {
        json_t *all;

        if (repo->json) {
                all = json_array();
                for (size_t i = 0; i < a->n; i++)
                        (void) json_array_append_new(all, json_pack("{s:s, s:s, s:I, s:s?, s:s, s:b}", "file", a->v[i].file, "sha256", a->v[i].sha256, "size", (json_int_t) a->v[i].size,
                                                                    "signer", a->v[i].signer, "origin", a->v[i].origin, "changed", a->v[i].changed));
                return print_json(all, e);
        }
        for (size_t i = 0; !repo->quiet && i < a->n; i++)
                if (!a->v[i].changed)
                        printf("%s: there already, nothing to do\n", a->v[i].file);
                else if (!added)
                        printf("%s: removed; the next publish leaves it out\n", a->v[i].file);
                else
                        printf("%s: added, %s%s\n", a->v[i].file, a->v[i].signer ? "signed by " : "to be signed by publish", a->v[i].signer ? a->v[i].signer : "");
        return EXIT_OK;
}

typedef struct Arguments {
        char **key_files, **fingerprints, **words;
} Arguments;

static void arguments_done(Arguments *a) {
        strv_free(a->key_files);
        strv_free(a->fingerprints);
        strv_free(a->words);
}

static int take_words(Arguments *a, int argc, char *argv[], Error *e) {
        for (int i = optind; i < argc; i++)
                if (strv_append(&a->words, argv[i]) < 0)
                        return error_oom(e);
        return 0;
}

static int take_key(Arguments *a, const char *value, Error *e) {
        _cleanup_free_ char *fingerprint = NULL;
        int r = fingerprint_normalize(value, &fingerprint, e);

        return r < 0 ? r : strv_append(&a->fingerprints, fingerprint) < 0 ? error_oom(e) : 0;
}

int verb_add(Repo *repo, int argc, char *argv[], Error *e) {
        enum { ARG_KEY = 256, ARG_KEY_FILE };
        static const Option options[] = {
                { "key", ARG_KEY, "FPR" },
                { "key-file", ARG_KEY_FILE, "FILE" },
                {}
        };
        _cleanup_(added_packages_clear) AddedPackages added = {};
        _cleanup_(arguments_done) Arguments a = {};
        AddOptions o = { .workspace = repo->workspace };
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case ARG_KEY:
                        if ((r = take_key(&a, optarg, e)) < 0)
                                return r;
                        break;
                case ARG_KEY_FILE:
                        if (strv_append(&a.key_files, optarg) < 0)
                                return error_oom(e);
                        break;
                case 'h': help_add(); return EXIT_OK;
                default: return option_status();
                }
        if (optind == argc)
                return verb_usage("add", "the FILE is missing: a package to add");
        if (a.fingerprints && !a.key_files)
                return verb_usage("add", "--key belongs to --key-file: the file of that public key");
        if ((r = take_words(&a, argc, argv, e)) < 0)
                return r;
        o.files = a.words;
        o.key_files = a.key_files;
        o.fingerprints = a.fingerprints;
        r = packages_add(&o, &added, e);
        return r < 0 ? r : report(repo, &added, true, e);
}

int verb_remove(Repo *repo, int argc, char *argv[], Error *e) {
        static const Option options[] = { {} };
        _cleanup_(added_packages_clear) AddedPackages removed = {};
        _cleanup_(arguments_done) Arguments a = {};
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case 'h': help_remove(); return EXIT_OK;
                default: return option_status();
                }
        if (optind == argc)
                return verb_usage("remove", "the NAME is missing: a package that was added");
        if ((r = take_words(&a, argc, argv, e)) < 0 || (r = packages_remove(repo->workspace, a.words, &removed, e)) < 0)
                return r;
        return report(repo, &removed, false, e);
}
