/* SPDX-License-Identifier: GPL-2.0 */
/* Round robin: the next one in the list that may be chosen. The cursor is the last one's place. */
#ifndef DIRECTRIX_RR_H
#define DIRECTRIX_RR_H

#include "scheduler.h"

struct rr_walk {
	__u32 set, count, place, found;
};

static long rr_step(__u32 i, void *context)
{
	struct rr_walk *walk = context;
	struct set_entry *entry;

	walk->place++;
	if (walk->place >= walk->count)
		walk->place = 0;
	entry = entry_at(walk->set, walk->place);
	if (!entry || !candidate(entry))
		return 0;
	walk->found = walk->place;
	return 1;
}

__noinline __u32 rr_pick(__u32 number)
{
	struct server_set *set = set_at(number);
	struct rr_walk walk = { .set = number };

	if (!set)
		return NOBODY;
	walk.count = set->count;
#pragma clang loop unroll(full)	/* Linux 6.1 takes no loop that goes on right behind a call */
	for (int i = 0; i < CURSOR_TRIES; i++) {
		__u64 cursor = set->cursor;

		walk.place = cursor;
		walk.found = NOBODY;
		if (!rr_step(0, &walk))
			bpf_loop(walk.count, rr_step, &walk, 0);
		if (walk.found == NOBODY)
			return NOBODY;
		if (__sync_val_compare_and_swap(&set->cursor, cursor, (__u64)walk.found) == cursor)
			break;
	}
	return walk.found;
}

#endif
