/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TTL and hop limit: whatever leaves for a real server has it counted down, as IPVS does in every method, so that a
 * packet that two directors send each other for ever comes to an end. One whose time is over goes to tc, which answers.
 */
#ifndef DIRECTRIX_TTL_H
#define DIRECTRIX_TTL_H

#include "packet.h"

static __always_inline bool ttl_left(const void *l3, bool ipv4)
{
	return ipv4 ? ((const struct iphdr *)l3)->ttl > 1 : ((const struct ipv6hdr *)l3)->hop_limit > 1;
}

/* With the checksum that goes with it (RFC 1624). */
static __always_inline void ttl_down4(struct iphdr *ip)
{
	__u32 *word = (__u32 *)ip + 2;	/* from the low end: TTL, protocol, checksum */

	*word += 0x10000 - 1 + (*word >= 0xfffe0000 ? 0x10000 : 0);
}

static __always_inline void ttl_down(void *l3, bool ipv4)
{
	if (ipv4)
		ttl_down4(l3);
	else
		((struct ipv6hdr *)l3)->hop_limit--;
}

/* Of the packet whose network header is at `network`; false: its time is over, and it is as it was. */
__noinline bool skb_ttl_down(struct __sk_buff *skb, __u32 network, bool ipv4)
{
	struct iphdr ip;
	__u8 limit;

	if (ipv4)
		return !bpf_skb_load_bytes(skb, network, &ip, sizeof(ip)) && ttl_left(&ip, true) &&
		       (ttl_down4(&ip), !bpf_skb_store_bytes(skb, network, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM));
	network += offsetof(struct ipv6hdr, hop_limit);
	if (bpf_skb_load_bytes(skb, network, &limit, sizeof(limit)) || limit <= 1)
		return false;
	limit--;
	return !bpf_skb_store_bytes(skb, network, &limit, sizeof(limit), BPF_F_RECOMPUTE_CSUM);
}

#endif
