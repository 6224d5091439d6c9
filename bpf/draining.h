/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A real server is drained: user space has its connections counted or ended, or its templates made to keep no client
 * any more, over some lines of heads at a time. Packets know nothing of it. Buckets never used cost next to nothing.
 */
#ifndef DIRECTRIX_DRAINING_H
#define DIRECTRIX_DRAINING_H

#include "defence.h"
#include "persistence.h"

enum draining_what { DRAINING_COUNT, DRAINING_END, DRAINING_FORGET };

struct draining {
	__u32 first, lines, server, what, protocol;	/* as user space gives them; protocol 0: all */
	__u32 now;
	__u32 found;
};

/* No new connection finds it any more; it ends at once unless connections live that it controls. */
static __always_inline void template_forget(struct connection *c, struct head *h, __u32 now)
{
	template_invalidate(c);
	if (!c->children && connection_end(c, c->expires, now))
		visit_by(h, now + GRACE_TICKS);
}

/* Global: verified once. */
__noinline int bucket_drain(__u32 number, struct head *h, struct draining *d)
{
	struct bucket *b = bucket_at(number);

	if (!b || !h || !d)
		return 0;
	for (int i = 0; i < BUCKET_SLOTS; i++) {
		struct connection *c = &b->slot[i];
		bool template = c->status & CONNECTION_TEMPLATE;

		if (c->id == 0 || c->id == SLOT_CLAIMED || c->status & CONNECTION_DEAD || c->server != d->server)
			continue;
		if (template != (d->what == DRAINING_FORGET) || (d->protocol && d->protocol != (__u8)(c->id >> 32)))
			continue;
		if (!template && reached(d->now, c->expires))
			continue;	/* the clock is about to end it */
		if (template) {
			if (c->server_port == INVALID_PORT)
				continue;
			template_forget(c, h, d->now);
		} else if (d->what == DRAINING_END) {
			connection_drop(c, d->now, true);
			visit_by(h, d->now + GRACE_TICKS);
			if (!(c->status & CONNECTION_DEAD))
				continue;	/* a packet has refreshed it at this very moment */
		}
		d->found++;
	}
	return 0;
}

static long line_drain(__u32 i, void *context)
{
	struct draining *d = context;
	__u32 number = d->first + i;
	struct head_line *line = bpf_map_lookup_elem(&heads, &number);

	if (!line)
		return 1;
	for (int k = 0; k < HEADS_IN_LINE; k++)
		if (line->head[k].visit)
			bucket_drain(number * HEADS_IN_LINE + k, &line->head[k], d);
	return 0;
}

#endif
