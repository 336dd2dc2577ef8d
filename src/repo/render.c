/* SPDX-License-Identifier: Apache-2.0 */
/* The metapackage's files: what the release file says, in the formats of modprobe, dracut, systemd, pip and dnf. */
#include <fcntl.h>

#include "basic/fs.h"
#include "repo/place.h"

#define PERSISTENCED "nvidia-persistenced.service"
#define FABRIC       "nvidia-fabricmanager.service"
#define DROP_IN      "/usr/lib/systemd/system/%s.d/50-gn8v-tee.conf"
#define LKCA         "/usr/lib/modprobe.d/nvidia-lkca.conf"

typedef struct Render {
        const Release *release;
        Plan *plan;
} Render;

static int put(Render *r, const char *path, Text *t, Error *e) {
        _cleanup_free_ char *s = text_take(t);

        if (!s)
                return error_oom(e);
        return plan_text(r->plan, PACKAGE_META, path, 0644, s, strlen(s), NULL, e);
}

/* The very bytes: what is installed can be compared with what was reviewed. */
static int release_file(Render *r, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int k = read_file(AT_FDCWD, r->release->path, 256 * 1024, &data, &size);

        if (k < 0)
                return error_errno(e, -k, "%s", r->release->path);
        return plan_text(r->plan, PACKAGE_META, RELEASE_INSTALLED_PATH, 0644, data, size, NULL, e);
}

static bool has_modprobe(const Release *l) {
        return l->load_before || l->module_options || l->soft_dependencies;
}

static int modprobe(Render *r, Error *e) {
        const Release *l = r->release;
        _cleanup_text_ Text t = {};

        if (!has_modprobe(l))
                return 0;
        text_append(&t, "# The nvidia module talks to the GPU through the kernel's crypto: those modules come first.\n");
        if (l->soft_dependencies) {
                _cleanup_free_ char *s = strv_join(l->soft_dependencies, " ");
                if (!s)
                        return error_oom(e);
                text_printf(&t, "softdep nvidia pre: %s\n", s);
        }
        if (l->load_before) {
                text_append(&t, "install nvidia ");
                STRV_FOREACH(s, l->load_before)
                        text_printf(&t, "/sbin/modprobe %s; ", *s);
                text_append(&t, "/sbin/modprobe --ignore-install nvidia $CMDLINE_OPTS\n");
        }
        STRV_FOREACH(s, l->module_options)
                text_printf(&t, "options nvidia %s\n", *s);
        return put(r, LKCA, &t, e);
}

static int dracut(Render *r, Error *e) {
        const Release *l = r->release;
        _cleanup_text_ Text t = {};

        if (!l->initramfs_modules && !has_modprobe(l))
                return 0;
        if (l->initramfs_modules) {
                _cleanup_free_ char *s = strv_join(l->initramfs_modules, " ");
                if (!s)
                        return error_oom(e);
                text_printf(&t, "add_drivers+=\" %s \"\n", s);
        }
        if (has_modprobe(l))
                text_append(&t, "install_items+=\" " LKCA " \"\n");
        return put(r, "/usr/lib/dracut/dracut.conf.d/50-gn8v-tee.conf", &t, e);
}

/* Before=: the profile's, and every client's, so that the order holds even for a client whose own drop-in is overridden. */
static void order(const Release *l, Text *t) {
        if (l->persistenced_before || l->clients) {
                text_append(t, "Before=");
                STRV_FOREACH(s, l->persistenced_before)
                        text_printf(t, "%s%s", s == l->persistenced_before ? "" : " ", *s);
                STRV_FOREACH(s, l->clients)
                        if (!strv_contains(l->persistenced_before, *s))
                                text_printf(t, "%s%s", s == l->clients && !l->persistenced_before ? "" : " ", *s);
                text_append(t, "\n");
        }
        if (l->persistenced_after) {
                text_append(t, "After=");
                STRV_FOREACH(s, l->persistenced_after)
                        text_printf(t, "%s%s", s == l->persistenced_after ? "" : " ", *s);
                text_append(t, "\n");
        }
}

static int drop_in(Render *r, const char *unit, Text *t, Error *e) {
        _cleanup_free_ char *path = format(DROP_IN, unit);
        return path ? put(r, path, t, e) : error_oom(e);
}

static int persistenced(Render *r, Error *e) {
        const Release *l = r->release;
        _cleanup_text_ Text t = {};

        text_append(&t, "[Unit]\nConditionPathExists=!" RELEASE_REBOOT_FIRST_PATH "\n");
        order(l, &t);
        text_append(&t, "\n[Service]\n");
        if (l->persistenced_options && *l->persistenced_options)
                text_printf(&t, "ExecStart=\nExecStart=/usr/bin/nvidia-persistenced %s\n", l->persistenced_options);
        /* With "-": a failure here must not end the daemon, for the GPUs' session would end with it, and only a reset makes another. */
        if (l->set_ready)
                text_append(&t, "ExecStartPost=-/usr/bin/nvidia-smi conf-compute -srs 1\n");
        if (l->timeout_start_sec)
                text_printf(&t, "TimeoutStartSec=%s\n", l->timeout_start_sec);
        if (l->timeout_stop_sec)
                text_printf(&t, "TimeoutStopSec=%s\n", l->timeout_stop_sec);
        return drop_in(r, PERSISTENCED, &t, e);
}

/* Whether a vendor RPM of the release brings the fabric manager: its name was changed by NVIDIA once. */
static bool has_fabric_manager(const Release *l) {
        for (size_t i = 0; i < l->n_artifacts; i++) {
                const Artifact *a = l->artifacts[i];
                if (a->kind == ARTIFACT_RPM && a->package &&
                    (startswith(a->package, "nvidia-fabric-manager") || startswith(a->package, "nvidia-fabricmanager")))
                        return true;
        }
        return false;
}

static int fabric_manager(Render *r, Error *e) {
        _cleanup_text_ Text t = {};

        if (!has_fabric_manager(r->release))
                return 0;
        text_append(&t, "[Unit]\nConditionPathExists=!" RELEASE_REBOOT_FIRST_PATH "\nBefore=" PERSISTENCED "\n");
        return drop_in(r, FABRIC, &t, e);
}

static int clients(Render *r, Error *e) {
        STRV_FOREACH(s, r->release->clients) {
                _cleanup_text_ Text t = {};
                int k;

                text_append(&t, "# The first process that opens a GPU must be the persistence daemon.\n[Unit]\nAfter=" PERSISTENCED " " RELEASE_GATE_UNIT "\n");
                if ((k = drop_in(r, *s, &t, e)) < 0)
                        return k;
        }
        return 0;
}

static int preset(Render *r, Error *e) {
        _cleanup_text_ Text t = {};

        text_append(&t, "enable " PERSISTENCED "\n");
        if (has_fabric_manager(r->release))
                text_append(&t, "enable " FABRIC "\n");
        return put(r, "/usr/lib/systemd/system-preset/70-gn8v-tee.preset", &t, e);
}

static int verifier(Render *r, Error *e) {
        const Release *l = r->release;
        _cleanup_text_ Text t = {};

        if (!l->verifier_wheels)
                return 0;
        text_append(&t, "# pip install -r " "/usr/share/gn8v-tee/verifier-requirements.txt\n");
        if (l->verifier_index)
                text_printf(&t, "--find-links %s\n", l->verifier_index);
        STRV_FOREACH(s, l->verifier_wheels)
                text_printf(&t, "%s\n", *s);
        return put(r, "/usr/share/gn8v-tee/verifier-requirements.txt", &t, e);
}

/* dnf needs-restarting says "reboot" after an upgrade of any of these. */
static int needs_restarting(Render *r, Error *e) {
        const Release *l = r->release;
        _cleanup_text_ Text t = {};
        _cleanup_free_ char *profile = release_metapackage(l);
        _cleanup_strv_ char **names = NULL;

        if (!profile)
                return error_oom(e);
        /* A new release may differ in its kernel arguments alone. The plugin takes each line for a name: no comment can stand here. */
        text_printf(&t, "%s\n", profile);
        for (size_t i = 0; i < l->n_artifacts; i++) {
                const Artifact *a = l->artifacts[i];
                int k;

                if (a->kind != ARTIFACT_DRIVER && a->kind != ARTIFACT_RPM)
                        continue;
                names = strv_free(names);
                if ((k = artifact_packages(a, &names)) < 0)
                        return error_errno(e, -k, "%s", l->path);
                STRV_FOREACH(s, names)
                        text_printf(&t, "%s\n", *s);
        }
        return put(r, "/etc/dnf/plugins/needs-restarting.d/gn8v-tee.conf", &t, e);
}

/* bootc takes a deployment's kernel arguments from its image; where there is no bootc nobody reads this. A TOML basic string: no type of a
 * release file lets a quote or a backslash through. */
static int bootc(Render *r, Error *e) {
        _cleanup_text_ Text t = {};

        if (!r->release->kernel_arguments)
                return 0;
        text_append(&t, "# Kernel arguments of this release, for image mode (bootc); elsewhere 'gn8v-tee apply' sets them.\nkargs = [");
        STRV_FOREACH(s, r->release->kernel_arguments)
                text_printf(&t, "%s\"%s\"", s == r->release->kernel_arguments ? "" : ", ", *s);
        text_append(&t, "]\nmatch-architectures = [\"x86_64\"]\n");
        return put(r, "/usr/lib/bootc/kargs.d/50-gn8v-tee.toml", &t, e);
}

/* Here and not in the toolkit's package: two toolkits can be installed together, but only one profile, which says which one is meant. */
static int toolkit_link(Render *r, Error *e) {
        const Artifact *a = release_artifact_of_kind(r->release, ARTIFACT_CUDA);
        _cleanup_free_ char *version = a ? version_major_minor(a->version) : NULL, *target = NULL;
        char *dash;

        if (!a)
                return 0;
        if (version && (dash = strchr(version, '-')))
                *dash = '.';
        if (!version || !(target = format("cuda-%s", version)))
                return error_oom(e);
        return plan_link(r->plan, PACKAGE_META, 0, "/usr/local/cuda", target, e);
}

static int render(Render *r, Error *e) {
        static int (*const parts[])(Render *r, Error *e) = {
                release_file, modprobe, dracut, persistenced, fabric_manager, clients, preset, verifier, needs_restarting, bootc,
                toolkit_link,
        };
        int k;

        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if ((k = parts[i](r, e)) < 0)
                        return k;
        for (size_t i = 0; i < r->plan->n; i++)
                r->plan->v[i].config = startswith(r->plan->v[i].path, "/etc/");
        return plan_finish(r->plan, e);
}

int render_describe(const Release *r, WrapList **ret, Error *e) {
        _cleanup_plan_ Plan plan = { .origin = r->path };
        int k = render(&(Render){ .release = r, .plan = &plan }, e);

        return k < 0 ? k : place_describe(&plan, -1, ret, e);
}

int render_place(const Release *r, const char *into, const char *lists, WrapSummary *ret_summary, Error *e) {
        static const char *const packages[] = { PACKAGE_META, NULL };
        _cleanup_plan_ Plan plan = { .origin = r->path };
        _cleanup_close_ int root_fd = -1;
        int k;

        if ((k = render(&(Render){ .release = r, .plan = &plan }, e)) < 0)
                return k;
        if ((k = mkdir_parents(AT_FDCWD, into, 0755)) < 0)
                return error_errno(e, -k, "%s", into);
        root_fd = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return error_errno(e, errno, "%s", into);
        if ((k = place_write(&plan, NULL, root_fd, into, -1, e)) < 0 || (k = place_lists(&plan, packages, lists, e)) < 0)
                return k;
        if (ret_summary)
                place_summary(&plan, -1, ret_summary);
        return 0;
}
