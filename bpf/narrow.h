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
	    bpf_xdp_get_buff_len(ctx) - sizeof(struct ethhdr) > hop->mtu || hop_due(&hop->asked, ticks()))
		return 0;
	if (hop->wire != ctx->ingress_ifindex) {
		struct device *way = device_at(hop->wire);

		if (!way || !(way->flags & DEVICE_REDIRECT))
			return 0;
	}
	data += sizeof(struct ethhdr);
	if (data + sizeof(struct iphdr) > end || !ttl_left(data, protocol == bpf_htons(ETH_P_IP)))
		return 0;
	ttl_down(data, protocol == bpf_htons(ETH_P_IP));
	frame_to(data - sizeof(struct ethhdr), hop);
	count_forwarded(bpf_get_smp_processor_id(), number, length, kind);
	return hop->wire == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(hop->wire, 0);
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

static __always_inline int tc_narrow_end(enum verdict verdict)
{
	count_verdict(bpf_get_smp_processor_id(), verdict);
	return TC_ACT_SHOT;
}

/* The end of a packet that doesn't fit; 0: it does, or is the last of its pieces now. Answers go back by `device`; 0: there is no way to answer. */
__noinline int tc_narrow(struct __sk_buff *skb, const struct packet *p, __u32 number, __u32 network, __u32 device)
{
	struct hop *hop = hop_at(number);
	int cut = 0;

	if (!p || largest_packet(skb, p, network) <= hop->mtu)
		return 0;
	if (is_ipv4(p) && !has_df(skb, network)) {
		struct pieces_way way = { .mac = hop->mac, .source = hop->source, .ifindex = hop->ifindex, .room = hop->mtu };

		cut = plain_cut(skb, network, &way);
	}
	if (cut)
		return cut > 0 ? 0 : tc_narrow_end(MALFORMED);
	count_verdict(bpf_get_smp_processor_id(), TOO_BIG);
	/* no error is answered by one, and of a datagram only its first fragment (RFC 1122, 3.2.2) */
	if (!device || p->kind >= KIND_LATER)
		return TC_ACT_SHOT;
	return answer(skb, p, ticks(), device, ANSWER_TOO_BIG, hop->mtu);
}

#endif
