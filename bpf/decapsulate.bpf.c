/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The far end of a tunnel, for real servers whose kernel has no tunnel device: takes packets for one virtual address
 * out of IPIP, GRE and GUE, either family in either, and leaves everything else as it is. It hangs in tc's ingress,
 * one for each virtual address, which user space writes into the object (`decapsulation`) before it is loaded.
 *
 * The outer packet never reaches the host's own IP, so what that would find out about it is found out here: a wrong
 * checksum, a fragment (those can't be put together here; directrix's directors send none), what routers in the
 * tunnel said about congestion. What is inside the host judges itself.
 *
 * A packet of the other family is one for the kernel, too, only if that is told so. Linux before 6.3 has no other way than
 * the helper that would translate the outer header; that is just about to go.
 */
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PACKET_HOST 0
#define LONGER ((int)sizeof(struct ipv6hdr) - (int)sizeof(struct iphdr))
#define IP_FRAGMENT bpf_htons(0x3fff)
#define GRE_CSUM bpf_htons(0x8000)
#define CONGESTION 3		/* both bits: met; none: the packet's ends don't know of it */

enum { TUNNEL_IPIP = 1, TUNNEL_GUE = 2, TUNNEL_GRE = 4 };

/* What user space writes; it knows the place by what is written there. */
struct decapsulation {
	__u8 address[16];	/* IPv4 in the first four */
	__be16 port;		/* of GUE */
	__u8 family;		/* 4 or 6 */
	__u8 tunnels;		/* which are taken */
};

const volatile struct decapsulation decapsulation = { .address = "virtual address!", .port = 0xffff, .family = 0xff, .tunnels = 0xff };

char _license[] SEC("license") = "GPL";

static __always_inline __u8 family_of(__u8 protocol)
{
	return protocol == IPPROTO_IPIP ? 4 : protocol == IPPROTO_IPV6 ? 6 : 0;
}

/* The size of the outer IP header; 0 if it is none that can be taken off. */
static __always_inline __u32 outer_read(struct __sk_buff *skb, __u8 *protocol, __u8 *tos)
{
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;
		__s64 sum;

		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl != 5 ||
		    ip.frag_off & IP_FRAGMENT)
			return 0;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0);
		sum = (sum & 0xffff) + (sum >> 16);
		if ((sum & 0xffff) + (sum >> 16) != 0xffff)
			return 0;
		*protocol = ip.protocol;
		*tos = ip.tos;
		return sizeof(ip);
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.version != 6)
			return 0;
		*protocol = ip.nexthdr;
		*tos = bpf_ntohs(*(__be16 *)&ip) >> 4;
		return sizeof(ip);
	}
	return 0;
}

/* The family of what is inside, behind headers of *size bytes; 0 if it is no tunnel of ours. */
static __always_inline __u8 inside(struct __sk_buff *skb, __u8 protocol, __u32 *size)
{
	__u8 shim[12];

	if (family_of(protocol))
		return decapsulation.tunnels & TUNNEL_IPIP ? family_of(protocol) : 0;
	if (protocol == IPPROTO_GRE && decapsulation.tunnels & TUNNEL_GRE) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + *size, shim, 4) || *(__be16 *)shim & ~GRE_CSUM)
			return 0;
		*size += *(__be16 *)shim & GRE_CSUM ? 8 : 4;
		return *(__be16 *)(shim + 2) == bpf_htons(ETH_P_IP) ? 4 : *(__be16 *)(shim + 2) == bpf_htons(ETH_P_IPV6) ? 6 : 0;
	}
	if (protocol == IPPROTO_UDP && decapsulation.tunnels & TUNNEL_GUE) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + *size, shim, 12) || *(__be16 *)(shim + 2) != decapsulation.port ||
		    shim[8] || *(__be16 *)(shim + 10))
			return 0;
		*size += 12;
		return family_of(shim[9]);
	}
	return 0;
}

/* Is it for the virtual address? Its TOS is told, too. */
static __always_inline bool for_vip(struct __sk_buff *skb, __u32 at, __u8 family, __u8 *tos)
{
	__u8 address[16] = {}, head[2];

	if (family != decapsulation.family || bpf_skb_load_bytes(skb, at, head, sizeof(head)) || head[0] >> 4 != family)
		return false;
	*tos = family == 4 ? head[1] : head[0] << 4 | head[1] >> 4;
	if (family == 4 ? bpf_skb_load_bytes(skb, at + offsetof(struct iphdr, daddr), address, 4) :
			  bpf_skb_load_bytes(skb, at + offsetof(struct ipv6hdr, daddr), address, 16))
		return false;
	for (int i = 0; i < 16; i++)
		if (address[i] != decapsulation.address[i])
			return false;
	return true;
}

/* Congestion that was met in the tunnel is told inside (RFC 6040): both bits of `tos` become set. */
static __always_inline bool congestion_met(struct __sk_buff *skb, __u8 family, __u8 tos)
{
	__u8 told = tos | CONGESTION, byte;

	if (family == 4)
		return !bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), bpf_htons(tos), bpf_htons(told), 2) &&
		       !bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, tos), &told, 1, 0);
	if (bpf_skb_load_bytes(skb, ETH_HLEN + 1, &byte, 1))
		return false;
	byte |= CONGESTION << 4;
	return !bpf_skb_store_bytes(skb, ETH_HLEN + 1, &byte, 1, BPF_F_RECOMPUTE_CSUM);
}

SEC("tc")
int decapsulate(struct __sk_buff *skb)
{
	__u8 protocol = 0, outer_tos = 0, tos = 0, outer = skb->protocol == bpf_htons(ETH_P_IP) ? 4 : 6, family;
	__be16 type;
	__u32 size;

	if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
		return TC_ACT_UNSPEC;
	size = outer_read(skb, &protocol, &outer_tos);
	if (!size)
		return TC_ACT_UNSPEC;
	family = inside(skb, protocol, &size);
	if (!family || !for_vip(skb, ETH_HLEN + size, family, &tos))
		return TC_ACT_UNSPEC;
	if ((outer_tos & CONGESTION) == CONGESTION && !(tos & CONGESTION))
		return TC_ACT_SHOT;
	type = family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (family != outer) {
		if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0) ||
		    bpf_skb_change_proto(skb, type, 0))
			return TC_ACT_SHOT;
		size += family == 6 ? LONGER : -LONGER;	/* the helper has changed the outer header's size */
	}
	if (bpf_skb_adjust_room(skb, -(int)size, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_SHOT;
	if ((outer_tos & CONGESTION) == CONGESTION && (tos & CONGESTION) != CONGESTION && !congestion_met(skb, family, tos))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}
