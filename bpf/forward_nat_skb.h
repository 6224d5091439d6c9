/* SPDX-License-Identifier: GPL-2.0 */
/* Masquerading at tc (forward_nat.h tells how): any packet, both ways, and an end for each. */
#ifndef DIRECTRIX_FORWARD_NAT_SKB_H
#define DIRECTRIX_FORWARD_NAT_SKB_H

#include "forward_nat.h"
#include "fragment.h"
#include "narrow.h"
#include "rewrite_skb.h"

#define NO_REPLY 0		/* beside what becomes of a packet that may be a reply: it is none */

/* The port at a real server for a packet without a connection: one-packet scheduling. */
static __always_inline __u16 port_at_server(const struct packet *p, __u32 number)
{
	struct server *s = server_at(number);
	struct service *service = s ? service_at(s->service) : NULL;

	if (!service || !s->port || (service->flags & SERVICE_PERSISTENT && service->key.port != port_of(p)))
		return port_of(p);
	return s->port;
}

static __always_inline bool tc_rewrite(struct __sk_buff *skb, const struct packet *p, const struct rewriting *to)
{
	return p->kind == KIND_QUOTE ? skb_rewrite_quote(skb, p, to) : skb_rewrite(skb, p, to);
}

/* Off it goes: through the kernel's neighbour code if `next` names the next hop, else with these MACs. */
static __always_inline int tc_send(struct __sk_buff *skb, const struct pieces_way *way, struct bpf_redir_neigh *next)
{
	if (next->nh_family)
		return bpf_redirect_neigh(way->ifindex, next, sizeof(*next), 0);
	if (!skb_frame_between(skb, &way->mac, &way->source))
		return tc_dropped(MALFORMED);
	return bpf_redirect(way->ifindex, 0);
}

/* Send a request, whose TTL is counted down already. `next` names the next hop if it was just looked up. */
__noinline int tc_masquerade(struct __sk_buff *skb, const struct packet *p, __u32 number, __u32 device,
			     struct bpf_redir_neigh *next)
{
	struct hop *hop = hop_at(number);
	bool known = hop->state == HOP_MASQUERADE;
	struct pieces_way way = { .mac = known ? hop->mac : 0, .source = hop->source, .ifindex = hop->ifindex };
	struct rewriting to = {};
	struct connection *c;
	int verdict = CONTINUE;
	__u32 now = ticks();
	enum fit fit;

	if (!p || !next)
		return tc_dropped(BUSY);
	way.room = known ? hop->mtu : device_mtu(skb, hop->ifindex);
	fit = fit_of(skb, p, ETH_HLEN, way.room);
	if (fit == TOO_LARGE)
		return answered(skb, p, device, ANSWER_TOO_BIG, way.room);
	c = p->kind == KIND_LATER ? NULL : connection_find(p, place_of(p), now);
	if (c && !(c->status & CONNECTION_MASQUERADED) && p->kind != KIND_QUOTE)
		verdict = masquerade_begin(p, now);
	if (verdict != CONTINUE)
		return tc_dropped(verdict);
	__builtin_memcpy(to.address, hop->outer, sizeof(to.address));
	to.port = c ? c->server_port : port_at_server(p, number);
	if (!tc_rewrite(skb, p, &to))
		return tc_dropped(p->kind == KIND_FIRST ? BAD_FRAGMENT : MALFORMED);
	if (fit == TO_CUT && !plain_cut(skb, ETH_HLEN, &way))
		return tc_dropped(MALFORMED);
	count_forwarded(bpf_get_smp_processor_id(), number, p->length, p->kind);
	if (next->nh_family && !known)
		count_verdict(bpf_get_smp_processor_id(), NO_NEIGHBOUR);
	return tc_send(skb, &way, next);
}

/*
 * The way to the client of a connection; false if there is none. A packet that asks for it goes through the
 * kernel's neighbour code, `next` being filled in for that, and so do all that XDP left to it.
 */
static __noinline bool tc_way(struct __sk_buff *skb, const struct connection *c, struct pieces_way *way,
			      struct bpf_redir_neigh *next, bool behind)
{
	const struct hop *hop = hop_at(c->server);
	struct bpf_fib_lookup fib;
	struct way_back known;
	struct way_key key;
	__u32 now = ticks();
	int state;

	way_key_of(c, hop, connection_family(c) == 4, &key);
	if (!behind && way_known(&key, now, &known)) {
		way->mac = known.mac;
		way->source = known.source;
		way->ifindex = known.ifindex;
		way->room = known.mtu;
		return true;
	}
	way_ask(c, hop, &fib);
	state = next_hop_state(&fib, bpf_fib_lookup(skb, &fib, sizeof(fib), 0));
	if (state == HOP_NO_ROUTE)
		return false;
	next_hop_due(&fib, now);
	next_hop_name(&fib, next);
	way->ifindex = fib.ifindex;
	way->room = fib.mtu_result;
	if (state == HOP_RESOLVED) {
		way->mac = mac_word(fib.dmac);
		way->source = mac_word(fib.smac);
		way_write(&key, &fib, now);
	} else {
		way->room = device_mtu(skb, fib.ifindex);
	}
	return true;
}

/*
 * The connection of what may be a reply. A later fragment has that of the first of its datagram, an error that of what
 * it quotes, which reads as if the real server had sent it.
 */
static __noinline struct connection *tc_reply_find(const struct packet *p, __u32 now, __u32 *place)
{
	return p->kind == KIND_LATER ? fragment_reply(now, place) : reply_of(p, now, place);
}

/* Let a reply read as if it had been to the virtual address: whoever is answered hears from there, not from the client. */
static __always_inline void as_to_virtual(struct packet *p, const struct connection *c)
{
	if (is_ipv4(p))
		p->address[1] = c->address[1];
	else
		__builtin_memcpy(&p->address[4], &c->address[4], sizeof(struct in6_addr));
}

/*
 * A packet that may be a reply: what becomes of it, or NO_REPLY; `p` is then not what was read any more. It
 * came in at `device`; `next` is empty. Global: verified once.
 */
__noinline int tc_reply(struct __sk_buff *skb, struct packet *p, __u32 device, enum tc_place where,
			struct bpf_redir_neigh *next)
{
	struct rewriting to = { .source = true };
	__u32 place = 0, now = ticks();
	struct pieces_way way = {};
	struct connection *c;
	enum fit fit;

	if (!p || !next || p->kind >= KIND_TINY)
		return NO_REPLY;
	c = tc_reply_find(p, now, &place);
	if (!c)
		return NO_REPLY;
	if (p->kind == KIND_FIRST && fragment_remember_reply(place, now) && where != TC_IP &&
	    tc_release(skb, device, now))
		return tc_dropped(BUSY);
	if (!tc_way(skb, c, &way, next, where == TC_BEHIND_XDP))
		return tc_dropped(NO_ROUTE);
	if (where == TC_IP && !skb_ethernet(skb))
		return tc_dropped(NO_ROUTE);
	if (where == TC_IP)
		device = 0;
	fit = fit_of(skb, p, ETH_HLEN, way.room);
	if (fit == TOO_LARGE || !skb_ttl_down(skb, ETH_HLEN, is_ipv4(p))) {
		as_to_virtual(p, c);
		return fit == TOO_LARGE ? answered(skb, p, device, ANSWER_TOO_BIG, way.room) :
					  answered(skb, p, device, ANSWER_TIME_EXCEEDED, 0);
	}
	if (p->kind < KIND_LATER)
		reply_goes_on(c, place, p, now);	/* IPVS: errors don't refresh */
	__builtin_memcpy(to.address, is_ipv4(p) ? &c->address[1] : &c->address[4], sizeof(to.address));
	to.port = service_port(c);
	if (!tc_rewrite(skb, p, &to))
		return tc_dropped(p->kind == KIND_FIRST ? BAD_FRAGMENT : MALFORMED);
	if (fit == TO_CUT && !plain_cut(skb, ETH_HLEN, &way))
		return tc_dropped(MALFORMED);
	count_replied(bpf_get_smp_processor_id(), c->server, hop_at(c->server), p->length, p->kind);
	return tc_send(skb, &way, next);
}

#endif
