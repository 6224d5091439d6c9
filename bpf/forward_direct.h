/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Direct routing: of the packet only the TTL changes, the frame gets the real server's MAC and ours. And how a frame
 * leaves, whatever the method.
 */
#ifndef DIRECTRIX_FORWARD_DIRECT_H
#define DIRECTRIX_FORWARD_DIRECT_H

#include "director.h"
#include "neighbour.h"

/* MACs into a frame, given as words of eight bytes: the last two of each are those of whoever is written next. */
static __always_inline void frame_between(void *frame, __u64 mac, __u64 source, __be16 protocol)
{
	*(__u64 *)frame = mac;
	*(__u64 *)(frame + ETH_ALEN) = source;
	*(__be16 *)(frame + offsetof(struct ethhdr, h_proto)) = protocol;
}

static __always_inline void frame_to(void *frame, const struct hop *hop)
{
	frame_between(frame, hop->mac, hop->source, *(__be16 *)(frame + offsetof(struct ethhdr, h_proto)));
}

/* The same at tc. */
static __always_inline bool skb_frame_between(struct __sk_buff *skb, const __u64 *mac, const __u64 *source)
{
	return !bpf_skb_store_bytes(skb, 0, mac, ETH_ALEN, 0) && !bpf_skb_store_bytes(skb, ETH_ALEN, source, ETH_ALEN, 0);
}

/* An Ethernet header, its MACs still to come, in front of a packet from a device without. */
static __always_inline bool skb_ethernet(struct __sk_buff *skb)
{
	__be16 protocol = skb->protocol;

	return !bpf_skb_change_head(skb, sizeof(struct ethhdr), 0) &&
	       !bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0);
}

/* May XDP send to this hop what came in by device `ifindex`? */
static __always_inline bool xdp_can_send(const struct hop *hop, __u32 ifindex)
{
	struct device *way;

	if (hop->wire == ifindex)
		return true;
	way = device_at(hop->wire);
	return way && way->flags & DEVICE_REDIRECT;
}

static __always_inline int xdp_send(__u32 wire, __u32 ifindex)
{
	return wire == ifindex ? XDP_TX : bpf_redirect(wire, 0);
}

#endif
