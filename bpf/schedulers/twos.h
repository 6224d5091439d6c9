/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Weighted power of two choices: the less loaded of two servers drawn at random, each as often as
 * its weight says. What is remembered of a unit (see least.h) is the sum of its usable weights.
 */
#ifndef DIRECTRIX_TWOS_H
#define DIRECTRIX_TWOS_H

#include "scheduler.h"

struct twos {
	__u32 set, count;
	__u32 found[2];
	__s64 left[2];		/* of the numbers drawn, when the weights before have been taken away */
	__u64 total;
};

__noinline __u64 twos_sum_unit(__u32 number, __u32 count)
{
	struct set_unit *unit = set_unit_at(number);
	__u64 sum = 0;

	if (!unit)
		return 0;
	for (__u32 i = 0; i < SET_UNIT_ENTRIES; i++) {
		if (i >= count)
			break;
		if (candidate(&unit->entry[i]))
			sum += unit->entry[i].weight;
	}
	return sum;
}

static __always_inline __u64 twos_sum(const struct twos *twos, __u32 unit)
{
	__u32 number = twos->set + 1 + unit, version;
	struct summary *summary = summary_at(number);
	__u64 known, sum;

	if (!summary)
		return 0;
	version = *(volatile __u32 *)&summary->version;
	known = *(volatile __u64 *)&summary->known;
	if (summary_is(known, version))
		return summary_value(known);
	sum = twos_sum_unit(number, twos->count - unit * SET_UNIT_ENTRIES);
	summary_store(summary, version, sum);
	return sum;
}

static long twos_total_step(__u32 step, void *context)
{
	struct twos *twos = context;

#pragma clang loop unroll(full)	/* Linux 6.1 takes no loop that goes on right behind a call */
	for (__u32 k = 0; k < UNITS_A_STEP; k++) {
		__u32 unit = step * UNITS_A_STEP + k;

		if (unit * SET_UNIT_ENTRIES >= twos->count)
			return 1;
		twos->total += twos_sum(twos, unit);
	}
	return 0;
}

/* The first of the unit whose weight uses up what is left of a number drawn: its place in the unit. */
__noinline __u32 twos_in_unit(__u32 number, __u32 count, __s64 left)
{
	struct set_unit *unit = set_unit_at(number);

	if (!unit)
		return NOBODY;
	for (__u32 i = 0; i < SET_UNIT_ENTRIES; i++) {
		if (i >= count)
			break;
		if (!candidate(&unit->entry[i]))
			continue;
		left -= unit->entry[i].weight;
		if (left <= 0)
			return i;
	}
	return NOBODY;
}

static long twos_find_step(__u32 i, void *context)
{
	struct twos *twos = context;
	__s64 sum = twos_sum(twos, i);

	if (!sum)
		return 0;
#pragma clang loop unroll(full)	/* Linux 6.1 takes no loop that goes on right behind a call */
	for (int k = 0; k < 2; k++) {
		__u32 place;

		if (twos->found[k] != NOBODY)
			continue;
		if (twos->left[k] > sum) {
			twos->left[k] -= sum;
			continue;
		}
		place = twos_in_unit(twos->set + 1 + i, twos->count - i * SET_UNIT_ENTRIES, twos->left[k]);
		if (place != NOBODY)
			twos->found[k] = i * SET_UNIT_ENTRIES + place;
	}
	return twos->found[0] != NOBODY && twos->found[1] != NOBODY;
}

/* From 0 to the total, both included, as IPVS draws: that favours the first in the list a little. */
static __always_inline __s64 twos_draw(__u64 total)
{
	__u64 number = (__u64)bpf_get_prandom_u32() << 31 ^ bpf_get_prandom_u32();

	return number % (total + 1);
}

__noinline __u32 twos_pick(__u32 set)
{
	struct twos twos = { .set = set, .found = { NOBODY, NOBODY } };
	struct server_set *header = set_at(set);
	struct set_entry *one, *other;
	struct server *a, *b;

	if (!header)
		return NOBODY;
	twos.count = header->count;
	bpf_loop(unit_steps(twos.count), twos_total_step, &twos, 0);
	if (!twos.total)
		return NOBODY;
	twos.left[0] = twos_draw(twos.total);
	twos.left[1] = twos_draw(twos.total);
	bpf_loop(entry_units(twos.count), twos_find_step, &twos, 0);
	/* a draw finds nobody only if servers were lost to others meanwhile */
	if (twos.found[0] == NOBODY || twos.found[1] == NOBODY)
		return twos.found[0] == NOBODY ? twos.found[1] : twos.found[0];
	one = entry_at(set, twos.found[0]);
	other = entry_at(set, twos.found[1]);
	if (!one || !other)
		return NOBODY;
	a = server_at(one->server);
	b = server_at(other->server);
	if (!a || !b)
		return NOBODY;
	return overhead(a) * other->weight > overhead(b) * one->weight ? twos.found[1] : twos.found[0];
}

#endif
