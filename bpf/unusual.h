/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the ordinary reading leaves: fragments, ICMP errors, IPv6 extension headers. They are seldom,
 * so everything is read through a helper, wherever in the frame it lies, and by global functions,
 * which the verifier looks at once.
 *
 * The reading touches nothing: it says what kind of packet it is (p->kind), and leaves for fragment.h
 * what it knows of a fragment. A first fragment has its ports and goes the way of every packet. What
 * has none of its own, a later fragment (fragment.h) or an ICMP error (quote.h), is settled: it gets
 * the real server of the datagram or the connection that it belongs to.
 *
 * Only what is sent to a virtual address comes as far as this. Like IPVS, nobody here carries out
 * options: the real server does.
 */
#ifndef DIRECTRIX_UNUSUAL_H
#define DIRECTRIX_UNUSUAL_H

#include "fragment.h"
#include "quote.h"

#define MOST_TRANSPORT 20	/* bytes of a transport header that are looked at */

/* The packet's transport header, `at` bytes behind its IP header's start. */
static __always_inline int unusual_transport(const struct frame *f, __u32 at, __u8 protocol, struct packet *p)
{
	__u32 needed = protocol == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr), ports;
	__u64 address = is_ipv4(p) ? address4_word(p->address[1]) : address6_word(&p->half[2]);
	__u8 header[MOST_TRANSPORT] = {};
	bool whole;

	if (p->length < at + sizeof(ports) || !frame_read(f, at, &ports, sizeof(ports)))
		return NOT_OURS;
	if (!maybe_virtual(address, ports, protocol) && !maybe_reply(source_word(p)))
		return NOT_OURS;
	if (protocol == IPPROTO_SCTP)
		needed = SCTP_COMMON_HEADER + sizeof(struct sctp_chunk);
	p->id = connection_id(ports, protocol, is_ipv4(p) ? 4 : 6, 0);
	if (protocol == IPPROTO_TCP)
		whole = frame_read(f, at, header, sizeof(struct tcphdr));
	else if (protocol == IPPROTO_UDP)
		whole = frame_read(f, at, header, sizeof(struct udphdr));
	else
		whole = frame_read(f, at, header, SCTP_COMMON_HEADER + sizeof(struct sctp_chunk));
	if (!whole || p->length < at + needed) {
		if (p->kind != KIND_FIRST)
			return MALFORMED;
		p->kind = KIND_TINY;	/* to be dropped, if it is for this host */
		return CONTINUE;
	}
	return parse_directed(header, header + sizeof(header), f, at, protocol, p) ? CONTINUE : MALFORMED;
}

static __always_inline bool header_wrong(const struct frame *f, const struct iphdr *ip)
{
	const __u32 *word = (const __u32 *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
	__u32 option;

	for (int i = 5; i < 15 && i < ip->ihl; i++) {
		if (!frame_read(f, i * 4, &option, sizeof(option)))
			return true;
		sum += option;
	}
	return folded(sum) != 0xffff;
}

static __always_inline int unusual4(const struct frame *f, __u32 wire_length, struct packet *p)
{
	__u32 header, fragment;
	struct iphdr ip;

	if (!frame_read(f, 0, &ip, sizeof(ip)))
		return MALFORMED;
	header = ip.ihl * 4;
	p->length = bpf_ntohs(ip.tot_len);
	if (ip.version != 4 || header < sizeof(ip) || p->length > wire_length || p->length < header ||
	    header_wrong(f, &ip))
		return MALFORMED;
	p->address[0] = ip.saddr;
	p->address[1] = ip.daddr;
	p->id = connection_id(0, ip.protocol, 4, 0);
	fragment = bpf_ntohs(ip.frag_off);
	if (ip.protocol == IPPROTO_ICMP)
		return fragment & (IP_MORE | IP_OFFSET) ? NOT_OURS : quote4(f, header, p);
	if (fragment & (IP_MORE | IP_OFFSET)) {
		int verdict = fragment_begin(f, p, ip.id, ip.protocol, header, (fragment & IP_OFFSET) * 8);

		if (verdict != CONTINUE || p->kind == KIND_LATER)
			return verdict;
	}
	return unusual_transport(f, header, ip.protocol, p);
}

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

static __always_inline int unusual6(const struct frame *f, __u32 wire_length, struct packet *p)
{
	__u32 at = sizeof(struct ipv6hdr);
	struct ipv6hdr ip;
	int verdict;
	__u8 type;

	if (!frame_read(f, 0, &ip, sizeof(ip)))
		return MALFORMED;
	p->length = bpf_ntohs(ip.payload_len) + sizeof(ip);
	if (ip.version != 6 || p->length > wire_length)
		return MALFORMED;
	__builtin_memcpy(&p->address[0], &ip.saddr, 16);
	__builtin_memcpy(&p->address[4], &ip.daddr, 16);
	p->id = connection_id(0, 0, 6, 0);
	type = ip.nexthdr;
	for (int i = 0; i < MOST_EXTENSION_HEADERS; i++) {
		struct fragment_header header;

		if (directed(type) || type == IPPROTO_ICMPV6)
			break;
		if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_DSTOPTS &&
		    type != IPPROTO_FRAGMENT && type != IPPROTO_AH)
			return NOT_OURS;
		if (p->length < at + sizeof(header) || !frame_read(f, at, &header, sizeof(header)))
			return MALFORMED;
		if (type == IPPROTO_FRAGMENT) {
			__u32 fragment = bpf_ntohs(header.offset);

			if (fragment & (IP6_MORE | IP6_OFFSET)) {
				if (header.next == IPPROTO_ICMPV6)
					return NOT_OURS;	/* errors are never fragmented: what is, is an echo */
				if (p->kind)
					return MALFORMED;
				verdict = fragment_begin(f, p, header.id, 0, at + sizeof(header), fragment & IP6_OFFSET);
				if (verdict != CONTINUE || p->kind == KIND_LATER)
					return verdict;
			}
			at += sizeof(header);
		} else {
			__u32 units = header.reserved;	/* of these it is the length */

			at += type == IPPROTO_AH ? (units + 2) * 4 : (units + 1) * 8;
		}
		type = header.next;
	}
	if (type == IPPROTO_ICMPV6)
		return p->kind ? NOT_OURS : quote6(f, at, p);
	if (!directed(type))
		return NOT_OURS;
	verdict = unusual_transport(f, at, type, p);
	if (p->kind && p->length > sizeof(struct fragment_header))
		p->length -= sizeof(struct fragment_header);	/* a whole datagram has none: IPVS's count */
	return verdict;
}

static __always_inline int unusual(const struct frame *f, __u32 wire_length, bool ipv4, struct packet *p)
{
	__builtin_memset(p, 0, sizeof(*p));
	return ipv4 ? unusual4(f, wire_length, p) : unusual6(f, wire_length, p);
}

/*
 * The end of a packet that has no ports of its own and follows another. With CONTINUE *server has it. Of a later fragment
 * whose first one has not come, FRAGMENT is what it is so far.
 */
__noinline int follow(const struct packet *p, __u32 now, __u32 *server)
{
	if (!p || !server)
		return BUSY;
	if (p->kind == KIND_TINY)
		return BAD_FRAGMENT;
	if (p->kind == KIND_TUNNEL_ERROR)
		return tunnel_error_settle(p, now, server);
	return p->kind == KIND_QUOTE ? quote_settle(p, now, server) : fragment_settle(now, server);
}

#endif
