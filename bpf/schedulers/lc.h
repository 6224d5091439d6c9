/* SPDX-License-Identifier: GPL-2.0 */
/* Least connection: the smallest overhead; a weight above 0 only says that a server takes part. */
#ifndef DIRECTRIX_LC_H
#define DIRECTRIX_LC_H

#include "scheduler.h"

#define LC_WEIGHT 1

static __always_inline __u64 lc_load(const struct server *s)
{
	return overhead(s);
}

#endif
