/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many packets, of many flows, for the data plane on this machine's kernel: every repetition of a
 * test run makes the frame anew, of the next flow, and goes on as the program under test (a tail
 * call). Without one it ends here, and what that takes is what to subtract. In an attack a SYN comes
 * after so many packets of flows, every one from another source (IPv4 only).
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CHECKSUM 24
#define CLIENT 26
#define PORT4 34
#define FLAGS4 47
#define PORT6 54
#define PORT_BITS 15
#define FIRST_PORT 1024

struct under_test {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct under_test xdp_under_test SEC(".maps");
struct under_test tc_under_test SEC(".maps");

/* Set by user space before a run. The MACs are written anew, because the director rewrites them. */
struct {
	__u32 macs[3];
	__u32 flow;	/* the next */
	__u32 flows;	/* how many there are; over IPv6 no more than there are ports */
	__u32 client;	/* IPv4 address of the first, host order */
	__u32 sum;	/* of the IPv4 header without checksum and client; not folded */
	__u32 ipv6;
	__u32 flags;	/* of TCP, of a packet that is no attacker's */
	__u32 attack;	/* one packet in so many is an attacker's SYN; 0: there is none */
	__u32 turn;	/* packets since the last one */
	__u32 source;	/* IPv4 address of the next attacker, host order */
} plan SEC(".data.plan");

static __always_inline int make(__u8 *data, __u8 *end)
{
	__u32 flow = plan.flow, client = plan.client + (flow >> PORT_BITS), sum;
	__be16 port = bpf_htons(FIRST_PORT + (flow & ((1 << PORT_BITS) - 1)));

	if (data + PORT6 + 2 > end)
		return -1;
	if (plan.attack && ++plan.turn >= plan.attack) {
		plan.turn = 0;
		client = plan.source++;
		data[FLAGS4] = 0x02;
	} else {
		plan.flow = flow + 1 < plan.flows ? flow + 1 : 0;
		if (plan.attack)
			data[FLAGS4] = plan.flags;
	}
	for (int i = 0; i < 3; i++)
		((__u32 *)data)[i] = plan.macs[i];
	if (plan.ipv6) {
		*(__be16 *)(data + PORT6) = port;
		return 0;
	}
	sum = plan.sum + bpf_htons(client >> 16) + bpf_htons(client & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*(__u16 *)(data + CHECKSUM) = ~sum;
	*(__u16 *)(data + CLIENT) = bpf_htons(client >> 16);
	*(__u16 *)(data + CLIENT + 2) = bpf_htons(client & 0xffff);
	*(__be16 *)(data + PORT4) = port;
	return 0;
}

SEC("xdp.frags")
int flood_xdp(struct xdp_md *ctx)
{
	if (!make((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		bpf_tail_call(ctx, &xdp_under_test, 0);
	return -1;
}

SEC("tc")
int flood_tc(struct __sk_buff *skb)
{
	if (!make((void *)(long)skb->data, (void *)(long)skb->data_end))
		bpf_tail_call(skb, &tc_under_test, 0);
	return -1;
}

char _license[] SEC("license") = "GPL";
