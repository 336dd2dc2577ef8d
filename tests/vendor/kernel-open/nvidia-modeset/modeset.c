/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#include "nv.h"

NV_LOOKALIKE(modeset);
