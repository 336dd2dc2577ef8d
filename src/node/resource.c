/* SPDX-License-Identifier: Apache-2.0 */
#include "node/resource.h"

#include <stdarg.h>

/* The order in which things are done; revert goes through it backwards. */
const ResourceType *const resource_types[] = {
        &pause_type, &kernel_argument_type, &drop_in_type, &order_type, &enable_type, &module_type, &initramfs_type,
};
const size_t n_resource_types = ELEMENTSOF(resource_types);

static const char *const action_names[_ACTION_MAX] = {
        [ACTION_NONE] = "none",     [ACTION_KEEP] = "keep",        [ACTION_CHANGE] = "change", [ACTION_REVERT] = "revert",
        [ACTION_WAIT] = "wait",     [ACTION_DEFER] = "first-boot", [ACTION_REFUSE] = "not-here",
};

const char *action_to_string(Action a) {
        return action_names[a];
}

Resource *resource_new(const ResourceType *type, const char *name) {
        _cleanup_(resource_freep) Resource *r = calloc(1, sizeof(Resource));

        if (!r)
                return NULL;
        r->type = type;
        r->name = strdup(name);
        r->id = format("%s:%s", type->name, name);
        return r->name && r->id ? TAKE_PTR(r) : NULL;
}

Resource *resource_free(Resource *r) {
        free(r->name);
        free(r->id);
        free(r->wanted);
        free(r->found);
        free(r->note);
        free(r->hint);
        error_clear(&r->error);
        free(r);
        return NULL;
}

int resource_say(char **field, Error *e, const char *fmt, ...) {
        va_list ap;
        char *s;
        int k;

        va_start(ap, fmt);
        k = vasprintf(&s, fmt, ap);
        va_end(ap);
        if (k < 0)
                return error_oom(e);
        free(*field);
        *field = s;
        return 0;
}

Resource *resource_list_add(ResourceList *l, const ResourceType *type, const char *name) {
        _cleanup_(resource_freep) Resource *r = resource_new(type, name);
        Resource **grown;

        if (!r)
                return NULL;
        grown = reallocarray(l->resources, l->n + 1, sizeof(Resource *));
        if (!grown)
                return NULL;
        l->resources = grown;
        return l->resources[l->n++] = TAKE_PTR(r);
}

Resource *resource_list_find(const ResourceList *l, const char *id) {
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->resources[i]->id, id))
                        return l->resources[i];
        return NULL;
}

void resource_list_free(ResourceList *l) {
        for (size_t i = 0; i < l->n; i++)
                resource_free(l->resources[i]);
        free(l->resources);
        *l = (ResourceList){};
}

const ResourceType *resource_type_of(const char *id, const char **ret_name) {
        for (size_t i = 0; i < n_resource_types; i++) {
                const char *rest = startswith(id, resource_types[i]->name);

                if (rest && *rest == ':' && rest[1]) {
                        *ret_name = rest + 1;
                        return resource_types[i];
                }
        }
        return NULL;
}

bool kernel_name_is_valid(const char *kernel) {
        return *kernel && strlen(kernel) < 256 && !strchr("-.", *kernel) &&
               kernel[strspn(kernel, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~-")] == '\0';
}

bool bytes_are_valid(const json_t *value) {
        _cleanup_free_ char *bytes = NULL;
        size_t size;

        return !value || bytes_from_json(value, &bytes, &size) >= 0;
}

bool string_or_nothing(const json_t *value) {
        return !value || json_is_null(value) || json_is_string(value);
}

int resource_check_journal(const Journal *j, Error *e) {
        for (size_t i = 0; i < j->n_entries; i++) {
                const JournalEntry *entry = j->entries[i];
                const char *name;
                const ResourceType *type = resource_type_of(entry->id, &name);

                if (!type)
                        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: %s: no such type", NODE_JOURNAL_PATH, entry->id),
                                          "a newer gn8v-tee wrote it: install that one again");
                if (!type->check(name, entry))
                        return error_hint(e, error_set(e, EBADMSG, EXIT_INVALID, "%s: %s: gn8v-tee cannot have written this", NODE_JOURNAL_PATH, entry->id),
                                          "see who changed that file; restore it from a backup, or move it away and undo by hand");
        }
        return 0;
}

int resource_probe(Node *n, Resource *r, Error *e) {
        int k;

        k = r->type->probe(n, r, e);
        if (k < 0)
                return k;
        if (r->action == ACTION_NONE || r->action == ACTION_KEEP || n->environment == ENVIRONMENT_MACHINE)
                return 0;
        if (n->environment == ENVIRONMENT_OSTREE) {
                if (r->type == &kernel_argument_type && node_exists(n, "/usr/lib/bootc/kargs.d/50-gn8v-tee.toml"))
                        k = resource_say(&r->hint, e, "/usr/lib/bootc/kargs.d/50-gn8v-tee.toml of the image has it: bootc upgrade, or bootc switch, and reboot; "
                                                      "without bootc: rpm-ostree kargs --append-if-missing=%s", r->wanted);
                else if (r->type == &kernel_argument_type)
                        k = resource_say(&r->hint, e, "put kargs = [\"%s\"] into /usr/lib/bootc/kargs.d/50-gn8v-tee.toml of the image", r->wanted);
                else if (r->type == &module_type)
                        k = resource_say(&r->hint, e, "when the image is built: dkms install -m nvidia -v %s -k %s", r->wanted, r->name);
                else if (r->type == &initramfs_type)
                        k = resource_say(&r->hint, e, "when the image is built: dracut -f /usr/lib/modules/%s/initramfs.img %s", r->name, r->name);
                else
                        k = resource_say(&r->hint, e, "when the image is built: a deployed tree is not changed");
                r->action = ACTION_REFUSE;
                return k;
        }
        if (!r->type->offline)
                r->action = ACTION_DEFER;
        return 0;
}
