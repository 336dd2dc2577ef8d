/* SPDX-License-Identifier: Apache-2.0 */
/* What runs now against what was configured. */
#pragma once

#include "node/node.h"

/* The GPU session that runs now is the installed release's: its arguments on the command line, its driver loaded. */
bool session_is_ready(Node *n);
/* Version of the loaded nvidia module, owned by the caller; NULL: not loaded. */
char *loaded_driver(Node *n);
/* Why the machine must reboot to become as configured, owned by the caller; NULL: no such reason. */
char *reboot_reason(Node *n);
/* The kernel that the next boot starts by default, owned by the caller; NULL: not known. */
char *default_kernel(Node *n);
