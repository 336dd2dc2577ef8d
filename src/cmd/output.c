/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output.h"

void print_table(const char *const *cells, size_t rows, size_t columns) {
        size_t width[8] = {};

        for (size_t i = 0; i < rows * columns; i++)
                width[i % columns] = MAX(width[i % columns], strlen(cells[i]));
        for (size_t i = 0; i < rows * columns; i++) {
                bool last = i % columns == columns - 1;

                printf("%-*s%s", last ? 0 : (int) width[i % columns], cells[i], last ? "\n" : "  ");
        }
}

int print_json(json_t *document, Error *e) {
        int r = document ? json_dumpf(document, stdout, JSON_INDENT(2) | JSON_SORT_KEYS) : -1;

        json_decref(document);
        if (r < 0)
                return error_oom(e);
        putchar('\n');
        return 0;
}
