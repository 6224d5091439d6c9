/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The clock: one timer, ten turns a second, that ends connections past their time, feeds the
 * estimator and sees to the defence, with no process of ours alive.
 *
 * A timer in every connection would be exact and dear. Here a turn walks a tenth of the heads,
 * eight to a cache line, and touches a bucket only when its head says that something in it is
 * due. Packets push deadlines out without telling the head; then the visit finds nothing to end
 * and sets the head to the true next one. So every connection ends within a second of its time
 * (a packet that comes later than its deadline finds it over in any case), and a table of ten
 * million costs about as much as reading 16 MB a second.
 */
#ifndef DIRECTRIX_EXPIRY_H
#define DIRECTRIX_EXPIRY_H

#include "defence.h"
#include "estimator.h"
#include "pressure.h"
#include "reply.h"

#define CLOCK_MONOTONIC 1
#define TURN_NS 100000000ULL
#define TURNS_A_ROUND 10
#define NO_VISIT (1U << 30)
#define TEMPLATE_RETRY_SECONDS 60

/* Global: verified once. */
__noinline int bucket_visit(__u32 number, struct head *h, __u32 now)
{
	struct bucket *b = bucket_at(number);
	__u32 next = now + NO_VISIT ?: 1;

	if (!b || !h)
		return 0;
	/* first forget, then look: a deadline that comes nearer meanwhile lowers it again */
	__sync_lock_test_and_set(&h->visit, next);
	for (int i = 0; i < BUCKET_SLOTS; i++) {
		struct connection *c = &b->slot[i];
		__u32 due = c->expires;

		if (c->id == 0 || c->id == SLOT_CLAIMED)
			continue;
		if (c->status & CONNECTION_DEAD) {
			if (is_reply_key(c) ? reply_visit(c, now) : slot_reuse(c, now))
				continue;
			due = c->expires + GRACE_TICKS;
		} else if (reached(now, due)) {
			if (has_children(c)) {
				__u32 later = now + ((TEMPLATE_RETRY_SECONDS * parameters.hertz) >> TICK_SHIFT);

				c->control = later - now;	/* IPVS: its timeout from now on */
				__sync_val_compare_and_swap(&c->expires, due, later);
				due = later;
			} else {
				connection_end(c, due, now);
				due = now + GRACE_TICKS;
			}
		}
		if (!reached(due, next))
			next = due;
	}
	visit_by(h, next);
	return 0;
}

struct sweep {
	__u32 first, now;
};

static long line_visit(__u32 i, void *context)
{
	struct sweep *sweep = context;
	__u32 number = sweep->first + i;
	struct head_line *line;

	if (number >= parameters.head_lines)
		number -= parameters.head_lines;
	line = bpf_map_lookup_elem(&heads, &number);
	if (!line)
		return 1;
	for (int k = 0; k < HEADS_IN_LINE; k++)
		if (line->head[k].visit && reached(sweep->now, line->head[k].visit))
			bucket_visit(number * HEADS_IN_LINE + k, &line->head[k], sweep->now);
	return 0;
}

static int clock_turn(void *map, int *key, struct clock *c)
{
	struct sweep sweep = { .first = c->hand, .now = ticks() };
	__u32 lines = (parameters.head_lines + TURNS_A_ROUND - 1) / TURNS_A_ROUND;
	__u64 ns;

	front.now_ns = bpf_ktime_get_ns();
	front.now = sweep.now;
	if (front.connections)
		bpf_loop(lines, line_visit, &sweep, 0);
	c->hand += lines;
	if (c->hand >= parameters.head_lines)
		c->hand -= parameters.head_lines;
	defend(c->turn, TURNS_A_ROUND, sweep.now);
	watch_pressure(c->turn, TURNS_A_ROUND, sweep.now);
	estimate(c);
	ns = bpf_ktime_get_ns();
	c->next += TURN_NS;
	if (c->next < ns || c->next > ns + TURN_NS)
		c->next = ns + TURN_NS;
	bpf_timer_start(&c->timer, c->next - ns, 0);
	return 0;
}

#endif
