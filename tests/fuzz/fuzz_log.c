/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch-file.h"

#include "node/diagnose.h"
#include "node/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Diagnose d; /* what is known is read once */

static void gone(void) {
        diagnose_close(&d);
}

static void begin(void) {
        diagnose_reset(&d);
        for (size_t i = 0; i < d.n_sources; i++) {
                free(d.sources[i].name);
                free(d.sources[i].note);
        }
        d.n_sources = 0;
}

static int keep(const LogLine *l, bool matched, void *userdata) {
        /* What is kept can be shown, and put into JSON. */
        for (const char *p = l->message; *p; p++)
                if (((unsigned char) *p < 0x20 && *p != '\t') || *p == 0x7f)
                        abort();
        return 0;
}

/* A saved log (or a tar archive of such) with what is shipped as known; and the same bytes masked. Runs from the top of the sources. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static char *const words[] = { (char *) "host", NULL };
        const Mask m = { .tokens = true, .addresses = true, .identities = true, .words = words };
        _cleanup_free_ char *path = NULL, *masked = NULL;

        scratch_file("/log", data, size);
        path = format("%s/log", scratch_dir);
        if (!path || (!d.known && (diagnose_open(&d, &scratch_node, "src/node/diagnoses.conf", NULL) < 0 || atexit(gone) != 0)))
                abort();
        begin();
        d.keep = size > 0 && data[0] % 2 ? keep : NULL;
        if (size < 2 || data[0] != 0x1f || data[1] != 0x8b) /* no gzip here */
                (void) diagnose_file(&d, path, 1, NULL);
        if (diagnose_conclude(&d, NULL) < 0)
                abort();
        masked = mask_text((const char *) data, size, &m);
        if (!masked)
                abort();
        return 0;
}
