/* SPDX-License-Identifier: GPL-2.0 */
/* Locality-based least connection: a destination keeps its server until that is overburdened. */
#ifndef DIRECTRIX_LBLC_H
#define DIRECTRIX_LBLC_H

#include "locality.h"

/* The destination's server, unless it is gone or quiesced. One at its threshold keeps what it has (IPVS). */
__noinline __u32 lblc_known(const struct packet *p, __u32 epoch)
{
	struct locality_key key;
	struct locality *known;
	__u32 now = ticks();
	struct server *s;

	if (!p)
		return NOBODY;
	locality_key(p, epoch, &key);
	known = bpf_map_lookup_elem(&localities, &key);
	if (!known || now - known->used > front.lblc_expiration)
		return NOBODY;
	known->used = now;
	s = same_server(&known->replica);
	if (!s || !s->weight || !(hop_at(known->replica.server)->flags & SERVER_AVAILABLE))
		return NOBODY;
	return known->replica.server;
}

/* Give the destination to a server. */
__noinline int lblc_remember(const struct packet *p, __u32 epoch, __u32 number)
{
	struct locality fresh = { .replica = { .server = number }, .used = ticks() };
	struct server *s = server_at(number);
	struct locality_key key;

	if (!p || !s)
		return 0;
	fresh.replica.incarnation = s->incarnation;
	locality_key(p, epoch, &key);
	return !bpf_map_update_elem(&localities, &key, &fresh, BPF_ANY);
}

#endif
