/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a frame to a struct packet. Only what a virtual service needs is read: addresses, ports,
 * TCP flags or what SCTP's chunks say, the IP length. What does not parse is told apart by a
 * verdict, never forwarded.
 *
 * There are two ways. The quick one takes what nearly every packet is, TCP or UDP in IPv4 without
 * options, or in IPv6 without extension headers, and without tags. It asks the index first, so
 * that host traffic costs next to nothing. The complete one takes everything else, SCTP among it,
 * and leaves to unusual.h what takes more than a look.
 */
#ifndef DIRECTRIX_PACKET_H
#define DIRECTRIX_PACKET_H

#include "index.h"
#include "sctp.h"
#include "verdict.h"

#define MOST_EXTENSION_HEADERS 16
#define LONG_FRAME 1024		/* only longer ones can have more buffers than the first */
#define TCP_CHECK 16		/* where their headers have the checksum */
#define UDP_CHECK 6
#define IP_MORE 0x2000
#define IP_OFFSET 0x1fff
#define IP6_MORE 0x0001
#define IP6_OFFSET 0xfff8
#define CONTINUE VERDICT_LAST		/* no verdict yet */
#define UNUSUAL (VERDICT_LAST + 1)	/* nor that: not read yet, because it takes more (unusual.h) */
#define REPLY (VERDICT_LAST + 2)	/* nor that: a real server's, on its way back (forward_nat.h) */

enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };

enum packet_kind {
	KIND_WHOLE,
	KIND_FIRST,		/* the first of some fragments */
	/* without ports of their own: settled by what they belong to */
	KIND_LATER,		/* another fragment */
	KIND_QUOTE,		/* an ICMP error: the addresses and ports are those of the packet it is about */
	KIND_TINY,		/* a first fragment without all of its header */
	KIND_TUNNEL_ERROR,	/* an ICMP error about a packet in a tunnel: that one's addresses and ports */
};

enum passing {
	AT_TC,
	AT_XDP,			/* tc can have it if XDP does not want it */
	BEHIND_XDP,		/* tc, which has it from XDP */
};

/* What an SCTP packet asks for that begins by saying this; a table, for each branch here costs the verifier a lot. */
const __u8 sctp_flags[16] = { [SCTP_EVENT_INIT] = TCP_SYN, [SCTP_EVENT_ABORT] = TCP_RST };

struct packet {
	__u64 id;			/* as in struct connection */
	union {
		__u32 address[8];	/* likewise */
		__u64 pair;		/* IPv4: client and virtual address at once */
		__u64 half[4];
	};
	__u32 length;			/* of the IP packet; of a later fragment: what it carries */
	__u8 tcp_flags;			/* SCTP: TCP_SYN for an INIT, TCP_RST for an ABORT in front */
	__u8 sctp_event;		/* enum sctp_event */
	__u8 from_xdp;			/* enum passing */
	__u8 kind;			/* enum packet_kind */
};

static __always_inline __u64 connection_id(__u32 ports, __u8 protocol, __u8 family, __u16 kind)
{
	return (__u64)ports | (__u64)protocol << 32 | (__u64)family << 40 | (__u64)kind << 48;
}

static __always_inline __u16 client_port_of(const struct packet *p)
{
	return p->id;
}

static __always_inline __u16 port_of(const struct packet *p)
{
	return p->id >> 16;
}

static __always_inline __u8 protocol_of(const struct packet *p)
{
	return p->id >> 32;
}

static __always_inline bool is_ipv4(const struct packet *p)
{
	return (__u8)(p->id >> 40) == 4;
}

/* The 64 bits that stand for who sent a packet. */
static __always_inline __u64 source_word(const struct packet *p)
{
	return is_ipv4(p) ? address4_word(p->address[0]) : address6_word(p->half);
}

/* Addresses no packet on a wire may come from; the host's stack knows what to do with it. */
static __always_inline bool martian4(__u32 address)
{
	__u8 first = bpf_ntohl(address) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

static __always_inline bool martian6(const struct packet *p)
{
	const __u8 *first = (const __u8 *)p->address;

	return *first == 0xff || (!p->half[0] && (!p->half[1] || p->half[1] == bpf_cpu_to_be64(1)));
}

/* The one's complement sum of up to 2^19 words of 16 bits, given as a sum of words of 32. */
static __always_inline __u16 folded(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* As folded(), of a sum under 2^36: a header's, or a change of one. */
static __always_inline __u16 sum_folded(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

/* Is a header of five words, given as their sum (under 2^35), free of errors? */
static __always_inline bool header_sum_right(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

static __always_inline bool tcp_or_udp(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

static __always_inline bool directed(__u8 protocol)
{
	return tcp_or_udp(protocol) || protocol == IPPROTO_SCTP;
}

/*
 * Flags of the header of TCP or UDP at `l4`, of `room` bytes as the IP header tells. As IPVS, nobody
 * here asks whether TCP's own length makes sense: that is between client and real server.
 */
static __always_inline bool parse_transport(void *l4, void *end, __u32 room, __u8 protocol, struct packet *p)
{
	if (protocol == IPPROTO_TCP) {
		if (l4 + sizeof(struct tcphdr) > end || room < sizeof(struct tcphdr))
			return false;
		p->tcp_flags = *(__u8 *)(l4 + 13);
	} else {
		if (l4 + sizeof(struct udphdr) > end || room < sizeof(struct udphdr))
			return false;
		p->tcp_flags = 0;
	}
	return true;
}

/*
 * The quick way, in steps. First: is it IPv4 without tags and options, long enough to be
 * read? The rest is for the complete way.
 */
#define QUICK_LENGTH (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct tcphdr))
#define QUICK_START bpf_htonl(0x08004500)	/* Ethernet's type, IP's version and header length */
#define QUICK_MASK bpf_htonl(0xffffff00)

static __always_inline bool quick4(void *frame, void *end)
{
	return frame + QUICK_LENGTH <= end &&
	       (*(__u32 *)(frame + offsetof(struct ethhdr, h_proto)) & QUICK_MASK) == QUICK_START;
}

/* Then: what is it? The header's word with the protocol, and with what says that it is a fragment. */
#define QUICK4_WORD bpf_htonl((IP_MORE | IP_OFFSET) << 16 | 0xff)
#define QUICK4_FRAGMENT bpf_htonl((IP_MORE | IP_OFFSET) << 16)

static __always_inline __u32 quick4_word(void *l3)
{
	return *(__u32 *)(l3 + 6) & QUICK4_WORD;
}

static __always_inline bool quick4_indexed(void *l3, __u32 word)
{
	return index_of(address4_word(*(__u32 *)(l3 + 16)), (*(__u32 *)(l3 + 20) & bpf_htonl(0xffff)) ^ word);
}

static __always_inline bool quick4_any_port(void *l3)
{
	return front.beyond & BEYOND_ANY_PORT && address_has(address4_word(*(__u32 *)(l3 + 16)), ADDRESS_ANY_PORT);
}

/* Is it what the quick way can read? */
static __always_inline bool quick4_readable(__u32 word)
{
	return word == bpf_htonl(IPPROTO_TCP) || word == bpf_htonl(IPPROTO_UDP);
}

enum quick4 { QUICK4_NOT_OURS, QUICK4_REPLY, QUICK4_OURS };

/*
 * If the index knows nothing of it, may it be for a virtual service all the same, or a reply? Host traffic is
 * asked, too; but most of that is as front.plain says, and done with.
 */
static __always_inline enum quick4 quick4_not_indexed(void *l3, __u32 word)
{
	if (word == front.plain)
		return QUICK4_NOT_OURS;
	asm volatile("" : "+r"(word));	/* or what it was unmasked is kept, too, in a register that has to be saved */
	if (front.beyond) {
		if (quick4_any_port(l3))
			return QUICK4_OURS;
		asm volatile("" ::: "memory");	/* front.beyond is read again, or it would have to be saved likewise */
		if (maybe_reply(address4_word(*(__u32 *)(l3 + 12))))
			return quick4_readable(word) ? QUICK4_REPLY : QUICK4_OURS;
	}
	return word & QUICK4_FRAGMENT || word == bpf_htonl(IPPROTO_ICMP) ? QUICK4_OURS : QUICK4_NOT_OURS;
}

/* At last: read it. `wire_length` is what the frame carries behind its own header. */
static __always_inline enum verdict quick4_parse(void *l3, void *end, __u32 wire_length, struct packet *p)
{
	__u64 pair = *(__u64 *)(l3 + 12);
	__u8 protocol = *(__u8 *)(l3 + 9);
	__u32 length = bpf_ntohs(*(__u16 *)(l3 + 2));
	__u64 sum = (__u64)*(__u32 *)l3 + *(__u32 *)(l3 + 4) + *(__u32 *)(l3 + 8) + (__u32)pair + (pair >> 32);

	if (length > wire_length || !header_sum_right(sum))
		return MALFORMED;
	if (length < sizeof(struct iphdr) ||
	    !parse_transport(l3 + sizeof(struct iphdr), end, length - sizeof(struct iphdr), protocol, p))
		return MALFORMED;
	p->length = length;
	p->pair = pair;
	p->id = connection_id(*(__u32 *)(l3 + sizeof(struct iphdr)), protocol, 4, 0);
	return CONTINUE;
}

/* The quick way of IPv6: TCP or UDP right behind the header. */
#define QUICK6_LENGTH (sizeof(struct ethhdr) + sizeof(struct ipv6hdr) + sizeof(struct tcphdr))

static __always_inline bool quick6(void *frame, void *end)
{
	const struct ipv6hdr *ip = frame + sizeof(struct ethhdr);

	return frame + QUICK6_LENGTH <= end && *(__be16 *)(frame + offsetof(struct ethhdr, h_proto)) == bpf_htons(ETH_P_IPV6) &&
	       tcp_or_udp(ip->nexthdr);
}

static __always_inline bool quick6_maybe_virtual(void *l3)
{
	const struct ipv6hdr *ip = l3;

	return maybe_virtual(address6_word((const __u64 *)&ip->daddr), *(__u32 *)(ip + 1), ip->nexthdr);
}

static __always_inline enum verdict quick6_parse(void *l3, void *end, __u32 wire_length, struct packet *p)
{
	const struct ipv6hdr *ip = l3;
	const __u64 *address = (const __u64 *)&ip->saddr;
	__u32 ports = *(__u32 *)(ip + 1), payload = bpf_ntohs(ip->payload_len);
	__u8 protocol = ip->nexthdr;

	p->length = payload + sizeof(*ip);
	if (ip->version != 6 || p->length > wire_length || !parse_transport(l3 + sizeof(*ip), end, payload, protocol, p))
		return MALFORMED;
	for (int i = 0; i < 4; i++)
		p->half[i] = address[i];
	p->id = connection_id(ports, protocol, 6, 0);
	return CONTINUE;
}

/* How long an XDP frame is behind `offset`. */
static __always_inline __u32 xdp_length(struct xdp_md *ctx, void *data, void *end, __u32 offset)
{
	__u32 length = end - data;

	return (length < LONG_FRAME ? length : bpf_xdp_get_buff_len(ctx)) - offset;
}

/* The host would drop a packet with a wrong header checksum, so it must not be forwarded either. */
static __always_inline bool options_sum_wrong(const struct iphdr *ip, void *end, __u32 header)
{
	const __u32 *word = (const __u32 *)ip;
	__u64 sum = 0;

	for (int i = 0; i < 15 && i * 4 < header; i++) {
		const __u32 *option = word + i;

		asm volatile("" : "+r"(option));	/* keep the verifier's form of the bound */
		if ((void *)(option + 1) > end)
			return true;
		sum += *option;
	}
	return folded(sum) != 0xffff;
}

/* The frame as its hook knows it: what lies beyond the `end` that can be read directly is read by a helper. */
struct frame {
	void *context;
	__u32 network;		/* where the network header starts */
	bool xdp;
};

/* Read `size` bytes, `at` behind the start of the network header. */
static __always_inline bool frame_read(const struct frame *f, __u32 at, void *to, __u32 size)
{
	at += f->network;
	return f->xdp ? !bpf_xdp_load_bytes(f->context, at, to, size) : !bpf_skb_load_bytes(f->context, at, to, size);
}

/* The same for any protocol, `l4` being `at` behind the network header. */
static __always_inline bool parse_directed(void *l4, void *end, const struct frame *f, __u32 at, __u8 protocol,
					   struct packet *p)
{
	__u32 behind;
	__u8 chunk;

	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		return parse_transport(l4, end, p->length - at, protocol, p);
	if (!sctp_read(l4, end, p->length - at, &p->sctp_event, &behind))
		return false;
	p->tcp_flags = sctp_flags[p->sctp_event & 15];
	/* a cookie is as long as it likes */
	if (behind && frame_read(f, at + behind, &chunk, sizeof(chunk)) && chunk == SCTP_CHUNK_ABORT)
		p->sctp_event = SCTP_EVENT_ABORT;
	return true;
}

static __always_inline enum verdict parse4(void *l3, void *end, const struct frame *f, __u32 wire_length,
					   struct packet *p)
{
	struct iphdr *ip = l3;
	__u32 header, ports;
	__u8 protocol;
	void *l4;

	if ((void *)(ip + 1) > end)
		return NOT_OURS;
	protocol = ip->protocol;
	/* an error may come from any router, if what it is about goes through here both ways */
	if (protocol == IPPROTO_ICMP)
		return front.tunnels || front.beyond & BEYOND_REPLIES || address_has(address4_word(ip->daddr), ADDRESS_VIRTUAL) ?
		       UNUSUAL : NOT_OURS;
	if (!directed(protocol))
		return NOT_OURS;
	if (ip->frag_off & bpf_htons(IP_MORE | IP_OFFSET))
		return address_has(address4_word(ip->daddr), ADDRESS_VIRTUAL) || maybe_reply(address4_word(ip->saddr)) ?
		       UNUSUAL : NOT_OURS;
	header = ip->ihl * 4;
	l4 = l3 + (header & 60);
	if (l4 + 4 > end)
		return NOT_OURS;
	ports = *(__u32 *)l4;
	if (!maybe_virtual(address4_word(ip->daddr), ports, protocol) && !maybe_reply(address4_word(ip->saddr)))
		return NOT_OURS;
	p->length = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || p->length > wire_length || p->length < header ||
	    options_sum_wrong(ip, end, header))
		return MALFORMED;
	if (!parse_directed(l4, end, f, header, protocol, p))
		return MALFORMED;
	p->address[0] = ip->saddr;
	p->address[1] = ip->daddr;
	p->id = connection_id(ports, protocol, 4, 0);
	return CONTINUE;
}

static __always_inline enum verdict parse6(void *l3, void *end, const struct frame *f, __u32 wire_length,
					   struct packet *p)
{
	const __u32 offset = sizeof(struct ipv6hdr);
	struct ipv6hdr *ip = l3;
	__u64 address;
	__u32 ports;
	__u8 protocol;
	void *l4;

	if ((void *)(ip + 1) > end)
		return NOT_OURS;
	address = address6_word((__u64 *)&ip->daddr);
	protocol = ip->nexthdr;
	if (!directed(protocol))
		return front.beyond & BEYOND_REPLIES || address_has(address, ADDRESS_VIRTUAL) ||
		       (front.tunnels && protocol == IPPROTO_ICMPV6) ? UNUSUAL : NOT_OURS;
	l4 = l3 + offset;
	if (l4 + 4 > end)
		return NOT_OURS;
	ports = *(__u32 *)l4;
	if (!maybe_virtual(address, ports, protocol) && !maybe_reply(address6_word((__u64 *)&ip->saddr)))
		return NOT_OURS;
	p->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (ip->version != 6 || p->length > wire_length || p->length < offset ||
	    !parse_directed(l4, end, f, offset, protocol, p))
		return MALFORMED;
	__builtin_memcpy(&p->address[0], &ip->saddr, 16);
	__builtin_memcpy(&p->address[4], &ip->daddr, 16);
	p->id = connection_id(ports, protocol, 6, 0);
	return CONTINUE;
}

/*
 * The complete way. The network header starts at `l3`; `wire_length` bytes of the frame follow
 * there, up to `end` readable at once.
 */
static __always_inline enum verdict parse(__be16 protocol, void *l3, void *end, const struct frame *f,
					  __u32 wire_length, struct packet *p)
{
	__builtin_memset(p, 0, sizeof(*p));
	if (protocol == bpf_htons(ETH_P_IP))
		return parse4(l3, end, f, wire_length, p);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return parse6(l3, end, f, wire_length, p);
	return NOT_OURS;
}

#endif
