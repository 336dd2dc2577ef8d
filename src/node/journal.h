/* SPDX-License-Identifier: Apache-2.0 */
/* What every resource looked like before us, written (and synced) before each change. /var/lib/gn8v-tee/journal.json */
#pragma once

#include <jansson.h>

#include "node/node.h"

typedef enum EntryState {
        ENTRY_APPLYING, /* a change was begun: after a crash, whether it was made is found out by looking */
        ENTRY_APPLIED,
        ENTRY_FAILED,  /* message and hint say why; the next apply tries again */
        ENTRY_PENDING, /* waits for something: message and hint say for what */
        _ENTRY_STATE_MAX,
} EntryState;

const char *entry_state_to_string(EntryState state);

typedef struct JournalEntry {
        char *id; /* TYPE:NAME */
        EntryState state;
        json_t *before, *after; /* objects, each resource's own; NULL: nothing yet */
        char *message, *hint;   /* of failed and pending, or NULL */
        char *time;             /* of the last change of state, UTC, RFC 3339 */
} JournalEntry;

struct Journal {
        char *release; /* PROFILE-VERSION that was applied last, or NULL */
        JournalEntry **entries;
        size_t n_entries;
};

Journal *journal_new(void);
Journal *journal_free(Journal *j);
DEFINE_CLEANUP(Journal, journal_free);

/* A missing journal is an empty one; a malformed one is -EBADMSG/EXIT_INVALID, and nothing is changed then. */
int journal_load(Node *n, Journal **ret, Error *e);
/* Atomically and synced; an empty journal is removed. */
int journal_save(Node *n, Journal *j, Error *e);

JournalEntry *journal_find(const Journal *j, const char *id);
/* Appends; NULL when out of memory. */
JournalEntry *journal_add(Journal *j, const char *id);
void journal_drop(Journal *j, JournalEntry *entry);
/* Sets state, message, hint (copied; may be NULL) and time. */
int journal_mark(JournalEntry *entry, EntryState state, const char *message, const char *hint);

/* A string of an object, or NULL. */
const char *object_string(const json_t *object, const char *key);
bool object_bool(const json_t *object, const char *key);

/* Bytes as JSON: {"text": ...} when they are valid UTF-8 without NUL, else {"base64": ...}; NULL (a missing file) as null. */
json_t *bytes_to_json(const char *data, size_t size);
/* -EBADMSG when malformed; *ret NULL for null. */
int bytes_from_json(const json_t *value, char **ret, size_t *ret_size);
