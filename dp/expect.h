/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * expect.h - connections that a helper of the kernel's conntrack has announced (a data connection of FTP): they are the
 * kernel's from their first packet on, whichever side sends it.
 *
 * The daemon hears of them from the kernel (daemon/expects.h) and writes both directions down, each with the one port that is
 * known; the other is 0, and so is the zone: the kernel knows none of natvi's. An entry stays for as long as the
 * announcement or its connection does.
 *
 * Its answer to a server that opens the connection may be faster than that. So where helpers are at work the second packet of
 * a handshake that natvi has not seen the first of is the kernel's, and a session (FLOW_KERNEL) keeps the rest for it.
 *
 * Concurrency: `expected` is only read here.
 */
#ifndef NATVI_DP_EXPECT_H
#define NATVI_DP_EXPECT_H

#include "pkt.h"
#include "session.h"

DP bool is_expected(struct pkt *p)
{
	struct tuple *t = &p->cpu->draft.reply;	/* not in use yet */

	if (!(p->control->flags & CONTROL_EXPECT))
		return false;
	*t = p->m->key;
	t->zone = 0;
	t->sport = 0;
	if (env_expected(t))
		return true;
	t->sport = p->m->key.sport;
	t->dport = 0;
	return env_expected(t);
}

/* Does p answer what the kernel has let through? No conversation begins so. */
DP bool is_kernels_answer(const struct pkt *p, const struct settings *set)
{
	return (set->flags & SETTINGS_HELP) && !(p->m->flags & PKT_FROM_BOX) && p->m->key.proto == IPPROTO_TCP &&
	       (p->m->tcp_flags & (SEEN_SYN | SEEN_ACK | SEEN_RST)) == (SEEN_SYN | SEEN_ACK);
}

/* p and what follows it. */
DP enum stage leave_to_kernel(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;

	draft->out = draft->orig;
	tuple_reverse(&draft->reply, &draft->out);
	draft->flow_flags = FLOW_KERNEL;
	session_insert(p->cpu);
	return kernel(p, VERDICT_RULE_KERNEL);
}

#endif
