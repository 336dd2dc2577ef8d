/* SPDX-License-Identifier: Apache-2.0 */
/* Whether GPUs become ready at boot because a service started, or because they were attested. */
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/process.h"
#include "basic/strings.h"
#include "cmd/attest.h"
#include "release/release.h"

#define UNIT    RELEASE_GATE_UNIT
#define FOLDER  RELEASE_GATE_FOLDER
#define DROP_IN RELEASE_GATE_DROP_IN
#define LINK    "etc/systemd/system/multi-user.target.wants/" UNIT
#define BOOTED  "/run/systemd/system" /* sd_booted(3) */

/* The system that is meant: this one, or the one below a directory. */
typedef struct Gate {
        const char *root; /* "/" or a directory */
        int fd;
        bool running;     /* it is this one, and its systemd is there to be told */
} Gate;

static const char help[] =
        "gn8v-tee-attest gate [OPTION...] enable|disable\n\n"
        "With the gate enabled, GPUs become ready for clients at boot only after they\n"
        "were attested: persistenced no longer sets the ready state,\n"
        UNIT " does (run --set-ready). Its GPU clients, the\n"
        "release's and those of gn8v-tee order add, start after it. Takes effect at\n"
        "the next boot.\n\n"
        "      --root=DIR       of the system below DIR, such as an image\n"
        "      --json           one JSON document on standard output\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 done; 1 failed; 6 malformed release file.\n";

/* Numbers and mode are its. */
static int check_release(const Gate *g, Error *e) {
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_free_ char *path = path_join(g->root, RELEASE_INSTALLED_PATH);
        int r;

        if (!path)
                return error_oom(e);
        r = release_load(path, &release, e);
        return r < 0 ? error_hint(e, r, "yum install gn8v-tee-single (1 GPU) or gn8v-tee-multi (8 GPUs)") : 0;
}

static int write_drop_in(const Gate *g, Error *e) {
        static const char text[] = "# gn8v-tee-attest gate enable: " UNIT " sets the ready state, once the GPUs were attested.\n[Service]\nExecStartPost=\n";
        int r = mkdir_parents(g->fd, FOLDER, 0755);

        if (r >= 0)
                r = write_file_atomic(g->fd, DROP_IN, text, strlen(text), 0644);
        return r < 0 ? error_errno(e, -r, "%s: " DROP_IN, g->root) : 0;
}

/* Links are made without a running systemd, too. */
static int systemctl(const Gate *g, const char *verb, Error *e) {
        _cleanup_free_ char *root = format("--root=%s", g->root);
        const char *const argv[] = { "systemctl", verb, UNIT, streq(g->root, "/") ? NULL : root, NULL };
        const Process p = { .argv = argv, .timeout_sec = 60 };

        return root ? process_check(&p, NULL, e) : error_oom(e);
}

/* In a chroot, an image or a container that is being built there is nobody to be told. */
static int reload(const Gate *g, Error *e) {
        const char *const argv[] = { "systemctl", "daemon-reload", NULL };
        const Process p = { .argv = argv, .timeout_sec = 60 };

        return g->running ? process_check(&p, NULL, e) : 0;
}

static int enable(const Gate *g, Error *e) {
        bool was_enabled = faccessat(g->fd, LINK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        int r;

        r = check_release(g, e);
        if (r < 0 || (r = systemctl(g, "enable", e)) < 0)
                return r;
        /* Last: until here a failure leaves GPUs that become ready as they did before. */
        r = write_drop_in(g, e);
        if (r < 0 && !was_enabled)
                (void) systemctl(g, "disable", NULL);
        return r < 0 ? r : reload(g, e);
}

/* The file, and its folder where nothing else is in it. */
static int disable(const Gate *g, Error *e) {
        int r;

        if (unlinkat(g->fd, DROP_IN, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
                return error_errno(e, errno, "%s: " DROP_IN, g->root);
        (void) unlinkat(g->fd, FOLDER, AT_REMOVEDIR);
        r = systemctl(g, "disable", e);
        return r < 0 ? r : reload(g, e);
}

int verb_attest_gate(Attest *attest, int argc, char *argv[], Error *e) {
        enum { ARG_ROOT = 256 };
        static const Option options[] = { { "root", ARG_ROOT, "DIR" }, {} };
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *root = NULL;
        Gate g = { .root = "/" };
        bool on;
        int c, r;

        while ((c = option_next(argc, argv, options)) >= 0)
                switch (c) {
                case 'h': fputs(help, stdout); return EXIT_OK;
                case ARG_ROOT: g.root = optarg; break;
                default: return option_status();
                }
        if (optind == argc)
                return verb_usage("gate", "one of enable, disable is missing");
        if (optind + 1 < argc)
                return verb_too_many("gate", argv[optind + 1]);
        if (!streq(argv[optind], "enable") && !streq(argv[optind], "disable"))
                return verb_usage("gate", "%s: neither enable nor disable", argv[optind]);
        on = streq(argv[optind], "enable");
        /* systemctl does not take ".." in it. */
        if (!(root = realpath(g.root, NULL)))
                return error_errno(e, errno, "%s", g.root);
        g.root = root;
        g.fd = fd = open(g.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_errno(e, errno, "%s", g.root);
        g.running = streq(g.root, "/") && access(BOOTED, F_OK) == 0;
        r = on ? enable(&g, e) : disable(&g, e);
        if (r < 0)
                return r;
        if (attest->json)
                return print_json(json_pack("{s:b}", "gate", on), e);
        if (!attest->quiet)
                log_info("from the next boot on, GPUs become ready %s", on ? "once they were attested" : "as the release says");
        return EXIT_OK;
}
