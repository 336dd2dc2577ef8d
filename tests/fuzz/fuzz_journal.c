/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that is read, and what revert does when it believes it: nothing outside of the files that are ours to put back. */
#include "scratch-file.h"

#include "node/plan.h"

static int no_tool(Node *n, const char *const *argv, unsigned timeout_sec, int *ret_status, char **ret_output, Error *e) {
        for (const char *const *s = argv + 1; *s; s++)
                if (strstr(*s, "..") || strchr(*s, ' '))
                        abort(); /* no word of a journal becomes a path or two words */
        *ret_status = 0;
        *ret_output = strdup("inactive\n");
        return 0;
}

static void quiet(const Resource *r, Event event, void *userdata) {
}

static void revert(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *decoy = NULL;
        PlanResult result;

        scratch_node.run = no_tool;
        scratch_node.environment = ENVIRONMENT_MACHINE;
        if (node_write(&scratch_node, "/etc/passwd", "root\n", 5, 0644) < 0 ||
            node_write(&scratch_node, "/boot/grub2/grubenv", "# GRUB Environment Block\na=1\n##", 31, 0644) < 0)
                abort();
        (void) plan_revert(&scratch_node, quiet, NULL, &result, &e);
        if (node_read(&scratch_node, "/etc/passwd", 100, &decoy, NULL) < 0 || !streq(decoy, "root\n"))
                abort();
        if (scratch_node.journal)
                scratch_node.journal = journal_free(scratch_node.journal);
        if (node_write(&scratch_node, NODE_JOURNAL_PATH, data, size, 0600) < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(journal_freep) Journal *j = NULL;
        const char *key;
        json_t *value;

        scratch_file(NODE_JOURNAL_PATH, data, size);
        if (journal_load(&scratch_node, &j, &e) < 0) {
                if (!e.message || !e.hint)
                        abort(); /* every refusal says why, and what to do */
                return 0;
        }
        for (size_t i = 0; i < j->n_entries; i++)
                json_object_foreach(json_object_get(j->entries[i]->before, "files"), key, value) {
                        _cleanup_free_ char *bytes = NULL;
                        size_t n;

                        (void) bytes_from_json(value, &bytes, &n);
                }
        revert(data, size);
        return 0;
}
