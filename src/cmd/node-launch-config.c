/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "basic/armor.h"
#include "basic/log.h"
#include "cmd/node.h"
#include "cmd/output.h"
#include "node/boot-entries.h"
#include "node/launch.h"
#include "release/ini.h"
#include "release/repo-file.h"

#define RELEASES_DIR  "/usr/share/gn8v-tee-repo/releases"
#define REPO_FILE_MAX ((size_t) 64 * 1024)
#define KEY_FILE_MAX  ((size_t) 64 * 1024)

static const char help[] =
        "gn8v-tee launch-config [OPTION...]\n\n"
        "Print how to create an instance that sets itself up for a release: the call of\n"
        "Alibaba Cloud's CLI, with user data that adds the repository and its keys,\n"
        "installs the metapackage and reboots once. Creates nothing. Runs anywhere.\n\n"
        "      --release=FILE|PROFILE[-VERSION]\n"
        "                       which release (default: the one that is installed here)\n"
        "      --releases=DIR   release files (default:\n"
        "                       " RELEASES_DIR ")\n"
        "      --repo-url=URL   the repository (default: that of the installed\n"
        "                       " REPO_FILE ")\n"
        "      --repo-key=FILE|URL\n"
        "                       its key, then those of vendor packages; files are\n"
        "                       embedded; may be repeated (default: as installed here)\n"
        "      --region=ID      only what the release file lists; default: its first\n"
        "      --zone=ID        likewise\n"
        "      --type=NAME      likewise, the instance type\n"
        "      --image=ID       likewise, but for an image of your own, with\n"
        "      --kernel=VERSION the kernel that it has\n"
        "      --vswitch=ID     yours; what is not given is asked of the environment:\n"
        "                       VSWITCH_ID, SECURITY_GROUP_ID, KEY_PAIR_NAME\n"
        "      --security-group=ID\n"
        "      --key-pair=NAME  for ssh\n"
        "      --name=NAME      the instance's name\n"
        "      --disk=GIB       size of the system disk (default: 100)\n"
        "      --no-public-ip   no public IP address\n"
        "      --format=FORMAT  aliyun (default), user-data, kickstart, ansible, json\n"
        "      --user-data      --format=user-data: for cloud-init, as it is\n"
        "      --kickstart      --format=kickstart: to be included in yours\n"
        "      --ansible        --format=ansible: a play\n"
        "      --json           --format=json: the call's parameters\n"
        "      --root=DIR       what is installed below DIR\n"
        "  -h, --help           this text\n\n"
        "Exit codes: 0 printed; 1 failed; 2 not for this release, or something is\n"
        "missing; 6 malformed release file or key.\n";

typedef enum Format { FORMAT_ALIYUN, FORMAT_USER_DATA, FORMAT_KICKSTART, FORMAT_ANSIBLE, FORMAT_JSON, _FORMAT_MAX } Format;
static const char *const formats[_FORMAT_MAX] = {
        [FORMAT_ALIYUN] = "aliyun", [FORMAT_USER_DATA] = "user-data", [FORMAT_KICKSTART] = "kickstart",
        [FORMAT_ANSIBLE] = "ansible", [FORMAT_JSON] = "json",
};

typedef struct Options {
        const char *release, *releases;
        const char *keys[LAUNCH_KEYS_MAX];
        size_t n_keys;
        Format format;
} Options;

enum {
        ARG_RELEASE = 256, ARG_RELEASES, ARG_REPO_URL, ARG_REPO_KEY, ARG_REGION, ARG_ZONE, ARG_TYPE, ARG_IMAGE, ARG_KERNEL, ARG_KEY_PAIR,
        ARG_VSWITCH, ARG_SECURITY_GROUP, ARG_NAME, ARG_DISK, ARG_NO_PUBLIC_IP, ARG_FORMAT, ARG_USER_DATA, ARG_KICKSTART, ARG_ANSIBLE,
};

/* An option with a value of the cloud's. */
static const char **cloud_option(Launch *l, int option) {
        switch (option) {
        case ARG_REPO_URL: return &l->repo_url;
        case ARG_REGION: return &l->region;
        case ARG_ZONE: return &l->zone;
        case ARG_TYPE: return &l->type;
        case ARG_IMAGE: return &l->image;
        case ARG_KERNEL: return &l->kernel;
        case ARG_KEY_PAIR: return &l->key_pair;
        case ARG_VSWITCH: return &l->vswitch;
        case ARG_SECURITY_GROUP: return &l->security_group;
        case ARG_NAME: return &l->name;
        default: return NULL;
        }
}

static int take_format(Options *o, const char *value) {
        for (int i = 0; i < _FORMAT_MAX; i++)
                if (streq(formats[i], value)) {
                        o->format = (Format) i;
                        return 0;
                }
        return option_refuse("there is aliyun, user-data, kickstart, ansible, json");
}

static int take_option(Options *o, Launch *l, int option, const char *value) {
        const char **word = cloud_option(l, option);
        uint64_t n;

        if (word) {
                *word = value;
                return 0;
        }
        switch (option) {
        case ARG_RELEASE: o->release = value; return 0;
        case ARG_RELEASES: o->releases = value; return 0;
        case ARG_REPO_KEY:
                if (o->n_keys >= LAUNCH_KEYS_MAX)
                        return option_refuse("too many keys");
                o->keys[o->n_keys++] = value;
                return 0;
        case ARG_DISK:
                if (option_number(value, LAUNCH_DISK_MINIMUM, LAUNCH_DISK_MAXIMUM, &n) != EXIT_OK)
                        return EXIT_USAGE;
                l->disk_gib = (unsigned) n;
                return 0;
        case ARG_NO_PUBLIC_IP: l->private_only = true; return 0;
        case ARG_USER_DATA: o->format = FORMAT_USER_DATA; return 0;
        case ARG_KICKSTART: o->format = FORMAT_KICKSTART; return 0;
        case ARG_ANSIBLE: o->format = FORMAT_ANSIBLE; return 0;
        default: return take_format(o, value);
        }
}

static int parse_options(Command *c, Options *o, Launch *l, int argc, char *argv[]) {
        static const Option options[] = {
                { "release", ARG_RELEASE, "FILE|PROFILE[-VERSION]" },
                { "releases", ARG_RELEASES, "DIR" },
                { "repo-url", ARG_REPO_URL, "URL" },
                { "repo-key", ARG_REPO_KEY, "FILE|URL" },
                { "region", ARG_REGION, "ID" },
                { "zone", ARG_ZONE, "ID" },
                { "type", ARG_TYPE, "NAME" },
                { "image", ARG_IMAGE, "ID" },
                { "kernel", ARG_KERNEL, "VERSION" },
                { "key-pair", ARG_KEY_PAIR, "NAME" },
                { "vswitch", ARG_VSWITCH, "ID" },
                { "security-group", ARG_SECURITY_GROUP, "ID" },
                { "name", ARG_NAME, "NAME" },
                { "disk", ARG_DISK, "GIB" },
                { "no-public-ip", ARG_NO_PUBLIC_IP, NULL },
                { "format", ARG_FORMAT, "FORMAT" },
                { "user-data", ARG_USER_DATA, NULL },
                { "kickstart", ARG_KICKSTART, NULL },
                { "ansible", ARG_ANSIBLE, NULL },
                {},
        };
        int k, r;

        while ((k = option_next(argc, argv, options)) >= 0) {
                if (k == 'h') {
                        fputs(help, stdout);
                        return EXIT_OK;
                }
                r = k == '?' ? option_status() : take_option(o, l, k, optarg);
                if (k == '?' || r != 0)
                        return r;
        }
        if (c->json)
                o->format = FORMAT_JSON;
        if (o->format == FORMAT_JSON)
                output_json();
        return optind < argc ? verb_too_many(argv[0], argv[optind]) : -1;
}

/* The release of that name, or the newest of that profile. */
static Release **pick(Release **v, size_t n, const char *word) {
        Release **best = NULL;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *name = release_name(v[i]);

                if (name && streq(name, word))
                        return &v[i];
                if (streq(v[i]->profile, word) && (!best || version_compare(v[i]->version, (*best)->version) > 0))
                        best = &v[i];
        }
        return best;
}

static char *names_of(Release *const *v, size_t n) {
        _cleanup_text_ Text t = {};

        for (size_t i = 0; i < n; i++)
                text_printf(&t, "%s%s-%s", i > 0 ? ", " : "", v[i]->profile, v[i]->version);
        return text_take(&t);
}

/* Without a name: what is installed. A name is looked for in the folder, then here. */
static int choose_release(Node *n, const Options *o, Release **v, size_t count, Release **ret, Error *e) {
        const char *dir = o->releases ? o->releases : RELEASES_DIR;
        Release **found = o->release ? pick(v, count, o->release) : NULL;
        _cleanup_free_ char *names = names_of(v, count);
        int r;

        if (!found && !o->releases && n->release)
                found = o->release ? pick(&n->release, 1, o->release) : &n->release;
        if (found) {
                *ret = TAKE_PTR(*found);
                return 0;
        }
        r = o->release ? error_set(e, ENOENT, EXIT_USAGE, "--release=%s: there is no such release in %s, and it is not the one installed here", o->release, dir)
                       : error_set(e, ENOENT, EXIT_USAGE, "no release is named, and none is installed here");
        return names && *names ? error_hint(e, r, "name one of: --release=%s", names) : error_hint(e, r, "name a release file: --release=FILE");
}

static int find_release(Node *n, const Options *o, Release **ret, Error *e) {
        Release **v = NULL;
        size_t count = 0;
        int r = 0;

        if (o->release && (strchr(o->release, '/') || endswith(o->release, ".conf")))
                return release_load(o->release, ret, e);
        if (o->releases || access(RELEASES_DIR, F_OK) == 0)
                r = release_load_directory(o->releases ? o->releases : RELEASES_DIR, &v, &count, e);
        if (r == 0)
                r = choose_release(n, o, v, count, ret, e);
        release_free_many(v, count);
        return r;
}

static int on_repo_key(void *userdata, const char *section, const char *key, const char *value, unsigned line, Error *e) {
        char **url = userdata;

        if (!streq(section, "gn8v-tee") || !streq(key, "baseurl") || *url)
                return 0;
        *url = strdup(value);
        return *url ? 0 : error_oom(e);
}

/* What gn8v-tee-release put here, for what was not given. */
static int take_installed(Node *n, Launch *l, char **url, Error *e) {
        static const char *const keys[] = { KEY_DIRECTORY REPO_KEY_FILE, KEY_DIRECTORY VENDOR_KEY_FILE };
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = 0;

        if (!l->repo_url && node_read(n, REPO_FILE_INSTALLED_PATH, REPO_FILE_MAX, &text, &size) >= 0) {
                r = ini_parse(REPO_FILE_INSTALLED_PATH, text, size, on_repo_key, url, e);
                l->repo_url = *url;
        }
        for (size_t i = 0, had = l->n_keys; r == 0 && had == 0 && i < ELEMENTSOF(keys); i++) {
                _cleanup_free_ char *key = NULL;

                if (node_read(n, keys[i], KEY_FILE_MAX, &key, &size) >= 0)
                        r = launch_embed_key(l, keys[i], key, size, e);
        }
        return r;
}

/* dnf with gpgcheck=1 refuses a vendor's package without the vendor's key. */
static void warn_of_keys(const Launch *l) {
        const Artifact *key = release_artifact_of_kind(l->release, ARTIFACT_KEY);
        size_t n = 0;

        for (size_t i = 0; i < l->n_keys; i++)
                n += l->keys[i].text ? l->keys[i].n : 2; /* what is behind a URL is not known */
        if (key && key->fingerprint && n == 1)
                log_warning("only one key is given, but the release has packages that are signed with the vendor's, %s: give " VENDOR_KEY_FILE " with another --repo-key",
                            key->fingerprint);
}

static int print_launch_json(const Launch *l, const char *user_data, Error *e) {
        _cleanup_free_ char *name = release_name(l->release), *encoded = base64_encode(user_data, strlen(user_data));
        json_t *parameters = json_object(), *missing = json_array();
        LaunchParameter v[LAUNCH_PARAMETERS_MAX];
        LaunchNumbers numbers;
        size_t n = launch_parameters(l, &numbers, v);

        for (size_t i = 0; i < n; i++)
                if (v[i].value)
                        (void) json_object_set_new(parameters, v[i].name, json_string(v[i].value));
                else
                        (void) json_array_append_new(missing, json_string(v[i].name));
        (void) json_object_set_new(parameters, "UserData", json_string(encoded));
        return print_json(json_pack("{s:s, s:s, s:o, s:o, s:s}", "release", name, "operation", "RunInstances", "parameters", parameters, "missing",
                                    missing, "user_data", user_data), e);
}

static int print_launch(const Launch *l, Format format, Error *e) {
        static const LaunchText texts[_FORMAT_MAX] = { [FORMAT_KICKSTART] = LAUNCH_KICKSTART, [FORMAT_ANSIBLE] = LAUNCH_PLAYBOOK };
        _cleanup_free_ char *text = NULL, *command = NULL;
        int r;

        r = launch_text(l, texts[format], &text, e);
        if (r < 0)
                return r;
        if (format == FORMAT_JSON)
                return print_launch_json(l, text, e);
        if (format == FORMAT_ALIYUN) {
                r = launch_command(l, text, &command, e);
                if (r < 0)
                        return r;
        }
        fputs(command ? command : text, stdout);
        return 0;
}

/* Everything that the texts are made of; what l borrows lives in o, url and release. */
static int prepare(Node *n, const Options *o, Launch *l, char **url, Release **release, Error *e) {
        int r;

        r = node_load_release(n, e);
        if (r == 0)
                r = find_release(n, o, release, e);
        if (r < 0)
                return r;
        l->release = *release;
        r = launch_choose(l, e);
        for (size_t i = 0; r == 0 && i < o->n_keys; i++)
                r = launch_add_key(l, o->keys[i], e);
        return r == 0 ? take_installed(n, l, url, e) : r;
}

int verb_launch_config(Command *c, int argc, char *argv[], Error *e) {
        _cleanup_node_ Node n = { .root_fd = -1 };
        _cleanup_launch_ Launch l = {};
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_free_ char *url = NULL;
        Options o = {};
        int r;

        r = parse_options(c, &o, &l, argc, argv);
        if (r >= 0)
                return r;
        r = node_open(&n, c->root, e);
        if (r == 0)
                r = prepare(&n, &o, &l, &url, &release, e);
        if (r < 0)
                return r;
        warn_of_keys(&l);
        r = print_launch(&l, o.format, e);
        return r < 0 ? r : EXIT_OK;
}
