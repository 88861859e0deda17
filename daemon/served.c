/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * served.c - see served.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan_wires.h"
#include "daemon/served.h"

const struct served *served_find(const struct served *list, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(list[i].name, name))
			return &list[i];
	return NULL;
}

static void add(struct served *list, size_t *n, const char *name, enum attach_role role, size_t wire, enum xdp_mode asked)
{
	struct served *s = &list[(*n)++];

	snprintf(s->name, sizeof(s->name), "%s", name);
	s->role = role;
	s->wire = wire;
	s->asked = asked;
}

struct served *served_list(const struct config *config, size_t *n)
{
	struct served *list = calloc(config->n_interfaces + 2 * config->n_wires + config_captures(config) + 1, sizeof(*list));
	const struct cfg_wire *wire;
	size_t i, w;

	*n = 0;
	for (i = 0; list && i < config->n_interfaces; i++)
		add(list, n, config->interfaces[i].name, ATTACH_NAT, 0, config->interfaces[i].xdp);
	for (w = 0; list && w < config->n_wires; w++) {
		wire = &config->wires[w];
		for (i = 0; i < 2; i++)
			add(list, n, wire->ports[i], ATTACH_WIRE, w, wire->xdp);
		for (i = 0; i < wire->n_captures; i++)
			if (!wire_target_is_box(wire->captures[i].target) && !served_find(list, *n, wire->captures[i].target))
				add(list, n, wire->captures[i].target, ATTACH_TARGET, w, XDP_MODE_OFF);
	}
	return list;
}
