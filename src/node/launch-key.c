/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that an instance is given: public ones only, in the canonical armor, which is safe to put into any of the texts. */
#include <fcntl.h>

#include "basic/armor.h"
#include "basic/fs.h"
#include "node/launch.h"
#include "release/repo-file.h"

#define KEY_FILE_MAX ((size_t) 64 * 1024)
#define BLOCK_BEGIN  "-----BEGIN PGP PUBLIC KEY BLOCK-----"
#define BLOCK_END    "-----END PGP PUBLIC KEY BLOCK-----"

/* Packet tags, RFC 4880, section 4.3. */
enum { TAG_SECRET_KEY = 5, TAG_PUBLIC_KEY = 6, TAG_SECRET_SUBKEY = 7 };

/* A packet's header, RFC 4880, section 4.2: its tag, or -EBADMSG; *ret_size is the whole packet's. Lengths that only data packets may have
 * are refused. */
static int packet_header(const unsigned char *p, size_t size, size_t *ret_size) {
        static const size_t old_bytes[] = { 1, 2, 4 };
        size_t at = 1, bytes, length = 0;
        int tag;

        if (size < 2 || !(p[0] & 0x80))
                return -EBADMSG;
        if (p[0] & 0x40) {
                tag = p[0] & 0x3f;
                if (p[1] >= 224 && p[1] < 255)
                        return -EBADMSG;
                bytes = p[1] < 192 ? 1 : p[1] < 224 ? 2 : 4;
                at += bytes == 4;
        } else {
                tag = p[0] >> 2 & 0xf;
                if ((p[0] & 3) == 3)
                        return -EBADMSG;
                bytes = old_bytes[p[0] & 3];
        }
        if (size - at < bytes)
                return -EBADMSG;
        for (size_t i = 0; i < bytes; i++)
                length = length << 8 | p[at + i];
        if ((p[0] & 0x40) && bytes == 2)
                length = length - (192 << 8) + 192;
        at += bytes;
        if (length > size - at)
                return -EBADMSG;
        *ret_size = at + length;
        return tag;
}

static int check_packets(const char *path, const void *data, size_t size, size_t *ret_keys, Error *e) {
        const unsigned char *p = data;
        size_t keys = 0;

        for (size_t at = 0, length; at < size; at += length) {
                int tag = packet_header(p + at, size - at, &length);

                if (tag == TAG_SECRET_KEY || tag == TAG_SECRET_SUBKEY)
                        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: holds a secret key, which no instance may see", path),
                                          "export the public one: gpg --armor --export FINGERPRINT");
                keys += tag == TAG_PUBLIC_KEY;
                if (tag < 0 || keys == 0)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: not an OpenPGP public key", path);
        }
        *ret_keys += keys;
        return 0;
}

static int append_key(const char *path, const void *data, size_t size, Text *t, size_t *ret_keys, Error *e) {
        _cleanup_free_ char *armored = NULL;
        int r;

        r = check_packets(path, data, size, ret_keys, e);
        if (r < 0)
                return r;
        armored = openpgp_armor("PUBLIC KEY BLOCK", data, size);
        if (!armored)
                return error_oom(e);
        text_append(t, armored);
        return 0;
}

/* A file of armored blocks, with any words between them, which are dropped. */
static int append_blocks(const char *path, const char *text, Text *t, size_t *ret_keys, Error *e) {
        const char *end;
        int r;

        if (strstr(text, "-----BEGIN PGP PRIVATE KEY BLOCK-----"))
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: holds a secret key, which no instance may see", path),
                                  "export the public one: gpg --armor --export FINGERPRINT");
        for (const char *p = text; (p = strstr(p, BLOCK_BEGIN)); p = end) {
                _cleanup_free_ char *block = NULL;
                _cleanup_free_ void *data = NULL;
                size_t size;

                end = strstr(p, BLOCK_END);
                end = end ? end + strlen(BLOCK_END) : p + strlen(p);
                block = strndup(p, (size_t) (end - p));
                if (!block)
                        return error_oom(e);
                r = openpgp_dearmor(block, &data, &size);
                if (r == -ENOMEM)
                        return error_oom(e);
                if (r < 0)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: a damaged block of armored keys", path);
                r = append_key(path, data, size, t, ret_keys, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add(Launch *l, char *url, char *path, char *text, size_t n, Error *e) {
        if (!url || l->n_keys >= LAUNCH_KEYS_MAX) {
                free(url);
                free(path);
                free(text);
                return url ? error_set(e, EINVAL, EXIT_USAGE, "more than %d keys", LAUNCH_KEYS_MAX) : error_oom(e);
        }
        l->keys[l->n_keys++] = (LaunchKey){ .url = url, .path = path, .text = text, .n = n };
        return 0;
}

/* The names that gn8v-tee-release has for its two, so that it finds its own files; any more get a number. */
static char *key_path(size_t embedded) {
        switch (embedded) {
        case 0: return strdup(KEY_DIRECTORY REPO_KEY_FILE);
        case 1: return strdup(KEY_DIRECTORY VENDOR_KEY_FILE);
        default: return format(KEY_DIRECTORY VENDOR_KEY_FILE "-%zu", embedded);
        }
}

int launch_embed_key(Launch *l, const char *path, const char *data, size_t size, Error *e) {
        _cleanup_free_ char *target = NULL, *text = NULL, *url = NULL;
        _cleanup_text_ Text t = {};
        size_t embedded = 0, n = 0;
        int r;

        r = size > 0 && ((unsigned char) data[0] & 0x80) ? append_key(path, data, size, &t, &n, e) : append_blocks(path, data, &t, &n, e);
        if (r < 0)
                return r;
        if (n == 0)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not an OpenPGP public key", path),
                                  "give the file " REPO_KEY_FILE " of the published repository");
        for (size_t i = 0; i < l->n_keys; i++)
                embedded += l->keys[i].text != NULL;
        target = key_path(embedded);
        url = target ? format("file://%s", target) : NULL;
        text = text_take(&t);
        if (!target || !url || !text)
                return error_oom(e);
        return add(l, TAKE_PTR(url), TAKE_PTR(target), TAKE_PTR(text), n, e);
}

int launch_add_key(Launch *l, const char *file_or_url, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        if (startswith(file_or_url, "https://") || startswith(file_or_url, "file:///"))
                return add(l, strdup(file_or_url), NULL, NULL, 0, e);
        if (strstr(file_or_url, "://"))
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: a key from there could be anybody's", file_or_url),
                                  "download it, check its fingerprint, and name the file; or give an https URL");
        r = read_file(AT_FDCWD, file_or_url, KEY_FILE_MAX, &data, &size);
        if (r == -EFBIG)
                return error_set(e, EFBIG, EXIT_INVALID, "%s: larger than %zu bytes: not a key", file_or_url, KEY_FILE_MAX);
        if (r < 0)
                return error_errno(e, -r, "%s", file_or_url);
        return launch_embed_key(l, file_or_url, data, size, e);
}

void launch_clear(Launch *l) {
        for (size_t i = 0; i < l->n_keys; i++) {
                free(l->keys[i].url);
                free(l->keys[i].path);
                free(l->keys[i].text);
        }
        l->n_keys = 0;
}
