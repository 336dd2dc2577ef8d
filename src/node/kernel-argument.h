/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel arguments as text: comparing, merging and taking them out of the files that hold them. */
#pragma once

#include "node/node.h"

/* The value (or, for a bare word, the word) of the last KEY=... in a command line: the one that counts. Owned by the caller;
 * NULL: not there, or out of memory. The whole argument is returned, KEY=VALUE. */
char *cmdline_find(const char *cmdline, const char *key);
/* KEY of KEY=VALUE, owned by the caller. */
char *argument_key(const char *argument);

/* What an entry must get, when found (NULL: nothing) is there and wanted is what the release says: wanted, or found itself when that
 * is enough (a larger swiotlb), or both sets of flags. NULL: out of memory. */
char *argument_merge(const char *found, const char *wanted);
/* Whether an argument found is enough, but not all that was wanted: kept, and worth saying. */
bool argument_lacks(const char *found, const char *wanted);

/* How a file was before us: if it is as we left it, exactly those bytes; if it was edited since, the edited text with each of our
 * arguments (ours) replaced by the one of before, or taken out. before, after: NULL for a file that was not there. grubenv: the text, before
 * us, of the variables that before may use, since grubby writes them out; or NULL.
 * *ret NULL: the file was not there. *ret_edited: someone edited it. 0, or -ENOMEM, or -EFBIG when a grubenv has no room. */
int argument_revert_text(const char *path, const char *key, char *const *ours, const char *grubenv, const char *before, size_t before_size,
                         const char *after, size_t after_size, const char *current, size_t current_size, char **ret, size_t *ret_size,
                         bool *ret_edited);
