/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Statistics of real servers, services and in all, and rates by IPVS's estimator.
 *
 * A packet counts once, at its real server (count_forwarded(), and `connections` of struct server).
 * Every two seconds a round of the clock settles: what each server has counted since goes to its
 * service and to the sum of all (service_stats, the last of which is the sum). Then every figure is
 * taken down as its `last`, which is what listings show, as IPVS's show a picture two seconds old at
 * most; and its average moves a quarter of the way to what the two seconds brought. Averages are kept
 * shifted as IPVS keeps them, connections and packets by 10 bits, bytes by 5, so that they round alike.
 *
 * A small table has its round in one turn of the clock, so all its figures are of one moment; a
 * large one's is spread over the two seconds, servers before services before the sum: a service's
 * figures are then exactly its servers'. A server that leaves its service is settled at once and not
 * estimated while it is away: its figures stand still, its service's go on without it (IPVS).
 *
 * The clock, a packet and user space may be at the same figure: what is added is added atomically,
 * and what another one has changed meanwhile (-Z) stays as that one left it.
 */
#ifndef DIRECTRIX_ESTIMATOR_H
#define DIRECTRIX_ESTIMATOR_H

#include "maps.h"

#define TURNS_AN_ESTIMATE 20
#define ESTIMATES_AT_ONCE 512	/* a table of so few servers and services has its round in one turn */
#define ALL_SERVICES MAX_SERVICES
#define ALL_SERVERS 0xffffffffU

struct counts {
	__u64 connections, packets, bytes;
	__u64 out_packets, out_bytes;	/* replies, of a masqueraded server */
};

struct sum {
	__u32 server;
	__u32 replies;		/* there may have been some */
	struct counts counts;
};

static long sum_cpu(__u32 cpu, void *context)
{
	struct sum *sum = context;
	__u32 row = cpu * MAX_SERVERS + sum->server;
	struct server_count *n = bpf_map_lookup_elem(&server_stats, &row);

	if (!n)
		return 1;
	sum->counts.packets += n->packets;
	sum->counts.bytes += n->bytes;
	if (!sum->replies)
		return 0;
	n = bpf_map_lookup_elem(&reply_stats, &row);
	if (!n)
		return 1;
	sum->counts.out_packets += n->packets;
	sum->counts.out_bytes += n->bytes;
	return 0;
}

static __always_inline void count_for(__u32 service, const struct counts *more)
{
	struct statistics *s = statistics_at(service);

	if (!s)
		return;
	__sync_fetch_and_add(&s->count_connections, more->connections);
	__sync_fetch_and_add(&s->count_packets, more->packets);
	__sync_fetch_and_add(&s->count_bytes, more->bytes);
	if (more->out_packets) {
		__sync_fetch_and_add(&s->count_out_packets, more->out_packets);
		__sync_fetch_and_add(&s->count_out_bytes, more->out_bytes);
	}
}

/* Give what a server has counted since the last time to its service and to the sum. */
static __always_inline void settle(struct server *s, const struct counts *now)
{
	struct service *service = service_at(s->service);
	struct counts more = {
		.connections = now->connections - __sync_lock_test_and_set(&s->kept_connections, now->connections),
		.packets = now->packets - __sync_lock_test_and_set(&s->kept_packets, now->packets),
		.bytes = now->bytes - __sync_lock_test_and_set(&s->kept_bytes, now->bytes),
		.out_packets = now->out_packets - __sync_lock_test_and_set(&s->kept_out_packets, now->out_packets),
		.out_bytes = now->out_bytes - __sync_lock_test_and_set(&s->kept_out_bytes, now->out_bytes),
	};

	if (!more.connections && !more.packets && !more.out_packets)
		return;
	count_for(ALL_SERVICES, &more);
	if (service && service->generation == s->generation)
		count_for(s->service, &more);
}

static __always_inline void move_average(__u64 *average, __u64 *last, __u64 now, __u32 shift)
{
	__u64 before = *last, old = *average;
	__s64 rate = (now - before) << shift;

	if (__sync_val_compare_and_swap(last, before, now) == before)
		__sync_val_compare_and_swap(average, old, old + ((rate - (__s64)old) >> 2));
}

/* The recent handshakes of a server, with the same averages; what they say is their quotient (handshake.h). */
static __always_inline void estimate_handshakes(__u32 number, struct server *s)
{
	struct handshakes *h = handshakes_at(number);

	if (!h)
		return;
	move_average(&h->rate_begun, &s->last_begun, s->begun, 9);
	move_average(&h->rate_completed, &h->last_completed, h->completed, 9);
}

/* Take a server's figures down, or only settle it. */
static __always_inline void account_server(__u32 number, bool estimated)
{
	struct sum sum = { .server = number };
	struct server *s = server_at(number);

	if (!s || s->in_use != 1)
		return;
	sum.counts.connections = s->connections;
	sum.replies = s->method == METHOD_MASQUERADE || s->kept_out_packets;
	bpf_loop(parameters.cpus, sum_cpu, &sum, 0);
	settle(s, &sum.counts);
	if (!estimated)
		return;
	move_average(&s->rate_connections, &s->last_connections, sum.counts.connections, 9);
	move_average(&s->rate_packets, &s->last_packets, sum.counts.packets, 9);
	move_average(&s->rate_bytes, &s->last_bytes, sum.counts.bytes, 4);
	move_average(&s->rate_out_packets, &s->last_out_packets, sum.counts.out_packets, 9);
	move_average(&s->rate_out_bytes, &s->last_out_bytes, sum.counts.out_bytes, 4);
	estimate_handshakes(number, s);
}

static __always_inline void estimate_service(__u32 number)
{
	struct statistics *s = statistics_at(number);

	if (!s)
		return;
	move_average(&s->rate_connections, &s->last_connections, s->count_connections, 9);
	move_average(&s->rate_packets, &s->last_packets, s->count_packets, 9);
	move_average(&s->rate_bytes, &s->last_bytes, s->count_bytes, 4);
	move_average(&s->rate_out_packets, &s->last_out_packets, s->count_out_packets, 9);
	move_average(&s->rate_out_bytes, &s->last_out_bytes, s->count_out_bytes, 4);
}

/* Where a round is: servers, then services, then the sum. */
struct round {
	__u32 servers, services;
	__u32 place;
};

static long estimate_one(__u32 i, void *context)
{
	struct round *round = context;
	__u32 place = round->place + i;

	if (place < round->servers)
		account_server(place, true);
	else if (place < round->servers + round->services)
		estimate_service(place - round->servers);
	else if (place == round->servers + round->services)
		estimate_service(ALL_SERVICES);
	else
		return 1;
	return 0;
}

/* Whoever reads meanwhile can tell by front.estimates, and reads again. */
static __always_inline void estimate_some(struct round *round, __u32 count)
{
	__sync_fetch_and_add(&front.estimates, 1);
	bpf_loop(count, estimate_one, round, 0);
	__sync_fetch_and_add(&front.estimates, 1);
}

/* What is due of the round in this turn of the clock. */
static __always_inline void estimate(struct clock *c)
{
	struct round round = { .servers = c->round_servers, .services = c->round_services, .place = c->estimated };
	__u32 all, share;

	if (c->turn % TURNS_AN_ESTIMATE == 0) {
		round.place = 0;
		round.servers = c->round_servers = front.server_top;
		round.services = c->round_services = front.service_top;
		if (!front.sysctl.run_estimation)
			round.place = round.servers + round.services + 1;	/* nothing is due */
	}
	c->turn++;
	all = round.servers + round.services + 1;
	share = (all + TURNS_AN_ESTIMATE - 1) / TURNS_AN_ESTIMATE;
	if (share < ESTIMATES_AT_ONCE)
		share = ESTIMATES_AT_ONCE;
	if (round.place < all)
		estimate_some(&round, share);
	c->estimated = round.place + share;
}

/* A whole round now. */
static __always_inline void estimate_all(void)
{
	struct round round = { .servers = front.server_top, .services = front.service_top };

	estimate_some(&round, round.servers + round.services + 1);
}

/*
 * A connection of service `number` went to a real server of another service: a template may lead
 * there. IPVS counts it for the service that took it, its packets for the server's.
 */
static __always_inline void count_as_taken_by(__u32 number, const struct server *s)
{
	struct counts one = { .connections = 1 }, less = { .connections = -1ULL };

	if (s->service == number)
		return;
	count_for(number, &one);
	count_for(s->service, &less);
}

#endif
