/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What dh, sh and mh share: IPVS's hash functions, and the table of places that user space writes
 * behind the entries of a set (table/xdp/hash_tables.py).
 */
#ifndef DIRECTRIX_HASHING_H
#define DIRECTRIX_HASHING_H

#include "scheduler.h"

#define HASH_FALLBACK 0x08	/* IPVS's scheduler flag 1: look on if the server found can't be had */
#define HASH_PORT 0x10		/* flag 2: the client's port counts too */
#define HASH_BITS 8
#define HASH_BUCKETS (1 << HASH_BITS)
#define GOLDEN_RATIO_32 0x61c88647U

/* An address as one number: IPv4 as it is, of IPv6 the XOR of its words. */
static __always_inline __u32 fold_address(const struct packet *p, bool destination)
{
	const __u32 *six = &p->address[destination ? 4 : 0];

	if (is_ipv4(p))
		return bpf_ntohl(p->address[destination]);
	return bpf_ntohl(six[0] ^ six[1] ^ six[2] ^ six[3]);
}

static __always_inline __u32 hash_bucket(__u32 number)
{
	return number * GOLDEN_RATIO_32 >> (32 - HASH_BITS);
}

/* What counts of a client. */
static __always_inline __u32 hashed_client(const struct packet *p, __u32 flags)
{
	return fold_address(p, false) + (flags & HASH_PORT ? bpf_ntohs(client_port_of(p)) : 0);
}

struct hashed {
	__u32 set, table, first, client, found;
};

/* The unit in which the set's table of places begins. */
static __always_inline __u32 table_unit(__u32 set)
{
	struct server_set *header = set_at(set);

	return header ? set + 1 + entry_units(header->count) : 0;
}

/* The place in the list that `slot` of the table stands for, if new connections may go there. */
static __always_inline __u32 usable_at(__u32 set, __u32 table, __u32 slot)
{
	struct set_unit *unit = set_unit_at(table + slot / SET_UNIT_PLACES);
	struct set_entry *entry;
	__u32 place;

	if (!unit)
		return NOBODY;
	place = unit->place[slot % SET_UNIT_PLACES];
	entry = entry_at(set, place);
	return entry && candidate(entry) ? place : NOBODY;
}

#endif
