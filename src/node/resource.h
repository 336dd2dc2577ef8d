/* SPDX-License-Identifier: Apache-2.0 */
/* One thing on the instance that the release wants a certain way. It can probe, apply and revert itself. */
#pragma once

#include "node/journal.h"
#include "node/node.h"

typedef enum Action {
        ACTION_NONE,   /* as wanted */
        ACTION_KEEP,   /* not as wanted, but the administrator's: left as it is */
        ACTION_CHANGE, /* to be made so */
        ACTION_REVERT, /* ours, and not wanted any more: to be made as it was before us */
        ACTION_WAIT,   /* cannot be done yet: the note says what it waits for, the hint what to do */
        ACTION_DEFER,  /* not here (chroot, image): at the first boot */
        ACTION_REFUSE, /* not ours to do here (container, ostree): the hint says who does */
        _ACTION_MAX,
} Action;

const char *action_to_string(Action a);

typedef struct ResourceType ResourceType;
typedef struct ResourceList ResourceList;
typedef struct Resource {
        const ResourceType *type;
        char *name, *id; /* id: TYPE:NAME */
        char *wanted;    /* for people, or the value */
        char *found;     /* by probe() */
        Action action;   /* by probe() */
        char *note;      /* by probe(), revert(): one more thing worth saying, or NULL */
        char *hint;      /* the next action, or NULL */
        Error error;     /* of the last apply or revert */
} Resource;

struct ResourceType {
        const char *name, *tool; /* tool: what apply runs */
        bool offline; /* files alone: can be done in a chroot or image */
        bool slow;    /* worth a line when it begins */
        bool sticky;  /* what the release does not want any more stays until revert: it belongs to a kernel, not to a release */
        /* Whether a journal's entry with that name could have been written by us: its name, and what before and after say. What it asks
         * for is done with root's rights, so that nothing in it may name another file, or read as an option. */
        bool (*check)(const char *name, const JournalEntry *entry);
        /* Appends what the release wants here to the list. */
        int (*list)(Node *n, ResourceList *l, Error *e);
        /* Looks, changes nothing: fills found and action, maybe note and hint. */
        int (*probe)(Node *n, Resource *r, Error *e);
        /* Fills entry->before (and keeps what is there already), to be saved before the change. */
        int (*remember)(Node *n, Resource *r, JournalEntry *entry, Error *e);
        /* Makes it so and fills entry->after. The engine probes again afterwards: no tool's word is taken for it. */
        int (*apply)(Node *n, Resource *r, JournalEntry *entry, Error *e);
        /* As it was before us. 0: the entry can go; 1: something remains to be done when our files are gone (node_finish()). */
        int (*revert)(Node *n, Resource *r, JournalEntry *entry, Error *e);
};

struct ResourceList {
        Resource **resources;
        size_t n;
};

extern const ResourceType pause_type, kernel_argument_type, drop_in_type, order_type, enable_type, module_type, initramfs_type;
extern const ResourceType *const resource_types[];
extern const size_t n_resource_types;

/* Whether the file that order:UNIT writes is there, whoever wrote it. */
bool order_file_exists(Node *n, const char *unit);

Resource *resource_new(const ResourceType *type, const char *name);
Resource *resource_free(Resource *r);
DEFINE_CLEANUP(Resource, resource_free);
/* Sets a text field (found, note, hint, wanted) to formatted text: 0 or -ENOMEM, told to e. */
int resource_say(char **field, Error *e, const char *fmt, ...) _printf_(3, 4);

/* Appends a new resource and returns it; NULL when out of memory. */
Resource *resource_list_add(ResourceList *l, const ResourceType *type, const char *name);
Resource *resource_list_find(const ResourceList *l, const char *id);
void resource_list_free(ResourceList *l);
#define _cleanup_resource_list_ _cleanup_(resource_list_free)

/* The type of an id TYPE:NAME, and where its name begins; NULL when there is no such type. */
const ResourceType *resource_type_of(const char *id, const char **ret_name);
/* Whether every entry is one that we could have written: else -EBADMSG/EXIT_INVALID. */
int resource_check_journal(const Journal *j, Error *e);
/* A kernel's version as a file name, and as a word of a command line. */
bool kernel_name_is_valid(const char *kernel);
/* NULL, a missing value and null are no bytes. */
bool bytes_are_valid(const json_t *value);
bool string_or_nothing(const json_t *value);

/* probe(), and then what the environment forbids is deferred or refused. */
int resource_probe(Node *n, Resource *r, Error *e);
