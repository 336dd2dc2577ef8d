/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#include "nv.h"

NV_LOOKALIKE(nv);
MODULE_SOFTDEP("pre: ecdh_generic,ecdsa_generic");
