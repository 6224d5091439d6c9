/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When a packet's connection gives way to a new one.
 *
 * IPVS's rules: a SYN on a connection that is over (conn_reuse_mode); and with expire_nodest_conn a
 * SYN on a connection whose server has weight 0, and every packet of one whose server was removed.
 *
 * And one rule of our own, which is IPVS's one known pain cured: a SYN on a connection whose server
 * was removed starts a new one at once, whatever expire_nodest_conn says. IPVS drops it silently,
 * and the client's SYNs after it, until the dead connection has timed out. It is safe: whoever sends a
 * SYN has no use for the old connection any more, and its server is gone. Other packets of such a
 * connection are dropped as IPVS drops them, for the server may come back.
 */
#ifndef DIRECTRIX_REUSE_H
#define DIRECTRIX_REUSE_H

static __always_inline bool available(__u32 server)
{
	return hop_at(server)->flags & SERVER_AVAILABLE;
}

/* Has this real server weight 0? */
static __always_inline bool quiesced(__u32 server)
{
	struct server *s = server_at(server);

	return s && !s->weight;
}

/* Does it ask for a connection? */
static __always_inline bool asks_anew(const struct packet *p)
{
	return p->tcp_flags & TCP_SYN;
}

#define OVER_STATES (1 << TCP_S_TIME_WAIT | 1 << TCP_S_CLOSE | 1 << SCTP_S_CLOSED)

/* Is there nothing more to come, as conn_reuse_mode has it? What a template controls is never over (IPVS). */
static __always_inline bool is_over(const struct connection *c)
{
	__u32 state = c->status & STATE_MASK;

	if (!front.sysctl.conn_reuse_mode || c->control)
		return false;
	/* where both sides are seen, FIN_WAIT says that only the real server has ended */
	return OVER_STATES >> (state % STATES) & 1 ||
	       (state == TCP_S_FIN_WAIT && front.sysctl.conn_reuse_mode & 2 && !(c->status & CONNECTION_MASQUERADED));
}

static __always_inline bool gives_way(const struct connection *c, const struct packet *p)
{
	if (c->status & CONNECTION_TEMPLATE)
		return false;
	if (!available(c->server))
		return front.sysctl.expire_nodest_conn || (asks_anew(p) && !(p->tcp_flags & TCP_RST));
	if (!asks_anew(p))
		return false;
	return is_over(c) || (front.sysctl.expire_nodest_conn && quiesced(c->server));
}

#endif
