/* SPDX-License-Identifier: Apache-2.0 */
/* How an instance with a release is created: the call to the cloud, and what its first boot (or an installer, or Ansible) does. */
#pragma once

#include "release/release.h"

#define LAUNCH_KEYS_MAX 8
/* What the cloud takes before base64: 16 KiB is the older and smaller of the limits that its documents gave. */
#define LAUNCH_USER_DATA_MAX ((size_t) 16 * 1024)

typedef struct LaunchKey {
        char *url;    /* as in gpgkey= */
        char *path;   /* where text goes on the instance; NULL: the key is not embedded */
        char *text;   /* armored public keys, or NULL */
        size_t n;     /* how many there are in text */
} LaunchKey;

/* What was asked for. Strings are borrowed; NULL: not given. */
typedef struct Launch {
        const Release *release;
        const char *region, *zone, *type, *image;
        const char *kernel; /* of an image that the release file does not list */
        const char *key_pair, *vswitch, *security_group, *name, *repo_url;
        bool private_only; /* no public IP address */
        unsigned disk_gib; /* of the system disk; 0: LAUNCH_DISK_DEFAULT */
        LaunchKey keys[LAUNCH_KEYS_MAX];
        size_t n_keys;
} Launch;

/* The largest toolkit takes 5 GB while it is downloaded and 9 GB unpacked; images are made for 20. */
#define LAUNCH_DISK_MINIMUM 40u
#define LAUNCH_DISK_DEFAULT 100u
#define LAUNCH_DISK_MAXIMUM 2048u

void launch_clear(Launch *l);
#define _cleanup_launch_ _cleanup_(launch_clear)

/* Adds a key: a file of public keys (armored or binary, 64 KiB at most), which is embedded, or an https or file URL, which is not. Secret
 * keys are refused. -EINVAL/EXIT_USAGE, -EBADMSG/EXIT_INVALID. */
int launch_add_key(Launch *l, const char *file_or_url, Error *e);
/* The same of bytes with a NUL behind them; path is for messages. */
int launch_embed_key(Launch *l, const char *path, const char *data, size_t size, Error *e);

/* Takes what was not asked for from the release file (the first of each list) and refuses what it does not list, saying what it does:
 * -EINVAL/EXIT_USAGE. */
int launch_choose(Launch *l, Error *e);

/* The parameters of RunInstances but UserData, in the order of the cloud's document. */
typedef struct LaunchParameter {
        const char *name;
        const char *value;       /* NULL: not given, and the cloud must know */
        const char *variable;    /* then: of the shell */
        const char *description; /* then: words without a character that a shell would read */
} LaunchParameter;
#define LAUNCH_PARAMETERS_MAX 16
/* Fills at most LAUNCH_PARAMETERS_MAX and returns how many. numbers is what some values are in, and must live as long. */
typedef struct LaunchNumbers { char disk[16]; } LaunchNumbers;
size_t launch_parameters(const Launch *l, LaunchNumbers *numbers, LaunchParameter ret[static LAUNCH_PARAMETERS_MAX]);

typedef enum LaunchText { LAUNCH_USER_DATA, LAUNCH_KICKSTART, LAUNCH_PLAYBOOK, _LAUNCH_TEXT_MAX } LaunchText;
/* Owned by the caller. -EINVAL/EXIT_USAGE without a repository or its keys, -EFBIG/EXIT_USAGE for user data that the cloud would refuse. */
int launch_text(const Launch *l, LaunchText which, char **ret, Error *e);

/* `aliyun ecs RunInstances ...` for a POSIX shell, with comments before it. What the cloud must know and was not given is a variable, without
 * which the shell stops before it runs anything. user_data: as text. */
int launch_command(const Launch *l, const char *user_data, char **ret, Error *e);
/* A word as a POSIX shell reads it back, whatever it is. */
void launch_shell_word(Text *t, const char *word);
