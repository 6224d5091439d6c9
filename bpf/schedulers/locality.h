/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lblc and lblcr share: the memory of which servers have a destination's content. It is a hash
 * of both schedulers of all services that forgets the least recently used when it is full, instead
 * of IPVS's collections; and what was unused for longer than the expiration is as good as forgotten.
 */
#ifndef DIRECTRIX_LOCALITY_H
#define DIRECTRIX_LOCALITY_H

#include "least.h"

/* The destination, and the scheduler whose memory it is. */
static __always_inline void locality_key(const struct packet *p, __u32 epoch, struct locality_key *key)
{
	key->epoch = epoch;
	if (is_ipv4(p)) {
		key->address[0] = p->address[1];
		key->address[1] = key->address[2] = key->address[3] = 0;
	} else {
		__builtin_memcpy(key->address, &p->address[4], sizeof(key->address));
	}
}

/* A remembered server, if the number still means the same one. */
static __always_inline struct server *same_server(const struct replica *replica)
{
	struct server *s = server_at(replica->server);

	return s && s->incarnation == replica->incarnation ? s : NULL;
}

struct rich {
	__u32 set, count;
	bool found;
};

__noinline int unit_has_rich(__u32 number, __u32 count)
{
	struct set_unit *unit = set_unit_at(number);

	if (!unit)
		return false;
	for (__u32 i = 0; i < SET_UNIT_ENTRIES; i++) {
		struct server *s;

		if (i >= count)
			break;
		s = server_at(unit->entry[i].server);
		if (s && (__u64)s->active * 2 < unit->entry[i].weight)
			return true;
	}
	return false;
}

static long rich_step(__u32 i, void *context)
{
	struct rich *rich = context;

	rich->found = unit_has_rich(rich->set + 1 + i, rich->count - i * SET_UNIT_ENTRIES);
	return rich->found;
}

/* Has it more active connections than weight while another has less than half of its own? */
static __always_inline bool overburdened(const struct server *s, __u32 set)
{
	struct rich rich = { .set = set };
	struct server_set *header;

	if (s->active <= s->weight)
		return false;
	header = set_at(set);
	if (!header)
		return false;
	rich.count = header->count;
	bpf_loop(entry_units(header), rich_step, &rich, 0);
	return rich.found;
}

/* The least loaded of all by wlc's rule: its number, or NOBODY. */
static __always_inline __u32 least_of_all(__u32 set)
{
	__u32 place = least_pick(set, SCHEDULER_WLC);
	struct set_entry *entry;

	if (place == NOBODY)
		return NOBODY;
	entry = entry_at(set, place);
	return entry ? entry->server : NOBODY;
}

#endif
