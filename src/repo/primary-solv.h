/* SPDX-License-Identifier: Apache-2.0 */
/* primary.xml into libsolv's pool, as libsolv's own reader does it, but only what decides whether packages install (names, versions, architectures,
 * vendors, dependencies, files, checksums), and in a fraction of the time. It takes the plain form that createrepo_c and we write; whatever else may
 * be said in XML, rich dependencies, and files that primary.xml does not list are left to libsolv's reader. */
#pragma once

#include <solv/repo.h>
#include <stdbool.h>

/* True: all of the text (NUL-terminated) is in the repository. False: it is not of that form, is malformed, or has something that cannot be taken here;
 * part of it may be in the repository then, which has to be emptied. */
bool primary_solv_add(Repo *repo, const char *text, size_t size);

/* Where repomd.xml of that form has primary.xml, and the digest of that file: "sha256" and its hex digits; owned by the caller. False: it does not say so
 * plainly, and nothing is set. */
bool primary_solv_find(const char *text, size_t size, char **ret_href, char **ret_digest, char **ret_hex);

/* Whether primary.xml has every file of that name: programs and configuration, as createrepo_c and dnf agree. */
bool primary_has_file(const char *path);
