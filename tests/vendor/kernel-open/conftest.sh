#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
# NVIDIA's tries the kernel's interfaces here; the look-alike uses none that vary.
exit 0
