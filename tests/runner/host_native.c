/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * host_native.c - a case on the native host. Its clock is the case's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/native_impl.h"
#include "lib/maps.h"
#include "tests/runner/runner.h"

#define BEGIN_S		1000000	/* some second of uptime */

static struct native *native;
static uint64_t claimed_before;		/* port bits that were set when the case began */
static uint32_t now_s;

static int native_open(char *err)
{
	return 0;
}

static int native_begin(const struct scene *scene, char *err)
{
	const struct native_interface *tap = scene_interface(scene, scene->park);
	int ret;

	now_s = BEGIN_S;
	ret = native_new(scene->config, &scene->net, &native, err, RUNNER_ERR_LEN);
	if (ret)
		return ret;
	native->control.heartbeat_s = now_s;
	native->control.flags = scene->net.tos_routes ? CONTROL_TOS : 0;
	native->control.park_ifindex = tap ? tap->ifindex : 0;
	claimed_before = view_claimed(&(struct view){ .control = &native->control, .portbits = native->portbits });
	return 0;
}

static int native_heartbeat(char *err)
{
	native->control.heartbeat_s = now_s;
	return 0;
}

static int take(const struct native_result *r, const struct counters *before, struct outcome *out, char *err)
{
	const struct counters *after = native_counters(native);

	for (int v = 0; v < VERDICT_COUNT; v++) {
		if (after->packets[v] > before->packets[v] + 1) {
			snprintf(err, RUNNER_ERR_LEN, "one packet was counted twice");
			return -EPROTO;
		}
		if (after->packets[v] != before->packets[v])
			out->verdicts |= 1ull << v;
	}
	out->action = r->action;
	out->out_ifindex = r->out_ifindex;
	out->enters = r->enters;
	out->copied = r->copied;
	out->n_copied = r->n_copied;
	out->mark = r->mark;
	out->frame = r->frame;
	out->len = r->len;
	out->at = "native";
	return 0;
}

static enum wire_hook hook_of(uint32_t ifindex)
{
	for (uint32_t i = 0; i < NATVI_MAX_PORTS; i++)
		if (native->ports[i].ifindex == ifindex && !native->ports[i].vlan)
			return wire_hook(native->ports[i].flags);
	return HOOK_NONE;
}

static struct native_result enter(const struct arrival *a)
{
	struct native_arrival arrival = { .ifindex = a->in->ifindex, .mark = a->mark, .origin = a->origin, .no_l2 = a->in->no_l2 };

	switch (hook_of(a->in->ifindex)) {
	case HOOK_PORT:
		return native_wire(native, &arrival, a->frame, a->len, now_s);
	case HOOK_TARGET:
		return native_target(native, &arrival, a->frame, a->len, now_s);
	case HOOK_HOST:
		return native_host(native, &arrival, a->frame, a->len, now_s);
	default:
		native_mark(native, a->mark);
		return native_run(native, a->in->ifindex, a->frame, a->len, now_s);
	}
}

static int native_packet(const struct arrival *a, struct outcome *out, char *err)
{
	struct counters before = *native_counters(native);
	struct native_result r;

	if (a->gso_size) {
		snprintf(err, RUNNER_ERR_LEN, "the native host has no GSO packets");
		return -EOPNOTSUPP;
	}
	r = enter(a);
	return take(&r, &before, out, err);
}

static int native_from_tap(const struct native_interface *tap, const uint8_t *frame, size_t len, struct outcome *out, char *err)
{
	struct counters before = *native_counters(native);
	struct native_result r = native_parked(native, tap->ifindex, frame, len, now_s);

	return take(&r, &before, out, err);
}

static int native_advance(uint32_t seconds, char *err)
{
	now_s += seconds;
	return 0;
}

static int native_do_sweep(struct sweep_args *out, char *err)
{
	*out = native_sweep(native, now_s);
	return 0;
}

static int native_generation(char *err)
{
	native_new_generation(native);
	return 0;
}

static int native_do_adopt(const struct adopt_args *args, char *err)
{
	int ret = native_adopt(native, args, now_s);

	if (ret)
		snprintf(err, RUNNER_ERR_LEN, "adopt: %s", strerror(-ret));
	return ret;
}

static int add(const struct map_entry *entry, void *arg)
{
	return view_add(arg, &entry->key, &entry->value);
}

static int native_view(struct view *out, char *err)
{
	out->control = &native->control;
	out->usage = &native->usage;
	out->buckets = native->buckets;
	out->portbits = native->portbits;
	out->counters = *native_counters(native);
	out->claimed_before = claimed_before;
	return mapping_entries(native->mappings, native->control.n_mapping_buckets, add, out);
}

static void native_end(void)
{
	native_free(native);
	native = NULL;
}

static void native_close(void)
{
}

const struct host host_native = {
	.name = "native",
	.open = native_open,
	.begin = native_begin,
	.packet = native_packet,
	.parked = native_from_tap,
	.heartbeat = native_heartbeat,
	.advance = native_advance,
	.sweep = native_do_sweep,
	.generation = native_generation,
	.adopt = native_do_adopt,
	.view = native_view,
	.end = native_end,
	.close = native_close,
};
