/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Weighted round robin, as IPVS has it: laps through the list for a falling level (`cw`); in a
 * lap everyone whose weight reaches the level is served. The cursor is the last one's place in
 * the low half and the level in the high half.
 *
 * IPVS goes down level by level even where nobody left can reach it; here a whole lap in vain
 * goes straight to the next level somebody reaches. The sequence is the same.
 */
#ifndef DIRECTRIX_WRR_H
#define DIRECTRIX_WRR_H

#include "scheduler.h"

struct wrr_walk {
	__u32 set, count, place, found;
	__s64 level, top, step, reachable;	/* reachable: largest weight seen in this lap */
	bool whole;				/* this lap started at the list's head */
	bool restarted;				/* the levels have started over once */
};

/* The end of the list: one level down, or further if a whole lap found nobody. False: give up. */
static __always_inline bool wrr_next_lap(struct wrr_walk *walk)
{
	if (walk->whole && !walk->reachable)
		return false;
	walk->level -= walk->step;
	if (walk->level <= 0) {
		if (walk->restarted)
			return false;
		walk->restarted = true;
		walk->level = walk->top;
	}
	if (walk->whole && walk->reachable < walk->level)
		walk->level -= ((__u64)(walk->level - walk->reachable) + walk->step - 1) / (__u64)walk->step * walk->step;
	walk->whole = true;
	walk->reachable = 0;
	return true;
}

static long wrr_step(__u32 i, void *context)
{
	struct wrr_walk *walk = context;
	struct set_entry *entry;

	walk->place++;
	if (walk->place >= walk->count) {
		walk->place = CURSOR_AT_HEAD;
		return !wrr_next_lap(walk);
	}
	entry = entry_at(walk->set, walk->place);
	if (!entry || !candidate(entry))
		return 0;
	if (entry->weight >= walk->level) {
		walk->found = walk->place;
		return 1;
	}
	if (entry->weight > walk->reachable)
		walk->reachable = entry->weight;
	return 0;
}

__noinline __u32 wrr_pick(__u32 number)
{
	struct server_set *set = set_at(number);
	struct wrr_walk walk = { .set = number };

	if (!set || !set->max_weight || !set->gcd)
		return NOBODY;
	walk.count = set->count;
	walk.top = set->max_weight;
	walk.step = set->gcd;
#pragma clang loop unroll(full)	/* Linux 6.1 takes no loop that goes on right behind a call */
	for (int i = 0; i < CURSOR_TRIES; i++) {
		__u64 cursor = set->cursor;

		walk.place = cursor;
		walk.level = cursor >> 32;
		walk.whole = walk.place == CURSOR_AT_HEAD;
		walk.restarted = false;
		walk.reachable = 0;
		walk.found = NOBODY;
		if (!wrr_step(0, &walk))
			bpf_loop((walk.count + 1) * 4, wrr_step, &walk, 0);
		if (walk.found == NOBODY)
			return NOBODY;
		if (__sync_val_compare_and_swap(&set->cursor, cursor, walk.found | (__u64)walk.level << 32) == cursor)
			break;
	}
	return walk.found;
}

#endif
