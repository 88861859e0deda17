/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * drain.c - see drain.h; and what the pinned maps of a former daemon say.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/accel.h"
#include "daemon/bits.h"
#include "daemon/clashes.h"
#include "daemon/drain.h"
#include "daemon/expects.h"
#include "daemon/mappings.h"
#include "daemon/orphans.h"
#include "daemon/session.h"
#include "daemon/state.h"
#include "lib/addr.h"
#include "lib/log.h"

#define OVERLAP_EVERY_S	5
#define RETRY_EVERY_S	5
#define FORMER_EVERY_S	5
#define RETURN_S	0.3	/* a script that takes an address away and puts it back is done by then */

/* Is this an outside address of the plan in force, of this zone's mappings? */
static bool is_outside(const struct daemon *d, const union addr *addr, uint16_t zone)
{
	const struct plan_addr *found = addr_is4(addr) ? plan_find_addr(&d->plan, addr_to4(addr), zone) : NULL;

	return found && found->slot != SLOT_NONE;
}

struct losing {
	const struct daemon *d;
	uint32_t addr;		/* that was looked at last: most are the same */
	bool taken;		/* by a reload, not from an interface */
};

static bool is_taken(struct losing *losing, uint32_t addr)
{
	const struct slots *slots = &losing->d->slots;
	uint32_t i;

	if (losing->addr == addr)
		return losing->taken;
	losing->addr = addr;
	losing->taken = links_owns4(&losing->d->links, addr);
	for (i = 0; i < slots->n; i++)
		losing->taken |= slots->list[i].state == SLOT_DRAINING && slot_addr(slots->list[i].face) == addr && !slots->list[i].local;
	return losing->taken;
}

/* A session does not say of which zone its outside address is: it may be any. */
static bool session_lost(const struct session *session, void *arg, uint32_t *reason)
{
	struct losing *losing = arg;
	const struct daemon *d = losing->d;
	const struct pool_place *place = session->cold.pool < NATVI_MAX_POOLS ? &d->places[session->cold.pool] : NULL;
	union addr addr;
	__be16 port;
	uint16_t i;

	if (!session_outside(session, &addr, &port))
		return false;
	for (i = 0; i < NATVI_MAX_ZONES; i++)
		if (d->plan.zones[i].name[0] && is_outside(d, &addr, i))
			return false;
	if (place && place->kind == POOL_KIND_MASQUERADE && place->name[0] && !links_by_name(&d->links, place->name))
		*reason = END_INTERFACE_GONE;
	else if (is_taken(losing, addr_to4(&addr)))
		*reason = END_RULE_GONE;
	return true;
}

static bool mapping_lost(const struct map_entry *entry, void *arg)
{
	return !is_outside(arg, &entry->value.addr, entry->value.zone);
}

static bool any_draining(const struct slots *slots)
{
	uint32_t i;

	for (i = 0; i < slots->n; i++)
		if (slots->list[i].state == SLOT_DRAINING)
			return true;
	return false;
}

static int mark_slot(const struct mapping_key *key, const struct mapping *value, void *arg)
{
	struct slots *slots = arg;

	if (key->kind == MAPPING_INSIDE && value->slot < slots->n)
		slots->list[value->slot].fresh = true;
	return 0;
}

/* fresh serves as the mark here: it means nothing for a slot that is draining. */
static void free_slots(struct daemon *d)
{
	struct slots marks;
	uint32_t i;

	if (slots_init(&marks, d->slots.n))
		return;
	if (!mappings_each(d->tables, mark_slot, &marks))
		for (i = 0; i < d->slots.n; i++)
			if (d->slots.list[i].state == SLOT_DRAINING && !marks.list[i].fresh)
				d->slots.list[i].state = SLOT_FREE;
	slots_free(&marks);
}

void drain(struct daemon *d)
{
	struct losing losing = { .d = d };
	int ended, gone;

	if (!any_draining(&d->slots)) {
		d->draining = false;
		return;
	}
	tables_grace();
	ended = sessions_kill(d->tables, NULL, session_lost, &losing, END_ADDRESS_GONE);
	gone = mappings_drop(d->tables, mapping_lost, d, NULL);
	if (ended > 0 || gone > 0)
		log_info("%d sessions and %d mappings on addresses that are gone were ended", ended < 0 ? 0 : ended,
			 gone < 0 ? 0 : gone);
	engine_freed(d);
	free_slots(d);
	d->draining = any_draining(&d->slots);
}

static void on_drain(struct ev_loop *loop, ev_timer *timer, int events)
{
	ev_timer_stop(loop, timer);
	drain(timer->data);
}

void drain_soon(struct daemon *d)
{
	if (!any_draining(&d->slots) || ev_is_active(&d->drain_timer))
		return;
	d->draining = false;	/* the tick waits, too */
	ev_timer_init(&d->drain_timer, on_drain, RETURN_S, 0);
	d->drain_timer.data = d;
	ev_timer_start(d->loop, &d->drain_timer);
}

/* A masquerading port that is down, or NULL. */
static const struct port *masquerade_down(const struct daemon *d, uint8_t pool)
{
	size_t i;

	for (i = 0; i < d->plan.n_ports; i++)
		if ((d->plan.ports[i].flags & PORT_DOWN) && d->plan.ports[i].masq_pool == pool)
			return &d->plan.ports[i];
	return NULL;
}

static bool has_masquerade_down(const struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->plan.n_ports; i++)
		if ((d->plan.ports[i].flags & PORT_DOWN) && d->plan.ports[i].masq_pool != POOL_MASQUERADE)
			return true;
	return false;
}

/* Its packets leave by another interface with the address of one that is down: nothing will come back. */
static bool session_astray(const struct session *session, void *arg, uint32_t *reason)
{
	const struct daemon *d = arg;
	const struct port *port;

	if (!(session->cold.flags & (COLD_SRC_MAPPED | COLD_REMOTE)) || (session->orig.flags & FLOW_KERNELS))
		return false;
	port = masquerade_down(d, session->cold.pool);
	return port && session->orig.oif && session->orig.oif != port->ifindex;
}

void engine_freed(struct daemon *d)
{
	if (d->overlaps)
		bits_take(d->tables, &d->plan, &d->slots, 0);
}

void engine_tick(struct daemon *d)
{
	uint32_t now_s = maps_now_s();
	char err[512];

	if (d->draining)
		drain(d);
	clashes_follow(d);
	expects_tick(d);
	if (d->accel && d->has_plan && d->plan.settings.ct_tcp_s != accel_tcp_timeout() && engine_apply(d, NULL, err, sizeof(err)))
		log_err("%s", err);
	if (has_masquerade_down(d))
		sessions_kill(d->tables, NULL, session_astray, d, END_INTERFACE_GONE);
	if (d->n_former && now_s - d->former_s >= FORMER_EVERY_S) {
		d->former_s = now_s;
		if (orphans_gone(d) && engine_apply(d, NULL, err, sizeof(err)))
			log_err("%s", err);
	}
	if (d->overlaps && now_s - d->overlaps_s >= OVERLAP_EVERY_S) {
		d->overlaps_s = now_s;
		bits_take(d->tables, &d->plan, &d->slots, 0);
		d->overlaps = bits_overlaps(d->tables, &d->plan) > 0;
	}
	if (engine_troubled(d) && now_s - d->retry_s >= RETRY_EVERY_S) {
		d->retry_s = now_s;
		if (engine_apply(d, NULL, err, sizeof(err)))
			log_err("%s", err);
	}
}

/* Pools */

void places_follow(struct pool_place *places, const struct pool_place *now)
{
	size_t i;

	for (i = 0; i < NATVI_MAX_POOLS; i++) {
		bool busy = !now[i].name[0] && (places[i].busy || places[i].name[0]);

		places[i] = now[i];
		places[i].busy = busy;
	}
}

static int mark_pool(const struct mapping_key *key, const struct mapping *value, void *arg)
{
	struct pool_place *places = arg;

	if (key->kind == MAPPING_INSIDE && value->pool < NATVI_MAX_POOLS && !places[value->pool].name[0])
		places[value->pool].busy = true;
	return 0;
}

void places_refresh(struct daemon *d)
{
	size_t i;

	for (i = 0; i < NATVI_MAX_POOLS; i++)
		d->places[i].busy = false;
	mappings_each(d->tables, mark_pool, d->places);
}

/* Pinned tables */

static int adopt_mapping(const struct mapping_key *key, const struct mapping *value, void *arg)
{
	struct slots *slots = arg;

	if (key->kind == MAPPING_INSIDE && value->slot != SLOT_NONE)
		slots_adopt(slots, slot_face(addr_to4(&value->addr), value->zone), value->slot);
	return 0;
}

static int adopt_addrs(struct daemon *d)
{
	struct addr_key key, next;
	struct addr_info info;
	bool first = true;
	int err;

	for (;; key = next, first = false) {
		err = bpf_map_get_next_key(d->tables->map[TABLE_ADDRS], first ? NULL : &key, &next);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (bpf_map_lookup_elem(d->tables->map[TABLE_ADDRS], &next, &info) || info.slot == SLOT_NONE)
			continue;
		if (!slots_adopt(&d->slots, slot_face(addr_to4(&next.addr), info.zone), info.slot))
			d->slots.list[info.slot].local = info.flags & ADDR_LOCAL;
	}
}

static int adopt_pools(struct daemon *d)
{
	uint32_t half = d->tables->control->active & 1, i, index;
	struct pool pool;
	int err;

	for (i = 0; i < NATVI_MAX_POOLS; i++) {
		index = half * NATVI_MAX_POOLS + i;
		err = bpf_map_lookup_elem(d->tables->map[TABLE_POOLS], &index, &pool);
		if (err)
			return err;
		memcpy(d->places[i].name, pool.name, sizeof(pool.name));
		d->places[i].kind = POOL_KIND_ANY;
	}
	return 0;
}

static int adopt_zones(struct daemon *d)
{
	struct zone zone;
	uint32_t i;
	int err = 0;

	for (i = 1; i < NATVI_MAX_ZONES && !err; i++) {
		err = bpf_map_lookup_elem(d->tables->map[TABLE_ZONES], &i, &zone);
		if (!err)
			memcpy(d->zones[i], zone.name, sizeof(zone.name));
	}
	return err;
}

static int adopt_wires(struct daemon *d)
{
	struct wire wire;
	uint32_t i;
	int err = 0;

	for (i = 0; i < NATVI_MAX_WIRES && !err; i++) {
		err = bpf_map_lookup_elem(d->tables->map[TABLE_WIRES], &i, &wire);
		if (!err)
			memcpy(d->wires[i], wire.name, sizeof(wire.name));
	}
	return err;
}

static int adopt_ports(struct daemon *d)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < NATVI_MAX_PORTS && !err; i++)
		err = bpf_map_lookup_elem(d->tables->map[TABLE_PORTS], &i, &d->ports[i]);
	return err;
}

int engine_adopt_tables(struct daemon *d)
{
	int err = slots_init(&d->slots, d->tables->control->n_slots);

	d->ports = calloc(NATVI_MAX_PORTS, sizeof(*d->ports));
	if (err || !d->ports)
		return -ENOMEM;
	if (!d->tables->reused)
		return 0;
	err = adopt_addrs(d);
	if (!err)
		err = mappings_each(d->tables, adopt_mapping, &d->slots);
	if (!err)
		err = adopt_pools(d);
	if (!err)
		err = adopt_zones(d);
	if (!err)
		err = adopt_wires(d);
	return err ? err : adopt_ports(d);
}
