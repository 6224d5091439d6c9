/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the scheduling algorithms share. Each is one file here with the name it has in
 * src/directrix/scheduling/, where it is written for reading.
 *
 * A set lists its servers newest first, as IPVS does; an algorithm answers with the place of the
 * chosen one in that list, or NOBODY. A position is set->cursor, moved by compare-and-swap, so
 * that two CPUs never tread on a lock; a loser tries again. The functions are global ones, so that
 * the verifier looks at each once and not once for every way that leads to it.
 */
#ifndef DIRECTRIX_SCHEDULER_H
#define DIRECTRIX_SCHEDULER_H

#include "../packet.h"

#define NOBODY 0xffffffffU
#define CURSOR_TRIES 4

/* Numbers shared with layout.py, in the order of IPVS's documentation. */
enum scheduler {
	SCHEDULER_NONE, SCHEDULER_RR, SCHEDULER_WRR, SCHEDULER_LC, SCHEDULER_WLC, SCHEDULER_LBLC, SCHEDULER_LBLCR, SCHEDULER_DH,
	SCHEDULER_SH, SCHEDULER_SED, SCHEDULER_NQ, SCHEDULER_FO, SCHEDULER_OVF, SCHEDULER_MH, SCHEDULER_TWOS, SCHEDULER_LAST,
};

static __always_inline __u32 entry_units(__u32 count)
{
	return (count + SET_UNIT_ENTRIES - 1) / SET_UNIT_ENTRIES;
}

static __always_inline struct set_entry *entry_at(__u32 set, __u32 place)
{
	struct set_unit *unit = set_unit_at(set + 1 + place / SET_UNIT_ENTRIES);

	return unit ? &unit->entry[place % SET_UNIT_ENTRIES] : NULL;
}

/* The server of an entry if new connections may go to it. */
static __always_inline struct server *candidate(const struct set_entry *entry)
{
	struct server *s;

	if (!entry->weight)
		return NULL;
	s = server_at(entry->server);
	return s && !s->overload ? s : NULL;
}

/* IPVS's measure of load: 256 for an active connection, 1 for an inactive one. */
static __always_inline __u64 overhead(const struct server *s)
{
	return ((__u64)s->active << 8) + s->inactive;
}

/* Is it what was found at this version of the unit? */
static __always_inline bool summary_is(__u64 known, __u32 version)
{
	return (known >> SUMMARY_BITS) == (version & ((1U << (64 - SUMMARY_BITS)) - 1));
}

static __always_inline __u64 summary_value(__u64 known)
{
	return known & ((1ULL << SUMMARY_BITS) - 1);
}

/* `version` was read before the unit was looked through: a change meanwhile makes this one void. */
static __always_inline void summary_store(struct summary *summary, __u32 version, __u64 value)
{
	*(volatile __u64 *)&summary->known = (__u64)version << SUMMARY_BITS | value;
}

#define UNITS_A_STEP 16		/* that a walk by bpf_loop() looks at in one call */

static __always_inline __u32 unit_steps(__u32 count)
{
	return (count + SET_UNIT_ENTRIES * UNITS_A_STEP - 1) / (SET_UNIT_ENTRIES * UNITS_A_STEP);
}

#endif
