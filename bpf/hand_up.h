/* SPDX-License-Identifier: GPL-2.0 */
/* From XDP to tc: the end of a packet under XDP, which may be that tc goes on with it; and what goes in again as if it came so. */
#ifndef DIRECTRIX_HAND_UP_H
#define DIRECTRIX_HAND_UP_H

#include "fragment.h"

/* What XDP leaves in the place of the destination MAC of a frame it hands up. */
struct handed_up {
	__u32 ifindex;		/* the device it came in by, a VLAN's own if it was tagged */
	__u16 mark;
};

#define HANDED_UP_MARK 0x6478

/* Where a program at tc is: at a device, behind XDP, or at a device without Ethernet headers. */
enum tc_place { TC_ALONE, TC_BEHIND_XDP, TC_IP };

static __always_inline int xdp_end(enum verdict verdict)
{
	count_verdict(bpf_get_smp_processor_id(), verdict);
	return verdict <= HANDED_UP ? XDP_PASS : XDP_DROP;
}

static __noinline int hand_up(struct xdp_md *ctx, __u32 ifindex)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct handed_up *head = data;
	struct device *d = device_at(ifindex);

	if (data + sizeof(struct ethhdr) > end)
		return xdp_end(MALFORMED);
	head->ifindex = d ? d->arrives : ifindex;
	head->mark = HANDED_UP_MARK;
	count_verdict(bpf_get_smp_processor_id(), HANDED_UP);
	return bpf_redirect(front.up, 0);
}

/* Undo what XDP did to a frame it handed up: answers the device it came in by, 0 if it is none of XDP's. */
static __always_inline __u32 take_up(struct __sk_buff *skb)
{
	struct handed_up head;
	struct device *d;
	__u64 mac;

	if (bpf_skb_load_bytes(skb, 0, &head, 6) || head.mark != HANDED_UP_MARK)
		return 0;
	d = device_at(head.ifindex);
	if (!d)
		return 0;
	mac = d->mac;
	return bpf_skb_store_bytes(skb, 0, &mac, 6, 0) ? 0 : head.ifindex;
}

/* The copies that wait for the first fragment at hand go in again, as what XDP hands up if it came so from `device`. */
__noinline int tc_release(struct __sk_buff *skb, __u32 device, __u32 now)
{
	struct handed_up head = { .ifindex = device, .mark = HANDED_UP_MARK };

	if (device == skb->ifindex && bpf_skb_load_bytes(skb, 0, &head, 6))
		return 0;
	return fragment_release(skb, &head, now);
}

#endif
