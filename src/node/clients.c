/* SPDX-License-Identifier: Apache-2.0 */
#include "node/clients.h"

#include <fcntl.h>

#include "basic/fs.h"
#include "node/elf-needed.h"
#include "node/journal.h"
#include "node/order.h"
#include "node/resource.h"
#include "node/unit-name.h"

#define CONFIG_MAX ((size_t) 1024 * 1024)

static const char *const libraries[] = {
        "libcuda.so", "libcudart.so", "libnvidia-", "libcublas", "libcudnn", "libnccl.so", "libnvrtc.so", "libnvcuvid.so", "libdcgm.so",
};
/* Words of a command that mean a GPU, whatever the program. */
static const char *const words[] = { "nvidia-smi", "nvidia-ctk", "nv-hostengine", "dcgm-exporter", "nvidia.com/gpu", "--gpus" };

void clients_free(Clients *c) {
        for (size_t i = 0; i < c->n; i++) {
                free(c->v[i].unit);
                strv_free(c->v[i].why);
        }
        free(c->v);
        *c = (Clients){};
}

/* The client of that name, a new one if there is none; NULL when out of memory. */
static Client *client_for(Clients *c, const char *unit) {
        Client *grown;

        for (size_t i = 0; i < c->n; i++)
                if (streq(c->v[i].unit, unit))
                        return &c->v[i];
        grown = reallocarray(c->v, c->n + 1, sizeof(Client));
        if (!grown)
                return NULL;
        c->v = grown;
        grown[c->n] = (Client){ .unit = strdup(unit) };
        return grown[c->n].unit ? &grown[c->n++] : NULL;
}

static int because(Client *c, const char *reason) {
        return strv_contains(c->why, reason) ? 0 : strv_append(&c->why, reason);
}

/* The persistence daemon and what works for it are no clients: they bring the GPUs up. */
static bool is_ours(const char *unit) {
        static const char *const ours[] = { PERSISTENCED_UNIT, FABRICMANAGER_UNIT, "gn8v-tee-apply.service" };

        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                if (streq(unit, ours[i]))
                        return true;
        return false;
}

typedef struct Look {
        Node *node;
        Client *client;
} Look;

/* The library that makes the program a GPU program, if it is an ELF file that has one. */
static int look_at_program(Look *l, const char *path) {
        _cleanup_strv_ char **needed = NULL;
        _cleanup_close_ int fd = -1;
        struct stat st;

        fd = open_in_root(l->node->root_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || elf_needed(fd, &needed) < 0)
                return 0;
        STRV_FOREACH(name, needed)
                for (size_t i = 0; i < ELEMENTSOF(libraries); i++)
                        if (startswith(*name, libraries[i])) {
                                _cleanup_free_ char *reason = format("%s is linked with %s", path, *name);

                                return reason ? because(l->client, reason) : -ENOMEM;
                        }
        return 0;
}

static int look_at_command(Look *l, char *value) {
        char *save = NULL, *first = NULL;

        value += strspn(value, "@-:+!|");
        for (char *w = strtok_r(value, " \t\"'", &save); w; w = strtok_r(NULL, " \t\"'", &save)) {
                if (!first)
                        first = w;
                for (size_t i = 0; i < ELEMENTSOF(words); i++)
                        if (streq(path_basename(w), words[i]) || startswith(w, words[i])) {
                                _cleanup_free_ char *reason = format("its command names %s", words[i]);

                                if (!reason || because(l->client, reason) < 0)
                                        return -ENOMEM;
                        }
        }
        return first && *first == '/' ? look_at_program(l, first) : 0;
}

static int on_assignment(const char *section, const char *key, char *value, void *userdata) {
        _cleanup_free_ char *reason = NULL;
        Look *l = userdata;

        if (!streq(section, "Service"))
                return 0;
        if (startswith(key, "Exec"))
                return look_at_command(l, value);
        if (streq(key, "DeviceAllow") && (startswith(value, "/dev/nvidia") || startswith(value, "char-nvidia"))) {
                reason = format("DeviceAllow=%.*s", (int) strcspn(value, " \t"), value);
                return reason ? because(l->client, reason) : -ENOMEM;
        }
        if (streq(key, "Environment") && (strstr(value, "CUDA_VISIBLE_DEVICES=") || strstr(value, "NVIDIA_VISIBLE_DEVICES=")))
                return because(l->client, "its environment chooses GPUs");
        return 0;
}

/* Whether a container engine's settings name NVIDIA's runtime: JSON, TOML, one word is enough. */
static bool has_runtime(Node *n, const char *path) {
        _cleanup_free_ char *text = NULL;

        return node_read(n, path, CONFIG_MAX, &text, NULL) >= 0 && strstr(text, "nvidia-container-runtime");
}

static int look_at_engines(Node *n, Client *c) {
        static const struct { const char *unit, *file, *directory; } engines[] = {
                { "docker.service", "/etc/docker/daemon.json", NULL },
                { "containerd.service", "/etc/containerd/config.toml", "/etc/containerd/conf.d" },
                { "crio.service", "/etc/crio/crio.conf", "/etc/crio/crio.conf.d" },
        };

        for (size_t i = 0; i < ELEMENTSOF(engines); i++) {
                _cleanup_strv_ char **files = NULL;
                bool found;

                if (!streq(c->unit, engines[i].unit))
                        continue;
                found = has_runtime(n, engines[i].file);
                if (engines[i].directory && node_list(n, engines[i].directory, &files) < 0)
                        return -ENOMEM;
                STRV_FOREACH(name, files) {
                        _cleanup_free_ char *path = format("%s/%s", engines[i].directory, *name);

                        found = found || (path && has_runtime(n, path));
                }
                if (found)
                        return because(c, "its containers get GPUs from NVIDIA's runtime");
        }
        return 0;
}

/* A service that is started at boot, by itself or by what starts it. */
static int add_wanted(Node *n, Clients *c, const char *unit) {
        _cleanup_free_ char *real = NULL, *triggered = NULL;
        const char *service;
        Client *client;
        int k;

        k = unit_real_name(n, unit, &real);
        if (k >= 0)
                k = unit_triggered(n, real, &triggered);
        if (k < 0)
                return k;
        service = triggered ? triggered : real;
        if (!unit_name_is_valid(service) || !endswith(service, ".service") || is_ours(service))
                return 0;
        client = client_for(c, service);
        if (!client)
                return -ENOMEM;
        client->enablement = UNIT_ENABLED;
        return 0;
}

static int add_process(const char *unit, const char *what, void *userdata) {
        Clients *c = userdata;
        Client *client = is_ours(unit) ? NULL : client_for(c, unit);

        return is_ours(unit) ? 0 : client ? because(client, what) : -ENOMEM;
}

static int add_known(Node *n, Clients *c) {
        STRV_FOREACH(unit, n->release ? n->release->clients : NULL) {
                Client *client;
                Enablement state;
                int k = unit_enablement(n, *unit, &state);

                if (k < 0)
                        return k;
                if (state == UNIT_ABSENT || state == UNIT_MASKED || state == UNIT_DISABLED)
                        continue;
                client = client_for(c, *unit);
                if (!client || because(client, "the release knows it") < 0)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < n->journal->n_entries; i++) {
                const char *unit;
                Client *client;

                if (resource_type_of(n->journal->entries[i]->id, &unit) != &order_type)
                        continue;
                client = client_for(c, unit);
                if (!client)
                        return -ENOMEM;
                client->asked = true;
        }
        return 0;
}

static int judge(Node *n, Client *c) {
        Look look = { .node = n, .client = c };
        Enablement state;
        int k;

        k = unit_read(n, c->unit, on_assignment, &look);
        if (k >= 0)
                k = look_at_engines(n, c);
        if (k >= 0)
                k = unit_enablement(n, c->unit, &state);
        if (k >= 0 && (c->enablement != UNIT_ENABLED || state == UNIT_MASKED))
                c->enablement = state;
        if (k >= 0)
                k = unit_is_ordered(n, c->unit, PERSISTENCED_UNIT, &c->ordered);
        if (k < 0)
                return k;
        if (c->ordered)
                c->by = c->asked                                                    ? "gn8v-tee order"
                        : n->release && strv_contains(n->release->clients, c->unit) ? "the release"
                                                                                    : "its own files";
        return 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(((const Client *) a)->unit, ((const Client *) b)->unit);
}

/* Only what looks like a client stays, and what the administrator takes for one. */
static void drop_others(Clients *c) {
        size_t kept = 0;

        for (size_t i = 0; i < c->n; i++) {
                Client *client = &c->v[i];

                if (client->why || client->asked)
                        c->v[kept++] = *client;
                else
                        free(client->unit);
        }
        c->n = kept;
        if (kept > 0)
                qsort(c->v, kept, sizeof(Client), compare);
}

int clients_find(Node *n, Clients *ret, Error *e) {
        _cleanup_clients_ Clients c = {};
        _cleanup_strv_ char **wanted = NULL;
        int k;

        k = units_wanted(n, &wanted);
        STRV_FOREACH(unit, wanted)
                if (k >= 0 && (k = add_wanted(n, &c, *unit)) == -EACCES)
                        k = 0;
        if (k >= 0)
                k = add_known(n, &c);
        if (k >= 0)
                k = gpu_processes(n, add_process, &c, &c.hidden);
        /* What only root can read stays as far as it is known. */
        for (size_t i = 0; i < c.n && k >= 0; i++)
                if ((k = judge(n, &c.v[i])) == -EACCES)
                        k = 0;
        if (k < 0)
                return error_errno(e, -k, "the units cannot be looked at");
        drop_others(&c);
        *ret = c;
        c = (Clients){};
        return 0;
}
