/* SPDX-License-Identifier: Apache-2.0 */
/* pause:UNIT. What would open the GPU while its driver is being changed is stopped, remembered, and runs again after the reboot. */
#pragma once

#include "node/resource.h"

/* Whether the probed resource is to be stopped (else it is to run again). */
bool pause_is_stop(const Resource *r);
