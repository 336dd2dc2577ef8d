/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/attest.h"

const TrustRoots *attest_roots(void) {
        return &trust_roots_nvidia;
}
