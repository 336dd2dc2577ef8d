/* SPDX-License-Identifier: Apache-2.0 */
/* What add.c and added.c share. */
#pragma once

#include <jansson.h>

#include "repo/add.h"
#include "repo/store.h"

void added_package_clear(AddedPackage *p);
/* Takes what is in p. */
int added_append(AddedPackages *a, AddedPackage *p, Error *e);
/* 1: the record of one that was added, 0: of one that was built, or there is none. folder is WORKSPACE/packages. */
int added_load(const char *folder, const char *file, AddedPackage *ret, Error *e);
/* Its record; NULL: out of memory. */
json_t *added_record(const AddedPackage *p) _must_check_;
/* Takes the workspace, makes its packages/ if there is none, and ends a removal that was broken off: *ret_ended are its packages. */
int added_open(const char *workspace, Store **ret_store, char **ret_folder, AddedPackages *ret_ended, Error *e);
/* Takes away those that are new, as far as they came to be, and keys that signed nothing else. */
int added_take_back(const char *workspace, const char *folder, const AddedPackages *a, Error *e);
