/* SPDX-License-Identifier: Apache-2.0 */
#include "release/release.h"

#include <dirent.h>

#include "basic/fs.h"

static const char *const kinds[_ARTIFACT_KIND_MAX] = {
        [ARTIFACT_DRIVER] = "driver", [ARTIFACT_CUDA] = "cuda", [ARTIFACT_CUBLAS] = "cublas",
        [ARTIFACT_RPM] = "rpm", [ARTIFACT_KEY] = "key",
};

static const char *const modes[_MODE_MAX] = {
        [MODE_CONFIDENTIAL_COMPUTING] = "confidential-computing", [MODE_PROTECTED_PCIE] = "protected-pcie",
};

const char *artifact_kind_to_string(ArtifactKind kind) {
        return (unsigned) kind < _ARTIFACT_KIND_MAX ? kinds[kind] : NULL;
}

int artifact_kind_from_string(const char *s) {
        for (int i = 0; i < _ARTIFACT_KIND_MAX; i++)
                if (streq(kinds[i], s))
                        return i;
        return -EINVAL;
}

const char *mode_to_string(Mode mode) {
        return (unsigned) mode < _MODE_MAX ? modes[mode] : NULL;
}

int mode_from_string(const char *s) {
        for (int i = 0; i < _MODE_MAX; i++)
                if (streq(modes[i], s))
                        return i;
        return -EINVAL;
}

static void artifact_free(Artifact *a) {
        free(a->name);
        free(a->version);
        free(a->package);
        free(a->revision);
        free(a->filename);
        (void) strv_free(a->urls);
        (void) strv_free(a->referers);
        free(a->sha256);
        free(a->signer);
        free(a->fingerprint);
        free(a->licence);
        free(a);
}

Release *release_free(Release *r) {
        if (!r)
                return NULL;

        char **strings[] = { &r->path, &r->profile, &r->version, &r->revision, &r->summary, &r->minimum_kernel,
                             &r->persistenced_options, &r->timeout_start_sec, &r->timeout_stop_sec, &r->verifier_index, &r->gpu };
        char ***lists[] = { &r->regions, &r->zones, &r->images, &r->instance_types, &r->kernel_config, &r->platform_packages,
                            &r->kernel_arguments, &r->soft_dependencies, &r->load_before, &r->module_options,
                            &r->initramfs_modules, &r->blacklist, &r->persistenced_before, &r->persistenced_after,
                            &r->clients, &r->paused, &r->verifier_wheels, &r->rims };

        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                free(*strings[i]);
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                (void) strv_free(*lists[i]);
        for (size_t i = 0; i < r->n_artifacts; i++)
                artifact_free(r->artifacts[i]);
        free(r->artifacts);
        free(r);
        return NULL;
}

void release_free_many(Release **v, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void) release_free(v[i]);
        free(v);
}

char *release_name(const Release *r) {
        return format("%s-%s", r->profile, r->version);
}

char *release_metapackage(const Release *r) {
        return format("gn8v-tee-%s", r->profile);
}

char *version_branch(const char *version) {
        return strndup(version, strcspn(version, "."));
}

char *version_major_minor(const char *version) {
        size_t major = strcspn(version, "."), minor = version[major] ? strcspn(version + major + 1, ".") : 0;

        return minor > 0 ? format("%.*s-%.*s", (int) major, version, (int) minor, version + major + 1) : strndup(version, major);
}

const Artifact *release_artifact(const Release *r, const char *name) {
        for (size_t i = 0; i < r->n_artifacts; i++)
                if (streq(r->artifacts[i]->name, name))
                        return r->artifacts[i];
        return NULL;
}

const Artifact *release_artifact_of_kind(const Release *r, ArtifactKind kind) {
        for (size_t i = 0; i < r->n_artifacts; i++)
                if (r->artifacts[i]->kind == kind)
                        return r->artifacts[i];
        return NULL;
}

/* Hopper's have a name of their own. */
char *driver_rim_id(const char *chip, const char *version) {
        return format(startswith(chip, "GH") ? "NV_GPU_DRIVER_%s_%s" : "NV_GPU_CC_DRIVER_%s_%s", chip, version);
}

bool release_rim_id_is_valid(const char *id) {
        return startswith(id, "NV_") && strlen(id) <= 128 &&
               id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

int release_rims(const Release *r, char ***ret) {
        const Artifact *driver = release_artifact_of_kind(r, ARTIFACT_DRIVER);
        _cleanup_free_ char *own = r->driver_rim && driver ? driver_rim_id(r->gpu, driver->version) : NULL;
        _cleanup_strv_ char **ids = NULL;

        if (r->driver_rim && driver && (!own || strv_append(&ids, own) < 0))
                return -ENOMEM;
        STRV_FOREACH(id, r->rims)
                if (!strv_contains(ids, *id) && strv_append(&ids, *id) < 0)
                        return -ENOMEM;
        *ret = TAKE_PTR(ids);
        return 0;
}

static int append_format(char ***v, char *name) {
        int r = name ? strv_append(v, name) : -ENOMEM;

        free(name);
        return r;
}

/* The branch is in the name on purpose: with EL8's best=True, one name with two pinned versions makes `dnf upgrade` fail. */
int artifact_packages(const Artifact *a, char ***ret) {
        _cleanup_strv_ char **v = NULL;
        _cleanup_free_ char *branch = a->version ? version_branch(a->version) : strdup("");
        _cleanup_free_ char *major_minor = a->version ? version_major_minor(a->version) : strdup("");
        int r = 0;

        if (!branch || !major_minor)
                return -ENOMEM;
        switch (a->kind) {
        case ARTIFACT_DRIVER:
                r = append_format(&v, format("gn8v-tee-driver-%s", branch));
                if (r == 0)
                        r = append_format(&v, format("gn8v-tee-kmod-%s-dkms", branch));
                break;
        case ARTIFACT_CUDA: r = append_format(&v, format("gn8v-tee-cuda-%s", major_minor)); break;
        case ARTIFACT_CUBLAS: r = append_format(&v, format("gn8v-tee-cublas-%s", major_minor)); break;
        case ARTIFACT_RPM: r = strv_append(&v, a->package); break;
        default: break;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        return 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int list_release_files(const char *dir, char ***ret, Error *e) {
        _cleanup_strv_ char **names = NULL;
        struct dirent *entry;
        DIR *d = opendir(dir);
        int r = 0;

        if (!d)
                return error_hint(e, error_errno(e, errno, "%s", dir), "name the folder of the release files with --releases");
        while (r == 0 && (entry = readdir(d)))
                if (entry->d_name[0] != '.' && endswith(entry->d_name, ".conf"))
                        r = strv_append(&names, entry->d_name);
        (void) closedir(d);
        if (r < 0)
                return error_oom(e);
        if (!names)
                return error_hint(e, error_set(e, ENOENT, EXIT_FAILED, "%s: there are no release files (*.conf)", dir),
                                  "name the folder of the release files with --releases");
        qsort(names, strv_length(names), sizeof(char *), compare_names);
        *ret = TAKE_PTR(names);
        return 0;
}

static int load_named(const char *dir, const char *file, Release **ret, Error *e) {
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_free_ char *path = path_join(dir, file), *name = NULL, *expected = NULL;
        int r;

        if (!path)
                return error_oom(e);
        r = release_load(path, &release, e);
        if (r < 0)
                return r;
        name = release_name(release);
        expected = name ? format("%s.conf", name) : NULL;
        if (!expected)
                return error_oom(e);
        if (!streq(expected, file))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: it states release %s, so it must be called %s", path, name, expected);
        *ret = TAKE_PTR(release);
        return 0;
}

int release_load_directory(const char *dir, Release ***ret, size_t *ret_n, Error *e) {
        _cleanup_strv_ char **names = NULL;
        Release **v;
        size_t n, count;
        int r;

        r = list_release_files(dir, &names, e);
        if (r < 0)
                return r;
        count = strv_length(names);
        v = calloc(count, sizeof(Release *));
        if (!v)
                return error_oom(e);
        for (n = 0; n < count; n++) {
                r = load_named(dir, names[n], &v[n], e);
                if (r < 0) {
                        release_free_many(v, n);
                        return r;
                }
        }
        *ret = v;
        *ret_n = n;
        return 0;
}
