/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver's packages have beside the archive's files: units, modprobe and dracut configuration, dkms.conf, the preflight. */
#include "repo/driver-manifest.h"
#include "repo/wrap-kind.h"

/* A later .run refuses to install over the RPMs when this file exists. */
static int alternate_install(WrapContext *c, Error *e) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_text_ Text t = {};

        if (artifact_packages(c->artifact, &names) < 0)
                return error_oom(e);
        text_printf(&t, "The NVIDIA driver of this machine is owned by RPM packages: %s. Remove those first.\n", names[0]);
        return wrap_text(c, PACKAGE_DRIVER, "/usr/lib/nvidia/alternate-install-present", 0644, &t, e);
}

static int persistenced_unit(WrapContext *c, Error *e) {
        _cleanup_text_ Text t = {};

        text_append(&t, "# What a profile adds (options, order, ready state) is in nvidia-persistenced.service.d/50-gn8v-tee.conf.\n"
                        "[Unit]\n"
                        "Description=NVIDIA Persistence Daemon\n\n"
                        "[Service]\n"
                        "Type=forking\n"
                        "ExecStart=/usr/bin/nvidia-persistenced --user root\n"
                        "ExecStopPost=/bin/rm -rf /var/run/nvidia-persistenced\n\n"
                        "[Install]\n"
                        "WantedBy=multi-user.target\n");
        return wrap_text(c, PACKAGE_DRIVER, "/usr/lib/systemd/system/nvidia-persistenced.service", 0644, &t, e);
}

static int blacklist(WrapContext *c, Error *e) {
        _cleanup_text_ Text t = {};

        if (!c->release->blacklist)
                return 0;
        text_append(&t, "# These drivers would take the GPU before nvidia does.\n");
        STRV_FOREACH(s, c->release->blacklist)
                text_printf(&t, "blacklist %s\ninstall %s /bin/false\n", *s, *s);
        return wrap_text(c, PACKAGE_DRIVER, "/usr/lib/modprobe.d/gn8v-tee-nouveau.conf", 0644, &t, e);
}

/* The initramfs must hold neither what is blacklisted nor nvidia's modules: they would start without what modprobe.d says. */
static int dracut(WrapContext *c, Error *e) {
        _cleanup_text_ Text t = {};

        text_append(&t, "# The GPU's drivers are loaded from the root file system, with the options that are there.\nomit_drivers+=\"");
        STRV_FOREACH(s, c->release->blacklist)
                text_printf(&t, " %s", *s);
        text_append(&t, " nvidia nvidia-uvm nvidia-modeset nvidia-drm nvidia-peermem \"\n");
        return wrap_text(c, PACKAGE_DRIVER, "/usr/lib/dracut/dracut.conf.d/50-gn8v-tee-driver.conf", 0644, &t, e);
}

/* The one link that NVIDIA's installer makes without a line in its list: where programs of the Linux Standard Base look for libGL. */
static int libgl_link(WrapContext *c, Error *e) {
        if (!plan_find(c->plan, "/usr/lib64/libGL.so.1") || plan_find(c->plan, "/usr/lib/libGL.so.1"))
                return 0;
        return plan_link(c->plan, PACKAGE_DRIVER, 0, "/usr/lib/libGL.so.1", "/usr/lib64/libGL.so.1", e);
}

int driver_extras(WrapContext *c, Error *e) {
        int r;

        if ((r = libgl_link(c, e)) < 0 || (r = alternate_install(c, e)) < 0 || (r = persistenced_unit(c, e)) < 0 || (r = blacklist(c, e)) < 0)
                return r;
        return dracut(c, e);
}

static char *source_path(const WrapContext *c, const char *name) {
        return format("/usr/src/nvidia-%s/%s", c->artifact->version, name);
}

/* dkms ignores the status of PRE_BUILD in the versions that EL8 and Debian have, so that MAKE runs the preflight: it must be able to stop
 * the build. The quoted 'make' keeps dkms from adding KERNELRELEASE, which NVIDIA's Makefile takes for a call from Kbuild. Nothing is to be
 * cleaned: each build is in a new copy of the source; and dkms 3.1.8 complains about any CLEAN but "true". */
static int dkms_conf(WrapContext *c, char *const *modules, Error *e) {
        _cleanup_free_ char *path = source_path(c, "dkms.conf");
        _cleanup_text_ Text t = {};
        unsigned i = 0;

        if (!path)
                return error_oom(e);
        text_printf(&t, "PACKAGE_NAME=\"nvidia\"\n"
                        "PACKAGE_VERSION=\"%s\"\n"
                        "AUTOINSTALL=\"yes\"\n"
                        "NO_WEAK_MODULES=\"yes\"\n"
                        "MAKE[0]=\"./gn8v-tee-preflight ${kernelver} ${kernel_source_dir} && 'make' -j$(nproc) KERNEL_UNAME=${kernelver} "
                        "SYSSRC=${kernel_source_dir} IGNORE_XEN_PRESENCE=1 IGNORE_PREEMPT_RT_PRESENCE=1 IGNORE_CC_MISMATCH=1 modules\"\n"
                        "CLEAN=\"true\"\n",
                    c->artifact->version);
        STRV_FOREACH(s, modules) {
                text_printf(&t, "BUILT_MODULE_NAME[%u]=\"%s\"\nDEST_MODULE_LOCATION[%u]=\"/extra\"\n", i, *s, i);
                i++;
        }
        return wrap_text(c, PACKAGE_KMOD, path, 0644, &t, e);
}

static int preflight(WrapContext *c, Error *e) {
        _cleanup_free_ char *path = source_path(c, "gn8v-tee-preflight");
        _cleanup_text_ Text t = {};

        if (!path)
                return error_oom(e);
        text_append(&t, "#!/bin/sh\n"
                        "# usage: gn8v-tee-preflight KERNEL KERNEL-SOURCE-DIRECTORY\n"
                        "# Without these kernel options the modules build, but cannot open a confidential session: better to stop here.\n"
                        "kernel=$1 source=$2 missing=\n"
                        "config=$source/.config\n"
                        "[ -r \"$config\" ] || config=$source/include/config/auto.conf\n"
                        "if [ ! -r \"$config\" ]; then\n"
                        "        echo \"gn8v-tee: kernel $kernel: no configuration in $source: install kernel-devel-$kernel\" >&2\n"
                        "        exit 1\n"
                        "fi\n"
                        "for symbol in");
        STRV_FOREACH(s, c->release->kernel_config)
                text_printf(&t, " CONFIG_%s", *s);
        text_append(&t, "; do\n"
                        "        grep -q \"^$symbol=[ym]\\$\" \"$config\" || missing=\"$missing $symbol\"\n"
                        "done\n"
                        "if [ -n \"$missing\" ]; then\n"
                        "        echo \"gn8v-tee: kernel $kernel lacks:$missing: boot a kernel that has them\" >&2\n"
                        "        exit 1\n"
                        "fi\n");
        return wrap_text(c, PACKAGE_KMOD, path, 0755, &t, e);
}

int kmod_extras(WrapContext *c, char *const *modules, Error *e) {
        int r = dkms_conf(c, modules, e);
        return r < 0 ? r : preflight(c, e);
}
