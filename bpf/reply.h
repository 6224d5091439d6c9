/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a masqueraded server's reply finds its connection.
 *
 * A reply tells its client and the server's own address and port, and nothing of the virtual service
 * that the connection's key is made of. IPVS keeps all connections of a client's port in one chain,
 * whatever they go to, and looks through it. Here a bucket is of eight slots, so a masqueraded
 * connection has a second key: one more slot of the table, of kind REPLY_KIND, whose key is (client,
 * real server) with the ports as the client's packets have them behind the director, and whose
 * `control` names the connection's place. Only masqueraded connections pay for it, with the slot.
 *
 * Such a slot counts for nothing: it is marked CONNECTION_DEAD from its first day, so that listings,
 * the defence and removals pass it over. The clock, which frees what is dead, keeps it for as long as
 * its connection lives (slot_reuse()). Nobody has to take it away: whoever comes by it looks whether
 * the connection is still of this client and this server.
 *
 * A client that uses one port for two services which send it to the same port of the same server has
 * two connections that only the server could tell apart, and it can't. The later one gets the replies.
 *
 * The key is made when the first packet of a connection is sent on, not when the connection is: so no
 * other forwarding method has a part in it.
 */
#ifndef DIRECTRIX_REPLY_H
#define DIRECTRIX_REPLY_H

#include "connection.h"
#include "states.h"

#define REPLY_KIND 2
/* The clock looks at a key so often at least, for a connection may end before it said it would; in a flood half-open ones do. */
#define REPLY_SECONDS 60
#define REPLY_OPENING_SECONDS 4

/* Turn a packet of a real server round, into what its client would have sent there: the key of its replies. */
static __always_inline void reply_turn4(struct packet *p, __u32 ports, __u8 protocol)
{
	p->pair = p->pair >> 32 | p->pair << 32;
	p->id = connection_id(ports >> 16 | ports << 16, protocol, 4, REPLY_KIND);
}

static __always_inline void reply_turn6(struct packet *p, __u32 ports, __u8 protocol)
{
	__u64 half[2] = { p->half[0], p->half[1] };

	p->half[0] = p->half[2];
	p->half[1] = p->half[3];
	p->half[2] = half[0];
	p->half[3] = half[1];
	p->id = connection_id(ports >> 16 | ports << 16, protocol, 6, REPLY_KIND);
}

static __always_inline void reply_turn(struct packet *p)
{
	if (is_ipv4(p))
		reply_turn4(p, p->id, protocol_of(p));
	else
		reply_turn6(p, p->id, protocol_of(p));
}

/* Is this slot's a live masqueraded connection? */
static __always_inline bool masqueraded(const struct connection *c, __u32 now)
{
	return (c->status & (CONNECTION_MASQUERADED | CONNECTION_DEAD)) == CONNECTION_MASQUERADED && !reached(now, c->expires);
}

/*
 * The connection that a key of replies is of, if it is still there. A slot's next masqueraded connection has another
 * incarnation, of which a key keeps a copy where connections have the server's port: for its slot has an incarnation,
 * too. 65,536 of them take longer than a key is kept in vain. Its place is reply->control - 1.
 */
static __always_inline struct connection *reply_connection(const struct connection *reply, __u32 now)
{
	struct connection *c = connection_at(reply->control - 1);

	if (!c || c->incarnation != reply->server_port || !masqueraded(c, now))
		return NULL;
	return c;
}

static __always_inline __u32 reply_slot(const struct bucket *b, const struct packet *key)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < BUCKET_SLOTS; i++)
		if (b->slot[i].id == key->id && same_addresses(&b->slot[i], key))
			return i;
	return NO_SLOT;
}

/* The slot with this key, if there is one. */
static __always_inline struct connection *reply_held(const struct packet *key)
{
	__u64 hash = flow_hash(key);
	struct bucket *b = bucket_at(first_bucket(hash));
	__u32 slot;

	if (!b)
		return NULL;
	slot = reply_slot(b, key);
	if (slot == NO_SLOT) {
		asm volatile("" : "+r"(hash));	/* as in connection_look() */
		b = bucket_at(second_bucket(hash));
		if (!b)
			return NULL;
		slot = reply_slot(b, key);
		if (slot == NO_SLOT)
			return NULL;
	}
	return &b->slot[slot % BUCKET_SLOTS];
}

/* The connection with this key of its replies. Its place is *place. */
static __always_inline struct connection *reply_find(const struct packet *key, __u32 now, __u32 *place)
{
	struct connection *reply = reply_held(key);

	if (!reply)
		return NULL;
	*place = reply->control - 1;
	return reply_connection(reply, now);
}

/* The connection that a packet, as it came, is a reply of. Its place is *place. */
static __always_inline struct connection *reply_of(const struct packet *p, __u32 now, __u32 *place)
{
	struct packet key;

	if (!maybe_reply(source_word(p)))
		return NULL;
	key = *p;
	reply_turn(&key);
	return reply_find(&key, now, place);
}

/* Is it a reply? Global: verified once. */
__noinline int is_reply(const struct packet *p, __u32 now)
{
	__u32 place;

	return p && reply_of(p, now, &place);
}

/* The key of the replies to a connection: its real server is hop->outer. */
static __always_inline void reply_key(const struct connection *c, struct packet *key)
{
	const struct hop *hop = hop_at(c->server);
	__u16 client_port = c->id;

	__builtin_memcpy(key->address, c->address, sizeof(key->address));
	if (connection_family(c) == 4)
		key->address[1] = hop->outer[0];
	else
		__builtin_memcpy(&key->address[4], hop->outer, 16);
	key->id = connection_id(client_port | (__u32)c->server_port << 16, c->id >> 32, connection_family(c), REPLY_KIND);
}

/* When the clock shall look at the key of a connection's replies next. */
static __always_inline __u32 reply_look(const struct connection *c, __u32 now)
{
	__u32 seconds = half_open(c->status) ? REPLY_OPENING_SECONDS : REPLY_SECONDS;
	__u32 most = now + ((seconds * parameters.hertz) >> TICK_SHIFT);

	return reached(c->expires, most) ? most : c->expires;
}

/* Put the key into the table, or let the one that is there name the connection at `place`. */
static __always_inline int reply_enter(const struct packet *key, struct connection *c, __u32 place, __u32 now)
{
	struct making making = {
		.place = place_of(key), .status = CONNECTION_DEAD, .expires = reply_look(c, now), .control = place + 1,
	};
	struct head *h = head_of(making.place.bucket[0]);
	struct connection *reply;
	struct bucket *b;
	__u32 slot = 0;

	if (!h || !lock(h, making.place.bucket[0]))
		return BUSY;
	reply = reply_held(key);
	if (reply) {
		reply->control = place + 1;
		reply->expires = making.expires;
		reply->server_port = ++c->incarnation;
	} else {
		slot = slot_new(key, &making, now);
		b = slot == NO_SLOT ? NULL : bucket_at(slot / BUCKET_SLOTS);
		if (b)
			b->slot[slot % BUCKET_SLOTS].server_port = ++c->incarnation;
	}
	unlock(h);
	return slot == NO_SLOT ? TABLE_FULL : CONTINUE;
}

/* The place of the live connection with the key of `p`, or NO_SLOT. */
static __always_inline __u32 connection_place(const struct packet *p, struct place place, __u32 now)
{
	struct bucket *b = bucket_at(place.bucket[0]);
	__u32 slot = b ? slot_in(b, p, now) : NO_SLOT;

	if (slot != NO_SLOT)
		return place.bucket[0] * BUCKET_SLOTS + slot;
	b = bucket_at(place.bucket[1]);
	slot = b ? slot_in(b, p, now) : NO_SLOT;
	return slot == NO_SLOT ? NO_SLOT : place.bucket[1] * BUCKET_SLOTS + slot;
}

/*
 * The first packet of a connection to a masqueraded server is sent on: from now on its states are those
 * of both directions, and its replies find it. Global: verified once. Returns CONTINUE, TABLE_FULL or BUSY.
 */
__noinline int masquerade_begin(const struct packet *p, __u32 now)
{
	__u32 place, first, before, state;
	struct connection *c;
	struct packet key;
	int verdict;

	if (!p)
		return BUSY;
	place = connection_place(p, place_of(p), now);
	c = connection_at(place);
	if (place == NO_SLOT || !c)
		return BUSY;
	reply_key(c, &key);
	verdict = reply_enter(&key, c, place, now);
	if (verdict != CONTINUE)
		return verdict;
	__sync_fetch_and_or(&c->status, CONNECTION_MASQUERADED);
	/* what began it was looked at as if nothing else passed the director */
	first = state_at_first(p);
	before = state_after(protocol_of(p), said(p), first, INPUT_ONLY);
	state = state_after(protocol_of(p), said(p), first, INPUT);
	if (state != before && (c->status & STATE_MASK) == before) {
		connection_move(c, state | (c->status & STATE_COUNTED));
		connection_refresh(c, p, state, now);
	}
	if (c->control && established(c->status))
		assure(c->control);
	return CONTINUE;
}

/* The state that a reply leads to which is no plain ACK. Global: the way of those that are is not to grow. */
__noinline __u32 reply_state(__u32 protocol, __u32 says, __u32 state)
{
	return state_after(protocol, says, state, OUTPUT);
}

/* A reply: what it does to its connection's state and time. */
static __always_inline void reply_goes_on(struct connection *c, __u32 place, const struct packet *p, __u32 now)
{
	__u32 state = c->status & 0xff, old = c->expires, expires;
	struct head *h;

	if (!(state == TCP_S_ESTABLISHED && tcp_plain_ack(p->tcp_flags)) && state != UDP_S_NORMAL)
		state = reply_state(protocol_of(p), said(p), state);
	if (state != (c->status & 0xff))
		connection_move(c, state);
	expires = deadline(now, state);
	if (expires - old < REFRESH_TICKS || __sync_val_compare_and_swap(&c->expires, old, expires) != old)
		return;
	if (!reached(expires, old)) {
		h = head_of(place / BUCKET_SLOTS);
		if (h)
			visit_by(h, expires);
	}
}

static __always_inline bool is_reply_key(const struct connection *c)
{
	return c->id >> 48 == REPLY_KIND;
}

/*
 * The clock comes by the key of replies: it stays while its connection lives, else it is given back as slot_reuse()
 * does it. Under the lock that reply_enter() has, which may be giving the key to a new connection. Global: verified once.
 */
__noinline int reply_visit(struct connection *reply, __u32 now)
{
	struct packet key = {};
	struct connection *c;
	struct head *h;
	__u32 bucket;
	int gone;

	if (!reply || !reached(now, reply->expires))
		return 0;
	key.id = reply->id;
	__builtin_memcpy(key.address, reply->address, sizeof(key.address));
	bucket = first_bucket(flow_hash(&key));
	h = head_of(bucket);
	if (!h || !try_lock(h))
		return 0;
	c = reply_connection(reply, now);
	if (c)
		reply->expires = reply_look(c, now);
	gone = slot_reuse(reply, now);
	unlock(h);
	return gone;
}

#endif
