/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of release files: which keys there are, and what their values may be. */
#include <ctype.h>
#include <fcntl.h>
#include <stddef.h>

#include "basic/fs.h"
#include "release/ini.h"
#include "release/release.h"

#define ARTIFACTS_MAX     64
#define DEVICES_MAX       64
#define RIMS_MAX          64

/* What a value may be. They end in unit files, spec files and modprobe.d, so no type lets a quote, '%', '$', '`' or '\' through
 * but where its format needs one. */
typedef enum Type {
        TYPE_NAME,      /* letters, digits, . _ + ~ - */
        TYPE_TEXT,      /* a sentence */
        TYPE_NAMES,     /* list of NAME, blanks between, appends */
        TYPE_UNITS,     /* list of unit names, appends */
        TYPE_ARGUMENT,  /* one KEY[=VALUE], appends */
        TYPE_OPTION,    /* one module option, quotes allowed, appends */
        TYPE_OPTIONS,   /* command-line options */
        TYPE_URL,       /* http, https or file, appends */
        TYPE_ONE_URL,
        TYPE_REFERER,   /* HOST URL, appends */
        TYPE_WHEEL,     /* NAME==VERSION, appends */
        TYPE_BOOL,
        TYPE_COUNT,
        TYPE_SIZE,
        TYPE_DATE,
        TYPE_SHA256,    /* 64 hex digits, or first-use */
        TYPE_FINGERPRINT,
        TYPE_KIND,
        TYPE_MODE,
        TYPE_SPAN,      /* systemd time span */
        TYPE_LICENCE,
        TYPE_CHIP,      /* capital letters and digits */
        TYPE_RIMS,      /* list of reference manifests' ids, appends */
} Type;

typedef struct Key {
        const char *section, *name;
        Type type;
        bool required;
        size_t offset;
} Key;

static const Key keys[] = {
        { "Release", "Profile", TYPE_NAME, true, offsetof(Release, profile) },
        { "Release", "Version", TYPE_NAME, true, offsetof(Release, version) },
        { "Release", "Revision", TYPE_NAME, false, offsetof(Release, revision) },
        { "Release", "Summary", TYPE_TEXT, true, offsetof(Release, summary) },
        { "Release", "Date", TYPE_DATE, true, offsetof(Release, date) },
        { "Platform", "Region", TYPE_NAMES, false, offsetof(Release, regions) },
        { "Platform", "Zone", TYPE_NAMES, false, offsetof(Release, zones) },
        { "Platform", "Image", TYPE_NAMES, false, offsetof(Release, images) },
        { "Platform", "InstanceType", TYPE_NAMES, false, offsetof(Release, instance_types) },
        { "Platform", "MinimumKernel", TYPE_NAME, true, offsetof(Release, minimum_kernel) },
        { "Platform", "KernelConfig", TYPE_NAMES, false, offsetof(Release, kernel_config) },
        { "Platform", "Package", TYPE_NAMES, false, offsetof(Release, platform_packages) },
        { "Kernel", "Argument", TYPE_ARGUMENT, false, offsetof(Release, kernel_arguments) },
        { "Module nvidia", "SoftDependency", TYPE_NAMES, false, offsetof(Release, soft_dependencies) },
        { "Module nvidia", "LoadBefore", TYPE_NAMES, false, offsetof(Release, load_before) },
        { "Module nvidia", "Option", TYPE_OPTION, false, offsetof(Release, module_options) },
        { "Module nvidia", "Initramfs", TYPE_NAMES, false, offsetof(Release, initramfs_modules) },
        { "Module nvidia", "Blacklist", TYPE_NAMES, false, offsetof(Release, blacklist) },
        { "Persistenced", "Options", TYPE_OPTIONS, true, offsetof(Release, persistenced_options) },
        { "Persistenced", "Before", TYPE_UNITS, false, offsetof(Release, persistenced_before) },
        { "Persistenced", "After", TYPE_UNITS, false, offsetof(Release, persistenced_after) },
        { "Persistenced", "SetReady", TYPE_BOOL, false, offsetof(Release, set_ready) },
        { "Persistenced", "TimeoutStartSec", TYPE_SPAN, false, offsetof(Release, timeout_start_sec) },
        { "Persistenced", "TimeoutStopSec", TYPE_SPAN, false, offsetof(Release, timeout_stop_sec) },
        { "Clients", "Unit", TYPE_UNITS, false, offsetof(Release, clients) },
        { "Clients", "Pause", TYPE_UNITS, false, offsetof(Release, paused) },
        { "Expect", "GPUs", TYPE_COUNT, true, offsetof(Release, gpus) },
        { "Expect", "NVSwitches", TYPE_COUNT, true, offsetof(Release, nvswitches) },
        { "Expect", "Mode", TYPE_MODE, true, offsetof(Release, mode) },
        { "Expect", "DevTools", TYPE_BOOL, true, offsetof(Release, devtools) },
        { "Attestation", "GPU", TYPE_CHIP, false, offsetof(Release, gpu) },
        { "Attestation", "DriverRim", TYPE_BOOL, false, offsetof(Release, driver_rim) },
        { "Attestation", "Rim", TYPE_RIMS, false, offsetof(Release, rims) },
        { "Verifier", "Index", TYPE_ONE_URL, false, offsetof(Release, verifier_index) },
        { "Verifier", "Wheel", TYPE_WHEEL, false, offsetof(Release, verifier_wheels) },
        { "Verifier", "SHA256", TYPE_SHA256, false, SIZE_MAX }, /* only "first-use": pip checks nothing here, and the file says so */
};

static const Key artifact_keys[] = {
        { NULL, "Kind", TYPE_KIND, true, offsetof(Artifact, kind) },
        { NULL, "Version", TYPE_NAME, false, offsetof(Artifact, version) },
        { NULL, "Revision", TYPE_NAME, false, offsetof(Artifact, revision) },
        { NULL, "Package", TYPE_NAME, false, offsetof(Artifact, package) },
        { NULL, "URL", TYPE_URL, true, offsetof(Artifact, urls) },
        { NULL, "Referer", TYPE_REFERER, false, offsetof(Artifact, referers) },
        { NULL, "Size", TYPE_SIZE, false, offsetof(Artifact, size) },
        { NULL, "SHA256", TYPE_SHA256, true, offsetof(Artifact, sha256) },
        { NULL, "Signer", TYPE_FINGERPRINT, false, offsetof(Artifact, signer) },
        { NULL, "Fingerprint", TYPE_FINGERPRINT, false, offsetof(Artifact, fingerprint) },
        { NULL, "Licence", TYPE_LICENCE, true, offsetof(Artifact, licence) },
        { NULL, "Redistributable", TYPE_BOOL, true, offsetof(Artifact, redistributable) },
        { NULL, "Date", TYPE_DATE, false, offsetof(Artifact, date) },
};

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~-"

typedef struct Parser {
        const char *path;
        Release *release;
        Artifact *artifact; /* of the section being read */
        char *section;
        char **seen; /* "SECTION KEY" of single-valued and required keys */
        char **sections;
} Parser;

static bool only(const char *s, const char *allowed) {
        return *s && s[strspn(s, allowed)] == '\0';
}

static bool is_name(const char *s) {
        return only(s, NAME_CHARS) && s[0] != '-' && s[0] != '.';
}

static bool is_unit(const char *s) {
        static const char *const suffixes[] = { ".service", ".path", ".timer", ".socket", ".target" };

        if (!only(s, NAME_CHARS "@:"))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (endswith(s, suffixes[i]) && strlen(s) > strlen(suffixes[i]))
                        return true;
        return false;
}

static bool is_url(const char *s) {
        return (startswith(s, "https://") || startswith(s, "http://") || startswith(s, "file:///")) &&
               only(s, NAME_CHARS ":/?#[]@!&()*,;=%") && *path_basename(s);
}

static bool all_words(const char *value, bool (*test)(const char *)) {
        _cleanup_strv_ char **words = NULL;

        if (strv_append_words(&words, value) < 0 || !words)
                return false;
        STRV_FOREACH(w, words)
                if (!test(*w))
                        return false;
        return true;
}

static bool is_referer(const char *value) {
        _cleanup_strv_ char **words = NULL;

        return strv_append_words(&words, value) == 0 && strv_length(words) == 2 && only(words[0], NAME_CHARS ":") &&
               (startswith(words[1], "https://") || startswith(words[1], "http://")) && only(words[1], NAME_CHARS ":/");
}

static bool is_wheel(const char *s) {
        const char *equals = strstr(s, "==");
        _cleanup_free_ char *name = equals ? strndup(s, (size_t) (equals - s)) : NULL;

        return name && is_name(name) && is_name(equals + 2);
}

static bool is_option(const char *s) {
        size_t quotes = 0;

        for (const char *c = s; *c; c++)
                quotes += *c == '"';
        return quotes % 2 == 0 && isalpha((unsigned char) s[0]) && only(s, NAME_CHARS "=,:;\"/");
}

static bool is_chip(const char *s) {
        return only(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") && strlen(s) <= 16;
}

static int set_string(char **p, const char *value) {
        char *s = strdup(value);

        if (!s)
                return -ENOMEM;
        free(*p);
        *p = s;
        return 0;
}

static int set_date(int64_t *p, const char *value) {
        return parse_date(value, p) < 0 ? -EINVAL : 0;
}

static int set_bool(bool *p, const char *value) {
        if (!streq(value, "yes") && !streq(value, "no") && !streq(value, "on") && !streq(value, "off"))
                return -EINVAL;
        *p = streq(value, "yes") || streq(value, "on");
        return 0;
}

static int set_count(unsigned *p, const char *value) {
        uint64_t n;

        if (parse_u64(value, &n) < 0 || n > DEVICES_MAX)
                return -EINVAL;
        *p = (unsigned) n;
        return 0;
}

static int set_sha256(char **p, const char *value) {
        if (streq(value, "first-use"))
                return 0;
        if (strlen(value) != 64 || !only(value, "0123456789abcdef"))
                return -EINVAL;
        return p ? set_string(p, value) : -EINVAL;
}

static int set_kind(ArtifactKind *p, const char *value) {
        int kind = artifact_kind_from_string(value);

        if (kind < 0)
                return -EINVAL;
        *p = (ArtifactKind) kind;
        return 0;
}

static int set_mode(Mode *p, const char *value) {
        int mode = mode_from_string(value);

        if (mode < 0)
                return -EINVAL;
        *p = (Mode) mode;
        return 0;
}

/* 0, -EINVAL for a value that is not of the key's type, -ENOMEM. */
static int set_value(Type type, void *p, const char *v) {
        switch (type) {
        case TYPE_NAME: return is_name(v) ? set_string(p, v) : -EINVAL;
        case TYPE_TEXT: return only(v, NAME_CHARS " ,:;()/'") ? set_string(p, v) : -EINVAL;
        case TYPE_NAMES: return all_words(v, is_name) ? strv_append_words(p, v) : -EINVAL;
        case TYPE_UNITS: return all_words(v, is_unit) ? strv_append_words(p, v) : -EINVAL;
        case TYPE_ARGUMENT: return isalpha((unsigned char) v[0]) && only(v, NAME_CHARS "=,:/") ? strv_append(p, v) : -EINVAL;
        case TYPE_OPTION: return is_option(v) ? strv_append(p, v) : -EINVAL;
        case TYPE_OPTIONS: return v[0] == '-' && only(v, NAME_CHARS " =/") ? set_string(p, v) : -EINVAL;
        case TYPE_URL: return is_url(v) ? strv_append(p, v) : -EINVAL;
        case TYPE_ONE_URL: return is_url(v) ? set_string(p, v) : -EINVAL;
        case TYPE_REFERER: return is_referer(v) ? strv_append(p, v) : -EINVAL;
        case TYPE_WHEEL: return is_wheel(v) ? strv_append(p, v) : -EINVAL;
        case TYPE_BOOL: return set_bool(p, v);
        case TYPE_COUNT: return set_count(p, v);
        case TYPE_SIZE: return parse_u64(v, p) < 0 || *(uint64_t *) p == 0 || *(uint64_t *) p > INT64_MAX ? -EINVAL : 0;
        case TYPE_DATE: return set_date(p, v);
        case TYPE_SHA256: return set_sha256(p, v);
        case TYPE_FINGERPRINT: return strlen(v) == 40 && only(v, "0123456789ABCDEF") ? set_string(p, v) : -EINVAL;
        case TYPE_KIND: return set_kind(p, v);
        case TYPE_MODE: return set_mode(p, v);
        case TYPE_SPAN: return only(v, "0123456789abcdefghijklmnopqrstuvwxyz ") ? set_string(p, v) : -EINVAL;
        case TYPE_CHIP: return is_chip(v) ? set_string(p, v) : -EINVAL;
        case TYPE_RIMS: return all_words(v, release_rim_id_is_valid) ? strv_append_words(p, v) : -EINVAL;
        case TYPE_LICENCE: return only(v, NAME_CHARS " ()") ? set_string(p, v) : -EINVAL;
        }
        return -EINVAL;
}

static bool type_appends(Type type) {
        return type == TYPE_NAMES || type == TYPE_UNITS || type == TYPE_ARGUMENT || type == TYPE_OPTION ||
               type == TYPE_URL || type == TYPE_REFERER || type == TYPE_WHEEL || type == TYPE_RIMS;
}

static int add_artifact(Parser *p, const char *name, unsigned line, Error *e) {
        Release *r = p->release;
        Artifact **grown, *a;

        if (!is_name(name))
                return ini_error(e, p->path, line, "'%s' is no artifact's name: letters, digits, '.', '_', '+', '-'", name);
        if (release_artifact(r, name))
                return ini_error(e, p->path, line, "[Artifact %s] is there twice", name);
        if (r->n_artifacts >= ARTIFACTS_MAX)
                return ini_error(e, p->path, line, "more than %d artifacts", ARTIFACTS_MAX);
        grown = reallocarray(r->artifacts, r->n_artifacts + 1, sizeof(Artifact *));
        if (!grown)
                return error_oom(e);
        r->artifacts = grown;
        a = calloc(1, sizeof(Artifact));
        if (!a || set_string(&a->name, name) < 0) {
                free(a);
                return error_oom(e);
        }
        a->date = -1;
        r->artifacts[r->n_artifacts++] = p->artifact = a;
        return 0;
}

static int enter_section(Parser *p, const char *section, unsigned line, Error *e) {
        const char *name = startswith(section, "Artifact ");
        bool known = name != NULL;

        if (strv_contains(p->sections, section))
                return ini_error(e, p->path, line, "[%s] is there twice", section);
        for (size_t i = 0; !known && i < ELEMENTSOF(keys); i++)
                known = streq(keys[i].section, section);
        if (!known)
                return ini_error(e, p->path, line, "[%s]: there is no such section", section);
        if (set_string(&p->section, section) < 0 || strv_append(&p->sections, section) < 0)
                return error_oom(e);
        p->artifact = NULL;
        return name ? add_artifact(p, name, line, e) : 0;
}

static int on_key(void *userdata, const char *section, const char *key, const char *value, unsigned line, Error *e) {
        Parser *p = userdata;
        const Key *k = NULL;
        _cleanup_free_ char *id = NULL;
        int r;

        if (!p->section || !streq(p->section, section)) {
                r = enter_section(p, section, line, e);
                if (r < 0)
                        return r;
        }
        if (startswith(key, "X-"))
                return 0;
        for (size_t i = 0; p->artifact && i < ELEMENTSOF(artifact_keys); i++)
                if (streq(artifact_keys[i].name, key))
                        k = &artifact_keys[i];
        for (size_t i = 0; !p->artifact && i < ELEMENTSOF(keys); i++)
                if (streq(keys[i].section, section) && streq(keys[i].name, key))
                        k = &keys[i];
        if (!k)
                return ini_error(e, p->path, line, "[%s] has no key '%s'", section, key);
        id = format("%s %s", section, key);
        if (!id)
                return error_oom(e);
        if (strv_contains(p->seen, id)) {
                if (!type_appends(k->type))
                        return ini_error(e, p->path, line, "%s= is there twice", key);
        } else if (strv_append(&p->seen, id) < 0)
                return error_oom(e);
        r = set_value(k->type, k->offset == SIZE_MAX ? NULL : (char *) (p->artifact ? (void *) p->artifact : (void *) p->release) + k->offset, value);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return ini_error(e, p->path, line, "%s=%s is not valid", key, value);
        return 0;
}

/* The artifact's file name becomes a path in the store and in a spec. */
static int finish_filename(Parser *p, Artifact *a, Error *e) {
        const char *base = path_basename(a->urls[0]);
        _cleanup_free_ char *name = strndup(base, strcspn(base, "?#"));

        if (!name)
                return error_oom(e);
        if (!is_name(name))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: [Artifact %s] URL=: '%s' is no plain file name", p->path, a->name, name);
        a->filename = TAKE_PTR(name);
        return 0;
}

static int finish_artifact(Parser *p, Artifact *a, Error *e) {
        bool versioned = a->kind != ARTIFACT_KEY;
        const char *missing = NULL;

        for (size_t i = 0; !missing && i < ELEMENTSOF(artifact_keys); i++) {
                _cleanup_free_ char *id = format("Artifact %s %s", a->name, artifact_keys[i].name);

                if (!id)
                        return error_oom(e);
                if (artifact_keys[i].required && !strv_contains(p->seen, id))
                        missing = artifact_keys[i].name;
        }
        if (!missing && versioned && !a->version)
                missing = "Version";
        if (!missing && a->kind == ARTIFACT_RPM && !a->package)
                missing = "Package";
        if (!missing && a->kind == ARTIFACT_RPM && !a->signer)
                missing = "Signer";
        if (!missing && a->kind == ARTIFACT_KEY && !a->fingerprint)
                missing = "Fingerprint";
        if (missing)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: [Artifact %s]: %s= is missing", p->path, a->name, missing);
        if (versioned && strchr(a->version, '-'))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: [Artifact %s]: Version=%s: no '-' in a version", p->path, a->name, a->version);
        if (!a->revision && set_string(&a->revision, "1") < 0)
                return error_oom(e);
        if (a->date < 0)
                a->date = p->release->date;
        return finish_filename(p, a, e);
}

/* Every vendor RPM's signer must be a key of this very release, or nothing could be checked offline. */
static int check_signers(Parser *p, Error *e) {
        Release *r = p->release;

        for (size_t i = 0; i < r->n_artifacts; i++) {
                const char *signer = r->artifacts[i]->signer;
                bool found = !signer;

                for (size_t j = 0; !found && j < r->n_artifacts; j++)
                        found = r->artifacts[j]->fingerprint && streq(r->artifacts[j]->fingerprint, signer);
                if (!found)
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: [Artifact %s]: no artifact of Kind=key has Fingerprint=%s",
                                         p->path, r->artifacts[i]->name, signer);
        }
        return 0;
}

/* Whoever has the section wants the driver's manifest, and for that it takes the chip. A manifest's id is a name in the lock, as an artifact's is. */
static int finish_attestation(Parser *p, Error *e) {
        Release *r = p->release;

        if (strv_contains(p->sections, "Attestation") && !strv_contains(p->seen, "Attestation DriverRim"))
                r->driver_rim = true;
        if (r->driver_rim && !r->gpu)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: [Attestation]: GPU= is missing (or DriverRim=no)", p->path);
        if (strv_length(r->rims) > RIMS_MAX)
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: [Attestation]: more than %d manifests", p->path, RIMS_MAX);
        for (size_t i = 0; i < r->n_artifacts; i++)
                if (startswith(r->artifacts[i]->name, "NV_"))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: [Artifact %s]: names with NV_ are those of reference manifests", p->path,
                                         r->artifacts[i]->name);
        return 0;
}

static int finish(Parser *p, Error *e) {
        Release *r = p->release;
        int k;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                _cleanup_free_ char *id = format("%s %s", keys[i].section, keys[i].name);

                if (!id)
                        return error_oom(e);
                if (keys[i].required && !strv_contains(p->seen, id))
                        return error_set(e, EBADMSG, EXIT_INVALID, "%s: [%s]: %s= is missing", p->path, keys[i].section, keys[i].name);
        }
        if (strchr(r->profile, '-') || strchr(r->version, '-'))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: [Release]: no '-' in Profile= and Version=", p->path);
        if (!r->revision && set_string(&r->revision, "1") < 0)
                return error_oom(e);
        for (size_t i = 0; i < r->n_artifacts; i++) {
                k = finish_artifact(p, r->artifacts[i], e);
                if (k < 0)
                        return k;
        }
        if (!release_artifact_of_kind(r, ARTIFACT_DRIVER))
                return error_set(e, EBADMSG, EXIT_INVALID, "%s: no artifact of Kind=driver", p->path);
        k = finish_attestation(p, e);
        if (k < 0)
                return k;
        return check_signers(p, e);
}

int release_parse(const char *path, const char *data, size_t size, Release **ret, Error *e) {
        _cleanup_(release_freep) Release *release = calloc(1, sizeof(Release));
        Parser p = { .path = path, .release = release };
        int r;

        if (!release || set_string(&release->path, path) < 0)
                return error_oom(e);
        if (memchr(data, '\0', size))
                r = error_set(e, EBADMSG, EXIT_INVALID, "%s: a NUL byte: not a text file", path);
        else
                r = ini_parse(path, data, size, on_key, &p, e);
        if (r == 0)
                r = finish(&p, e);
        free(p.section);
        (void) strv_free(p.seen);
        (void) strv_free(p.sections);
        if (r < 0)
                return error_hint(e, r, "gn8v-tee-release(5) explains every key");
        *ret = TAKE_PTR(release);
        return 0;
}

int release_load(const char *path, Release **ret, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = read_file(AT_FDCWD, path, RELEASE_MAX_BYTES, &data, &size);
        if (r < 0)
                return error_unreadable(e, -r, path);
        return release_parse(path, data, size, ret, e);
}
