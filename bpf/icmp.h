/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Answers from the VIP, as IPVS gives them. "Port unreachable" for a connection no real server can
 * take: a TCP client sees "connection refused" at once instead of waiting. "Too big" for what doesn't
 * fit into a tunnel, "time exceeded", and what was said inside a tunnel. Only tc makes these; XDP hands such
 * packets up. The answer leaves the way the packet came, or by the route to the client if it didn't come from there.
 */
#ifndef DIRECTRIX_ICMP_H
#define DIRECTRIX_ICMP_H

#include "neighbour.h"
#include "packet.h"

#define ICMP_HEADER 8
#define QUOTE_MOST 512
#define ANSWERS_A_TICK 32	/* about 2,000 a second: an answer is never a weapon */

struct scratch {
	__u8 bytes[QUOTE_MOST + 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

struct {
	__u32 tick, sent;
} answers SEC(".data.answers");

static __always_inline bool answer_allowed(__u32 now)
{
	if (answers.tick != now) {
		answers.tick = now;
		answers.sent = 0;
	}
	return __sync_fetch_and_add(&answers.sent, 1) < ANSWERS_A_TICK;
}

/* Of ICMP and ICMPv6 alike. <linux/icmp.h> wants a C library. */
struct error {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 value;
};

enum answer { ANSWER_UNREACHABLE, ANSWER_TOO_BIG, ANSWER_TIME_EXCEEDED };

/* Type and code, by enum answer (RFC 792, RFC 1191, RFC 4443). */
static __always_inline __u16 icmp_words(enum answer answer)
{
	return answer == ANSWER_UNREACHABLE ? 3 | 3 << 8 : answer == ANSWER_TOO_BIG ? 3 | 4 << 8 : 11;
}

static __always_inline __u16 icmpv6_words(enum answer answer)
{
	return answer == ANSWER_UNREACHABLE ? 1 | 4 << 8 : answer == ANSWER_TOO_BIG ? 2 : 3;
}

static __always_inline __u16 icmp_family_words(__u8 family, enum answer answer)
{
	return family == 4 ? icmp_words(answer) : icmpv6_words(answer);
}

struct answer4 {
	struct iphdr ip;
	struct error icmp;
};

struct answer6 {
	struct ipv6hdr ip;
	struct error icmp;
};

/* Cut the packet to what is quoted and make room for the new headers in front of it, which may be of another family. */
static __always_inline bool answer_room(struct __sk_buff *skb, __u32 quoted, __u32 headers, __be16 protocol)
{
	__u64 flags = 0;

	if (skb->protocol != protocol)
		flags = protocol == bpf_htons(ETH_P_IP) ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	return !bpf_skb_change_tail(skb, ETH_HLEN + quoted, 0) &&
	       !bpf_skb_adjust_room(skb, headers, BPF_ADJ_ROOM_MAC, flags);
}

/* The sum of `size` bytes of the packet from its IP header on; odd bytes padded with zero. */
static __always_inline __s64 quote_sum(struct __sk_buff *skb, __u32 size, __s64 sum)
{
	__u32 zero = 0, last = size - 1, whole;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);

	if (!s)
		return -1;
	/* size is 1 to QUOTE_MOST; said in a way that older verifiers follow */
	asm volatile("" : "+r"(last));
	last &= QUOTE_MOST - 1;
	size = last + 1;
	whole = (last & ~3U) + 4;
	*(__u32 *)(s->bytes + (last & ~3U)) = 0;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, s->bytes, size))
		return -1;
	return bpf_csum_diff(NULL, 0, (__be32 *)s->bytes, whole, sum);
}

static __noinline bool answer4(struct __sk_buff *skb, const struct packet *p, __u16 words, __u32 value)
{
	__u32 quoted = p->length > QUOTE_MOST ? QUOTE_MOST : p->length;
	struct answer4 answer = {
		.ip = { .version = 4, .ihl = 5, .tos = 0xc0, .ttl = 64, .protocol = IPPROTO_ICMP,
			.saddr = p->address[1], .daddr = p->address[0] },
		.icmp = { .type = words, .code = words >> 8, .value = bpf_htonl(value) },
	};
	__s64 sum;

	answer.ip.tot_len = bpf_htons(sizeof(answer) + quoted);
	answer.ip.check = ~folded(bpf_csum_diff(NULL, 0, (__be32 *)&answer.ip, sizeof(answer.ip), 0));
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&answer.icmp, sizeof(answer.icmp), 0);
	sum = quote_sum(skb, quoted, sum);
	if (sum < 0 || !answer_room(skb, quoted, sizeof(answer), bpf_htons(ETH_P_IP)))
		return false;
	answer.icmp.checksum = ~folded(sum);
	return !bpf_skb_store_bytes(skb, ETH_HLEN, &answer, sizeof(answer), 0);
}

static __noinline bool answer6(struct __sk_buff *skb, const struct packet *p, __u16 words, __u32 value)
{
	__u32 quoted = p->length > QUOTE_MOST ? QUOTE_MOST : p->length;
	struct answer6 answer = {
		.ip = { .version = 6, .nexthdr = IPPROTO_ICMPV6, .hop_limit = 64 },
		.icmp = { .type = words, .code = words >> 8, .value = bpf_htonl(value) },
	};
	__be32 pseudo[2] = { bpf_htonl(sizeof(answer.icmp) + quoted), bpf_htonl(IPPROTO_ICMPV6) };
	__s64 sum;

	__builtin_memcpy(&answer.ip.saddr, &p->address[4], 16);
	__builtin_memcpy(&answer.ip.daddr, &p->address[0], 16);
	answer.ip.payload_len = bpf_htons(sizeof(answer.icmp) + quoted);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&p->address, sizeof(p->address), 0);
	sum = bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&answer.icmp, sizeof(answer.icmp), sum);
	sum = quote_sum(skb, quoted, sum);
	if (sum < 0 || !answer_room(skb, quoted, sizeof(answer), bpf_htons(ETH_P_IPV6)))
		return false;
	answer.icmp.checksum = ~folded(sum);
	return !bpf_skb_store_bytes(skb, ETH_HLEN, &answer, sizeof(answer), 0);
}

/* Let the packet, which begins with the one that `p` tells of, be an error about that. */
static __always_inline bool answer_make(struct __sk_buff *skb, const struct packet *p, __u16 words, __u32 value)
{
	return is_ipv4(p) ? answer4(skb, p, words, value) : answer6(skb, p, words, value);
}

/* The frame goes back to where it came from. */
static __noinline int answer_back(struct __sk_buff *skb, __u32 device)
{
	__u8 mac[12], back[12];

	if (bpf_skb_load_bytes(skb, 0, mac, sizeof(mac)))
		return TC_ACT_SHOT;
	__builtin_memcpy(back, mac + 6, 6);
	__builtin_memcpy(back + 6, mac, 6);
	return bpf_skb_store_bytes(skb, 0, back, sizeof(back), 0) ? TC_ACT_SHOT : bpf_redirect(device, 0);
}

/* The packet goes to the client by the route there, looked up as in neighbour.h. */
static __always_inline int answer_by_route(struct __sk_buff *skb, const struct packet *p)
{
	__be16 protocol = is_ipv4(p) ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	struct bpf_fib_lookup fib = { .ifindex = front.lo };
	struct bpf_redir_neigh next = {};

	if (is_ipv4(p)) {
		fib.family = AF_INET;
		fib.ipv4_dst = p->address[0];
	} else {
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_dst, p->address, sizeof(fib.ipv6_dst));
	}
	if (next_hop_state(&fib, bpf_fib_lookup(skb, &fib, sizeof(fib), 0)) == HOP_NO_ROUTE)
		return TC_ACT_SHOT;
	next_hop_name(&fib, &next);
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(fib.ifindex, &next, sizeof(next), 0);
}

static __always_inline enum verdict answer_verdict(enum answer answer)
{
	return answer == ANSWER_UNREACHABLE ? NO_SERVER : answer == ANSWER_TOO_BIG ? TOO_BIG : TIME_EXCEEDED;
}

/*
 * The end of a packet that is answered by the way it came, `device`; 0: there is no such way. No error is answered by
 * one, and of a datagram only its first fragment (RFC 1122, 3.2.2). `mtu` is what ANSWER_TOO_BIG says; 0 for the others.
 * Global: verified once.
 */
__noinline int answered(struct __sk_buff *skb, const struct packet *p, __u32 device, enum answer answer, __u32 mtu)
{
	if (!p)
		return tc_dropped(BUSY);
	count_verdict(bpf_get_smp_processor_id(), answer_verdict(answer));
	if (!device || p->kind >= KIND_LATER || !answer_allowed(ticks()) ||
	    !answer_make(skb, p, icmp_family_words(is_ipv4(p) ? 4 : 6, answer), mtu))
		return TC_ACT_SHOT;
	return answer_back(skb, device);
}

#endif
