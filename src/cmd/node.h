/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb of gn8v-tee gets. One file a verb: src/cmd/node-VERB.c. */
#pragma once

#include "cmd/options.h"
#include "cmd/output.h"
#include "node/plan.h"

typedef struct Command {
        const char *root; /* --root; NULL: this machine */
        bool json, quiet, verbose;
        unsigned lock_timeout; /* seconds that another run is waited for */
} Command;

/* What happens to resources, as it happens, on standard error. */
void report_event(const Resource *r, Event event, void *userdata);
/* What is said about a resource, and what to do: its error's words, or its own; or NULL. */
const char *resource_note(const Resource *r);
const char *resource_hint(const Resource *r);
/* Prints the plan: EXIT_DIFFERS when there is something to do. */
int show_plan(Command *c, Node *n, const ResourceList *l, Error *e);
int plan_result_code(const PlanResult *c);

/* Each parses its own options (getopt_long), does the work, and returns an ExitCode, or -errno with e filled. */
int verb_plan(Command *c, int argc, char *argv[], Error *e);
int verb_apply(Command *c, int argc, char *argv[], Error *e);
int verb_revert(Command *c, int argc, char *argv[], Error *e);
int verb_pause(Command *c, int argc, char *argv[], Error *e);
int verb_status(Command *c, int argc, char *argv[], Error *e);
int verb_attest(Command *c, int argc, char *argv[], Error *e);
int verb_order(Command *c, int argc, char *argv[], Error *e);
int verb_diagnose(Command *c, int argc, char *argv[], Error *e);
int verb_launch_config(Command *c, int argc, char *argv[], Error *e);

/* The argument of --wait: seconds, or NULL for the default (0). 0, or EXIT_USAGE (told). */
int parse_wait(const char *value, unsigned *ret);
/* Waits for the GPU services, telling how far they are on standard error, and at the end why it waits no longer. 0, or the signal that ended it,
 * which is then to be raised by raise_again(); -errno. */
int wait_verbosely(Command *c, unsigned limit_sec, Error *e);
_Noreturn void raise_again(int signal);
