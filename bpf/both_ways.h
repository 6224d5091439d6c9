/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IPVS's states where the director sees both directions, because it masquerades: the columns that
 * tcp.h and sctp.h, which see a client's packets only, have no use for. As there, row = what the packet
 * says, column = state now, value = next state; src/directrix/lvs/tcp.py and sctp.py state the same
 * tables for people, and a test compares them.
 */
#ifndef DIRECTRIX_BOTH_WAYS_H
#define DIRECTRIX_BOTH_WAYS_H

#include "tcp.h"

enum direction { FROM_CLIENT, FROM_SERVER };

#define NO TCP_S_NONE
#define ES TCP_S_ESTABLISHED
#define SS TCP_S_SYN_SENT
#define SR TCP_S_SYN_RECV
#define FW TCP_S_FIN_WAIT
#define TW TCP_S_TIME_WAIT
#define CL TCP_S_CLOSE
#define CW TCP_S_CLOSE_WAIT
#define LA TCP_S_LAST_ACK
#define LI TCP_S_LISTEN
#define SA TCP_S_SYNACK

const __u8 tcp_both[2][2][8][16] = {
	{
		[FROM_CLIENT] = {
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
			[EVENT_FIN]  = { CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW },
			[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
			[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
		[FROM_SERVER] = {
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR },
			[EVENT_FIN]  = { TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW },
			[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES },
			[EVENT_RST]  = { CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
	},
	{	/* secure_tcp */
		[FROM_CLIENT] = {
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA },
			[EVENT_FIN]  = { CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA },
			[EVENT_ACK]  = { ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA },
			[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
		[FROM_SERVER] = {
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA },
			[EVENT_FIN]  = { TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW },
			[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES },
			[EVENT_RST]  = { CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
	},
};

#undef NO
#undef ES
#undef SS
#undef SR
#undef FW
#undef TW
#undef CL
#undef CW
#undef LA
#undef LI
#undef SA

#define NO SCTP_S_NONE
#define I1 SCTP_S_INIT1
#define IN SCTP_S_INIT
#define CS SCTP_S_COOKIE_SENT
#define CR SCTP_S_COOKIE_REPLIED
#define CW SCTP_S_COOKIE_WAIT
#define CO SCTP_S_COOKIE
#define CE SCTP_S_COOKIE_ECHOED
#define ES SCTP_S_ESTABLISHED
#define SS SCTP_S_SHUTDOWN_SENT
#define SR SCTP_S_SHUTDOWN_RECEIVED
#define SA SCTP_S_SHUTDOWN_ACK_SENT
#define RJ SCTP_S_REJECTED
#define CL SCTP_S_CLOSED

const __u8 sctp_both[2][16][16] = {
	[FROM_CLIENT] = {
		/*                                  NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL */
		[SCTP_EVENT_DATA]               = { ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_INIT]               = { I1, IN, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, IN, IN },
		[SCTP_EVENT_INIT_ACK]           = { CW, CW, CW, CS, CR, CO, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ECHO]        = { CR, IN, IN, CR, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ACK]         = { ES, I1, IN, CS, CR, CW, CO, ES, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN]           = { SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_ACK]       = { CL, IN, IN, CS, CR, CW, CO, CE, ES, CL, SR, CL, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_COMPLETE]  = { CL, CL, CL, CS, CR, CW, CO, CE, ES, SS, SR, CL, RJ, CL },
		[SCTP_EVENT_ERROR]              = { CL, I1, IN, CS, CR, CW, CO, CL, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_ABORT]              = { CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL },
		[SCTP_EVENT_SEEN]               = { NO, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
	},
	[FROM_SERVER] = {
		/*                                  NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL */
		[SCTP_EVENT_DATA]               = { ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_INIT]               = { CW, CW, CW, CW, CW, CW, CW, CW, ES, CW, CW, CW, CW, CW },
		[SCTP_EVENT_INIT_ACK]           = { CS, CS, CS, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ECHO]        = { CE, CE, CE, CE, CE, CE, CE, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ACK]         = { ES, ES, ES, ES, ES, ES, ES, ES, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN]           = { SS, SS, SS, SS, SS, SS, SS, SS, SS, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_ACK]       = { SA, SA, SA, SA, SA, CW, CO, CE, ES, SA, SA, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_COMPLETE]  = { CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_ERROR]              = { CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_ABORT]              = { CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[SCTP_EVENT_SEEN]               = { NO, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
	},
};

#undef NO
#undef I1
#undef IN
#undef CS
#undef CR
#undef CW
#undef CO
#undef CE
#undef ES
#undef SS
#undef SR
#undef SA
#undef RJ
#undef CL

/* What a packet says to the state machine of its protocol. */
static __always_inline __u32 said(const struct packet *p)
{
	return protocol_of(p) == IPPROTO_TCP ? p->tcp_flags : p->sctp_event;
}

/*
 * The state of a masqueraded connection, as in its status (STATE_COUNTED stays), after a packet from either side
 * that said() this. Global, and told no more than it needs: the others' way to the state machine is not to grow.
 */
__noinline __u32 state_both_ways(__u32 protocol, __u32 says, __u32 state, enum direction from)
{
	__u32 counted = state & STATE_COUNTED;

	if (protocol == IPPROTO_TCP)
		return tcp_both[front.sysctl.secure_tcp >> 1 & 1][from & 1][tcp_event(says) & 7][state & 15] | counted;
	if (protocol == IPPROTO_SCTP)
		return sctp_both[from & 1][says & 15][((state & STATE_MASK) - SCTP_S_NONE) & 15] | counted;
	return state;
}

/* The same where only the client's packets are seen. */
static __always_inline __u32 state_one_way(const struct packet *p, __u32 state)
{
	if (protocol_of(p) == IPPROTO_TCP)
		return tcp_state_after(p->tcp_flags, state);
	if (protocol_of(p) == IPPROTO_SCTP)
		return sctp_after(state, p->sctp_event);
	return state;
}

/* The state before a connection's first packet. */
static __always_inline __u32 state_at_first(const struct packet *p)
{
	return protocol_of(p) == IPPROTO_TCP ? TCP_S_NONE : protocol_of(p) == IPPROTO_SCTP ? SCTP_S_NONE : UDP_S_NORMAL;
}

#endif
