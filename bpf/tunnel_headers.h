/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands in front of a packet in a tunnel: what the packet that goes in tells of itself, and what the outer headers
 * are made of. As IPVS, the outer header takes TTL, TOS and DF from the packet inside.
 *
 * Checksums of the outer packet (GUE's and GRE's, where wanted) cost no walk through the payload:
 * TCP and UDP are inside with a checksum of their own, and whatever it covers adds up to the
 * complement of its pseudo header. This holds also while the checksum is still the device's to be filled
 * in, where a walk would be wrong. What has no such checksum inside, and packets whose segments the
 * kernel cuts later, go without one outside.
 */
#ifndef DIRECTRIX_TUNNEL_HEADERS_H
#define DIRECTRIX_TUNNEL_HEADERS_H

#include "packet.h"
#include "ttl.h"

enum tunnel_type { TUNNEL_IPIP, TUNNEL_GUE, TUNNEL_GRE };
enum { TUNNEL_CSUM = 1, TUNNEL_REMCSUM = 2 };

#define GRE_CSUM bpf_htons(0x8000)
#define GUE_FIRST_PORT 32768	/* where Linux takes a flow's source port from, unless told otherwise */
#define GUE_PORTS 28231
#define SHIM_MOST 12
#define IP_DF 0x4000
#define MTU_LEAST4 68
#define MTU_LEAST6 1280

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

/* What an IPv4 packet tells; without its sum. */
static __always_inline void inner4_read(const struct iphdr *ip, struct inner *inner)
{
	inner->version = 4;
	inner->length = bpf_ntohs(ip->tot_len);
	inner->id = outer_id(ip);
	inner->tos = ip->tos;
	inner->ttl = ip->ttl - 1;
	inner->df = !!(ip->frag_off & bpf_htons(IP_DF));
}

/* What the outer header needs to know of the inner; TTL is counted down, the sum that of the packet afterwards. */
static __always_inline bool inner_read(void *l3, void *end, __be16 protocol, bool sum, struct inner *inner)
{
	if (protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return false;
		inner4_read(ip, inner);
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

static __always_inline void outer4_write(struct iphdr *ip, const struct inner *inner, const struct server *s,
					 const struct hop *hop, const struct shim *shim)
{
	bool df = inner->df && front.sysctl.pmtu_disc;
	__u32 *word = (__u32 *)ip, length = inner->length + shim->size + sizeof(*ip);
	__u64 sum;

	word[0] = bpf_htonl(0x45000000 | outer_tos(inner->tos) << 16 | length);
	word[1] = df ? bpf_htonl(IP_DF) : inner->id;	/* the id is the first half: on a little-endian host the low one */
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

/* The same in a packet at tc, by helpers: they keep what the kernel knows of checksums and segments. */

#define INNER_MOST 120		/* the largest headers of TCP in IP */

/* The packet this CPU is wrapping, too large for the stack. */
struct wrapping {
	struct inner inner;
	struct shim shim;
	union {
		struct iphdr outer4;
		struct ipv6hdr outer6;
	};
	__be16 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wrapping);
} wrap_scratch SEC(".maps");

static __always_inline struct wrapping *wrapping_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wrap_scratch, &zero);
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

static __always_inline bool skb_wrap(struct __sk_buff *skb, struct wrapping *w, const struct server *s, const struct hop *hop)
{
	__u32 at = ETH_HLEN + outer_size(s);
	bool stored;

	w->protocol = s->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &w->protocol, sizeof(w->protocol), 0))
		return false;
	if (s->family == 4) {
		outer4_write(&w->outer4, &w->inner, s, hop, &w->shim);
		stored = skb_store(skb, ETH_HLEN, &w->outer4, sizeof(w->outer4));
	} else {
		outer6_write(&w->outer6, &w->inner, s, hop, &w->shim);
		stored = skb_store(skb, ETH_HLEN, &w->outer6, sizeof(w->outer6));
	}
	if (!stored || !w->shim.size)
		return stored;
	if (w->shim.size == 4)
		return skb_store(skb, at, w->shim.word, 4);
	if (w->shim.size == 8)
		return skb_store(skb, at, w->shim.word, 8);
	return skb_store(skb, at, w->shim.word, 12);
}

#endif
