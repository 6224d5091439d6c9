/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When the table is under flood, and when no longer: the clock's part of the flood defence.
 *
 * flood_defence has the modes of IPVS's defences: 0 off, 3 on, 1 and 2 automatic, of which 2 is
 * active now. It becomes active when both hold:
 *
 *   - fewer than an eighth of the table's connections are free, and
 *   - half-open connections make up a sixteenth of the table, as some buckets looked at by chance say.
 *
 * So a table that real users fill is as it always was. It ends when for CALM_SECONDS the handshakes
 * that came to nothing would, had they been given entries, not have brought it back: when the
 * connections there are and a SYN's timeout of such handshakes together leave a quarter free, or
 * these alone are less than a thirty-second. Then connections are made as always again; clients
 * whose SYN had no entry still come in for as long as the sketch knows them.
 *
 * While it is active, half-open connections that had no packet for SPARED_SECONDS are ended,
 * an eighth of the table a second: what the flood has taken before is free again soon.
 */
#ifndef DIRECTRIX_PRESSURE_H
#define DIRECTRIX_PRESSURE_H

#include "defence.h"
#include "estimator.h"

#define CROWDED_SHIFT 3
#define HALF_OPEN_SHIFT 4
#define CALM_FREE_SHIFT 2
#define CALM_HALF_OPEN_SHIFT 5
#define CALM_SECONDS 10
#define SAMPLED_BUCKETS 64
#define SPARED_SECONDS 3
#define TURNS_AN_EPOCH 20
#define EPOCHS_KNOWN 2

static __always_inline __u32 seconds_in_ticks(__u32 seconds)
{
	return (seconds * parameters.hertz) >> TICK_SHIFT;
}

static __always_inline bool alive(const struct connection *c)
{
	return c->id > SLOT_CLAIMED && !(c->status & (CONNECTION_DEAD | CONNECTION_TEMPLATE));
}

static long bucket_sample(__u32 i, void *context)
{
	__u32 number = (__u64)bpf_get_prandom_u32() * parameters.buckets >> 32, *found = context;
	struct bucket *b = bucket_at(number);

	if (!b)
		return 1;
	for (int k = 0; k < BUCKET_SLOTS; k++)
		if (alive(&b->slot[k]) && half_open(b->slot[k].status))
			++*found;
	return 0;
}

static __always_inline bool under_pressure(void)
{
	__u32 most = parameters.max_connections, found = 0;

	if (front.connections + (most >> CROWDED_SHIFT) < most)
		return false;
	bpf_loop(SAMPLED_BUCKETS, bucket_sample, &found, 0);
	return found && (__u64)found * parameters.buckets >= (__u64)SAMPLED_BUCKETS * (most >> HALF_OPEN_SHIFT);
}

/* What the last second brought a service; the sum of handshakes that came to nothing. */
static long service_second(__u32 number, void *context)
{
	struct flood *f = flood_at(number);
	__s64 *unfinished = context;

	if (!f)
		return 1;
	f->rate_unentered = f->unentered - f->last_unentered;
	f->rate_admitted = f->admitted - f->last_admitted;
	f->last_unentered = f->unentered;
	f->last_admitted = f->admitted;
	*unfinished += (__s64)f->rate_unentered - f->rate_admitted;
	return 0;
}

/* Would the table be at ease if so many handshakes a second that come to nothing had entries? */
static __always_inline bool at_ease(__s64 unfinished)
{
	__u32 most = parameters.max_connections, lasting = (front.timeout[TCP_S_SYN_RECV] << TICK_SHIFT) / parameters.hertz;
	__u64 held = unfinished > 0 ? unfinished * lasting : 0;

	return front.connections + held <= most - (most >> CALM_FREE_SHIFT) || held < (most >> CALM_HALF_OPEN_SHIFT);
}

static __always_inline bool is_stale(const struct connection *c, __u32 now)
{
	return alive(c) && half_open(c->status) && !reached(now, c->expires) &&
	       reached(deadline(now, c->status) - c->expires, seconds_in_ticks(SPARED_SECONDS));
}

static __always_inline void count_ended(__u32 server)
{
	struct server *s = server_at(server);
	struct flood *f = s ? flood_at(s->service) : NULL;

	if (f)
		__sync_fetch_and_add(&f->ended, 1);
}

/* Global: verified once. */
__noinline int bucket_relieve(__u32 number, struct head *h, __u32 now)
{
	struct bucket *b = bucket_at(number);

	if (!b || !h)
		return 0;
	for (int i = 0; i < BUCKET_SLOTS; i++) {
		struct connection *c = &b->slot[i];

		if (!is_stale(c, now))
			continue;
		count_ended(c->server);
		connection_drop(c, now, false);
		visit_by(h, now + GRACE_TICKS);
	}
	return 0;
}

static long line_relieve(__u32 i, void *context)
{
	__u32 number = flooding.line + i, k = flooding.lap % HEADS_IN_LINE, *now = context;
	struct head_line *line = bpf_map_lookup_elem(&heads, &number);

	if (!line)
		return 1;
	if (line->head[k].visit)
		bucket_relieve(number * HEADS_IN_LINE + k, &line->head[k], *now);
	return 0;
}

/* A turn's share of the table: of every line one bucket a second, another one the next. */
static __always_inline void relieve(__u32 now)
{
	__u32 lines = (parameters.head_lines + 9) / 10;

	bpf_loop(lines, line_relieve, &now, 0);
	flooding.line += lines;
	if (flooding.line >= parameters.head_lines) {
		flooding.line = 0;
		flooding.lap++;
	}
}

static __always_inline void flood_begins(void)
{
	flooding.began = front.now_ns;
	flooding.floods++;
	flooding.calm = 0;
	front.flood = FLOOD_ON;
}

static __always_inline void flood_ends(void)
{
	flooding.ended = front.now_ns;
	flooding.left = EPOCHS_KNOWN;
	front.flood = FLOOD_ENDING;
}

/* An epoch of the sketch is over. */
static __always_inline void epoch_passes(void)
{
	flooding.epoch++;
	if (front.flood == FLOOD_ENDING && !--flooding.left)
		front.flood = FLOOD_OFF;
}

/* One of `turns` turns of a second. Global: verified once. */
__noinline int watch_pressure(__u32 turn, __u32 turns, __u32 now)
{
	__s32 *mode = &front.sysctl.flood_defence;
	bool second = turn % turns == 0;
	__s64 unfinished = 0;

	if (front.flood != FLOOD_OFF && second) {
		bpf_loop(front.service_top, service_second, &unfinished, 0);
		flooding.calm = at_ease(unfinished) ? flooding.calm + 1 : 0;
	}
	if (*mode == 1)
		flip(mode, under_pressure());
	else if (*mode == 2 && front.flood == FLOOD_ON && flooding.calm >= CALM_SECONDS)
		flip(mode, false);
	if ((*mode >= 2) != (front.flood == FLOOD_ON)) {
		if (*mode >= 2)
			flood_begins();
		else
			flood_ends();
	}
	if (front.flood != FLOOD_OFF && turn % TURNS_AN_EPOCH == 0)
		epoch_passes();
	if (*mode == 2)
		relieve(now);
	return 0;
}

#endif
