/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a packet that would make a connection has to pass, where anything is in its way: the budgets
 * of its service, drop_packet, and the flood defence. That nothing is, which is nearly always so,
 * is one load and one test for a new connection (guards_are_up()).
 */
#ifndef DIRECTRIX_GUARD_H
#define DIRECTRIX_GUARD_H

#include "budget.h"
#include "defence.h"
#include "flood.h"
#include "persistence.h"

/* What guarded() says beside CONTINUE. */
#define GUARD_CHOSEN 0x100	/* choice->server gets it, by choice->control's template if there is one */
#define GUARD_REMEMBER 0x200	/* and a template is to be made */
#define GUARD_UNENTERED 0x400	/* and no entry is to be made */

/*
 * Does a real server need an entry from the first packet on? Where it is masqueraded its answers
 * come back through here, and without one nobody would know whose they are.
 */
static __always_inline bool needs_entry(__u32 number)
{
	return hop_at(number)->flags & SERVER_MASQUERADE;
}

static __always_inline bool guards_are_up(void)
{
	return *(const volatile __u64 *)&front.guards;	/* front.flood, too */
}

/* A client's second packet comes in: its handshake, which nobody has watched, is complete. */
static __always_inline void count_admitted(struct flood *f, __u32 server, __u32 status)
{
	struct handshakes *h = handshakes_at(server);
	struct server *s = server_at(server);

	__sync_fetch_and_add(&f->admitted, 1);
	if (!h || !s || half_open(status))
		return;
	__sync_fetch_and_add(&s->begun, 1);
	__sync_fetch_and_add(&h->completed, 1);
}

/*
 * May a packet that would make a connection of service `number` pass? Answers a verdict below
 * CONTINUE if not; CONTINUE if all goes on as always; or bits that say what is settled already. A
 * packet with a `known` connection that gives way takes that one's slot: no flood can fill the
 * table so.
 */
__noinline __u32 guarded(const struct packet *p, __u32 number, __u32 known, __u32 status, struct persistent *choice)
{
	bool first = false, second = false, again;
	__u32 way = CONTINUE | GUARD_CHOSEN;
	struct service *service;
	struct flood *f;
	__u64 hash = 0;

	if (!p || !choice)
		return CONTINUE;
	if (front.flood && protocol_of(p) != IPPROTO_UDP) {
		hash = flow_hash(p);
		first = front.flood == FLOOD_ON && !known && asks_anew(p);
		second = !first && sketch_has(hash);
	}
	again = p->from_xdp == BEHIND_XDP && protocol_of(p) != IPPROTO_UDP;	/* XDP has asked all this before */
	if (!second && !again) {
		if (front.guards & GUARD_BUDGETS && over_budget(p, number))
			return OVER_BUDGET;
		if (front.guards & GUARD_DROP_PACKET && to_drop_packet())
			return DROP_PACKET;
	}
	if ((!first && !second) || client_port_of(p) == bpf_htons(FTP_DATA_PORT))
		return CONTINUE;
	service = service_at(number);
	f = flood_at(number);
	if (!service || !f)
		return CONTINUE;
	choice->control = 0;
	choice->server = NOBODY;
	if (service->flags & SERVICE_PERSISTENT) {
		if (!persistent_server(p, number, ticks(), choice)) {
			choice->control = 0;
			choice->server = flood_pick(service->set, client_hash(p, service, number));
			way |= GUARD_REMEMBER;
		}
	} else if (service->key.port == port_of(p) || !service->key.protocol) {
		choice->server = flood_choose(p, service->set, hash);
	}
	if (choice->server == NOBODY)
		return CONTINUE;	/* for the scheduler to say */
	if (!first) {
		if (!asks_anew(p))
			count_admitted(f, choice->server, status);
		return way;
	}
	if (needs_entry(choice->server))
		return CONTINUE;
	if (!again) {
		sketch_add(hash);
		__sync_fetch_and_add(&f->unentered, 1);
	}
	return way | GUARD_UNENTERED;
}

#endif
