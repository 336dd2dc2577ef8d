/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/topology.h"

#include "basic/strings.h"

/* The first byte of a BROM certificate's serial number; the PDI follows. Seen on every device of one system; NVIDIA does not document it. */
#define SERIAL_GPU    0x41
#define SERIAL_SWITCH 0x50
#define PDIS_MAX      256

typedef uint8_t Pdi[PDI_SIZE];

/* Distinct PDIs. */
typedef struct PdiSet {
        Pdi pdis[PDIS_MAX];
        size_t n;
} PdiSet;

static bool contains(const PdiSet *s, const Pdi pdi) {
        for (size_t i = 0; i < s->n; i++)
                if (memcmp(s->pdis[i], pdi, PDI_SIZE) == 0)
                        return true;
        return false;
}

static void add(PdiSet *s, const Pdi pdi) {
        if (s->n < PDIS_MAX && !contains(s, pdi))
                memcpy(s->pdis[s->n++], pdi, PDI_SIZE);
}

static bool same(const PdiSet *a, const PdiSet *b) {
        for (size_t i = 0; i < a->n; i++)
                if (!contains(b, a->pdis[i]))
                        return false;
        return a->n == b->n;
}

static bool is_zero(const Pdi pdi) {
        static const Pdi zero = {};
        return memcmp(pdi, zero, PDI_SIZE) == 0;
}

/* The switches that a GPU's 18 links go to; 0 when the report has no such list, or a link that goes nowhere. */
static PdiSet gpu_switches(const Report *r) {
        Bytes b = r ? r->opaque[OPAQUE_SWITCH_PDI] : (Bytes) {};
        PdiSet s = {};

        if (b.size != GPU_LINKS * PDI_SIZE)
                return s;
        for (size_t i = 0; i < GPU_LINKS; i++) {
                Pdi pdi;

                for (size_t k = 0; k < PDI_SIZE; k++)
                        pdi[k] = b.data[i * PDI_SIZE + PDI_SIZE - 1 - k];
                if (is_zero(pdi))
                        return (PdiSet) {};
                add(&s, pdi);
        }
        return s;
}

static PdiSet switch_gpus(const Report *r) {
        Bytes b = r ? r->opaque[OPAQUE_SWITCH_GPU_PDIS] : (Bytes) {};
        PdiSet s = {};

        for (size_t i = 0; b.size >= SWITCH_GPUS * PDI_SIZE && i < SWITCH_GPUS; i++) {
                if (is_zero(b.data + i * PDI_SIZE))
                        return (PdiSet) {};
                add(&s, b.data + i * PDI_SIZE);
        }
        return s;
}

static const uint8_t *own_pdi(const TopologyDevice *d) {
        return d->report && d->report->opaque[OPAQUE_DEVICE_PDI].size == PDI_SIZE ? d->report->opaque[OPAQUE_DEVICE_PDI].data : NULL;
}

/* The PDI in a BROM certificate's serial number; false when there is none. */
static bool certified_pdi(const TopologyDevice *d, uint8_t prefix, Pdi ret) {
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t n;

        if (!d->serial || hex_decode(d->serial, strlen(d->serial), false, &bytes, &n) < 0 || n != PDI_SIZE + 1 || bytes[0] != prefix)
                return false;
        memcpy(ret, bytes + 1, PDI_SIZE);
        return true;
}

/* Each device's set has `wanted` members, and all the same: that set, or an empty one and a failed check. */
static PdiSet common_set(const TopologyDevice *v, size_t n, size_t wanted, PdiSet (*read)(const Report *r), const char *what, Check *checks, CheckId id) {
        PdiSet first = {};

        for (size_t i = 0; i < n; i++) {
                PdiSet s = read(v[i].report);

                if (s.n != wanted) {
                        check_set(checks, id, CHECK_FAILED, "%s: its report names %zu %s, not %zu", v[i].name, s.n, what, wanted);
                        return (PdiSet) {};
                }
                if (i == 0)
                        first = s;
                else if (!same(&first, &s)) {
                        check_set(checks, id, CHECK_FAILED, "%s names other %s than %s", v[i].name, what, v[0].name);
                        return (PdiSet) {};
                }
        }
        check_set(checks, id, CHECK_OK, "all %zu name the same %zu %s", n, wanted, what);
        return first;
}

/* Every device is one of the set, and none of the set is missing. */
static void check_bound(const TopologyDevice *v, size_t n, uint8_t prefix, const PdiSet *linked, const char *what, Check *checks, CheckId id) {
        PdiSet attested = {};

        for (size_t i = 0; i < n; i++) {
                Pdi pdi;

                if (!certified_pdi(&v[i], prefix, pdi)) {
                        check_set(checks, id, CHECK_FAILED, "%s: its certificates name no PDI", v[i].name);
                        return;
                }
                if (!contains(linked, pdi)) {
                        check_set(checks, id, CHECK_FAILED, "%s is not one of the %zu %s that are linked", v[i].name, linked->n, what);
                        return;
                }
                add(&attested, pdi);
        }
        if (same(&attested, linked))
                check_set(checks, id, CHECK_OK, "the %zu %s that are linked are the ones attested", linked->n, what);
        else
                check_set(checks, id, CHECK_FAILED, "%zu of the %zu %s that are linked were not attested", linked->n - attested.n, linked->n, what);
}

static void check_known(const TopologyDevice *v, size_t n, const PdiSet *linked, Check *checks) {
        for (size_t i = 0; i < n; i++) {
                const uint8_t *pdi = own_pdi(&v[i]);

                if (!pdi || !contains(linked, pdi)) {
                        check_set(checks, CHECK_SWITCH_KNOWN, CHECK_FAILED, "%s is not one of the switches that the GPUs are linked to", v[i].name);
                        return;
                }
        }
        check_set(checks, CHECK_SWITCH_KNOWN, CHECK_OK, "%s", "");
}

void topology_check_identity(const TopologyDevice *switches, size_t n, Check *checks) {
        for (size_t i = 0; i < n; i++) {
                const uint8_t *pdi = own_pdi(&switches[i]);
                Pdi certified;

                if (!pdi || !certified_pdi(&switches[i], SERIAL_SWITCH, certified) || memcmp(pdi, certified, PDI_SIZE) != 0) {
                        check_set(checks, CHECK_IDENTITY_BOUND, CHECK_FAILED, "%s: the PDI of its report is not that of its certificates", switches[i].name);
                        return;
                }
        }
        check_set(checks, CHECK_IDENTITY_BOUND, CHECK_OK, "%s", "");
}

void topology_check(const TopologyDevice *gpus, size_t n_gpus, const TopologyDevice *switches, size_t n_switches, Check *checks) {
        PdiSet linked_switches, linked_gpus;

        linked_switches = common_set(gpus, n_gpus, TOPOLOGY_SWITCHES, gpu_switches, "switches", checks, CHECK_GPU_LINKS);
        linked_gpus = common_set(switches, n_switches, TOPOLOGY_GPUS, switch_gpus, "GPUs", checks, CHECK_SWITCH_LINKS);
        if (checks[CHECK_GPU_LINKS].state == CHECK_OK) {
                check_known(switches, n_switches, &linked_switches, checks);
                check_bound(switches, n_switches, SERIAL_SWITCH, &linked_switches, "switches", checks, CHECK_SWITCHES_BOUND);
        }
        if (checks[CHECK_SWITCH_LINKS].state == CHECK_OK)
                check_bound(gpus, n_gpus, SERIAL_GPU, &linked_gpus, "GPUs", checks, CHECK_GPUS_BOUND);
        topology_check_identity(switches, n_switches, checks);
}
