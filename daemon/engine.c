/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * engine.c - from a configuration and the state of the namespace to a datapath that does it.
 *
 * One way for everything: the start, a reload, an interface that appears, an address that moves.
 * A picture of the links is read, a plan is built from it, and what differs from the plan in force is
 * written. Order, so that nothing leaves untranslated and no packet meets half a configuration:
 *
 *   bits taken, addresses added, programs attached       nothing refers to them yet
 *   wires: switches of their ports, routes to targets    before there are ports, and anything is captured
 *   the other half written and put in force
 *   forwards, ports, addresses removed, sysctls          forwarding is switched on last
 *   what is no longer needed is detached; bits released; sessions on lost addresses ended
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/accel.h"
#include "daemon/announce.h"
#include "daemon/bits.h"
#include "daemon/conflict.h"
#include "daemon/drain.h"
#include "daemon/engine_impl.h"
#include "daemon/expects.h"
#include "daemon/forwards.h"
#include "daemon/guard.h"
#include "daemon/mappings.h"
#include "daemon/nft_kernel.h"
#include "daemon/orphans.h"
#include "daemon/plan_wires.h"
#include "daemon/routes.h"
#include "daemon/rule_ids.h"
#include "daemon/state.h"
#include "daemon/switches.h"
#include "daemon/wire_bridge.h"
#include "daemon/wires.h"
#include "daemon/write.h"
#include "daemon/zone_rules.h"
#include "lib/addr.h"
#include "lib/log.h"
#include "lib/sysctl.h"

static void read_port_range(uint16_t *lo, uint16_t *hi)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned int a = 32768, b = 60999;

	if (file) {
		if (fscanf(file, "%u %u", &a, &b) != 2)
			log_warn("cannot read net.ipv4.ip_local_port_range: taking %u-%u", a, b);
		fclose(file);
	}
	*lo = (uint16_t)a;
	*hi = (uint16_t)b;
}

/*
 * A configuration that addresses contradict is refused when somebody asks for it. One that is in force already, be it of a
 * daemon that ended, is not left alone because an address came: that is said, once.
 */
static int check_conflict(struct change *c)
{
	bool in_force = !c->asked || c->d->going_back || (!c->d->has_plan && c->d->tables->reused);
	char text[sizeof(c->d->conflict)] = "";
	int err = conflict_find(c->config, &c->links, text, sizeof(text));

	if (err && !in_force) {
		snprintf(c->err, c->err_len, "%s", text);
		return err;
	}
	if (text[0] && strcmp(text, c->d->conflict))
		log_warn("%s", text);
	else if (!text[0] && c->d->conflict[0])
		log_info("inside and outside addresses differ again");
	strcpy(c->d->conflict, text);
	return 0;
}

/* The box's services, as they were when they were looked at last, or at the start as they are. */
static int bring_listeners(struct change *c)
{
	int err;

	err = c->d->has_plan ? listeners_copy(&c->plan.expected, &c->d->plan.expected) : 0;
	if (err || c->d->has_plan)
		return err ? err : listeners_copy(&c->plan.listeners, &c->d->plan.listeners);
	err = listeners_read(&c->plan.listeners);
	if (err)
		log_warn("cannot read the box's sockets: %s", strerror(-err));
	return 0;
}

static int number_rules(struct change *c)
{
	c->rule_numbers = calloc(c->config->n_rules + config_captures(c->config) + 1, sizeof(*c->rule_numbers));
	if (c->rule_numbers)
		c->rule_ids = rule_ids_give(c->d->rule_ids, c->config, c->rule_numbers);
	return c->rule_ids ? 0 : -ENOMEM;
}

static int plan(struct change *c, const struct plan_input *input)
{
	int err;

	plan_free(&c->plan);
	slots_free(&c->slots);
	err = slots_copy(&c->slots, &c->d->slots);
	if (!err)
		err = plan_build(&c->plan, input, &c->slots, c->err, c->err_len);
	if (!err)
		err = bring_listeners(c);
	if (!err)
		err = write_fits(c->d->tables, &c->plan, c->err, c->err_len);
	return err;
}

/* Addresses that this reload takes away from sessions stay natvi's, where there is room for them. */
static int plan_orphans(struct change *c, struct plan_input *input)
{
	int n = orphans_former(c->d, &c->slots, &c->links, &c->former), err;

	if (n <= 0)
		return n;
	input->former = c->former;
	input->n_former = c->n_former = (size_t)n;
	err = plan(c, input);
	if (err != -ENOSPC)
		return err;
	log_warn("no room for %d addresses that are in no pool any more: their sessions end", n);
	input->n_former = c->n_former = 0;
	return plan(c, input);
}

static int build(struct change *c)
{
	struct plan_input input = {
		.config = c->config,
		.places = c->d->places,
		.zones = c->d->zones,
		.links = &c->links,
		.policy = c->d->policy,
		.one_route = c->d->one_route,
		.mark_routes = c->d->mark_routes,
		.mark_slow = c->d->mark_slow,
		.wires = c->d->wires,
		.nvi = c->d->nvi.ifindex,
	};
	int err = links_read(&c->d->nl, &c->links);

	if (err) {
		snprintf(c->err, c->err_len, "cannot read the interfaces: %s", strerror(-err));
		return err;
	}
	err = check_conflict(c);
	if (!err && c->asked)
		err = nft_kernel_check(c->config, c->err, c->err_len);
	if (err)
		return err;
	read_port_range(&input.local_lo, &input.local_hi);
	input.ct_tcp_s = accel_tcp_timeout();
	if (!c->asked) {
		input.former = c->d->former;
		input.n_former = c->d->n_former;
		input.rule_ids = c->d->rule_numbers;
		return plan(c, &input);
	}
	err = number_rules(c);
	input.rule_ids = c->rule_numbers;
	if (!err)
		err = plan(c, &input);
	return err || c->config->orphans == ORPHANS_KILL || c->config->n_wires ? err : plan_orphans(c, &input);
}

/* Putting in force */

static int enforce(struct change *c)
{
	struct tables *tables = c->d->tables;
	const struct plan *was = c->d->has_plan ? &c->d->plan : NULL;
	int err, changed, same, zones, wires;

	err = zone_rules_make(&c->d->nl, c->config, &c->plan);
	if (err < 0) {
		snprintf(c->err, c->err_len, "a zone's routing rule cannot be made: %s", strerror(-err));
		return err;
	}
	bits_take(tables, &c->plan, &c->slots, 0);
	err = write_addrs(tables, was, &c->plan);
	if (err) {
		snprintf(c->err, c->err_len, "cannot write the addresses: %s", strerror(-err));
		return err;
	}
	zones = write_zones(tables, was, &c->plan);
	if (zones < 0) {
		snprintf(c->err, c->err_len, "cannot write the zones: %s", strerror(-zones));
		return zones;
	}
	wires = write_wires(tables, was, &c->plan, c->d->wires);
	if (wires < 0) {
		snprintf(c->err, c->err_len, "cannot write the wires: %s", strerror(-wires));
		return wires;
	}
	same = write_half(tables, was, &c->plan);
	if (same < 0) {
		snprintf(c->err, c->err_len, "cannot write the rules: %s", strerror(-same));
		return same;
	}
	/* From here on the plan is in force; what fails now is said, and tried again with the next change. */
	if (!was || was->n_statics || c->plan.n_statics)
		forwards_apply(tables, &c->plan, c->config->orphans);
	changed = write_ports(tables, c->d->ports, c->plan.ports, c->plan.n_ports);
	if (changed < 0)
		log_err("cannot write the ports: %s", strerror(-changed));
	remove_addrs(tables, was, &c->plan);
	wires |= remove_wires(tables, was, &c->plan);
	if (!same || changed || zones || wires)
		engine_new_generation(c->d);
	return 0;
}

/* A pool that begins or ends to share its mappings between TCP and UDP reserves otherwise. */
static bool same_sharing(const struct plan *a, const struct plan *b)
{
	size_t i;

	for (i = 0; i < NATVI_MAX_POOLS; i++)
		if ((a->pools[i].flags ^ b->pools[i].flags) & POOL_SHARED)
			return false;
	return true;
}

static bool same_reservations(const struct plan *a, const struct plan *b)
{
	return same_sharing(a, b) && a->n_kernels == b->n_kernels &&
	       (!a->n_kernels || !memcmp(a->kernels, b->kernels, a->n_kernels * sizeof(*a->kernels))) &&
	       a->n_addrs == b->n_addrs && !memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(*a->addrs)) &&
	       a->n_statics == b->n_statics && !memcmp(a->statics, b->statics, a->n_statics * sizeof(*a->statics)) &&
	       a->n_policies == b->n_policies && !memcmp(a->policies, b->policies, a->n_policies * sizeof(*a->policies));
}

static void release_bits(struct change *c)
{
	const struct plan *was = c->d->has_plan ? &c->d->plan : NULL;
	int n;

	if (was ? same_reservations(was, &c->plan) : !c->d->tables->reused)
		return;
	if (bits_release(c->d->tables, was, &c->plan, 0))
		log_err("ports that are free by now cannot be released");
	n = bits_overlaps(c->d->tables, &c->plan);
	c->d->overlaps = n > 0;
	if (n > 0)
		log_info("%d mappings hold ports that are reserved now; they keep them until they end", n);
}

static void commit(struct change *c, struct config *next)
{
	struct daemon *d = c->d;
	size_t i;

	plan_free(&d->plan);
	slots_free(&d->slots);
	links_free(&d->links);
	free(d->served);
	d->plan = c->plan;
	d->slots = c->slots;
	d->links = c->links;
	d->served = c->served;
	d->n_served = c->n_served;
	d->has_plan = true;
	places_follow(d->places, d->plan.places);
	memcpy(d->zones, d->plan.zone_names, sizeof(d->zones));
	memcpy(d->wires, d->plan.wire_names, sizeof(d->wires));
	for (i = 0; i < d->plan.n_addrs; i++)
		if (d->plan.addrs[i].slot != SLOT_NONE)
			d->slots.list[d->plan.addrs[i].slot].local = d->plan.addrs[i].flags & ADDR_LOCAL;
	if (next) {
		json_decref(d->rule_ids);
		free(d->rule_numbers);
		free(d->former);
		d->rule_ids = c->rule_ids;
		d->rule_numbers = c->rule_numbers;
		d->former = c->former;
		d->n_former = c->n_former;
		if (!d->keep_config)
			config_free(d->config);
		d->config = next;
		d->applied_s = maps_now_s();
	}
}

static void discard(struct change *c)
{
	plan_free(&c->plan);
	slots_free(&c->slots);
	links_free(&c->links);
	free(c->served);
	json_decref(c->rule_ids);
	free(c->rule_numbers);
	free(c->former);
}

/* natvi's nftables table is for what natvi translates. */
static void guard_follow(struct change *c)
{
	if (config_translates(c->config))
		guard_set(c->d, NULL, c->config, NULL, 0, c->served, c->n_served);
	else
		guard_drop(c->d);
}

static void set_switches(const struct change *c)
{
	if (c->config->n_wires)
		return;		/* they were before there were ports */
	if (config_translates(c->config))
		switches_set(c->d->instance, c->plan.ports, c->plan.n_ports, wires_were(c->d));
	else
		sysctl_restore(c->d->instance, "");
}

int engine_apply(struct daemon *d, struct config *next, char *err, size_t err_len)
{
	struct change c = { .d = d, .config = next ? next : d->config, .asked = next, .err = err, .err_len = err_len };
	int ret;

	snprintf(err, err_len, "out of memory");
	if (next)
		places_refresh(d);
	ret = build(&c);
	if (!ret)
		ret = change_begin_modes(&c);
	if (!ret)
		ret = change_attach_all(&c);
	if (!ret) {
		change_settle_ports(&c);
		change_tell_zones(&c);
		if (d->has_plan && config_translates(c.config))
			guard_set(d, d->config, c.config, d->served, d->n_served, c.served, c.n_served);
		wires_prepare(d, c.config, c.served, c.n_served);
		ret = enforce(&c);
	}
	if (ret) {
		if (d->has_plan && d->config && config_translates(d->config))
			guard_set(d, NULL, d->config, NULL, 0, d->served, d->n_served);
		change_undo_attach(&c);
		if (d->config)
			nvi_serve(d, d->config->n_wires);
		wires_prepare(d, d->config, d->served, d->n_served);
		discard(&c);
		return ret;
	}
	change_end_modes(&c);
	guard_follow(&c);
	zone_rules_clean(&d->nl, d->instance, c.config, &c.plan);
	set_switches(&c);
	change_detach_rest(&c);
	wires_end_sessions(d, &c.plan, &c.links, c.config->n_wires);
	release_bits(&c);
	wires_tell(d, c.config, &c.links, c.served, c.n_served);
	commit(&c, next);
	wire_host_follow(d, false);
	wire_bridges_follow(d);
	expects_follow(d, nft_kernel_helps(d->config));
	routes_follow(d);
	announce_follow(d);
	if (!next) {
		drain_soon(d);
		return 0;
	}
	orphans_settle(d);
	drain(d);
	return 0;
}

bool engine_verify(struct daemon *d)
{
	const struct link *link;
	bool lost = false;
	size_t i;

	for (i = 0; i < d->n_served; i++) {
		link = d->served[i].up ? links_by_index(&d->links, d->served[i].ifindex) : NULL;
		if (!link || attach_complete(&d->attach, d->tables, link, d->served[i].role))
			continue;
		log_warn("%s: somebody has taken natvi's programs off; they are put on again", d->served[i].name);
		d->served[i].up = false;
		lost = true;
	}
	return lost;
}

int engine_guard(struct daemon *d)
{
	struct served *list = calloc(d->config->n_interfaces + 1, sizeof(*list));
	const struct link *link;
	struct links links;
	size_t i;
	int err;

	if (!list)
		return -ENOMEM;
	err = links_read(&d->nl, &links);
	for (i = 0; !err && i < d->config->n_interfaces; i++) {
		snprintf(list[i].name, sizeof(list[i].name), "%s", d->config->interfaces[i].name);
		link = links_by_name(&links, list[i].name);
		if (!link)
			continue;
		list[i].ifindex = link->ifindex;
		list[i].up = d->tables->reused && attach_present(&d->attach, link);
	}
	if (!err) {
		guard_set(d, NULL, d->config, NULL, 0, list, d->config->n_interfaces);
		links_free(&links);
	}
	free(list);
	return err;
}

void engine_new_generation(struct daemon *d)
{
	uint32_t next = d->tables->control->generation + 1;

	tables_set(d->tables, generation, next ? next : 1);
}
