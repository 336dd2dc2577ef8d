/* SPDX-License-Identifier: Apache-2.0 */
/* The files that hold kernel arguments: boot entries, and what EL8's grubby may edit beside them; how they were, and how they would be without us. */
#pragma once

#include "node/journal.h"

typedef struct Image {
        char *data; /* NULL: no such file */
        size_t size;
} Image;

void image_free(Image *i);
/* The file as it is now; none is no error. */
int image_read(Node *n, const char *path, Image *ret, Error *e);
/* How path would be without us, who have written the arguments in ours of that key. ret->data NULL: not there. */
int image_without_us(Node *n, const JournalEntry *entry, const char *key, char *const *ours, const char *path, const Image *current, Image *ret,
                     bool *ret_edited, Error *e);
/* Makes the files as in images, one for each path; one that cannot be written does not keep the others from it. */
int put_back(Node *n, char *const *paths, const Image *images, Error *e);
/* Every file that holds a command line now, or did when the journal was written. */
int tracked_files(Node *n, const JournalEntry *entry, char ***ret, Error *e);
/* Whether a section of a journal's entry ("before", "after") names none but such files, with well-formed bytes. */
bool files_are_valid(const json_t *section);
