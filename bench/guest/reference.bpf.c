/* SPDX-License-Identifier: GPL-2.0 */
/* What costs are compared with: the least an XDP program can do, and where frames end. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps");

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int send_back(struct xdp_md *ctx)
{
	return XDP_TX;
}

/* Swap the MACs and send back: the least a director must do. */
SEC("xdp")
int swap(struct xdp_md *ctx)
{
	__u16 *mac = (void *)(long)ctx->data;

	if ((void *)(mac + 7) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < 3; i++) {
		__u16 word = mac[i];

		mac[i] = mac[i + 3];
		mac[i + 3] = word;
	}
	return XDP_TX;
}

/* The network's end: frames to one host are counted by the last byte of its MAC. */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	__u64 *count;
	__u32 host;

	if (data + 14 > (__u8 *)(long)ctx->data_end || data[0] & 1)
		return XDP_DROP;
	host = data[5];
	count = bpf_map_lookup_elem(&arrived, &host);
	if (count)
		(*count)++;
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
