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

static long rich_step(__u32 step, void *context)
{
	struct rich *rich = context;

#pragma clang loop unroll(full)	/* Linux 6.1 takes no loop that goes on right behind a call */
	for (__u32 k = 0; k < UNITS_A_STEP; k++) {
		__u32 unit = step * UNITS_A_STEP + k, first = unit * SET_UNIT_ENTRIES;

		if (first >= rich->count)
			return 1;
		if (unit_summary(rich->set + 1 + unit, rich->count - first, SCHEDULER_WLC) & SUMMARY_RICH) {
			rich->found = true;
			return 1;
		}
	}
	return 0;
}

/* Has it more active connections than weight while another has less than half of its own? */
__noinline int overburdened(__u32 number, __u32 set, __u32 count)
{
	struct rich rich = { .set = set, .count = count };
	struct server *s = server_at(number);

	if (!s || s->active <= s->weight)
		return 0;
	bpf_loop(unit_steps(count), rich_step, &rich, 0);
	return rich.found;
}

#endif
