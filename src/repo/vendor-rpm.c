/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/vendor-rpm.h"

#include <fcntl.h>
#include <rpm/header.h>
#include <rpm/rpmcli.h>
#include <rpm/rpmkeyring.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmpgp.h>
#include <rpm/rpmts.h>

#include "basic/strings.h"
#include "repo/openpgp-key.h"

#define RPM_MESSAGE_MAX 4096

void vendor_rpm_clear(VendorRpm *v) {
        free(v->name);
        free(v->version);
        free(v->release);
        free(v->arch);
        *v = (VendorRpm){};
}

static void keyring_freep(rpmKeyring *k) {
        if (*k)
                rpmKeyringFree(*k);
}

static void ts_freep(rpmts *ts) {
        if (*ts)
                rpmtsFree(*ts);
}

static void header_freep(Header *h) {
        if (*h)
                headerFree(*h);
}

static void file_closep(FD_t *fd) {
        if (*fd)
                (void) Fclose(*fd);
}

/* librpm says what it found only to its log: kept here for the error, never printed. */
static int keep_message(rpmlogRec rec, rpmlogCallbackData data) {
        Text *t = data;
        const char *message = rpmlogRecMessage(rec);

        if (message && t->size < RPM_MESSAGE_MAX)
                text_append(t, message);
        return 0;
}

static int keyring_new(const OpenpgpKey *key, const char *key_path, rpmKeyring *ret, Error *e) {
        _cleanup_(keyring_freep) rpmKeyring keyring = rpmKeyringNew();
        rpmPubkey main_key, *subkeys = NULL;
        int n = 0, added;

        main_key = keyring ? rpmPubkeyNew(key->packets, key->size) : NULL;
        if (!main_key)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: rpm cannot use this key", key_path);
        added = rpmKeyringAddKey(keyring, main_key);
        subkeys = rpmGetSubkeys(main_key, &n);
        for (int i = 0; i < n; i++) {
                (void) rpmKeyringAddKey(keyring, subkeys[i]);
                rpmPubkeyFree(subkeys[i]);
        }
        free(subkeys);
        rpmPubkeyFree(main_key);
        if (added < 0)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: rpm cannot use this key", key_path);
        *ret = keyring;
        keyring = NULL;
        return 0;
}

static rpmts transaction_new(rpmKeyring keyring) {
        rpmts ts;

        /* No configuration is read: neither the machine's nor a user's macros may soften the check. */
        (void) rpmInitCrypto();
        ts = rpmtsCreate();
        /* With a keyring of its own it opens no rpm database. */
        if (ts && rpmtsSetKeyring(ts, keyring) != 0)
                ts = rpmtsFree(ts);
        if (ts) {
                (void) rpmtsSetVfyLevel(ts, RPMSIG_VERIFIABLE_TYPE);
                (void) rpmtsSetVfyFlags(ts, RPMVSF_DEFAULT);
        }
        return ts;
}

/* Reads the header alone, nothing verified: what is wanted first is whether this is a package, and has any signature. */
static int read_header(FD_t fd, const char *path, rpmKeyring keyring, Header *ret, Error *e) {
        _cleanup_(ts_freep) rpmts ts = transaction_new(keyring);
        _cleanup_(header_freep) Header h = NULL;
        rpmRC rc;

        if (!ts)
                return error_oom(e);
        (void) rpmtsSetVSFlags(ts, RPMVSF_MASK_NODIGESTS | RPMVSF_MASK_NOSIGNATURES | RPMVSF_NOHDRCHK);
        rc = rpmReadPackageFile(ts, fd, path, &h);
        if ((rc != RPMRC_OK && rc != RPMRC_NOTTRUSTED && rc != RPMRC_NOKEY) || !h)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: not an RPM package, or a damaged one", path);
        *ret = h;
        h = NULL;
        return 0;
}

/* Of librpm's list, one line a signature or digest, those that are bad: "Header V4 RSA/SHA256 Signature, key ID 12345678: NOKEY". */
static char *what_is_bad(const char *said) {
        _cleanup_text_ Text t = {};

        while (*said) {
                size_t n = strcspn(said, "\n");
                _cleanup_free_ char *line = strndup(said, n);

                said += n + (said[n] == '\n');
                if (line && *line && !endswith(line, ":") && !strstr(line, ": OK") && !strstr(line, ": NOTFOUND"))
                        text_printf(&t, "%s%s", t.size > 0 ? "; " : "", line + strspn(line, " "));
        }
        if (t.size == 0)
                text_append(&t, "a signature or digest is missing");
        return text_take(&t);
}

static bool is_good(rpmts ts, FD_t fd, const char *path, bool header_only) {
        struct rpmQVKArguments_s qva = { .qva_flags = VERIFY_DEFAULT };

        if (!header_only)
                return rpmVerifySignatures(&qva, ts, fd, path) == 0;
        (void) rpmtsSetVSFlags(ts, RPMVSF_NEEDPAYLOAD);
        return rpmReadPackageFile(ts, fd, path, NULL) == RPMRC_OK;
}

static int verify(FD_t fd, const char *path, rpmKeyring keyring, const char *fingerprint, bool header_only, Text *messages, Error *e) {
        _cleanup_(ts_freep) rpmts ts = transaction_new(keyring);
        _cleanup_free_ char *said = NULL, *bad = NULL;
        int r;

        if (!ts)
                return error_oom(e);
        if (Fseek(fd, 0, SEEK_SET) < 0)
                return error_errno(e, errno, "%s", path);
        messages->size = 0;
        if (is_good(ts, fd, path, header_only))
                return 0;
        said = text_take(messages);
        bad = said ? what_is_bad(said) : NULL;
        if (!bad)
                return error_oom(e);
        r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed by the key %s: %s", path, fingerprint, bad);
        return error_hint(e, r, strstr(bad, "NOKEY") ? "It has another key's signature: ask the vendor which key is right before the release "
                                                       "file is changed"
                                                     : "The file is damaged or was changed: do not use it, fetch it from the vendor");
}

static bool is_signed(Header h) {
        return headerIsEntry(h, RPMTAG_RSAHEADER) || headerIsEntry(h, RPMTAG_DSAHEADER);
}

static int check(const char *path, rpmKeyring keyring, const char *fingerprint, bool header_only, Text *messages, Header *ret, Error *e) {
        _cleanup_(file_closep) FD_t fd = Fopen(path, "r.ufdio");
        _cleanup_(header_freep) Header h = NULL;
        int r;

        if (!fd || Ferror(fd))
                return error_errno(e, errno ? errno : EIO, "%s", path);
        r = read_header(fd, path, keyring, &h, e);
        if (r < 0)
                return r;
        if (headerIsSource(h))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a source package", path);
        /* A signature of the header and, through it, the payload's digest; rpm 3's signature over both alone is not enough. */
        if (!is_signed(h)) {
                r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: not signed; a signature by %s is required", path, fingerprint);
                return error_hint(e, r, "Fetch it from the vendor again; a package re-built or re-signed by a mirror is not what is pinned");
        }
        r = verify(fd, path, keyring, fingerprint, header_only, messages, e);
        if (r < 0)
                return r;
        *ret = h;
        h = NULL;
        return 0;
}

static int identity(Header h, VendorRpm *ret, const char *path, Error *e) {
        _cleanup_vendor_rpm_ VendorRpm v = {};
        const struct { rpmTag tag; char **to; } fields[] = {
                { RPMTAG_NAME, &v.name }, { RPMTAG_VERSION, &v.version }, { RPMTAG_RELEASE, &v.release }, { RPMTAG_ARCH, &v.arch },
        };

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                const char *s = headerGetString(h, fields[i].tag);

                if (!s)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: has no name, version, release or architecture", path);
                *fields[i].to = strdup(s);
                if (!*fields[i].to)
                        return error_oom(e);
        }
        *ret = v;
        v = (VendorRpm){};
        return 0;
}

static int check_by(const char *path, const OpenpgpKey *key, const char *key_path, bool header_only, VendorRpm *ret, Error *e) {
        _cleanup_(keyring_freep) rpmKeyring keyring = NULL;
        _cleanup_(header_freep) Header h = NULL;
        _cleanup_text_ Text messages = {};
        int r, mask;

        (void) rpmlogSetCallback(keep_message, &messages);
        mask = rpmlogSetMask(RPMLOG_UPTO(RPMLOG_INFO)); /* at this level it names each signature, its key and what is wrong with it */
        r = keyring_new(key, key_path, &keyring, e);
        if (r >= 0)
                r = check(path, keyring, key->fingerprint, header_only, &messages, &h, e);
        (void) rpmlogSetMask(mask);
        (void) rpmlogSetCallback(NULL, NULL);
        if (r >= 0 && ret)
                r = identity(h, ret, path, e);
        return r;
}

int vendor_rpm_check(const char *path, const char *key_path, const char *fingerprint, VendorRpm *ret, Error *e) {
        _cleanup_(openpgp_key_freep) OpenpgpKey *key = NULL;
        int r = openpgp_key_load(key_path, fingerprint, &key, e);

        return r < 0 ? r : check_by(path, key, key_path, false, ret, e);
}

int vendor_rpm_check_header(const char *path, const OpenpgpKey *key, const char *key_path, Error *e) {
        return check_by(path, key, key_path, true, NULL, e);
}

int vendor_rpm_expect(const VendorRpm *v, const char *path, const char *name, const char *version, const char *release, Error *e) {
        if (streq(v->name, name) && streq(v->version, version) && streq(v->release, release) &&
            (streq(v->arch, "x86_64") || streq(v->arch, "noarch")))
                return 0;
        return error_set(e, EBADMSG, EXIT_UNTRUSTED, "%s: is the package %s-%s-%s.%s, expected %s-%s-%s.x86_64", path, v->name, v->version,
                         v->release, v->arch, name, version, release);
}
