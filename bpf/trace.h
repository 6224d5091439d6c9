/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What `directrix trace` shows: packets with what became of them, as they come.
 *
 * The programs are compiled twice. In the second object, made from trace.bpf.c, each entry point
 * reads the packet first and holds it against the filter, and afterwards puts what became of it into
 * a ring buffer; in between nothing differs but that a verdict is noted where it is counted. In the
 * first object all functions here are empty and leave no instruction. While somebody traces, the
 * second object's programs are attached in place of the first one's, by one atomic exchange a hook.
 *
 * So that it can't hurt, events come out of a bucket of tokens, and a packet that finds none is only
 * counted; so is one that finds no room in the ring. And the reader has to say every now and then that
 * it is still there: one that died or was stopped leaves programs that look at nothing any more, for
 * the price of a look at the time, until the next command that changes the table puts the plain ones back.
 *
 * The notes of a packet lie in memory of its CPU, on which nothing else handles a packet meanwhile.
 */
#ifndef DIRECTRIX_TRACE_H
#define DIRECTRIX_TRACE_H

#include "director.h"

#ifndef TRACE

#define trace_xdp(ctx)
#define trace_tc(skb, hook)
static __always_inline int trace_end(int action)
{
	return action;
}

#else

#define TRACE_HEAD 128		/* bytes of a frame that are read to know what it is */
#define TRACE_SNAP 1024		/* most bytes of a frame that are shown */
#define TRACE_NETWORKS 4
#define TRACE_RING (4 << 20)
#define TRACE_TRIES 3

enum trace_hook { TRACE_XDP, TRACE_TC, TRACE_TC_BEHIND, TRACE_TC_IP };

/* What is asked for; written by the reader. Ports are in network order. */
struct trace_filter {
	struct {
		__u32 address[4];
		__u32 mask[4];
		__u32 family;		/* 4 or 6; 0: no network here */
		__u32 pad;
	} network[TRACE_NETWORKS];	/* source or destination lies in each of them */
	struct service_key service;
	__u32 server[4];
	__u16 server_port;		/* 0: any */
	__u8 server_family;		/* 0: any server */
	__u8 by_service;		/* `service` counts; its protocol 0: TCP as well as UDP, unless it is a mark */
	__u8 by_mark;			/* `service` is a mark */
	__u8 protocol;			/* 0: any */
	__u16 port;			/* of source or destination; 0: any */
	__u32 verdicts;			/* bits of enum verdict */
	__u32 only_new;
	__u32 snap;			/* bytes of the frame to show */
	__u64 interval;			/* ns a token takes to come */
	__u64 burst;			/* ns a full bucket lasts */
};

/* Shared with the reader. */
struct trace_state {
	__u32 until;			/* reader: the tick from which on nothing is looked at */
	__u32 pad;
	__u64 full;			/* data plane: ns, when the bucket of tokens is full again */
	__u64 skipped;			/* for want of a token */
	__u64 lost;			/* for want of room in the ring */
};

/* A packet, and what became of it. Addresses and ports are in network order. */
struct trace_event {
	__u64 time;			/* monotonic ns */
	__u64 skipped;			/* so far */
	__u64 lost;
	__u64 id;			/* as in struct connection */
	__u32 address[8];		/* likewise */
	__u32 server_address[4];
	struct service_key service;
	__u32 ifindex;			/* of the device it came in by */
	__u32 length;			/* of the IP packet as it says itself */
	__u32 frame;			/* of the frame */
	__u32 captured;			/* bytes of it that follow */
	__u32 out;			/* ifindex of the device it left by */
	__u32 expires;			/* ticks its connection has left */
	__u16 server_port;
	__u16 before, after;		/* status of its connection, TRACE_NO_CONNECTION if it had or has none */
	__u8 verdict;
	__u8 hook;			/* enum trace_hook */
	__u8 tcp_flags;
	__u8 has_server;		/* its family, 4 or 6; 0: none */
	__u8 has_service, is_new, by_template;
	__u8 pad[7];
};

#define TRACE_NO_CONNECTION 0xffff

struct trace_notes {
	struct packet packet, key;	/* and what it would be found by as a reply */
	struct connection *before;	/* its connection, if it had one that goes on */
	__u32 verdict, server;		/* VERDICT_LAST, NOBODY: none yet */
	__u32 wanted, pad;
	__u8 head[TRACE_HEAD + 64];	/* what it begins with, and room to read past that */
	struct trace_event event;
	__u8 bytes[TRACE_SNAP];		/* right behind the event, as the reader gets it */
};

struct trace_filter trace_filter SEC(".data.trace_filter") = {};
struct trace_state trace_state SEC(".data.trace") = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TRACE_RING);
} trace_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct trace_notes);
} trace_notes SEC(".maps");

/*
 * Packets that XDP handed up after they had opened or moved a connection: at tc, where they come to
 * their end, that is no news any more. By what identifies them, how it was before.
 */
struct handed_key {
	__u64 id;
	__u32 address[8];
};

struct handed {
	__u32 before;		/* as in struct trace_event */
	__u32 is_new;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct handed_key);
	__type(value, struct handed);
} trace_handed SEC(".maps");

static __always_inline struct trace_notes *notes(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&trace_notes, &zero);
}

static __always_inline void note_verdict(__u32 verdict)
{
	struct trace_notes *n = notes();

	if (n)
		n->verdict = verdict;
}

static __always_inline void note_server(__u32 number)
{
	struct trace_notes *n = notes();

	if (n) {
		n->verdict = FORWARDED;
		n->server = number;
	}
}

static __always_inline void note_replied(__u32 number)
{
	struct trace_notes *n = notes();

	if (n) {
		n->verdict = REPLIED;
		n->server = number;
	}
}

#include "trace_packet.h"
#include "trace_filter.h"

/* Take a token: the bucket is kept as the time at which it will be full again. */
static __always_inline bool token(__u64 now)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < TRACE_TRIES; i++) {
		__u64 old = *(volatile __u64 *)&trace_state.full, full = old > now ? old : now;

		if (full + trace_filter.interval > now + trace_filter.burst)
			return false;
		if (__sync_val_compare_and_swap(&trace_state.full, old, full + trace_filter.interval) == old)
			return true;
	}
	return false;
}

/* What the connection table knows of the packet now: its connection, or the one that it is a reply of. */
static __noinline struct connection *noted_connection(struct trace_notes *n)
{
	__u8 family = n->packet.id >> 40;
	struct connection *c;
	__u32 place;

	if (!family)
		return NULL;
	c = connection_find(&n->packet, place_of(&n->packet), ticks());
	if (c || !(front.beyond & BEYOND_REPLIES))
		return c;
	n->key = n->packet;
	reply_turn(&n->key);
	return reply_find(&n->key, ticks(), &place);
}

static __always_inline void handed_key(const struct packet *p, struct handed_key *key)
{
	key->id = p->id;
	__builtin_memcpy(key->address, p->address, sizeof(key->address));
}

/* XDP leaves a packet to tc: keep what it knew of its connection. */
static __noinline void hand_over(struct trace_notes *n)
{
	struct connection *c = noted_connection(n);
	struct handed handed = { .before = n->event.before, .is_new = c != n->before };
	struct handed_key key;

	if (!c)
		return;
	handed_key(&n->packet, &key);
	bpf_map_update_elem(&trace_handed, &key, &handed, BPF_ANY);
}

/* tc goes on with it. */
static __always_inline void take_over(struct trace_notes *n)
{
	struct handed_key key;
	struct handed *handed;

	handed_key(&n->packet, &key);
	handed = bpf_map_lookup_elem(&trace_handed, &key);
	if (!handed)
		return;
	n->event.before = handed->before;
	if (handed->is_new)
		n->before = NULL;
	bpf_map_delete_elem(&trace_handed, &key);
}

/*
 * Before the packet is directed: is it wanted? n->head holds its first bytes, of which the network
 * header starts at `at`; the event holds what its hook knows.
 */
static __always_inline bool trace_begin(struct trace_notes *n, __be16 protocol, __u32 at)
{
	__builtin_memset(&n->packet, 0, sizeof(n->packet));
	n->verdict = VERDICT_LAST;
	n->server = NOBODY;
	note_packet(n, protocol, at);
	n->wanted = packet_wanted(n);
	if (!n->wanted)
		return false;
	n->before = noted_connection(n);
	n->event.before = n->before ? n->before->status : TRACE_NO_CONNECTION;
	if (n->before && gives_way(n->before, &n->packet))
		n->before = NULL;	/* the new one may take its slot over */
	if (n->event.hook == TRACE_TC_BEHIND)
		take_over(n);
	return true;
}

static __always_inline void tell_server(struct trace_event *e, __u32 number)
{
	struct server *s = server_at(number);

	if (!s)
		return;
	e->has_server = s->family;
	e->has_service = 1;
	__builtin_memcpy(e->server_address, s->address, sizeof(e->server_address));
	e->server_port = s->port;
	e->service = s->key;
	if (e->verdict == FORWARDED || e->verdict == NO_NEIGHBOUR)
		e->out = hop_at(number)->ifindex;
}

/* A packet without a real server may have a service all the same. */
static __always_inline void tell_service(struct trace_event *e, struct trace_notes *n)
{
	__u32 number = fwmarks.in_force ? mark_service(&n->packet) : NOBODY;
	struct service *service;

	if (number == NOBODY)
		number = service_find(&n->packet);
	service = service_at(number);
	if (!service)
		return;
	e->has_service = 1;
	e->service = service->key;
}

static __always_inline void tell_connection(struct trace_event *e, struct trace_notes *n)
{
	struct connection *c = noted_connection(n);

	e->after = TRACE_NO_CONNECTION;
	if (c) {
		e->after = c->status;
		e->expires = c->expires - ticks();
		e->by_template = c->control != 0;
		if (n->server == NOBODY)
			n->server = c->server;
	}
	/* of one-packet scheduling there is a server and never a connection */
	e->is_new = c ? c != n->before : n->server != NOBODY;
}

/* After it: hand what became of it to the reader, if that wants it and there is a token. */
__noinline int trace_tell(void)
{
	struct trace_notes *n = notes();
	struct trace_event *e;
	__u32 size;

	if (!n || !n->wanted || n->verdict >= VERDICT_LAST)
		return 0;
	if (n->verdict == HANDED_UP)
		hand_over(n);
	if (!(trace_filter.verdicts >> (n->verdict % VERDICTS) & 1))
		return 0;
	e = &n->event;
	e->verdict = n->verdict;
	e->length = n->packet.length;
	e->id = n->packet.id;
	e->tcp_flags = n->packet.tcp_flags;
	e->has_server = e->has_service = 0;
	e->expires = e->by_template = e->out = 0;
	__builtin_memcpy(e->address, n->packet.address, sizeof(e->address));
	tell_connection(e, n);
	if (n->server != NOBODY)
		tell_server(e, n->server);
	else
		tell_service(e, n);
	if (!end_wanted(e))
		return 0;
	e->time = bpf_ktime_get_ns();
	if (!token(e->time)) {
		__sync_fetch_and_add(&trace_state.skipped, 1);
		return 0;
	}
	e->skipped = trace_state.skipped;
	e->lost = trace_state.lost;
	size = e->captured;
	if (size > TRACE_SNAP)
		size = TRACE_SNAP;
	if (bpf_ringbuf_output(&trace_ring, e, sizeof(*e) + size, 0))
		__sync_fetch_and_add(&trace_state.lost, 1);
	return 0;
}

static __always_inline int trace_end(int action)
{
	trace_tell();
	return action;
}

/* The smaller one, and at least 1, in a way that Linux 6.1's verifier follows. */
#define AT_MOST(size, most) ({				\
	__u32 last = (size) - 1;			\
	asm volatile("" : "+r"(last));			\
	if (last > (most) - 1)				\
		last = (most) - 1;			\
	asm volatile("" : "+r"(last));			\
	last + 1;					\
})

/* How many bytes of a frame to show. */
static __always_inline __u32 snapped(__u32 frame)
{
	__u32 snap = trace_filter.snap;

	return AT_MOST(frame < snap ? frame : snap, TRACE_SNAP);
}

/* The notes, begun anew; NULL if nobody is looking. */
static __always_inline struct trace_notes *trace_wake(__u32 frame, __u32 ifindex, enum trace_hook hook)
{
	struct trace_notes *n = notes();

	if (!n)
		return NULL;
	n->wanted = 0;
	if (reached(ticks(), trace_state.until))
		return NULL;
	n->event.frame = frame;
	n->event.ifindex = ifindex;
	n->event.hook = hook;
	n->event.captured = 0;
	__builtin_memset(n->head, 0, sizeof(n->head));
	return n;
}

static __always_inline __be16 noted_type(const struct trace_notes *n)
{
	return *(__be16 *)(n->head + offsetof(struct ethhdr, h_proto));
}

__noinline int trace_xdp(struct xdp_md *ctx)
{
	__u32 frame = bpf_xdp_get_buff_len(ctx), size;
	struct trace_notes *n = trace_wake(frame, ctx->ingress_ifindex, TRACE_XDP);

	if (!n)
		return 0;
	size = AT_MOST(frame, TRACE_HEAD);
	if (bpf_xdp_load_bytes(ctx, 0, n->head, size) || !trace_begin(n, noted_type(n), sizeof(struct ethhdr)))
		return 0;
	size = snapped(frame);
	if (trace_filter.snap && !bpf_xdp_load_bytes(ctx, 0, n->bytes, size))
		n->event.captured = size;
	return 0;
}

static __always_inline void trace_tc(struct __sk_buff *skb, enum trace_hook hook)
{
	struct trace_notes *n = trace_wake(skb->len, skb->ifindex, hook);
	__u32 size;
	bool wanted;

	if (!n)
		return;
	size = AT_MOST(skb->len, TRACE_HEAD);
	if (bpf_skb_load_bytes(skb, 0, n->head, size))
		return;
	if (hook == TRACE_TC_BEHIND) {
		struct device *d = device_at(*(__u32 *)n->head);	/* what XDP left there: struct handed_up */

		n->event.ifindex = *(__u32 *)n->head;
		if (d)
			__builtin_memcpy(n->head, &d->mac, ETH_ALEN);
	}
	wanted = hook == TRACE_TC_IP ? trace_begin(n, skb->protocol, 0) : trace_begin(n, noted_type(n), sizeof(struct ethhdr));
	if (!wanted)
		return;
	size = snapped(skb->len);
	if (!trace_filter.snap || bpf_skb_load_bytes(skb, 0, n->bytes, size))
		return;
	n->event.captured = size;
	if (hook == TRACE_TC_BEHIND)
		__builtin_memcpy(n->bytes, n->head, ETH_ALEN);
}

#endif
#endif
