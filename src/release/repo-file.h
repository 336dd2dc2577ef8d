/* SPDX-License-Identifier: Apache-2.0 */
/* The text of the .repo file, and what it and the keys beside it are called. */
#pragma once

#include "basic/error.h"

#define REPO_FILE       "gn8v-tee.repo"
#define REPO_KEY_FILE   "RPM-GPG-KEY-gn8v-tee"
/* Vendor packages keep the vendor's own signature, so that dnf with gpgcheck=1 needs the vendor's key beside ours. */
#define VENDOR_KEY_FILE "RPM-GPG-KEY-gn8v-tee-vendor"
/* Where the package gn8v-tee-release puts them. */
#define REPO_FILE_INSTALLED_PATH "/etc/yum.repos.d/" REPO_FILE
#define KEY_DIRECTORY            "/etc/pki/rpm-gpg/"
#define REPO_KEY_INSTALLED_URL   "file://" KEY_DIRECTORY REPO_KEY_FILE
#define VENDOR_KEY_INSTALLED_URL "file://" KEY_DIRECTORY VENDOR_KEY_FILE

/* repo/gn8v-tee.repo.in as it was when this was compiled. */
extern const char repo_file_template[];

/* Fills a template (@BASEURL@, @GPGKEY@; both must occur, no other @WORD@ may) and returns its text, owned by the caller; path is for
 * messages. The URLs are http, https or file, without blanks or control characters: else -EINVAL/EXIT_USAGE. gpgkey: one or more URLs,
 * with blanks between; NULL: BASEURL/RPM-GPG-KEY-gn8v-tee, and with vendor_keys the vendors' key file after it. */
int repo_file_fill(const char *path, const char *template, const char *baseurl, const char *gpgkey, bool vendor_keys, char **ret, Error *e);

/* That a URL is http, https or file, without blanks, quotes or control characters, and no password in it: else -EINVAL/EXIT_USAGE. what is for messages. */
int repo_url_check(const char *what, const char *url, Error *e);

/* The value of its baseurl=, owned by the caller; NULL: it has none, or out of memory. */
char *repo_file_baseurl(const char *text) _must_check_;

/* The same .repo file for another place: every URL in it that is its baseurl, or below that, moves along. baseurl is as for
 * repo_file_fill(). -EBADMSG/EXIT_INVALID when text has none; name is for messages. */
int repo_file_move(const char *text, const char *name, const char *baseurl, char **ret, Error *e);
