/* SPDX-License-Identifier: Apache-2.0 */
/* What is everybody's: the clock, SELinux, a reboot that is due. */
#include "node/status-rows.h"

void status_system(StatusContext *c) {
}
