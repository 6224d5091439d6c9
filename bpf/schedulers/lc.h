/* SPDX-License-Identifier: GPL-2.0 */
/* Least connection: wlc.h with every weight above 0 counted as one. */
#ifndef DIRECTRIX_LC_H
#define DIRECTRIX_LC_H

#include "wlc.h"

static __always_inline __u32 lc_pick(__u32 number)
{
	return wlc_pick(number, false);
}

#endif
