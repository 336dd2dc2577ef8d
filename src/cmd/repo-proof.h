/* SPDX-License-Identifier: Apache-2.0 */
/* The proof, as `publish` and `solve` print it; and the options that both have. */
#pragma once

#include <jansson.h>

#include "cmd/output.h"
#include "cmd/repo.h"
#include "repo/prove.h"

/* A new reference; NULL: out of memory. */
json_t *proof_to_json(const ProveReport *r);
/* One line a check. */
void proof_print(const ProveReport *r);
/* The platform of EL8 that comes with the builder, if *platforms has none. */
int proof_default_platform(const Repo *repo, char ***platforms, Error *e);
