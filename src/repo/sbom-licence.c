/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "basic/strings.h"
#include "repo/sbom.h"

#define DEPTH_MAX 16

/* What free packages for machines like ours are under; anything else is told as a licence of its own, with its own words. */
static const char *const known[] = {
        "0BSD", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "GFDL-1.3-or-later", "GPL-2.0-only", "GPL-2.0-or-later",
        "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.0-or-later", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MPL-2.0", "OpenSSL",
        "PSF-2.0", "Unlicense", "Zlib", "curl", NULL
};

/* A word of an expression, up to a blank or a bracket. */
static size_t word_size(const char *s) {
        return strcspn(s, " ()");
}

static bool is_word(const char *s, size_t n, const char *word) {
        return strlen(word) == n && memcmp(s, word, n) == 0;
}

static bool is_identifier(const char *s, size_t n) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
        static const char prefix[] = "LicenseRef-";

        if (n > sizeof(prefix) - 1 && memcmp(s, prefix, sizeof(prefix) - 1) == 0)
                return strspn(s, letters) == n;
        for (const char *const *k = known; *k; k++)
                if (is_word(s, n, *k))
                        return true;
        return false;
}

static const char *skip_blanks(const char *s) {
        return s + strspn(s, " ");
}

/* Behind an expression, or NULL. */
static const char *expression(const char *s, unsigned depth) {
        for (;;) {
                s = skip_blanks(s);
                if (*s == '(') {
                        s = depth < DEPTH_MAX ? expression(s + 1, depth + 1) : NULL;
                        if (!s || *s++ != ')')
                                return NULL;
                } else if (is_identifier(s, word_size(s)))
                        s += word_size(s);
                else
                        return NULL;
                s = skip_blanks(s);
                if (is_word(s, word_size(s), "AND") || is_word(s, word_size(s), "OR"))
                        s += word_size(s);
                else
                        return s;
        }
}

bool licence_is_expression(const char *s) {
        const char *end = expression(s, 0);
        return end && !*end;
}
