/* SPDX-License-Identifier: Apache-2.0 */
/* systemd units of a node, mostly by their files. */
#pragma once

#include "node/node.h"

#define PERSISTENCED_UNIT "nvidia-persistenced.service"
#define FABRICMANAGER_UNIT "nvidia-fabricmanager.service"

typedef enum Enablement { UNIT_ABSENT, UNIT_MASKED, UNIT_DISABLED, UNIT_ENABLED, UNIT_STATIC, _ENABLEMENT_MAX } Enablement;
const char *enablement_to_string(Enablement e);
bool enablement_is_valid(const char *word);

/* Where units and drop-ins are looked for, the strongest first. */
extern const char *const unit_dirs[];
extern const size_t n_unit_dirs;

/* Called for every assignment of a unit file; value may be changed. Non-zero stops, and is what the reader returns. */
typedef int (*UnitAssignment)(const char *section, const char *key, char *value, void *userdata);
/* Reads the unit's file (or its template's) and every drop-in that is in effect for it. */
int unit_read(Node *n, const char *unit, UnitAssignment on, void *userdata);
/* The unit's own file, owned by the caller; *ret NULL when there is none. */
int unit_path(Node *n, const char *unit, char **ret, bool *ret_masked);
/* Every unit that some .wants or .requires directory names: what is started without being asked for. */
int units_wanted(Node *n, char ***ret);

/* By the files and links that `systemctl is-enabled` looks at. */
int unit_enablement(Node *n, const char *unit, Enablement *ret);
/* Whether some file orders unit after the other: its own After=, or the other's Before=. */
int unit_is_ordered(Node *n, const char *unit, const char *after, bool *ret);
/* ActiveState as systemctl prints it ("active", "inactive", ...), owned by the caller; "unknown" when systemd does not answer. */
int unit_active(Node *n, const char *unit, char **ret, Error *e);
static inline bool is_active_word(const char *state) {
        return streq(state, "active") || streq(state, "activating") || streq(state, "reloading");
}
/* Whether it is about to run by itself: it starts, or its start waits for that of another. False when systemd does not answer. */
bool unit_is_starting(Node *n, const char *unit);
/* systemctl VERB [OPTION] UNIT */
int unit_control(Node *n, const char *verb, const char *option, const char *unit, Error *e);
int units_reload(Node *n, Error *e);
/* The links that systemctl enable and disable have made and removed are on the disk when it returns. */
int units_sync(Node *n, Error *e);
