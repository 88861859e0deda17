/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park.h - what has to wait goes to the daemon, within bounds: so many a second from one
 * source, and so many a second from each CPU (abi/fragment.h, abi/limits.h).
 */
#ifndef NATVI_DP_PARK_H
#define NATVI_DP_PARK_H

#include "env.h"

/* What p's source has asked for in this second; NULL: no room to count. */
DP struct fragment_source *source_now(struct pkt *p)
{
	struct addr_key *k = &p->cpu->addr_key;
	struct fragment_source *s;

	k->addr = p->m->key.src;
	k->zone = p->m->key.zone;
	s = env_fragment_source(k);
	if (s && s->second != p->m->now_s) {
		s->second = p->m->now_s;
		s->unfinished = 0;
		s->parked = 0;
	}
	return s;
}

/* Is there a daemon to keep it? */
DP bool park_open(const struct pkt *p)
{
	const struct control *c = p->control;

	return c->park_ifindex && daemon_lives(p);
}

DP bool park_allowed(struct pkt *p)
{
	struct fragment_source *s = source_now(p);
	struct cpu *cpu = p->cpu;

	if (cpu->park_second != p->m->now_s) {
		cpu->park_second = p->m->now_s;
		cpu->parked = 0;
	}
	if (!s || s->parked >= NATVI_PARK_SOURCE || cpu->parked >= NATVI_PARK_CPU)
		return false;
	cpu->parked++;
	s->parked++;
	return true;
}

#endif
