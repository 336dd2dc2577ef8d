/* SPDX-License-Identifier: Apache-2.0 */
/* A root in a temporary directory, for tests of the node program. Tools do not run there: a test gives the node its own run(). */
#pragma once

#include <check.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "node/journal.h"
#include "node/node.h"

static char *scratch;
static Node node;

static inline void scratch_put_bytes(const char *path, const void *data, size_t size) {
        ck_assert_int_eq(node_write(&node, path, data, size, 0644), 0);
}

static inline void scratch_put(const char *path, const char *text) {
        scratch_put_bytes(path, text, strlen(text));
}

static inline void scratch_is(const char *path, const char *text) {
        _cleanup_free_ char *now = NULL;

        ck_assert_int_eq(node_read(&node, path, NODE_FILE_MAX, &now, NULL), 0);
        ck_assert_str_eq(now, text);
}

static inline void scratch_begin(void) {
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(setenv("GN8V_TEE_ENVIRONMENT", "machine", 1), 0);
        ck_assert_int_eq(make_temp_dir("/tmp", "node", &scratch), 0);
        ck_assert_int_eq(node_open(&node, scratch, &e), 0);
        node.journal = journal_new();
        ck_assert_ptr_nonnull(node.journal);
}

static inline void scratch_end(void) {
        node_close(&node);
        ck_assert_int_eq(remove_tree(AT_FDCWD, scratch), 0);
        free(scratch);
}
