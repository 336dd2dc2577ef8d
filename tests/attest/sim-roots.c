/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of src/cmd/attest-roots.c, for gn8v-tee-attest-sim: the roots of a simulated system, from the file that GN8V_SIM_ROOTS names. */
#include "cmd/attest.h"

const TrustRoots *attest_roots(void) {
        static char device[SHA256_HEX_SIZE], rim[SHA256_HEX_SIZE];
        static const char *const devices[] = { device, NULL }, *const rims[] = { rim, NULL };
        static const TrustRoots roots = { devices, rims };
        const char *path = getenv("GN8V_SIM_ROOTS");
        _cleanup_fclose_ FILE *f = path ? fopen(path, "re") : NULL;

        if (!f || fscanf(f, "%64s %64s", device, rim) != 2) {
                fprintf(stderr, "GN8V_SIM_ROOTS: no file with two digests\n");
                exit(1);
        }
        return &roots;
}
