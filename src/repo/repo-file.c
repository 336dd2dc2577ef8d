/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/repo-file.h"

#include <ctype.h>
#include <fcntl.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define TEMPLATE_MAX  (64 * 1024)
#define REPO_FILE_MAX ((size_t) 64 * 1024)

int repo_file_render(const char *template_path, const char *baseurl, const char *gpgkey, bool vendor_keys, char **ret, Error *e) {
        _cleanup_free_ char *template = NULL;
        int r;

        r = read_file(AT_FDCWD, template_path, TEMPLATE_MAX, &template, NULL);
        if (r < 0)
                return error_errno(e, -r, "%s", template_path);
        return repo_file_fill(template_path, template, baseurl, gpgkey, vendor_keys, ret, e);
}

/* Of a directory's path; what a URL cannot have in it, and what dnf replaces ($), is escaped. NULL: out of memory. */
static char *file_url(const char *path) {
        _cleanup_text_ Text t = {};

        text_append(&t, "file://");
        for (const unsigned char *c = (const unsigned char *) path; *c; c++)
                if (*c < 0x80 && (isalnum(*c) || strchr("-._~/+^:@!&'()*,;=", *c)))
                        text_append_n(&t, (const char *) c, 1);
                else
                        text_printf(&t, "%%%02X", *c);
        return text_take(&t);
}

static int hex_of(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether what a file:// URL names is there. */
static bool is_there(const char *url) {
        _cleanup_free_ char *path = strdup(url + strlen("file://"));
        char *to = path;

        if (!path)
                return true;
        for (const char *c = path; *c; c++)
                if (*c == '%' && hex_of(c[1]) >= 0 && hex_of(c[2]) >= 0 && (hex_of(c[1]) || hex_of(c[2]))) {
                        *to++ = (char) (hex_of(c[1]) << 4 | hex_of(c[2]));
                        c += 2;
                } else
                        *to++ = *c;
        *to = '\0';
        return access(path, F_OK) == 0;
}

int repo_file_place(int repo_fd, const char *path, const char *wanted, char **ret, Error *e) {
        _cleanup_free_ char *text = NULL, *url = wanted && *wanted ? strdup(wanted) : NULL, *real = NULL;

        if (!wanted && read_file(repo_fd, REPO_FILE, REPO_FILE_MAX, &text, NULL) >= 0 && (url = repo_file_baseurl(text)) && startswith(url, "file://") && !is_there(url)) {
                free(url);
                url = NULL;
        }
        if (!url && !(real = realpath(path, NULL)))
                return error_errno(e, errno, "%s", path);
        if (!url && !(url = file_url(real)))
                return error_oom(e);
        *ret = TAKE_PTR(url);
        return 0;
}

/* The directory of a path, without its last component; "." when it has none. */
static char *parent_of(const char *path) {
        size_t n = strlen(path);

        while (n > 1 && path[n - 1] == '/')
                n--;
        while (n > 0 && path[n - 1] != '/')
                n--;
        while (n > 1 && path[n - 1] == '/')
                n--;
        return n > 0 ? strndup(path, n) : strdup(".");
}

/* A program that runs from its build folder has its data beside that folder. */
static char *beside_program(const char *name) {
        _cleanup_free_ char *exe = realpath("/proc/self/exe", NULL), *dir = exe ? parent_of(exe) : NULL;

        return dir ? format("%s/../repo/%s", dir, name) : NULL;
}

int repo_data_path(const char *releases_dir, const char *name, char **ret, Error *e) {
        _cleanup_free_ char *dir = parent_of(releases_dir), *beside = dir ? path_join(dir, name) : NULL, *here = path_join("repo", name),
                            *installed = path_join(REPO_DATA_DIR, name), *built = beside_program(name);
        char **const places[] = { &beside, &here, &installed, &built };

        if (!beside || !here || !installed)
                return error_oom(e);
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (*places[i] && access(*places[i], R_OK) == 0) {
                        *ret = TAKE_PTR(*places[i]);
                        return 0;
                }
        return error_set(e, ENOENT, EXIT_FAILED, "%s is not there, nor are %s and %s", beside, here, installed);
}
