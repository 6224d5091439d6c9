/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every packet ends in one of these, and each is counted. src/directrix/table/xdp/verdicts.py
 * holds the same list with a sentence for people; a test compares the two.
 */
#ifndef DIRECTRIX_VERDICT_H
#define DIRECTRIX_VERDICT_H

enum verdict {
	/* passed on to the host's own stack, untouched */
	NOT_OURS,		/* no virtual service has this destination */
	OTHER_HOST,		/* the frame is not addressed to this host's MAC */
	MALFORMED,		/* a header is cut off or contradicts itself */
	FRAGMENT,		/* a fragment before the first of its datagram: a copy waits, this one may be the host's */
	BAD_QUOTE,		/* an ICMP error that quotes too little, or no IP packet */
	UNKNOWN_QUOTE,		/* an ICMP error about no connection there is */
	NO_SERVICE,		/* the address is virtual, this port is not */
	NO_CONNECTION,		/* has no connection and may not start one: the host answers, TCP by RST */
	LOCAL,			/* its real server is this host */
	HANDED_UP,		/* XDP leaves this one to tc, where it is counted again with its end */
	/* sent to a real server, or from one to its client */
	FORWARDED,		/* not counted here: the servers' own counters add up to it */
	REPLIED,		/* sent back to its client: a masqueraded server's reply; not counted here either */
	NO_NEIGHBOUR,		/* given to the kernel, which asks for the neighbour and sends it then */
	LATER_FRAGMENT,		/* of a datagram, after its first, which is what the servers count */
	/* dropped */
	NO_SERVER,		/* no real server available: answered with port unreachable */
	BAD_FRAGMENT,		/* without all of a header in the first, or over the first */
	TABLE_FULL,		/* a new connection found no room */
	SERVER_GONE,		/* of a connection whose real server was removed */
	NO_ROUTE,		/* no route to the real server */
	BUSY,			/* a lock was not had in time: never seen but under test */
	DROP_PACKET,		/* would have made a connection: the defence drop_packet */
	TOO_BIG,		/* does not fit the way to its real server, or a reply's to its client: answered so */
	TIME_EXCEEDED,		/* its TTL ends in front of the tunnel, or where it would be masqueraded: answered so */
	OVER_BUDGET,		/* would have made a connection more than its service, or its source, has a budget for */
	TUNNEL_ERROR,		/* an ICMP error about a packet in a tunnel: the client is told */
	VERDICT_LAST,
};

#ifdef TRACE	/* see trace.h */
static void note_verdict(__u32 verdict);
static void note_server(__u32 number);
static void note_replied(__u32 number);
#else
static __always_inline void note_verdict(__u32 verdict) {}
static __always_inline void note_server(__u32 number) {}
static __always_inline void note_replied(__u32 number) {}
#endif

static __always_inline void count_verdict(__u32 cpu, enum verdict verdict)
{
	note_verdict(verdict);
	front.verdicts[cpu % MAX_CPUS][verdict % VERDICTS]++;
}

/* The end of a packet at tc that goes no further. */
static __always_inline int tc_dropped(enum verdict verdict)
{
	count_verdict(bpf_get_smp_processor_id(), verdict);
	return TC_ACT_SHOT;
}

#endif
