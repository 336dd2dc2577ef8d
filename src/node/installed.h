/* SPDX-License-Identifier: Apache-2.0 */
/* Which versions of NVIDIA's software are installed, by the files themselves: the RPM database says what was put there, these say what is. */
#pragma once

#include "node/node.h"

/* The version that a library's link (NAME.so.N) leads to: what stands behind ".so." in the file's name. Owned by the caller; NULL: it is
 * not in the system's library folders, or no link. */
char *library_version(Node *n, const char *link);
/* The same for a link at a full path. */
char *link_version(Node *n, const char *path);

/* The toolkit's version by its version.json, or NULL. */
char *cuda_version(Node *n, const char *root);
/* Of the text of a version.json: 0, *ret owned by the caller; -EBADMSG. */
int cuda_version_parse(const char *text, size_t size, char **ret);

/* The version that a program has in it: the expected one if its bytes stand there, else the first that looks like a driver's version.
 * NULL: no such program, or no version in it. */
char *program_version(Node *n, const char *path, const char *expected);

/* What stands behind the last such words in the end of a log, if it is a version; else NULL. */
char *logged_version(Node *n, const char *path, const char *words);

typedef struct PythonLibrary {
        char *place;   /* the folder that has site-packages, for people */
        char *version; /* of its dist-info, or NULL */
} PythonLibrary;

/* Every Python environment (the system's, /opt, /usr/local, home folders, VIRTUAL_ENV and CONDA_PREFIX) that has NVIDIA's cuBLAS wheel; the
 * search is bounded. 0 or -ENOMEM. */
int python_cublas(Node *n, PythonLibrary **ret, size_t *ret_n);
/* Folders of a text like /proc/self/mounts on which a file system is mounted that may be slow, or not answer at all: appended to *ret. The text is
 * cut up. 0 or -ENOMEM. */
int remote_folders_parse(char *mounts, char ***ret);
void python_libraries_free(PythonLibrary *v, size_t n);
