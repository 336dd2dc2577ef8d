/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/wrap-kind.h"
const WrapFormat wrap_cuda = {};
