/* SPDX-License-Identifier: Apache-2.0 */
/* A root in memory with one file in it, for fuzzers of what the node program reads. */
#pragma once

#include <fcntl.h>

#include "basic/fs.h"
#include "node/journal.h"
#include "node/node.h"

static Node scratch_node;
static char *scratch_dir;

static void scratch_gone(void) {
        node_close(&scratch_node);
        (void) remove_tree(AT_FDCWD, scratch_dir);
        free(scratch_dir);
}

static inline void scratch_file(const char *path, const uint8_t *data, size_t size) {
        if (!scratch_dir) {
                if (make_temp_dir(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", "fuzz", &scratch_dir) < 0 ||
                    node_open(&scratch_node, scratch_dir, NULL) < 0 || node_write(&scratch_node, path, "", 0, 0600) < 0)
                        abort();
                (void) atexit(scratch_gone);
        }
        _cleanup_close_ int fd = open_in_root(scratch_node.root_fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        if (fd < 0 || write_all(fd, data, size) < 0)
                abort();
}
