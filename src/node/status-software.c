/* SPDX-License-Identifier: Apache-2.0 */
/* Steps "install the CUDA Toolkit", "install Fabric Manager", "install NVSwitch-related dependencies", "install a specific version of cuBLAS". */
#include "node/installed.h"
#include "node/status-rows.h"

#define CONSTRAINTS_PATH "/usr/share/gn8v-tee/constraints.txt"

/* NVIDIA dates some builds where the third number should be: 12.2.20230823. */
static bool same_cuda(const char *found, const char *wanted) {
        _cleanup_free_ char *a = version_major_minor(found), *b = version_major_minor(wanted);
        const char *last = strrchr(found, '.');

        return streq(found, wanted) || (a && b && streq(a, b) && last && strlen(last + 1) == strlen("20230823"));
}

/* Without a version.json: the version of the toolkit's release if its runtime library (M.m.BUILD) is of it, else the library's own. */
static char *runtime_version(Node *n, const char *root, const char *wanted) {
        _cleanup_free_ char *path = format("%s/targets/x86_64-linux/lib/libcudart.so.%.*s", root, (int) strcspn(wanted, "."), wanted),
                            *version = path ? link_version(n, path) : NULL, *a = version ? version_major_minor(version) : NULL,
                            *b = version_major_minor(wanted);

        return a && b && streq(a, b) ? strdup(wanted) : version ? TAKE_PTR(version) : NULL;
}

static void add_cuda(StatusContext *c, const Artifact *cuda) {
        _cleanup_free_ char *branch = version_major_minor(cuda->version), *root = NULL, *found = NULL;
        bool same;

        for (char *p = branch; p && *p; p++)
                *p = *p == '-' ? '.' : *p;
        root = branch ? format("/usr/local/cuda-%s", branch) : NULL;
        if (!root) {
                c->failed = true;
                return;
        }
        found = cuda_version(c->node, root);
        if (!found)
                found = runtime_version(c->node, root, cuda->version);
        same = found && same_cuda(found, cuda->version);
        if (!found && node_exists(c->node, root)) {
                row_add(c, ROW_UNKNOWN, "CUDA", cuda->version, "%s has no readable version.json", root);
                row_next(c, FIRST_NEVER, "%s/bin/nvcc --version says which it is", root);
                return;
        }
        row_add(c, same ? ROW_OK : ROW_FAIL, "CUDA", cuda->version, "%s", found ? found : "not installed");
        if (same)
                return;
        for (char *p = branch; *p; p++)
                *p = *p == '.' ? '-' : *p;
        row_next(c, FIRST_SERVICE, "yum reinstall gn8v-tee-cuda-%s%s", branch, found ? ": another installer replaced it" : "");
}

/* The wheel's libraries have no version in their names: the package's constraints file, "nvidia-cublas-cu12==VERSION", is its label. */
static char *packaged_cublas(Node *n, const char *branch) {
        _cleanup_free_ char *library = format("/usr/lib64/gn8v-tee/cublas-%s/lib", branch), *text = NULL;
        const char *version;

        if (!library || !node_exists(n, library) || node_read(n, CONSTRAINTS_PATH, 4096, &text, NULL) < 0)
                return NULL;
        version = strstr(text, "\nnvidia-cublas");
        version = startswith(text, "nvidia-cublas") ? text : version;
        version = version ? strstr(version, "==") : NULL;
        return version ? strndup(version + 2, strspn(version + 2, "0123456789.")) : NULL;
}

static void add_python(StatusContext *c, const Artifact *cublas) {
        PythonLibrary *found = NULL;
        size_t n = 0;

        if (python_cublas(c->node, &found, &n) < 0)
                c->failed = true;
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *name = format("cuBLAS in %s", found[i].place);
                const char *version = found[i].version;
                const bool same = version && streq(version, cublas->version);

                row_add(c, same ? ROW_OK : version ? ROW_WARN : ROW_UNKNOWN, name ? name : "cuBLAS", cublas->version, "%s", version ? version : "no dist-info");
                if (!same)
                        row_next(c, version ? FIRST_LAST : FIRST_NEVER,
                                 "in that environment: pip install -c " CONSTRAINTS_PATH " nvidia-cublas-cu12; others may fail in CUDA and LLM tasks");
        }
        python_libraries_free(found, n);
}

static void add_cublas(StatusContext *c, const Artifact *cublas) {
        _cleanup_free_ char *branch = version_major_minor(cublas->version), *found = branch ? packaged_cublas(c->node, branch) : NULL;
        const bool same = found && streq(found, cublas->version);

        row_add(c, same ? ROW_OK : ROW_FAIL, "cuBLAS", cublas->version, "%s", found ? found : "not installed");
        if (!same)
                row_next(c, FIRST_SERVICE, "yum reinstall gn8v-tee-cublas-%s", branch ? branch : "");
        add_python(c, cublas);
}

/* Fabric Manager and NSCQ refuse any driver but their own: their files are looked at, not the RPM database. */
static void add_vendor_package(StatusContext *c, const Artifact *a) {
        const bool manager = startswith(a->package, "nvidia-fabric"), nscq = startswith(a->package, "libnvidia-nscq");
        _cleanup_free_ char *found = manager ? program_version(c->node, "/usr/bin/nv-fabricmanager", a->version) : NULL;
        const char *name = manager ? "FabricManager" : nscq ? "NSCQ" : a->package;
        const bool there = !nscq && (!manager || node_exists(c->node, "/usr/bin/nv-fabricmanager"));
        bool same;

        if (nscq && !(found = library_version(c->node, "libnvidia-nscq.so.2"))) /* another branch may have another interface number */
                found = library_version(c->node, "libnvidia-nscq.so");
        if (manager && !found && there) /* what it said of itself when it was started last */
                found = logged_version(c->node, "/var/log/fabricmanager.log", "Fabric Manager version is : ");
        same = found && streq(found, a->version);
        if (!found && there) {
                row_add(c, ROW_UNKNOWN, name, a->version, manager ? "it does not say" : "not looked into");
                row_next(c, FIRST_NEVER, "rpm -q %s", a->package);
                return;
        }
        row_add(c, same ? ROW_OK : ROW_FAIL, name, a->version, "%s", found ? found : "not installed");
        if (!same)
                row_next(c, FIRST_SERVICE, "yum install %s-%s: it has to be of the driver's version", a->package, a->version);
}

/* The driver's confidential computing needs OpenSSL 3 (libnvidia-pkcs11-openssl3), which the platform has beside its own. */
static void add_openssl(StatusContext *c) {
        static const char *const places[] = { "/usr/lib64/libcrypto.so.3", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3" };
        bool there = false;

        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                there = there || node_exists(c->node, places[i]);
        row_add(c, there ? ROW_OK : ROW_FAIL, "OpenSSL 3", "installed", "%s", there ? "installed" : "not installed");
        if (!there)
                row_next(c, FIRST_SERVICE, "yum install openssl3");
}

void status_software(StatusContext *c) {
        const Release *release = c->node->release;

        for (size_t i = 0; release && i < release->n_artifacts; i++) {
                const Artifact *a = release->artifacts[i];

                if (a->kind == ARTIFACT_CUDA)
                        add_cuda(c, a);
                else if (a->kind == ARTIFACT_CUBLAS)
                        add_cublas(c, a);
                else if (a->kind == ARTIFACT_RPM && a->package)
                        add_vendor_package(c, a);
        }
        if (release && strv_contains(release->platform_packages, "openssl3"))
                add_openssl(c);
}
