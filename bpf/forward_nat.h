/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Masquerading: a client's packet gets the real server's address and port in place of the virtual
 * service's, and the real server's reply gets those of the service back. Real servers have the director as
 * their way to clients, so both directions come by here, and a connection's states follow both.
 *
 * A request comes the way of every packet, and is told apart last: a server of this method never has a hop
 * that is HOP_RESOLVED but one that is HOP_MASQUERADE, so that direct routing pays nothing for asking. A
 * reply is for nobody the index knows. Where some server is masqueraded, a packet that is not indexed is
 * asked for its source: one look at front.address_mark, by which the host's own traffic goes on as before.
 * Then reply.h finds its connection, and way_back.h the way to its client. What is no reply after all is the
 * host's.
 *
 * As in IPVS a TTL is counted down, a packet whose time is over or that is too large is answered (by tc,
 * which has an end for every packet), and a real server that was removed still gets its replies through.
 *
 * Here are the quick ways of XDP; forward_nat_skb.h does the same at tc.
 */
#ifndef DIRECTRIX_FORWARD_NAT_H
#define DIRECTRIX_FORWARD_NAT_H

#include "forward_direct.h"
#include "hand_up.h"
#include "reply.h"
#include "rewrite.h"
#include "ttl.h"
#include "way_back.h"

/* A reply on its way. */
static __always_inline void count_replied(__u32 cpu, __u32 number, const struct hop *hop, __u32 length, enum packet_kind kind)
{
	note_replied(number);
	if (hop->flags & SERVER_AVAILABLE)
		count_at(&reply_stats, cpu, number, length, kind);
	else if (kind == KIND_LATER)
		count_verdict(cpu, LATER_FRAGMENT);
	else
		__sync_fetch_and_add(&front.replied, 1);	/* IPVS: counted at the server no longer */
}

/* Requests under XDP. */

/* The first packet of a connection under XDP, whose quick ways keep what they know of it in registers. */
static __always_inline int request_begins(const struct packet *p, const void *l4, __u32 now)
{
	struct packet copy = *p;

	if (protocol_of(p) == IPPROTO_TCP)
		copy.tcp_flags = ((const __u8 *)l4)[13];
	return masquerade_begin(&copy, now);
}

/* Is the next hop known, is it no other's turn to look, and can XDP send there? */
static __always_inline bool xdp_hop_ready(struct hop *hop, __u32 ifindex, __u32 now)
{
	return !hop->tags && !hop_due(&hop->asked, now) && xdp_can_send(hop, ifindex);
}

/* The connection of a request, most likely in this bucket: there it was seen a moment ago if it isn't new. */
static __always_inline struct connection *request_connection(const struct packet *p, __u32 now, __u32 bucket)
{
	struct bucket *b = bucket_at(bucket);
	__u32 slot = b ? slot_in(b, p, now) : NO_SLOT;

	return slot == NO_SLOT ? connection_find(p, place_of(p), now) : &b->slot[slot % BUCKET_SLOTS];
}

/* A packet's key and nothing else of it: the rest has been looked at already. */
static __always_inline void quick_key(const void *l3, bool ipv4, struct packet *p)
{
	if (ipv4) {
		const struct iphdr *ip = l3;

		p->pair = *(const __u64 *)&ip->saddr;
		p->id = connection_id(*(const __u32 *)(ip + 1), ip->protocol, 4, 0);
	} else {
		const struct ipv6hdr *ip = l3;

		for (int i = 0; i < 4; i++)
			p->half[i] = *(const __u64 *)(l3 + offsetof(struct ipv6hdr, saddr) + 8 * i);
		p->id = connection_id(*(const __u32 *)(ip + 1), ip->nexthdr, 6, 0);
	}
}

/* A request that came the quick way: sent to real server `number`, or handed up. */
static __always_inline int xdp_request(struct xdp_md *ctx, bool ipv4, __u32 number, __u32 bucket)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *l3 = data + sizeof(struct ethhdr), *l4 = l3 + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	__u32 ifindex = ctx->ingress_ifindex, now = ticks(), length;
	struct hop *hop = hop_at(number);
	struct connection *c;
	struct packet p = {};
	int verdict;

	asm volatile("" : "+r"(hop));	/* keep it, instead of reckoning it again for each use */
	if (data + (ipv4 ? QUICK_LENGTH : QUICK6_LENGTH) > end || !xdp_hop_ready(hop, ifindex, now))
		return hand_up(ctx, ifindex);
	length = ipv4 ? bpf_ntohs(((struct iphdr *)l3)->tot_len) :
			bpf_ntohs(((struct ipv6hdr *)l3)->payload_len) + sizeof(struct ipv6hdr);
	if (!ttl_left(l3, ipv4) || length > hop->mtu)
		return hand_up(ctx, ifindex);
	quick_key(l3, ipv4, &p);
	c = request_connection(&p, now, bucket);
	if (!c)
		return hand_up(ctx, ifindex);
	if (!(c->status & CONNECTION_MASQUERADED)) {
		verdict = request_begins(&p, l4, now);
		if (verdict != CONTINUE)
			return xdp_end(verdict);
	}
	if (ipv4)
		rewrite4(l3, hop->outer[0], c->server_port, false);
	else
		rewrite6(l3, hop->outer, c->server_port, false);
	frame_between(data, hop->mac, hop->source, ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6));
	count_forwarded(bpf_get_smp_processor_id(), number, length, KIND_WHOLE);
	return xdp_send(hop->wire, ifindex);
}

/* Global functions, as xdp_tunnel() is. */
__noinline int xdp_request4(struct xdp_md *ctx, __u32 number, __u32 bucket)
{
	return xdp_request(ctx, true, number, bucket);
}

__noinline int xdp_request6(struct xdp_md *ctx, __u32 number, __u32 bucket)
{
	return xdp_request(ctx, false, number, bucket);
}

/* Replies under XDP. */

/* The virtual service's port, in network order as all ports. */
static __always_inline __u16 service_port(const struct connection *c)
{
	return c->id >> 16;
}

/* Is a frame that came in at `ifindex` for this host? Most are if they bear the MAC that requests leave with there. */
static __always_inline bool reply_for_us(const struct hop *hop, __u32 ifindex, const void *data)
{
	__u64 mac = *(__u64 *)data & 0xffffffffffffULL;
	struct device *d;

	if (hop->ifindex == ifindex && hop->source == mac)
		return true;
	d = device_at(ifindex);
	return d && d->mac == mac;
}

/*
 * Ask for the way to the client of a connection anew, and remember it. False: tc has to, because nobody knows a
 * MAC yet, or for the kernel to hear that it is used.
 */
static __noinline bool xdp_way_anew(struct xdp_md *ctx, const struct connection *c)
{
	const struct hop *hop = hop_at(c->server);
	struct bpf_fib_lookup fib;
	struct way_key key;
	__u32 now = ticks();
	long rc;

	way_ask(c, hop, &fib);
	rc = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	if (next_hop_state(&fib, rc) != HOP_RESOLVED || next_hop_due(&fib, now))
		return false;
	way_key_of(c, hop, connection_family(c) == 4, &key);	/* the next hop may be of the other family */
	way_write(&key, &fib, now);
	return true;
}

static __always_inline bool xdp_way(struct xdp_md *ctx, const struct connection *c, const struct hop *hop, bool ipv4, __u32 now,
				    struct way_back *way)
{
	struct way_key key;

	way_key_of(c, hop, ipv4, &key);
	return way_known(&key, now, way) || (xdp_way_anew(ctx, c) && way_known(&key, now, way));
}

/* What may be a reply, given by its frame and as its key, with the rest that was read of it. */
static __always_inline int xdp_replied(struct xdp_md *ctx, void *data, const struct packet *key, bool ipv4, __u8 ttl)
{
	__u32 ifindex = ctx->ingress_ifindex, now = ticks(), place = 0;
	struct connection *c;
	struct way_back way;
	struct hop *hop;

	c = reply_find(key, now, &place);
	if (!c)
		return xdp_end(NOT_OURS);
	hop = hop_at(c->server);
	asm volatile("" : "+r"(c), "+r"(hop));	/* as in xdp_request() */
	if (!reply_for_us(hop, ifindex, data))
		return xdp_end(OTHER_HOST);
	if (ttl <= 1 || !xdp_way(ctx, c, hop, ipv4, now, &way) || way.tags || key->length > way.mtu ||
	    !(way.wire == ifindex || way.redirects))
		return hand_up(ctx, ifindex);
	reply_goes_on(c, place, key, now);
	if (ipv4)
		rewrite4(data + sizeof(struct ethhdr), c->address[1], service_port(c), true);
	else
		rewrite6(data + sizeof(struct ethhdr), &c->address[4], service_port(c), true);
	frame_between(data, way.mac, way.source, ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6));
	count_replied(bpf_get_smp_processor_id(), c->server, hop, key->length, KIND_WHOLE);
	return xdp_send(way.wire, ifindex);
}

/* The quick ways of what may be a reply: on its way, or to its end. Global: verified once. */
__noinline int xdp_reply4(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct packet p = {};

	if (data + QUICK_LENGTH > end ||
	    quick4_parse(ip, end, xdp_length(ctx, data, end, sizeof(struct ethhdr)), &p) != CONTINUE)
		return xdp_end(NOT_OURS);
	reply_turn4(&p, *(__u32 *)(ip + 1), ip->protocol);
	return xdp_replied(ctx, data, &p, true, ip->ttl);
}

__noinline int xdp_reply6(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip = data + sizeof(struct ethhdr);
	struct packet p = {};

	if (data + QUICK6_LENGTH > end || !address_has(address6_word((__u64 *)&ip->saddr), ADDRESS_MASQUERADED) ||
	    quick6_parse(ip, end, xdp_length(ctx, data, end, sizeof(struct ethhdr)), &p) != CONTINUE)
		return xdp_end(NOT_OURS);
	reply_turn6(&p, *(__u32 *)(ip + 1), ip->nexthdr);
	return xdp_replied(ctx, data, &p, false, ip->hop_limit);
}

#endif
