/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a new connection or template comes to its slot: a free one in the emptier of its two buckets,
 * or that of a connection of its key that gives way (connection.h tells a slot's life).
 */
#ifndef DIRECTRIX_SLOT_H
#define DIRECTRIX_SLOT_H

/* The first free slot. As slots fill in order, it tells about how full the bucket is. */
static __always_inline __u32 first_free(const struct bucket *b)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < BUCKET_SLOTS; i++)
		if (!b->slot[i].id)
			return i;
	return BUCKET_SLOTS;
}

/* Take a free slot, from `slot` on: another CPU may take one meanwhile. */
static __always_inline __u32 claim_slot(struct bucket *b, __u32 slot)
{
	for (__u32 i = 0; i < BUCKET_SLOTS; i++) {
		if (slot >= BUCKET_SLOTS)
			break;
		if (!b->slot[slot].id && !__sync_val_compare_and_swap(&b->slot[slot].id, 0, SLOT_CLAIMED))
			return slot;
		slot++;
	}
	return NO_SLOT;
}

/* What a new connection or template is made of, beside its key. */
struct making {
	struct place place;	/* of the key */
	__u32 server;
	__u32 status;
	__u32 expires;
	__u32 control;
	__u32 server_port;
};

static __always_inline void slot_fill(struct connection *c, const struct packet *key, const struct making *making, __u32 at)
{
	struct head *h;

	__builtin_memcpy(c->address, key->address, sizeof(c->address));
	c->server = making->server;
	c->expires = making->expires;
	c->status = making->status;
	c->control = making->control;
	c->children = 0;
	c->server_port = making->server_port;
	__sync_lock_test_and_set(&c->id, key->id);
	h = head_of(at);
	if (h)
		visit_by(h, making->expires);
}

/*
 * Fill a free slot for `key`. The caller holds the lock of the key's first bucket. Returns the place
 * (bucket * BUCKET_SLOTS + slot); NO_SLOT if the table is full; SLOT_EXISTS with making->server set
 * if another CPU was quicker; SLOT_OVER if a connection of this key gives way.
 */
__noinline __u32 slot_new(const struct packet *key, struct making *making, __u32 now)
{
	struct bucket *b, *second;
	struct connection *c;
	__u32 slot, at;

	if (!key || !making)
		return NO_SLOT;
	at = making->place.bucket[0];
	b = bucket_at(at);
	second = bucket_at(making->place.bucket[1]);
	if (!b || !second)
		return NO_SLOT;
	c = connection_held(key, b, second);
	if (c) {
		if (reached(now, c->expires) ? !has_children(c) : gives_way(c, key))
			return SLOT_OVER;
		making->server = c->server;
		return SLOT_EXISTS;
	}
	if (front.connections >= parameters.max_connections)
		return NO_SLOT;
	slot = first_free(b);
	if (slot && first_free(second) < slot) {
		b = second;
		at = making->place.bucket[1];
		slot = first_free(b);
	}
	slot = claim_slot(b, slot);
	if (slot == NO_SLOT)
		return NO_SLOT;
	__sync_fetch_and_add(&front.connections, 1);
	slot_fill(&b->slot[slot % BUCKET_SLOTS], key, making, at);
	return at * BUCKET_SLOTS + slot;
}

/* End the connection of this key and fill its slot for its successor. NO_SLOT: it was not to be had. */
__noinline __u32 slot_take_over(const struct packet *key, struct making *making, __u32 now)
{
	struct connection *c;
	struct bucket *b;
	__u32 slot, at;

	if (!key || !making)
		return NO_SLOT;
	at = making->place.bucket[0];
	b = bucket_at(at);
	slot = b ? slot_held(b, key) : NO_SLOT;
	if (slot == NO_SLOT) {
		at = making->place.bucket[1];
		b = bucket_at(at);
		slot = b ? slot_held(b, key) : NO_SLOT;
	}
	if (!b || slot == NO_SLOT)
		return NO_SLOT;
	c = &b->slot[slot % BUCKET_SLOTS];
	visit_both(making->place, now + GRACE_TICKS);
	if (!connection_end(c, c->expires, now) || __sync_val_compare_and_swap(&c->id, key->id, SLOT_CLAIMED) != key->id)
		return NO_SLOT;
	slot_fill(c, key, making, at);
	return at * BUCKET_SLOTS + slot;
}

/*
 * Add a connection or template, in place of one of its key that is over. Returns as slot_new(),
 * never SLOT_OVER. Twice, because a packet may just refresh the old one or the clock just end it.
 */
static __always_inline __u32 connection_add(const struct packet *key, struct making *making, __u32 now)
{
	__u32 place;

	place = slot_new(key, making, now);
	if (place != SLOT_OVER)
		return place;
	place = slot_take_over(key, making, now);
	if (place == NO_SLOT)
		place = slot_new(key, making, now);
	if (place == SLOT_OVER)
		place = slot_take_over(key, making, now);
	return place;
}

#endif
