/* SPDX-License-Identifier: GPL-2.0 */
/* Maglev hashing: by the client's address, from a table that changes little when servers come and go. */
#ifndef DIRECTRIX_MH_H
#define DIRECTRIX_MH_H

#include "hashing.h"

#define MH_SLOTS 4093
#define MH_KEY 2654435761ULL

static __always_inline __u64 rotated(__u64 word, __u32 bits)
{
	return word << bits | word >> (64 - bits);
}

/* The low word of SipHash-1-3 of one number, which is what IPVS hashes with on 64-bit machines. */
static __always_inline __u32 siphash(__u64 key, __u32 number)
{
	__u64 v0 = 0x736f6d6570736575ULL ^ key, v1 = 0x646f72616e646f6dULL ^ key;
	__u64 v2 = 0x6c7967656e657261ULL ^ key, v3 = 0x7465646279746573ULL ^ key;
	__u64 block = 4ULL << 56 | number;

	v3 ^= block;
#pragma clang loop unroll(full)
	for (int round = 0; round < 4; round++) {
		if (round == 1) {
			v0 ^= block;
			v2 ^= 0xff;
		}
		v0 += v1;
		v1 = rotated(v1, 13) ^ v0;
		v0 = rotated(v0, 32);
		v2 += v3;
		v3 = rotated(v3, 16) ^ v2;
		v0 += v3;
		v3 = rotated(v3, 21) ^ v0;
		v2 += v1;
		v1 = rotated(v1, 17) ^ v2;
		v2 = rotated(v2, 32);
	}
	return v0 ^ v1 ^ v2 ^ v3;
}

static __always_inline __u32 mh_slot(__u32 number)
{
	return siphash(MH_KEY, number) % MH_SLOTS;
}

static long mh_look_on(__u32 offset, void *context)
{
	struct hashed *hashed = context;
	__u32 slot = mh_slot((offset + hashed->first) % MH_SLOTS + hashed->client);

	hashed->found = usable_at(hashed->set, hashed->table, slot);
	return hashed->found != NOBODY;
}

__noinline __u32 mh_pick(const struct packet *p, __u32 set, __u32 flags)
{
	struct hashed hashed = { .set = set, .table = table_unit(set) };

	if (!p)
		return NOBODY;
	hashed.client = hashed_client(p, flags);
	hashed.first = mh_slot(hashed.client);
	hashed.found = usable_at(set, hashed.table, hashed.first);
	if (hashed.found == NOBODY && flags & HASH_FALLBACK)
		bpf_loop(MH_SLOTS, mh_look_on, &hashed, 0);
	return hashed.found;
}

#endif
