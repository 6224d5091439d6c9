/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Handshakes with clients, for each real server: passive health.
 *
 * Even in direct routing, where answers pass the director by, it sees what a client sends first and
 * what it sends next. A connection is half-open from its SYN (or INIT) until the client's next packet
 * opens it, which a client sends only if the real server has answered. So for each server:
 *
 *   begun       connections that became half-open
 *   completed   those that were established next, and in `time` how long that took
 *   failed      those that came to another state or to their end instead
 *
 * and begun - completed - failed are half-open now. Time runs from the first SYN, as it does for the
 * client: a retransmitted SYN does not start it again, an old connection's tuple used again does.
 *
 * Packets of an established connection change no state between these and come nowhere near. A new
 * connection pays for one addition; for a reading of the clock, which costs three times as much, only
 * while there are few: `time` knows the first HANDSHAKES_TIMED between two turns of the estimator and
 * then every HANDSHAKES_SPACING-th.
 */
#ifndef DIRECTRIX_HANDSHAKE_H
#define DIRECTRIX_HANDSHAKE_H

#include "maps.h"

#define HANDSHAKE_STATES                                                                        \
	(1 << TCP_S_SYN_RECV | 1 << TCP_S_SYNACK | 1 << SCTP_S_INIT1 | 1 << SCTP_S_INIT | 1 << SCTP_S_COOKIE_SENT | \
	 1 << SCTP_S_COOKIE_REPLIED | 1 << SCTP_S_COOKIE_WAIT | 1 << SCTP_S_COOKIE | 1 << SCTP_S_COOKIE_ECHOED)
#define OPEN_STATES (1 << TCP_S_ESTABLISHED | 1 << SCTP_S_ESTABLISHED)

static __always_inline bool half_open(__u32 status)
{
	return HANDSHAKE_STATES >> (status % STATES) & 1;
}

/* Units of 1,024 ns, which wrap after 73 minutes. Never 0, which stands for a handshake not timed. */
static __always_inline __u32 handshake_clock(void)
{
	return (__u32)(bpf_ktime_get_ns() >> HANDSHAKE_CLOCK_SHIFT) ?: 1;
}

/* Count one more; true if it is to be timed. */
static __always_inline bool handshake_begun(struct server *s)
{
	__u64 before = __sync_fetch_and_add(&s->begun, 1);

	return before - s->last_begun < HANDSHAKES_TIMED || before % HANDSHAKES_SPACING == 0;
}

static __always_inline void handshake_failed(__u32 server)
{
	struct handshakes *h = handshakes_at(server);

	if (h)
		__sync_fetch_and_add(&h->failed, 1);
}

/* Which element of `time` holds those that took so many units. */
static __always_inline __u32 handshake_octave(__u32 units)
{
	__u32 rest = units >> HANDSHAKE_FIRST_SHIFT, octave = 0;

#pragma clang loop unroll(full)
	for (__u32 step = 16; step; step >>= 1) {
		if (rest >> step) {
			rest >>= step;
			octave += step;
		}
	}
	return octave < HANDSHAKE_OCTAVES ? octave : HANDSHAKE_OCTAVES - 1;
}

static __always_inline void handshake_completed(__u32 server, __u32 begun)
{
	struct handshakes *h = handshakes_at(server);
	__u32 octave;

	if (!h)
		return;
	__sync_fetch_and_add(&h->completed, 1);
	if (!begun)
		return;
	octave = handshake_octave(handshake_clock() - begun);
	if (octave < HANDSHAKE_OCTAVES)
		__sync_fetch_and_add(&h->time[octave], 1);
}

/* A connection went from one state to another, both with whatever flags. */
static __always_inline void handshake_moved(struct connection *c, __u32 before, __u32 after)
{
	struct server *s;

	if (half_open(before) == half_open(after))
		return;
	if (half_open(after)) {
		s = server_at(c->server);
		c->begun = s && handshake_begun(s) ? handshake_clock() : 0;
	} else if (OPEN_STATES >> (after % STATES) & 1) {
		handshake_completed(c->server, c->begun);
	} else {
		handshake_failed(c->server);
	}
}

#endif
