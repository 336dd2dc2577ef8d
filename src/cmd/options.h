/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a command line, read alike by all three programs: one table of options a verb, and one of those that are taken before and behind every
 * verb. What is wrong with a word is told here, once, and in our own words. */
#pragma once

#include <getopt.h>
#include <stdint.h>

#include "basic/macro.h"

typedef struct Option {
        const char *name;  /* without the dashes */
        int id;            /* what option_next() returns; a character is the short form's letter, too */
        const char *takes; /* the value, as --help calls it; "[=VALUE]": it may be left out; NULL: no value */
} Option;

/* In every program's table of common options; their ids are its own. */
#define OPTION_HELP    { "help", 'h', NULL }
#define OPTION_VERSION { "version", ARG_COMMON_VERSION, NULL }
#define OPTION_JSON    { "json", ARG_COMMON_JSON, NULL }
enum { ARG_COMMON_VERSION = 1024, ARG_COMMON_JSON, ARG_COMMON_OTHER };

typedef struct Program {
        const char *name;
        const Option *common;
        /* Takes one of the common options but help and version, which are taken here: 0, or what verb_usage() returned. */
        int (*take)(void *userdata, int id, const char *value);
        void *userdata;
} Program;

/* Which program this is, and its words; p stays the caller's, and must stay. */
void program_begin(const Program *p, int argc, char *argv[]);

/* Before the verb: all the common options there. -1: go on at optind; else what to exit with. help is called for --help. */
int options_before_verb(int argc, char *argv[], void (*help)(void));
/* The next option of a verb (argv[0]), wherever it stands among its words: an id of the table, which ends with {}, with optarg, never empty; 'h'; -1: no
 * more, and the other words, none of them empty, start at optind. '?': what there was to say was said, and option_status() is to be returned. Common
 * options are taken on the way. */
int option_next(int argc, char *argv[], const Option *options);
int option_status(void);
/* The loop of a verb that has no options of its own, and at most that many words: -1 to go on at optind, else what to return. */
int options_none(int argc, char *argv[], const char *help, int words);

/* The value of the option that option_next() returned last, as a number from min to max: 0, or EXIT_USAGE (told). */
int option_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret);

/* For any other value that it does not take: why, such as "not a day". Returns EXIT_USAGE, as option_status() does then. */
int option_refuse(const char *why);

/* For words that are wrong: one line that says why, and one that says where to read more. verb NULL: before it. Returns EXIT_USAGE. */
int verb_usage(const char *verb, const char *fmt, ...) _printf_(2, 3);
/* For more words than a verb takes, of which word is the first. */
int verb_too_many(const char *verb, const char *word);
/* For a verb that there is none of that name; names are those there are, NULL at the end. */
int verb_unknown(const char *word, const char *const *names);
