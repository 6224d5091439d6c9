/* SPDX-License-Identifier: GPL-2.0 */
/* VLAN tags of frames: as they stand there under XDP, and as the kernel has them at tc. */
#ifndef DIRECTRIX_VLAN_H
#define DIRECTRIX_VLAN_H

#include "maps.h"

#define VLAN_ID 0x0fff

struct vlan_header {
	__be16 tci;
	__be16 protocol;
};

/* Up to two VLAN tags: the network protocol, the offset behind them and the ids. */
static __always_inline __be16 skip_tags(void *data, void *end, __u32 *offset, __u32 *tags)
{
	__be16 protocol = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));

#pragma clang loop unroll(full)
	for (int i = 0; i < 2; i++) {
		struct vlan_header *tag = data + *offset;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return 0;
		*tags = *tags << 16 | (bpf_ntohs(tag->tci) & VLAN_ID);
		*offset += sizeof(*tag);
		protocol = tag->protocol;
	}
	return protocol;
}

/*
 * The device a frame is for: the one it came in by, or the VLAN's on it. 0 if it isn't for this
 * host. Tags that no device here has are left alone (`foreign`): such a frame can be sent on by
 * the wire it came in by, tags and all.
 */
static __always_inline __u32 device_for(__u32 ifindex, const struct ethhdr *eth, __u32 tags, bool *foreign)
{
	struct device *d = device_at(ifindex);

	if (!d || (*(__u64 *)eth & 0xffffffffffffULL) != d->mac)
		return 0;
	if (tags) {
		struct vlan_key key = { .wire = d->arrives, .tags = tags };
		__u32 *vlan = bpf_map_lookup_elem(&vlans, &key);

		if (vlan)
			return *vlan;
		*foreign = true;
	}
	return ifindex;
}

/* May a frame with these tags leave by this hop as it is? */
static __always_inline bool tags_fit(const struct hop *hop, __u32 tags, bool foreign, __u32 ifindex)
{
	return foreign ? !hop->tags && hop->wire == ifindex : hop->tags == tags;
}

/*
 * The VLAN tags of a frame at tc, of which the kernel keeps the outer one beside the packet. The
 * inner one, if there is one, stands where `offset` points and is stepped over.
 */
static __always_inline __u32 tags_of(struct __sk_buff *skb, void *data, void *end, __u32 *offset, __be16 *protocol)
{
	__u32 tags = skb->vlan_tci & VLAN_ID;
	struct vlan_header *tag = data + *offset;

	if (*protocol != bpf_htons(ETH_P_8021Q) && *protocol != bpf_htons(ETH_P_8021AD))
		return tags;
	if ((void *)(tag + 1) > end)
		return tags;
	*offset += sizeof(*tag);
	*protocol = tag->protocol;
	return tags << 16 | (bpf_ntohs(tag->tci) & VLAN_ID);
}

/* Take a frame's tags off: the way out has its own. */
static __always_inline bool drop_tags(struct __sk_buff *skb)
{
	for (int i = 0; i < 2; i++)
		if (skb->vlan_present && bpf_skb_vlan_pop(skb))
			return false;
	return true;
}

#endif
