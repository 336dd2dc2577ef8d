/* SPDX-License-Identifier: Apache-2.0 */
#include "node/unit-name.h"

#define NAME_MAX_BYTES 255

static const char *const suffixes[] = {
        ".service", ".socket", ".timer", ".path", ".target", ".mount", ".automount", ".swap", ".slice", ".scope", ".device",
};

const char *unit_name_suffix(const char *name) {
        const char *dot = strrchr(name, '.');

        for (size_t i = 0; dot && i < ELEMENTSOF(suffixes); i++)
                if (streq(dot, suffixes[i]))
                        return dot;
        return NULL;
}

bool unit_name_is_valid(const char *name) {
        const char *suffix = unit_name_suffix(name);

        if (!suffix || suffix == name || strchr("@-.", name[0]) || strlen(name) > NAME_MAX_BYTES)
                return false;
        return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@") == strlen(name);
}

char *unit_name_template(const char *name) {
        const char *at = strchr(name, '@'), *suffix = unit_name_suffix(name);

        if (!at || !suffix || at + 1 >= suffix)
                return NULL;
        return format("%.*s%s", (int) (at + 1 - name), name, suffix);
}

char *unit_name_with_suffix(const char *name, const char *suffix) {
        const char *old = unit_name_suffix(name);

        return format("%.*s%s", (int) (old ? (size_t) (old - name) : strlen(name)), name, suffix);
}

int unit_name_shared(const char *name, char ***ret) {
        _cleanup_free_ char *template = unit_name_template(name);
        _cleanup_strv_ char **names = NULL;
        const char *suffix = unit_name_suffix(name), *end = strchr(name, '@');

        if (template && strv_append(&names, template) < 0)
                return -ENOMEM;
        if (!end || (suffix && end > suffix))
                end = suffix;
        /* The longest beginning is the strongest. */
        for (const char *p = end; p && p > name; p--) {
                _cleanup_free_ char *prefix = NULL;

                if (p[-1] != '-' || p == end)
                        continue;
                prefix = format("%.*s%s", (int) (p - name), name, suffix);
                if (!prefix || strv_append(&names, prefix) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(names);
        return 0;
}
