/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can be ours at all, told in a few instructions, for all that host traffic meets is this: by a hash of address,
 * port and protocol whether there may be a service, by one of an address alone what else there may be with it
 * (enum address_mark). An address is given as 64 bits that stand for it. A false hit costs time, nothing else.
 */
#ifndef DIRECTRIX_INDEX_H
#define DIRECTRIX_INDEX_H

#include "maps.h"

#define INDEX_PRIME 0x9e3779b97f4a7c15ULL
#define INDEX_SHIFT 49			/* leaves the bits that number a place of front.index */
#define MARK_SHIFT 52			/* likewise of front.address_mark */

/*
 * Port and protocol as they go into the index: the destination's port where it lies in a word of both
 * ports, the protocol where it lies in the IPv4 header's word from the fragment's offset on.
 */
static __always_inline __u32 index_key(__u32 ports, __u8 protocol)
{
	return (ports & bpf_htonl(0xffff)) ^ bpf_htonl(protocol);
}

/* What front.index says of an address, given as 64 bits that stand for it, and an index_key(). */
static __always_inline __u32 index_of(__u64 address, __u32 key)
{
	return front.index[((address ^ key) * INDEX_PRIME) >> INDEX_SHIFT];
}

static __always_inline bool address_has(__u64 address, enum address_mark mark)
{
	return front.address_mark[(address * INDEX_PRIME) >> MARK_SHIFT] & mark;
}

static __always_inline bool maybe_virtual(__u64 address, __u32 ports, __u8 protocol)
{
	return index_of(address, index_key(ports, protocol)) ||
	       (front.beyond & BEYOND_ANY_PORT && address_has(address, ADDRESS_ANY_PORT));
}

/* May what comes from this address, given as 64 bits that stand for it, be a reply of a masqueraded server? */
static __always_inline bool maybe_reply(__u64 source)
{
	return front.beyond & BEYOND_REPLIES && address_has(source, ADDRESS_MASQUERADED);
}

static __always_inline __u64 address4_word(__u32 address)
{
	return (__u64)address << 32;
}

static __always_inline __u64 address6_word(const __u64 *half)
{
	return half[0] * INDEX_PRIME ^ half[1];
}

#endif
