/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * engine_attach.c - the engine's programs on devices, and what has to be so around that. See engine_impl.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/accel.h"
#include "daemon/engine_impl.h"
#include "daemon/park.h"
#include "daemon/plan_wires.h"
#include "daemon/plan_zones.h"
#include "daemon/session.h"
#include "daemon/switches.h"
#include "daemon/tc.h"
#include "daemon/wires.h"
#include "lib/log.h"
#include "lib/sysctl.h"

/* Interfaces that are there but could not be attached. */
bool engine_troubled(const struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->n_served; i++)
		if (d->served[i].ifindex && !d->served[i].up)
			return true;
	return false;
}

/* What is served as the same thing already. */
static const struct served *was_served(const struct daemon *d, const struct served *now)
{
	const struct served *s = served_find(d->served, d->n_served, now->name);

	return s && s->ifindex == now->ifindex && s->asked == now->asked && s->role == now->role ? s : NULL;
}

static bool serves_index(const struct served *list, size_t n, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i].ifindex == ifindex && list[i].up)
			return true;
	return false;
}

static const char *xdp_word(enum xdp_mode mode)
{
	return mode == XDP_MODE_NATIVE ? "tc and XDP (native)" : mode == XDP_MODE_GENERIC ? "tc and XDP (generic)" : "tc";
}

static int attach_one(struct change *c, struct served *s, const struct link *link)
{
	char text[256] = "";
	int err = attach_port(&c->d->attach, c->d->tables, link, s->role, s->asked, &s->attached, text, sizeof(text));

	s->up = !err;
	if (s->attached.made_clsact)
		sysctl_note_clsact(c->d->instance, link->name);
	if (!err) {
		log_info("%s: attached, %s%s%s", s->name, xdp_word(s->attached.xdp), s->attached.why_off[0] ? "; no XDP: " : "",
			 s->attached.why_off);
		s->trouble[0] = '\0';
		return 0;
	}
	if (c->asked)
		snprintf(c->err, c->err_len, "%s", text);
	else if (strcmp(text, s->trouble))
		log_err("%s", text);
	snprintf(s->trouble, sizeof(s->trouble), "%s", text);
	return c->asked ? err : 0;
}

/* Take programs off the interfaces that this change was the first to serve. */
void change_undo_attach(struct change *c)
{
	const struct link *link;
	size_t i;

	for (i = 0; c->served && i < c->n_served; i++) {
		link = links_by_index(&c->links, c->served[i].ifindex);
		if (!link || c->served[i].attached.replaced || serves_index(c->d->served, c->d->n_served, c->served[i].ifindex))
			continue;
		detach_port(&c->d->attach, link);
		if (c->served[i].attached.made_clsact)
			detach_clsact(&c->d->attach, link);
	}
}

/* What has to be so before packets come: who learns of them, and that nothing is translated where nothing is to be. */
int change_begin_modes(struct change *c)
{
	struct daemon *d = c->d;
	int err = accel_follow(d, c->config->accelerate || (d->config && d->config->accelerate), c->err, c->err_len);

	if (!err && c->config->n_wires)
		err = tables_wires(d->tables, c->err, c->err_len);
	if (!err && (d->accel || d->tables->wire))
		err = attach_refresh(&d->attach);
	if (err)
		return err;
	d->attach.accel = c->config->accelerate;
	err = nvi_serve(d, c->config->n_wires);
	if (err) {
		snprintf(c->err, c->err_len, "the virtual interface cannot be changed: %s", strerror(-err));
		return err;
	}
	if (!c->config->n_wires && !d->park) {
		err = park_open(d);
		if (!err)
			park_start(d);
	}
	if (err)
		return err;
	if (!config_translates(c->config) && !d->has_plan && !d->tables->reused)
		tables_flags(d->tables, 0, CONTROL_NO_NAT);
	return 0;
}

/* And after that, when the rules are in force. */
void change_end_modes(struct change *c)
{
	char err[256];

	if (config_translates(c->config) && (c->d->tables->control->flags & CONTROL_NO_NAT))
		adopt_existing(c->d->tables, &c->links);	/* as at a start: so far they were the kernel's */
	tables_flags(c->d->tables, CONTROL_NO_NAT | CONTROL_ACCEL, (config_translates(c->config) ? 0 : CONTROL_NO_NAT) |
		     (c->config->accelerate ? CONTROL_ACCEL : 0));
	accel_follow(c->d, c->config->accelerate, err, sizeof(err));
	if (c->config->n_wires)
		park_close(c->d);	/* nothing waits there */
}

static bool accelerates(const struct daemon *d)
{
	return d->config && d->config->accelerate;
}

/* A device of the list, which may be served already. */
static int attach_served(struct change *c, struct served *s)
{
	const struct link *link = links_by_name(&c->links, s->name);
	const struct served *before;
	size_t wire = s->wire;

	s->ifindex = link ? link->ifindex : 0;
	before = was_served(c->d, s);
	if (before)
		*s = *before;
	s->wire = wire;
	s->usable = wire_target_usable(link);
	if (accelerates(c->d) != c->config->accelerate)
		s->up = false;	/* its programs are others now */
	if (!link && s->role != ATTACH_TARGET && (c->asked || !before || before->ifindex))
		log_info("%s: is not there yet; waiting for it", s->name);
	if (link && nvi_owns(c->d, link->ifindex)) {
		snprintf(c->err, c->err_len, s->role == ATTACH_NAT ? "%s is natvi's own interface: it needs no entry under `interfaces`, "
			 "remove it" : "%s is natvi's own interface: as a target it is called nvi0, and a port it cannot be", s->name);
		return -EINVAL;
	}
	return link && !s->up ? attach_one(c, s, link) : 0;
}

/* Of a port that has another name now the switches are put back under that. */
static void follow_names(const struct change *c)
{
	const struct port *port;
	const struct link *link;
	size_t i;

	for (i = 0; i < NATVI_MAX_PORTS; i++) {
		port = &c->d->ports[i];
		link = port->ifindex ? links_by_index(&c->links, port->ifindex) : NULL;
		if (link && strcmp(link->name, port->name))
			sysctl_rename(c->d->instance, port->name, link->name);
	}
}

int change_attach_all(struct change *c)
{
	size_t i;
	int err = 0;

	follow_names(c);
	c->served = served_list(c->config, &c->n_served);
	if (!c->served)
		return -ENOMEM;
	for (i = 0; i < c->n_served && !err; i++)
		err = attach_served(c, &c->served[i]);
	return err;
}

/* A zone that the kernel has otherwise, or a part of another interface, is no reason to stop: what is meant is done, and said. */
void change_tell_zones(struct change *c)
{
	struct served *s;
	char text[sizeof(s->zone)];
	size_t i;

	for (i = 0; i < c->config->n_interfaces; i++) {
		s = &c->served[i];
		zone_trouble(c->config, &c->config->interfaces[i], &c->links, text, sizeof(text));
		if (!text[0])
			master_trouble(&c->config->interfaces[i], &c->links, text, sizeof(text));
		if (text[0] && strcmp(text, s->zone))
			log_warn("%s", text);
		strcpy(s->zone, text);
	}
}

/* Ports of the plan that have programs, with what their attachment says. */
void change_settle_ports(struct change *c)
{
	const struct cfg_wire *host = config_host_wire(c->config);
	bool any_native = false;
	const struct link *link;
	size_t i, n = 0, s;
	struct port *port;

	for (i = 0; i < c->n_served; i++)
		any_native |= c->served[i].up && c->served[i].attached.xdp == XDP_MODE_NATIVE;
	for (i = 0; i < c->plan.n_ports; i++) {
		port = &c->plan.ports[i];
		for (s = 0; s < c->n_served && c->served[s].ifindex != port->ifindex; s++)
			;
		if (s == c->n_served || !c->served[s].up)
			continue;
		link = links_by_index(&c->links, port->ifindex);
		/* Frames of native XDP can only go where a driver takes them; a shaper must see them all. */
		if (tc_qdisc_shapes(link->qdisc))
			port->flags |= PORT_SHAPED;
		else if (c->served[s].attached.xdp == XDP_MODE_NATIVE || (c->served[s].attached.xdp == XDP_MODE_GENERIC && !any_native))
			port->flags |= PORT_XDP_OUT;
		c->plan.ports[n++] = *port;
	}
	/* there is room for one more */
	if (nvi_port(c->d, &c->links, host ? plan_wire(&c->plan, host->name) : 0, &c->plan.ports[n])) {
		if (host && wire_mtu(host, &c->links))
			c->plan.ports[n].mtu = wire_mtu(host, &c->links);	/* it follows */
		n++;
	}
	c->plan.n_ports = n;
	wires_settle(&c->plan);
}

static void detach(struct change *c, const struct link *link)
{
	if (detach_port(&c->d->attach, link) < 0)
		log_err("%s: the programs cannot be taken off", link->name);
	else
		log_info("%s: detached", link->name);
	if (sysctl_made_clsact(c->d->instance, link->name))
		detach_clsact(&c->d->attach, link);
}

/* What a daemon served that ended, and this one does not. */
static void detach_left(struct change *c)
{
	struct daemon *d = c->d;
	const struct link *link;
	size_t i;

	if (d->has_plan || !d->tables->reused)
		return;
	for (i = 0; i < c->links.n; i++) {
		link = &c->links.list[i];
		if (nvi_owns(d, link->ifindex) || link->ifindex == d->tables->control->park_ifindex ||
		    serves_index(c->served, c->n_served, link->ifindex) || !attach_present(&d->attach, link))
			continue;
		switches_restore_port(d->instance, link->name);
		detach(c, link);
	}
}

/* Interfaces that are not served any more. */
void change_detach_rest(struct change *c)
{
	const struct served *s;
	const struct link *link;
	size_t i;

	for (i = 0; i < c->d->n_served; i++) {
		s = &c->d->served[i];
		if (!s->ifindex || serves_index(c->served, c->n_served, s->ifindex))
			continue;
		link = links_by_index(&c->links, s->ifindex);
		if (!link) {
			if (s->role == ATTACH_NAT)
				log_info("%s: has gone", s->name);
			continue;
		}
		switches_restore_port(c->d->instance, link->name);
		detach(c, link);
	}
	detach_left(c);
}
