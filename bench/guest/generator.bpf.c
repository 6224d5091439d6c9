/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets out of nothing: run by BPF_PROG_TEST_RUN with live frames on one end of a veth pair,
 * each run writes a whole frame and sends it to the other end with XDP_TX. Flows differ in their
 * source port. The first packet of every batch leaves its time, so that what a batch costs can be
 * read off afterwards; with QEMU's icount a nanosecond is an instruction.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TEMPLATE_WORDS 10
#define BATCH 64
#define MAX_BATCHES 4096

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_BATCHES);
	__type(key, __u32);
	__type(value, __u64);
} times SEC(".maps");

/* Set by user space before a run. */
struct {
	__u64 frame[TEMPLATE_WORDS];	/* with source port 0 */
	__u32 flow, mask;		/* the next flow, and how many there are less one: a mask */
	__u32 sent;
	__u16 first_port;		/* of flow 0, host order */
	__u16 sum;			/* of what the TCP checksum covers, folded, not inverted */
	__u32 tcp;			/* has a checksum */
} plan SEC(".data.plan");

static __always_inline int frame(struct xdp_md *ctx, int words, int ports, int checksum)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 port;
	__u32 sum;

	if (data + words * 8 + 4 > end || data + checksum + 2 > end)
		return XDP_ABORTED;
	for (int i = 0; i < words; i++)
		((__u64 *)data)[i] = plan.frame[i];
	*(__u32 *)(data + words * 8) = plan.frame[words];
	if (!(plan.sent & (BATCH - 1))) {
		__u32 batch = plan.sent / BATCH;
		__u64 *time = bpf_map_lookup_elem(&times, &batch);

		if (time)
			*time = bpf_ktime_get_ns();
	}
	plan.sent++;
	port = bpf_htons(plan.first_port + (plan.flow++ & plan.mask));
	*(__u16 *)(data + ports) = port;
	if (plan.tcp) {
		sum = (__u32)plan.sum + port;
		*(__u16 *)(data + checksum) = ~((sum & 0xffff) + (sum >> 16));
	}
	return XDP_TX;
}

SEC("xdp")
int generate4(struct xdp_md *ctx)
{
	return frame(ctx, 6, 34, 50);
}

SEC("xdp")
int generate6(struct xdp_md *ctx)
{
	return frame(ctx, 8, 54, 70);
}

char _license[] SEC("license") = "GPL";
