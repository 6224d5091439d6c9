/* SPDX-License-Identifier: GPL-2.0 */
/* Shortest expected delay: the smallest (active + 1) / weight, the 1 being the new connection. */
#ifndef DIRECTRIX_SED_H
#define DIRECTRIX_SED_H

#include "scheduler.h"

static __always_inline __u64 sed_load(const struct server *s)
{
	return (__u64)s->active + 1;
}

#endif
