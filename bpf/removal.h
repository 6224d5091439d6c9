/* SPDX-License-Identifier: GPL-2.0 */
/*
 * With expire_nodest_conn the connections of a removed real server end at once: user space runs this
 * after a removal, over some lines of heads at a time. Buckets never used cost next to nothing.
 */
#ifndef DIRECTRIX_REMOVAL_H
#define DIRECTRIX_REMOVAL_H

#include "defence.h"

struct removal {
	__u32 first, lines;	/* as user space gives them */
	__u32 now;
};

/* Global: verified once. */
__noinline int bucket_clear(__u32 number, struct head *h, __u32 now)
{
	struct bucket *b = bucket_at(number);

	if (!b || !h)
		return 0;
	for (int i = 0; i < BUCKET_SLOTS; i++) {
		struct connection *c = &b->slot[i];

		if (c->id == 0 || c->id == SLOT_CLAIMED || c->status & CONNECTION_DEAD || has_children(c) || available(c->server))
			continue;
		connection_drop(c, now, true);
		visit_by(h, now + GRACE_TICKS);
	}
	return 0;
}

static long line_clear(__u32 i, void *context)
{
	struct removal *removal = context;
	__u32 number = removal->first + i;
	struct head_line *line = bpf_map_lookup_elem(&heads, &number);

	if (!line)
		return 1;
	for (int k = 0; k < HEADS_IN_LINE; k++)
		if (line->head[k].visit)
			bucket_clear(number * HEADS_IN_LINE + k, &line->head[k], removal->now);
	return 0;
}

#endif
