/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way back to a client: device, VLAN tags, MACs.
 *
 * Real servers are few, and each has a struct hop. Clients are many, so what the kernel says of them is
 * kept in a cache at a hash of the client and of the address that replies come from, which policy
 * routing may ask for (the sysctl snat_reroute). An entry is good for parameters.hop_ticks; then, and if
 * another client has taken its place, a packet asks bpf_fib_lookup() anew, which XDP may, too.
 *
 * As for real servers the kernel's own neighbour table is the truth (neighbour.h): of the packets that
 * ask, one in parameters.hop_ticks for each next hop goes through the kernel's neighbour code, so that the
 * kernel knows that it is used. `next_hops` remembers when.
 *
 * An entry is read without a lock: first everything else, then its key, which whoever writes takes away
 * before and puts back after. So what was read belongs to the key.
 */
#ifndef DIRECTRIX_WAY_BACK_H
#define DIRECTRIX_WAY_BACK_H

#include "connection.h"
#include "neighbour.h"

#define WAYS 16384		/* a power of two */
#define WAY_SHIFT 50		/* leaves the bits that number one */
#define NEXT_HOPS 4096
#define NEXT_HOP_SHIFT 52

struct way_key {
	__u64 client[2];	/* an IPv4 address is written as IPv6 maps it */
	__u64 from;		/* 64 bits that stand for the address that replies come from; never 0 */
};

struct way_back {
	struct way_key key;	/* from == 0: free, or being written */
	__u64 mac;		/* as in struct hop */
	__u64 source;
	__u32 ifindex, wire, tags;
	__u32 checked;		/* tick of the look-up */
	__u16 mtu;
	__u8 redirects;		/* its wire takes frames that XDP redirects there */
	__u8 pad;
	__u32 lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WAYS);
	__type(key, __u32);
	__type(value, struct way_back);
} ways_back SEC(".maps");

/* By hash of a next hop: which one it is (high half), and when the kernel last had a packet for it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEXT_HOPS);
	__type(key, __u32);
	__type(value, __u64);
} next_hops SEC(".maps");

/* Replies are routed as coming from the virtual address, or as they came (IPVS's snat_reroute). */
static __always_inline __u32 way_from4(const struct connection *c, const struct hop *hop)
{
	__u32 from = c->address[1];

	if (!front.sysctl.snat_reroute)
		from = hop->outer[0];
	return from;
}

static __always_inline const __u32 *way_from6(const struct connection *c, const struct hop *hop)
{
	return front.sysctl.snat_reroute ? &c->address[4] : hop->outer;
}

static __always_inline void way_key_of(const struct connection *c, const struct hop *hop, bool ipv4, struct way_key *key)
{
	const __u64 *client = (const __u64 *)c->address;

	if (ipv4) {
		key->client[0] = 0;
		key->client[1] = (__u64)c->address[0] << 32 | bpf_htonl(0xffff);
		key->from = way_from4(c, hop) | 1ULL << 32;
	} else {
		key->client[0] = client[0];
		key->client[1] = client[1];
		key->from = address6_word((const __u64 *)way_from6(c, hop)) | 1;
	}
}

static __always_inline struct way_back *way_at(const struct way_key *key)
{
	__u64 h = key->client[0] * INDEX_PRIME + key->client[1] + (key->from ^ parameters.seed[0]);
	__u32 place = (h * INDEX_PRIME) >> WAY_SHIFT;

	return bpf_map_lookup_elem(&ways_back, &place);
}

static __always_inline bool way_is_of(const struct way_back *w, const struct way_key *key)
{
	return w->key.from == key->from && w->key.client[1] == key->client[1] && w->key.client[0] == key->client[0];
}

/*
 * What is known of the way to a client; false if nothing is, or if it was too long ago. Another CPU may be writing: what
 * was read counts only if the entry was of this key before and after.
 */
static __always_inline bool way_known(const struct way_key *key, __u32 now, struct way_back *known)
{
	struct way_back *w = way_at(key);

	if (!w || !way_is_of(w, key))
		return false;
	known->mac = w->mac;
	known->source = w->source;
	known->ifindex = w->ifindex;
	known->wire = w->wire;
	known->tags = w->tags;
	known->checked = w->checked;
	known->mtu = w->mtu;
	known->redirects = w->redirects;
	asm volatile("" ::: "memory");
	return way_is_of(w, key) && now - known->checked < parameters.hop_ticks;
}

/* Remember what the kernel has answered; if another CPU is at this entry, not. */
static __always_inline void way_write(const struct way_key *key, const struct bpf_fib_lookup *fib, __u32 now)
{
	struct device *d = device_at(fib->ifindex);
	struct way_back *w = way_at(key);

	if (!w || __sync_val_compare_and_swap(&w->lock, 0, 1))
		return;
	__sync_lock_test_and_set(&w->key.from, 0);
	w->mac = mac_word(fib->dmac);
	w->source = mac_word(fib->smac);
	w->ifindex = fib->ifindex;
	w->wire = d ? d->wire : fib->ifindex;
	w->tags = d ? d->tags : 0;
	w->redirects = d && d->flags & DEVICE_REDIRECT;
	w->checked = now;
	w->mtu = fib->mtu_result;
	w->key.client[0] = key->client[0];
	w->key.client[1] = key->client[1];
	__sync_lock_test_and_set(&w->key.from, key->from);
	__sync_lock_test_and_set(&w->lock, 0);
}

/* Is it this packet's turn to go through the kernel's neighbour code? Only one CPU gets a yes. */
static __always_inline bool next_hop_due(const struct bpf_fib_lookup *fib, __u32 now)
{
	__u64 hop = fib->family == AF_INET ? fib->ipv4_dst : address6_word((const __u64 *)fib->ipv6_dst), *known, old;
	__u32 place;

	hop = (hop ^ fib->ifindex ^ parameters.seed[0]) * INDEX_PRIME;
	place = hop >> NEXT_HOP_SHIFT;
	known = bpf_map_lookup_elem(&next_hops, &place);
	if (!known)
		return false;
	old = *known;
	hop &= 0xffffffff00000000ULL;
	if ((old & 0xffffffff00000000ULL) == hop && now - (__u32)old < parameters.hop_ticks)
		return false;
	return __sync_val_compare_and_swap(known, old, hop | now) == old;
}

/* What to ask the kernel: as if the packet came from the loopback device, see neighbour.h. */
static __always_inline void way_ask(const struct connection *c, const struct hop *hop, struct bpf_fib_lookup *fib)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = front.lo;
	fib->tot_len = 1;	/* the route's MTU is wanted */
	if (connection_family(c) == 4) {
		fib->family = AF_INET;
		fib->ipv4_dst = c->address[0];
		fib->ipv4_src = way_from4(c, hop);
	} else {
		fib->family = AF_INET6;
		__builtin_memcpy(fib->ipv6_dst, c->address, sizeof(fib->ipv6_dst));
		__builtin_memcpy(fib->ipv6_src, way_from6(c, hop), sizeof(fib->ipv6_src));
	}
}

#endif
