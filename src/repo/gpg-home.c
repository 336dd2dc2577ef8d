/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/gpg-home.h"

#include <fcntl.h>

#include "basic/fs.h"

/* Public keys need no agent; one that gpg starts by itself would outlive us, and hold an inotify instance of which there are few. */
static const char settings[] = "no-autostart\n";

int gpg_home_new(char **ret, Error *e) {
        const char *tmp = getenv("TMPDIR");
        const char *parent = tmp && *tmp ? tmp : "/tmp";
        _cleanup_(gpg_home_freep) char *home = NULL;
        _cleanup_free_ char *file = NULL;
        int r;

        r = make_temp_dir(parent, "gn8v-keys", &home);
        if (r < 0)
                return error_errno(e, -r, "%s: cannot make a directory for a keyring", parent);
        file = path_join(home, "gpg.conf");
        if (!file)
                return error_oom(e);
        r = write_file_atomic(AT_FDCWD, file, settings, strlen(settings), 0600);
        if (r < 0)
                return error_errno(e, -r, "%s", file);
        *ret = TAKE_PTR(home);
        return 0;
}

char *gpg_home_free(char *home) {
        if (home)
                (void) remove_tree(AT_FDCWD, home);
        free(home);
        return NULL;
}
