/* SPDX-License-Identifier: Apache-2.0 */
/* attest is a program and a package of its own: the node program stays light, and brings its words to it. */
#include <errno.h>

#include "basic/log.h"
#include "cmd/node.h"
#include "node/gpu.h"

#define PROGRAM "gn8v-tee-attest" /* beside this one */

static const char help[] =
        "gn8v-tee attest [VERB] [OPTION...]\n\n"
        "Find out whether the GPUs and NVSwitches are genuine and run what NVIDIA\n"
        "released. This is the package gn8v-tee-attest: what follows is for its program.\n\n"
        "      run              take evidence here and judge it (what no verb means)\n"
        "      verify           judge evidence from elsewhere; needs no GPU\n"
        "      collect          take evidence, to be judged elsewhere\n"
        "      fetch            fill a bundle for verdicts without a network\n"
        "      rim              judge reference manifests, or get them\n"
        "      gate             attest at every boot, before GPUs are ready\n"
        "  -h, --help           this text; VERB --help tells more, as does\n"
        "                       gn8v-tee-attest(1)\n\n"
        "Exit codes: 0 trusted; 1 failed, or the package is not installed; 4 the GPUs\n"
        "must not be opened yet; 5 not trusted; 6 malformed; 11 could not be checked; 12\n"
        "refused by a policy.\n";

static bool is_global(const char *word) {
        return streq(word, "--json") || streq(word, "--quiet") || streq(word, "--verbose") ||
               (word[0] == '-' && word[1] && strspn(word + 1, "qv") == strlen(word + 1));
}

/* Only who takes evidence opens the GPUs. The other program, too, takes options without a verb for those of run. */
static bool opens_gpus(int argc, char *argv[]) {
        int verb = 1;

        for (int i = 1; i < argc; i++)
                if (streq(argv[i], "--help") || streq(argv[i], "-h") || streq(argv[i], "--version") || streq(argv[i], "--list-options"))
                        return false;
        while (verb < argc && is_global(argv[verb]))
                verb++;
        return verb == argc || streq(argv[verb], "run") || streq(argv[verb], "collect") || *argv[verb] == '-';
}

/* Where opening them is the end of their only session, it is not done. */
static int check_gpus(Error *e) {
        _cleanup_node_ Node n = {};
        _cleanup_pci_ PciDevices pci = {};
        _cleanup_free_ char *why = NULL;
        bool may = true;
        int r;

        r = node_open(&n, NULL, e);
        if (r < 0)
                return r;
        (void) node_load_release(&n, NULL);
        if (pci_list(&n, &pci) == -ENOMEM)
                return error_oom(e);
        r = gpu_may_open(&n, &pci, &may, &why, e);
        if (r < 0 || may)
                return MIN(r, 0);
        return error_hint(e, error_set(e, EBUSY, EXIT_REBOOT, "the GPUs must not be opened now: %s", why ? why : "they are not held yet"),
                          "gn8v-tee status --wait, then again");
}

/* What the other program gets: global options, and the words as they are. */
static void translate(const Command *c, int argc, char *argv[], char **ret) {
        *ret++ = (char *) PROGRAM;
        if (c->json)
                *ret++ = (char *) "--json";
        if (c->quiet)
                *ret++ = (char *) "--quiet";
        if (c->verbose)
                *ret++ = (char *) "--verbose";
        memcpy(ret, argv + 1, (size_t) (argc - 1) * sizeof(char *));
}

int verb_attest(Command *c, int argc, char *argv[], Error *e) {
        _cleanup_free_ char *self = NULL, *program = NULL;
        _cleanup_free_ char **words = calloc((size_t) argc + 4, sizeof(char *));
        int r;

        if (argc > 1 && (streq(argv[1], "--help") || streq(argv[1], "-h"))) {
                fputs(help, stdout);
                return EXIT_OK;
        }
        if (c->root)
                return verb_usage("attest", "--root: devices are of this machine");
        self = realpath("/proc/self/exe", NULL);
        if (!words || !self || !(program = format("%.*s/" PROGRAM, (int) (strrchr(self, '/') - self), self)))
                return error_oom(e);
        if (access(program, X_OK) < 0)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s is not installed", program), "yum install gn8v-tee-attest");
        if (opens_gpus(argc, argv) && (r = check_gpus(e)) < 0)
                return r;
        translate(c, argc, argv, words);
        (void) execv(program, words);
        return error_errno(e, errno, "%s", program);
}
