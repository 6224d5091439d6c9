/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cutting an IPv4 packet without DF that is too large for its way, or for its tunnel.
 *
 * For a tunnel IPVS wraps it whole and cuts what comes of that, so the tunnel's far end has to put the pieces together
 * before it can take anything out. Here the packet itself is cut, as any router may do it, and each piece is wrapped:
 * every one can be taken out alone, the real server puts together what the client sent, and the identifications that
 * tell datagrams apart are the clients' and not one sequence for all that goes through a tunnel (RFC 4459, 3.4).
 *
 * One packet buffer is all there is. What the packet carries is put aside, then the buffer becomes one piece after
 * the other: clones of it are sent, and the last one goes on by the ordinary way.
 */
#ifndef DIRECTRIX_CUTTING_H
#define DIRECTRIX_CUTTING_H

#include "forward_direct.h"
#include "tunnel_headers.h"

#define CUT_BYTES 16384		/* a power of two; what carries more is not cut */
#define PIECE_BYTES 2048	/* likewise; the largest piece carries eight bytes less */
#define PIECES_MOST 32

/* A packet being cut: the one this CPU is at, too large for the stack. */
struct cut {
	struct iphdr ip;	/* the packet's */
	struct iphdr head;	/* the piece's */
	__u32 flow;
	__u32 length;		/* of what the packet carries */
	__u32 piece;		/* of what one piece carries, a multiple of eight */
	__u32 at;		/* where in the frame a piece's IP header is */
	__u8 bytes[CUT_BYTES + PIECE_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cut);
} cut_scratch SEC(".maps");

/* IPVS: without pmtu_disc DF counts for nothing. */
static __always_inline bool may_be_cut(const struct inner *inner)
{
	return inner->version == 4 && !(inner->df && front.sysctl.pmtu_disc);
}

/*
 * Is the transport's checksum, of a packet that carries `length` bytes behind its header at `network`, still to be filled
 * in by the device? Then its field holds the sum of the pseudo header, and only the whole packet may leave.
 */
static __always_inline bool checksum_is_due(struct __sk_buff *skb, const struct iphdr *ip, __u32 network, __u32 length)
{
	__u32 at = ip->protocol == IPPROTO_TCP ? TCP_CHECK : UDP_CHECK;
	__u32 pseudo = ip->protocol + length;
	__u16 check;

	return !(ip->frag_off & bpf_htons(IP_MORE | IP_OFFSET)) && tcp_or_udp(ip->protocol) &&
	       !bpf_skb_load_bytes(skb, network + sizeof(*ip) + at, &check, sizeof(check)) &&
	       check == folded((__u64)ip->saddr + ip->daddr + bpf_htonl(pseudo));
}

/* What one piece of at most `room` bytes carries. */
static __always_inline __u32 piece_most(__u32 room)
{
	__u32 piece = (room - sizeof(struct iphdr)) & ~7U;

	return piece > PIECE_BYTES - 8 ? PIECE_BYTES - 8 : piece;
}

/*
 * Can the packet at `network` be cut into pieces of at most `room` bytes, IP header included? Asked before anything of it is
 * changed, for what can't is answered; what DF says is another question. Global: verified once.
 */
__noinline bool can_be_cut(struct __sk_buff *skb, __u32 network, __u32 room)
{
	struct iphdr ip;
	__u32 length;

	if (room < sizeof(ip) + 8 || bpf_skb_load_bytes(skb, network, &ip, sizeof(ip)) || ip.ihl != 5)
		return false;
	length = bpf_ntohs(ip.tot_len) - sizeof(ip);
	return length && length <= CUT_BYTES && length <= piece_most(room) * PIECES_MOST &&
	       !checksum_is_due(skb, &ip, network, length);
}

/* Put aside what the packet at `network` carries, which can be cut, and reckon pieces of at most `room` bytes. */
static __always_inline bool cut_begin(struct __sk_buff *skb, struct cut *cut, __u32 network, __u32 room)
{
	__u32 last;

	if (bpf_skb_load_bytes(skb, network, &cut->ip, sizeof(cut->ip)))
		return false;
	cut->length = bpf_ntohs(cut->ip.tot_len) - sizeof(cut->ip);
	cut->piece = piece_most(room);
	last = cut->length - 1;
	asm volatile("" : "+r"(last));	/* said in a way that older verifiers follow */
	last &= CUT_BYTES - 1;
	if (bpf_skb_load_bytes(skb, network + sizeof(cut->ip), cut->bytes, last + 1))
		return false;
	/* one that was never to be cut may have an identification that tells it from nothing */
	if (cut->ip.frag_off & bpf_htons(IP_DF))
		cut->ip.id = bpf_get_prandom_u32();
	cut->ip.frag_off &= bpf_htons(IP_MORE | IP_OFFSET);
	return true;
}

/* The header of the piece that begins `offset` bytes into what is carried; answers how much it carries itself. */
static __always_inline __u32 piece_head(struct cut *cut, __u32 offset)
{
	__u32 carried = cut->length - offset, fragment = bpf_ntohs(cut->ip.frag_off) + offset / 8;
	const __u32 *word = (const __u32 *)&cut->head;

	if (carried > cut->piece) {
		carried = cut->piece;
		fragment |= IP_MORE;
	}
	cut->head = cut->ip;
	cut->head.tot_len = bpf_htons(sizeof(cut->head) + carried);
	cut->head.frag_off = bpf_htons(fragment);
	cut->head.check = 0;
	cut->head.check = ~folded((__u64)word[0] + word[1] + word[2] + word[3] + word[4]);
	return carried;
}

/* Write that piece where its frame has room for it. */
static __always_inline bool piece_store(struct __sk_buff *skb, struct cut *cut, __u32 offset, __u32 carried)
{
	__u32 last = carried - 1;

	asm volatile("" : "+r"(last), "+r"(offset));
	last &= PIECE_BYTES - 1;
	offset &= CUT_BYTES - 1;
	return skb_store(skb, cut->at, &cut->head, sizeof(cut->head)) &&
	       skb_store(skb, cut->at + sizeof(cut->head), cut->bytes + offset, last + 1);
}

/*
 * Let the frame, which is the size of a whole piece, be the one that begins `offset` bytes into what is carried. The last
 * piece's frame is made shorter in front, for the tail of a wrapped packet can't be cut.
 */
static __always_inline bool piece_make(struct __sk_buff *skb, struct cut *cut, struct wrapping *w,
				       const struct server *s, const struct hop *hop, __u32 offset)
{
	__u32 carried = piece_head(cut, offset);

	if (carried < cut->piece && bpf_skb_adjust_room(skb, carried - cut->piece, BPF_ADJ_ROOM_MAC, 0))
		return false;
	w->inner.length = sizeof(cut->head) + carried;
	w->inner.id++;
	shim_make(&w->inner, s, hop, cut->flow, &w->shim);
	return piece_store(skb, cut, offset, carried) && skb_wrap(skb, w, s, hop);
}

/*
 * Cut a packet that can be cut into pieces of at most `room` bytes, IP header included, and wrap them: all but the last
 * are sent, and that one is the frame afterwards. False: nothing useful is left of it. While the real server's MAC is
 * not known there is no way to send clones, and the last piece has it asked for.
 */
__noinline bool tunnel_cut(struct __sk_buff *skb, __u32 number, __u32 room, __u32 flow)
{
	struct server *s = server_at(number);
	struct wrapping *w = wrapping_now();
	struct hop *hop = hop_at(number);
	__u32 zero = 0, offset = 0, headers;
	struct cut *cut;

	cut = bpf_map_lookup_elem(&cut_scratch, &zero);
	if (!s || !w || !cut || !cut_begin(skb, cut, ETH_HLEN, room))
		return false;
	inner4_read(&cut->ip, &w->inner);
	w->inner.summed = 0;
	cut->ip.ttl--;
	cut->flow = flow;
	headers = outer_size(s) + (s->tunnel_type == TUNNEL_GRE ? 4 : shim_size(s));	/* pieces have no sum of their own */
	cut->at = ETH_HLEN + headers;
	if (bpf_skb_change_tail(skb, ETH_HLEN + sizeof(cut->ip) + cut->piece, 0) ||
	    !skb_room(skb, s, IPPROTO_UDP, headers, 0) ||
	    !skb_frame_between(skb, &hop->mac, &hop->source))
		return false;
	for (int i = 0; i < PIECES_MOST && piece_make(skb, cut, w, s, hop, offset); i++) {
		offset += cut->piece;
		if (offset >= cut->length)
			return true;
		if (hop->state == HOP_TUNNEL)
			bpf_clone_redirect(skb, hop->ifindex, 0);
	}
	return false;
}

/* Where the pieces of a packet go that needs no tunnel. */
struct pieces_way {
	__u64 mac;		/* as in struct hop; 0: not known yet, see above */
	__u64 source;
	__u32 ifindex;
	__u32 room;
};

/* The same without a tunnel, of a packet whose header is at `network`. */
__noinline bool plain_cut(struct __sk_buff *skb, __u32 network, const struct pieces_way *way)
{
	__u32 zero = 0, offset = 0, carried;
	struct cut *cut;

	cut = bpf_map_lookup_elem(&cut_scratch, &zero);
	if (!way || !cut || !cut_begin(skb, cut, network, way->room))
		return false;
	cut->at = network;
	if (bpf_skb_change_tail(skb, network + sizeof(cut->ip) + cut->piece, 0) ||
	    !skb_frame_between(skb, &way->mac, &way->source))
		return false;
	for (int i = 0; i < PIECES_MOST; i++) {
		carried = piece_head(cut, offset);
		if ((carried < cut->piece && bpf_skb_change_tail(skb, network + sizeof(cut->ip) + carried, 0)) ||
		    !piece_store(skb, cut, offset, carried))
			return false;
		offset += cut->piece;
		if (offset >= cut->length)
			return true;
		if (way->mac)
			bpf_clone_redirect(skb, way->ifindex, 0);
	}
	return false;
}

#endif
