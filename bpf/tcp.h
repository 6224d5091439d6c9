/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IPVS's TCP states as tables, by which of a connection's packets the director sees, and the stricter ones of
 * secure_tcp: row = what the packet says, column = state now, value = next state.
 * src/directrix/lvs/tcp.py states the same tables for people; a test compares them.
 */
#ifndef DIRECTRIX_TCP_H
#define DIRECTRIX_TCP_H

#include "direction.h"
#include "packet.h"

enum tcp_event { EVENT_SYN, EVENT_FIN, EVENT_ACK, EVENT_RST, EVENT_NONE, EVENTS };

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

const __u8 tcp_next[4][2][8][16] = {
	[INPUT_ONLY] = {
		{
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
			[EVENT_FIN]  = { CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW },
			[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
			[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
		{	/* secure_tcp */
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA },
			[EVENT_FIN]  = { CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW },
			[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
			[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
	},
	[INPUT] = {
		{
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR },
			[EVENT_FIN]  = { CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW },
			[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES },
			[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
		{	/* secure_tcp */
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA },
			[EVENT_FIN]  = { CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA },
			[EVENT_ACK]  = { ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA },
			[EVENT_RST]  = { CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
	},
	[OUTPUT] = {
		{
			/*               NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA */
			[EVENT_SYN]  = { SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR },
			[EVENT_FIN]  = { TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW },
			[EVENT_ACK]  = { ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES },
			[EVENT_RST]  = { CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL },
			[EVENT_NONE] = { CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		},
		{	/* secure_tcp */
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

#define TCP_ACTIVE_STATES (1 << TCP_S_ESTABLISHED | 1 << TCP_S_SYN_SENT | 1 << TCP_S_SYN_RECV | 1 << TCP_S_SYNACK)

static __always_inline enum tcp_event tcp_event(__u8 flags)
{
	if (flags & TCP_RST)
		return EVENT_RST;
	if (flags & TCP_SYN)
		return EVENT_SYN;
	if (flags & TCP_FIN)
		return EVENT_FIN;
	return flags & TCP_ACK ? EVENT_ACK : EVENT_NONE;
}

static __always_inline bool tcp_plain_ack(__u8 flags)
{
	return (flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

/* The state after a packet; secure_tcp is on at 2 and 3. */
static __always_inline __u32 tcp_state_after(__u8 flags, __u32 state, enum direction direction)
{
	return tcp_next[direction & 3][front.sysctl.secure_tcp >> 1 & 1][tcp_event(flags) & 7][state & 15];
}

#endif
