/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_zones.c - see plan_zones.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/plan_zones.h"

static bool is_configured(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_zones; i++)
		if (!strcmp(config->zones[i].name, name))
			return true;
	return false;
}

/* NATVI_MAX_ZONES: there is none. */
static uint16_t number_of(const struct plan *plan, const char *name)
{
	uint16_t i = 1;

	while (i < NATVI_MAX_ZONES && strcmp(plan->zone_names[i], name))
		i++;
	return i;
}

/* A number that nobody has had, else that of a zone which has gone; NATVI_MAX_ZONES: there is none. */
static uint16_t free_number(const struct plan *plan, const struct config *config)
{
	uint16_t i = number_of(plan, "");

	if (i < NATVI_MAX_ZONES)
		return i;
	for (i = 1; i < NATVI_MAX_ZONES && is_configured(config, plan->zone_names[i]);)
		i++;
	return i;
}

uint16_t plan_zone(const struct plan *plan, const char *name)
{
	return *name ? number_of(plan, name) : 0;
}

int plan_zones(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	const struct config *config = input->config;
	uint16_t number;
	size_t i;

	if (input->zones)
		memcpy(plan->zone_names, input->zones, sizeof(plan->zone_names));
	strcpy(plan->zones[0].name, "global");
	for (i = 0; i < config->n_zones; i++) {
		number = number_of(plan, config->zones[i].name);
		if (number == NATVI_MAX_ZONES)
			number = free_number(plan, config);
		if (number == NATVI_MAX_ZONES) {
			snprintf(err, err_len, "%zu zones are more than the limit of %d", config->n_zones, NATVI_MAX_ZONES - 1);
			return -E2BIG;
		}
		strcpy(plan->zone_names[number], config->zones[i].name);
		strcpy(plan->zones[number].name, config->zones[i].name);
		plan->zones[number].table = config->zones[i].table;
	}
	return 0;
}
