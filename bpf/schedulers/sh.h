/* SPDX-License-Identifier: GPL-2.0 */
/* Source hashing: by the client's address, from a table of 256 buckets. */
#ifndef DIRECTRIX_SH_H
#define DIRECTRIX_SH_H

#include "hashing.h"

static long sh_look_on(__u32 offset, void *context)
{
	struct hashed *hashed = context;
	__u32 first = hashed->first, bucket = ((offset + first) % HASH_BUCKETS + first) % HASH_BUCKETS;

	hashed->found = usable_at(hashed->set, hashed->table, bucket);
	return hashed->found != NOBODY;
}

__noinline __u32 sh_pick(const struct packet *p, __u32 set, __u32 flags)
{
	struct hashed hashed = { .set = set, .table = table_unit(set) };

	if (!p)
		return NOBODY;
	hashed.first = hash_bucket(hashed_client(p, flags));
	hashed.found = usable_at(set, hashed.table, hashed.first);
	if (hashed.found == NOBODY && flags & HASH_FALLBACK)
		bpf_loop(HASH_BUCKETS, sh_look_on, &hashed, 0);
	return hashed.found;
}

#endif
