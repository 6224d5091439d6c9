/* SPDX-License-Identifier: GPL-2.0 */
/* The state that a packet leads its connection to, whatever the protocol. */
#ifndef DIRECTRIX_STATES_H
#define DIRECTRIX_STATES_H

#include "sctp.h"
#include "tcp.h"

/* What a packet says to the state machine of its protocol. */
static __always_inline __u32 said(const struct packet *p)
{
	return protocol_of(p) == IPPROTO_TCP ? p->tcp_flags : p->sctp_event;
}

/* The state, as in a connection's status (STATE_COUNTED stays), after a packet that said() this. */
static __always_inline __u32 state_after(__u32 protocol, __u32 says, __u32 state, enum direction direction)
{
	__u32 counted = state & STATE_COUNTED;

	if (protocol == IPPROTO_TCP)
		return tcp_state_after(says, state, direction) | counted;
	if (protocol == IPPROTO_SCTP)
		return sctp_after(state & STATE_MASK, says, direction) | counted;
	return state;
}

/* The state before a connection's first packet. */
static __always_inline __u32 state_at_first(const struct packet *p)
{
	return protocol_of(p) == IPPROTO_TCP ? TCP_S_NONE : protocol_of(p) == IPPROTO_SCTP ? SCTP_S_NONE : UDP_S_NORMAL;
}

#endif
