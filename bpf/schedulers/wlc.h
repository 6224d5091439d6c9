/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Least connection and weighted least connection: the smallest overhead, or overhead / weight
 * compared by cross multiplication; the first in the list wins a tie.
 */
#ifndef DIRECTRIX_WLC_H
#define DIRECTRIX_WLC_H

#include "scheduler.h"

struct wlc_walk {
	__u32 set, found;
	bool weighted;
	__u64 load, weight;
};

static long wlc_step(__u32 place, void *context)
{
	struct wlc_walk *walk = context;
	struct set_entry *entry = entry_at(walk->set, place);
	__u64 load, weight;
	struct server *s;

	if (!entry)
		return 1;
	s = candidate(entry);
	if (!s)
		return 0;
	load = overhead(s);
	weight = walk->weighted ? entry->weight : 1;
	if (walk->found == NOBODY || walk->load * weight > load * walk->weight) {
		walk->found = place;
		walk->load = load;
		walk->weight = weight;
	}
	return 0;
}

__noinline __u32 wlc_pick(__u32 number, __u32 weighted)
{
	struct wlc_walk walk = { .set = number, .found = NOBODY, .weighted = weighted };
	struct server_set *set = set_at(number);

	if (!set)
		return NOBODY;
	bpf_loop(set->count, wlc_step, &walk, 0);
	return walk.found;
}

#endif
