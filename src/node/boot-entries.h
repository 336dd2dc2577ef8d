/* SPDX-License-Identifier: Apache-2.0 */
/* Boot Loader Specification entries and grubenv, as EL8's GRUB reads them: /boot/loader/entries, /boot/grub2/grubenv. */
#pragma once

#include "node/node.h"

#define BOOT_ENTRIES_DIR "/boot/loader/entries"
#define BOOT_GRUBENV_PATH "/boot/grub2/grubenv"
#define BOOT_GRUBENV_REPAIR "repair it: grub2-editenv " BOOT_GRUBENV_PATH " create, and grub2-mkconfig -o /boot/grub2/grub.cfg; then: gn8v-tee apply"

typedef struct BootEntry {
        char *path;    /* of the entry's file */
        char *id;      /* its name without .conf */
        char *title, *version, *linux_path, *initrd_path; /* as written, or NULL */
        char *options; /* with $kernelopts and its like replaced by grubenv's */
        bool rescue;
} BootEntry;

typedef struct BootEntries {
        BootEntry *entries; /* newest kernel first, the rescue entry last: GRUB's own order */
        size_t n;
        char *missing_variable; /* a variable that an entry uses and grubenv does not have, or NULL; tuned's may be missing */
        char *missing_in;       /* path of that entry */
        char *saved_entry;      /* grubenv's, or NULL */
        bool grubenv_broken;    /* it is there, and GRUB would not read it */
} BootEntries;

int boot_entries_load(Node *n, BootEntries *ret, Error *e);
void boot_entries_free(BootEntries *b);
#define _cleanup_boot_entries_ _cleanup_(boot_entries_free)

/* What GRUB boots by default: the saved entry, by id, title or number, or the first; NULL without entries. */
const BootEntry *boot_entries_default(const BootEntries *b);
/* The entry's kernel version (a part of the entry), or NULL. */
const char *boot_entry_kernel(const BootEntry *entry);

/* An entry's text with $NAME and ${NAME} replaced by the variables of a grubenv's text, owned by the caller: 0, -EFBIG, -ENOMEM. */
int boot_options_expand(const char *text, const char *grubenv, char **ret);
/* A variable of a grubenv's text, owned by the caller; NULL when it is not there, or out of memory. */
char *grubenv_get(const char *text, const char *name);

/* Compares two kernel versions, as rpm does: numbers as numbers, letters as letters. */
int version_compare(const char *a, const char *b);
