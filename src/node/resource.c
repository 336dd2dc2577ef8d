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

int resource_probe(Node *n, Resource *r, Error *e) {
        int k;

        k = r->type->probe(n, r, e);
        if (k < 0)
                return k;
        if (r->action == ACTION_NONE || r->action == ACTION_KEEP || n->environment == ENVIRONMENT_MACHINE)
                return 0;
        if (n->environment == ENVIRONMENT_OSTREE) {
                if (r->type == &kernel_argument_type)
                        k = resource_say(&r->hint, e, "put kargs = [\"%s\"] into /usr/lib/bootc/kargs.d/50-gn8v-tee.toml of the image",
                                         r->wanted);
                else
                        k = resource_say(&r->hint, e, "do it when the image is built: a deployed tree is not changed");
                r->action = ACTION_REFUSE;
                return k;
        }
        if (!r->type->offline)
                r->action = ACTION_DEFER;
        return 0;
}
