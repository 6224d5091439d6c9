/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ICMP errors about what a real server sent: routers and clients answer the virtual address, because
 * that is where the packet came from, and mean the real server that has the connection (path MTU
 * discovery does not work without). The error quotes the packet, its client as the destination.
 *
 * As with IPVS, an error counts as a packet of its connection but does not refresh it; it reaches a
 * real server that was removed as long as the connection is there; parameter problems of IPv4 are
 * left to the host; and of what the quote says of lengths only the IP header's own is used: a quote
 * is nearly always shorter than the packet it was, often no longer than the ports.
 */
#ifndef DIRECTRIX_QUOTE_H
#define DIRECTRIX_QUOTE_H

#include "connection.h"
#include "icmp.h"
#include "reply.h"
#include "tunnel_error.h"

#define ICMPV6_ERRORS 128	/* types below are errors */
#define ICMP_SUM_STEP QUOTE_MOST
#define MOST_QUOTED_HEADERS 8
#define ICMP_SUM_STEPS 20	/* enough for a jumbo frame */

enum { QUOTE_UNREACHABLE = 3, QUOTE_SOURCE_QUENCH = 4, QUOTE_TIME_EXCEEDED = 11 };	/* of IPv4 */

/* The quoted packet's ports, turned round: it came from the virtual address. */
static __always_inline int quote_ports(const struct frame *f, __u32 at, __u8 protocol, __u8 family, struct packet *p)
{
	__u32 ports;

	if (p->length < at + sizeof(ports) || !frame_read(f, at, &ports, sizeof(ports)))
		return BAD_QUOTE;
	p->id = connection_id(ports >> 16 | ports << 16, protocol, family, 0);
	p->kind = KIND_QUOTE;
	return CONTINUE;
}

/* Is the checksum of the ICMP message from `at` on right? */
static __always_inline bool icmp_sum_right(const struct frame *f, __u32 at, __u32 length)
{
	__u32 zero = 0, left = length;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	__s64 sum = 0;

	if (!s)
		return false;
	for (int i = 0; i < ICMP_SUM_STEPS && left; i++) {
		__u32 last = left > ICMP_SUM_STEP ? ICMP_SUM_STEP - 1 : left - 1;

		asm volatile("" : "+r"(last));	/* said in a way that older verifiers follow */
		last &= ICMP_SUM_STEP - 1;
		*(__u32 *)(s->bytes + (last & ~3U)) = 0;
		if (!frame_read(f, at, s->bytes, last + 1))
			return false;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)s->bytes, (last & ~3U) + 4, folded(sum));
		if (sum < 0)
			return false;
		at += last + 1;
		left -= last + 1;
	}
	return !left && folded(sum) == 0xffff;
}

/* Read an ICMP message, `at` bytes behind its IP header's start. */
static __always_inline int quote4(const struct frame *f, __u32 at, struct packet *p)
{
	struct tunnel_error *e = tunnel_error_now();
	struct iphdr quoted;
	struct error error;
	__u8 type;

	if (p->length < at + ICMP_HEADER || !frame_read(f, at, &error, sizeof(error)) || !e)
		return MALFORMED;
	type = error.type;
	if (type != QUOTE_UNREACHABLE && type != QUOTE_SOURCE_QUENCH && type != QUOTE_TIME_EXCEEDED)
		return NOT_OURS;
	if (!icmp_sum_right(f, at, p->length - at))
		return MALFORMED;
	if (p->length < at + ICMP_HEADER + sizeof(quoted) || !frame_read(f, at + ICMP_HEADER, &quoted, sizeof(quoted)) ||
	    quoted.version != 4 || quoted.ihl < 5)
		return BAD_QUOTE;
	if (front.tunnels && quoted.saddr == p->address[1] && !(quoted.frag_off & bpf_htons(IP_OFFSET))) {
		__u32 outer = at + ICMP_HEADER;
		int verdict;

		e->family = 4;
		e->source[0] = quoted.saddr;
		e->target[0] = quoted.daddr;
		verdict = tunnel_quote(f, e, &error, outer + quoted.ihl * 4, quoted.protocol, outer, p);
		if (verdict != NOT_OURS)
			return verdict;
	}
	/* of a later fragment there are no ports to be seen */
	if (!directed(quoted.protocol) || quoted.frag_off & bpf_htons(IP_OFFSET))
		return UNKNOWN_QUOTE;
	p->address[0] = quoted.daddr;
	p->address[1] = quoted.saddr;
	return quote_ports(f, at + ICMP_HEADER + quoted.ihl * 4, quoted.protocol, 4, p);
}

static __always_inline int quote6(const struct frame *f, __u32 at, struct packet *p)
{
	struct tunnel_error *e = tunnel_error_now();
	struct ipv6hdr quoted;
	struct error error;
	__u8 type;

	if (p->length < at + ICMP_HEADER || !frame_read(f, at, &error, sizeof(error)) || !e)
		return MALFORMED;
	if (error.type >= ICMPV6_ERRORS)
		return NOT_OURS;
	at += ICMP_HEADER;
	if (p->length < at + sizeof(quoted) || !frame_read(f, at, &quoted, sizeof(quoted)) || quoted.version != 6)
		return BAD_QUOTE;
	if (front.tunnels) {
		int verdict;

		e->family = 6;
		__builtin_memcpy(e->source, &quoted.saddr, 16);
		__builtin_memcpy(e->target, &quoted.daddr, 16);
		verdict = tunnel_quote(f, e, &error, at + sizeof(quoted), quoted.nexthdr, at, p);
		if (verdict != NOT_OURS)
			return verdict;
	}
	__builtin_memcpy(&p->address[0], &quoted.daddr, 16);
	__builtin_memcpy(&p->address[4], &quoted.saddr, 16);
	type = quoted.nexthdr;
	at += sizeof(quoted);
	for (int i = 0; i < MOST_QUOTED_HEADERS && !directed(type); i++) {
		__u8 header[4];

		if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_DSTOPTS &&
		    type != IPPROTO_FRAGMENT && type != IPPROTO_AH)
			return UNKNOWN_QUOTE;
		if (p->length < at + sizeof(header) || !frame_read(f, at, header, sizeof(header)))
			return BAD_QUOTE;
		if (type == IPPROTO_FRAGMENT) {
			if (header[2] || header[3] & (IP6_OFFSET & 0xff))
				return UNKNOWN_QUOTE;
			at += 8;
		} else {
			at += type == IPPROTO_AH ? (header[1] + 2) * 4 : (header[1] + 1) * 8;
		}
		type = header[0];
	}
	return directed(type) ? quote_ports(f, at, type, 6, p) : UNKNOWN_QUOTE;
}

/*
 * The real server of the connection that an error is about. REPLY: it is about what was sent to a masqueraded server,
 * and for the client.
 */
static __always_inline int quote_settle(const struct packet *p, __u32 now, __u32 *server)
{
	struct connection *c = connection_find(p, place_of(p), now);

	if (!c)
		return front.beyond & BEYOND_REPLIES && is_reply(p, now) ? REPLY : UNKNOWN_QUOTE;
	*server = c->server;
	return CONTINUE;
}

#endif
