/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Another address and port in a packet's headers, and what follows from it: checksums are changed by what
 * changed (RFC 1624), never reckoned anew. Here on the bytes, as XDP does it, and the TTL is counted down in
 * the same step; rewrite_skb.h does it at tc.
 */
#ifndef DIRECTRIX_REWRITE_H
#define DIRECTRIX_REWRITE_H

#include "packet.h"

#define TTL_LESS 0xfffe		/* what a header's sum grows by when the TTL is one less: one's complement of its place's 1 */

/* By what a sum of words grows when one becomes another. */
static __always_inline __u64 sum_change(__u32 before, __u32 after)
{
	return (__u64)(__u32)~before + after;
}

static __always_inline __u16 check_after(__u16 check, __u64 change)
{
	return ~sum_folded((__u64)(__u16)~check + change);
}

/* The port and the checksum in a header of TCP or UDP of at least 20 bytes, `change` being that of the addresses. */
static __always_inline void transport_rewrite(void *l4, __u8 protocol, __u16 port, bool source, __u64 change)
{
	__u16 *where = l4 + (source ? 0 : 2), *check;

	change += sum_change(*where, port);
	*where = port;
	if (protocol == IPPROTO_TCP) {
		check = l4 + TCP_CHECK;
		*check = check_after(*check, change);
		return;
	}
	check = l4 + UDP_CHECK;
	if (!*check)
		return;		/* it has none */
	*check = check_after(*check, change) ?: 0xffff;
}

/* A frame's packet: IPv4 without options, or IPv6 without extension headers, and TCP or UDP. */
static __always_inline void rewrite4(struct iphdr *ip, __u32 address, __u16 port, bool source)
{
	__u32 *where = source ? &ip->saddr : &ip->daddr;
	__u64 change = sum_change(*where, address);

	*where = address;
	ip->check = check_after(ip->check, change + TTL_LESS);
	ip->ttl--;
	transport_rewrite(ip + 1, ip->protocol, port, source, change);
}

static __always_inline void rewrite6(struct ipv6hdr *ip, const __u32 *address, __u16 port, bool source)
{
	__u32 *where = (__u32 *)(source ? &ip->saddr : &ip->daddr);
	__u64 change = 0;

	for (int i = 0; i < 4; i++) {
		change += sum_change(where[i], address[i]);
		where[i] = address[i];
	}
	ip->hop_limit--;
	transport_rewrite(ip + 1, ip->nexthdr, port, source, change);
}

#endif
