/* SPDX-License-Identifier: Apache-2.0 */
/* The last things a staged state needs before the switch: a signature on repomd.xml, and its generation's own copy. */
#pragma once

#include "repo/keyring.h"
#include "repo/repository.h"
#include "repo/signer.h"

/* Writes repomd.xml.asc and repomd.xml.key beside the staged repomd.xml, whose text is given, checks the signatures as somebody who has
 * these keys alone would, and sets g->repomd_sha256. Nothing is fsync'ed: repository_sync(). */
int seal_repomd(Repository *r, Generation *g, const Signers *signers, Keyring *keyring, const char *repomd, Error *e);
/* .stage/generation/: hard links of g's staged metadata, and its manifest. */
int seal_generation(Repository *r, const Generation *g, Error *e);
/* A small file of the repository that no state names, replaced only if it differs; text NULL: there is to be none. r->beside then has its name. */
int seal_top(Repository *r, const char *name, const char *text, Error *e);
