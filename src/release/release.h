/* SPDX-License-Identifier: Apache-2.0 */
/* The release file: one environment, and the only place where a pin is written. Format: gn8v-tee-release(5). */
#pragma once

#include "basic/error.h"
#include "basic/strings.h"

#define RELEASE_INSTALLED_PATH "/usr/share/gn8v-tee/release.conf"
/* Whoever is ordered after the persistence daemon comes after this, too: it is started only where GPUs become ready once they were attested. */
#define RELEASE_GATE_UNIT "gn8v-tee-attest.service"
/* Says so to the persistence daemon's unit; below the root. */
#define RELEASE_GATE_FOLDER  "etc/systemd/system/nvidia-persistenced.service.d"
#define RELEASE_GATE_DROP_IN RELEASE_GATE_FOLDER "/90-gn8v-tee-attest.conf"
#define RELEASE_MAX_BYTES ((size_t) 256 * 1024)
/* Made by the first boot's apply when what it configured needs a reboot: the GPUs' services, whose session is made once, wait for that. */
#define RELEASE_REBOOT_FIRST_PATH "/run/gn8v-tee/reboot-first"

typedef enum ArtifactKind {
        ARTIFACT_DRIVER, /* NVIDIA driver .run: becomes gn8v-tee-driver-BRANCH and gn8v-tee-kmod-BRANCH-dkms */
        ARTIFACT_CUDA,   /* CUDA .run: becomes gn8v-tee-cuda-MAJOR-MINOR */
        ARTIFACT_CUBLAS, /* cuBLAS wheel: becomes gn8v-tee-cublas-MAJOR-MINOR */
        ARTIFACT_RPM,    /* vendor RPM, published unchanged */
        ARTIFACT_KEY,    /* OpenPGP key that signed vendor RPMs: published beside ours, for dnf to check them */
        _ARTIFACT_KIND_MAX,
} ArtifactKind;

const char *artifact_kind_to_string(ArtifactKind kind);
int artifact_kind_from_string(const char *s); /* or -EINVAL */

typedef struct Artifact {
        char *name; /* of its section: "driver", "cuda", "fabric-manager" */
        ArtifactKind kind;
        char *version;
        char *package;     /* ARTIFACT_RPM: the RPM's name */
        char *revision;    /* RPM release, "1" by default */
        char *filename;    /* last component of the first URL */
        char **urls;       /* tried in order */
        char **referers;   /* "HOST REFERER" */
        uint64_t size;     /* bytes; 0: not known */
        char *sha256;      /* lower-case hex; NULL: first use */
        char *signer;      /* ARTIFACT_RPM: fingerprint, 40 upper-case hex digits */
        char *fingerprint; /* ARTIFACT_KEY */
        char *licence;     /* SPDX expression */
        bool redistributable;
        int64_t date; /* seconds, UTC: build time of the packages made from it */
} Artifact;

typedef enum Mode { MODE_CONFIDENTIAL_COMPUTING, MODE_PROTECTED_PCIE, _MODE_MAX } Mode;
const char *mode_to_string(Mode mode);
int mode_from_string(const char *s); /* or -EINVAL */

typedef struct Release {
        char *path; /* where it was read from */
        char *profile, *version, *revision, *summary;
        int64_t date;
        /* [Platform] */
        char **regions, **zones, **images, **instance_types;
        char *minimum_kernel;
        char **kernel_config; /* without CONFIG_ */
        char **platform_packages;
        /* [Kernel] */
        char **kernel_arguments; /* KEY=VALUE or KEY */
        /* [Module nvidia] */
        char **soft_dependencies, **load_before, **module_options, **initramfs_modules, **blacklist;
        /* [Persistenced] */
        char *persistenced_options;
        char **persistenced_before, **persistenced_after;
        bool set_ready;
        char *timeout_start_sec, *timeout_stop_sec; /* systemd time spans, or NULL */
        /* [Clients] */
        char **clients, **paused;
        /* [Expect] */
        unsigned gpus, nvswitches;
        Mode mode;
        bool devtools;
        /* [Attestation] */
        char *gpu;       /* the chip, as NVIDIA's reference manifests are named ("GH100"), or NULL */
        bool driver_rim; /* the driver's manifest is wanted */
        char **rims;     /* ids of others that are */
        /* [Artifact ...], in file order */
        Artifact **artifacts;
        size_t n_artifacts;
        /* [Verifier] */
        char *verifier_index;
        char **verifier_wheels; /* NAME==VERSION */
} Release;

/* Reads and checks a release file (at most 256 KiB; hostile). Every error names the file, the line and the key.
 * -EBADMSG/EXIT_INVALID when malformed. */
int release_load(const char *path, Release **ret, Error *e);
/* The same from memory; path is only for messages. */
int release_parse(const char *path, const char *data, size_t size, Release **ret, Error *e);
Release *release_free(Release *r);
DEFINE_CLEANUP(Release, release_free);

/* "PROFILE-VERSION", the release's name, owned by the caller; the file must be called NAME.conf. */
char *release_name(const Release *r) _must_check_;
/* "gn8v-tee-PROFILE" */
char *release_metapackage(const Release *r) _must_check_;
/* The part of a version before its first dot ("570"), or its first two joined by '-' ("12-8"). */
char *version_branch(const char *version) _must_check_;
char *version_major_minor(const char *version) _must_check_;

const Artifact *release_artifact(const Release *r, const char *name);
const Artifact *release_artifact_of_kind(const Release *r, ArtifactKind kind); /* the first, or NULL */

/* What NVIDIA's service calls the reference manifest (RIM) of a driver on a chip, owned by the caller; NULL: out of memory. */
char *driver_rim_id(const char *chip, const char *version) _must_check_;
/* Whether it can be one: NV_ and letters, digits, '.', '_', '-'; at most 128. It becomes the end of a URL, a file's name, and a word of a spec. */
bool release_rim_id_is_valid(const char *id);
/* Ids of all reference manifests that a release wants, the driver's first, each once, owned by the caller; none: NULL. -ENOMEM. */
int release_rims(const Release *r, char ***ret);

/* The names of the RPMs that come from an artifact (driver: two; key: none), owned by the caller; -ENOMEM. Each has the artifact's
 * version and revision. */
int artifact_packages(const Artifact *a, char ***ret);

/* All *.conf of a directory, sorted by name; they must parse, and be named PROFILE-VERSION.conf. */
int release_load_directory(const char *dir, Release ***ret, size_t *ret_n, Error *e);
void release_free_many(Release **v, size_t n);
