/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Locality-based least connection with replication: a destination has a set of servers, of which
 * the least loaded is taken; when that is overburdened, the least loaded of all joins. A set that
 * did not change for the expiration's time loses its most loaded member.
 *
 * A set holds MAX_REPLICAS; when it is full nobody joins, and the least loaded of all is taken all
 * the same. Two CPUs that change one set at once may lose one of the changes: it is a memory only.
 */
#ifndef DIRECTRIX_LBLCR_H
#define DIRECTRIX_LBLCR_H

#include "locality.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct replicas);
} no_replicas SEC(".maps");

struct members {
	struct replicas *set;
	struct load least, most;
	__u32 count;
	__u32 found;		/* the least loaded that may be chosen: its number */
	__u32 worst;		/* place of the most loaded */
};

/* From the newest member to the oldest, as IPVS has them. A removed one counts as a member: it may come back. */
static long member_step(__u32 i, void *context)
{
	struct members *members = context;
	__u32 place = members->count - 1 - i;
	struct replica *member;
	struct load load;
	struct server *s;

	if (place >= MAX_REPLICAS)
		return 1;
	member = &members->set->member[place];
	s = same_server(member);
	if (!s || !s->weight)
		return 0;
	load.load = overhead(s);
	load.weight = s->weight;
	if (less(members->most, load)) {
		members->most = load;
		members->worst = place;
	}
	if (!s->overload && hop_at(member->server)->flags & SERVER_AVAILABLE && less(load, members->least)) {
		members->least = load;
		members->found = member->server;
	}
	return 0;
}

static __always_inline void shrink(struct replicas *set, __u32 worst, __u32 now)
{
	for (__u32 i = 0; i < MAX_REPLICAS - 1; i++)
		if (i >= worst)
			set->member[i] = set->member[i + 1];
	set->count--;
	set->changed = now;
}

static __always_inline struct replicas *replicas_of(struct locality_key *key, __u32 now)
{
	struct replicas *set = bpf_map_lookup_elem(&replica_sets, key);

	return set && now - set->used <= front.lblcr_expiration ? set : NULL;
}

/* The least loaded member of the destination's set: its number, or NOBODY. */
__noinline __u32 lblcr_member(const struct packet *p, __u32 epoch)
{
	struct members members = { .found = NOBODY, .worst = NOBODY };
	struct locality_key key;
	__u32 now = ticks();

	if (!p)
		return NOBODY;
	locality_key(p, epoch, &key);
	members.set = replicas_of(&key, now);
	if (!members.set)
		return NOBODY;
	members.set->used = now;
	members.count = members.set->count;
	bpf_loop(members.count, member_step, &members, 0);
	if (members.count > 1 && now - members.set->changed > front.lblcr_expiration && members.worst != NOBODY)
		shrink(members.set, members.worst, now);
	return members.found;
}

static __always_inline void join(struct replicas *set, struct replica member, __u32 now)
{
	__u32 place = set->count;

	for (__u32 i = 0; i < MAX_REPLICAS; i++) {
		if (i >= set->count)
			break;
		if (set->member[i].server == member.server && set->member[i].incarnation == member.incarnation)
			return;
		if (!same_server(&set->member[i]))
			place = i;
	}
	if (place >= MAX_REPLICAS)
		return;
	if (place == set->count)
		set->count++;
	set->member[place] = member;
	set->changed = now;
}

/* A set is too large for the stack: what is stored first is an empty one, which is then filled in place. */
static __always_inline struct replicas *replicas_begin(struct locality_key *key)
{
	__u32 zero = 0;
	struct replicas *none = bpf_map_lookup_elem(&no_replicas, &zero);

	return none && !bpf_map_update_elem(&replica_sets, key, none, BPF_ANY) ? bpf_map_lookup_elem(&replica_sets, key) : NULL;
}

/* Have a server join the destination's set. */
__noinline int lblcr_join(const struct packet *p, __u32 epoch, __u32 number)
{
	struct replica member = { .server = number };
	struct server *s = server_at(number);
	struct locality_key key;
	struct replicas *set;
	__u32 now = ticks();

	if (!p || !s)
		return 0;
	member.incarnation = s->incarnation;
	locality_key(p, epoch, &key);
	set = replicas_of(&key, now) ?: replicas_begin(&key);
	if (!set)
		return 0;
	set->used = now;
	join(set, member, now);
	return 1;
}

#endif
