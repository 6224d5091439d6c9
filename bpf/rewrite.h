/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Another address and port in a packet's headers, and what follows from it: the TTL is counted down as
 * forwarding does, and checksums are changed by what changed (RFC 1624), never reckoned anew.
 *
 * XDP does it on the bytes. At tc the kernel knows of each packet how far its checksum has come: it may
 * be right, summed by the device, or yet to be filled in over a pseudo header that is there already. Its
 * own helpers change all of that in step.
 */
#ifndef DIRECTRIX_REWRITE_H
#define DIRECTRIX_REWRITE_H

#include "packet.h"

#define TCP_CHECK 16
#define UDP_CHECK 6
#define TTL_LESS 0xfffe		/* what a header's sum grows by when the TTL is one less: one's complement of its place's 1 */

/* By what a sum of words grows when one becomes another. */
static __always_inline __u64 sum_change(__u32 before, __u32 after)
{
	return (__u64)(__u32)~before + after;
}

/* As folded(), of sums under 2^36. */
static __always_inline __u16 sum_folded(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
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

/* The same at tc, for any packet that was read. */

struct rewriting {
	__u32 address[4];	/* IPv4 in the first word */
	__u16 port;
	__u16 source;		/* 1: of the source, 0: of the destination */
};

/* Other words in place of some that TCP's or UDP's checksum covers; flags are those of bpf_l4_csum_replace(). */
static __always_inline bool skb_check(struct __sk_buff *skb, __u32 transport, __u8 protocol, __u32 before, __u32 after, __u64 flags)
{
	if (protocol == IPPROTO_UDP)
		return !bpf_l4_csum_replace(skb, transport + UDP_CHECK, before, after, flags | BPF_F_MARK_MANGLED_0);
	return protocol != IPPROTO_TCP || !bpf_l4_csum_replace(skb, transport + TCP_CHECK, before, after, flags);
}

static __always_inline bool skb_port(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to, __u32 transport)
{
	__u16 before = to->source ? client_port_of(p) : port_of(p), after = to->port;

	return skb_check(skb, transport, protocol_of(p), before, after, sizeof(after)) &&
	       !bpf_skb_store_bytes(skb, transport + (to->source ? 0 : 2), &after, sizeof(after), 0);
}

static __always_inline bool skb_rewrite4(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	__u32 before = to->source ? p->address[0] : p->address[1], after = to->address[0], transport;
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	if (to->source)
		ip.saddr = after;
	else
		ip.daddr = after;
	ip.check = check_after(ip.check, sum_change(before, after) + TTL_LESS);
	ip.ttl--;
	transport = ETH_HLEN + ip.ihl * 4;
	return !bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), 0) &&
	       skb_check(skb, transport, protocol_of(p), before, after, BPF_F_PSEUDO_HDR | sizeof(after)) &&
	       skb_port(skb, p, to, transport);
}

/* Where the transport header is, behind IPv6's extension headers; 0: it was not found. */
static __always_inline __u32 transport6(struct __sk_buff *skb, __u8 protocol)
{
	__u32 at = ETH_HLEN + sizeof(struct ipv6hdr);
	__u8 header[2];

	if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, nexthdr), header, 1))
		return 0;
	for (int i = 0; i < MOST_EXTENSION_HEADERS && header[0] != protocol; i++) {
		__u8 type = header[0];

		if (bpf_skb_load_bytes(skb, at, header, sizeof(header)))
			return 0;
		at += type == IPPROTO_FRAGMENT ? 8 : type == IPPROTO_AH ? (header[1] + 2) * 4 : (header[1] + 1) * 8;
	}
	return header[0] == protocol ? at : 0;
}

/*
 * IPv6 has no checksum of its own header that would make up for another address, so the kernel's sum of the
 * packet is told of the address, and of the transport's checksum which makes up for it.
 */
static __always_inline bool skb_rewrite6(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	__u32 address = ETH_HLEN + (to->source ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr));
	__u32 transport = transport6(skb, protocol_of(p));
	__be32 before[4], after[4];
	__s64 change;
	__u8 ttl;

	__builtin_memcpy(before, to->source ? &p->address[0] : &p->address[4], sizeof(before));
	__builtin_memcpy(after, to->address, sizeof(after));
	change = bpf_csum_diff(before, sizeof(before), after, sizeof(after), 0);
	if (!transport || bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, hop_limit), &ttl, sizeof(ttl)))
		return false;
	ttl--;
	return !bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, hop_limit), &ttl, sizeof(ttl), BPF_F_RECOMPUTE_CSUM) &&
	       !bpf_skb_store_bytes(skb, address, after, sizeof(after), BPF_F_RECOMPUTE_CSUM) &&
	       skb_check(skb, transport, protocol_of(p), 0, change, BPF_F_PSEUDO_HDR) && skb_port(skb, p, to, transport);
}

/* Global: verified once. Returns 1, or 0 if a header was not where it should be: then the packet is spoilt. */
__noinline int skb_rewrite(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	if (!p || !to)
		return 0;
	return is_ipv4(p) ? skb_rewrite4(skb, p, to) : skb_rewrite6(skb, p, to);
}

#endif
