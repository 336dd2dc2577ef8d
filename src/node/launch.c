/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the cloud, checked against the release file, and the call for it. */
#include "node/launch.h"

#include "basic/armor.h"
#include "node/boot-entries.h"

#define DISK_CATEGORY "cloud_essd"
/* The most that a charge by traffic allows; by itself it costs nothing. */
#define BANDWIDTH_MBIT "100"

static int refuse(Error *e, const char *option, const char *value, const char *what, const Release *r, char *const *right) {
        _cleanup_free_ char *name = release_name(r), *words = strv_join(right, ", ");

        if (!name || !words)
                return error_oom(e);
        return error_hint(e, error_set(e, EINVAL, EXIT_USAGE, "%s=%s: release %s is for no such %s", option, value, name, what), "right: %s", words);
}

/* Takes the first of the list, or refuses what is not in it. A release file that lists nothing leaves it to the user. */
static int choose(const char **value, const char *option, const char *what, const Release *r, char *const *right, Error *e) {
        if (!*value && right)
                *value = right[0];
        if (!*value)
                return error_set(e, EINVAL, EXIT_USAGE, "%s is missing, and %s names none", option, r->path);
        return right && !strv_contains(right, *value) ? refuse(e, option, *value, what, r, right) : 0;
}

/* A zone's id begins with its region's. */
static int choose_zone(Launch *l, Error *e) {
        int r;

        STRV_FOREACH(zone, l->release->zones)
                if (!l->zone && startswith(*zone, l->region))
                        l->zone = *zone;
        r = choose(&l->zone, "--zone", "zone", l->release, l->release->zones, e);
        if (r == 0 && !startswith(l->zone, l->region))
                return error_set(e, EINVAL, EXIT_USAGE, "--zone=%s: not a zone of region %s", l->zone, l->region);
        return r;
}

/* An image of one's own is as good when its kernel is new enough, which only its owner can say. */
static int choose_image(Launch *l, Error *e) {
        const Release *release = l->release;
        int r;

        if (!l->kernel) {
                r = choose(&l->image, "--image", "image", release, release->images, e);
                return r == -EINVAL && l->image ? error_hint(e, r, "for an image of your own say which kernel it has: --kernel=VERSION") : r;
        }
        if (!l->image)
                return error_set(e, EINVAL, EXIT_USAGE, "--kernel is for an image of your own: --image is missing");
        if (!*l->kernel || l->kernel[strcspn(l->kernel, "0123456789")] == '\0')
                return error_set(e, EINVAL, EXIT_USAGE, "--kernel=%s: not a kernel version", l->kernel);
        if (version_compare(l->kernel, release->minimum_kernel) < 0)
                return error_set(e, EINVAL, EXIT_USAGE, "--kernel=%s: the release needs %s or later", l->kernel, release->minimum_kernel);
        return 0;
}

/* UTF-8 without control characters (RFC 3629): it is shown, and becomes JSON. */
static bool is_plain(const char *s) {
        const unsigned char *p = (const unsigned char *) s;

        while (*p) {
                size_t more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : 4;
                uint32_t c = more == 0 ? *p : *p & (0x3fu >> more);

                if (more == 4)
                        return false;
                p++;
                for (size_t i = 0; i < more; i++, p++) {
                        if ((*p & 0xc0) != 0x80)
                                return false;
                        c = c << 6 | (*p & 0x3f);
                }
                if (c < ' ' || (c >= 0x7f && c < 0xa0) || (more == 2 && c < 0x800) || (more == 3 && c < 0x10000) || (c >= 0xd800 && c < 0xe000) ||
                    c > 0x10ffff || c == 0x2028 || c == 0x2029)
                        return false;
        }
        return true;
}

static int check_words(const Launch *l, Error *e) {
        const struct { const char *option, *value; } words[] = {
                { "--region", l->region }, { "--zone", l->zone }, { "--type", l->type }, { "--image", l->image }, { "--kernel", l->kernel },
                { "--key-pair", l->key_pair }, { "--vswitch", l->vswitch }, { "--security-group", l->security_group }, { "--name", l->name },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                if (!words[i].value)
                        continue;
                if (!is_plain(words[i].value))
                        return error_set(e, EINVAL, EXIT_USAGE, "%s: a control character, or not UTF-8", words[i].option);
                /* The cloud's program would take it for an option of its own. */
                if (!*words[i].value || words[i].value[0] == '-')
                        return error_set(e, EINVAL, EXIT_USAGE, "%s=%s: %s", words[i].option, words[i].value, *words[i].value ? "begins with '-'" : "is empty");
        }
        return 0;
}

int launch_choose(Launch *l, Error *e) {
        const Release *release = l->release;
        int r;

        r = check_words(l, e);
        if (r == 0)
                r = choose(&l->region, "--region", "region", release, release->regions, e);
        if (r == 0)
                r = choose_zone(l, e);
        if (r == 0)
                r = choose(&l->type, "--type", "instance type", release, release->instance_types, e);
        if (r == 0)
                r = choose_image(l, e);
        if (r < 0)
                return r;
        if (l->disk_gib == 0)
                l->disk_gib = LAUNCH_DISK_DEFAULT;
        if (l->disk_gib < LAUNCH_DISK_MINIMUM || l->disk_gib > LAUNCH_DISK_MAXIMUM)
                return error_set(e, EINVAL, EXIT_USAGE, "--disk=%u: from %u to %u GiB", l->disk_gib, LAUNCH_DISK_MINIMUM, LAUNCH_DISK_MAXIMUM);
        return 0;
}

/* Source: the document's CLI example, and the reference of RunInstances for disk size, public address and count. */
size_t launch_parameters(const Launch *l, LaunchNumbers *numbers, LaunchParameter ret[static LAUNCH_PARAMETERS_MAX]) {
        const LaunchParameter all[] = {
                { "RegionId", l->region, NULL, NULL },
                { "ZoneId", l->zone, NULL, NULL },
                { "InstanceType", l->type, NULL, NULL },
                { "ImageId", l->image, NULL, NULL },
                { "SystemDisk.Category", DISK_CATEGORY, NULL, NULL },
                { "SystemDisk.Size", numbers->disk, NULL, NULL },
                { "SecurityGroupId", l->security_group, "SECURITY_GROUP_ID", "the id of a security group, sg-..." },
                { "VSwitchId", l->vswitch, "VSWITCH_ID", "the id of a vSwitch in the zone, vsw-..." },
                { "KeyPairName", l->key_pair, "KEY_PAIR_NAME", "the name of an SSH key pair" },
                { "InternetChargeType", l->private_only ? NULL : "PayByTraffic", NULL, NULL },
                { "InternetMaxBandwidthOut", l->private_only ? NULL : BANDWIDTH_MBIT, NULL, NULL },
                { "InstanceName", l->name, NULL, NULL },
                { "Amount", "1", NULL, NULL },
        };
        size_t n = 0;

        (void) snprintf(numbers->disk, sizeof(numbers->disk), "%u", l->disk_gib);
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                if (all[i].value || all[i].variable)
                        ret[n++] = all[i];
        return n;
}

void launch_shell_word(Text *t, const char *word) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=@%+,-";

        if (*word && word[strspn(word, plain)] == '\0') {
                text_append(t, word);
                return;
        }
        text_append(t, "'");
        for (const char *c = word; *c; c++)
                if (*c == '\'')
                        text_append(t, "'\\''");
                else
                        text_append_n(t, c, 1);
        text_append(t, "'");
}

int launch_command(const Launch *l, const char *user_data, char **ret, Error *e) {
        _cleanup_free_ char *name = release_name(l->release), *encoded = base64_encode(user_data, strlen(user_data));
        _cleanup_text_ Text t = {};
        LaunchParameter parameters[LAUNCH_PARAMETERS_MAX];
        LaunchNumbers numbers;
        size_t n = launch_parameters(l, &numbers, parameters);

        if (!name || !encoded)
                return error_oom(e);
        text_printf(&t, "# %s: %s. Made by gn8v-tee launch-config.\n", name, l->release->summary);
        if (l->release->gpus > 1)
                text_append(&t, "# Add no secondary network interface and no data disk, neither here nor before a restart: with either, a confidential\n"
                                "# instance with several GPUs may not start.\n");
        text_append(&t, "aliyun ecs RunInstances \\\n");
        for (size_t i = 0; i < n; i++) {
                text_printf(&t, "  --%s ", parameters[i].name);
                if (parameters[i].value)
                        launch_shell_word(&t, parameters[i].value);
                else
                        text_printf(&t, "\"${%s:?%s}\"", parameters[i].variable, parameters[i].description);
                text_append(&t, " \\\n");
        }
        text_append(&t, "  --UserData ");
        launch_shell_word(&t, encoded);
        text_append(&t, "\n");
        *ret = text_take(&t);
        return *ret ? 0 : error_oom(e);
}
