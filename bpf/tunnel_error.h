/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ICMP errors from inside a tunnel. A router between this host and a real server answers the outer packet, so what it
 * says comes here, and means the client: nobody else can send shorter packets. The error quotes the outer packet, and
 * in it the client's. If that is one of a connection whose real server is where the outer packet went, from where
 * it came, the client is told the same about its own packet, by the virtual address, as IPVS does. IPVS does so for
 * IPv4 in IPv4 alone; here errors are put into the other family's words where the tunnel crosses families.
 *
 * That the way is narrower than its first link is remembered beside the real server for as long as Linux remembers such
 * things, and is the size that packets must fit into meanwhile (path_mtu()).
 */
#ifndef DIRECTRIX_TUNNEL_ERROR_H
#define DIRECTRIX_TUNNEL_ERROR_H

#include "connection.h"
#include "icmp.h"
#include "neighbour.h"

#define PATH_MTU_LEAST4 552	/* Linux's least, for a router may lie */
#define PATH_MTU_LEAST6 1280
#define GRE_SUM 0x80		/* in the first byte: a checksum follows */

/* The error this CPU is at. */
struct tunnel_error {
	__u32 source[4], target[4];	/* of the outer packet */
	__u32 mtu;			/* of the way, if that is what it says; else 0 */
	__u32 at;			/* where the client's packet is, behind the network header */
	__u32 overhead;			/* of the tunnel */
	__u16 words;			/* type and code, as the client is told */
	__u8 family;			/* of the outer packet */
	__u8 pad;
	union {				/* what is being read */
		struct iphdr ip;
		struct ipv6hdr ipv6;
		__u8 between[12];
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tunnel_error);
} error_scratch SEC(".maps");

static __always_inline struct tunnel_error *tunnel_error_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&error_scratch, &zero);
}

enum { ICMP4_UNREACHABLE = 3, ICMP4_FRAG_NEEDED = 4, ICMP4_TIME_EXCEEDED = 11 };
enum { ICMP6_UNREACHABLE = 1, ICMP6_TOO_BIG = 2, ICMP6_TIME_EXCEEDED = 3 };

/* What the client is told, in its family's words; 0: nothing (RFC 2003, 4; RFC 2473, 8; between families as RFC 7915). */
static __always_inline __u16 told_words(__u8 outer, __u8 inner, __u8 type, __u8 code)
{
	bool too_big = outer == 4 ? type == ICMP4_UNREACHABLE && code == ICMP4_FRAG_NEEDED : type == ICMP6_TOO_BIG;
	bool late = type == (outer == 4 ? ICMP4_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED);
	bool unreachable = type == (outer == 4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE);

	if (!too_big && !late && !unreachable)
		return 0;
	if (outer == inner)
		return type | code << 8;
	if (too_big)
		return icmp_family_words(inner, ANSWER_TOO_BIG);
	if (late)
		return icmp_family_words(inner, ANSWER_TIME_EXCEEDED);
	return inner == 4 ? 3 | 1 << 8 : 1 | 3 << 8;	/* the host, the address is unreachable */
}

/* The family of the packet inside, whose place e->at becomes; 0: it is in no tunnel of ours. */
static __always_inline __u8 tunnel_inside(const struct frame *f, struct tunnel_error *e, __u8 protocol)
{
	__be16 type;

	if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6)
		return protocol == IPPROTO_IPIP ? 4 : 6;
	if (protocol == IPPROTO_UDP) {
		if (!frame_read(f, e->at, e->between, 12) || e->between[8] || e->between[10] | e->between[11])
			return 0;
		e->at += 12;
		return e->between[9] == IPPROTO_IPIP ? 4 : e->between[9] == IPPROTO_IPV6 ? 6 : 0;
	}
	if (protocol != IPPROTO_GRE || !frame_read(f, e->at, e->between, 4) || e->between[0] & ~GRE_SUM || e->between[1])
		return 0;
	e->at += e->between[0] & GRE_SUM ? 8 : 4;
	type = e->between[2] | e->between[3] << 8;
	return type == bpf_htons(ETH_P_IP) ? 4 : type == bpf_htons(ETH_P_IPV6) ? 6 : 0;
}

/* The client's packet, as far as it is quoted. `p` has the error's length, and becomes that packet. */
static __always_inline int tunnel_inner(const struct frame *f, struct tunnel_error *e, __u8 family, struct packet *p)
{
	__u32 at = e->at, ports, length;
	__u8 protocol;

	if (family == 4) {
		if (!frame_read(f, at, &e->ip, sizeof(e->ip)) || e->ip.version != 4 || e->ip.ihl < 5 ||
		    e->ip.frag_off & bpf_htons(IP_OFFSET))
			return BAD_QUOTE;
		p->address[0] = e->ip.saddr;
		p->address[1] = e->ip.daddr;
		length = bpf_ntohs(e->ip.tot_len);
		protocol = e->ip.protocol;
		at += e->ip.ihl * 4;
	} else {
		if (!frame_read(f, at, &e->ipv6, sizeof(e->ipv6)) || e->ipv6.version != 6)
			return BAD_QUOTE;
		__builtin_memcpy(&p->address[0], &e->ipv6.saddr, 16);
		__builtin_memcpy(&p->address[4], &e->ipv6.daddr, 16);
		length = bpf_ntohs(e->ipv6.payload_len) + sizeof(e->ipv6);
		protocol = e->ipv6.nexthdr;
		at += sizeof(e->ipv6);
	}
	if (!directed(protocol))
		return UNKNOWN_QUOTE;
	if (p->length < at + sizeof(ports) || !frame_read(f, at, &ports, sizeof(ports)))
		return BAD_QUOTE;
	p->length -= e->at;
	if (p->length > length)
		p->length = length;
	p->id = connection_id(ports, protocol, family, 0);
	p->kind = KIND_TUNNEL_ERROR;
	return CONTINUE;
}

/*
 * Read an error whose quote, a packet of this host's, may be one of a tunnel's: its headers end `at` behind the error's IP
 * header, before that there is what e->source and others say. NOT_OURS: it is none, and nothing has changed.
 */
static __always_inline int tunnel_quote(const struct frame *f, struct tunnel_error *e, const struct error *error, __u32 at,
					__u8 protocol, __u32 outer, struct packet *p)
{
	__u8 family;

	e->at = at;
	family = tunnel_inside(f, e, protocol);
	if (!family)
		return NOT_OURS;
	e->words = told_words(e->family, family, error->type, error->code);
	if (!e->words)
		return NOT_OURS;
	e->overhead = e->at - outer;
	e->mtu = 0;
	if (e->words == icmp_family_words(family, ANSWER_TOO_BIG))
		e->mtu = e->family == 4 ? bpf_ntohl(error->value) & 0xffff : bpf_ntohl(error->value);
	return tunnel_inner(f, e, family, p);
}

/* Is the error about a connection whose packets go this way? XDP leaves to tc what is to be done then. */
static __always_inline int tunnel_error_settle(const struct packet *p, __u32 now, __u32 *server)
{
	struct connection *c = connection_find(p, place_of(p), now);
	struct tunnel_error *e = tunnel_error_now();
	struct server *s;
	struct hop *hop;

	s = c ? server_at(c->server) : NULL;
	if (!s || !e || s->family != e->family)
		return UNKNOWN_QUOTE;
	hop = hop_at(c->server);
	if (!(hop->flags & SERVER_TUNNEL) || s->address[0] != e->target[0] || hop->outer[0] != e->source[0])
		return UNKNOWN_QUOTE;
	if (e->family == 6)
		for (int i = 1; i < 4; i++)
			if (s->address[i] != e->target[i] || hop->outer[i] != e->source[i])
				return UNKNOWN_QUOTE;
	*server = c->server;
	return p->from_xdp == AT_XDP ? HANDED_UP : TUNNEL_ERROR;
}

/* The way to a real server takes no more than so much: remember it. Answers what counts now. */
static __always_inline __u32 way_narrows(struct server *s, struct hop *hop, __u32 mtu)
{
	__u32 least = s->family == 4 ? PATH_MTU_LEAST4 : PATH_MTU_LEAST6;

	if (mtu < least)
		mtu = least;
	if (mtu < hop->mtu) {
		s->path_mtu = mtu;
		s->path_told = ticks();
		hop->mtu = mtu;
	}
	return hop->mtu;
}

/* Tell the client what was said about its packet in the tunnel to this real server. */
__noinline int tunnel_error(struct __sk_buff *skb, const struct packet *p, __u32 number)
{
	struct tunnel_error *e = tunnel_error_now();
	struct server *s = server_at(number);
	__u32 value = 0;

	count_verdict(bpf_get_smp_processor_id(), TUNNEL_ERROR);
	if (!p || !e || !s)
		return TC_ACT_SHOT;
	if (e->mtu)
		value = way_narrows(s, hop_at(number), e->mtu) - e->overhead;
	if (!answer_allowed(ticks()) || bpf_skb_adjust_room(skb, -(int)e->at, BPF_ADJ_ROOM_MAC, 0) ||
	    !answer_make(skb, p, e->words, value))
		return TC_ACT_SHOT;
	return answer_by_route(skb, p);
}

#endif
