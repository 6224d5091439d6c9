/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entry points: two hooks over one core.
 *
 *   directrix_xdp   the quick one, in the driver. What needs the kernel's help (an unresolved
 *                   neighbour, an ICMP answer, other VLAN tags) it hands up: sends it into a veth
 *                   pair of ours, at whose other end waits
 *   directrix_tc_behind   the complete one for what XDP hands up. It is not at the device itself,
 *                   because there it would cost all host traffic some hundred instructions.
 *   directrix_tc    the complete one, for devices whose packets carry state XDP would lose.
 *   directrix_tc_ip for devices without Ethernet headers (wireguard, tun).
 *   directrix_clock run once by user space: starts the clock, or gives a running one its new
 *                   program.
 */
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "expiry.h"
#include "forward_direct.h"
#include "forward_nat.h"
#include "forward_tunnel.h"
#include "hand_up.h"
#include "icmp.h"
#include "narrow.h"
#include "removal.h"
#include "draining.h"
#include "trace.h"
#include "ttl.h"
#include "unusual.h"

char _license[] SEC("license") = "GPL";

#define HEADERS_MOST 128	/* what tc makes readable at once */
#define PACKET_HOST 0
#define VLAN_ID 0x0fff

struct vlan_header {
	__be16 tci;
	__be16 protocol;
};

/* Up to two VLAN tags: the network protocol, the offset behind them and the ids. */
static __always_inline __be16 skip_tags(void *data, void *end, __u32 *offset, __u32 *tags)
{
	__be16 protocol = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));

#pragma clang loop unroll(full)
	for (int i = 0; i < 2; i++) {
		struct vlan_header *tag = data + *offset;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return 0;
		*tags = *tags << 16 | (bpf_ntohs(tag->tci) & VLAN_ID);
		*offset += sizeof(*tag);
		protocol = tag->protocol;
	}
	return protocol;
}

/*
 * The device a frame is for: the one it came in by, or the VLAN's on it. 0 if it isn't for this
 * host. Tags that no device here has are left alone (`foreign`): such a frame can be sent on by
 * the wire it came in by, tags and all.
 */
static __always_inline __u32 device_for(__u32 ifindex, const struct ethhdr *eth, __u32 tags, bool *foreign)
{
	struct device *d = device_at(ifindex);

	if (!d || (*(__u64 *)eth & 0xffffffffffffULL) != d->mac)
		return 0;
	if (tags) {
		struct vlan_key key = { .wire = d->arrives, .tags = tags };
		__u32 *vlan = bpf_map_lookup_elem(&vlans, &key);

		if (vlan)
			return *vlan;
		*foreign = true;
	}
	return ifindex;
}

/* May a frame with these tags leave by this hop as it is? */
static __always_inline bool tags_fit(const struct hop *hop, __u32 tags, bool foreign, __u32 ifindex)
{
	return foreign ? !hop->tags && hop->wire == ifindex : hop->tags == tags;
}

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

SEC("xdp.frags")
int directrix_xdp(struct xdp_md *ctx)
{
	trace_xdp(ctx);
	return trace_end(xdp_director(ctx));
}

/* As xdp_unusual(). */
__noinline int tc_unusual(struct __sk_buff *skb, __u32 network, __u32 ipv4, struct packet *p)
{
	struct frame frame = { .context = skb, .network = network };

	return p ? unusual(&frame, skb->len - network, ipv4, p) : BUSY;
}

/* As xdp_hold(). */
__noinline int tc_hold(struct __sk_buff *skb, __u32 now, __u32 *number)
{
	struct frame frame = { .context = skb };

	fragment_hold(&frame, now);
	return number ? fragment_settle(now, number) : BUSY;
}

enum tc_place { TC_ALONE, TC_BEHIND_XDP, TC_IP };

static __always_inline int tc_end(__u32 cpu, enum verdict verdict, enum tc_place place)
{
	count_verdict(cpu, verdict);
	if (place == TC_BEHIND_XDP)
		return TC_ACT_SHOT;	/* nothing else lives at this end */
	return verdict <= HANDED_UP ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* Undo what XDP did to a frame it handed up: answers the device it came in by, 0 if it is none of XDP's. */
static __always_inline __u32 take_up(struct __sk_buff *skb)
{
	struct handed_up head;
	struct device *d;
	__u64 mac;

	if (bpf_skb_load_bytes(skb, 0, &head, 6) || head.mark != HANDED_UP_MARK)
		return 0;
	d = device_at(head.ifindex);
	if (!d)
		return 0;
	mac = d->mac;
	return bpf_skb_store_bytes(skb, 0, &mac, 6, 0) ? 0 : head.ifindex;
}

/*
 * The VLAN tags of a frame at tc, of which the kernel keeps the outer one beside the packet. The
 * inner one, if there is one, stands where `offset` points and is stepped over.
 */
static __always_inline __u32 tags_of(struct __sk_buff *skb, void *data, void *end, __u32 *offset, __be16 *protocol)
{
	__u32 tags = skb->vlan_tci & VLAN_ID;
	struct vlan_header *tag = data + *offset;

	if (*protocol != bpf_htons(ETH_P_8021Q) && *protocol != bpf_htons(ETH_P_8021AD))
		return tags;
	if ((void *)(tag + 1) > end)
		return tags;
	*offset += sizeof(*tag);
	*protocol = tag->protocol;
	return tags << 16 | (bpf_ntohs(tag->tci) & VLAN_ID);
}

/* Take a frame's tags off: the way out has its own. */
static __always_inline bool drop_tags(struct __sk_buff *skb)
{
	for (int i = 0; i < 2; i++)
		if (skb->vlan_present && bpf_skb_vlan_pop(skb))
			return false;
	return true;
}

static __always_inline int tc_director(struct __sk_buff *skb, enum tc_place place)
{
	__u32 offset = place == TC_IP ? 0 : sizeof(struct ethhdr), now = ticks(), number = 0, device = skb->ifindex, tags = 0;
	__u32 cpu = bpf_get_smp_processor_id(), back;	/* the device by which answers go; 0: there is no way */
	struct bpf_redir_neigh next = {};
	__be16 protocol = skb->protocol;
	struct frame frame = { .context = skb };
	int state = HOP_UNKNOWN;	/* as looked up now */
	struct connection *c;
	void *data, *end;
	enum verdict verdict;
	struct packet p;
	struct hop *hop;
	bool due;

	if (place == TC_BEHIND_XDP) {
		device = take_up(skb);
		if (!device)
			return TC_ACT_SHOT;
	}
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (data + HEADERS_MOST > end && skb->len > (__u32)(end - data)) {
		bpf_skb_pull_data(skb, skb->len < HEADERS_MOST ? skb->len : HEADERS_MOST);
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	if (skb->vlan_present)
		tags = tags_of(skb, data, end, &offset, &protocol);
	frame.network = offset;
	verdict = parse(protocol, data + offset, end, &frame, skb->len - offset, &p);
	if (verdict == UNUSUAL)
		verdict = tc_unusual(skb, offset, protocol == bpf_htons(ETH_P_IP), &p);
	if (verdict != CONTINUE)
		return tc_end(cpu, verdict, place);
	if (place == TC_BEHIND_XDP)
		p.from_xdp = BEHIND_XDP;
	if (place != TC_BEHIND_XDP && skb->pkt_type != PACKET_HOST)
		return tc_end(cpu, OTHER_HOST, place);
	if (tags) {
		struct vlan_key key = { .wire = device, .tags = tags };
		struct device *d = device_at(device);

		if (place == TC_BEHIND_XDP && d && d->tags) {
			if (!drop_tags(skb))
				return tc_end(cpu, MALFORMED, place);
			tags = 0;
			offset = sizeof(struct ethhdr);
		} else if (bpf_map_lookup_elem(&vlans, &key)) {
			return tc_end(cpu, NOT_OURS, place);	/* the VLAN's own device sees it next */
		}
	}
	back = place == TC_IP || tags ? 0 : device;
	if (front.beyond & BEYOND_REPLIES && !tags) {
		int action = tc_reply(skb, &p, device, place == TC_IP ? REPLY_IP : place == TC_BEHIND_XDP ? REPLY_BEHIND_XDP : REPLY_ALONE,
				      &next);

		if (action != NO_REPLY)
			return action;
	}
	if (p.kind >= KIND_LATER) {
		verdict = follow(&p, now, &number);
		if (verdict == FRAGMENT)
			verdict = tc_hold(skb, now, &number);
	} else {
		c = connection_find(&p, place_of(&p), now);
		if (place == TC_BEHIND_XDP && c)
			p.sctp_event = SCTP_EVENT_SEEN;
		verdict = direct(&p, false, c, now, &number);
		if (p.kind == KIND_FIRST && fragment_remember(verdict, number, now, place == TC_BEHIND_XDP) &&
		    place != TC_IP && tc_release(skb, device, now))
			return tc_end(cpu, BUSY, place);
	}
	if (verdict == TUNNEL_ERROR)
		return !back ? tc_end(cpu, UNKNOWN_QUOTE, place) : tunnel_error(skb, &p, number);
	if (verdict == NO_SERVER)
		return answered(skb, &p, back, ANSWER_UNREACHABLE, 0);
	if (verdict != CONTINUE)
		return tc_end(cpu, verdict == REPLY ? NO_CONNECTION : verdict, place);
	hop = hop_at(number);
	due = hop_due(&hop->checked, now);
	if (due || hop->state != HOP_RESOLVED)
		state = !due && hop->state >= HOP_TUNNEL ? hop->state : hop_look_up(skb, number, &next);
	if (state == HOP_LOCAL) {
		count_forwarded(cpu, number, p.length, p.kind);
		count_verdict(cpu, LOCAL);
		return place == TC_BEHIND_XDP ? bpf_redirect(device, BPF_F_INGRESS) : TC_ACT_UNSPEC;
	}
	if (place == TC_IP) {
		if (bpf_skb_change_head(skb, sizeof(struct ethhdr), 0) ||
		    bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0))
			return tc_end(cpu, NO_ROUTE, place);
		offset = sizeof(struct ethhdr);
	}
	if (state != HOP_NO_ROUTE && !(hop->flags & SERVER_TUNNEL) && !skb_ttl_down(skb, offset, is_ipv4(&p)))
		return answered(skb, &p, back, ANSWER_TIME_EXCEEDED, 0);
	if (state != HOP_UNKNOWN) {
		if (state == HOP_NO_ROUTE || (tags && !tags_fit(hop, tags, true, device)))
			return tc_end(cpu, NO_ROUTE, place);
		if (tags && hop->flags & (SERVER_TUNNEL | SERVER_MASQUERADE))
			return tc_end(cpu, NO_ROUTE, place);
		if (hop->flags & SERVER_TUNNEL)
			return tc_tunnel(skb, &p, number, back, &next);
		if (hop->flags & SERVER_MASQUERADE)
			return tc_masquerade(skb, &p, number, back, &next);
		if (state == HOP_NARROW) {
			int end_of_it = tc_narrow(skb, &p, number, offset, back);

			if (end_of_it)
				return end_of_it;
		}
		/* with two tags the kernel would not know the packet for IP: if it can, it goes the short way */
		if (state == HOP_UNRESOLVED || (next.nh_family && tags <= VLAN_ID)) {
			count_forwarded(cpu, number, p.length, p.kind);
			if (state == HOP_UNRESOLVED && p.kind != KIND_LATER)
				count_verdict(cpu, NO_NEIGHBOUR);
			return bpf_redirect_neigh(hop->ifindex, &next, sizeof(next), 0);
		}
	}
	if (tags && !tags_fit(hop, tags, true, device))
		return tc_end(cpu, NO_ROUTE, place);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (data + sizeof(struct ethhdr) > end)
		return tc_end(cpu, MALFORMED, place);
	frame_to(data, hop);
	count_forwarded(cpu, number, p.length, p.kind);
	return bpf_redirect(hop->ifindex, 0);
}

SEC("tc")
int directrix_tc(struct __sk_buff *skb)
{
	trace_tc(skb, TRACE_TC);
	return trace_end(tc_director(skb, TC_ALONE));
}

SEC("tc")
int directrix_tc_behind(struct __sk_buff *skb)
{
	trace_tc(skb, TRACE_TC_BEHIND);
	return trace_end(tc_director(skb, TC_BEHIND_XDP));
}

SEC("tc")
int directrix_tc_ip(struct __sk_buff *skb)
{
	trace_tc(skb, TRACE_TC_IP);
	return trace_end(tc_director(skb, TC_IP));
}

SEC("tc")
int directrix_clock(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct clock *c = bpf_map_lookup_elem(&clock, &zero);

	if (!c)
		return 1;
	front.now_ns = bpf_ktime_get_ns();
	front.now = ticks();
	bpf_timer_init(&c->timer, &clock, CLOCK_MONOTONIC);	/* -EBUSY if it runs already: fine */
	if (bpf_timer_set_callback(&c->timer, clock_turn))
		return 2;
	return bpf_timer_start(&c->timer, TURN_NS, 0) ? 3 : 0;
}

/*
 * Run by user space with a number in the packet: give what this real server has counted to its
 * service now, because it leaves. With ALL_SERVERS: do a whole round of the estimator.
 */
SEC("tc")
int directrix_account(struct __sk_buff *skb)
{
	__u32 number;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &number, sizeof(number)))
		return -1;
	if (number == ALL_SERVERS)
		estimate_all();
	else
		account_server(number, false);
	return 0;
}

/* Run by user space for one real server, its number in the packet: look its next hop up now. */
SEC("tc")
int directrix_look(struct __sk_buff *skb)
{
	struct bpf_redir_neigh next = {};
	__u32 number;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &number, sizeof(number)))
		return -1;
	return hop_look_up(skb, number, &next);
}

/* Run by user space after removals, with the first line of heads and how many in the packet: see removal.h. */
SEC("tc")
int directrix_clear(struct __sk_buff *skb)
{
	struct removal removal = {};

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &removal, 2 * sizeof(__u32)))
		return -1;
	removal.now = ticks();
	bpf_loop(removal.lines, line_clear, &removal, 0);
	return 0;
}

/* Run by user space for one real server, with the first fields of struct draining in the packet; returns how many: see draining.h. */
SEC("tc")
int directrix_drain(struct __sk_buff *skb)
{
	struct draining draining = {};

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &draining, 5 * sizeof(__u32)))
		return -1;
	draining.now = ticks();
	bpf_loop(draining.lines, line_drain, &draining, 0);
	return draining.found;
}
