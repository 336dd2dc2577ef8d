/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/private-key.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <sys/stat.h>

#include "basic/fs.h"
#include "basic/strings.h"

#define KEY_FILE_MAX (1024 * 1024)
#define BEGIN        "-----BEGIN "
#define END          "-----END "

/* A file's bytes, which are overwritten when they are no longer wanted. */
typedef struct KeyFile {
        char *text;
        size_t size;
} KeyFile;

static void key_file_clear(KeyFile *f) {
        if (f->text)
                explicit_bzero(f->text, f->size);
        free(f->text);
}

static int read_key_file(const char *path, KeyFile *ret, char **ret_warning, Error *e) {
        /* Nobody may be writing to a pipe: that must not make us wait. */
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_errno(e, errno, "%s", path);
        if (S_ISDIR(st.st_mode))
                return error_set(e, EISDIR, EXIT_INVALID, "%s: a directory, where a private key's file is wanted", path);
        if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: neither a file nor a pipe", path);
        if (S_ISFIFO(st.st_mode) && fcntl(fd, F_SETFL, 0) < 0)
                return error_errno(e, errno, "%s", path);
        r = read_fd(fd, KEY_FILE_MAX, &ret->text, &ret->size);
        if (r == -EFBIG)
                return error_set(e, EFBIG, EXIT_INVALID, "%s: larger than any private key", path);
        if (r < 0)
                return error_errno(e, -r, "%s", path);
        if (ret->size == 0)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it is empty, where a private key is wanted", path);
        *ret_warning = secret_file_warning(fd, path);
        return 0;
}

static int not_a_private_key(const char *path, const char *what, const char *hint, Error *e) {
        int r = error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it holds %s, where a private key is wanted", path, what);
        return hint ? error_hint(e, r, "%s", hint) : r;
}

/* What the blocks of a PEM file (RFC 7468) are: exactly one private key. */
static int look_at_blocks(const char *path, const KeyFile *f, bool *ret_encrypted, Error *e) {
        const char *p = f->text, *last = NULL;
        unsigned keys = 0, others = 0;

        if (strlen(f->text) != f->size)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: a NUL byte in a PEM file", path);
        while ((p = strstr(p, BEGIN))) {
                const char *label = p + strlen(BEGIN), *dashes = strstr(label, "-----"), *end;
                _cleanup_free_ char *name = dashes ? strndup(label, (size_t) (dashes - label)) : NULL, *closing = name ? format(END "%s-----", name) : NULL;

                if (dashes && !closing)
                        return error_oom(e);
                if (!dashes || !(end = strstr(dashes, closing)))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: a block of PEM without an end: the file is cut", path);
                if (startswith(name, "OPENSSH PRIVATE"))
                        return not_a_private_key(path, "a key of OpenSSH's own form", "write a copy of it as PKCS #8: ssh-keygen -p -m PKCS8 -f COPY", e);
                if (startswith(name, "PGP "))
                        return not_a_private_key(path, "a key of GnuPG", "import it to GnuPG, and name it with --key", e);
                if (endswith(name, "PRIVATE KEY")) {
                        keys++;
                        *ret_encrypted = startswith(name, "ENCRYPTED ") || memmem(dashes, (size_t) (end - dashes), "Proc-Type: 4,ENCRYPTED", 22);
                } else
                        others++;
                p = last = end + strlen(closing);
        }
        if (keys == 0)
                return not_a_private_key(path, others > 0 ? "a public key or a certificate" : "no whole block of PEM", NULL, e);
        if (keys > 1)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it holds %u private keys: which one signs?", path, keys);
        if (last[strspn(last, " \t\r\n")] != '\0')
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: something follows the key", path);
        return 0;
}

/* What OpenSSL asks for, once it turns out that the key is encrypted. */
typedef struct Asking {
        const SecretSource *source;
        const char *path;
        char *secret, *warning;
        bool asked;
        int r;
        Error *e;
} Asking;

static int give_passphrase(char *buffer, int size, int writing, void *userdata) {
        Asking *a = userdata;
        size_t n;

        if (!a->asked) {
                a->asked = true;
                a->r = secret_read(a->source, a->path, &a->secret, &a->warning, a->e);
        }
        n = a->secret ? strlen(a->secret) : 0;
        if (n == 0 || n > (size_t) size)
                return -1;
        memcpy(buffer, a->secret, n);
        return (int) n;
}

static EVP_PKEY *decode(const KeyFile *f, Asking *asking) {
        UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(give_passphrase, 0);
        BIO *bio = BIO_new_mem_buf(f->text, (int) f->size);
        OSSL_STORE_CTX *store = ui && bio ? OSSL_STORE_attach(bio, "file", NULL, NULL, ui, asking, NULL, NULL, NULL) : NULL;
        EVP_PKEY *key = NULL;

        while (store && !key && !OSSL_STORE_eof(store)) {
                OSSL_STORE_INFO *info = OSSL_STORE_load(store);

                if (!info && OSSL_STORE_error(store))
                        break;
                if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
                        key = OSSL_STORE_INFO_get1_PKEY(info);
                OSSL_STORE_INFO_free(info);
        }
        OSSL_STORE_close(store);
        BIO_free(bio);
        UI_destroy_method(ui);
        ERR_clear_error();
        return key;
}

static int why_not(const Asking *a, bool pem, bool encrypted, Error *e) {
        if (a->r < 0)
                return a->r;
        if (a->asked && !a->secret)
                return error_hint(e, error_set(e, ENOKEY, EXIT_FAILED, "%s: it is encrypted, and no passphrase was given", a->path),
                                  "--passphrase-file or --passphrase-fd; on a terminal you are asked");
        if (a->asked)
                return error_hint(e, error_set(e, EKEYREJECTED, EXIT_FAILED, "%s: the passphrase does not open it", a->path), "%s%s",
                                  a->source->file ? "is it the right one? it is the first line of " : "is it the right one?", a->source->file ? a->source->file : "");
        if (encrypted)
                return error_set(e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: it is encrypted in a way that OpenSSL does not know", a->path);
        return error_set(e, EBADMSG, EXIT_INVALID, pem ? "%s: its private key is damaged" : "%s: no private key that OpenSSL can read", a->path);
}

int private_key_read(const char *path, const SecretSource *secret, EVP_PKEY **ret, char **ret_warning, Error *e) {
        _cleanup_(key_file_clear) KeyFile f = {};
        _cleanup_free_ char *warning = NULL;
        Asking asking = { .source = secret, .path = path, .e = e };
        bool encrypted = false, pem;
        EVP_PKEY *key;
        int r;

        if ((r = read_key_file(path, &f, &warning, e)) < 0)
                return r;
        pem = memmem(f.text, f.size, "-----BEGIN", strlen("-----BEGIN")) != NULL;
        if (pem && (r = look_at_blocks(path, &f, &encrypted, e)) < 0)
                return r;
        key = decode(&f, &asking);
        if (!key)
                r = why_not(&asking, pem, encrypted, e);
        secret_free(asking.secret);
        if (!warning)
                warning = TAKE_PTR(asking.warning);
        free(asking.warning);
        if (!key)
                return r;
        *ret_warning = TAKE_PTR(warning);
        *ret = key;
        return 0;
}
