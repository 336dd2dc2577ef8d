/* SPDX-License-Identifier: Apache-2.0 */
/* Steps "install the CUDA Toolkit", "install Fabric Manager", "install a specific version of cuBLAS". */
#include "node/status-rows.h"

void status_software(StatusContext *c) {
}
