/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The connection table.
 *
 * A hash names two buckets of eight slots; a connection lies in one of them, put where there was
 * more room. Looking up takes no lock: a slot's id is stored last when it is filled, and a slot
 * that died is given out again only some ticks later, when no packet can still hold it.
 *
 * A slot's life:  free (id 0) -> claimed (id SLOT_CLAIMED) -> live -> dead (CONNECTION_DEAD,
 * `expires` when it died, counts given back) -> free.  Claiming is one compare-and-swap, dying
 * another on `expires`, so that of a packet that refreshes and a clock that ends only one has its
 * way. A connection past its time is as good as none, also before the clock comes to end it. New
 * connections of one key are serialised by the lock in the head of the key's first bucket.
 *
 * A client that uses its port again gets the slot of the connection that was (reuse.h): the only
 * packets that can still hold it are of the same flow, and every change they make is a
 * compare-and-swap on what they have read. So however full the table is, a reused port has room.
 *
 * `visit` in a bucket's head is never later than the first slot in it that needs the clock.
 */
#ifndef DIRECTRIX_CONNECTION_H
#define DIRECTRIX_CONNECTION_H

#include "handshake.h"
#include "tcp.h"

#define LOCK_TRIES 256
#define REFRESH_TICKS 8		/* a deadline that moved by less is not written */
#define GRACE_TICKS 4		/* between a slot's death and its being free */
#define NO_SLOT 0xffffffffU
#define SLOT_EXISTS 0xfffffffeU
#define SLOT_OVER 0xfffffffdU

struct place {
	__u32 bucket[2];
};

static __always_inline __u64 address_word(const struct packet *p)
{
	if (is_ipv4(p))
		return p->pair;
	return ((p->half[0] * INDEX_PRIME ^ p->half[1]) * INDEX_PRIME ^ p->half[2]) * INDEX_PRIME ^ p->half[3];
}

/* A number that stands for a packet's connection, and that nobody outside can foresee. */
static __always_inline __u64 flow_hash(const struct packet *p)
{
	__u64 h = (address_word(p) ^ parameters.seed[0]) * 0xd6e8feb86659fd93ULL;

	h ^= h >> 32;
	return (h ^ p->id ^ parameters.seed[1]) * 0x9fb21c651e98df25ULL;
}

static __always_inline __u32 first_bucket(__u64 hash)
{
	return (hash >> 32) * parameters.buckets >> 32;
}

static __always_inline __u32 second_bucket(__u64 hash)
{
	return ((hash ^ hash >> 32) & 0xffffffff) * parameters.buckets >> 32;
}

static __always_inline struct place place_of(const struct packet *p)
{
	__u64 hash = flow_hash(p);
	struct place place = { .bucket = { first_bucket(hash), second_bucket(hash) } };

	return place;
}

static __always_inline bool same_addresses(const struct connection *c, const struct packet *p)
{
	const __u64 *mine = (const __u64 *)c->address;

	if (is_ipv4(p))
		return mine[0] == p->pair;
	return mine[0] == p->half[0] && mine[1] == p->half[1] && mine[2] == p->half[2] && mine[3] == p->half[3];
}

static __always_inline __u8 connection_family(const struct connection *c)
{
	return c->id >> 40;
}

static __always_inline struct bucket *bucket_at(__u32 number)
{
	return bpf_map_lookup_elem(&buckets, &number);
}

static __always_inline __u32 slot_in(struct bucket *b, const struct packet *p, __u32 now)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < BUCKET_SLOTS; i++)
		if (b->slot[i].id == p->id && same_addresses(&b->slot[i], p) && !reached(now, b->slot[i].expires))
			return i;
	return NO_SLOT;
}

/* The live connection with the key of `p`. */
static __always_inline struct connection *connection_find(const struct packet *p, struct place place, __u32 now)
{
	struct bucket *b = bucket_at(place.bucket[0]);
	__u32 slot;

	if (!b)
		return NULL;
	slot = slot_in(b, p, now);
	if (slot == NO_SLOT) {
		b = bucket_at(place.bucket[1]);
		if (!b)
			return NULL;
		slot = slot_in(b, p, now);
		if (slot == NO_SLOT)
			return NULL;
	}
	return &b->slot[slot % BUCKET_SLOTS];
}

/* The same for a packet of which nothing else is known yet, in as few steps as there can be. *bucket: where it looked last. */
static __always_inline struct connection *connection_look(const struct packet *p, __u32 now, __u32 *bucket)
{
	__u64 hash = flow_hash(p);
	struct bucket *b;
	__u32 slot;

	*bucket = first_bucket(hash);
	b = bpf_map_lookup_elem(&buckets, bucket);
	if (!b)
		return NULL;
	slot = slot_in(b, p, now);
	if (slot == NO_SLOT) {
		asm volatile("" : "+r"(hash));	/* or it is worked out before anybody needs it */
		*bucket = second_bucket(hash);
		b = bpf_map_lookup_elem(&buckets, bucket);
		if (!b)
			return NULL;
		slot = slot_in(b, p, now);
		if (slot == NO_SLOT)
			return NULL;
	}
	return &b->slot[slot % BUCKET_SLOTS];
}

static __always_inline struct connection *connection_at(__u32 place)
{
	struct bucket *b = bucket_at(place / BUCKET_SLOTS);

	return b ? &b->slot[place % BUCKET_SLOTS] : NULL;
}

static __always_inline bool try_lock(struct head *h)
{
	return !__sync_val_compare_and_swap(&h->lock, 0, 1);
}

/* Try for a while to take the lock of a bucket: 1, or 0 if it was not to be had. Global: verified once. */
__noinline int lock_patiently(__u32 bucket)
{
	struct head *h = head_of(bucket);

	if (!h)
		return 0;
	for (int i = 0; i < LOCK_TRIES; i++)
		if (try_lock(h))
			return 1;
	return 0;
}

static __always_inline bool lock(struct head *h, __u32 bucket)
{
	return try_lock(h) || lock_patiently(bucket);
}

static __always_inline void unlock(struct head *h)
{
	__sync_lock_test_and_set(&h->lock, 0);
}

/* See to it that the clock visits the bucket at `when` or before. */
static __always_inline void visit_by(struct head *h, __u32 when)
{
	when = when ?: 1;
	for (int i = 0; i < 8; i++) {
		__u32 old = h->visit;

		if ((old && reached(when, old)) || __sync_val_compare_and_swap(&h->visit, old, when) == old)
			return;
	}
}

/* The same for a connection that may lie in either of its buckets. */
static __always_inline void visit_both(struct place place, __u32 when)
{
	struct head *h = head_of(place.bucket[0]);

	if (h)
		visit_by(h, when);
	h = head_of(place.bucket[1]);
	if (h)
		visit_by(h, when);
}

static __always_inline __u32 deadline(__u32 now, __u32 state)
{
	return now + front.timeout[state % STATES];
}

/* Its scheduler, if it looks at loads, finds the server's unit changed. Called after the change. */
static __always_inline void load_changed(struct server *s)
{
	struct summary *summary;

	if (!s->unit)
		return;
	summary = summary_at(s->unit);
	if (summary)
		__sync_fetch_and_add(&summary->version, 1);
}

/* IPVS's thresholds: full at the upper one, open again below the lower one. */
static __always_inline void threshold_reached(struct server *s)
{
	if (s->upper_threshold && s->active + s->inactive >= s->upper_threshold)
		s->overload = 1;
}

static __always_inline void threshold_left(struct server *s)
{
	__u32 count = s->active + s->inactive;

	if (!s->overload)
		return;
	if (s->lower_threshold) {
		if (count < s->lower_threshold)
			s->overload = 0;
	} else if (s->upper_threshold) {
		if ((__u64)count * 4 < (__u64)s->upper_threshold * 3)
			s->overload = 0;
	} else {
		s->overload = 0;
	}
}

static __always_inline void bind_server(struct server *s, __u32 status)
{
	if (status & CONNECTION_TEMPLATE) {
		__sync_fetch_and_add(&s->persistent, 1);
	} else {
		__sync_fetch_and_add(status & CONNECTION_ACTIVE ? &s->active : &s->inactive, 1);
		__sync_fetch_and_add(&s->connections, 1);
	}
	threshold_reached(s);
	load_changed(s);
}

static __always_inline void unbind_server(struct server *s, __u32 status)
{
	if (status & CONNECTION_TEMPLATE)
		__sync_fetch_and_add(&s->persistent, -1);
	else
		__sync_fetch_and_add(status & CONNECTION_ACTIVE ? &s->active : &s->inactive, -1);
	threshold_left(s);
	load_changed(s);
}

/* A template that connections depend on. A connection has its handshake's time in that place. */
static __always_inline bool has_children(const struct connection *c)
{
	return c->status & CONNECTION_TEMPLATE && c->children;
}

/*
 * End a connection. `expires` is the deadline the caller read: whoever changed it since has won,
 * and the connection lives on. The slot stays taken for GRACE_TICKS.
 */
static __always_inline bool connection_end(struct connection *c, __u32 expires, __u32 now)
{
	struct connection *template;
	struct server *s;
	__u32 status;

	if (c->status & CONNECTION_DEAD || __sync_val_compare_and_swap(&c->expires, expires, now) != expires)
		return false;
	/* whoever ends it too has seen another deadline, or sets a flag that is set */
	status = __sync_fetch_and_or(&c->status, CONNECTION_DEAD);
	if (status & CONNECTION_DEAD)
		return false;
	if (half_open(status))
		handshake_failed(c->server);
	s = server_at(c->server);
	if (s)
		unbind_server(s, status);
	if (c->control && !(status & CONNECTION_TEMPLATE)) {
		template = connection_at(c->control - 1);
		if (template)
			__sync_fetch_and_add(&template->children, -1);
	}
	return true;
}

/* Give the slot of a connection back, if that died long enough ago: at `expires`. */
static __always_inline bool slot_reuse(struct connection *c, __u32 now)
{
	if (!reached(now, c->expires + GRACE_TICKS))
		return false;
	__sync_lock_test_and_set(&c->id, 0);
	__sync_fetch_and_add(&front.connections, -1);
	return true;
}

/* The connection or template with the key of `p`, also one past its time that nobody has ended: its slot. */
static __always_inline __u32 slot_held(const struct bucket *b, const struct packet *p)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < BUCKET_SLOTS; i++)
		if (b->slot[i].id == p->id && same_addresses(&b->slot[i], p) && !(b->slot[i].status & CONNECTION_DEAD))
			return i;
	return NO_SLOT;
}

static __always_inline struct connection *connection_held(const struct packet *key, struct bucket *b, struct bucket *second)
{
	__u32 slot = slot_held(b, key);

	if (slot == NO_SLOT) {
		b = second;
		slot = slot_held(b, key);
		if (slot == NO_SLOT)
			return NULL;
	}
	return &b->slot[slot % BUCKET_SLOTS];
}

#include "reuse.h"
#include "slot.h"

#define ACTIVE_STATES (TCP_ACTIVE_STATES | 1 << SCTP_S_ESTABLISHED)	/* UDP_S_NORMAL is none of them */

static __always_inline bool active(__u32 state)
{
	return ACTIVE_STATES >> (state % STATES) & 1;
}

static __always_inline bool established(__u32 state)
{
	state &= STATE_MASK;
	return state == TCP_S_ESTABLISHED || state == SCTP_S_ESTABLISHED;
}

/* A template one of whose connections was established is worth keeping in a flood. */
static __always_inline void assure(__u32 control)
{
	struct connection *template = connection_at(control - 1);

	if (template && !(template->status & CONNECTION_ASSURED))
		__sync_fetch_and_or(&template->status, CONNECTION_ASSURED);
}

/* Move to another state and keep the server's counts true. Global: verified once. */
__noinline int connection_move(struct connection *c, __u32 state)
{
	__u32 status, next;
	struct server *s;

	if (!c)
		return 0;
	status = c->status;
	next = (status & ~(0xff | CONNECTION_ACTIVE)) | state;
	if (active(state))
		next |= CONNECTION_ACTIVE;
	if (__sync_val_compare_and_swap(&c->status, status, next) != status)
		return 0;
	if ((status ^ next) & CONNECTION_ACTIVE) {
		__s32 up = next & CONNECTION_ACTIVE ? 1 : -1;

		s = server_at(c->server);
		if (!s)
			return 0;
		__sync_fetch_and_add(&s->active, up);
		__sync_fetch_and_add(&s->inactive, -up);
		load_changed(s);
	}
	handshake_moved(c, status, next);
	if (established(state) && c->control)
		assure(c->control);
	return 0;
}

/* Push the deadline out, or pull it nearer if the state has a shorter one. */
static __always_inline void connection_refresh(struct connection *c, const struct packet *p, __u32 state, __u32 now)
{
	__u32 old = c->expires, expires = deadline(now, state);

	if (expires - old < REFRESH_TICKS || __sync_val_compare_and_swap(&c->expires, old, expires) != old)
		return;
	if (!reached(expires, old))
		visit_both(place_of(p), expires);
}

#endif
