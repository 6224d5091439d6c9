/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hook at tc, which does everything: for devices whose packets carry state that XDP would lose, for those without
 * Ethernet headers, and for what XDP hands up (enum tc_place).
 */
#ifndef DIRECTRIX_HOOK_TC_H
#define DIRECTRIX_HOOK_TC_H

#include "forward_nat_skb.h"
#include "forward_tunnel.h"
#include "hand_up.h"
#include "icmp.h"
#include "narrow.h"
#include "ttl.h"
#include "unusual.h"
#include "vlan.h"

#define HEADERS_MOST 128	/* what tc makes readable at once */
#define PACKET_HOST 0

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

static __always_inline int tc_end(__u32 cpu, enum verdict verdict, enum tc_place place)
{
	count_verdict(cpu, verdict);
	if (place == TC_BEHIND_XDP)
		return TC_ACT_SHOT;	/* nothing else lives at this end */
	return verdict <= HANDED_UP ? TC_ACT_UNSPEC : TC_ACT_SHOT;
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
		int action = tc_reply(skb, &p, device, place, &next);

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
		if (!skb_ethernet(skb))
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

#endif
