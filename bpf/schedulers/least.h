/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The least loaded server: what lc, wlc, sed, nq, fo and ovf have in common. Each says what load
 * and weight mean to it; the smallest load / weight wins, compared by cross multiplication, and the
 * first in the list wins a tie.
 *
 * To look at every server for every connection, as IPVS does, is dear where there are many. Here
 * each unit of 32 remembers its best; only units in which a load changed since are looked
 * through again, and the others' best are compared. Loads themselves are always read anew.
 */
#ifndef DIRECTRIX_LEAST_H
#define DIRECTRIX_LEAST_H

#include "fo.h"
#include "lc.h"
#include "nq.h"
#include "ovf.h"
#include "sed.h"
#include "wlc.h"

struct load {
	__u64 load;
	__u64 weight;	/* 0: nobody */
};

static __always_inline struct load load_of(const struct server *s, __u32 weight, __u32 scheduler)
{
	struct load load = {};

	if (s->overload)
		return load;
	load.weight = weight;
	switch (scheduler) {
	case SCHEDULER_SED:
		load.load = sed_load(s);
		break;
	case SCHEDULER_LC:
		load.load = lc_load(s);
		load.weight = weight ? LC_WEIGHT : 0;
		break;
	case SCHEDULER_NQ:
		load.load = nq_load(s);
		break;
	case SCHEDULER_OVF:
		load.load = FO_LOAD;
		if (!ovf_has_room(s, weight))
			load.weight = 0;
		break;
	case SCHEDULER_FO:
		load.load = FO_LOAD;
		break;
	default:	/* wlc, and lblc and lblcr, which go by its rule */
		load.load = wlc_load(s);
	}
	return load;
}

/* Strictly, so that the first in the list wins a tie. */
static __always_inline bool less(struct load a, struct load than)
{
	return a.weight && (!than.weight || than.load * a.weight > a.load * than.weight);
}

/* What is remembered of a unit: 1 + number of its best server, 0 for none; and whether it has a rich one (locality.h). */
#define SUMMARY_BEST 0xfffff
#define SUMMARY_RICH 0x100000

/*
 * The same number, of which the verifier knows nothing any more: else it would walk the loop below
 * once for each scheduler, which is a third of all the work it is willing to do.
 */
static __always_inline __u64 forgotten(__u64 number, __u64 unknown)
{
	asm volatile("%0 += %1; %0 -= %1" : "+r"(number) : "r"(unknown));
	return number;
}

/* Look through a unit. Global, so that the verifier does so only once. */
__noinline __u64 least_in_unit(__u32 number, __u32 count, __u32 scheduler)
{
	struct set_unit *unit = set_unit_at(number);
	struct load best = {};
	__u64 found = 0, rich = 0;

	if (!unit)
		return 0;
	for (__u32 i = 0; i < SET_UNIT_ENTRIES; i++) {
		struct set_entry *entry = &unit->entry[i];
		struct server *s;
		struct load load;

		if (i >= count)
			break;
		s = server_at(entry->server);
		if (!s || !entry->weight)
			continue;
		if ((__u64)s->active * 2 < entry->weight)
			rich = SUMMARY_RICH;
		scheduler = forgotten(scheduler, entry->weight);
		load = load_of(s, entry->weight, scheduler);
		if (less(load, best)) {
			best = load;
			found = entry->server + 1;
		}
	}
	return found | rich;
}

static __always_inline __u64 unit_summary(__u32 number, __u32 count, __u32 scheduler)
{
	struct summary *summary = summary_at(number);
	__u64 known, value;
	__u32 version;

	if (!summary)
		return 0;
	version = *(volatile __u32 *)&summary->version;
	known = *(volatile __u64 *)&summary->known;
	if (summary_is(known, version))
		return known;
	value = least_in_unit(number, count, scheduler);
	summary_store(summary, version, value);
	return value;
}

struct least {
	__u32 set, scheduler, count, found;
	__u64 load, weight;	/* of the one found */
};

static long least_step(__u32 step, void *context)
{
	struct least *least = context;

#pragma clang loop unroll(full)	/* Linux 6.1 takes no loop that goes on right behind a call */
	for (__u32 k = 0; k < UNITS_A_STEP; k++) {
		__u32 unit = step * UNITS_A_STEP + k, first = unit * SET_UNIT_ENTRIES, found;
		struct load best = { least->load, least->weight }, load;
		struct server *s;

		if (first >= least->count)
			return 1;
		found = unit_summary(least->set + 1 + unit, least->count - first, least->scheduler) & SUMMARY_BEST;
		s = found ? server_at(found - 1) : NULL;
		if (!s)
			continue;
		load = load_of(s, s->weight, least->scheduler);
		if (less(load, best)) {
			least->load = load.load;
			least->weight = load.weight;
			least->found = found - 1;
		}
		asm volatile("" : "+r"(step));	/* nothing carried over: there is little stack */
	}
	return 0;
}

/* The number of the least loaded server of a set, or NOBODY. */
__noinline __u32 least_pick(__u32 set, __u32 count, __u32 scheduler)
{
	struct least least = { .set = set, .scheduler = scheduler, .count = count, .found = NOBODY };

	bpf_loop(unit_steps(count), least_step, &least, 0);
	return least.found;
}

#endif
