/* SPDX-License-Identifier: GPL-2.0 */
/* The maps. User space sets the sizes that depend on the machine or on --connections. */
#ifndef DIRECTRIX_MAPS_H
#define DIRECTRIX_MAPS_H

#include "table.h"

const volatile struct parameters parameters SEC(".rodata.parameters") = {};
struct front front SEC(".data.front") = {};
struct flooding flooding SEC(".data.flooding") = {};
struct hop hops[MAX_SERVERS];	/* alone in .bss: reached without a look-up */

/* Mapped into user space by whoever changes or lists the table. */
#define SHARED_ARRAY(name_, value_, entries_)					\
	struct {								\
		__uint(type, BPF_MAP_TYPE_ARRAY);				\
		__uint(map_flags, BPF_F_MMAPABLE);				\
		__uint(max_entries, entries_);					\
		__type(key, __u32);						\
		__type(value, value_);						\
	} name_ SEC(".maps")

SHARED_ARRAY(services, struct service, MAX_SERVICES);
SHARED_ARRAY(sets, struct set_unit, MAX_SET_UNITS);
SHARED_ARRAY(summaries, struct summary, MAX_SET_UNITS);
SHARED_ARRAY(servers, struct server, MAX_SERVERS);
SHARED_ARRAY(server_stats, struct server_count, MAX_SERVERS);	/* times the possible CPUs */
SHARED_ARRAY(reply_stats, struct server_count, MAX_SERVERS);	/* likewise: of replies that come by here */
SHARED_ARRAY(service_stats, struct statistics, MAX_SERVICES + 1);	/* the last: of all */
SHARED_ARRAY(handshakes, struct handshakes, MAX_SERVERS);
SHARED_ARRAY(floods, struct flood, MAX_SERVICES);
SHARED_ARRAY(sketch, __u64, 2 * SKETCH_WORDS);
SHARED_ARRAY(budgets, struct budget, MAX_SERVICES);
SHARED_ARRAY(sources, struct source_line, BUDGET_LINES);
SHARED_ARRAY(buckets, struct bucket, 1);
SHARED_ARRAY(heads, struct head_line, 1);
SHARED_ARRAY(devices, struct device, MAX_DEVICES);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_DEVICES);
	__type(key, struct vlan_key);
	__type(value, __u32);
} vlans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_LOCALITIES);
	__type(key, struct locality_key);
	__type(value, struct locality);
} localities SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_REPLICA_SETS);
	__type(key, struct locality_key);
	__type(value, struct replicas);
} replica_sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct clock);
} clock SEC(".maps");

static __always_inline struct service *service_at(__u32 number)
{
	return bpf_map_lookup_elem(&services, &number);
}

static __always_inline struct statistics *statistics_at(__u32 service)
{
	return bpf_map_lookup_elem(&service_stats, &service);
}

static __always_inline struct server *server_at(__u32 number)
{
	return bpf_map_lookup_elem(&servers, &number);
}

static __always_inline struct handshakes *handshakes_at(__u32 server)
{
	return bpf_map_lookup_elem(&handshakes, &server);
}

static __always_inline struct flood *flood_at(__u32 service)
{
	return bpf_map_lookup_elem(&floods, &service);
}

static __always_inline struct budget *budget_at(__u32 service)
{
	return bpf_map_lookup_elem(&budgets, &service);
}

static __always_inline struct hop *hop_at(__u32 server)
{
	return &hops[server % MAX_SERVERS];
}

static __always_inline struct server_set *set_at(__u32 unit)
{
	return bpf_map_lookup_elem(&sets, &unit);
}

static __always_inline struct set_unit *set_unit_at(__u32 unit)
{
	return bpf_map_lookup_elem(&sets, &unit);
}

static __always_inline struct summary *summary_at(__u32 unit)
{
	return bpf_map_lookup_elem(&summaries, &unit);
}

static __always_inline struct head *head_of(__u32 bucket)
{
	__u32 line = bucket / HEADS_IN_LINE;
	struct head_line *l = bpf_map_lookup_elem(&heads, &line);

	return l ? &l->head[bucket % HEADS_IN_LINE] : NULL;
}

static __always_inline struct device *device_at(__u32 ifindex)
{
	__u32 key = ifindex % MAX_DEVICES;
	struct device *d = bpf_map_lookup_elem(&devices, &key);

	return d && d->ifindex == ifindex ? d : NULL;
}

static __always_inline __u32 ticks(void)
{
	return bpf_jiffies64() >> TICK_SHIFT;
}

/* a is later than b, or the same */
static __always_inline bool reached(__u32 a, __u32 b)
{
	return (__s32)(a - b) >= 0;
}

#endif
