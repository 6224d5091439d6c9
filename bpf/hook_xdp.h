/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hook in the driver. Nearly every packet has a quick way, inlined from reading to sending; everything else takes
 * the complete one. What needs the kernel is handed up to tc.
 */
#ifndef DIRECTRIX_HOOK_XDP_H
#define DIRECTRIX_HOOK_XDP_H

#include "forward_nat.h"
#include "forward_tunnel.h"
#include "hand_up.h"
#include "narrow.h"
#include "ttl.h"
#include "unusual.h"
#include "vlan.h"

/* Count down the TTL of a frame that the complete way has read; false: its time is over, and it is as it was. */
__noinline bool xdp_ttl_down(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 offset = sizeof(struct ethhdr), tags = 0;
	bool ipv4;

	if (data + sizeof(struct ethhdr) > end)
		return false;
	ipv4 = skip_tags(data, end, &offset, &tags) == bpf_htons(ETH_P_IP);
	data += offset;
	if (data + sizeof(struct iphdr) > end || !ttl_left(data, ipv4))
		return false;
	ttl_down(data, ipv4);
	return true;
}

/* Read what the complete way has left, from the network header at `network` on. */
__noinline int xdp_unusual(struct xdp_md *ctx, __u32 network, __u32 ipv4, struct packet *p)
{
	struct frame frame = { .context = ctx, .network = network, .xdp = true };

	return p ? unusual(&frame, bpf_xdp_get_buff_len(ctx) - network, ipv4, p) : BUSY;
}

/* Keep a copy of the fragment at hand; and settle it again, in case the first came meanwhile. */
__noinline int xdp_hold(struct xdp_md *ctx, __u32 now, __u32 *number)
{
	struct frame frame = { .context = ctx, .xdp = true };

	fragment_hold(&frame, now);
	return number ? fragment_settle(now, number) : BUSY;
}

/*
 * A packet for a real server that is no plain frame away: it is this host, behind a tunnel, behind a way that may be
 * too narrow, or to be looked up. A global function, so that what it needs costs direct routing no register and the
 * verifier looks at it once.
 */
__noinline int xdp_aside(struct xdp_md *ctx, __u32 number, __u32 device, __u32 length, enum packet_kind kind)
{
	struct hop *hop = hop_at(number);
	int sent = 0;

	asm volatile("" : "+r"(hop));	/* keep it, instead of reckoning it again for each use */
	if (hop->state == HOP_TUNNEL) {
		bool plain = hop->flags & SERVER_IPIP4 && hop->wire == ctx->ingress_ifindex && !hop->tags;

		if (!plain)
			sent = xdp_tunnel(ctx, number % MAX_SERVERS, length, kind);
		else if (!hop_due(&hop->asked, ticks()))
			sent = xdp_ipip4(ctx, number, length, hop, kind);
	} else if (hop->state == HOP_NARROW) {
		sent = xdp_narrow(ctx, number % MAX_SERVERS, length, kind);
	} else if (hop->state == HOP_LOCAL) {
		count_forwarded(bpf_get_smp_processor_id(), number, length, kind);
		return xdp_end(LOCAL);	/* generic XDP would see it again if tc gave it back to the device */
	}
	return sent ? sent : hand_up(ctx, device);
}

enum way { QUICK, QUICK6, COMPLETE };

/* A packet that parsed: on its way, or to its end. */
static __always_inline int xdp_direct(struct xdp_md *ctx, void *data, __u32 tags, const struct packet *p,
				      enum way way)
{
	__u32 ifindex = ctx->ingress_ifindex, device = ifindex, now = ticks(), number = 0, bucket = 0;
	bool follows = way == COMPLETE && p->kind >= KIND_LATER, foreign = false;
	struct connection *c = follows ? NULL : connection_look(p, now, &bucket);
	enum verdict verdict;
	struct hop *hop;

	/* Is it for this host? A known connection's frame that leaves by the device it came in by is if it
	 * bears the MAC it will leave with. Nothing of the table may be touched before this is known. */
	hop = hop_at(c ? c->server : 0);
	if (!c || tags || hop->ifindex != ifindex || hop->source != (*(__u64 *)data & 0xffffffffffffULL)) {
		device = device_for(ifindex, data, tags, &foreign);
		if (!device)
			return xdp_end(OTHER_HOST);
	}
	if (follows) {
		verdict = follow(p, now, &number);
		if (verdict == FRAGMENT)
			verdict = xdp_hold(ctx, now, &number);
	} else {
		verdict = direct(p, way == QUICK, c, now, &number);
		/* who lets waiting copies go is tc */
		if (way == COMPLETE && p->kind == KIND_FIRST && fragment_remember(verdict, number, now, false))
			return hand_up(ctx, device);
	}
	if (verdict == NO_SERVER || verdict == HANDED_UP)
		return hand_up(ctx, device);
	if (verdict == REPLY)
		return way == QUICK ? xdp_reply4(ctx) : way == QUICK6 ? xdp_reply6(ctx) : hand_up(ctx, device);
	if (verdict != CONTINUE)
		return xdp_end(verdict);
	hop = hop_at(number);
	if (__builtin_expect(hop->state != HOP_RESOLVED, 0)) {
		if (hop->state == HOP_MASQUERADE)
			return way == QUICK ? xdp_request4(ctx, number % MAX_SERVERS, bucket) :
			       way == QUICK6 ? xdp_request6(ctx, number % MAX_SERVERS, bucket) : hand_up(ctx, device);
		return xdp_aside(ctx, number, device, p->length, way == COMPLETE ? p->kind : KIND_WHOLE);
	}
	if (!tags_fit(hop, tags, foreign, ifindex) || hop_due(&hop->asked, now) || !xdp_can_send(hop, ifindex))
		return hand_up(ctx, device);
	if (way == COMPLETE) {
		if (!xdp_ttl_down(ctx))
			return hand_up(ctx, device);
	} else {
		if (!ttl_left(data + sizeof(struct ethhdr), way == QUICK))
			return hand_up(ctx, device);
		ttl_down(data + sizeof(struct ethhdr), way == QUICK);
	}
	frame_to(data, hop);
	count_forwarded(bpf_get_smp_processor_id(), number, p->length, way == COMPLETE ? p->kind : KIND_WHOLE);
	return xdp_send(hop->wire, ifindex);
}

/* What the complete way does with a packet that parsed. Global: for the verifier all of them are alike. */
__noinline int xdp_direct_parsed(struct xdp_md *ctx, const struct packet *p, __u32 tags)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!p || data + sizeof(struct ethhdr) > end)
		return xdp_end(NOT_OURS);
	return xdp_direct(ctx, data, tags, p, COMPLETE);
}

/* The complete way's reading, in a function of its own, so that what it needs of the stack is free again afterwards. */
static __noinline enum verdict xdp_parse(struct xdp_md *ctx, struct packet *p, __u32 *tags)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct frame frame = { .context = ctx, .xdp = true };
	__u32 offset = sizeof(struct ethhdr), length;
	enum verdict verdict;
	__be16 protocol;

	if (data + sizeof(struct ethhdr) > end)
		return NOT_OURS;
	length = xdp_length(ctx, data, end, 0);
	protocol = skip_tags(data, end, &offset, tags);
	frame.network = offset;
	verdict = parse(protocol, data + offset, end, &frame, length - offset, p);
	if (verdict == UNUSUAL)
		verdict = xdp_unusual(ctx, offset, protocol == bpf_htons(ETH_P_IP), p);
	p->from_xdp = AT_XDP;
	return verdict;
}

/* Tags, options, extension headers, SCTP, fragments, ICMP: everything the quick way leaves. */
static __noinline int xdp_complete(struct xdp_md *ctx)
{
	enum verdict verdict;
	struct packet p;
	__u32 tags = 0;

	verdict = xdp_parse(ctx, &p, &tags);
	return verdict == CONTINUE ? xdp_direct_parsed(ctx, &p, tags) : xdp_end(verdict);
}

static __noinline int xdp_quick(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet p = { .from_xdp = AT_XDP };
	enum verdict verdict;

	if (data + QUICK_LENGTH > end)
		return XDP_PASS;
	verdict = quick4_parse(data + sizeof(struct ethhdr), end, xdp_length(ctx, data, end, sizeof(struct ethhdr)), &p);
	return verdict == CONTINUE ? xdp_direct(ctx, data, 0, &p, QUICK) : xdp_end(verdict);
}

static __noinline int xdp_quick6(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet p = { .from_xdp = AT_XDP };
	enum verdict verdict;

	if (data + QUICK6_LENGTH > end)
		return XDP_PASS;
	if (!quick6_maybe_virtual(data + sizeof(struct ethhdr)))
		return front.beyond & BEYOND_REPLIES ? xdp_reply6(ctx) : xdp_end(NOT_OURS);
	verdict = quick6_parse(data + sizeof(struct ethhdr), end, xdp_length(ctx, data, end, sizeof(struct ethhdr)), &p);
	return verdict == CONTINUE ? xdp_direct(ctx, data, 0, &p, QUICK6) : xdp_end(verdict);
}

/* Host traffic meets these few lines and no more: no stack, no saved registers. */
static __always_inline int xdp_director(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 word;

	if (!quick4(data, end))
		return quick6(data, end) ? xdp_quick6(ctx) : xdp_complete(ctx);
	word = quick4_word(data + sizeof(struct ethhdr));
	if (!quick4_indexed(data + sizeof(struct ethhdr), word)) {
		enum quick4 what = quick4_not_indexed(data + sizeof(struct ethhdr), word);

		if (what != QUICK4_OURS)
			return what == QUICK4_REPLY ? xdp_reply4(ctx) : xdp_end(NOT_OURS);
	}
	if (!quick4_readable(word))
		return xdp_complete(ctx);
	return xdp_quick(ctx);
}

#endif
