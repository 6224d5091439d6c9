/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtual server table as it lies in the kernel: the layouts that the data plane and
 * src/directrix/table/xdp/layout.py share (a test compares them field by field), and the maps.
 *
 * How it hangs together
 * ---------------------
 *   front       global data: an index that tells in a few instructions whether a destination can
 *               be a virtual service at all, and which; the timeouts; the verdict counters
 *   services    by number
 *   sets        the real servers of a service in scheduling order, with the scheduler's position;
 *               never changed in place: user space writes a new one and stores its number in
 *               service.set with one store, so a packet sees the old set or the new one
 *   hops, servers   by number; a connection holds the number. It stands for one real server of one
 *               service and isn't given to another while connections refer to it
 *   buckets     the connection table: every connection lies in one of two buckets its hash names,
 *               in one of eight slots of one cache line each
 *   heads       one word pair a bucket, dense: a lock, and when the bucket needs a visit next
 *   clock       one timer that walks the heads (expiry.h) and feeds the estimator
 *   fwmark_*    which packets have a firewall mark
 *
 * Time is counted in ticks of four jiffies, in 32 bits that wrap; only differences are compared. Ports and addresses are in network order, everything else in
 * the host's.
 */
#ifndef DIRECTRIX_TABLE_H
#define DIRECTRIX_TABLE_H

#define LAYOUT_VERSION 3
#define TICK_SHIFT 2		/* a tick is so many jiffies: 4 to 40 ms; 31 days still fit */
#define BUCKET_SLOTS 8
#define HEADS_IN_LINE 8
#define SET_UNIT_ENTRIES 32
#define SET_UNIT_PLACES 128
#define INDEX_SIZE 32768
#define INDEX_GHOST 0xffff
#define ADDRESS_MARKS 4096
#define MAX_CPUS 256
#define MAX_SERVICES 16384
#define MAX_SERVERS 65536
#define MAX_SET_UNITS 65536
#define MAX_DEVICES 4096
#define MAX_LOCALITIES 65536
#define MAX_REPLICA_SETS 16384
#define MAX_REPLICAS 30

/* Fixed when the programs are loaded; constants to the verifier. */
struct parameters {
	__u64 seed[2];		/* of the connection hash; kept across replacement */
	__u32 buckets;		/* entries of `buckets` in use */
	__u32 head_lines;	/* entries of `heads` in use */
	__u32 max_connections;
	__u32 hertz;		/* jiffies a second */
	__u32 cpus;		/* possible CPUs: rows of server_stats */
	__u32 hop_ticks;	/* between two look-ups of a server's next hop */
};

enum tcp_state {
	TCP_S_NONE, TCP_S_ESTABLISHED, TCP_S_SYN_SENT, TCP_S_SYN_RECV, TCP_S_FIN_WAIT, TCP_S_TIME_WAIT,
	TCP_S_CLOSE, TCP_S_CLOSE_WAIT, TCP_S_LAST_ACK, TCP_S_LISTEN, TCP_S_SYNACK, TCP_S_LAST,
};
#define UDP_S_NORMAL 16
enum sctp_state {
	SCTP_S_NONE = 17, SCTP_S_INIT1, SCTP_S_INIT, SCTP_S_COOKIE_SENT, SCTP_S_COOKIE_REPLIED, SCTP_S_COOKIE_WAIT,
	SCTP_S_COOKIE, SCTP_S_COOKIE_ECHOED, SCTP_S_ESTABLISHED, SCTP_S_SHUTDOWN_SENT, SCTP_S_SHUTDOWN_RECEIVED,
	SCTP_S_SHUTDOWN_ACK_SENT, SCTP_S_REJECTED, SCTP_S_CLOSED, SCTP_S_LAST,
};
#define STATES 32

#define VERDICTS 32

/* IPVS's sysctls under their names, and flood_defence, ours; src/directrix/lvs/sysctls.py says what each means. */
struct sysctls {
	__s32 am_droprate, amemthresh, backup_only, cache_bypass, conn_reuse_mode, conntrack, debug_level;
	__s32 drop_entry, drop_packet, expire_nodest_conn, expire_quiescent_template, flood_defence, ignore_tunneled;
	__s32 lblc_expiration, lblcr_expiration, nat_icmp_send, pmtu_disc, run_estimation, schedule_icmp;
	__s32 secure_tcp, sloppy_sctp, sloppy_tcp, snat_reroute, sync_persist_mode, sync_ports, sync_qlen_max;
	__s32 sync_refresh_period, sync_retries, sync_sock_size, sync_threshold[2], sync_version;
};

#define TODROP_MOST 8		/* drop_entry spares connections that have had more packets */

/* What the defence against overload remembers (defence.h); data plane. */
struct defence {
	__s32 drop_rate;	/* of drop_packet in its automatic mode */
	__s32 drop_counter;
	__s32 todrop[16];	/* by packets a connection has had: how many of its kind are spared yet */
};

/* What a packet that would make a connection has to pass (guard.h). */
enum guard { GUARD_DROP_PACKET = 1, GUARD_BUDGETS = 2 };

enum flood_state {
	FLOOD_OFF,
	FLOOD_ENDING,		/* connections are made as always; clients of the flood's last seconds still come in */
	FLOOD_ON,
};

/* What every packet may touch; written by user space except where said. */
struct front {
	__u32 plain;			/* quick4_word() of what is not ours if the index knows nothing of it: TCP's; 0 if `beyond` */
	__u32 beyond;			/* bits of enum beyond */
	__u32 service_top;		/* service numbers in use are below */
	__u32 ftp;			/* a TCP service on port 21 exists */
	__u32 connections;		/* data plane: slots in use */
	__u32 now;			/* data plane: tick of the last turn of the clock */
	__u32 server_top;		/* server numbers in use are below */
	__u32 lo;			/* ifindex of the loopback device */
	__u32 layout;			/* LAYOUT_VERSION of whoever made the table */
	__u32 changes;			/* counts what user space changed */
	__u32 set_cursor;		/* where user space looks for room for the next set */
	__u32 generation;		/* of the last service made */
	__u32 up;			/* ifindex of the device that XDP hands packets up to */
	__u32 lblc_expiration;		/* ticks */
	__u32 lblcr_expiration;
	__u32 timeout[STATES];		/* ticks, by tcp_state and sctp_state; UDP_S_NORMAL for UDP */
	/* By hash of address, port and protocol: 1 + number of the first service there, others by its
	 * `next`; 0: no service can have this destination; INDEX_GHOST: none has, but connections of
	 * one that was may. */
	__u16 index[INDEX_SIZE];
	__u8 address_mark[ADDRESS_MARKS];	/* by hash of an address: enum address_mark */
	__u64 verdicts[MAX_CPUS][VERDICTS];	/* data plane */
	__u64 forwarded;		/* packets, by servers whose number was given out again, and errors for removed ones */
	__u64 replied;			/* replies, likewise, and of removed servers */
	__u64 now_ns;			/* data plane: monotonic time at tick `now` */
	/* both read at once: 0 is what nearly every new connection finds */
	__u32 guards;			/* enum guard: those that are up */
	__u32 flood;			/* data plane: enum flood_state */
	__u32 estimates;		/* data plane: odd while figures are taken down */
	struct sysctls sysctl;		/* user space; the clock flips the automatic modes */
	struct defence defence;
	__u32 widest;			/* the largest MTU of the devices attached */
	__u32 tunnels;			/* data plane: there has been a way by a tunnel; errors from inside one may come */
};

enum address_mark {
	ADDRESS_VIRTUAL = 1,
	ADDRESS_ANY_PORT = 2,
	ADDRESS_MASQUERADED = 4,	/* a real server's behind masquerading: what comes from it may be a reply */
};

/* What may be ours although the index knows nothing of it; address_mark tells more. */
enum beyond {
	BEYOND_ANY_PORT = 1,	/* some service takes every port of its address */
	BEYOND_REPLIES = 2,	/* some real server is masqueraded */
};

struct service_key {
	__u32 address[4];	/* IPv4 in the first word, or a firewall mark */
	__u16 port;
	__u8 protocol;		/* 0: firewall mark */
	__u8 family;		/* 4 or 6 */
};

enum service_flag { SERVICE_PERSISTENT = 1, SERVICE_ONE_PACKET = 4 };

struct service {
	__u32 set;		/* first unit of the set in force; 0: none */
	__u8 scheduler;		/* enum scheduler */
	__u8 flags;		/* enum service_flag */
	__u8 scheduler_flags;
	__u8 in_use;
	__u32 persistence;	/* ticks */
	__u32 persistence_seconds;
	__u32 mask[4];		/* of the client address, for templates */
	struct service_key key;
	__u32 netmask;		/* as the operator gave it */
	__u32 generation;	/* changes when the service is removed and made anew */
	__u32 next;		/* 1 + number of the next service at its place in front.index */
	__u32 epoch;		/* as in struct server_set */
	__u32 pad;
};

/*
 * The first unit of a set; entries follow from the next unit on, and behind them, for schedulers
 * that choose by hash, a table of places in the list.
 */
struct server_set {
	__u32 count;
	__u32 units;		/* all units, this one included */
	__u32 gcd;		/* of the weights above 0, 1 if there are none */
	__u32 max_weight;	/* largest weight - (gcd - 1): where wrr starts a lap */
	__u64 cursor;		/* the scheduler's position; data plane */
	__u32 scheduler;	/* enum scheduler: here, so that a packet sees it change with the set */
	__u32 flags;		/* of the scheduler */
	__u32 epoch;		/* no other service, and no other scheduler of this one, ever had it */
	__u32 pad;
	__u64 reserved[27];
};

struct set_entry {
	__u32 server;
	__u32 weight;
};

struct set_unit {
	union {
		struct set_entry entry[SET_UNIT_ENTRIES];
		__u16 place[SET_UNIT_PLACES];
	};
};

/*
 * What a scheduler that looks at loads knows of a unit of entries, at the unit's number: valid while
 * the version it was found at (the high bits of `known`) is the unit's. Whoever changes the load of a
 * server in the unit counts `version` up.
 */
struct summary {
	__u64 known;		/* version << SUMMARY_BITS | what was found */
	__u32 version;
	__u32 pad;
};

#define SUMMARY_BITS 35		/* room for the sum of a unit's weights */

#define CURSOR_AT_HEAD 0xffffffffU

#define METHOD_MASQUERADE 0	/* of struct server, by IPVS's numbers */

enum server_flag {
	SERVER_AVAILABLE = 1,
	SERVER_LOCAL = 2,	/* its address is this host's */
	SERVER_TUNNEL = 4,	/* its method */
	SERVER_IPIP4 = 8,	/* and that over IPv4 */
	SERVER_MASQUERADE = 16,	/* its method */
};

enum hop_state {
	HOP_UNKNOWN,		/* not looked up yet */
	HOP_RESOLVED,
	HOP_UNRESOLVED,		/* route known, no neighbour yet */
	HOP_NO_ROUTE,
	HOP_LOCAL,		/* this host */
	HOP_TUNNEL,		/* resolved, and the way there is a tunnel */
	HOP_NARROW,		/* resolved, but what comes in may be too large for the way (narrow.h) */
	HOP_MASQUERADE,		/* resolved, and packets are rewritten for it */
};

/*
 * Where frames for a server go: what every packet reads of it, at the server's number. The look-up's
 * answer is the data plane's, `flags` is user space's.
 */
struct hop {
	__u32 flags;		/* enum server_flag */
	__u32 state;		/* enum hop_state */
	__u64 mac;		/* destination MAC in the low six bytes, in wire order */
	__u64 source;		/* source MAC, likewise */
	__u32 ifindex;		/* device of the route */
	__u32 wire;		/* device the frame leaves from: below VLANs */
	__u32 tags;		/* VLAN ids on that wire: outer << 16 | inner, or the only one */
	__u32 checked;		/* tick of the last look-up */
	__u32 asked;		/* tick when XDP last handed a packet up for a look-up */
	__s16 answer;		/* of the last bpf_fib_lookup() */
	__u16 mtu;		/* of the route */
	/* A tunnel's source address: user space's first, then the route's, where the kernel tells it. Behind
	 * one of IPv4 stands the real server's. Of a masqueraded server its own address. */
	__u32 outer[4];
};

/* A real server of one service. */
struct server {
	/* data plane: changed with every connection */
	__u32 active;
	__u32 inactive;
	__u32 persistent;
	__u32 overload;
	__u64 connections;
	/* user space, seldom */
	__u32 unit;		/* of the set in force that holds it; 0: no scheduler asks for its load */
	__u32 incarnation;	/* counts up when the number is given to another server */
	__u64 begun, last_begun;	/* data plane: handshakes (handshake.h), where a new connection is at anyway */
	/* data plane: what a router in the tunnel said of the way's size, and in which tick */
	__u32 path_told;
	__u16 path_mtu;
	__u16 pad;
	__u64 reserved[1];
	__u32 address[4];
	__u32 weight;
	__u32 upper_threshold;
	__u32 lower_threshold;
	__u32 service;
	__u16 port;
	__u8 family;		/* 4 or 6 */
	__u8 method;
	__u32 generation;	/* of the service it was last part of */
	__u32 in_use;		/* 1: part of a service, 2: removed and kept aside (IPVS: trash) */
	struct service_key key;	/* of that service */
	__u32 removed;		/* seconds since boot */
	__u32 last_weight;	/* the last above 0 since it was added: what mh goes by */
	__u8 tunnel_type;	/* enum tunnel_type */
	__u8 tunnel_flags;
	__u16 tunnel_port;
	/* user space: what -Z subtracts */
	__u64 zero_connections, zero_packets, zero_bytes;
	/* estimator.h: what the service has got already; figures as they were last taken down; averages */
	__u64 kept_connections, kept_packets, kept_bytes;
	__u64 last_connections, last_packets, last_bytes;
	__u64 rate_connections, rate_packets, rate_bytes;
	/* the same of replies that came by here */
	__u64 zero_out_packets, zero_out_bytes, kept_out_packets, kept_out_bytes;
	__u64 last_out_packets, last_out_bytes, rate_out_packets, rate_out_bytes;
};

struct server_count {
	__u64 packets;
	__u64 bytes;
};

#define HANDSHAKE_CLOCK_SHIFT 10	/* a unit of time is so many bits of nanoseconds: 1.024 us */
#define HANDSHAKE_FIRST_SHIFT 3		/* the first octave but one is 16 units to 32, the last all above 68 s */
#define HANDSHAKE_OCTAVES 24
#define HANDSHAKES_TIMED 128		/* of a server's, between two turns of the estimator */
#define HANDSHAKES_SPACING 64		/* then one in so many */

/* Handshakes of clients with a real server, at its number (handshake.h). */
struct handshakes {
	/* data plane; those that begin are counted in struct server */
	__u64 completed, failed;
	__u64 last_completed;
	__u64 rate_begun, rate_completed;
	__u64 pad[3];
	__u64 time[HANDSHAKE_OCTAVES];	/* timed ones that completed, by the time they took: twice as long each */
};

/* What a service has counted, by its number, and all together, at MAX_SERVICES (estimator.h). */
struct statistics {
	/* data plane */
	__u64 count_connections, count_packets, count_bytes;
	__u64 last_connections, last_packets, last_bytes;
	__u64 rate_connections, rate_packets, rate_bytes;
	/* user space: what -Z subtracts */
	__u64 zero_connections, zero_packets, zero_bytes;
	/* the same of replies that came by here */
	__u64 count_out_packets, count_out_bytes, last_out_packets, last_out_bytes;
	__u64 rate_out_packets, rate_out_bytes, zero_out_packets, zero_out_bytes;
};

/* What a flood did to a service, at its number (flood.h, pressure.h). */
struct flood {
	/* data plane, since the service was made */
	__u64 unentered;	/* SYNs that were sent on without an entry */
	__u64 admitted;		/* clients that came back and got one */
	__u64 ended;		/* half-open connections that were ended for room */
	/* the clock, in a flood */
	__u64 last_unentered, last_admitted;
	__u32 rate_unentered, rate_admitted;	/* in the last second */
	__u64 pad[2];
};

/* The course of floods; data plane. */
struct flooding {
	__u64 began, ended;	/* ns, monotonic: the last one; it goes on while `ended` is before `began` */
	__u32 floods;		/* how many there were */
	__u32 epoch;		/* of the sketch */
	__u32 left;		/* epochs until FLOOD_ENDING is over */
	__u32 calm;		/* seconds in a row that did not need the defence */
	__u32 line, lap;	/* where the sweep is */
};

#define SKETCH_BITS 18
#define SKETCH_WORDS (1 << SKETCH_BITS)		/* of an epoch; two are kept */

/*
 * How many new connections a service may get, and each source of it, at the service's number
 * (budget.h). An interval is what one takes, a burst what may be taken in advance; 0: no budget.
 */
struct budget {
	__u64 interval, burst;			/* of the service: ns */
	__u64 source_interval, source_burst;	/* of a source: units of BUDGET_SHIFT bits of ns */
	__u32 mask4;				/* what counts as one source */
	__u32 in_force;				/* a number no other one has; 0: there is none */
	__u32 mask6[4];
	/* data plane */
	__u64 full;				/* ns: when all of the service's budget is there again */
	__u64 over, source_over;		/* packets refused */
	/* as the operator gave them */
	__u32 rate, period, most;
	__u32 source_rate, source_period, source_most;
	__u8 prefix4, prefix6;
	__u16 pad[3];
};

#define BUDGET_SHIFT 10
#define BUDGET_WAYS 8
#define BUDGET_LINE_BITS 14
#define BUDGET_LINES (1 << BUDGET_LINE_BITS)

/* Sources that have used some of their budget lately: eight to a cache line (budget.h). */
struct source_line {
	__u64 cell[BUDGET_WAYS];
};

/* id of a slot: what a packet carries beside its addresses. 0: free; SLOT_CLAIMED: being filled. */
#define SLOT_CLAIMED 1ULL

enum connection_flag {
	CONNECTION_ACTIVE = 0x100,
	CONNECTION_TEMPLATE = 0x200,
	CONNECTION_ASSURED = 0x400,
	CONNECTION_DEAD = 0x800,
	CONNECTION_MASQUERADED = 0x1000,	/* the director sees both directions, and the replies' key lies in the table (reply.h) */
	CONNECTION_PACKET = 0x10000,	/* one packet, where they are counted: four bits */
};

#define STATE_MASK 0x7f
#define STATE_COUNTED 0x80	/* beside the state: packets of this connection are counted (defence.h) */

struct connection {
	__u64 id;		/* client port, virtual port, protocol, family, kind: connection_id() */
	__u32 address[8];	/* IPv4: client, virtual; IPv6: client 0-3, virtual 4-7 */
	__u32 server;
	__u32 expires;		/* tick */
	__u32 status;		/* state in the low byte (STATE_MASK), enum connection_flag above */
	__u32 control;		/* 1 + place of its template, 0: none; of a template: its timeout in ticks */
	union {
		__u32 children;	/* of a template */
		__u32 begun;	/* of a connection: when its handshake began (handshake.h) */
	};
	__u16 server_port;
	__u16 incarnation;	/* counts up with each masqueraded connection in this slot; its replies' key has it in server_port */
};

struct bucket {
	struct connection slot[BUCKET_SLOTS];
};

struct head {
	__u32 lock;
	__u32 visit;		/* tick of the next visit due; 0: never used */
};

struct head_line {
	struct head head[HEADS_IN_LINE];
};

enum device_flag { DEVICE_REDIRECT = 1 /* takes frames that XDP redirects */ };

/* A network device, at ifindex % MAX_DEVICES. */
struct device {
	__u32 ifindex;
	__u32 wire;		/* the device below its VLAN tags: itself if it has none */
	__u32 tags;
	__u32 flags;		/* of the wire */
	__u64 mac;		/* low six bytes, wire order */
	__u32 arrives;		/* the device its frames count as arriving at: itself, or the bond it is a port of */
	__u32 pad;
};

struct vlan_key {
	__u32 wire;
	__u32 tags;
};

/* What lblc and lblcr remember: which servers have the content of a destination. */
struct locality_key {
	__u32 epoch;		/* of the service's scheduler */
	__u32 address[4];
};

struct replica {
	__u32 server;
	__u32 incarnation;	/* of the server's number */
};

/* lblc's: the one server. */
struct locality {
	struct replica replica;
	__u32 used;		/* tick of the last use */
	__u32 pad;
};

/* lblcr's: a set, oldest first. */
struct replicas {
	__u32 count;
	__u32 used;
	__u32 changed;		/* tick when a member last came or went */
	__u32 pad;
	struct replica member[MAX_REPLICAS];
};

struct clock {
	struct bpf_timer timer;
	__u64 next;		/* ns, monotonic: when the next turn is due */
	__u32 hand;		/* next line of heads to look at */
	__u32 turn;
	/* the estimator's round: where it is, and how many servers and services it has */
	__u32 estimated, round_servers, round_services;
	__u32 pad;
};

/*
 * Rules that give packets a firewall mark (mark.h). Ports are in the host's order here.
 */
#define MAX_FWMARK_RULES 4096
#define MAX_FWMARK_PREFIXES 24576	/* what the rules in force and those before them can come to */
#define MAX_FWMARK_RANGES 32768		/* of either generation */

/* Generations of rules take turns: written whole beside the one in force, then put in force by one store. */
struct fwmarks {
	__u32 in_force;		/* generation that packets look at; 0: there are no rules */
	__u32 last;		/* generation written last */
};

enum fwmark_state { FWMARK_RULE = 1, FWMARK_GHOST = 2 /* removed, but connections may be left of it */ };

/* A rule as the operator gave it: user space's own record, ended by a row of state 0. */
struct fwmark_rule {
	__u32 address[4];
	__u32 mark;
	__u16 first, last;	/* ports */
	__u8 prefix;
	__u8 protocol;		/* 0: all */
	__u8 family;		/* 4 or 6 */
	__u8 state;		/* enum fwmark_state */
};

/* Key of the trie of destinations; its value says where in fwmark_ranges the ports of a destination are. */
struct fwmark_prefix {
	__u32 bits;		/* how many of those that follow count */
	__u32 generation;
	__u8 protocol;
	__u8 family;
	__u16 pad;
	__u32 address[4];
};

struct fwmark_run {
	__u32 start;
	__u32 count;
};

struct fwmark_range {
	__u16 first, last;
	__u32 mark;
};

#endif
