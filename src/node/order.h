/* SPDX-License-Identifier: Apache-2.0 */
/* Words of "gn8v-tee order" made into the names of units that can be ordered. */
#pragma once

#include "node/unit-graph.h"

/* The unit that has to be ordered for word, owned by the caller: its real name, or, for what starts another unit (timer, socket, path),
 * that other unit. ret_note: one more thing worth saying, or NULL. With graph (NULL: no check) a unit that persistenced itself waits for is
 * refused. -EINVAL/EXIT_USAGE for what is no name, or of a kind that opens no GPU. */
int order_resolve(Node *n, const UnitGraph *graph, const char *word, char **ret_unit, char **ret_note, Error *e);
/* What the unit is really called: a link to another name is followed. */
int unit_real_name(Node *n, const char *unit, char **ret);
/* What a timer, socket or path unit starts, owned by the caller; NULL in *ret for any other unit. */
int unit_triggered(Node *n, const char *unit, char **ret);
