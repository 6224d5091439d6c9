/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The least loaded server: what lc, wlc, sed, nq, fo and ovf have in common. Each says what load
 * and weight mean to it; the smallest load / weight wins, compared by cross multiplication, and the
 * first in the list wins a tie.
 *
 * To look at every server for every connection, as IPVS does, is dear where there are many. Here
 * each unit of sixteen remembers its best; only units in which a load changed since are looked
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

static __always_inline struct load load_of(const struct set_entry *entry, __u32 scheduler)
{
	struct server *s = candidate(entry);
	struct load load = {};

	if (!s)
		return load;
	load.weight = entry->weight;
	switch (scheduler) {
	case SCHEDULER_WLC:
		load.load = wlc_load(s);
		break;
	case SCHEDULER_SED:
		load.load = sed_load(s);
		break;
	case SCHEDULER_LC:
		load.load = lc_load(s);
		load.weight = LC_WEIGHT;
		break;
	case SCHEDULER_NQ:
		load.load = nq_load(s);
		break;
	case SCHEDULER_OVF:
		load.load = FO_LOAD;
		if (!ovf_has_room(s, entry->weight))
			load.weight = 0;
		break;
	default:
		load.load = FO_LOAD;
	}
	return load;
}

/* Strictly, so that the first in the list wins a tie. */
static __always_inline bool less(struct load a, struct load than)
{
	return a.weight && (!than.weight || than.load * a.weight > a.load * than.weight);
}

struct least {
	__u32 set, scheduler, count, found;
	struct load best;
};

/* The best of one unit: 1 + its place in the unit, 0 if there is none. */
__noinline __u32 least_in_unit(__u32 number, __u32 count, __u32 scheduler)
{
	struct set_unit *unit = set_unit_at(number);
	struct load best = {};
	__u32 found = 0;

	if (!unit)
		return 0;
	for (__u32 i = 0; i < SET_UNIT_ENTRIES; i++) {
		struct load load;

		if (i >= count)
			break;
		load = load_of(&unit->entry[i], scheduler);
		if (less(load, best)) {
			best = load;
			found = i + 1;
		}
	}
	return found;
}

static long least_step(__u32 i, void *context)
{
	struct least *least = context;
	__u32 number = least->set + 1 + i, first = i * SET_UNIT_ENTRIES, found, version;
	struct summary *summary = summary_at(number);
	struct set_entry *entry;
	struct load load;
	__u64 known;

	if (!summary)
		return 1;
	version = *(volatile __u32 *)&summary->version;
	known = *(volatile __u64 *)&summary->known;
	if (summary_valid(summary, known)) {
		found = summary_value(known);
	} else {
		found = least_in_unit(number, least->count - first, least->scheduler);
		summary_store(summary, version, found);
	}
	if (!found)
		return 0;
	entry = entry_at(least->set, first + found - 1);
	if (!entry)
		return 1;
	load = load_of(entry, least->scheduler);
	if (less(load, least->best)) {
		least->best = load;
		least->found = first + found - 1;
	}
	return 0;
}

__noinline __u32 least_pick(__u32 set, __u32 scheduler)
{
	struct least least = { .set = set, .scheduler = scheduler, .found = NOBODY };
	struct server_set *header = set_at(set);

	if (!header)
		return NOBODY;
	least.count = header->count;
	bpf_loop(entry_units(header), least_step, &least, 0);
	return least.found;
}

#endif
