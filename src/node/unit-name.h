/* SPDX-License-Identifier: Apache-2.0 */
/* Names of systemd units, as systemd.unit(5) has them. */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"

/* Letters, digits and ":-_.\@" before one of systemd's suffixes, at most 255 bytes: no path, and no
 * option of systemctl's. */
bool unit_name_is_valid(const char *name);
/* The suffix with its dot (".service"), or NULL. */
const char *unit_name_suffix(const char *name);
/* "foo@.service" of "foo@bar.service", owned by the caller; NULL when it is no instance (or out of memory). */
char *unit_name_template(const char *name);
/* name with another suffix, owned by the caller. */
char *unit_name_with_suffix(const char *name, const char *suffix) _must_check_;
/* The other names whose drop-ins a unit gets: its template, and "foo-.service" of "foo-bar.service". */
int unit_name_shared(const char *name, char ***ret);
