/* SPDX-License-Identifier: GPL-2.0 */
/* Which service a packet is for, and which of its real servers a new connection gets. */
#ifndef DIRECTRIX_SERVICE_H
#define DIRECTRIX_SERVICE_H

#include "connection.h"
#include "schedulers/lc.h"
#include "schedulers/rr.h"
#include "schedulers/wlc.h"
#include "schedulers/wrr.h"

#define FTP_PORT 21
#define FTP_DATA_PORT 20
#define FIRST_UNPRIVILEGED_PORT 1024

/*
 * The number of the service, or NOBODY. IPVS's order: the exact port; then FTP's data ports; then a
 * service for every port.
 */
__noinline __u32 service_find(const struct packet *p)
{
	struct service_key key = {};
	__u32 *number;

	if (!p)
		return NOBODY;
	key.port = port_of(p);
	key.protocol = protocol_of(p);
	key.family = is_ipv4(p) ? 4 : 6;
	if (is_ipv4(p))
		key.address[0] = p->address[1];
	else
		__builtin_memcpy(key.address, &p->address[4], sizeof(key.address));
	number = bpf_map_lookup_elem(&service_index, &key);
	if (!number && front.ftp && protocol_of(p) == IPPROTO_TCP) {
		__u16 port = bpf_ntohs(port_of(p));

		if (port == FTP_DATA_PORT || port >= FIRST_UNPRIVILEGED_PORT) {
			key.port = bpf_htons(FTP_PORT);
			number = bpf_map_lookup_elem(&service_index, &key);
		}
	}
	if (!number && front.any_port) {
		key.port = 0;
		number = bpf_map_lookup_elem(&service_index, &key);
	}
	return number ? *number : NOBODY;
}

/* The number of the real server a new connection of this service gets, or NOBODY. */
__noinline __u32 schedule(__u32 set, __u32 scheduler)
{
	struct server_set *header = set_at(set);
	__u32 place = NOBODY;
	struct set_entry *entry;

	if (!set || !header || !header->count)
		return NOBODY;
	switch (scheduler) {
	case SCHEDULER_RR:
		place = rr_pick(set);
		break;
	case SCHEDULER_WRR:
		place = wrr_pick(set);
		break;
	case SCHEDULER_LC:
		place = lc_pick(set);
		break;
	case SCHEDULER_WLC:
		place = wlc_pick(set, true);
		break;
	}
	if (place == NOBODY)
		return NOBODY;
	entry = entry_at(set, place);
	return entry ? entry->server : NOBODY;
}

#endif
