/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tunnelling: the packet goes into another one, towards a real server that may be on any network.
 *
 *   IPIP   IP in IP, of any two families
 *   GRE    four bytes between the two headers, four more with a checksum
 *   GUE    UDP, and four bytes that say what is inside
 *
 * As IPVS, what goes in has its TTL counted down first, and the outer header takes TTL, TOS and DF
 * from it. A packet too large for the way is answered, and so is one whose time is over: not here,
 * for only tc makes answers. A server of this method never has a hop that is HOP_RESOLVED but one that
 * is HOP_TUNNEL, so that direct routing pays nothing for asking.
 *
 * Checksums of the outer packet (GUE's and GRE's, where wanted) cost no walk through the payload:
 * TCP and UDP are inside with a checksum of their own, and whatever it covers adds up to the
 * complement of its pseudo header. This holds also while the checksum is still the device's to be filled
 * in, where a walk would be wrong. What has no such checksum inside, and packets whose segments the
 * kernel cuts later, go without one outside.
 */
#ifndef DIRECTRIX_FORWARD_TUNNEL_H
#define DIRECTRIX_FORWARD_TUNNEL_H

#include "forward_direct.h"
#include "icmp.h"

enum tunnel_type { TUNNEL_IPIP, TUNNEL_GUE, TUNNEL_GRE };
enum { TUNNEL_CSUM = 1, TUNNEL_REMCSUM = 2 };

#define GRE_CSUM bpf_htons(0x8000)
#define GUE_FIRST_PORT 32768	/* where Linux takes a flow's source port from, unless told otherwise */
#define GUE_PORTS 28231
#define SHIM_MOST 12
#define MTU_LEAST4 68
#define MTU_LEAST6 1280
#define INNER_MOST 120		/* the largest headers of TCP in IP */

/* What the packet that goes in tells of itself. */
struct inner {
	__u32 length;
	__u16 id;		/* for an outer header without DF */
	__u8 version;		/* 4 or 6 */
	__u8 tos;
	__u8 ttl;		/* as it will be */
	__u8 df;
	__u16 sum;		/* of all its words, if `summed` */
	__u16 summed;
};

/* What stands between the outer IP header and the inner. */
struct shim {
	union {
		struct {
			__be16 flags, protocol, check, reserved;
		} gre;
		struct {
			__be16 source, target, length, check;
			__u8 control, inside;
			__be16 flags;
		} gue;
		__u32 word[3];
	};
	__u32 size;
	__u8 protocol;		/* in the outer IP header */
};

static __always_inline __u32 outer_size(const struct server *s)
{
	return s->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

static __always_inline __u32 shim_size(const struct server *s)
{
	if (s->tunnel_type == TUNNEL_GUE)
		return 12;
	if (s->tunnel_type == TUNNEL_GRE)
		return s->tunnel_flags & TUNNEL_CSUM ? 8 : 4;
	return 0;
}

/*
 * The sum of a packet whose transport has a checksum; false if it hasn't. An IPv4 header adds up to
 * nothing, and of IPv6 what is also in the pseudo header takes itself out.
 */
static __always_inline bool inner_sum4(const struct iphdr *ip, void *end, struct inner *inner)
{
	__u32 pseudo = (ip->protocol + inner->length - ip->ihl * 4);
	const __be16 *check = (void *)ip + (ip->ihl * 4 & 60) + 6;

	if (ip->frag_off & bpf_htons(0x3fff) || !tcp_or_udp(ip->protocol) || (void *)(check + 1) > end)
		return false;
	if (ip->protocol == IPPROTO_UDP && !*check)
		return false;
	inner->sum = ~folded((__u64)ip->saddr + ip->daddr + bpf_htonl(pseudo));
	return true;
}

static __always_inline bool inner_sum6(const struct ipv6hdr *ip, void *end, struct inner *inner)
{
	const __be16 *check = (void *)(ip + 1) + 6;
	const __u32 *word = (const void *)ip;
	__u32 pseudo = ip->nexthdr + inner->length - sizeof(*ip);

	if (!tcp_or_udp(ip->nexthdr) || (void *)(check + 1) > end)
		return false;
	inner->sum = folded((__u64)word[0] + word[1] + (__u32)~bpf_htonl(pseudo));
	return true;
}

/* As good an identification as the inner one, and another for every client, for all tunnelled packets share their addresses. */
static __always_inline __u16 outer_id(const struct iphdr *ip)
{
	return ip->id ^ *((const __u16 *)&ip->saddr + 1);
}

/* What the outer header needs to know of the inner; TTL is counted down, the sum that of the packet afterwards. */
static __always_inline bool inner_read(void *l3, void *end, __be16 protocol, bool sum, struct inner *inner)
{
	if (protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return false;
		inner->version = 4;
		inner->length = bpf_ntohs(ip->tot_len);
		inner->id = outer_id(ip);
		inner->tos = ip->tos;
		inner->ttl = ip->ttl - 1;
		inner->df = !!(ip->frag_off & bpf_htons(0x4000));
		if (sum)
			inner->summed = inner_sum4(ip, end, inner);
		return ip->ttl > 1;
	} else {
		struct ipv6hdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return false;
		inner->version = 6;
		inner->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
		inner->id = bpf_get_prandom_u32();
		inner->tos = bpf_ntohs(*(__be16 *)ip) >> 4;
		inner->ttl = ip->hop_limit - 1;
		inner->df = 0;
		if (sum) {
			inner->summed = inner_sum6(ip, end, inner);
			inner->sum = folded((__u64)inner->sum + (__u16)~bpf_htons(1));
		}
		return ip->hop_limit > 1;
	}
}

static __always_inline void ttl_down4(struct iphdr *ip)
{
	__u32 *word = (__u32 *)ip + 2;	/* from the low end: TTL, protocol, checksum */

	*word += 0x10000 - 1 + (*word >= 0xfffe0000 ? 0x10000 : 0);
}

/* ECN by RFC 3168's full functionality: congestion that was met inside (both bits) is outside no more than ECT(0). */
static __always_inline __u8 outer_tos(__u8 tos)
{
	return tos - (tos & tos >> 1 & 1);
}

static __always_inline __u16 outer_check(const struct inner *inner, const struct server *s, const struct hop *hop,
					 const struct shim *shim)
{
	__u64 sum = (__u64)inner->sum + shim->word[0] + shim->word[1];
	__u16 check;

	if (shim->protocol == IPPROTO_UDP) {
		sum += shim->word[2];
		sum += bpf_htonl(IPPROTO_UDP + inner->length + shim->size);
		if (s->family == 4)
			sum += (__u64)s->address[0] + hop->outer[0];
		else
			for (int i = 0; i < 4; i++)
				sum += (__u64)s->address[i] + hop->outer[i];
	}
	check = ~folded(sum);
	return shim->protocol == IPPROTO_UDP && !check ? 0xffff : check;
}

/* `flow` is a hash of the packet's flow: packets of one flow shall take one way. */
static __always_inline void shim_make(const struct inner *inner, const struct server *s, const struct hop *hop,
				      __u32 flow, struct shim *shim)
{
	shim->word[0] = shim->word[1] = shim->word[2] = 0;
	shim->size = shim_size(s);
	if (s->tunnel_type == TUNNEL_GRE) {
		shim->protocol = IPPROTO_GRE;
		shim->gre.protocol = inner->version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
		if (s->tunnel_flags & TUNNEL_CSUM) {
			if (inner->summed) {
				shim->gre.flags = GRE_CSUM;
				shim->gre.check = outer_check(inner, s, hop, shim);
			} else {
				shim->size = 4;
			}
		}
	} else if (s->tunnel_type == TUNNEL_GUE) {
		shim->protocol = IPPROTO_UDP;
		shim->gue.source = bpf_htons(GUE_FIRST_PORT + ((__u64)flow * GUE_PORTS >> 32));
		shim->gue.target = s->tunnel_port;
		shim->gue.length = bpf_htons(inner->length + sizeof(shim->gue));
		shim->gue.inside = inner->version == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
		if (s->tunnel_flags & (TUNNEL_CSUM | TUNNEL_REMCSUM) && inner->summed)
			shim->gue.check = outer_check(inner, s, hop, shim);
	} else {
		shim->protocol = inner->version == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	}
}

/* As folded(), of a header of five words. */
static __always_inline __u16 header_folded(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

static __always_inline void outer4_write(struct iphdr *ip, const struct inner *inner, const struct server *s,
					 const struct hop *hop, const struct shim *shim)
{
	bool df = inner->df && front.sysctl.pmtu_disc;
	__u32 *word = (__u32 *)ip, length = inner->length + shim->size + sizeof(*ip);
	__u64 sum;

	word[0] = bpf_htonl(0x45000000 | outer_tos(inner->tos) << 16 | length);
	word[1] = df ? bpf_htonl(0x4000) : inner->id;	/* the id is the first half: on a little-endian host the low one */
	word[2] = bpf_htonl(inner->ttl << 24 | shim->protocol << 16);
	word[3] = hop->outer[0];
	word[4] = s->address[0];
	sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
	ip->check = ~folded(sum);
}

static __always_inline void outer6_write(struct ipv6hdr *ip, const struct inner *inner, const struct server *s,
					 const struct hop *hop, const struct shim *shim)
{
	__u32 *word = (__u32 *)ip;

	word[0] = bpf_htonl(6 << 28 | outer_tos(inner->tos) << 20);
	word[1] = bpf_htonl((inner->length + shim->size) << 16 | shim->protocol << 8 | inner->ttl);
	for (int i = 0; i < 4; i++) {
		word[2 + i] = hop->outer[i];
		word[6 + i] = s->address[i];
	}
}

static __always_inline __u32 flow_of(__u64 ports, __u64 addresses)
{
	__u64 h = (addresses ^ ports ^ parameters.seed[0]) * INDEX_PRIME;

	return h >> 32;
}

/* Of the packet that goes in: its addresses and what follows its header without options. */
static __always_inline __u32 inner_flow(void *l3, void *end, __be16 protocol)
{
	if (protocol == bpf_htons(ETH_P_IP)) {
		__u32 *word = l3;

		if ((void *)(word + 6) > end)
			return 0;
		return flow_of((__u64)word[5] << 8 | ((__u8 *)l3)[9], (__u64)word[3] << 32 | word[4]);
	} else {
		__u32 *word = l3;
		__u64 addresses = 0;

		if ((void *)(word + 11) > end)
			return 0;
		for (int i = 2; i < 10; i += 2)
			addresses = (addresses ^ ((__u64)word[i] << 32 | word[i + 1])) * INDEX_PRIME;
		return flow_of((__u64)word[10] << 8 | ((__u8 *)l3)[6], addresses);
	}
}

/* Does it take the way as it is, and the way it? IPVS sends nothing by a way too narrow for its protocol. */
static __always_inline bool fits(const struct server *s, __u32 mtu, __u32 overhead, __u32 length)
{
	return mtu >= overhead + (s->family == 4 ? MTU_LEAST4 : MTU_LEAST6) && length + overhead <= mtu;
}

static __always_inline bool checksummed(const struct server *s)
{
	return s->tunnel_type != TUNNEL_IPIP && s->tunnel_flags & (TUNNEL_CSUM | TUNNEL_REMCSUM);
}

/*
 * IPv4 in IPv4 and out by the device it came in by, which nearly every tunnel is: the same as xdp_wrap() in as few
 * steps as there can be, out of the hop alone. 0: nothing was done, for it is not that, or doesn't fit.
 */
static __always_inline int xdp_ipip4(struct xdp_md *ctx, __u32 number, __u32 length, const struct hop *hop,
				     enum packet_kind kind)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__u32 first, second, third, source, target, *outer;
	const __u32 *inner;
	__u64 sum;

	if ((void *)(ip + 1) > end || *(__be16 *)(data + offsetof(struct ethhdr, h_proto)) != bpf_htons(ETH_P_IP) ||
	    ip->ttl <= 1 || bpf_ntohs(ip->tot_len) + sizeof(*ip) > hop->mtu)
		return 0;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return 0;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	outer = data + sizeof(struct ethhdr);
	ip = (void *)outer + sizeof(*ip);
	inner = (void *)ip;
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	/* of eight bytes each, the last two are those of whoever is written next */
	*(__u64 *)data = hop->mac;
	*(__u64 *)(data + 6) = hop->source;
	*(__be16 *)(data + offsetof(struct ethhdr, h_proto)) = bpf_htons(ETH_P_IP);
	/* version and lengths, TOS as outer_tos() */
	first = (bpf_ntohl(inner[0]) & 0xffffff) + 0x45000000 + sizeof(*ip);
	first = bpf_htonl(first - (first & first >> 1 & 0x10000));
	second = inner[1] & bpf_htonl(0x4000) && front.sysctl.pmtu_disc ? bpf_htonl(0x4000) : outer_id(ip);
	third = (ip->ttl - 1) | bpf_htonl(IPPROTO_IPIP << 16);
	source = hop->outer[0];
	target = hop->outer[1];
	sum = (__u64)first + second + third + source + target;
	outer[0] = first;
	outer[1] = second;
	outer[2] = third | (__u32)(__u16)~header_folded(sum) << 16;
	outer[3] = source;
	outer[4] = target;
	ttl_down4(ip);
	count_forwarded(bpf_get_smp_processor_id(), number, length, kind);
	return XDP_TX;
}

/* Any tunnel, any families. */
static __always_inline int xdp_wrap(struct xdp_md *ctx, __u32 number, __u32 length, const struct server *s,
				    const struct hop *hop, enum packet_kind kind)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct shim shim = {};
	struct inner inner = {};
	__be16 protocol;

	if (data + sizeof(struct ethhdr) > end)
		return 0;
	protocol = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));
	data += sizeof(struct ethhdr);
	if (!inner_read(data, end, protocol, checksummed(s), &inner) ||
	    !fits(s, hop->mtu, outer_size(s) + shim_size(s), inner.length))
		return 0;
	shim_make(&inner, s, hop, s->tunnel_type == TUNNEL_GUE ? inner_flow(data, end, protocol) : 0, &shim);
	if (bpf_xdp_adjust_head(ctx, -(int)(outer_size(s) + shim.size)))
		return 0;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + sizeof(struct ethhdr) + sizeof(struct iphdr) > end)
		return XDP_DROP;
	frame_to(data, hop);
	data += offsetof(struct ethhdr, h_proto);
	if (s->family == 4) {
		*(__be16 *)data = bpf_htons(ETH_P_IP);
		data += sizeof(__be16);
		outer4_write(data, &inner, s, hop, &shim);
		data += sizeof(struct iphdr);
	} else {
		*(__be16 *)data = bpf_htons(ETH_P_IPV6);
		data += sizeof(__be16);
		if (data + sizeof(struct ipv6hdr) > end)
			return XDP_DROP;
		outer6_write(data, &inner, s, hop, &shim);
		data += sizeof(struct ipv6hdr);
	}
	if (shim.size) {
		if (data + SHIM_MOST > end)
			return XDP_DROP;
		*(__u32 *)data = shim.word[0];
		if (shim.size > 4)
			*(__u32 *)(data + 4) = shim.word[1];
		if (shim.size > 8)
			*(__u32 *)(data + 8) = shim.word[2];
		data += shim.size & 15;
	}
	if (data + sizeof(struct iphdr) > end)
		return XDP_DROP;
	if (inner.version == 4)
		ttl_down4(data);
	else
		((struct ipv6hdr *)data)->hop_limit--;
	count_forwarded(bpf_get_smp_processor_id(), number, length, kind);
	return hop->wire == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(hop->wire, 0);
}

/* Send a packet that counts `length` bytes; 0: it is for tc, as all with tags are. Global: verified once. */
__noinline int xdp_tunnel(struct xdp_md *ctx, __u32 number, __u32 length, enum packet_kind kind)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct hop *hop = hop_at(number);
	struct server *s;
	__be16 protocol;

	asm volatile("" : "+r"(hop));	/* keep it, instead of reckoning it again for each use */
	if (hop->tags || hop_due(&hop->asked, ticks()) ||
	    data + sizeof(struct ethhdr) + sizeof(struct iphdr) > end)
		return 0;
	protocol = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));
	if (protocol != bpf_htons(ETH_P_IP) && protocol != bpf_htons(ETH_P_IPV6))
		return 0;
	if (hop->wire != ctx->ingress_ifindex) {
		struct device *way = device_at(hop->wire);

		if (!way || !(way->flags & DEVICE_REDIRECT))
			return 0;
	}
	s = server_at(number);
	return s ? xdp_wrap(ctx, number, length, s, hop, kind) : 0;
}

/* The same at tc: an end for every packet. */

static __always_inline int tc_tunnel_end(enum verdict verdict)
{
	count_verdict(bpf_get_smp_processor_id(), verdict);
	return TC_ACT_SHOT;
}

/* Count the TTL down; the helper keeps what the kernel knows of checksums. */
static __always_inline bool skb_ttl_down(struct __sk_buff *skb, const struct inner *inner)
{
	struct iphdr ip;

	if (inner->version == 6)
		return !bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, hop_limit), &inner->ttl, 1,
					    BPF_F_RECOMPUTE_CSUM);
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return false;
	ttl_down4(&ip);
	return !bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM);
}

/* Make room in front of the packet, and see to it that the kernel cuts a large one into what fits. */
static __always_inline bool skb_room(struct __sk_buff *skb, const struct server *s, __u8 protocol, __u32 overhead, __u32 mtu)
{
	__u64 flags = s->family == 4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;

	if (s->tunnel_type == TUNNEL_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	if (s->tunnel_type == TUNNEL_GUE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (protocol != IPPROTO_TCP || skb->gso_size + INNER_MOST + overhead <= mtu)
		flags |= BPF_F_ADJ_ROOM_FIXED_GSO;
	return !bpf_skb_adjust_room(skb, overhead, BPF_ADJ_ROOM_MAC, flags);
}

static __always_inline bool skb_store(struct __sk_buff *skb, __u32 at, const void *from, __u32 size)
{
	return !bpf_skb_store_bytes(skb, at, from, size, BPF_F_RECOMPUTE_CSUM);
}

static __always_inline bool skb_wrap(struct __sk_buff *skb, const struct inner *inner, const struct server *s,
				     const struct hop *hop, const struct shim *shim)
{
	__be16 protocol = s->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	__u32 at = ETH_HLEN + outer_size(s);

	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0))
		return false;
	if (s->family == 4) {
		struct iphdr ip;

		outer4_write(&ip, inner, s, hop, shim);
		if (!skb_store(skb, ETH_HLEN, &ip, sizeof(ip)))
			return false;
	} else {
		struct ipv6hdr ip;

		outer6_write(&ip, inner, s, hop, shim);
		if (!skb_store(skb, ETH_HLEN, &ip, sizeof(ip)))
			return false;
	}
	if (shim->size == 4)
		return skb_store(skb, at, shim->word, 4);
	if (shim->size == 8)
		return skb_store(skb, at, shim->word, 8);
	return !shim->size || skb_store(skb, at, shim->word, 12);
}

/* How large a packet the way takes. The kernel tells the route's size with the neighbour; before that it is the device's. */
static __always_inline __u32 way_mtu(struct __sk_buff *skb, const struct hop *hop, int state)
{
	__u32 mtu = 0;

	if (state == HOP_TUNNEL)
		return hop->mtu;
	bpf_check_mtu(skb, hop->ifindex, &mtu, 0, 0);
	return mtu;
}

/* Answers go back by `device`; 0: there is no way to answer. `next` names the next hop if it was just looked up. */
__noinline int tc_tunnel(struct __sk_buff *skb, const struct packet *p, __u32 number, __u32 device,
			 struct bpf_redir_neigh *next)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct server *s = server_at(number);
	struct hop *hop = hop_at(number);
	struct inner inner = {};
	__u32 overhead, mtu, flow;
	int state = hop->state;
	struct shim shim;

	if (!p || !s || !next)
		return tc_tunnel_end(SERVER_GONE);
	if (p->kind >= KIND_LATER)
		device = 0;	/* no error is answered by one, and of a datagram only its first fragment (RFC 1122, 3.2.2) */
	if (!inner_read(data + ETH_HLEN, end, skb->protocol, checksummed(s) && !skb->gso_size, &inner)) {
		count_verdict(bpf_get_smp_processor_id(), TIME_EXCEEDED);
		return device ? answer(skb, p, ticks(), device, ANSWER_TIME_EXCEEDED, 0) : TC_ACT_SHOT;
	}
	overhead = outer_size(s) + shim_size(s);
	mtu = way_mtu(skb, hop, state);
	if (!fits(s, mtu, overhead, 0))
		return tc_tunnel_end(NO_ROUTE);
	if (inner.length + overhead > mtu && !skb->gso_size) {
		skb_ttl_down(skb, &inner);	/* the error quotes it so */
		count_verdict(bpf_get_smp_processor_id(), TOO_BIG);
		return device ? answer(skb, p, ticks(), device, ANSWER_TOO_BIG, mtu - overhead) : TC_ACT_SHOT;
	}
	flow = inner_flow(data + ETH_HLEN, end, skb->protocol);
	shim_make(&inner, s, hop, flow, &shim);
	if (!skb_ttl_down(skb, &inner) || !skb_room(skb, s, protocol_of(p), outer_size(s) + shim.size, mtu) ||
	    !skb_wrap(skb, &inner, s, hop, &shim))
		return tc_tunnel_end(MALFORMED);
	count_forwarded(bpf_get_smp_processor_id(), number, p->length, p->kind);
	if (next->nh_family) {
		if (state != HOP_TUNNEL)
			count_verdict(bpf_get_smp_processor_id(), NO_NEIGHBOUR);
		return bpf_redirect_neigh(hop->ifindex, next, sizeof(*next), 0);
	}
	if (bpf_skb_store_bytes(skb, 0, &hop->mac, 6, 0) || bpf_skb_store_bytes(skb, 6, &hop->source, 6, 0))
		return tc_tunnel_end(MALFORMED);
	return bpf_redirect(hop->ifindex, 0);
}

#endif
