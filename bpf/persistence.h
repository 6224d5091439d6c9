/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Persistence: a template remembers which real server a client (or its network) got, and every
 * new connection of that client goes there, whatever its weight. A template is a slot of the
 * connection table of kind TEMPLATE_KIND with client port 0; it lives as long as the service's
 * timeout after the last new connection, and while connections it controls live.
 */
#ifndef DIRECTRIX_PERSISTENCE_H
#define DIRECTRIX_PERSISTENCE_H

#include "service.h"

#define TEMPLATE_KIND 1
#define INVALID_PORT 0xffff

/*
 * The key of the template for this packet. IPVS: one for all ports of FTP and of port 0; one for all
 * protocols, addresses and ports of a mark, which is written as an address.
 */
static __always_inline void template_key(const struct packet *p, const struct service *service, struct packet *key)
{
	__u32 port = port_of(p) == service->key.port && port_of(p) != bpf_htons(FTP_PORT) ? port_of(p) : 0;

	*key = *p;
	if (is_ipv4(p)) {
		key->address[0] &= service->mask[0];
	} else {
		for (int i = 0; i < 4; i++)
			key->address[i] &= service->mask[i];
	}
	if (service->key.protocol || port_of(p) == service->key.port) {
		key->id = connection_id(port << 16, protocol_of(p), is_ipv4(p) ? 4 : 6, TEMPLATE_KIND);
		return;
	}
	key->id = connection_id(0, 0, is_ipv4(p) ? 4 : 6, TEMPLATE_KIND);
	key->address[is_ipv4(p) ? 1 : 4] = bpf_htonl(service->key.address[0]);
	if (!is_ipv4(p))
		key->address[5] = key->address[6] = key->address[7] = 0;
}

/* It names a server that is gone: IPVS keeps it listed with impossible ports until it expires. */
static __always_inline void template_invalidate(struct connection *c)
{
	__u64 ports = 0xffff0000ULL;

	c->server_port = INVALID_PORT;
	c->id = (c->id & ~0xffffffffULL) | ports;
}

/* Does a template's real server take the client? Of weight 0 it does, unless the operator wants otherwise (IPVS). */
static __always_inline bool template_usable(const struct connection *c)
{
	return available(c->server) && !(front.sysctl.expire_quiescent_template && quiesced(c->server));
}

/*
 * The template of this packet's client, its timer started again, or NO_SLOT. One that is past its
 * time still counts while connections of it live.
 */
static __always_inline __u32 template_find(const struct packet *key, struct place place, __u32 now, __u32 *server)
{

	/* unrolled: Linux 6.1 takes no loop that goes on right behind a call */
#pragma clang loop unroll(full)
	for (int i = 0; i < 2; i++) {
		struct bucket *b = bucket_at(place.bucket[i]);
		struct connection *c;
		__u32 slot, old, expires;

		if (!b)
			continue;
		slot = slot_held(b, key);
		if (slot == NO_SLOT)
			continue;
		c = &b->slot[slot % BUCKET_SLOTS];
		old = c->expires;
		if (reached(now, old) && !c->children) {
			connection_end(c, old, now);
			continue;
		}
		if (!template_usable(c)) {
			template_invalidate(c);
			continue;
		}
		expires = now + c->control;
		if (__sync_val_compare_and_swap(&c->expires, old, expires) != old && reached(now, c->expires))
			continue;	/* it was ended meanwhile; else another packet has refreshed it */
		*server = c->server;
		return place.bucket[i] * BUCKET_SLOTS + slot;
	}
	return NO_SLOT;
}

struct persistent {
	__u32 server;
	__u32 control;		/* 1 + place of the template; 0: none */
};

/* The server the client's template names. Returns 1 if there is one. */
__noinline int persistent_server(const struct packet *p, __u32 service, __u32 now, struct persistent *result)
{
	struct service *sv = service_at(service);
	struct packet key;
	__u32 slot;

	if (!p || !sv || !result)
		return 0;
	template_key(p, sv, &key);
	slot = template_find(&key, place_of(&key), now, &result->server);
	result->control = slot + 1;
	return slot != NO_SLOT;
}

/*
 * Remember result->server for the client; if another CPU was quicker, its choice counts.
 * Returns CONTINUE, TABLE_FULL or BUSY.
 */
__noinline int persistent_remember(const struct packet *p, __u32 service, __u32 now, struct persistent *result)
{
	struct making making = { .status = CONNECTION_TEMPLATE };
	struct service *sv = service_at(service);
	struct packet key;
	struct server *s;
	struct head *h;
	__u32 slot;

	if (!p || !sv || !result)
		return BUSY;
	s = server_at(result->server);
	if (!s)
		return BUSY;
	template_key(p, sv, &key);
	making.place = place_of(&key);
	h = head_of(making.place.bucket[0]);
	if (!h || !lock(h, making.place.bucket[0]))
		return BUSY;
	slot = template_find(&key, making.place, now, &result->server);
	if (slot == NO_SLOT) {
		making.server = result->server;
		making.server_port = key.id >> 16 & 0xffff ? s->port : 0;
		making.expires = now + sv->persistence;
		making.control = sv->persistence;
		slot = connection_add(&key, &making, now);
		if (slot != NO_SLOT && slot != SLOT_EXISTS)
			bind_server(s, making.status);
	}
	unlock(h);
	if (slot == SLOT_EXISTS)
		return BUSY;
	result->control = slot + 1;
	return slot == NO_SLOT ? TABLE_FULL : CONTINUE;
}

#endif
