/* SPDX-License-Identifier: Apache-2.0 */
/* The .repo file, made from its template; and where the builder's own data files are. */
#pragma once

#include "basic/error.h"

#define REPO_KEY_FILE  "RPM-GPG-KEY-gn8v-tee"
#define REPO_FILE      "gn8v-tee.repo"
#define REPO_TEMPLATE  "gn8v-tee.repo.in"
#define REPO_DATA_DIR  "/usr/share/gn8v-tee-repo"
/* Where the package gn8v-tee-release puts the key. */
#define REPO_KEY_INSTALLED_URL "file:///etc/pki/rpm-gpg/" REPO_KEY_FILE

/* Fills a template (@BASEURL@, @GPGKEY@; both must occur, no other @WORD@ may) and returns its text, owned by the caller. The URLs are
 * http, https or file, without blanks or control characters: else -EINVAL/EXIT_USAGE. gpgkey: one or more URLs,
 * with blanks between; NULL: BASEURL/RPM-GPG-KEY-gn8v-tee, and with vendor_keys the vendors' key file (vendor-keys.h) after it. */
int repo_file_render(const char *template_path, const char *baseurl, const char *gpgkey, bool vendor_keys, char **ret, Error *e);

/* That a URL is http, https or file, without blanks, quotes or control characters: else -EINVAL/EXIT_USAGE. what is for messages. */
int repo_url_check(const char *what, const char *url, Error *e);

/* The value of its baseurl=, owned by the caller; NULL: it has none, or out of memory. */
char *repo_file_baseurl(const char *text) _must_check_;

/* The same .repo file for another place: every URL in it that is its baseurl, or below that, moves along. baseurl is as for
 * repo_file_render(). -EBADMSG/EXIT_INVALID when text has none; name is for messages. */
int repo_file_move(const char *text, const char *name, const char *baseurl, char **ret, Error *e);

/* Finds a data file of the builder ("gn8v-tee.repo.in", "platform/el8.provides"): beside the releases directory, in ./repo, in
 * /usr/share/gn8v-tee-repo, and for a program that was not installed beside its build folder. *ret is owned by the caller; -ENOENT with an
 * error that names the places. */
int repo_data_path(const char *releases_dir, const char *name, char **ret, Error *e);
