/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Handshakes in a flood: the client's first packet gets no entry, its second one does.
 *
 * A SYN (SCTP: INIT) is cheap to send with an invented source, and each would hold an entry for a
 * minute. So while the table is under flood (pressure.h tells when) a SYN that has no connection is
 * sent to a real server and forgotten. The client's next packet has to find the same real server
 * without an entry: so that is chosen by a hash of the connection, not by the scheduler, among
 * the real servers a scheduler might choose, by weight. With this packet, which only a client sends
 * that has heard the real server's answer, the connection is entered, in the state it would have
 * reached, with the template that persistence asks for; from then on it is like any other. dh, sh
 * and mh choose by hash anyway, and keep to it; a client with a template goes where that says.
 *
 * A masqueraded connection has its entry from the first packet on: its replies have to be told by it.
 *
 * Forgotten not quite: else packets that are no SYN, as cheap to invent, could fill the table
 * instead. The sketch knows which connections had a SYN lately: a Bloom filter in pieces of one
 * word, so that a SYN costs one line of the cache. A word has 56 bits, of which a connection sets
 * up to three, and the epoch it was last cleared for; there are two rows of words, for the epoch at
 * hand and the one before. So a SYN is known for two to four seconds (a client repeats it after
 * one), nobody has to clear anything, and of packets whose SYN never came nine in ten are told
 * apart even at a million SYNs a second.
 *
 * The choice: servers are looked at from the oldest on, and each takes the connection over from
 * those before it with the probability that is its share of the weights so far. A server that
 * comes takes its share from all; of a change of weight or a departure only about the share that
 * changed is moved. In sets of more than SET_UNIT_ENTRIES servers the hash names a unit first.
 */
#ifndef DIRECTRIX_FLOOD_H
#define DIRECTRIX_FLOOD_H

#include "service.h"

#define SKETCH_TAG_SHIFT 56
#define SKETCH_TRIES 3
#define SHARE_BITS 24

/* Two of 64 bits fall onto one of 56 now and then: that only makes the filter a little coarser. */
static __always_inline __u64 sketch_mask(__u64 hash)
{
	return 1ULL << ((hash & 63) * SKETCH_TAG_SHIFT >> 6) | 1ULL << ((hash >> 6 & 63) * SKETCH_TAG_SHIFT >> 6) |
	       1ULL << ((hash >> 12 & 63) * SKETCH_TAG_SHIFT >> 6);
}

static __always_inline __u64 *sketch_word(__u64 hash, __u32 epoch)
{
	__u32 place = (epoch & 1) << SKETCH_BITS | (hash >> 18 & (SKETCH_WORDS - 1));

	return bpf_map_lookup_elem(&sketch, &place);
}

static __always_inline __u64 sketch_tag(__u32 epoch)
{
	return (__u64)epoch << SKETCH_TAG_SHIFT;
}

/* A SYN of this connection was sent on. */
static __always_inline void sketch_add(__u64 hash)
{
	__u64 tag = sketch_tag(flooding.epoch), mask = sketch_mask(hash), *word = sketch_word(hash, flooding.epoch);

	if (!word)
		return;
#pragma clang loop unroll(full)
	for (int i = 0; i < SKETCH_TRIES; i++) {
		__u64 old = *(volatile __u64 *)word;
		__u64 new = ((old ^ tag) >> SKETCH_TAG_SHIFT ? tag : old) | mask;

		if (new == old || __sync_val_compare_and_swap(word, old, new) == old)
			return;
	}
}

static __always_inline bool sketch_has_in(__u64 hash, __u32 epoch)
{
	__u64 wanted = sketch_tag(epoch) | sketch_mask(hash), *word = sketch_word(hash, epoch);

	return word && (*word & (~0ULL << SKETCH_TAG_SHIFT | wanted)) == wanted;
}

/* Was a SYN of this connection sent on lately? */
static __always_inline bool sketch_has(__u64 hash)
{
	return sketch_has_in(hash, flooding.epoch) || sketch_has_in(hash, flooding.epoch - 1);
}

/* Status of the connection that a client's second packet enters; 0 if nobody knows of a first one. */
__noinline __u32 flood_status(const struct packet *p)
{
	__u32 state;

	if (!p || protocol_of(p) == IPPROTO_UDP || asks_anew(p) || p->tcp_flags & TCP_RST || !sketch_has(flow_hash(p)))
		return 0;
	if (protocol_of(p) == IPPROTO_TCP)
		state = tcp_state_after(p->tcp_flags, TCP_S_SYN_RECV, INPUT_ONLY);
	else
		state = sctp_after(SCTP_S_INIT1, p->sctp_event, INPUT_ONLY);
	return state | (active(state) ? CONNECTION_ACTIVE : 0);
}

/* What tells a persistent client from others: its connections must all come to one real server. */
static __always_inline __u64 client_hash(const struct packet *p, const struct service *service, __u32 number)
{
	__u64 h = (number + parameters.seed[0]) * INDEX_PRIME;

	h = (h ^ (p->address[0] & service->mask[0])) * INDEX_PRIME;
	if (!is_ipv4(p)) {
#pragma clang loop unroll(full)
		for (int i = 1; i < 4; i++)
			h = (h ^ h >> 32 ^ (p->address[i] & service->mask[i])) * INDEX_PRIME;
	}
	return h ^ h >> 32;
}

struct picking {
	__u64 hash;
	__u32 set, count, units, first;
	__u32 found;
};

/* A number of SHARE_BITS bits for a connection and a server. */
static __always_inline __u64 draw(__u64 hash, __u32 server)
{
	hash = (hash ^ (server + 1) * INDEX_PRIME) * 0xd6e8feb86659fd93ULL;
	hash = (hash ^ hash >> 32) * INDEX_PRIME;
	return hash >> (64 - SHARE_BITS);
}

/* Look through a unit of entries, `i` behind the one that the hash names. 1: that is enough. */
static __noinline long pick_in_unit(__u32 i, void *context)
{
	struct picking *picking = context;
	__u32 number = picking->first + i, there;
	struct set_unit *unit;
	__u64 weights = 0;

	if (number >= picking->units)
		number -= picking->units;
	unit = set_unit_at(picking->set + 1 + number);
	if (!unit)
		return 1;
	there = picking->count - number * SET_UNIT_ENTRIES;
	if (there > SET_UNIT_ENTRIES)
		there = SET_UNIT_ENTRIES;
	for (__u32 k = 1; k <= SET_UNIT_ENTRIES; k++) {
		const struct set_entry *entry = &unit->entry[(there - k) % SET_UNIT_ENTRIES];

		if (k > there)
			break;
		if (!candidate(entry))
			continue;
		weights += entry->weight;
		if (draw(picking->hash, entry->server) * weights >> SHARE_BITS < entry->weight)
			picking->found = entry->server;
	}
	return picking->found != NOBODY;
}

/* The number of the real server of this set that a hash stands for, or NOBODY. Global: verified once. */
__noinline __u32 flood_pick(__u32 set, __u64 hash)
{
	struct picking picking = { .hash = hash, .set = set, .found = NOBODY };
	struct server_set *header = set_at(set);

	if (!set || !header || !header->count)
		return NOBODY;
	picking.count = header->count;
	picking.units = entry_units(picking.count);
	picking.first = ((hash & 0xffffffff) * picking.count >> 32) / SET_UNIT_ENTRIES;
	/* nearly always one is all there is; calling it costs less than a loop does */
	if (!pick_in_unit(0, &picking) && picking.units > 1)
		bpf_loop(picking.units, pick_in_unit, &picking, 0);
	return picking.found;
}

/* The number of the real server for a connection of a service that is not persistent, or NOBODY. */
static __always_inline __u32 flood_choose(const struct packet *p, __u32 set, __u64 hash)
{
	struct server_set *header = set_at(set);
	struct set_entry *entry;
	__u32 place;

	if (!set || !header)
		return NOBODY;
	if (header->scheduler == SCHEDULER_DH)
		place = dh_pick(p, set);
	else if (header->scheduler == SCHEDULER_SH)
		place = sh_pick(p, set, header->flags);
	else if (header->scheduler == SCHEDULER_MH)
		place = mh_pick(p, set, header->flags);
	else
		return flood_pick(set, hash);
	if (place == NOBODY)
		return NOBODY;
	entry = entry_at(set, place);
	return entry ? entry->server : NOBODY;
}

#endif
