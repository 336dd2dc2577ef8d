/* SPDX-License-Identifier: Apache-2.0 */
/* What add.c and added.c share. */
#pragma once

#include "repo/add.h"
#include "repo/store.h"

void added_package_clear(AddedPackage *p);
/* Takes what is in p. */
int added_append(AddedPackages *a, AddedPackage *p, Error *e);
/* 1: the record of one that was added, 0: of one that was built, or there is none. folder is WORKSPACE/packages. */
int added_load(const char *folder, const char *file, AddedPackage *ret, Error *e);
/* Takes the workspace, and makes its packages/ if there is none. */
int added_open(const char *workspace, Store **ret_store, char **ret_folder, Error *e);
