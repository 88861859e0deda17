/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * apart.h - stages off the hot path, each verified apart from the rest.
 *
 * What such a stage knows of the packet is what struct meta says, and what the caller goes on with he has to look up
 * anew. A table that is not there leaves the action at what dp_begin() set: drop.
 */
#ifndef NATVI_DP_APART_H
#define NATVI_DP_APART_H

#include "env.h"

#define APART(stage)                                                                           \
	ENV_GLOBAL int stage##_apart(ENV_CONTEXT *ctx)                                         \
	{                                                                                      \
		struct pkt packet = { .ctx = ctx }, *p = &packet;                              \
                                                                                               \
		if (!pkt_begin(p))                                                             \
			return DONE;                                                           \
		env_pointers(p);                                                               \
		p->port = env_port(p->m->port_slot);                                           \
		return p->port ? stage(p) : DONE;                                              \
	}

#endif
