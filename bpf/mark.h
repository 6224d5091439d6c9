/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Firewall marks: which packets have one, and the service a mark belongs to.
 *
 * Netfilter comes after us, so marks are given by rules of our own: protocol, destination prefix
 * and ports. Which rule is the most specific is settled by user space. Under every prefix that a
 * rule names it writes the ranges of ports that have a mark there, those of wider prefixes
 * included: disjoint and sorted. So a packet finds its longest prefix in a trie, its port in that
 * prefix's ranges, and is done, whatever the number of rules.
 *
 * Only a packet without a connection comes here, and only if there are rules. That it comes as
 * far as this is user space's doing, too: it shows what the rules of a service cover in
 * front.index and front.address_mark.
 */
#ifndef DIRECTRIX_MARK_H
#define DIRECTRIX_MARK_H

#include "service.h"

#define FWMARK_HEAD_BITS 64		/* of struct fwmark_prefix before the address */
#define FWMARK_SEARCH_STEPS 16		/* halve MAX_FWMARK_RANGES down to one */

struct fwmarks fwmarks SEC(".data.fwmarks") = {};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_FWMARK_PREFIXES);
	__type(key, struct fwmark_prefix);
	__type(value, struct fwmark_run);
} fwmark_prefixes SEC(".maps");

SHARED_ARRAY(fwmark_ranges, struct fwmark_range, 2 * MAX_FWMARK_RANGES);
SHARED_ARRAY(fwmark_rules, struct fwmark_rule, 2 * MAX_FWMARK_RULES);	/* rules, and ghosts of rules */

static __always_inline struct fwmark_range *fwmark_range_at(__u32 place)
{
	return bpf_map_lookup_elem(&fwmark_ranges, &place);
}

/* The mark of a port among the ranges of its destination, or 0. */
static __always_inline __u32 fwmark_in(const struct fwmark_run *run, __u16 port)
{
	__u32 place = run->start, left = run->count;
	struct fwmark_range *range;

	for (int i = 0; i < FWMARK_SEARCH_STEPS && left > 1; i++) {
		range = fwmark_range_at(place + left / 2);
		if (!range)
			return 0;
		if (range->first <= port) {
			place += left / 2;
			left -= left / 2;
		} else {
			left /= 2;
		}
	}
	range = fwmark_range_at(place);
	return range && range->first <= port && port <= range->last ? range->mark : 0;
}

/* The number of the service for a packet by its mark; NOBODY if it has none, or none of this mark is there. */
__noinline __u32 mark_service(const struct packet *p)
{
	struct fwmark_prefix where = {};
	struct service_key key = {};
	struct fwmark_run *run;

	if (!p)
		return NOBODY;
	where.generation = fwmarks.in_force;
	where.protocol = protocol_of(p);
	where.family = key.family = is_ipv4(p) ? 4 : 6;
	if (is_ipv4(p)) {
		where.bits = FWMARK_HEAD_BITS + 32;
		where.address[0] = p->address[1];
	} else {
		where.bits = FWMARK_HEAD_BITS + 128;
		__builtin_memcpy(where.address, &p->address[4], sizeof(where.address));
	}
	run = bpf_map_lookup_elem(&fwmark_prefixes, &where);
	if (!run)
		return NOBODY;
	key.address[0] = fwmark_in(run, bpf_ntohs(port_of(p)));
	return key.address[0] ? service_with(&key) : NOBODY;
}

#endif
