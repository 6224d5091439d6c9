/* SPDX-License-Identifier: GPL-2.0 */
/* The programs once more, with eyes: what is attached while somebody traces (trace.h). */
#define TRACE
#include "directrix.bpf.c"
