/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a packet meets: its connection, or else its service and a new connection. The hooks call
 * connection_find() and then direct(), and act on the verdict; nothing here knows under which hook it
 * runs.
 */
#ifndef DIRECTRIX_DIRECTOR_H
#define DIRECTRIX_DIRECTOR_H

#include "estimator.h"
#include "guard.h"
#include "mark.h"
#include "reply.h"

/* The real server of a new connection, and the template that controls it if there is one. */
static __always_inline int choose(const struct packet *p, __u32 number, struct service *service, __u32 now,
				  struct persistent *choice)
{
	bool persistent = service->flags & SERVICE_PERSISTENT;

	if (service->key.port != port_of(p) && !persistent && service->key.protocol)
		return NO_SERVER;	/* IPVS: a service for more than its port works only with persistence, or by mark */
	if (persistent && persistent_server(p, number, now, choice))
		return CONTINUE;
	choice->control = 0;
	choice->server = schedule(p, service->set);
	if (choice->server == NOBODY)
		return NO_SERVER;
	return persistent ? persistent_remember(p, number, now, choice) : CONTINUE;
}

/*
 * Put the new connection into the table, in place of one of this flow that is over. If another
 * CPU was quicker, its connection counts.
 */
static __always_inline int enter(const struct packet *p, __u32 number, struct making *making, struct server *s,
				 __u32 now)
{
	struct head *h = head_of(making->place.bucket[0]);
	int verdict = CONTINUE;
	__u32 slot;

	if (!h || !lock(h, making->place.bucket[0]))
		return BUSY;
	slot = connection_add(p, making, now);
	if (slot == NO_SLOT) {
		verdict = TABLE_FULL;
	} else if (slot != SLOT_EXISTS) {
		bind_server(s, making->status);
		if (half_open(making->status) && handshake_begun(s)) {
			struct connection *c = connection_at(slot);

			if (c)
				c->begun = handshake_clock();
		}
		if (making->control) {
			struct connection *template = connection_at(making->control - 1);

			count_as_taken_by(number, s);
			if (template)
				__sync_fetch_and_add(&template->children, 1);
			/* of what is masqueraded that is known later: masquerade_begin() */
			if (established(making->status) && s->method != METHOD_MASQUERADE)
				assure(making->control);
		}
	}
	unlock(h);
	return verdict;
}

/*
 * Status of the connection that a packet starts; 0: it may not start one. SYN and INIT may; where
 * sloppiness is wanted, all but RST and ABORT; in a flood, a client's second packet. A global function: for the
 * verifier all that begins is alike.
 */
__noinline __u32 opening_status(const struct packet *p)
{
	__u32 state = UDP_S_NORMAL;

	if (!p)
		return 0;
	if (protocol_of(p) == IPPROTO_TCP) {
		if (p->tcp_flags & TCP_RST || !(p->tcp_flags & TCP_SYN || front.sysctl.sloppy_tcp))
			return front.flood ? flood_status(p) : 0;
		state = tcp_state_after(p->tcp_flags, TCP_S_NONE, INPUT_ONLY);
	} else if (protocol_of(p) == IPPROTO_SCTP) {
		if (p->tcp_flags & TCP_RST || !(p->tcp_flags & TCP_SYN || front.sysctl.sloppy_sctp))
			return front.flood ? flood_status(p) : 0;
		state = sctp_after(SCTP_S_NONE, p->sctp_event, INPUT_ONLY);
	}
	return state | (active(state) ? CONNECTION_ACTIVE : 0);
}

/* May a packet without a connection start one, and with which real server? CONTINUE: *server has it. REPLY: it is one. */
static __always_inline int open_new(const struct packet *p, __u32 now, __u32 *server, __u32 known)
{
	struct making making = {};
	struct persistent choice = {};
	struct service *service;
	struct server *s;
	__u32 number;
	bool mapped;
	int verdict;

	if (is_ipv4(p) ? martian4(p->address[0]) : martian6(p))
		return MALFORMED;
	number = NOBODY;
	if (fwmarks.in_force) {
		/* a rule may cover clients' addresses, too */
		if (front.beyond & BEYOND_REPLIES && is_reply(p, now))
			return REPLY;
		number = mark_service(p);
	}
	if (number == NOBODY)
		number = service_find(p);
	service = service_at(number);
	if (!service)
		return front.beyond & BEYOND_REPLIES && is_reply(p, now) ? REPLY : NO_SERVICE;
	making.status = opening_status(p);
	if (!making.status)
		return NO_CONNECTION;
	if (service->flags & SERVICE_ONE_PACKET && protocol_of(p) == IPPROTO_UDP && p->from_xdp == AT_XDP)
		return HANDED_UP;	/* only tc has an end for every packet: this one must not be scheduled twice */
	if (guards_are_up()) {
		int way = guarded(p, number, known, making.status, &choice);

		if (way < CONTINUE)
			return way;
		if (way & GUARD_UNENTERED) {
			*server = choice.server;
			return CONTINUE;
		}
		if (way & GUARD_CHOSEN) {
			verdict = way & GUARD_REMEMBER ? persistent_remember(p, number, now, &choice) : CONTINUE;
			goto chosen;
		}
	}
	if (client_port_of(p) == bpf_htons(FTP_DATA_PORT))
		return NO_CONNECTION;	/* IPVS leaves what looks like active FTP's data to the host */
	verdict = choose(p, number, service, now, &choice);
	if (verdict == NO_SERVER && service->key.port == bpf_htons(FTP_PORT) && port_of(p) != bpf_htons(FTP_PORT))
		return NO_CONNECTION;	/* it only might have been FTP's data: the host's */
chosen:
	if (verdict != CONTINUE)
		return verdict;
	s = server_at(choice.server);
	if (!s)
		return NO_SERVER;
	*server = choice.server;
	if (service->flags & SERVICE_ONE_PACKET && protocol_of(p) == IPPROTO_UDP) {
		__sync_fetch_and_add(&s->connections, 1);
		count_as_taken_by(number, s);
		return CONTINUE;
	}
	making.place = place_of(p);
	making.server = choice.server;
	making.control = choice.control;
	making.expires = deadline(now, making.status & STATE_MASK);
	if (front.sysctl.drop_entry)
		making.status |= STATE_COUNTED | CONNECTION_PACKET;
	mapped = port_of(p) == service->key.port || !(service->flags & SERVICE_PERSISTENT);
	making.server_port = mapped && s->port ? s->port : port_of(p);
	verdict = enter(p, number, &making, s, now);
	*server = making.server;
	return verdict;
}

/*
 * A packet of a connection that is no plain ACK of an established one, and that said() this. Returns the state it
 * leads to. Global: verified once, and plain ACKs pay nothing for what it needs.
 */
__noinline __u32 connection_hears(struct connection *c, __u32 protocol, __u32 says)
{
	__u32 before, state;

	if (!c)
		return 0;
	before = state = c->status & 0xff;
	if (state & STATE_COUNTED)
		state = count_packet(c, state);
	state = state_after(protocol, says, state, c->status & CONNECTION_MASQUERADED ? INPUT : INPUT_ONLY);
	if (state != before)
		connection_move(c, state);
	return state;
}

/* A packet of a connection: what it does to its state and its time. */
static __always_inline void go_on(struct connection *c, const struct packet *p, __u32 now)
{
	__u32 state = c->status & 0xff;
	bool nothing = (state == TCP_S_ESTABLISHED && tcp_plain_ack(p->tcp_flags)) || state == UDP_S_NORMAL;

	if (__builtin_expect(!nothing, 0))
		state = connection_hears(c, protocol_of(p), said(p));
	connection_refresh(c, p, state, now);
}

/*
 * For a packet without a connection, or with a `known` one that may have to give way: a global
 * function, so that the verifier looks at it once. Returns a verdict; with CONTINUE *server is set.
 * The old connection counts while the new one is scheduled and is gone afterwards, also if there is
 * no new one (IPVS).
 */
__noinline int connection_open(const struct packet *p, __u32 now, __u32 *server, __u32 known)
{
	struct connection *c;
	int verdict;

	if (!p || !server)
		return BUSY;
	if (known) {
		c = connection_find(p, place_of(p), now);
		if (c && !gives_way(c, p)) {
			*server = c->server;
			if (available(c->server))
				go_on(c, p, now);
			return CONTINUE;
		}
	}
	verdict = open_new(p, now, server, known);
	if (!known || verdict == CONTINUE || verdict == HANDED_UP)
		return verdict;
	c = connection_find(p, place_of(p), now);
	if (c && gives_way(c, p)) {
		connection_end(c, c->expires, now);
		visit_both(place_of(p), now + GRACE_TICKS);
	}
	return verdict;
}

/*
 * CONTINUE: to be forwarded to real server *number. Anything else is the packet's end. A packet
 * that is `in_registers` (the quick way's: TCP or UDP) is copied where it is needed in memory, so
 * that it can stay there.
 */
static __always_inline enum verdict direct(const struct packet *p, bool in_registers, struct connection *c, __u32 now,
					   __u32 *number)
{
	if (!c || asks_anew(p) || !available(c->server)) {
		enum verdict verdict;

		if (in_registers) {
			struct packet copy = *p;

			verdict = connection_open(&copy, now, number, !!c);
		} else {
			verdict = connection_open(p, now, number, !!c);
		}
		if (verdict != CONTINUE)
			return verdict;
		return available(*number) ? CONTINUE : SERVER_GONE;
	}
	*number = c->server;
	go_on(c, p, now);
	return CONTINUE;
}

/* A packet in these counters of its server. Of a datagram in fragments it is the first that counts as one (fragment.h). */
static __always_inline void count_at(void *counters, __u32 cpu, __u32 number, __u32 length, enum packet_kind kind)
{
	__u32 row = cpu * MAX_SERVERS + number;
	struct server_count *n = bpf_map_lookup_elem(counters, &row);

	if (n) {
		if (kind != KIND_LATER)
			n->packets++;
		n->bytes += length;
	}
	if (kind == KIND_LATER)
		count_verdict(cpu, LATER_FRAGMENT);
}

/* A packet on its way. */
static __always_inline void count_forwarded(__u32 cpu, __u32 number, __u32 length, enum packet_kind kind)
{
	note_server(number);
	if (kind == KIND_QUOTE && !(hop_at(number)->flags & SERVER_AVAILABLE)) {
		__sync_fetch_and_add(&front.forwarded, 1);	/* IPVS: counted at the server no longer */
		return;
	}
	count_at(&server_stats, cpu, number, length, kind);
}

#endif
