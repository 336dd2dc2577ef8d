/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side: loads the library, tells what it says. */
#include "basic/library-child.h"

#include <dlfcn.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define TEXT_MAX 400

void library_say(LibraryChild *c, const char *fmt, ...) {
        _cleanup_free_ char *line = NULL;
        va_list ap;

        va_start(ap, fmt);
        line = format_va(fmt, ap);
        va_end(ap);
        if (!line || write_all(c->fd, line, strlen(line)) < 0)
                _exit(1);
}

void library_say_text(LibraryChild *c, const char *key, const char *text) {
        _cleanup_free_ char *clean = strndup(text, TEXT_MAX);

        for (char *p = clean; p && *p; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p > '~')
                        *p = '?';
        library_say(c, "%s %s\n", key, clean ? clean : "");
}

bool library_load(LibraryChild *c, const char *const *names) {
        _cleanup_free_ char *why = NULL;

        for (; *names; names++) {
                const char *error;

                c->library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
                if (c->library)
                        return true;
                error = dlerror();
                if (!why)
                        why = strdup(error ? error : *names);
        }
        library_say_text(c, "missing", why ? why : "it cannot be loaded");
        library_say(c, "end\n");
        return false;
}

void *library_symbol(LibraryChild *c, const char *const *names) {
        void *found = NULL;

        for (size_t i = 0; names[i]; i++) {
                void *p = dlsym(c->library, names[i]);

                found = p ? p : found;
        }
        if (found)
                library_say(c, "at %s\n", names[0]);
        return found;
}
