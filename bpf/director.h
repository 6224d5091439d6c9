/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a packet meets: its connection, or else its service and a new connection. The hooks call
 * connection_find() and then direct(), and act on the verdict; nothing here knows under which hook it
 * runs.
 */
#ifndef DIRECTRIX_DIRECTOR_H
#define DIRECTRIX_DIRECTOR_H

#include "estimator.h"
#include "mark.h"
#include "persistence.h"

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
		/* what is no datagram starts half-open */
		if (making->status != UDP_S_NORMAL && handshake_begun(making->server)) {
			struct connection *c = connection_at(slot);

			if (c)
				c->begun = handshake_clock();
		}
		if (making->control) {
			struct connection *template = connection_at(making->control - 1);

			count_as_taken_by(number, s);
			if (template)
				__sync_fetch_and_add(&template->children, 1);
		}
	}
	unlock(h);
	return verdict;
}

/* May a packet without a connection start one, and with which real server? CONTINUE: *server has it. */
static __always_inline int open_new(const struct packet *p, __u32 now, __u32 *server)
{
	struct making making = { .status = UDP_S_NORMAL };
	struct persistent choice = {};
	struct service *service;
	struct server *s;
	__u32 number;
	bool mapped;
	int verdict;

	if (is_ipv4(p) ? martian4(p->address[0]) : martian6(p))
		return MALFORMED;
	if (client_port_of(p) == bpf_htons(FTP_DATA_PORT))
		return NO_CONNECTION;	/* IPVS leaves what looks like active FTP's data to the host */
	number = fwmarks.in_force ? mark_service(p) : NOBODY;
	if (number == NOBODY)
		number = service_find(p);
	service = service_at(number);
	if (!service)
		return NO_SERVICE;
	if (protocol_of(p) == IPPROTO_TCP) {
		if (!tcp_opens(p->tcp_flags))
			return NO_CONNECTION;
		making.status = TCP_S_SYN_RECV | CONNECTION_ACTIVE;
	} else if (protocol_of(p) == IPPROTO_SCTP) {
		if (!sctp_opens(p->sctp_event))
			return NO_CONNECTION;
		making.status = SCTP_S_INIT1;
	}
	if (service->flags & SERVICE_ONE_PACKET && protocol_of(p) == IPPROTO_UDP && p->from_xdp)
		return HANDED_UP;	/* only tc has an end for every packet: this one must not be scheduled twice */
	verdict = choose(p, number, service, now, &choice);
	if (verdict == NO_SERVER && service->key.port == bpf_htons(FTP_PORT) && port_of(p) != bpf_htons(FTP_PORT))
		return NO_CONNECTION;	/* it only might have been FTP's data: the host's */
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
	making.expires = deadline(now, making.status & 0xff);
	mapped = port_of(p) == service->key.port || !(service->flags & SERVICE_PERSISTENT);
	making.server_port = mapped && s->port ? s->port : port_of(p);
	verdict = enter(p, number, &making, s, now);
	*server = making.server;
	return verdict;
}

/*
 * For a packet without a connection, or on one that is over: a global function, so that the
 * verifier looks at it once. Returns a verdict; with CONTINUE *server is set. The old connection
 * counts while the new one is scheduled and is gone afterwards, also if there is no new one (IPVS).
 */
__noinline int connection_open(const struct packet *p, __u32 now, __u32 *server)
{
	struct connection *c;
	struct place place;
	int verdict;

	if (!p || !server)
		return BUSY;
	verdict = open_new(p, now, server);
	if (verdict == CONTINUE || verdict == HANDED_UP || !(p->tcp_flags & TCP_SYN))
		return verdict;
	place = place_of(p);
	c = connection_find(p, place, now);
	if (c && starts_over(c, p)) {
		connection_end(c, c->expires, now);
		visit_both(place, now + GRACE_TICKS);
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
	__u32 state;

	if (!c || starts_over(c, p)) {
		enum verdict verdict;

		if (in_registers) {
			struct packet copy = *p;

			verdict = connection_open(&copy, now, number);
		} else {
			verdict = connection_open(p, now, number);
		}
		if (verdict != CONTINUE)
			return verdict;
		return hop_at(*number)->flags & SERVER_AVAILABLE ? CONTINUE : SERVER_GONE;
	}
	*number = c->server;
	if (!(hop_at(c->server)->flags & SERVER_AVAILABLE))
		return SERVER_GONE;
	state = c->status & 0xff;
	if (protocol_of(p) == IPPROTO_TCP && !(state == TCP_S_ESTABLISHED && tcp_plain_ack(p->tcp_flags)))
		state = tcp_next[tcp_event(p->tcp_flags) & 7][state & 15];
	else if (!in_registers && protocol_of(p) == IPPROTO_SCTP)
		state = sctp_after(state, p->sctp_event);
	if (state != (c->status & 0xff))
		connection_move(c, state);
	connection_refresh(c, p, state, now);
	return CONTINUE;
}

static __always_inline void count_forwarded(__u32 cpu, __u32 number, __u32 length)
{
	__u32 row = cpu * MAX_SERVERS + number;
	struct server_count *n = bpf_map_lookup_elem(&server_stats, &row);

	if (n) {
		n->packets++;
		n->bytes += length;
	}
}

#endif
