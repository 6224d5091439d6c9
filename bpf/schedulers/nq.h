/* SPDX-License-Identifier: GPL-2.0 */
/* Never queue: the first server without active connections, whatever its weight; else as sed. */
#ifndef DIRECTRIX_NQ_H
#define DIRECTRIX_NQ_H

#include "sed.h"

static __always_inline __u64 nq_load(const struct server *s)
{
	return s->active ? sed_load(s) : 0;
}

#endif
