/* SPDX-License-Identifier: GPL-2.0 */
/* Weighted failover: the highest weight, whatever the load; so all loads are the same. */
#ifndef DIRECTRIX_FO_H
#define DIRECTRIX_FO_H

#include "scheduler.h"

#define FO_LOAD 1

#endif
