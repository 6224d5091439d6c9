/* SPDX-License-Identifier: GPL-2.0 */
/* Which service a packet is for, and which of its real servers a new connection gets. */
#ifndef DIRECTRIX_SERVICE_H
#define DIRECTRIX_SERVICE_H

#include "connection.h"
#include "schedulers/dh.h"
#include "schedulers/lblc.h"
#include "schedulers/lblcr.h"
#include "schedulers/least.h"
#include "schedulers/mh.h"
#include "schedulers/rr.h"
#include "schedulers/sh.h"
#include "schedulers/twos.h"
#include "schedulers/wrr.h"

#define FTP_PORT 21
#define FTP_DATA_PORT 20
#define FIRST_UNPRIVILEGED_PORT 1024

#define CHAIN_MOST 32		/* user space sees to it that no chain of front.index is longer */

/* The number of the service with exactly this key, or NOBODY. */
static __always_inline __u32 service_with(const struct service_key *key)
{
	const __u64 *wanted = (const __u64 *)key->address;
	__u64 address = key->family == 4 ? address4_word(key->address[0]) : address6_word(wanted);
	__u32 number = index_of(address, index_key((__u32)key->port << 16, key->protocol));

	for (int i = 0; i < CHAIN_MOST && number && number != INDEX_GHOST; i++) {
		struct service *s = service_at(number - 1);

		if (!s)
			break;
		if (s->key.address[0] == key->address[0] && s->key.address[1] == key->address[1] &&
		    s->key.address[2] == key->address[2] && s->key.address[3] == key->address[3] && s->key.port == key->port &&
		    s->key.protocol == key->protocol && s->key.family == key->family)
			return number - 1;
		number = s->next;
	}
	return NOBODY;
}

/*
 * The number of the service for a packet, or NOBODY. IPVS's order: the exact port; then FTP's data
 * ports; then a service for every port.
 */
__noinline __u32 service_find(const struct packet *p)
{
	struct service_key key = {};
	__u32 number;

	if (!p)
		return NOBODY;
	key.port = port_of(p);
	key.protocol = protocol_of(p);
	key.family = is_ipv4(p) ? 4 : 6;
	if (is_ipv4(p))
		key.address[0] = p->address[1];
	else
		__builtin_memcpy(key.address, &p->address[4], sizeof(key.address));
	number = service_with(&key);
	if (number != NOBODY || !(front.beyond & BEYOND_ANY_PORT))
		return number;
	if (front.ftp && key.protocol == IPPROTO_TCP) {
		__u16 port = bpf_ntohs(key.port);

		if (port == FTP_DATA_PORT || port >= FIRST_UNPRIVILEGED_PORT) {
			key.port = bpf_htons(FTP_PORT);
			number = service_with(&key);
		}
	}
	if (number == NOBODY) {
		key.port = 0;
		number = service_with(&key);
	}
	return number;
}

/* The number of the real server of this set that a new connection gets, or NOBODY. */
__noinline __u32 schedule(const struct packet *p, __u32 set)
{
	struct server_set *header = set_at(set);
	struct set_entry *entry;
	__u32 place, number;

	if (!p || !set || !header || !header->count)
		return NOBODY;
	switch (header->scheduler) {
	case SCHEDULER_RR:
		place = rr_pick(set);
		break;
	case SCHEDULER_WRR:
		place = wrr_pick(set);
		break;
	case SCHEDULER_LC:
	case SCHEDULER_WLC:
	case SCHEDULER_SED:
	case SCHEDULER_NQ:
	case SCHEDULER_FO:
	case SCHEDULER_OVF:
		return least_pick(set, header->count, header->scheduler);
	case SCHEDULER_DH:
		place = dh_pick(p, set);
		break;
	case SCHEDULER_SH:
		place = sh_pick(p, set, header->flags);
		break;
	case SCHEDULER_MH:
		place = mh_pick(p, set, header->flags);
		break;
	case SCHEDULER_TWOS:
		place = twos_pick(set);
		break;
	case SCHEDULER_LBLC:
		number = lblc_known(p, header->epoch);
		if (number == NOBODY || overburdened(number, set, header->count)) {
			number = least_pick(set, header->count, SCHEDULER_WLC);
			if (number != NOBODY)
				lblc_remember(p, header->epoch, number);
		}
		return number;
	case SCHEDULER_LBLCR:
		number = lblcr_member(p, header->epoch);
		if (number == NOBODY || overburdened(number, set, header->count)) {
			number = least_pick(set, header->count, SCHEDULER_WLC);
			if (number != NOBODY)
				lblcr_join(p, header->epoch, number);
		}
		return number;
	default:
		return NOBODY;
	}
	if (place == NOBODY)
		return NOBODY;
	entry = entry_at(set, place);
	return entry ? entry->server : NOBODY;
}

#endif
