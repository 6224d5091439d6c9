/* SPDX-License-Identifier: GPL-2.0 */
/* Which of a connection's packets the director sees: what its state machine goes by (IPVS's columns). */
#ifndef DIRECTRIX_DIRECTION_H
#define DIRECTRIX_DIRECTION_H

enum direction {
	INPUT_ONLY,		/* a client's, where nothing else passes the director: direct routing and tunnels */
	INPUT,			/* a client's, where the real server's replies pass the director: masquerading */
	OUTPUT,			/* a real server's reply */
};

#endif
