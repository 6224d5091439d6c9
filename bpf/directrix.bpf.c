/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entry points: two hooks over one core.
 *
 *   directrix_xdp   the quick one, in the driver. What needs the kernel's help (an unresolved
 *                   neighbour, an ICMP answer, other VLAN tags) it hands up, untouched.
 *   directrix_tc    the complete one, for devices whose packets carry state XDP would lose.
 *   directrix_tc_behind_xdp   the same for what XDP hands up; what passes is counted there already.
 *   directrix_tc_ip   for devices without Ethernet headers (wireguard, tun).
 *   directrix_clock   run once by user space: starts the clock, or gives a running one its
 *                   new program.
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
#include "icmp.h"

char _license[] SEC("license") = "GPL";

#define LONG_FRAME 1024		/* only longer ones can have more buffers than the first */
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

/* Is the frame for a device of this host: its MAC, and its VLAN if it is tagged? */
static __always_inline bool for_this_host(__u32 ifindex, const struct ethhdr *eth, __u32 tags)
{
	struct device *d = device_at(ifindex);

	if (!d || (*(__u64 *)eth & 0xffffffffffffULL) != d->mac)
		return false;
	if (tags) {
		struct vlan_key key = { .wire = ifindex, .tags = tags };

		return bpf_map_lookup_elem(&vlans, &key);
	}
	return true;
}

static __always_inline int xdp_end(enum verdict verdict)
{
	count_verdict(bpf_get_smp_processor_id(), verdict);
	return verdict <= HANDED_UP ? XDP_PASS : XDP_DROP;
}

/* A packet that parsed: on its way, or to its end. */
static __always_inline int xdp_direct(struct xdp_md *ctx, void *data, __u32 tags, const struct packet *p)
{
	__u32 ifindex = ctx->ingress_ifindex, now = ticks(), number = 0, cpu;
	enum verdict verdict;
	struct server *s;

	if (!for_this_host(ifindex, data, tags))
		return xdp_end(OTHER_HOST);
	verdict = direct(p, now, &s, &number);
	if (verdict != CONTINUE)
		return xdp_end(verdict == NO_SERVER ? HANDED_UP : verdict);
	if (s->hop_state != HOP_RESOLVED || s->hop_tags != tags || hop_due(&s->hop_asked, now))
		return xdp_end(HANDED_UP);
	if (s->hop_wire != ifindex) {
		struct device *way = device_at(s->hop_wire);

		if (!way || !(way->flags & DEVICE_REDIRECT))
			return xdp_end(HANDED_UP);
	}
	frame_to(data, s);
	cpu = bpf_get_smp_processor_id();
	count_forwarded(cpu, number, p->length);
	count_verdict(cpu, FORWARDED);
	return s->hop_wire == ifindex ? XDP_TX : bpf_redirect(s->hop_wire, 0);
}

/* How long the frame is behind `offset`. Only a long one can have more buffers than the first. */
static __always_inline __u32 xdp_length(struct xdp_md *ctx, void *data, void *end, __u32 offset)
{
	__u32 length = end - data;

	return (length < LONG_FRAME ? length : bpf_xdp_get_buff_len(ctx)) - offset;
}

/* Tags, options, IPv6: everything the quick way below leaves. */
static __noinline int xdp_complete(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 offset = sizeof(struct ethhdr), tags = 0, length;
	enum verdict verdict;
	struct packet p;
	__be16 protocol;

	if (data + sizeof(struct ethhdr) > end)
		return xdp_end(NOT_OURS);
	length = xdp_length(ctx, data, end, 0);
	protocol = skip_tags(data, end, &offset, &tags);
	verdict = parse(protocol, data + offset, end, length - offset, &p);
	p.from_xdp = true;
	return verdict == CONTINUE ? xdp_direct(ctx, data, tags, &p) : xdp_end(verdict);
}

static __noinline int xdp_quick(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet p = { .from_xdp = true };
	enum verdict verdict;

	if (data + sizeof(struct ethhdr) + QUICK_LENGTH > end)
		return XDP_PASS;
	verdict = quick4_parse(data + sizeof(struct ethhdr), end, xdp_length(ctx, data, end, sizeof(struct ethhdr)), &p);
	return verdict == CONTINUE ? xdp_direct(ctx, data, 0, &p) : xdp_end(verdict);
}

/* Host traffic meets these few lines and no more. */
SEC("xdp.frags")
int directrix_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *l3 = data + sizeof(struct ethhdr);

	if (!quick4(l3, end) || *(__be16 *)(data + offsetof(struct ethhdr, h_proto)) != bpf_htons(ETH_P_IP))
		return xdp_complete(ctx);
	if (!quick4_maybe_virtual(l3))
		return xdp_end(NOT_OURS);
	return xdp_quick(ctx);
}

enum tc_place { TC_ALONE, TC_BEHIND_XDP, TC_IP };

static __always_inline int tc_end(__u32 cpu, enum verdict verdict, enum tc_place place)
{
	if (place != TC_BEHIND_XDP || verdict > HANDED_UP)
		count_verdict(cpu, verdict);
	return verdict <= HANDED_UP ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

static __always_inline int tc_director(struct __sk_buff *skb, enum tc_place place)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u32 offset = place == TC_IP ? 0 : sizeof(struct ethhdr), now, number = 0;
	struct bpf_redir_neigh hop = {};
	void *data, *end;
	enum verdict verdict;
	struct packet p;
	struct server *s;

	if (skb->vlan_present)
		return tc_end(cpu, NOT_OURS, place);	/* the VLAN's own device sees it next */
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (data + HEADERS_MOST > end && skb->len > (__u32)(end - data)) {
		bpf_skb_pull_data(skb, skb->len < HEADERS_MOST ? skb->len : HEADERS_MOST);
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	verdict = parse(skb->protocol, data + offset, end, skb->len - offset, &p);
	if (verdict != CONTINUE)
		return tc_end(cpu, verdict, place);
	if (skb->pkt_type != PACKET_HOST)
		return tc_end(cpu, OTHER_HOST, place);
	now = ticks();
	verdict = direct(&p, now, &s, &number);
	if (verdict == NO_SERVER && place != TC_IP) {
		count_verdict(cpu, NO_SERVER);
		return answer_unreachable(skb, &p, now);
	}
	if (verdict != CONTINUE)
		return tc_end(cpu, verdict, place);
	if (place == TC_IP) {
		__be16 protocol = skb->protocol;

		if (bpf_skb_change_head(skb, sizeof(struct ethhdr), 0) ||
		    bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0))
			return tc_end(cpu, NO_ROUTE, place);
	}
	if (hop_due(&s->hop_checked, now) || s->hop_state != HOP_RESOLVED) {
		int state = hop_look_up(skb, s, &hop);

		if (state == HOP_NO_ROUTE)
			return tc_end(cpu, NO_ROUTE, place);
		count_forwarded(cpu, number, p.length);
		count_verdict(cpu, state == HOP_RESOLVED ? FORWARDED : NO_NEIGHBOUR);
		return bpf_redirect_neigh(s->hop_ifindex, &hop, sizeof(hop), 0);
	}
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (data + sizeof(struct ethhdr) > end)
		return tc_end(cpu, MALFORMED, place);
	frame_to(data, s);
	count_forwarded(cpu, number, p.length);
	count_verdict(cpu, FORWARDED);
	return bpf_redirect(s->hop_ifindex, 0);
}

SEC("tc")
int directrix_tc(struct __sk_buff *skb)
{
	return tc_director(skb, TC_ALONE);
}

SEC("tc")
int directrix_tc_behind(struct __sk_buff *skb)
{
	return tc_director(skb, TC_BEHIND_XDP);
}

SEC("tc")
int directrix_tc_ip(struct __sk_buff *skb)
{
	return tc_director(skb, TC_IP);
}

SEC("tc")
int directrix_clock(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct clock *c = bpf_map_lookup_elem(&clock, &zero);

	if (!c)
		return 1;
	front.now = ticks();
	bpf_timer_init(&c->timer, &clock, CLOCK_MONOTONIC);	/* -EBUSY if it runs already: fine */
	if (bpf_timer_set_callback(&c->timer, clock_turn))
		return 2;
	return bpf_timer_start(&c->timer, TURN_NS, 0) ? 3 : 0;
}

/* Run by user space for one real server, its number in the packet: look its next hop up now. */
SEC("tc")
int directrix_look(struct __sk_buff *skb)
{
	struct bpf_redir_neigh hop = {};
	struct server *s;
	__u32 number;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &number, sizeof(number)))
		return -1;
	s = server_at(number);
	return s ? hop_look_up(skb, s, &hop) : -1;
}
