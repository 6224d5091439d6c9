/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Budgets: how many new connections a service may get in a time, and each source of it.
 *
 * Token buckets, kept as the time at which a bucket is full again: what is taken moves it on by the
 * time one token takes to come back, and may move it as far ahead of now as `burst` says. So a
 * bucket is one number, changed by a compare-and-swap; whoever loses against others too often has
 * the packet pass.
 *
 * Sources (client addresses, cut to a prefix) have no entry each that somebody would have to make
 * and to clear: a bucket that is full says nothing. Those that are not lie in lines of eight cells,
 * found by hash, a tag and the time in each. A source that is not there takes the cell of the
 * bucket nearest to being full, which is nearly always one that is: the hungry ones stay.
 */
#ifndef DIRECTRIX_BUDGET_H
#define DIRECTRIX_BUDGET_H

#include "connection.h"

#define BUDGET_TRIES 4
#define CELL_TIME_BITS 40
#define CELL_TIME ((1ULL << CELL_TIME_BITS) - 1)

/* How long until the bucket of this cell is full: 0 if it is, or if the time in it was long ago. */
static __always_inline __u64 cell_ahead(__u64 cell, __u64 now)
{
	__u64 ahead = (cell - now) & CELL_TIME;

	return ahead >> (CELL_TIME_BITS - 1) ? 0 : ahead;
}

/* What stands for a source of this budget; of another one, if it has been set anew, its past is forgotten. */
static __always_inline __u64 source_hash(const struct packet *p, const struct budget *b)
{
	__u64 h = (b->in_force + parameters.seed[1]) * INDEX_PRIME;

	if (is_ipv4(p)) {
		h ^= p->address[0] & b->mask4;
	} else {
		for (int i = 0; i < 4; i++) {
			h = (h ^ (p->address[i] & b->mask6[i])) * INDEX_PRIME;
			h ^= h >> 32;
		}
	}
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	return h ^ h >> 29;
}

/* The cell of a source, or the one it may have. */
static __always_inline __u32 cell_for(const struct source_line *line, __u64 tag, __u64 now)
{
	__u64 least = ~0ULL;
	__u32 found = 0;

#pragma clang loop unroll(full)
	for (__u32 i = 0; i < BUDGET_WAYS; i++) {
		__u64 cell = *(volatile const __u64 *)&line->cell[i], ahead = cell_ahead(cell, now);

		if ((cell ^ tag) >> CELL_TIME_BITS == 0)
			return i;
		if (ahead < least) {
			least = ahead;
			found = i;
		}
	}
	return found;
}

/* Does this source want more than its share? If not, one of it is taken. Global: verified once. */
__noinline int source_over(const struct packet *p, __u32 service, __u64 ns)
{
	__u64 now = ns >> BUDGET_SHIFT & CELL_TIME, hash, tag, old, ahead, *cell;
	struct budget *b = budget_at(service);
	struct source_line *line;
	__u32 place;

	if (!p || !b)
		return 0;
	hash = source_hash(p, b);
	place = hash & (BUDGET_LINES - 1);
	tag = hash & ~CELL_TIME;
	line = bpf_map_lookup_elem(&sources, &place);
	if (!line)
		return 0;
	cell = &line->cell[cell_for(line, tag, now) % BUDGET_WAYS];
	old = *(volatile __u64 *)cell;
	ahead = (old ^ tag) >> CELL_TIME_BITS ? 0 : cell_ahead(old, now);
	if (ahead + b->source_interval > b->source_burst) {
		__sync_fetch_and_add(&b->source_over, 1);
		return 1;
	}
	__sync_val_compare_and_swap(cell, old, tag | ((now + ahead + b->source_interval) & CELL_TIME));
	return 0;
}

static __always_inline bool service_over(struct budget *b, __u64 now)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < BUDGET_TRIES; i++) {
		__u64 old = *(volatile __u64 *)&b->full, full = old > now ? old : now;

		if (full - now + b->interval > b->burst) {
			__sync_fetch_and_add(&b->over, 1);
			return true;
		}
		if (__sync_val_compare_and_swap(&b->full, old, full + b->interval) == old)
			break;
	}
	return false;
}

/* Would a new connection of this service be more than there is a budget for? */
static __always_inline bool over_budget(const struct packet *p, __u32 service)
{
	struct budget *b = budget_at(service);
	__u64 now;

	if (!b || !b->in_force)
		return false;
	now = bpf_ktime_get_ns();
	/* first the source's, so that what is refused there takes nothing from the others */
	if (b->source_interval && source_over(p, service, now))
		return true;
	return b->interval && service_over(b, now);
}

#endif
