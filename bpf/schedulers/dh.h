/* SPDX-License-Identifier: GPL-2.0 */
/* Destination hashing: by the destination address, from a table of 256 buckets. */
#ifndef DIRECTRIX_DH_H
#define DIRECTRIX_DH_H

#include "hashing.h"

__noinline __u32 dh_pick(const struct packet *p, __u32 set)
{
	return p ? usable_at(set, table_unit(set), hash_bucket(fold_address(p, true))) : NOBODY;
}

#endif
