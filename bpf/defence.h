/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IPVS's defence against overload: drop_packet, drop_entry, and the automatic modes of both and of
 * secure_tcp (whose table is in tcp.h).
 *
 * Modes: 0 off, 3 on, 1 and 2 automatic, of which 2 is active now; the clock flips them once a
 * second, so that they can be read back as IPVS's can. IPVS asks how much memory is free. Here all
 * memory is taken when the table is made, so what counts is how many of its connections are free:
 * fewer than a sixteenth is scarce.
 *
 * drop_entry asks how many packets a connection has had. A count would make every packet dearer. So
 * a connection made while drop_entry is not 0 has a mark beside its state, which keeps its packets
 * off the fast path, where they are counted; with the ninth packet, when drop_entry would spare it
 * for good, the mark goes. Connections made before are spared.
 */
#ifndef DIRECTRIX_DEFENCE_H
#define DIRECTRIX_DEFENCE_H

#include "connection.h"

#define SCARCE_SHIFT 4		/* a sixteenth */
#define TODROP_SECONDS 60	/* drop_entry spares what was refreshed since */
#define DROP_SHARE_SHIFT 5	/* it visits a thirty-second of the buckets a second */
#define COUNT_SHIFT 16
#define HALF_OPEN_STATES (1 << TCP_S_SYN_RECV | 1 << TCP_S_SYNACK | 1 << SCTP_S_INIT1 | 1 << SCTP_S_INIT)

/* Is this one of the packets that drop_packet drops? Asked for each that would make a connection. */
static __always_inline bool to_drop_packet(void)
{
	__s32 rate = front.sysctl.drop_packet == 3 ? front.sysctl.am_droprate : front.defence.drop_rate;

	if (!rate || front.sysctl.drop_packet == 1)
		return false;
	if (__sync_fetch_and_add(&front.defence.drop_counter, -1) > 1)
		return false;
	front.defence.drop_counter = rate;
	return true;
}

/* Count a packet of a connection that is counted; returns its state, without the mark after the last. */
static __always_inline __u32 count_packet(struct connection *c, __u32 state)
{
	__u32 before = __sync_fetch_and_add(&c->status, CONNECTION_PACKET) >> COUNT_SHIFT & 15;

	return before >= TODROP_MOST ? state & STATE_MASK : state;
}

/* IPVS's todrop: idle for a minute after one to eight packets, and then one in so many of these. */
static __always_inline bool todrop(const struct connection *c, __u32 status, __u32 now)
{
	__u32 packets = status >> COUNT_SHIFT & 15, minute = (TODROP_SECONDS * parameters.hertz) >> TICK_SHIFT;
	__u32 idle = deadline(now, status) - c->expires;
	__s32 *counter;

	if (!(status & STATE_COUNTED) || !packets || packets > TODROP_MOST || !reached(idle, minute))
		return false;
	counter = &front.defence.todrop[packets & 15];
	if (--*counter > 0)
		return false;
	*counter = packets;
	return true;
}

static __always_inline bool to_drop_entry(const struct connection *c, __u32 now)
{
	__u32 status = c->status, state = status & STATE_MASK;

	if (status & CONNECTION_TEMPLATE)
		return !(status & CONNECTION_ASSURED);
	if (HALF_OPEN_STATES >> (state % STATES) & 1)
		return true;
	return (established(state) || state == UDP_S_NORMAL) && todrop(c, status, now);
}

/*
 * End a connection by force: its template goes with it if it has no other connection, and either
 * was never assured or `always` (IPVS). Global: verified once.
 */
__noinline int connection_drop(struct connection *c, __u32 now, bool always)
{
	struct connection *template;
	__u32 control;

	if (!c)
		return 0;
	control = c->status & CONNECTION_TEMPLATE ? 0 : c->control;
	if (!connection_end(c, c->expires, now) || !control)
		return 0;
	template = connection_at(control - 1);
	if (template && !template->children && (always || !(template->status & CONNECTION_ASSURED))) {
		struct head *h = head_of((control - 1) / BUCKET_SLOTS);

		connection_end(template, template->expires, now);
		if (h)
			visit_by(h, now + GRACE_TICKS);
	}
	return 0;
}

struct thinning {
	__u32 now;
};

static long bucket_thin(__u32 i, void *context)
{
	__u32 number = (__u64)bpf_get_prandom_u32() * parameters.buckets >> 32, now = ((struct thinning *)context)->now;
	struct bucket *b = bucket_at(number);
	struct head *h = head_of(number);

	if (!b || !h)
		return 1;
	for (int k = 0; k < BUCKET_SLOTS; k++) {
		struct connection *c = &b->slot[k];

		if (c->id == 0 || c->id == SLOT_CLAIMED || c->status & CONNECTION_DEAD || has_children(c) || reached(now, c->expires))
			continue;
		if (to_drop_entry(c, now)) {
			connection_drop(c, now, false);
			visit_by(h, now + GRACE_TICKS);
		}
	}
	return 0;
}

static __always_inline void flip(__s32 *mode, bool scarce)
{
	__s32 old = *mode;

	if (old == (scarce ? 1 : 2))
		__sync_val_compare_and_swap(mode, old, scarce ? 2 : 1);
}

/* Once a second: is the table scarce? */
static __always_inline void defence_levels(void)
{
	__u32 most = parameters.max_connections, some = most >> SCARCE_SHIFT;
	__u32 left = most > front.connections ? most - front.connections : 0;
	bool scarce = left < some;

	flip(&front.sysctl.drop_entry, scarce);
	flip(&front.sysctl.drop_packet, scarce);
	flip(&front.sysctl.secure_tcp, scarce);
	if (front.sysctl.drop_packet == 2)
		front.defence.drop_counter = front.defence.drop_rate = scarce ? some / (some - left) : 0;
}

/* One of `turns` turns of a second. Global: verified once. */
__noinline int defend(__u32 turn, __u32 turns, __u32 now)
{
	__u32 share = parameters.buckets >> DROP_SHARE_SHIFT;
	struct thinning thinning = { .now = now };

	turn %= turns;
	if (!turn)
		defence_levels();
	if (front.sysctl.drop_entry >= 2)
		bpf_loop((turn + 1) * share / turns - turn * share / turns, bucket_thin, &thinning, 0);
	return 0;
}

#endif
