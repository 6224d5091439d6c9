/* SPDX-License-Identifier: GPL-2.0 */
/* Weighted overflow: as fo, among the servers that have no more active connections than weight. */
#ifndef DIRECTRIX_OVF_H
#define DIRECTRIX_OVF_H

#include "fo.h"

static __always_inline bool ovf_has_room(const struct server *s, __u32 weight)
{
	return s->active <= weight;
}

#endif
