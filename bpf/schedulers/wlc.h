/* SPDX-License-Identifier: GPL-2.0 */
/* Weighted least connection: the smallest overhead / weight. */
#ifndef DIRECTRIX_WLC_H
#define DIRECTRIX_WLC_H

#include "scheduler.h"

static __always_inline __u64 wlc_load(const struct server *s)
{
	return overhead(s);
}

#endif
