/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a frame to a struct packet. Only what a virtual service needs is read: addresses, ports,
 * TCP flags, the IP length. What does not parse is told apart by a verdict, never forwarded.
 *
 * The order of the tests is the order of their cost for host traffic: protocol and bounds first,
 * then the filter, and only a packet that may be for a virtual service is looked at closely.
 */
#ifndef DIRECTRIX_PACKET_H
#define DIRECTRIX_PACKET_H

#include "maps.h"
#include "verdict.h"

#define FILTER_PRIME 0x9e3779b97f4a7c15ULL
#define MAX_EXTENSION_HEADERS 6
#define CONTINUE VERDICT_LAST	/* no verdict yet */

enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };

struct packet {
	__u64 id;
	union {
		__u32 address[8];	/* as in struct connection */
		__u64 pair;		/* IPv4: client and virtual address at once */
		__u64 half[4];
	};
	__u16 client_port, port;
	__u8 protocol;
	__u8 family;
	__u8 tcp_flags;
	__u16 length;			/* of the IP packet */
	__u32 network;			/* where the IP header starts in the frame */
};

static __always_inline __u64 connection_id(__u16 client_port, __u16 port, __u8 protocol, __u8 family, __u16 kind)
{
	return (__u64)client_port | (__u64)port << 16 | (__u64)protocol << 32 | (__u64)family << 40 | (__u64)kind << 48;
}

/* Can (address, port, protocol) be virtual? `address` is 64 bits that stand for it. */
static __always_inline bool filter_has(__u64 address, __u16 port, __u8 protocol)
{
	__u32 bit = ((address ^ ((__u64)port << 16 | protocol)) * FILTER_PRIME) >> 48;

	return front.filter[(bit >> 6) % FILTER_WORDS] >> (bit & 63) & 1;
}

static __always_inline bool maybe_virtual(__u64 address, __u16 port, __u8 protocol)
{
	return filter_has(address, port, protocol) || (front.any_port && filter_has(address, 0, 0));
}

static __always_inline __u64 filter_address4(__u32 address)
{
	return (__u64)address << 32;
}

static __always_inline __u64 filter_address6(const __u64 *half)
{
	return half[0] * FILTER_PRIME ^ half[1];
}

/* Addresses no packet on a wire may come from; the host's stack knows what to do with it. */
static __always_inline bool martian4(__u32 address)
{
	__u8 first = bpf_ntohl(address) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* The host would drop such a packet, so it must not be forwarded either. */
static __always_inline bool header_sum_wrong(const struct iphdr *ip, void *end, __u32 ihl)
{
	const __u32 *word = (const __u32 *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

	if (ihl != sizeof(*ip)) {
		for (int i = 5; i < 15 && i * 4 < ihl; i++) {
			const __u32 *option = word + i;

			asm volatile("" : "+r"(option));	/* keep the verifier's form of the bound */
			if ((void *)(option + 1) > end)
				return true;
			sum += *option;
		}
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)(sum + (sum >> 16)) != 0xffff;
}

/* Ports and flags at `l4`, of `room` bytes as the IP header tells. */
static __always_inline enum verdict parse_ports(void *l4, void *end, __u32 room, struct packet *p)
{
	if (p->protocol == IPPROTO_TCP) {
		struct tcphdr *th = l4;

		if ((void *)(th + 1) > end || room < sizeof(*th) || th->doff < 5 || th->doff * 4 > room)
			return MALFORMED;
		p->tcp_flags = ((__u8 *)th)[13];
		p->client_port = th->source;
		p->port = th->dest;
	} else {
		struct udphdr *uh = l4;

		if ((void *)(uh + 1) > end || room < sizeof(*uh))
			return MALFORMED;
		p->tcp_flags = 0;
		p->client_port = uh->source;
		p->port = uh->dest;
	}
	return CONTINUE;
}

static __always_inline enum verdict parse4(void *l3, void *end, __u32 wire_length, struct packet *p)
{
	struct iphdr *ip = l3;
	enum verdict verdict;
	__u32 ihl;
	void *l4;

	if ((void *)(ip + 1) > end)
		return NOT_OURS;
	p->protocol = ip->protocol;
	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)
		return NOT_OURS;
	ihl = ip->ihl * 4;
	l4 = l3 + ihl;
	if (ihl != sizeof(*ip))
		l4 = l3 + (ihl & 60);
	if (l4 + 4 > end)
		return NOT_OURS;
	if (!maybe_virtual(filter_address4(ip->daddr), *(__u16 *)(l4 + 2), p->protocol)) {
		/* ports of a later fragment are not ports */
		return NOT_OURS;
	}
	if (ip->version != 4 || ihl < sizeof(*ip))
		return MALFORMED;
	p->length = bpf_ntohs(ip->tot_len);
	if (p->length > wire_length || p->length < ihl)
		return MALFORMED;
	if (header_sum_wrong(ip, end, ihl))
		return MALFORMED;
	if (ip->frag_off & bpf_htons(0x3fff))
		return FRAGMENT;
	verdict = parse_ports(l4, end, p->length - ihl, p);
	if (verdict != CONTINUE)
		return verdict;
	p->family = 4;
	p->address[0] = ip->saddr;
	p->address[1] = ip->daddr;
	p->id = connection_id(p->client_port, p->port, p->protocol, 4, 0);
	return CONTINUE;
}

/* Steps over extension headers; the fragment header gets its own verdict. */
static __noinline enum verdict skip_extensions(void *l3, void *end, __u32 *offset, __u8 *next)
{
	__u32 at = sizeof(struct ipv6hdr);
	__u8 type = *next;

	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		__u8 *header = l3 + at;

		if (type == IPPROTO_TCP || type == IPPROTO_UDP) {
			*offset = at;
			*next = type;
			return CONTINUE;
		}
		if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_DSTOPTS && type != IPPROTO_FRAGMENT)
			return NOT_OURS;
		if ((void *)(header + 8) > end)
			return MALFORMED;
		if (type == IPPROTO_FRAGMENT)
			return FRAGMENT;
		type = header[0];
		at += 8 + header[1] * 8;
		if (at > 512)
			return MALFORMED;
	}
	return NOT_OURS;
}

static __always_inline enum verdict parse6(void *l3, void *end, __u32 wire_length, struct packet *p)
{
	struct ipv6hdr *ip = l3;
	__u32 offset = sizeof(*ip), payload;
	enum verdict verdict;
	__u64 address;
	void *l4;

	if ((void *)(ip + 1) > end)
		return NOT_OURS;
	p->protocol = ip->nexthdr;
	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) {
		if (p->protocol == IPPROTO_ICMPV6)
			return NOT_OURS;
		verdict = skip_extensions(l3, end, &offset, &p->protocol);
		if (verdict == FRAGMENT)
			return filter_has(filter_address6((__u64 *)&ip->daddr), 0, 1) ? FRAGMENT : NOT_OURS;
		if (verdict != CONTINUE)
			return NOT_OURS;
	}
	l4 = l3 + (offset & 1023);
	if (l4 + 4 > end)
		return NOT_OURS;
	address = filter_address6((__u64 *)&ip->daddr);
	if (!maybe_virtual(address, *(__u16 *)(l4 + 2), p->protocol))
		return NOT_OURS;
	payload = bpf_ntohs(ip->payload_len);
	if (ip->version != 6 || payload + sizeof(*ip) > wire_length || payload + sizeof(*ip) < offset)
		return MALFORMED;
	p->length = payload + sizeof(*ip);
	verdict = parse_ports(l4, end, payload + sizeof(*ip) - offset, p);
	if (verdict != CONTINUE)
		return verdict;
	p->family = 6;
	__builtin_memcpy(&p->address[0], &ip->saddr, 16);
	__builtin_memcpy(&p->address[4], &ip->daddr, 16);
	p->id = connection_id(p->client_port, p->port, p->protocol, 6, 0);
	return CONTINUE;
}

#endif
