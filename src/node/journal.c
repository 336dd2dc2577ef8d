/* SPDX-License-Identifier: Apache-2.0 */
#include "node/journal.h"

#include <time.h>

#define JOURNAL_VERSION 1
#define JOURNAL_MAX ((size_t) 32 * 1024 * 1024)
#define NOT_OURS "restore it from a backup, or move it away: what was there before gn8v-tee is then not known any more"

static const char *const state_names[_ENTRY_STATE_MAX] = {
        [ENTRY_APPLYING] = "applying", [ENTRY_APPLIED] = "applied", [ENTRY_FAILED] = "failed", [ENTRY_PENDING] = "pending",
};

const char *entry_state_to_string(EntryState state) {
        return state_names[state];
}

static void entry_free(JournalEntry *entry) {
        free(entry->id);
        json_decref(entry->before);
        json_decref(entry->after);
        free(entry->message);
        free(entry->hint);
        free(entry->time);
        free(entry);
}

Journal *journal_new(void) {
        return calloc(1, sizeof(Journal));
}

Journal *journal_free(Journal *j) {
        for (size_t i = 0; i < j->n_entries; i++)
                entry_free(j->entries[i]);
        free(j->entries);
        free(j->release);
        free(j);
        return NULL;
}

JournalEntry *journal_find(const Journal *j, const char *id) {
        for (size_t i = 0; i < j->n_entries; i++)
                if (streq(j->entries[i]->id, id))
                        return j->entries[i];
        return NULL;
}

JournalEntry *journal_add(Journal *j, const char *id) {
        JournalEntry *entry = calloc(1, sizeof(JournalEntry));
        JournalEntry **grown;

        if (!entry)
                return NULL;
        entry->id = strdup(id);
        grown = reallocarray(j->entries, j->n_entries + 1, sizeof(JournalEntry *));
        if (grown)
                j->entries = grown;
        if (!entry->id || !grown) {
                entry_free(entry);
                return NULL;
        }
        j->entries[j->n_entries++] = entry;
        return entry;
}

void journal_drop(Journal *j, JournalEntry *entry) {
        for (size_t i = 0; i < j->n_entries; i++)
                if (j->entries[i] == entry) {
                        entry_free(entry);
                        j->n_entries--;
                        memmove(j->entries + i, j->entries + i + 1, (j->n_entries - i) * sizeof(JournalEntry *));
                        return;
                }
}

int journal_mark(JournalEntry *entry, EntryState state, const char *message, const char *hint) {
        _cleanup_free_ char *m = NULL, *h = NULL;
        time_t now = time(NULL);
        struct tm tm;
        char *t;

        if ((message && !(m = strdup(message))) || (hint && !(h = strdup(hint))))
                return -ENOMEM;
        if (!gmtime_r(&now, &tm))
                return -EOVERFLOW;
        t = format("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        if (!t)
                return -ENOMEM;
        free(entry->message);
        free(entry->hint);
        free(entry->time);
        entry->message = TAKE_PTR(m);
        entry->hint = TAKE_PTR(h);
        entry->time = t;
        entry->state = state;
        return 0;
}

const char *object_string(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

bool object_bool(const json_t *object, const char *key) {
        return json_is_true(json_object_get(object, key));
}

static int copy_string(const json_t *object, const char *key, char **ret) {
        const json_t *value = json_object_get(object, key);

        if (!value || json_is_null(value))
                return 0;
        if (!json_is_string(value))
                return -EBADMSG;
        *ret = strdup(json_string_value(value));
        return *ret ? 0 : -ENOMEM;
}

static int entry_from_json(Journal *j, const json_t *object) {
        const char *id = object_string(object, "id"), *state = object_string(object, "state");
        json_t *before = json_object_get(object, "before"), *after = json_object_get(object, "after");
        JournalEntry *entry;
        size_t i;
        int r;

        if (!id || !strchr(id, ':') || !state || journal_find(j, id) || (before && !json_is_object(before)) ||
            (after && !json_is_object(after)))
                return -EBADMSG;
        for (i = 0; i < _ENTRY_STATE_MAX; i++)
                if (streq(state, state_names[i]))
                        break;
        if (i == _ENTRY_STATE_MAX)
                return -EBADMSG;
        entry = journal_add(j, id);
        if (!entry)
                return -ENOMEM;
        entry->state = (EntryState) i;
        entry->before = json_incref(before);
        entry->after = json_incref(after);
        r = copy_string(object, "message", &entry->message);
        if (r >= 0)
                r = copy_string(object, "hint", &entry->hint);
        return r < 0 ? r : copy_string(object, "time", &entry->time);
}

static int journal_from_json(const json_t *root, Journal **ret) {
        _cleanup_(journal_freep) Journal *j = journal_new();
        const json_t *entries = json_object_get(root, "entries");
        json_t *object;
        size_t i;
        int r;

        if (!j)
                return -ENOMEM;
        if (json_integer_value(json_object_get(root, "version")) != JOURNAL_VERSION || !json_is_array(entries))
                return -EBADMSG;
        r = copy_string(root, "release", &j->release);
        if (r < 0)
                return r;
        json_array_foreach(entries, i, object) {
                r = entry_from_json(j, object);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(j);
        return 0;
}

int journal_load(Node *n, Journal **ret, Error *e) {
        _cleanup_free_ char *data = NULL;
        json_error_t where = {};
        struct stat st;
        json_t *root;
        size_t size;
        int r;

        /* What is put back, with root's rights, nobody else may have written. */
        if (node_stat(n, NODE_JOURNAL_PATH, &st) >= 0 && ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0 || !S_ISREG(st.st_mode)))
                return error_hint(e, error_set(e, EPERM, EXIT_INVALID, "%s: not a file that only root can write", NODE_JOURNAL_PATH),
                                  "see what is in it and who changed it; then: chown root %s; chmod 600 %s", NODE_JOURNAL_PATH, NODE_JOURNAL_PATH);
        r = node_read(n, NODE_JOURNAL_PATH, JOURNAL_MAX, &data, &size);
        if (r == -ENOENT || r == -ENOTDIR) {
                *ret = journal_new();
                return *ret ? 0 : error_oom(e);
        }
        if (r < 0)
                return error_hint(e, error_unreadable(e, -r, NODE_JOURNAL_PATH), NOT_OURS);
        root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);
        r = root ? journal_from_json(root, ret) : -EBADMSG;
        json_decref(root);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: not a journal of gn8v-tee: %s", NODE_JOURNAL_PATH,
                                               where.text[0] ? where.text : "wrong version or malformed entry"),
                                  NOT_OURS);
        return 0;
}

static json_t *string_or_null(const char *s) {
        return s ? json_string(s) : json_null();
}

static json_t *entry_to_json(const JournalEntry *entry) {
        json_t *o = json_object();
        bool failed;

        failed = json_object_set_new(o, "id", json_string(entry->id)) < 0 ||
                 json_object_set_new(o, "state", json_string(state_names[entry->state])) < 0 ||
                 json_object_set_new(o, "time", string_or_null(entry->time)) < 0 ||
                 (entry->message && json_object_set_new(o, "message", json_string(entry->message)) < 0) ||
                 (entry->hint && json_object_set_new(o, "hint", json_string(entry->hint)) < 0) ||
                 (entry->before && json_object_set(o, "before", entry->before) < 0) ||
                 (entry->after && json_object_set(o, "after", entry->after) < 0);
        if (!failed)
                return o;
        json_decref(o);
        return NULL;
}

static json_t *journal_to_json(const Journal *j) {
        json_t *entries = json_array(), *root = json_object();
        bool failed = json_object_set_new(root, "version", json_integer(JOURNAL_VERSION)) < 0 ||
                      json_object_set_new(root, "release", string_or_null(j->release)) < 0;

        for (size_t i = 0; i < j->n_entries && !failed; i++)
                failed = json_array_append_new(entries, entry_to_json(j->entries[i])) < 0;
        if (json_object_set_new(root, "entries", entries) >= 0 && !failed)
                return root;
        json_decref(root);
        return NULL;
}

int journal_save(Node *n, Journal *j, Error *e) {
        _cleanup_free_ char *text = NULL, *line = NULL;
        json_t *root;
        int r;

        if (j->n_entries == 0) {
                r = node_remove(n, NODE_JOURNAL_PATH);
                return r < 0 ? error_errno(e, -r, "%s: cannot remove", NODE_JOURNAL_PATH) : 0;
        }
        root = journal_to_json(j);
        if (!root)
                return error_set(e, ENOMEM, EXIT_FAILED, "%s: cannot be written as JSON", NODE_JOURNAL_PATH);
        text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS);
        json_decref(root);
        if (!text || !(line = format("%s\n", text)))
                return error_oom(e);
        if (strlen(line) > JOURNAL_MAX)
                return error_hint(e, error_set(e, EFBIG, EXIT_FAILED, "%s: would be larger than %zu MiB", NODE_JOURNAL_PATH, JOURNAL_MAX >> 20),
                                  "see what is so large or so many in /boot/loader/entries");
        r = node_write(n, NODE_JOURNAL_PATH, line, strlen(line), 0600);
        return r < 0 ? error_errno(e, -r, "%s: cannot write", NODE_JOURNAL_PATH) : 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static json_t *base64_to_json(const unsigned char *data, size_t size) {
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *s = NULL;

        for (size_t i = 0; i < size; i += 3) {
                uint32_t v = (uint32_t) data[i] << 16 | (i + 1 < size ? (uint32_t) data[i + 1] << 8 : 0) | (i + 2 < size ? data[i + 2] : 0);
                char quad[4] = { base64_digits[v >> 18], base64_digits[v >> 12 & 63],
                                 i + 1 < size ? base64_digits[v >> 6 & 63] : '=', i + 2 < size ? base64_digits[v & 63] : '=' };

                text_append_n(&t, quad, sizeof(quad));
        }
        s = text_take(&t);
        return s ? json_pack("{s:s}", "base64", s) : NULL;
}

json_t *bytes_to_json(const char *data, size_t size) {
        json_t *value;

        if (!data)
                return json_null();
        if (!memchr(data, '\0', size)) {
                /* jansson refuses what is not UTF-8. */
                value = json_pack("{s:s%}", "text", data, size);
                if (value)
                        return value;
        }
        return base64_to_json((const unsigned char *) data, size);
}

static int base64_decode(const char *s, char **ret, size_t *ret_size) {
        _cleanup_text_ Text t = {};
        size_t n = strlen(s);

        if (n % 4 != 0)
                return -EBADMSG;
        for (size_t i = 0; i < n; i += 4) {
                uint32_t v = 0;
                unsigned pad = 0;
                char out[3];

                for (size_t k = 0; k < 4; k++) {
                        const char *digit = memchr(base64_digits, s[i + k], 64);

                        if (!digit && (s[i + k] != '=' || i + 4 < n || k < 2))
                                return -EBADMSG;
                        if (digit && pad > 0)
                                return -EBADMSG;
                        pad += !digit;
                        v = v << 6 | (digit ? (uint32_t) (digit - base64_digits) : 0);
                }
                out[0] = (char) (v >> 16 & 255);
                out[1] = (char) (v >> 8 & 255);
                out[2] = (char) (v & 255);
                text_append_n(&t, out, 3 - pad);
        }
        *ret_size = t.size;
        *ret = text_take(&t);
        return *ret ? 0 : -ENOMEM;
}

int bytes_from_json(const json_t *value, char **ret, size_t *ret_size) {
        const char *text = object_string(value, "text"), *base64 = object_string(value, "base64");

        if (json_is_null(value)) {
                *ret = NULL;
                *ret_size = 0;
                return 0;
        }
        if (base64)
                return base64_decode(base64, ret, ret_size);
        if (!text)
                return -EBADMSG;
        *ret = strdup(text);
        *ret_size = strlen(text);
        return *ret ? 0 : -ENOMEM;
}
