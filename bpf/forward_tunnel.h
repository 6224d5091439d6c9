/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tunnelling: the packet goes into another one, towards a real server that may be on any network.
 *
 *   IPIP   IP in IP, of any two families
 *   GRE    four bytes between the two headers, four more with a checksum
 *   GUE    UDP, and four bytes that say what is inside
 *
 * As IPVS, what goes in has its TTL counted down first. A packet whose time is over is answered, and one too large
 * for the way is answered or cut (cutting.h): not at XDP, for only tc makes answers. A server of this method never has
 * a hop that is HOP_RESOLVED but one that is HOP_TUNNEL, so that direct routing pays nothing for asking.
 */
#ifndef DIRECTRIX_FORWARD_TUNNEL_H
#define DIRECTRIX_FORWARD_TUNNEL_H

#include "forward_direct.h"
#include "icmp.h"
#include "cutting.h"

/*
 * IPv4 in IPv4 and out by the device it came in by, which nearly every tunnel is: the same as xdp_wrap() in as few
 * steps as there can be, out of the hop alone. 0: nothing was done, for it is not that, or doesn't fit.
 */
static __always_inline int xdp_ipip4(struct xdp_md *ctx, __u32 number, __u32 length, const struct hop *hop,
				     enum packet_kind kind)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__u32 first, second, third, source, target, *outer;
	const __u32 *inner;
	__u64 sum;

	if ((void *)(ip + 1) > end || *(__be16 *)(data + offsetof(struct ethhdr, h_proto)) != bpf_htons(ETH_P_IP) ||
	    ip->ttl <= 1 || bpf_ntohs(ip->tot_len) + sizeof(*ip) > hop->mtu)
		return 0;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return 0;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	outer = data + sizeof(struct ethhdr);
	ip = (void *)outer + sizeof(*ip);
	inner = (void *)ip;
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	frame_between(data, hop->mac, hop->source, bpf_htons(ETH_P_IP));
	/* version and lengths, TOS as outer_tos() */
	first = (bpf_ntohl(inner[0]) & 0xffffff) + 0x45000000 + sizeof(*ip);
	first = bpf_htonl(first - (first & first >> 1 & 0x10000));
	second = inner[1] & bpf_htonl(IP_DF) && front.sysctl.pmtu_disc ? bpf_htonl(IP_DF) : outer_id(ip);
	third = (ip->ttl - 1) | bpf_htonl(IPPROTO_IPIP << 16);
	source = hop->outer[0];
	target = hop->outer[1];
	sum = (__u64)first + second + third + source + target;
	outer[0] = first;
	outer[1] = second;
	outer[2] = third | (__u32)(__u16)~sum_folded(sum) << 16;
	outer[3] = source;
	outer[4] = target;
	ttl_down4(ip);
	count_forwarded(bpf_get_smp_processor_id(), number, length, kind);
	return XDP_TX;
}

/* Any tunnel, any families. */
static __always_inline int xdp_wrap(struct xdp_md *ctx, __u32 number, __u32 length, const struct server *s,
				    const struct hop *hop, enum packet_kind kind)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct shim shim = {};
	struct inner inner = {};
	__be16 protocol;

	if (data + sizeof(struct ethhdr) > end)
		return 0;
	protocol = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));
	data += sizeof(struct ethhdr);
	if (!inner_read(data, end, protocol, checksummed(s), &inner) ||
	    !fits(s, hop->mtu, outer_size(s) + shim_size(s), inner.length))
		return 0;
	shim_make(&inner, s, hop, s->tunnel_type == TUNNEL_GUE ? inner_flow(data, end, protocol) : 0, &shim);
	if (bpf_xdp_adjust_head(ctx, -(int)(outer_size(s) + shim.size)))
		return 0;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + sizeof(struct ethhdr) + sizeof(struct iphdr) > end)
		return XDP_DROP;
	frame_to(data, hop);
	data += offsetof(struct ethhdr, h_proto);
	if (s->family == 4) {
		*(__be16 *)data = bpf_htons(ETH_P_IP);
		data += sizeof(__be16);
		outer4_write(data, &inner, s, hop, &shim);
		data += sizeof(struct iphdr);
	} else {
		*(__be16 *)data = bpf_htons(ETH_P_IPV6);
		data += sizeof(__be16);
		if (data + sizeof(struct ipv6hdr) > end)
			return XDP_DROP;
		outer6_write(data, &inner, s, hop, &shim);
		data += sizeof(struct ipv6hdr);
	}
	if (shim.size) {
		if (data + SHIM_MOST > end)
			return XDP_DROP;
		*(__u32 *)data = shim.word[0];
		if (shim.size > 4)
			*(__u32 *)(data + 4) = shim.word[1];
		if (shim.size > 8)
			*(__u32 *)(data + 8) = shim.word[2];
		data += shim.size & 15;
	}
	if (data + sizeof(struct iphdr) > end)
		return XDP_DROP;
	ttl_down(data, inner.version == 4);
	count_forwarded(bpf_get_smp_processor_id(), number, length, kind);
	return xdp_send(hop->wire, ctx->ingress_ifindex);
}

/* Send a packet that counts `length` bytes; 0: it is for tc, as all with tags are. Global: verified once. */
__noinline int xdp_tunnel(struct xdp_md *ctx, __u32 number, __u32 length, enum packet_kind kind)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct hop *hop = hop_at(number);
	struct server *s;
	__be16 protocol;

	asm volatile("" : "+r"(hop));	/* keep it, instead of reckoning it again for each use */
	if (hop->tags || hop_due(&hop->asked, ticks()) ||
	    data + sizeof(struct ethhdr) + sizeof(struct iphdr) > end)
		return 0;
	protocol = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));
	if (protocol != bpf_htons(ETH_P_IP) && protocol != bpf_htons(ETH_P_IPV6))
		return 0;
	if (!xdp_can_send(hop, ctx->ingress_ifindex))
		return 0;
	s = server_at(number);
	return s ? xdp_wrap(ctx, number, length, s, hop, kind) : 0;
}

/* The same at tc: an end for every packet. */

/*
 * The length that must fit: of many segments in one, of which IPVS leaves it to the kernel to cut them again, nothing. But
 * what XDP has handed up one by one, and the kernel has put together on the way, came because it doesn't fit: its
 * sender has to hear of that, or all it sends goes the long way.
 */
static __always_inline __u32 length_to_fit(const struct __sk_buff *skb, const struct inner *inner, bool from_xdp)
{
	if (!skb->gso_size)
		return inner->length;
	if (!from_xdp || may_be_cut(inner))
		return 0;
	return skb->gso_size + sizeof(struct tcphdr) +
	       (inner->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* Answers go back by `device`; 0: there is no way to answer. `next` names the next hop if it was just looked up. */
__noinline int tc_tunnel(struct __sk_buff *skb, const struct packet *p, __u32 number, __u32 device,
			 struct bpf_redir_neigh *next)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct server *s = server_at(number);
	struct wrapping *w = wrapping_now();
	struct hop *hop = hop_at(number);
	__u32 overhead, mtu, flow;
	int state = hop->state;

	if (!p || !s || !next || !w)
		return tc_dropped(SERVER_GONE);
	w->inner.summed = 0;
	if (!inner_read(data + ETH_HLEN, end, skb->protocol, checksummed(s) && !skb->gso_size, &w->inner))
		return answered(skb, p, device, ANSWER_TIME_EXCEEDED, 0);
	overhead = outer_size(s) + shim_size(s);
	mtu = state == HOP_TUNNEL ? hop->mtu : device_mtu(skb, hop->ifindex);
	if (!fits(s, mtu, overhead, 0))
		return tc_dropped(NO_ROUTE);
	flow = inner_flow(data + ETH_HLEN, end, skb->protocol);
	if (length_to_fit(skb, &w->inner, device && device != skb->ifindex) + overhead > mtu) {
		if (!may_be_cut(&w->inner) || !can_be_cut(skb, ETH_HLEN, mtu - overhead)) {
			skb_ttl_down(skb, ETH_HLEN, w->inner.version == 4);	/* the error quotes it so */
			return answered(skb, p, device, ANSWER_TOO_BIG, mtu - overhead);
		}
		if (!tunnel_cut(skb, number, mtu - overhead, flow))
			return tc_dropped(MALFORMED);
	} else {
		shim_make(&w->inner, s, hop, flow, &w->shim);
		if (!skb_ttl_down(skb, ETH_HLEN, w->inner.version == 4) || !skb_room(skb, s, protocol_of(p), outer_size(s) + w->shim.size, mtu) ||
		    !skb_wrap(skb, w, s, hop))
			return tc_dropped(MALFORMED);
	}
	count_forwarded(bpf_get_smp_processor_id(), number, p->length, p->kind);
	if (next->nh_family) {
		if (state != HOP_TUNNEL)
			count_verdict(bpf_get_smp_processor_id(), NO_NEIGHBOUR);
		return bpf_redirect_neigh(hop->ifindex, next, sizeof(*next), 0);
	}
	if (!skb_frame_between(skb, &hop->mac, &hop->source))
		return tc_dropped(MALFORMED);
	return bpf_redirect(hop->ifindex, 0);
}

#endif
