/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Another address and port in a packet at tc, whatever it is: with options and extension headers, of SCTP, a
 * fragment, an ICMP error with what it quotes. Its TTL is counted down already.
 *
 * Of each packet the kernel knows how far its checksum has come: it may be right, summed by the device, or
 * yet to be filled in over a pseudo header that is there already. The kernel's own helpers change all of that
 * in step, if they are told by what an address's change is made up for: in IPv4 by the header's own checksum,
 * in IPv6 by the transport's alone.
 */
#ifndef DIRECTRIX_REWRITE_SKB_H
#define DIRECTRIX_REWRITE_SKB_H

#include "crc32c.h"
#include "icmp.h"
#include "rewrite.h"

#define SCTP_CHECK 8
#define ICMP_CHECK 2

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

/*
 * SCTP's checksum covers its ports and no address. Of a fragment nobody here knows how much follows. A checksum of
 * 0 is yet to be filled in by the device.
 */
static __always_inline bool skb_check_sctp(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to, __u32 transport)
{
	__u32 length = p->length - (transport - ETH_HLEN) - (to->source ? 0 : 2), check;
	__u16 change = (to->source ? client_port_of(p) : port_of(p)) ^ to->port;

	if (!change)
		return true;
	if (p->kind != KIND_WHOLE || bpf_skb_load_bytes(skb, transport + SCTP_CHECK, &check, sizeof(check)))
		return false;
	if (!check)
		return true;
	check ^= crc32c_change(change, length & 0xffff);
	return !bpf_skb_store_bytes(skb, transport + SCTP_CHECK, &check, sizeof(check), BPF_F_RECOMPUTE_CSUM);
}

/* The port, and what becomes of the checksum by it. SCTP's doesn't make up for it in the kernel's sum of the packet. */
static __always_inline bool skb_port(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to, __u32 transport)
{
	__u16 before = to->source ? client_port_of(p) : port_of(p), after = to->port;
	__u32 at = transport + (to->source ? 0 : 2);

	if (protocol_of(p) == IPPROTO_SCTP)
		return skb_check_sctp(skb, p, to, transport) &&
		       !bpf_skb_store_bytes(skb, at, &after, sizeof(after), BPF_F_RECOMPUTE_CSUM);
	return skb_check(skb, transport, protocol_of(p), before, after, sizeof(after)) &&
	       !bpf_skb_store_bytes(skb, at, &after, sizeof(after), 0);
}

/* An IPv4 header's address and checksum: it sums up to what it did. */
static __always_inline void header4_rewrite(struct iphdr *ip, __u32 address, bool source)
{
	__u32 before = source ? ip->saddr : ip->daddr;

	if (source)
		ip->saddr = address;
	else
		ip->daddr = address;
	ip->check = check_after(ip->check, sum_change(before, address));
}

static __always_inline bool skb_rewrite4(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	__u32 before = to->source ? p->address[0] : p->address[1], after = to->address[0], transport;
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	header4_rewrite(&ip, after, to->source);
	transport = ETH_HLEN + ip.ihl * 4;
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), 0))
		return false;
	return p->kind == KIND_LATER ||
	       (skb_check(skb, transport, protocol_of(p), before, after, BPF_F_PSEUDO_HDR | sizeof(after)) &&
		skb_port(skb, p, to, transport));
}

/* Where what IPv6's header at `network` carries is, behind extension headers; 0: it was not found. Global: verified once. */
__noinline __u32 transport6(struct __sk_buff *skb, __u32 network, __u32 protocol)
{
	__u32 at = network + sizeof(struct ipv6hdr);
	__u8 header[2];

	if (bpf_skb_load_bytes(skb, network + offsetof(struct ipv6hdr, nexthdr), header, 1))
		return 0;
	for (int i = 0; i < MOST_EXTENSION_HEADERS && header[0] != protocol; i++) {
		__u8 type = header[0];

		if (bpf_skb_load_bytes(skb, at, header, sizeof(header)))
			return 0;
		at += type == IPPROTO_FRAGMENT ? 8 : type == IPPROTO_AH ? (header[1] + 2) * 4 : (header[1] + 1) * 8;
	}
	return header[0] == protocol ? at : 0;
}

static __always_inline __u32 address6_at(__u32 network, bool source)
{
	return network + (source ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr));
}

/* Another address in an IPv6 header, with the flags of bpf_skb_store_bytes(); *change is what a sum of it changes by. */
static __always_inline bool skb_address6(struct __sk_buff *skb, __u32 at, const __u32 *address, __u64 flags, __s64 *change)
{
	__be32 before[4], after[4];

	__builtin_memcpy(after, address, sizeof(after));
	if (bpf_skb_load_bytes(skb, at, before, sizeof(before)))
		return false;
	*change = bpf_csum_diff(before, sizeof(before), after, sizeof(after), 0);
	return !bpf_skb_store_bytes(skb, at, after, sizeof(after), flags);
}

/* IPv6's own header. It has no checksum that would make up for the address in the kernel's sum of the packet. */
static __always_inline bool header6_rewrite(struct __sk_buff *skb, const struct rewriting *to, __s64 *change)
{
	return skb_address6(skb, address6_at(ETH_HLEN, to->source), to->address, BPF_F_RECOMPUTE_CSUM, change);
}

static __always_inline bool skb_rewrite6(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	__u32 transport = 0;
	__s64 change;

	if (p->kind != KIND_LATER) {
		transport = transport6(skb, ETH_HLEN, protocol_of(p));
		if (!transport)
			return false;
	}
	if (!header6_rewrite(skb, to, &change))
		return false;
	return p->kind == KIND_LATER ||
	       (skb_check(skb, transport, protocol_of(p), 0, change, BPF_F_PSEUDO_HDR) && skb_port(skb, p, to, transport));
}

/*
 * An ICMP error: its own address, and what it quotes, which went the other way. So where the source becomes another
 * outside, the destination does inside. The quoted transport's checksum stays as it is (IPVS).
 */
static __always_inline bool quote_port(struct __sk_buff *skb, const struct rewriting *to, __u32 icmp, __u32 transport)
{
	__u32 at = transport + (to->source ? 2 : 0);
	__u16 before, after = to->port;

	return !bpf_skb_load_bytes(skb, at, &before, sizeof(before)) &&
	       !bpf_l4_csum_replace(skb, icmp + ICMP_CHECK, before, after, sizeof(after)) &&
	       !bpf_skb_store_bytes(skb, at, &after, sizeof(after), 0);
}

static __always_inline bool quote_rewrite4(struct __sk_buff *skb, const struct rewriting *to)
{
	struct iphdr ip;
	__u32 icmp;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	header4_rewrite(&ip, to->address[0], to->source);
	icmp = ETH_HLEN + ip.ihl * 4;
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), 0) ||
	    bpf_skb_load_bytes(skb, icmp + ICMP_HEADER, &ip, sizeof(ip)))
		return false;
	header4_rewrite(&ip, to->address[0], !to->source);
	return !bpf_skb_store_bytes(skb, icmp + ICMP_HEADER, &ip, sizeof(ip), 0) &&
	       quote_port(skb, to, icmp, icmp + ICMP_HEADER + ip.ihl * 4);
}

static __always_inline bool quote_rewrite6(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	__u32 icmp = transport6(skb, ETH_HLEN, IPPROTO_ICMPV6), quoted = icmp + ICMP_HEADER, transport;
	__s64 change;

	if (!icmp)
		return false;
	transport = transport6(skb, quoted, protocol_of(p));
	if (!transport || !header6_rewrite(skb, to, &change) ||
	    bpf_l4_csum_replace(skb, icmp + ICMP_CHECK, 0, change, BPF_F_PSEUDO_HDR))
		return false;
	return skb_address6(skb, address6_at(quoted, !to->source), to->address, 0, &change) &&
	       !bpf_l4_csum_replace(skb, icmp + ICMP_CHECK, 0, change, 0) && quote_port(skb, to, icmp, transport);
}

/* Global: verified once. Returns 1, or 0 if a header was not where it should be: then the packet is spoilt. */
__noinline int skb_rewrite(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	if (!p || !to)
		return 0;
	return is_ipv4(p) ? skb_rewrite4(skb, p, to) : skb_rewrite6(skb, p, to);
}

__noinline int skb_rewrite_quote(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	if (!p || !to)
		return 0;
	return is_ipv4(p) ? quote_rewrite4(skb, to) : quote_rewrite6(skb, p, to);
}

#endif
