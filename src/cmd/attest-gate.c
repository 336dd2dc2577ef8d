/* SPDX-License-Identifier: Apache-2.0 */
/* Whether GPUs become ready at boot because a service started, or because they were attested. */
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/log.h"
#include "basic/process.h"
#include "basic/strings.h"
#include "cmd/attest.h"
#include "release/release.h"

#define UNIT           RELEASE_GATE_UNIT
#define UNITS          "/etc/systemd/system/"
#define PERSISTENCED   UNITS "nvidia-persistenced.service.d/90-gn8v-tee-attest.conf"

static const char help[] =
        "gn8v-tee-attest gate enable|disable\n\n"
        "With the gate enabled, GPUs become ready for clients at boot only after they\n"
        "were attested: persistenced no longer sets the ready state,\n"
        UNIT " does (run --set-ready). Its GPU clients, the\n"
        "release's and those of gn8v-tee order add, start after it. Takes effect at\n"
        "the next boot.\n\n"
        "      --json           one JSON document on standard output\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 done; 1 failed; 6 malformed release file.\n";

static int put(const char *path, const Text *t, Error *e) {
        _cleanup_free_ char *folder = strndup(path, (size_t) (strrchr(path, '/') - path));
        int r;

        if (!folder || t->failed)
                return error_oom(e);
        r = mkdir_parents(AT_FDCWD, folder, 0755);
        if (r >= 0)
                r = write_file_atomic(AT_FDCWD, path, t->data, t->size, 0644);
        return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

/* Numbers and mode are its. */
static int check_release(Error *e) {
        _cleanup_(release_freep) Release *release = NULL;
        int r = release_load(RELEASE_INSTALLED_PATH, &release, e);

        return r < 0 ? error_hint(e, r, "yum install gn8v-tee-single (1 GPU) or gn8v-tee-multi (8 GPUs)") : 0;
}

static int write_persistenced(Error *e) {
        _cleanup_text_ Text t = {};

        text_append(&t, "# gn8v-tee-attest gate enable: " UNIT " sets the ready state, once the GPUs were attested.\n[Service]\nExecStartPost=\n");
        return put(PERSISTENCED, &t, e);
}

static int systemctl(const char *verb, const char *unit, Error *e) {
        const char *const argv[] = { "systemctl", verb, unit, NULL };
        const Process p = { .argv = argv, .timeout_sec = 60 };

        return process_check(&p, NULL, e);
}

static int enable(Error *e) {
        int r;

        r = check_release(e);
        if (r < 0 || (r = systemctl("enable", UNIT, e)) < 0)
                return r;
        /* Last: until here a failure leaves GPUs that become ready as they did before. */
        r = write_persistenced(e);
        return r < 0 ? r : systemctl("daemon-reload", NULL, e);
}

/* The file, and its folder where nothing else is in it. */
static int drop(const char *path, Error *e) {
        _cleanup_free_ char *folder = strndup(path, (size_t) (strrchr(path, '/') - path));

        if (!folder)
                return error_oom(e);
        if (unlink(path) < 0 && errno != ENOENT)
                return error_errno(e, errno, "%s", path);
        (void) rmdir(folder);
        return 0;
}

static int disable(Error *e) {
        int r;

        r = drop(PERSISTENCED, e);
        if (r == 0)
                r = systemctl("disable", UNIT, e);
        return r < 0 ? r : systemctl("daemon-reload", NULL, e);
}

int verb_attest_gate(Attest *attest, int argc, char *argv[], Error *e) {
        bool on;
        int r;

        r = options_none(argc, argv, help, 1);
        if (r >= 0)
                return r;
        if (optind == argc)
                return verb_usage("gate", "one of enable, disable is missing");
        if (!streq(argv[optind], "enable") && !streq(argv[optind], "disable"))
                return verb_usage("gate", "%s: neither enable nor disable", argv[optind]);
        on = streq(argv[optind], "enable");
        r = on ? enable(e) : disable(e);
        if (r < 0)
                return r;
        if (attest->json)
                return print_json(json_pack("{s:b}", "gate", on), e);
        if (!attest->quiet)
                log_info("from the next boot on, GPUs become ready %s", on ? "once they were attested" : "as the release says");
        return EXIT_OK;
}
