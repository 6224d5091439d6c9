/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which packets `directrix trace` shows: first what the packet itself tells is held against what is
 * asked for, then what became of it.
 */
#ifndef DIRECTRIX_TRACE_FILTER_H
#define DIRECTRIX_TRACE_FILTER_H

static __always_inline bool in_network(const __u32 *address, int i)
{
	for (int word = 0; word < 4; word++)
		if ((address[word] ^ trace_filter.network[i].address[word]) & trace_filter.network[i].mask[word])
			return false;
	return true;
}

static __always_inline bool packet_wanted(const struct trace_notes *n)
{
	const struct packet *p = &n->packet;
	__u8 family = p->id >> 40;

	if (trace_filter.protocol && protocol_of(p) != trace_filter.protocol)
		return false;
	if (trace_filter.port && client_port_of(p) != trace_filter.port && port_of(p) != trace_filter.port)
		return false;
#pragma clang loop unroll(full)
	for (int i = 0; i < TRACE_NETWORKS; i++) {
		if (!trace_filter.network[i].family)
			break;
		if (trace_filter.network[i].family != family || !(in_network(&p->address[0], i) ||
		    in_network(&p->address[family == 4 ? 1 : 4], i)))
			return false;
	}
	return true;
}

static __always_inline bool end_wanted(const struct trace_event *e)
{
	const struct trace_filter *f = &trace_filter;

	if (!(f->verdicts >> (e->verdict % VERDICTS) & 1) || (f->only_new && !e->is_new))
		return false;
	if (f->server_family) {
		if (e->has_server != f->server_family || (f->server_port && f->server_port != e->server_port))
			return false;
		for (int i = 0; i < 4; i++)
			if (f->server[i] != e->server_address[i])
				return false;
	}
	if (!f->by_service)
		return true;
	if (!e->has_service || f->service.port != e->service.port || f->service.family != e->service.family ||
	    f->by_mark != !e->service.protocol || (f->service.protocol && f->service.protocol != e->service.protocol))
		return false;
	for (int i = 0; i < 4; i++)
		if (f->service.address[i] != e->service.address[i])
			return false;
	return true;
}

#endif
