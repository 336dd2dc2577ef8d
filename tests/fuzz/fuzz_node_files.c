/* SPDX-License-Identifier: Apache-2.0 */
/* More of what the node program reads: dnf's copy of repomd.xml, a unit file, /proc/mounts. */
#include "node/repository.h"
#include "node/unit-graph.h"
#include "node/units.h"
#include "scratch-file.h"

static void write_both(const uint8_t *data, size_t size) {
        static const char *const paths[] = { "/var/cache/dnf/gn8v-tee-1/repodata/repomd.xml", "/etc/systemd/system/a.service" };

        scratch_file("/first", (const uint8_t *) "", 0);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                if (node_write(&scratch_node, paths[i], (const char *) data, size, 0600) < 0)
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_unit_graph_ UnitGraph g = {};
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_strv_ char **chain = NULL;
        Freshness f = {};
        bool ordered;

        write_both(data, size);
        if (repository_freshness(&scratch_node, &f, &e) < 0 && !e.message)
                abort();
        error_clear(&e);
        if (unit_graph_load(&scratch_node, &g, &e) < 0 && !e.message)
                abort();
        (void) unit_graph_chain(&g, "a.service", "b.service", &chain);
        (void) unit_is_ordered(&scratch_node, "a.service", "b.service", &ordered);
        return 0;
}
