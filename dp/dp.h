/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dp.h - the datapath's table of contents.
 *
 * A hook calls dp_run() with its context; what comes back is the hook's own
 * return code. Each stage either passes the packet to the next (NEXT) or has ended it
 * (DONE) with exactly one verdict counted.
 */
#ifndef NATVI_DP_DP_H
#define NATVI_DP_DP_H

#include "arp.h"
#include "env.h"
#include "expire.h"
#include "forward.h"
#include "icmp_error.h"
#include "nat.h"
#include "parse.h"
#include "port.h"

/* Scratch space, clock and the daemon's word; without them there is no natvi. The hook fills in the rest. */
DP bool dp_begin(struct pkt *p)
{
	p->cpu = env_cpu(0);
	p->control = env_control();
	if (!p->cpu || !p->control)
		return false;
	p->m = &p->cpu->meta;
	p->m->now_s = env_now_s();
	p->m->flags = 0;
	p->m->tcp_flags = 0;
	p->m->icmp_type = 0;
	p->m->error_type = 0;
	p->m->key.sport = 0;
	p->m->key.dport = 0;
	p->m->key.pad = 0;
	env_begin(p);
	p->m->len = p->m->wire_len;
	return true;
}

DP enum stage dp_stages(struct pkt *p)
{
	enum verdict done = VERDICT_FORWARD;

	if (!port_find(p))
		return kernel(p, VERDICT_NOT_ENABLED);
	if (parse(p) == DONE)
		return DONE;
	settle();
	if (p->m->eth_proto == __builtin_bswap16(ETH_P_ARP))
		return arp(p);
	if (p->m->flags & PKT_ICMP_ERROR)
		return icmp_error(p);
	if (!may_have_flow(p) || !flow_find(p)) {
		if (nat(p) == DONE)
			return DONE;
		done = VERDICT_NEW_FORWARD;
	}
	settle();
	return forward(p, done);
}

DP int dp_run(void *ctx)
{
	struct pkt packet = { .ctx = ctx }, *p = &packet;

	if (!dp_begin(p))
		return env_drop(p);
	dp_stages(p);
	if (unlikely(p->m->error_type))
		icmp_answer(p);
	return p->m->action;
}

#endif
