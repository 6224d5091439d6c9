/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a frame for a real server goes: device, VLAN tags, MACs.
 *
 * The kernel's own neighbour table is the truth; a server keeps a copy that is looked up again
 * by a packet every parameters.hop_ticks. That packet is sent through the kernel's neighbour code instead
 * of the short way, so that the kernel notices the use, asks again when its knowledge is old,
 * and holds packets while it waits for a first answer. So addresses that change are followed,
 * and unknown ones asked for, with no process of ours alive.
 *
 * The look-up is made as if the packet came from the loopback device, which is the rule Linux
 * applies to a host's own packets: a director need not forward on its other devices.
 */
#ifndef DIRECTRIX_NEIGHBOUR_H
#define DIRECTRIX_NEIGHBOUR_H

#include "maps.h"

#define EINVAL 22
#define AF_INET 2
#define AF_INET6 10
#define PATH_MTU_SECONDS 600	/* Linux's mtu_expires */

static __always_inline __u64 mac_word(const __u8 *mac)
{
	__u64 word = 0;

	__builtin_memcpy(&word, mac, 6);
	return word;
}

static __always_inline void hop_set(struct hop *h, enum hop_state state)
{
	if (h->state != state)
		h->state = state;
}

/* The source of a tunnel's outer header, as the route says. Answers whether one is known. */
static __always_inline bool outer_learn(struct hop *hop, __u8 family, const struct bpf_fib_lookup *fib)
{
	if (family == 4) {
		if (fib->ipv4_src && hop->outer[0] != fib->ipv4_src)
			hop->outer[0] = fib->ipv4_src;
		return hop->outer[0];
	}
	if (fib->ipv6_src[0] | fib->ipv6_src[1] | fib->ipv6_src[2] | fib->ipv6_src[3])
		__builtin_memcpy(hop->outer, fib->ipv6_src, sizeof(hop->outer));
	return hop->outer[0] | hop->outer[1] | hop->outer[2] | hop->outer[3];
}

/* The kernel's answer to a look-up as an enum hop_state. */
static __always_inline int next_hop_state(const struct bpf_fib_lookup *fib, long rc)
{
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return HOP_NO_ROUTE;
	/* older kernels answer with the empty address of an entry that is still being asked for */
	return rc == BPF_FIB_LKUP_RET_NO_NEIGH || !mac_word(fib->dmac) ? HOP_UNRESOLVED : HOP_RESOLVED;
}

/* The next hop that was looked up, as bpf_redirect_neigh() wants to hear it. */
static __always_inline void next_hop_name(const struct bpf_fib_lookup *fib, struct bpf_redir_neigh *next)
{
	next->nh_family = fib->family;
	if (fib->family == AF_INET)
		next->ipv4_nh = fib->ipv4_dst;
	else
		__builtin_memcpy(next->ipv6_nh, fib->ipv6_dst, sizeof(next->ipv6_nh));
}

/* The kernel tells how large a packet a route takes with the neighbour; before that it is what the device does. */
static __always_inline __u32 device_mtu(struct __sk_buff *skb, __u32 ifindex)
{
	__u32 mtu = 0;

	bpf_check_mtu(skb, ifindex, &mtu, 0, 0);
	return mtu;
}

/* How large a packet the way to a server takes: what the route says, or what a router on it said lately (tunnel_error.h). */
static __always_inline __u32 path_mtu(const struct server *s, __u32 mtu)
{
	__u32 kept = PATH_MTU_SECONDS * parameters.hertz >> TICK_SHIFT;

	return s->path_mtu && s->path_mtu < mtu && ticks() - s->path_told < kept ? s->path_mtu : mtu;
}

/*
 * Look the next hop up of a server. On all but HOP_LOCAL and HOP_NO_ROUTE `next` names it for bpf_redirect_neigh() and
 * hop->ifindex its device.
 */
static __noinline int hop_look_up(struct __sk_buff *skb, __u32 number, struct bpf_redir_neigh *next)
{
	struct bpf_fib_lookup fib = { .ifindex = front.lo, .tot_len = 1 };	/* 1: the route's MTU is wanted */
	struct server *s = server_at(number);
	struct hop *hop = hop_at(number);
	bool tunnel = hop->flags & SERVER_TUNNEL;
	struct device *d;
	int state;
	long rc;

	if (!s)
		return HOP_NO_ROUTE;
	if (s->family == 4) {
		fib.family = AF_INET;
		fib.ipv4_dst = s->address[0];
	} else {
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_dst, s->address, sizeof(fib.ipv6_dst));
	}
	rc = bpf_fib_lookup(skb, &fib, sizeof(fib), tunnel ? BPF_FIB_LOOKUP_SRC : 0);
	if (tunnel && rc == -EINVAL)	/* an older kernel: it tells no source */
		rc = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	hop->answer = rc;
	state = next_hop_state(&fib, rc);
	if (state == HOP_NO_ROUTE) {
		if (hop->flags & SERVER_LOCAL)
			state = HOP_LOCAL;	/* the answer is the same for this host's own addresses: user space knows those */
		hop_set(hop, state);
		return state;
	}
	if (tunnel) {
		front.tunnels = 1;
		if (!outer_learn(hop, s->family, &fib)) {
			hop_set(hop, HOP_NO_ROUTE);
			return HOP_NO_ROUTE;
		}
	}
	d = device_at(fib.ifindex);
	hop->ifindex = fib.ifindex;
	hop->wire = d ? d->wire : fib.ifindex;
	hop->tags = d ? d->tags : 0;
	next_hop_name(&fib, next);
	if (state == HOP_UNRESOLVED) {
		hop_set(hop, HOP_UNRESOLVED);
		return HOP_UNRESOLVED;
	}
	if (hop->mac != mac_word(fib.dmac))
		hop->mac = mac_word(fib.dmac);
	if (hop->source != mac_word(fib.smac))
		hop->source = mac_word(fib.smac);
	hop->mtu = path_mtu(s, fib.mtu_result);
	if (hop->flags & SERVER_MASQUERADE)
		hop_set(hop, HOP_MASQUERADE);
	else
		hop_set(hop, tunnel ? HOP_TUNNEL : hop->mtu < front.widest ? HOP_NARROW : HOP_RESOLVED);
	return hop->state;
}

/* Is it this packet's turn to look? Only one CPU gets a yes. */
static __always_inline bool hop_due(__u32 *last, __u32 now)
{
	__u32 then = *last;

	return now - then >= parameters.hop_ticks && __sync_val_compare_and_swap(last, then, now) == then;
}

#endif
