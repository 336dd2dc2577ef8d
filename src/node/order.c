/* SPDX-License-Identifier: Apache-2.0 */
#include "node/order.h"

#include "basic/fs.h"
#include "node/unit-name.h"
#include "node/units.h"

#define LINKS_MAX 8

/* The link that a name is, wherever it leads: systemd goes by the name at its end. NULL: a file, masked, or not there. */
static char *unit_link(Node *n, const char *unit) {
        for (size_t i = 0; i < n_unit_dirs; i++) {
                _cleanup_free_ char *path = format("%s/%s", unit_dirs[i], unit), *target = NULL;
                int k = path ? node_readlink(n, path, &target) : -ENOMEM;

                if (k >= 0)
                        return TAKE_PTR(target);
                if (k == -EINVAL) /* a file */
                        return NULL;
        }
        return NULL;
}

int unit_real_name(Node *n, const char *unit, char **ret) {
        _cleanup_free_ char *name = strdup(unit);

        for (unsigned i = 0; name && i < LINKS_MAX; i++) {
                _cleanup_free_ char *target = unit_link(n, name), *template = unit_name_template(name);
                const char *base = target ? path_basename(target) : "";

                /* foo@bar.service is a link to its template without being another name for it. */
                if (!unit_name_is_valid(base) || streq(base, name) || (template && streq(base, template)))
                        break;
                free(name);
                name = strdup(base);
        }
        *ret = TAKE_PTR(name);
        return *ret ? 0 : -ENOMEM;
}

typedef struct Trigger {
        char *unit;
        bool accept; /* a socket that starts an instance for each connection */
} Trigger;

static int on_trigger(const char *section, const char *key, char *value, void *userdata) {
        Trigger *t = userdata;

        if (streq(section, "Socket") && streq(key, "Accept"))
                t->accept = streq(value, "yes") || streq(value, "true") || streq(value, "1") || streq(value, "on");
        else if ((streq(section, "Socket") && streq(key, "Service")) ||
                 (streq(key, "Unit") && (streq(section, "Timer") || streq(section, "Path")))) {
                free(t->unit);
                t->unit = strdup(value);
                return t->unit ? 0 : -ENOMEM;
        }
        return 0;
}

int unit_triggered(Node *n, const char *unit, char **ret) {
        const char *suffix = unit_name_suffix(unit);
        Trigger t = {};
        int k;

        if (!suffix || !(streq(suffix, ".timer") || streq(suffix, ".socket") || streq(suffix, ".path"))) {
                *ret = NULL;
                return 0;
        }
        k = unit_read(n, unit, on_trigger, &t);
        if (k >= 0 && !t.unit) {
                t.unit = t.accept ? unit_name_with_suffix(unit, "@.service") : unit_name_with_suffix(unit, ".service");
                k = t.unit ? 0 : -ENOMEM;
        }
        if (k < 0) {
                free(t.unit);
                return k;
        }
        *ret = t.unit;
        return 0;
}

/* "a starts after b, and that after c" */
static char *chain_words(char *const *chain) {
        _cleanup_text_ Text t = {};

        text_printf(&t, "%s starts after %s", chain[0], chain[1]);
        for (size_t i = 2; chain[i]; i++)
                text_printf(&t, ", that after %s", chain[i]);
        return text_take(&t);
}

static int refuse_loop(const UnitGraph *graph, const char *unit, Error *e) {
        _cleanup_strv_ char **chain = NULL;
        _cleanup_free_ char *words = NULL;
        int k;

        if (streq(unit, PERSISTENCED_UNIT))
                return error_hint(
                        e, error_set(e, ELOOP, EXIT_FAILED, "%s: would make a loop: it is the unit that the others start after", unit),
                        "name a unit that uses the GPU; see: gn8v-tee order list");
        k = unit_graph_chain(graph, PERSISTENCED_UNIT, unit, &chain);
        /* FabricManager comes first even where no file says so yet. */
        if (k >= 0 && !chain && streq(unit, FABRICMANAGER_UNIT) &&
            (strv_append(&chain, PERSISTENCED_UNIT) < 0 || strv_append(&chain, unit) < 0))
                k = -ENOMEM;
        if (k < 0)
                return error_oom(e);
        if (!chain)
                return 0;
        words = chain_words(chain);
        if (!words)
                return error_oom(e);
        return error_hint(
                e, error_set(e, ELOOP, EXIT_FAILED, "%s: would make a loop, in which systemd drops a unit from the boot: %s", unit, words),
                "order the unit that uses the GPU instead; see: gn8v-tee order list");
}

/* A word without a suffix is a service, as for systemctl. */
static int complete_name(const char *word, char **ret, Error *e) {
        _cleanup_free_ char *name = unit_name_suffix(word) ? strdup(word) : format("%s.service", word);
        static const char *const allowed[] = { ".service", ".timer", ".socket", ".path", ".target" };
        const char *suffix;

        if (!name)
                return error_oom(e);
        if (!unit_name_is_valid(name))
                return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "'%.300s' is no name of a unit", word),
                                  "names have letters, digits and :-_.\\@, as in: gn8v-tee order add ollama.service");
        suffix = unit_name_suffix(name);
        for (size_t i = 0; i < ELEMENTSOF(allowed); i++)
                if (streq(suffix, allowed[i])) {
                        *ret = TAKE_PTR(name);
                        return 0;
                }
        return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s: a %s unit opens no GPU", name, suffix + 1), "name the service that does");
}

static int describe(Node *n, const char *asked, const char *unit, char **ret_note) {
        _cleanup_free_ char *path = NULL, *template = unit_name_template(unit);
        _cleanup_text_ Text t = {};
        bool masked = false;
        int k;

        k = unit_path(n, unit, &path, &masked);
        if (k >= 0 && !path && template)
                k = unit_path(n, template, &path, &masked);
        if (k < 0)
                return k;
        if (!streq(asked, unit))
                text_printf(&t, "%s is ordered in place of %s%s", unit, asked,
                            unit_name_suffix(asked) && streq(unit_name_suffix(asked), ".service") ? ", another name of it"
                                                                                                  : ", which starts it");
        if (!path || masked)
                text_printf(&t, "%s%s %s", t.size > 0 ? "; " : "", unit,
                            masked ? "is masked: it does not start" : "does not exist (yet): this takes effect once it does");
        if (t.size == 0) {
                *ret_note = NULL;
                return 0;
        }
        *ret_note = text_take(&t);
        return *ret_note ? 0 : -ENOMEM;
}

int order_resolve(Node *n, const UnitGraph *graph, const char *word, char **ret_unit, char **ret_note, Error *e) {
        _cleanup_free_ char *name = NULL, *real = NULL, *triggered = NULL, *unit = NULL;
        int k;

        k = complete_name(word, &name, e);
        if (k < 0)
                return k;
        k = unit_real_name(n, name, &real);
        if (k >= 0)
                k = unit_triggered(n, real, &triggered);
        if (k < 0)
                return error_errno(e, -k, "%s: its files cannot be read", name);
        if (triggered && !unit_name_is_valid(triggered))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: starts '%.300s', which is no name of a unit", real, triggered);
        if (triggered)
                k = unit_real_name(n, triggered, &unit);
        else
                unit = TAKE_PTR(real);
        if (k < 0 || !unit)
                return error_oom(e);
        k = graph ? refuse_loop(graph, unit, e) : 0;
        if (k < 0)
                return k;
        k = describe(n, name, unit, ret_note);
        if (k < 0)
                return error_errno(e, -k, "%s: its files cannot be read", unit);
        *ret_unit = TAKE_PTR(unit);
        return 0;
}
