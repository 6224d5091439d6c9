/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rates, by IPVS's estimator: every two seconds each server's average moves a quarter of the way
 * to what the two seconds brought. Averages are kept shifted as IPVS keeps them, connections and
 * packets by 10 bits, bytes by 5, so that they round alike.
 */
#ifndef DIRECTRIX_ESTIMATOR_H
#define DIRECTRIX_ESTIMATOR_H

#include "maps.h"

#define TURNS_AN_ESTIMATE 20

struct sum {
	__u32 server;
	__u64 packets, bytes;
};

static long sum_cpu(__u32 cpu, void *context)
{
	struct sum *sum = context;
	__u32 row = cpu * MAX_SERVERS + sum->server;
	struct server_count *n = bpf_map_lookup_elem(&server_stats, &row);

	if (!n)
		return 1;
	sum->packets += n->packets;
	sum->bytes += n->bytes;
	return 0;
}

static __always_inline void move_average(__u64 *average, __u64 *last, __u64 now, __u32 shift)
{
	__s64 rate = (now - *last) << shift;

	*last = now;
	*average += (rate - (__s64)*average) >> 2;
}

static long estimate_server(__u32 i, void *context)
{
	__u32 number = i * TURNS_AN_ESTIMATE + *(__u32 *)context;
	struct sum sum = { .server = number };
	struct server *s = server_at(number);

	if (!s)
		return 1;
	if (!s->in_use)
		return 0;
	bpf_loop(parameters.cpus, sum_cpu, &sum, 0);
	move_average(&s->rate_connections, &s->last_connections, s->connections, 9);
	move_average(&s->rate_packets, &s->last_packets, sum.packets, 9);
	move_average(&s->rate_bytes, &s->last_bytes, sum.bytes, 4);
	return 0;
}

/* A twentieth of the servers each turn of the clock. */
static __always_inline void estimate(__u32 turn)
{
	__u32 first = turn % TURNS_AN_ESTIMATE;

	bpf_loop((front.server_top + TURNS_AN_ESTIMATE - 1) / TURNS_AN_ESTIMATE, estimate_server, &first, 0);
}

#endif
