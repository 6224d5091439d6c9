/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fragments. Only the first has ports: it goes the way of every packet, and its fate is remembered
 * for the datagram. The others share it: to the same real server, to the host, or dropped. IPVS has
 * datagrams put together first and counts each as one packet; so does this, by counting of a later
 * fragment its bytes alone.
 *
 * A later fragment may come before the first: another path, another queue of the network card. A
 * copy of it is kept, and it passes, for it may be the host's. If the first comes and has a real
 * server, its program at tc sends the copies in again where they came from, behind it. There are
 * HELD_SLOTS copies, and the oldest gives way.
 *
 * What is known of a datagram counts for FRAGMENT_SECONDS after its last fragment, and not for
 * IPVS's 30 s: a fast sender uses an identification again long before.
 *
 * Two CPUs may have fragments of one datagram. One writes the fate down and then looks for copies,
 * the other notes its copy and then looks at the fate: one of them sees the other's. If both do, a
 * fragment goes out twice, which harms nobody. A copy is named by the count of all copies so far
 * (`stamp`), so that whoever reads one notices when it gave way to another meanwhile.
 */
#ifndef DIRECTRIX_FRAGMENT_H
#define DIRECTRIX_FRAGMENT_H

#include "reply.h"

#define MAX_DATAGRAMS 8192
#define HELD_SLOTS 256
#define HELD_BYTES 2048		/* a power of two; longer ones are not kept */
#define HELD_MOST 16		/* copies for one datagram */
#define FRAGMENT_SECONDS 4
#define DATAGRAM_MOST 65535

struct datagram_key {
	__u32 id;
	__u16 family;
	__u16 protocol;		/* IPv4 */
	__u32 address[8];
};

struct datagram {
	__u32 verdict;		/* of its first fragment; FRAGMENT: that one has not come */
	__u32 server;		/* of a REPLY: the place of its connection */
	__u32 incarnation;	/* of the server's number, or of the connection in its slot */
	__u32 seen;		/* tick of the last fragment */
	__u32 covered;		/* bytes in the first fragment */
	__u32 held;		/* copies made for it */
	__u32 copy[HELD_MOST];	/* their stamps */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_DATAGRAMS);
	__type(key, struct datagram_key);
	__type(value, struct datagram);
} datagrams SEC(".maps");

struct held {
	__u32 stamp;		/* 0: being written */
	__u32 length;
	__u8 bytes[HELD_BYTES];	/* from the IP header on */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HELD_SLOTS);
	__type(key, __u32);
	__type(value, struct held);
} held_fragments SEC(".maps");

struct {
	__u32 copies, pad;
} held SEC(".data.held");

/* The fragment this CPU is at, too large for the stack; and room for a frame that is put aside. */
struct fragment {
	struct datagram_key key;
	__u32 offset;
	__u32 payload;
	__u32 length;		/* from the IP header on */
	__u32 network;		/* where in the frame that is */
	struct datagram fresh;
	__u8 aside[HELD_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fragment);
} fragment_scratch SEC(".maps");

static __always_inline struct fragment *fragment_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&fragment_scratch, &zero);
}

/* A fragment was read: its payload starts `at` behind the IP header's start and is for `offset`. */
static __always_inline int fragment_begin(const struct frame *frame, struct packet *p, __u32 id, __u8 protocol,
					  __u32 at, __u32 offset)
{
	struct fragment *f = fragment_now();

	if (!f)
		return BUSY;
	if (p->length <= at || offset + p->length - at > DATAGRAM_MOST)
		return MALFORMED;
	f->key.id = id;
	f->key.family = is_ipv4(p) ? 4 : 6;
	f->key.protocol = protocol;
	__builtin_memcpy(f->key.address, p->address, sizeof(f->key.address));
	f->offset = offset;
	f->payload = p->length - at;
	f->length = p->length;
	f->network = frame->network;
	p->kind = offset ? KIND_LATER : KIND_FIRST;
	if (offset)
		p->length = f->payload;
	return CONTINUE;
}

/* What is known of the datagram, if it is not too long ago. */
static __always_inline struct datagram *datagram_of(const struct fragment *f, __u32 now)
{
	struct datagram *d = bpf_map_lookup_elem(&datagrams, &f->key);

	return d && now - d->seen <= (FRAGMENT_SECONDS * parameters.hertz) >> TICK_SHIFT ? d : NULL;
}

/* The fate of a later fragment: FRAGMENT if the first has not come; with CONTINUE *server has it. */
static __always_inline int fragment_settle(__u32 now, __u32 *server)
{
	struct fragment *f = fragment_now();
	struct datagram *d;
	struct server *s;

	if (!f)
		return BUSY;
	d = datagram_of(f, now);
	if (!d || d->verdict == FRAGMENT)
		return FRAGMENT;
	if (f->offset < d->covered)
		return BAD_FRAGMENT;
	d->seen = now;
	if (d->verdict != CONTINUE)
		return d->verdict;
	s = server_at(d->server);
	if (!s || s->incarnation != d->incarnation || !(hop_at(d->server)->flags & SERVER_AVAILABLE))
		return SERVER_GONE;
	*server = d->server;
	return CONTINUE;
}

/* Of what the first fragment belongs to. */
static __always_inline __u32 incarnation_of(__u32 verdict, __u32 number)
{
	struct connection *c;
	struct server *s;

	if (verdict == REPLY) {
		c = connection_at(number);
		return c ? c->incarnation : 0;
	}
	s = server_at(number);
	return s ? s->incarnation : 0;
}

static __always_inline void datagram_write(struct datagram *d, const struct fragment *f, __u32 verdict, __u32 number,
					   __u32 now)
{
	d->server = number;
	d->incarnation = incarnation_of(verdict, number);
	d->covered = f->payload;
	d->seen = now;
	__sync_lock_test_and_set(&d->verdict, verdict);
}

/* Remember the fate of the first fragment at hand, which XDP has perhaps `seen` before. How many copies wait for it? */
static __always_inline int datagram_remember(__u32 verdict, __u32 number, __u32 now, __u32 seen)
{
	struct fragment *f = fragment_now();
	struct datagram *d;

	if (!f)
		return 0;
	d = bpf_map_lookup_elem(&datagrams, &f->key);
	if (!d) {
		__builtin_memset(&f->fresh, 0, sizeof(f->fresh));
		datagram_write(&f->fresh, f, verdict, number, now);
		if (!bpf_map_update_elem(&datagrams, &f->key, &f->fresh, BPF_NOEXIST))
			return 0;
		d = bpf_map_lookup_elem(&datagrams, &f->key);	/* another CPU was quicker */
		if (!d)
			return 0;
	}
	if (!datagram_of(f, now) || (d->verdict != FRAGMENT && !seen))
		d->held = 0;	/* of an older datagram */
	datagram_write(d, f, verdict, number, now);
	return verdict == CONTINUE || verdict == REPLY ? d->held : 0;
}

/* Global functions: verified once. What is handed up, or may be a reply, has its fate at tc. */
__noinline int fragment_remember(__u32 verdict, __u32 number, __u32 now, __u32 seen)
{
	return verdict == HANDED_UP || verdict == REPLY ? 0 : datagram_remember(verdict, number, now, seen);
}

__noinline int fragment_remember_reply(__u32 place, __u32 now)
{
	return datagram_remember(REPLY, place, now, false);
}

/* The connection of the later fragment at hand if that is of a reply, and its place. */
static __always_inline struct connection *fragment_reply(__u32 now, __u32 *place)
{
	struct fragment *f = fragment_now();
	struct datagram *d = f ? datagram_of(f, now) : NULL;
	struct connection *c;

	if (!d || d->verdict != REPLY || f->offset < d->covered)
		return NULL;
	d->seen = now;
	*place = d->server;
	c = connection_at(d->server);
	return c && c->incarnation == d->incarnation && masqueraded(c, now) ? c : NULL;
}

/* Note the copy of this stamp with its datagram. */
static __always_inline void datagram_note(struct fragment *f, __u32 stamp, __u32 now)
{
	struct datagram *d = bpf_map_lookup_elem(&datagrams, &f->key);
	__u32 place;

	if (!d || !datagram_of(f, now)) {
		__builtin_memset(&f->fresh, 0, sizeof(f->fresh));
		f->fresh.verdict = FRAGMENT;
		f->fresh.seen = now;
		bpf_map_update_elem(&datagrams, &f->key, &f->fresh, d ? BPF_ANY : BPF_NOEXIST);
		d = bpf_map_lookup_elem(&datagrams, &f->key);
		if (!d)
			return;
	}
	place = __sync_fetch_and_add(&d->held, 1);
	if (place < HELD_MOST)
		__sync_lock_test_and_set(&d->copy[place], stamp);
}

/* Keep a copy of the later fragment at hand. */
static __always_inline void fragment_hold(struct frame *frame, __u32 now)
{
	struct fragment *f = fragment_now();
	__u32 slot, stamp, last;
	struct held *h;

	if (!f || !f->length || f->length > HELD_BYTES)
		return;
	frame->network = f->network;
	stamp = __sync_fetch_and_add(&held.copies, 1) + 1 ?: 1;
	slot = stamp % HELD_SLOTS;
	h = bpf_map_lookup_elem(&held_fragments, &slot);
	if (!h)
		return;
	__sync_lock_test_and_set(&h->stamp, 0);
	last = f->length - 1;
	asm volatile("" : "+r"(last));	/* said in a way that older verifiers follow */
	last &= HELD_BYTES - 1;
	h->length = last + 1;
	if (!frame_read(frame, 0, h->bytes, last + 1))
		return;
	__sync_lock_test_and_set(&h->stamp, stamp);
	datagram_note(f, stamp, now);
}

/* Write `size` bytes over what follows `at` of the packet, and let it end there. */
static __always_inline bool skb_becomes(struct __sk_buff *skb, __u32 at, const __u8 *bytes, __u32 size)
{
	__u32 last = size - 1;

	if (bpf_skb_change_tail(skb, at + size, 0))
		return false;
	asm volatile("" : "+r"(last));
	last &= HELD_BYTES - 1;
	return !bpf_skb_store_bytes(skb, at, bytes, last + 1, 0);
}

/*
 * Send the copies that waited for the first fragment at hand in again by the device it came by.
 * `head` is what the frame begins with there. The packet itself is as it was afterwards; -1 if it
 * could not be put together again.
 */
static __always_inline int fragment_release(struct __sk_buff *skb, const void *head, __u32 now)
{
	struct fragment *f = fragment_now();
	__u32 own = skb->len, last = own - 1;
	struct datagram *d;

	if (!f || !own || own > HELD_BYTES)
		return 0;
	d = datagram_of(f, now);
	if (!d)
		return 0;
	asm volatile("" : "+r"(last));
	last &= HELD_BYTES - 1;
	if (bpf_skb_load_bytes(skb, 0, f->aside, last + 1) || bpf_skb_store_bytes(skb, 0, head, 6, 0))
		return 0;
	for (int i = 0; i < HELD_MOST; i++) {
		__u32 stamp = d->copy[i], slot = stamp % HELD_SLOTS;
		struct held *h = bpf_map_lookup_elem(&held_fragments, &slot);

		if (!stamp || i >= d->held || !h || h->stamp != stamp)
			continue;
		if (skb_becomes(skb, f->network, h->bytes, h->length) && h->stamp == stamp)
			bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	}
	d->held = 0;
	return skb_becomes(skb, 0, f->aside, own) ? 0 : -1;
}

#endif
