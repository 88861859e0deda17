/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * clashes.c - see clashes.h.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bits.h"
#include "daemon/clashes.h"
#include "daemon/mappings.h"
#include "daemon/state.h"
#include "lib/addr.h"
#include "lib/log.h"

#define FOLLOW_EVERY_S	2
#define MAX_CLASHES	64	/* of which is known that they have been spoken of */

/* A socket whose port a mapping holds. */
struct clash {
	struct mapping_key outside;
	struct mapping inside;		/* as the OUTSIDE entry has it */
	bool said;
};

struct clashes {
	struct clash list[MAX_CLASHES];
	size_t n;
	uint32_t looked_s;
	bool failed;
};

static bool is_for(const struct listener *l, const struct plan_addr *addr)
{
	return (addr->flags & ADDR_LOCAL) && addr->slot != SLOT_NONE && (!l->addr || l->addr == addr->addr);
}

/* Is there an address whose ports NAT would give away but for this one? */
static bool matters(const struct plan *plan, const struct listener *l)
{
	const struct portset *kept;
	size_t i;

	for (i = 0; i < plan->n_addrs; i++) {
		kept = &plan->policies[plan->addrs[i].policy];
		if (is_for(l, &plan->addrs[i]) && !(kept->word[l->port >> 6] >> (l->port & 63) & 1))
			return true;
	}
	return false;
}

static void keep_what_matters(const struct plan *plan, struct listeners *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		if (matters(plan, &l->list[i]))
			l->list[n++] = l->list[i];
	l->n = n;
}

/* The dynamic mapping of somebody inside that has this port; proto 0: of TCP and UDP. */
static bool look(const struct daemon *d, struct clash *clash, const struct plan_addr *addr, const struct listener *l, uint8_t proto)
{
	clash->outside = (struct mapping_key){ .addr = addr_from4(addr->addr), .port = htons(l->port), .zone = addr->zone,
					       .proto = proto, .kind = MAPPING_OUTSIDE };
	return !mapping_look(d->tables, &clash->outside, &clash->inside) && !(clash->inside.flags & (MAPPING_STATIC | MAPPING_BOX));
}

static void look_for_clashes(struct daemon *d, const struct listener *l)
{
	struct clashes *c = d->clashes;
	struct clash clash = { 0 };
	size_t i;

	for (i = 0; i < d->plan.n_addrs && c->n < MAX_CLASHES; i++) {
		if (!is_for(l, &d->plan.addrs[i]))
			continue;
		if (!look(d, &clash, &d->plan.addrs[i], l, l->proto) && !look(d, &clash, &d->plan.addrs[i], l, 0))
			continue;
		c->list[c->n++] = clash;
		d->overlaps = true;	/* the mapping's end clears a bit that has to be taken again */
	}
}

static void say(struct daemon *d, struct clash *clash)
{
	uint8_t proto = clash->outside.proto ? clash->outside.proto : IPPROTO_TCP;
	char own[ADDR_TEXT_LEN], inside[ADDR_TEXT_LEN], name[PROTO_TEXT_LEN];
	struct event event = {
		.kind = EVENT_PORT_HELD, .time_s = maps_now_s(),
		.orig = { .src = clash->inside.addr, .sport = clash->inside.port, .dst = clash->outside.addr,
			  .dport = clash->outside.port, .zone = clash->inside.zone, .proto = proto },
	};

	clash->said = true;
	log_warn("a service listens on %s %s port %u, which NAT has given to %s port %u: nothing reaches it until that mapping ends; "
		 "`natvi doctor` says how to end it", addr_print_proto(proto, name), addr_print(&clash->outside.addr, own),
		 ntohs(clash->outside.port), addr_print(&clash->inside.addr, inside), ntohs(clash->inside.port));
	if ((int32_t)(d->tables->control->events_until_s - event.time_s) >= 0)
		tables_run(d->tables, PROG_EVENT, &event, sizeof(event));
}

static bool still_listens(const struct daemon *d, const struct clash *clash)
{
	const struct listeners *l = &d->plan.listeners;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->list[i].port == ntohs(clash->outside.port) &&
		    (!l->list[i].addr || l->list[i].addr == addr_to4(&clash->outside.addr)) &&
		    (!clash->outside.proto || clash->outside.proto == l->list[i].proto))
			return true;
	return false;
}

/* One that is there for the second time is meant: a client's socket may come and go in between. */
static void follow_clashes(struct daemon *d)
{
	struct clashes *c = d->clashes;
	struct mapping m;
	size_t i, n = 0;

	for (i = 0; i < c->n; i++) {
		if (!still_listens(d, &c->list[i]) || mapping_look(d->tables, &c->list[i].outside, &m) || (m.flags & MAPPING_BOX))
			continue;
		if (!c->list[i].said)
			say(d, &c->list[i]);
		c->list[n++] = c->list[i];
	}
	c->n = n;
}

static void change(struct daemon *d, struct listeners *now)
{
	struct listeners before = d->plan.listeners;
	struct plan was = d->plan;
	size_t i;

	d->plan.listeners = *now;
	bits_take(d->tables, &d->plan, &d->slots, ADDR_LOCAL);
	if (bits_release(d->tables, &was, &d->plan, ADDR_LOCAL))
		log_err("ports of services that have ended cannot be released");
	for (i = 0; i < now->n; i++)
		if (!listeners_have(&before, &now->list[i]))
			look_for_clashes(d, &now->list[i]);
	listeners_free(&before);
}

void clashes_follow(struct daemon *d)
{
	uint32_t now_s = maps_now_s();
	struct listeners now;
	int err;

	if (!d->clashes)
		d->clashes = calloc(1, sizeof(*d->clashes));
	if (!d->clashes || !d->has_plan || now_s - d->clashes->looked_s < FOLLOW_EVERY_S)
		return;
	d->clashes->looked_s = now_s;
	err = listeners_read(&now);
	if (err) {
		if (!d->clashes->failed)
			log_warn("cannot read the box's sockets (%s): ports of services that start from now on are not withheld", strerror(-err));
		d->clashes->failed = true;
		return;
	}
	follow_clashes(d);
	keep_what_matters(&d->plan, &now);
	if (listeners_same(&now, &d->plan.listeners))
		listeners_free(&now);
	else
		change(d, &now);
}

void clashes_free(struct daemon *d)
{
	free(d->clashes);
	d->clashes = NULL;
}
