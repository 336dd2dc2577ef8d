/* SPDX-License-Identifier: Apache-2.0 */
/* Step "check the GPU confidential computing feature status": how many there are, and what NVIDIA's management library says of them. */
#include "node/gpu.h"
#include "basic/nvml-api.h"
#include "node/status-rows.h"
#include "node/units.h"

#define STOP_START "stop and start the instance"

static void add_count(StatusContext *c, const char *name, size_t found, size_t expected, const char *next) {
        _cleanup_free_ char *wanted = c->node->release ? format("%zu", expected) : NULL;

        row_add(c, !wanted || found == expected ? ROW_OK : ROW_FAIL, name, wanted, "%zu", found);
        if (wanted && found > expected)
                row_next(c, FIRST_GPUS, "the installed release is for instances with %zu: install the other profile", expected);
        else if (wanted && found != expected)
                row_next(c, FIRST_GPUS, "check that the instance type has %zu; if it has, open a ticket: %s", expected, next);
}

/* How many the driver has: one after the other, while persistenced starts; perhaps not all of those on the bus before a reboot that it waits for. */
static void add_attached(StatusContext *c, size_t found, size_t expected, size_t on_bus) {
        _cleanup_free_ char *wanted = NULL;

        if (found >= expected || (!c->starting && (!c->reboot || found >= on_bus))) {
                add_count(c, "GPUs", found, expected, "a GPU does not attach");
                return;
        }
        wanted = format("%zu", expected);
        row_add(c, ROW_PENDING, "GPUs", wanted, "%zu", found);
        if (c->starting)
                row_next_wait(c);
        else
                row_next_reboot(c);
}

static void add_counts(StatusContext *c, const GpuFacts *f) {
        const Release *release = c->node->release;
        size_t gpus = release ? release->gpus : 0, nvswitches = release ? release->nvswitches : 0;

        if (!f->pci.hidden && (release || f->pci.gpus)) {
                add_count(c, "GPUs on the bus", strv_length(f->pci.gpus), gpus, "the instance does not have its GPUs");
                if (nvswitches > 0 || strv_length(f->pci.nvswitches) > 0)
                        add_count(c, "NVSwitches on the bus", strv_length(f->pci.nvswitches), nvswitches, "the instance does not have its NVSwitches");
        }
        if (f->driver)
                add_attached(c, strv_length(f->attached), gpus, strv_length(f->pci.gpus));
}

/* The library's version is the driver's, behind a number of its own. */
static const char *library_version(const Nvml *n) {
        const char *dot = n->library ? strchr(n->library, '.') : NULL;

        return dot ? dot + 1 : NULL;
}

/* The library may give its version without the last part. */
static bool is_of(const char *library, const char *module) {
        const char *rest = startswith(module, library);

        return rest && (*rest == '\0' || *rest == '.');
}

static void add_refused(StatusContext *c, const GpuFacts *f) {
        const Artifact *driver = c->node->release ? release_artifact_of_kind(c->node->release, ARTIFACT_DRIVER) : NULL;
        bool older = driver && f->module && !streq(driver->version, f->module);

        switch (f->nvml.code) {
        case NVML_VERSION_MISMATCH:
                row_add(c, older || c->reboot ? ROW_PENDING : ROW_FAIL, "NVML", f->module, "%s", f->nvml.answer.reason);
                if (older || c->reboot)
                        row_next_reboot(c);
                else
                        row_next(c, FIRST_DRIVER, "find the other driver's libraries and remove them: ldconfig -p | grep libnvidia-ml");
                return;
        case NVML_NO_PERMISSION:
                row_add(c, ROW_UNKNOWN, "NVML", "answers", "%s", f->nvml.answer.reason);
                row_next(c, FIRST_NEVER, "run as root: gn8v-tee status");
                return;
        default:
                row_add(c, ROW_FAIL, "NVML", "answers", "%s", f->nvml.answer.reason);
                row_next(c, FIRST_GPUS, "read the driver's reasons, journalctl -k -b -g 'NVRM|Xid', then " STOP_START);
        }
}

/* The library itself: that it answers, and that it is the loaded module's. */
static void add_library(StatusContext *c, const GpuFacts *f) {
        const Artifact *driver = c->node->release ? release_artifact_of_kind(c->node->release, ARTIFACT_DRIVER) : NULL;
        _cleanup_free_ char *branch = driver ? version_branch(driver->version) : NULL;
        const char *library = library_version(&f->nvml);

        switch (f->nvml.answer.outcome) {
        case LIBRARY_ANSWERED:
                if (!library || !f->module || (is_of(library, f->module) && f->nvml.driver && streq(f->nvml.driver, f->module))) {
                        row_add(c, ROW_OK, "NVML", f->module, "%s", library ? library : "answers");
                        return;
                }
                row_add(c, ROW_FAIL, "NVML", f->module, "library %s, driver %s", library, f->nvml.driver ? f->nvml.driver : "unknown");
                row_next(c, FIRST_DRIVER, "find the other driver's libraries and remove them: ldconfig -p | grep libnvidia-ml");
                return;
        case LIBRARY_REFUSED: add_refused(c, f); return;
        case LIBRARY_HUNG:
                row_add(c, ROW_FAIL, "NVML", "answers", "%s", f->nvml.answer.reason);
                row_next(c, FIRST_GPUS, "the driver hangs, or makes each GPU ready anew because nvidia-persistenced does not run: journalctl -k -b -g 'NVRM|Xid'");
                return;
        default:
                row_add(c, ROW_FAIL, "NVML", "answers", "%s", f->nvml.answer.reason);
                if (branch)
                        row_next(c, FIRST_DRIVER, "rpm -V gn8v-tee-driver-%s; yum reinstall gn8v-tee-driver-%s", branch, branch);
                else
                        row_next(c, FIRST_DRIVER, "reinstall the driver's libraries: they do not work");
        }
}

/* A number that the library may not have told. want < 0: no release says what it should be. */
static bool add_told(StatusContext *c, const char *name, int64_t found, int64_t want, const char *const *words, size_t n_words) {
        const char *expected = want < 0 ? NULL : words[want];

        if (found == NVML_UNTOLD) {
                row_add(c, ROW_UNKNOWN, name, expected, "this driver does not say");
                row_next(c, FIRST_NEVER, "gn8v-tee status --json names the calls that failed; an older driver has none for this");
                return true;
        }
        if ((uint64_t) found < n_words)
                row_add(c, want < 0 || found == want ? ROW_OK : ROW_FAIL, name, expected, "%s", words[found]);
        else
                row_add(c, want < 0 ? ROW_OK : ROW_FAIL, name, expected, "%lld", (long long) found);
        return want < 0 || found == want;
}

static void add_mode(StatusContext *c, const Nvml *n) {
        static const char *const on_off[] = { "OFF", "ON" }, *const modes[] = { "none", "Protected PCIe", "NVLink encryption" };
        const Release *release = c->node->release;
        _cleanup_free_ char *types = release ? strv_join(release->instance_types, " or ") : NULL;

        if (n->unsupported == 1) {
                row_add(c, release ? ROW_FAIL : ROW_OK, "CC feature", release ? "supported" : NULL, "not supported");
                if (release)
                        row_next(c, FIRST_GPUS, "these GPUs, or this driver, have no confidential computing: use an instance of type %s",
                                 types && *types ? types : "ecs.gn8v-tee");
                return;
        }
        if (release && release->mode == MODE_PROTECTED_PCIE) {
                /* Not this feature but the mode protects eight GPUs: OFF is as it should be. */
                if (n->feature == NVML_UNTOLD)
                        add_told(c, "CC feature", n->feature, 0, on_off, ELEMENTSOF(on_off));
                else
                        row_add(c, ROW_OK, "CC feature", "OFF is normal", "%s", on_off[n->feature != 0]);
                if (!add_told(c, "multi-GPU mode", n->multi_gpu, NVML_MULTI_GPU_PROTECTED, modes, ELEMENTSOF(modes)))
                        row_next(c, FIRST_GPUS, "gn8v-tee apply && reboot; if it stays so, open a ticket: the GPUs and NVSwitches are not in Protected PCIe mode");
        } else if (!add_told(c, "CC feature", n->feature, release ? NVML_FEATURE_ENABLED : -1, on_off, ELEMENTSOF(on_off)))
                row_next(c, FIRST_GPUS, "this GPU is not in confidential computing mode: use an instance of type %s; if it is one, open a ticket",
                         types && *types ? types : "ecs.gn8v-tee");
        if (!add_told(c, "devtools mode", n->devtools, release ? release->devtools : -1, on_off, ELEMENTSOF(on_off)))
                row_next(c, FIRST_GPUS, "open a ticket: this GPU can be debugged from outside, and protects nothing");
        if (n->environment == 1) {
                row_add(c, ROW_FAIL, "CC environment", "production", "simulation");
                row_next(c, FIRST_GPUS, "open a ticket: this GPU only simulates confidential computing");
        }
}

/* Setting it by hand would be the end of the gate. What attestation found has a row, and a next action, of its own: see status-attest.c. */
static void add_gated(StatusContext *c, const Nvml *n) {
        bool starting = unit_is_starting(c->node, RELEASE_GATE_UNIT);

        if (n->ready == 1) {
                row_add(c, ROW_OK, "ready state", "ready", "ready");
                return;
        }
        row_add(c, starting ? ROW_PENDING : ROW_FAIL, "ready state", "ready", "not ready: %s", starting ? "being attested" : "attestation comes first");
        if (starting)
                row_next(c, FIRST_WAIT, "wait: the GPUs are being attested: journalctl -b -u " RELEASE_GATE_UNIT);
        else
                row_next(c, FIRST_LAST, "gn8v-tee attest --set-ready; why that is not done: journalctl -b -u " RELEASE_GATE_UNIT);
}

static void add_ready(StatusContext *c, const Nvml *n) {
        static const char *const words[] = { "not ready", "ready" };
        const Release *release = c->node->release;
        bool protected = n->feature == NVML_FEATURE_ENABLED || n->multi_gpu == NVML_MULTI_GPU_PROTECTED;

        if (protected && release && n->ready != NVML_UNTOLD && node_exists(c->node, "/" RELEASE_GATE_DROP_IN)) {
                add_gated(c, n);
                return;
        }
        /* Without confidential computing there is no such state. */
        if (!protected || add_told(c, "ready state", n->ready, release ? 1 : -1, words, ELEMENTSOF(words)))
                return;
        if (release->set_ready)
                row_next(c, FIRST_GPUS, "nvidia-smi conf-compute -srs 1; why it was not set: journalctl -b -u nvidia-persistenced");
        else
                row_next(c, FIRST_GPUS, "attest the GPUs, then: nvidia-smi conf-compute -srs 1");
}

/* Over all GPUs: how many are as they should be. */
static void add_persistence(StatusContext *c, const Nvml *n) {
        size_t on = 0, told = 0;

        for (size_t i = 0; i < n->n_gpus; i++) {
                on += n->gpus[i].persistence == 1;
                told += n->gpus[i].persistence != NVML_UNTOLD;
        }
        if (told == 0)
                return;
        row_add(c, on == told || !c->node->release ? ROW_OK : ROW_FAIL, "persistence mode", c->node->release ? "ON" : NULL, "%s",
                on == told ? "ON" : on == 0 ? "OFF" : "partly ON");
        if (on != told && c->node->release)
                row_next(c, FIRST_SERVICE, "persistenced does not hold every GPU: journalctl -b -u nvidia-persistenced, then reboot");
}

static void add_fabric(StatusContext *c, const Nvml *n) {
        size_t completed = 0, progress = 0, failed = 0, told = 0;
        bool wanted = c->node->release && c->node->release->nvswitches > 0;

        for (size_t i = 0; i < n->n_gpus; i++) {
                const NvmlGpu *g = &n->gpus[i];

                told += g->fabric_state != NVML_UNTOLD;
                completed += g->fabric_state == NVML_FABRIC_COMPLETED && g->fabric_status == NVML_SUCCESS;
                failed += g->fabric_state == NVML_FABRIC_COMPLETED && g->fabric_status != NVML_SUCCESS;
                progress += g->fabric_state == NVML_FABRIC_IN_PROGRESS || g->fabric_state == NVML_FABRIC_NOT_STARTED;
        }
        if (!wanted) {
                if (progress == 0)
                        return;
                row_add(c, c->node->release ? ROW_WARN : ROW_OK, "NVLink fabric", "none", "%zu of %zu wait for one", progress, n->n_gpus);
                if (c->node->release)
                        row_next(c, FIRST_LAST, "if CUDA says \"system not yet initialized\": options nvidia NVreg_NvLinkDisable=1, then reboot");
        } else if (told == 0)
                add_told(c, "NVLink fabric", NVML_UNTOLD, 0, (const char *const[]){ "completed" }, 1);
        else if (completed == n->n_gpus)
                row_add(c, ROW_OK, "NVLink fabric", "completed", "completed");
        else if (progress > 0 && failed == 0) {
                row_add(c, ROW_PENDING, "NVLink fabric", "completed", "%zu of %zu completed", completed, n->n_gpus);
                row_next(c, FIRST_WAIT, "wait: gn8v-tee status --wait; if it stays so: journalctl -b -u nvidia-fabricmanager");
        } else {
                row_add(c, ROW_FAIL, "NVLink fabric", "completed", "%zu of %zu completed, %zu failed", completed, n->n_gpus, failed);
                row_next(c, FIRST_GPUS, "journalctl -b -u nvidia-fabricmanager; then reboot");
        }
}

/* A GPU that the library counts and cannot describe. */
static void add_failures(StatusContext *c, const Nvml *n) {
        for (size_t i = 0; i < n->n_failures; i++) {
                const NvmlFailure *f = &n->failures[i];
                _cleanup_free_ char *name = f->gpu == NVML_UNTOLD ? strdup("NVML") : format("GPU %lld", (long long) f->gpu);

                if (f->gpu != NVML_UNTOLD && i > 0 && n->failures[i - 1].gpu == f->gpu)
                        continue; /* one row a GPU, with the first thing that failed */
                row_add(c, ROW_FAIL, name ? name : "NVML", "answers", "%s: %s (%lld)", f->call, nvml_code_to_string(f->code), (long long) f->code);
                row_next(c, FIRST_GPUS, "read the driver's reasons, journalctl -k -b -g 'NVRM|Xid', then " STOP_START);
        }
}

void status_gpu(StatusContext *c) {
        _cleanup_error_ Error e = ERROR_INIT;

        if (gpu_facts(c->node, &c->status.gpu, &e) >= 0) {
                status_gpu_rows(c, &c->status.gpu);
                return;
        }
        row_add(c, ROW_UNKNOWN, "GPUs", NULL, "%s", e.message ? e.message : "not to be seen");
        row_next(c, FIRST_NEVER, "run as root: gn8v-tee status");
}

void status_gpu_rows(StatusContext *c, const GpuFacts *f) {
        const Nvml *n = &f->nvml;

        add_counts(c, f);
        if (f->not_asked) {
                row_add(c, ROW_UNKNOWN, "NVML", "answers", "not asked: %s", f->not_asked);
                row_next(c, FIRST_NEVER, c->node->root ? "run it on that system" : "gn8v-tee status --wait");
                return;
        }
        if (!f->asked)
                return;
        add_library(c, f);
        add_failures(c, n);
        if (n->answer.outcome != LIBRARY_ANSWERED)
                return;
        add_count(c, "GPUs of NVML", (size_t) MAX(n->count, 0), c->node->release ? c->node->release->gpus : 0, "a GPU does not answer");
        add_mode(c, n);
        add_ready(c, n);
        add_persistence(c, n);
        add_fabric(c, n);
}
