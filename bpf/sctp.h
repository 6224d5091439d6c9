/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SCTP: what a packet says, and IPVS's states as tables, by which of a connection's packets the director sees:
 * row = what the packet says, column = state now, value = next state.
 * src/directrix/lvs/sctp.py states the same tables for people; a test compares them.
 *
 * The first chunk tells what a packet says. With one exception: an ABORT right behind a COOKIE ECHO
 * or COOKIE ACK comes before it. In direct routing nothing of the packet changes, so nobody here
 * looks at its checksum.
 */
#ifndef DIRECTRIX_SCTP_H
#define DIRECTRIX_SCTP_H

#include "direction.h"
#include "table.h"

#define SCTP_COMMON_HEADER 12
#define SCTP_CHUNK_TYPES 16		/* with a row in sctp_event_of; others are data */

enum sctp_chunk_type {
	SCTP_CHUNK_DATA, SCTP_CHUNK_INIT, SCTP_CHUNK_INIT_ACK, SCTP_CHUNK_SACK, SCTP_CHUNK_HEARTBEAT,
	SCTP_CHUNK_HEARTBEAT_ACK, SCTP_CHUNK_ABORT, SCTP_CHUNK_SHUTDOWN, SCTP_CHUNK_SHUTDOWN_ACK, SCTP_CHUNK_ERROR,
	SCTP_CHUNK_COOKIE_ECHO, SCTP_CHUNK_COOKIE_ACK, SCTP_CHUNK_ECNE, SCTP_CHUNK_CWR, SCTP_CHUNK_SHUTDOWN_COMPLETE,
};

enum sctp_event {
	SCTP_EVENT_DATA, SCTP_EVENT_INIT, SCTP_EVENT_INIT_ACK, SCTP_EVENT_COOKIE_ECHO, SCTP_EVENT_COOKIE_ACK,
	SCTP_EVENT_SHUTDOWN, SCTP_EVENT_SHUTDOWN_ACK, SCTP_EVENT_SHUTDOWN_COMPLETE, SCTP_EVENT_ERROR, SCTP_EVENT_ABORT,
	SCTP_EVENT_SEEN,	/* XDP has told the state machine: an INIT must not count twice */
	SCTP_EVENTS,
};

const __u8 sctp_event_of[SCTP_CHUNK_TYPES] = {
	[SCTP_CHUNK_INIT]		= SCTP_EVENT_INIT,
	[SCTP_CHUNK_INIT_ACK]		= SCTP_EVENT_INIT_ACK,
	[SCTP_CHUNK_ABORT]		= SCTP_EVENT_ABORT,
	[SCTP_CHUNK_SHUTDOWN]		= SCTP_EVENT_SHUTDOWN,
	[SCTP_CHUNK_SHUTDOWN_ACK]	= SCTP_EVENT_SHUTDOWN_ACK,
	[SCTP_CHUNK_ERROR]		= SCTP_EVENT_ERROR,
	[SCTP_CHUNK_COOKIE_ECHO]	= SCTP_EVENT_COOKIE_ECHO,
	[SCTP_CHUNK_COOKIE_ACK]		= SCTP_EVENT_COOKIE_ACK,
	[SCTP_CHUNK_SHUTDOWN_COMPLETE]	= SCTP_EVENT_SHUTDOWN_COMPLETE,
};

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

const __u8 sctp_next[4][16][16] = {
	[INPUT_ONLY] = {
		/*                                  NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL */
		[SCTP_EVENT_DATA]               = { ES, I1, IN, CS, CR, ES, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_INIT]               = { I1, IN, IN, IN, IN, IN, CO, CE, ES, SS, SR, SA, IN, IN },
		[SCTP_EVENT_INIT_ACK]           = { CE, CE, CE, CE, CE, CE, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ECHO]        = { ES, ES, ES, ES, ES, ES, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_COOKIE_ACK]         = { ES, I1, IN, ES, ES, CW, ES, ES, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN]           = { SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_ACK]       = { CL, IN, IN, CS, CR, CW, CO, CE, CL, CL, SR, CL, RJ, CL },
		[SCTP_EVENT_SHUTDOWN_COMPLETE]  = { CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, CL, CL, RJ, CL },
		[SCTP_EVENT_ERROR]              = { CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
		[SCTP_EVENT_ABORT]              = { CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL },
		[SCTP_EVENT_SEEN]               = { NO, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL },
	},
	[INPUT] = {
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
	[OUTPUT] = {
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

struct sctp_chunk {
	__u8 type;
	__u8 flags;
	__be16 length;		/* of all of it, without the padding to a multiple of four */
};

/*
 * Read a packet's first chunk, `room` bytes from `l4` on belonging to the packet. *behind is set to
 * where from `l4` on another one has to be looked at, or 0. False: it is cut off.
 */
static __always_inline bool sctp_read(void *l4, void *end, __u32 room, __u8 *event, __u32 *behind)
{
	const struct sctp_chunk *chunk = l4 + SCTP_COMMON_HEADER;
	__u32 length, at;

	if ((void *)(chunk + 1) > end || room < SCTP_COMMON_HEADER + sizeof(*chunk))
		return false;
	*event = chunk->type < SCTP_CHUNK_TYPES ? sctp_event_of[chunk->type] : SCTP_EVENT_DATA;
	*behind = 0;
	if (chunk->type == SCTP_CHUNK_COOKIE_ECHO || chunk->type == SCTP_CHUNK_COOKIE_ACK) {
		length = bpf_ntohs(chunk->length);
		at = SCTP_COMMON_HEADER + ((length + 3) & ~3U);
		if (length >= sizeof(*chunk) && at + sizeof(*chunk) <= room)
			*behind = at;
	}
	return true;
}

/* The state after a packet that says `event`. */
static __always_inline __u32 sctp_after(__u32 state, __u32 event, enum direction direction)
{
	return sctp_next[direction & 3][event & 15][(state - SCTP_S_NONE) & 15];
}

#endif
