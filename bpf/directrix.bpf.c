/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entry points: two hooks over one core.
 *
 *   directrix_xdp   the quick one, in the driver. What needs the kernel's help (an unresolved
 *                   neighbour, an ICMP answer, other VLAN tags) it hands up: sends it into a veth
 *                   pair of ours, at whose other end waits
 *   directrix_tc_behind   the complete one for what XDP hands up. It is not at the device itself,
 *                   because there it would cost all host traffic some hundred instructions.
 *   directrix_tc    the complete one, for devices whose packets carry state XDP would lose.
 *   directrix_tc_ip for devices without Ethernet headers (wireguard, tun).
 *   directrix_clock run once by user space: starts the clock, or gives a running one its new
 *                   program.
 */
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "draining.h"
#include "expiry.h"
#include "hook_tc.h"
#include "hook_xdp.h"
#include "removal.h"
#include "trace.h"

char _license[] SEC("license") = "GPL";

SEC("xdp.frags")
int directrix_xdp(struct xdp_md *ctx)
{
	trace_xdp(ctx);
	return trace_end(xdp_director(ctx));
}

SEC("tc")
int directrix_tc(struct __sk_buff *skb)
{
	trace_tc(skb, TRACE_TC);
	return trace_end(tc_director(skb, TC_ALONE));
}

SEC("tc")
int directrix_tc_behind(struct __sk_buff *skb)
{
	trace_tc(skb, TRACE_TC_BEHIND);
	return trace_end(tc_director(skb, TC_BEHIND_XDP));
}

SEC("tc")
int directrix_tc_ip(struct __sk_buff *skb)
{
	trace_tc(skb, TRACE_TC_IP);
	return trace_end(tc_director(skb, TC_IP));
}

SEC("tc")
int directrix_clock(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct clock *c = bpf_map_lookup_elem(&clock, &zero);

	if (!c)
		return 1;
	front.now_ns = bpf_ktime_get_ns();
	front.now = ticks();
	bpf_timer_init(&c->timer, &clock, CLOCK_MONOTONIC);	/* -EBUSY if it runs already: fine */
	if (bpf_timer_set_callback(&c->timer, clock_turn))
		return 2;
	return bpf_timer_start(&c->timer, TURN_NS, 0) ? 3 : 0;
}

/*
 * Run by user space with a number in the packet: give what this real server has counted to its
 * service now, because it leaves. With ALL_SERVERS: do a whole round of the estimator.
 */
SEC("tc")
int directrix_account(struct __sk_buff *skb)
{
	__u32 number;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &number, sizeof(number)))
		return -1;
	if (number == ALL_SERVERS)
		estimate_all();
	else
		account_server(number, false);
	return 0;
}

/* Run by user space for one real server, its number in the packet: look its next hop up now. */
SEC("tc")
int directrix_look(struct __sk_buff *skb)
{
	struct bpf_redir_neigh next = {};
	__u32 number;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &number, sizeof(number)))
		return -1;
	return hop_look_up(skb, number, &next);
}

/* Run by user space after removals, with the first line of heads and how many in the packet: see removal.h. */
SEC("tc")
int directrix_clear(struct __sk_buff *skb)
{
	struct removal removal = {};

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &removal, 2 * sizeof(__u32)))
		return -1;
	removal.now = ticks();
	bpf_loop(removal.lines, line_clear, &removal, 0);
	return 0;
}

/* Run by user space for one real server, with the first fields of struct draining in the packet; returns how many: see draining.h. */
SEC("tc")
int directrix_drain(struct __sk_buff *skb)
{
	struct draining draining = {};

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &draining, 5 * sizeof(__u32)))
		return -1;
	draining.now = ticks();
	bpf_loop(draining.lines, line_drain, &draining, 0);
	return draining.found;
}
