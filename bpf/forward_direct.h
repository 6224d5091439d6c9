/* SPDX-License-Identifier: GPL-2.0 */
/* Direct routing: of the packet only the TTL changes, the frame gets the real server's MAC and ours. */
#ifndef DIRECTRIX_FORWARD_DIRECT_H
#define DIRECTRIX_FORWARD_DIRECT_H

#include "director.h"
#include "neighbour.h"

static __always_inline void frame_to(void *frame, const struct hop *hop)
{
	mac_write(frame, hop->mac);
	mac_write(frame + 6, hop->source);
}

#endif
