/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways that take smaller packets than come in: the route to a real server, or the device it leads to, has
 * a smaller MTU than the widest device that is attached. Its hop is HOP_NARROW, so that elsewhere nobody asks for
 * a packet's size.
 *
 * As IPVS: what doesn't fit is answered "too big", with the size that does, or cut if it is IPv4 without DF.
 */
#ifndef DIRECTRIX_NARROW_H
#define DIRECTRIX_NARROW_H

#include "cutting.h"
#include "forward_direct.h"
#include "icmp.h"

/* Send a packet that fits; 0: it is for tc, as all with tags are. */
__noinline int xdp_narrow(struct xdp_md *ctx, __u32 number, __u32 length, enum packet_kind kind)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct hop *hop = hop_at(number);
	__be16 protocol;

	if (data + sizeof(struct ethhdr) > end)
		return 0;
	protocol = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));
	if ((protocol != bpf_htons(ETH_P_IP) && protocol != bpf_htons(ETH_P_IPV6)) || hop->tags ||
	    bpf_xdp_get_buff_len(ctx) - sizeof(struct ethhdr) > hop->mtu || hop_due(&hop->asked, ticks()) ||
	    !xdp_can_send(hop, ctx->ingress_ifindex))
		return 0;
	data += sizeof(struct ethhdr);
	if (data + sizeof(struct iphdr) > end || !ttl_left(data, protocol == bpf_htons(ETH_P_IP)))
		return 0;
	ttl_down(data, protocol == bpf_htons(ETH_P_IP));
	frame_to(data - sizeof(struct ethhdr), hop);
	count_forwarded(bpf_get_smp_processor_id(), number, length, kind);
	return xdp_send(hop->wire, ctx->ingress_ifindex);
}

/* How large the packets are that the kernel will cut this one into, or it as it is. */
static __always_inline __u32 largest_packet(struct __sk_buff *skb, const struct packet *p, __u32 network)
{
	__u32 header = sizeof(struct ipv6hdr), transport = sizeof(struct udphdr);
	__u8 byte;

	if (!skb->gso_size)
		return skb->len - network;
	if (is_ipv4(p) && !bpf_skb_load_bytes(skb, network, &byte, 1))
		header = (byte & 15) * 4;
	if (protocol_of(p) == IPPROTO_TCP && !bpf_skb_load_bytes(skb, network + header + 12, &byte, 1))
		transport = (byte >> 4) * 4;
	return header + transport + skb->gso_size;
}

static __always_inline bool has_df(struct __sk_buff *skb, __u32 network)
{
	__be16 word = 0;

	return bpf_skb_load_bytes(skb, network + offsetof(struct iphdr, frag_off), &word, sizeof(word)) ||
	       word & bpf_htons(IP_DF);
}

/* What becomes of a packet by its size: it fits the way, is cut for it, or is too large. */
enum fit { FITS, TO_CUT, TOO_LARGE };

static __always_inline enum fit fit_of(struct __sk_buff *skb, const struct packet *p, __u32 network, __u32 mtu)
{
	if (largest_packet(skb, p, network) <= mtu)
		return FITS;
	/* many segments in one are cut by the kernel, or not at all */
	return is_ipv4(p) && !skb->gso_size && !has_df(skb, network) && can_be_cut(skb, network, mtu) ? TO_CUT : TOO_LARGE;
}

/* The end of a packet that doesn't fit; 0: it does, or is the last of its pieces now. Answers go back by `device`; 0: there is no way to answer. */
__noinline int tc_narrow(struct __sk_buff *skb, const struct packet *p, __u32 number, __u32 network, __u32 device)
{
	struct hop *hop = hop_at(number);
	struct pieces_way way = { .mac = hop->mac, .source = hop->source, .ifindex = hop->ifindex, .room = hop->mtu };
	enum fit fit;

	if (!p)
		return tc_dropped(BUSY);
	fit = fit_of(skb, p, network, way.room);
	if (fit == TOO_LARGE)
		return answered(skb, p, device, ANSWER_TOO_BIG, way.room);
	return fit == FITS || plain_cut(skb, network, &way) ? 0 : tc_dropped(MALFORMED);
}

#endif
