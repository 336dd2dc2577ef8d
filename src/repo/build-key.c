/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/build-key.h"

#include "basic/process.h"
#include "basic/strings.h"

static int gpg(const char *gnupghome, const char *const *words, const char *fingerprint, char **ret, Error *e) {
        _cleanup_strv_ char **argv = NULL;

        if (strv_append_words(&argv, "gpg --batch --no-tty --quiet --no-options") < 0 ||
            (gnupghome && (strv_append(&argv, "--homedir") < 0 || strv_append(&argv, gnupghome) < 0)))
                return error_oom(e);
        for (; *words; words++)
                if (strv_append(&argv, *words) < 0)
                        return error_oom(e);
        if (strv_append(&argv, "--") < 0 || strv_append(&argv, fingerprint) < 0)
                return error_oom(e);
        return process_check(&(Process){ .argv = (const char *const *) argv, .timeout_sec = 60 }, ret, e);
}

/* The sixth field of the "pub" line: seconds since the epoch. */
static int creation_date(char *listing, int64_t *ret) {
        char *line = startswith(listing, "pub:") ? listing : strstr(listing, "\npub:");
        uint64_t date;

        if (!line)
                return -EBADMSG;
        for (int field = 1; field < 6; field++) {
                line = strchr(line, ':');
                if (!line)
                        return -EBADMSG;
                line++;
        }
        line[strspn(line, "0123456789")] = '\0';
        if (parse_u64(line, &date) < 0 || date > INT32_MAX * UINT64_C(4))
                return -EBADMSG;
        *ret = (int64_t) date;
        return 0;
}

int build_key_export(const char *gnupghome, const char *fingerprint, char **ret, int64_t *ret_date, Error *e) {
        static const char *const list[] = { "--with-colons", "--fixed-list-mode", "--list-keys", NULL };
        static const char *const export[] = { "--armor", "--export-options", "export-minimal", "--export", NULL };
        _cleanup_free_ char *listing = NULL, *key = NULL;
        int64_t date;
        int r;

        if (strlen(fingerprint) != 40 || fingerprint[strspn(fingerprint, "0123456789ABCDEFabcdef")])
                return error_set(e, EINVAL, EXIT_USAGE, "%s: is no fingerprint (40 hexadecimal digits)", fingerprint);
        r = gpg(gnupghome, list, fingerprint, &listing, e);
        if (r < 0)
                return error_hint(e, r, "'gpg --list-keys' shows the keys there are; --gnupghome names another home");
        r = gpg(gnupghome, export, fingerprint, &key, e);
        if (r < 0)
                return r;
        if (creation_date(listing, &date) < 0 || !startswith(key, "-----BEGIN PGP PUBLIC KEY BLOCK-----"))
                return error_set(e, EBADMSG, EXIT_FAILED, "gpg: no usable public key %s", fingerprint);
        *ret = TAKE_PTR(key);
        *ret_date = date;
        return 0;
}
