/* SPDX-License-Identifier: GPL-2.0 */
/* How `directrix trace` reads a packet. Nothing is refused here, as parse() does it: whatever could be read is shown. */
#ifndef DIRECTRIX_TRACE_PACKET_H
#define DIRECTRIX_TRACE_PACKET_H

static __always_inline void note_transport(struct trace_notes *n, __u32 at, __u8 protocol, __u8 family)
{
	__u32 ports = 0;

	at &= TRACE_HEAD - 1;
	if (directed(protocol))
		ports = *(__u32 *)(n->head + at);
	n->packet.tcp_flags = protocol == IPPROTO_TCP ? n->head[at + 13] : 0;
	if (protocol == IPPROTO_SCTP && n->head[at + SCTP_COMMON_HEADER] == SCTP_CHUNK_INIT)
		n->packet.tcp_flags = TCP_SYN;	/* as parse() has it */
	n->packet.id = connection_id(ports, protocol, family, 0);
}

static __always_inline void note_ipv4(struct trace_notes *n, __u32 at)
{
	const struct iphdr *ip = (void *)(n->head + (at & (TRACE_HEAD - 1)));

	n->packet.address[0] = ip->saddr;
	n->packet.address[1] = ip->daddr;
	n->packet.length = bpf_ntohs(ip->tot_len);
	if (ip->frag_off & bpf_htons(IP_OFFSET))
		n->packet.id = connection_id(0, ip->protocol, 4, 0);
	else
		note_transport(n, at + ip->ihl * 4, ip->protocol, 4);
}

static __always_inline void note_ipv6(struct trace_notes *n, __u32 at)
{
	const struct ipv6hdr *ip = (void *)(n->head + (at & (TRACE_HEAD - 1)));
	__u8 next = ip->nexthdr;

	__builtin_memcpy(&n->packet.address[0], &ip->saddr, 16);
	__builtin_memcpy(&n->packet.address[4], &ip->daddr, 16);
	n->packet.length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	at += sizeof(*ip);
#pragma clang loop unroll(full)
	for (int i = 0; i < 3; i++) {
		const __u8 *header = n->head + (at & (TRACE_HEAD - 1));

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		next = header[0];
		at += 8 + header[1] * 8;
	}
	note_transport(n, at, next, 6);
}

static __always_inline void note_packet(struct trace_notes *n, __be16 protocol, __u32 at)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < 2; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		protocol = *(__be16 *)(n->head + (at & (TRACE_HEAD - 1)) + 2);
		at += 4;
	}
	if (protocol == bpf_htons(ETH_P_IP))
		note_ipv4(n, at);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		note_ipv6(n, at);
}

#endif
