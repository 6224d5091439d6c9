/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a real server's kernel does that has tunnel devices, for kernels of tests, which have none: takes the
 * outer headers of IPIP, GRE and GUE (port 6080) off what comes in.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define GUE_PORT 6080
#define DECAP_L3_IPV4 (1ULL << 7)	/* Linux 6.3; its headers may be older than the kernel */
#define DECAP_L3_IPV6 (1ULL << 8)
#define GRE_CSUM bpf_htons(0x8000)

static __always_inline int inside(__u8 protocol)
{
	return protocol == IPPROTO_IPIP ? 4 : protocol == IPPROTO_IPV6 ? 6 : 0;
}

SEC("tc")
int decapsulate(struct __sk_buff *skb)
{
	__u8 shim[12] = {}, protocol = 0;
	__u32 head, size = 0;
	__be16 type;
	__u64 flags;
	int inner;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		head = sizeof(struct iphdr);
		if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct iphdr, protocol), &protocol, 1))
			return TC_ACT_OK;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		head = sizeof(struct ipv6hdr);
		if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, nexthdr), &protocol, 1))
			return TC_ACT_OK;
	} else {
		return TC_ACT_OK;
	}
	inner = inside(protocol);
	if (!inner) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + head, shim, sizeof(shim)))
			return TC_ACT_OK;
		if (protocol == IPPROTO_GRE) {
			inner = *(__be16 *)(shim + 2) == bpf_htons(ETH_P_IP) ? 4 : 6;
			size = *(__be16 *)shim & GRE_CSUM ? 8 : 4;
		} else if (protocol == IPPROTO_UDP && *(__be16 *)(shim + 2) == bpf_htons(GUE_PORT)) {
			inner = inside(shim[9]);
			size = 12;
		}
	}
	if (!inner)
		return TC_ACT_OK;
	flags = BPF_F_ADJ_ROOM_FIXED_GSO | (inner == 4 ? DECAP_L3_IPV4 : DECAP_L3_IPV6);
	if (bpf_skb_adjust_room(skb, -(int)(head + size), BPF_ADJ_ROOM_MAC, flags))
		return TC_ACT_SHOT;
	type = inner == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0) ? TC_ACT_SHOT : TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
