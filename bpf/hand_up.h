/* SPDX-License-Identifier: GPL-2.0 */
/* The end of a packet under XDP: one of the verdicts, or handed up to tc; and what goes in again as if it came so. */
#ifndef DIRECTRIX_HAND_UP_H
#define DIRECTRIX_HAND_UP_H

#include "fragment.h"

/* What XDP leaves in the place of the destination MAC of a frame it hands up. */
struct handed_up {
	__u32 ifindex;		/* the device it came in by, a VLAN's own if it was tagged */
	__u16 mark;
};

#define HANDED_UP_MARK 0x6478

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

/* The copies that wait for the first fragment at hand go in again, as what XDP hands up if it came so from `device`. */
__noinline int tc_release(struct __sk_buff *skb, __u32 device, __u32 now)
{
	struct handed_up head = { .ifindex = device, .mark = HANDED_UP_MARK };

	if (device == skb->ifindex && bpf_skb_load_bytes(skb, 0, &head, 6))
		return 0;
	return fragment_release(skb, &head, now);
}

#endif
