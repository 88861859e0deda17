/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_outside.c - the examination of outside addresses that no interface owns: do they lead here, and to nvi0?
 * See doctor_impl.h.
 */
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "daemon/doctor_impl.h"
#include "daemon/links.h"
#include "daemon/outside.h"
#include "daemon/reload.h"
#include "daemon/routes.h"
#include "lib/addr.h"
#include "lib/config.h"
#include "lib/maps.h"

static void note(const char *subject, const char *text, void *arg)
{
	if (strcmp(subject, "interfaces"))	/* they have a finding of their own */
		finding_add(arg, DOCTOR_NOTE, "outside", subject, "", "%s", text);
}

static void missing_route(struct doctor *doctor, const struct route4 *route)
{
	char prefix[ADDR_TEXT_LEN], right[160];

	addr_print_prefix4(route->addr, route->len, prefix);
	snprintf(right, sizeof(right), "remove the route of somebody else's that `ip route show exact %s table %u` shows, or leave it if it "
		 "is meant", prefix, route->table);
	finding_add(doctor, DOCTOR_WARN, "route", prefix, right,
		    "natvi's route to it by nvi0 is not there: unmapped packets may go round in circles, and no routing daemon can export it");
}

static void check_routes(struct doctor *doctor, uint32_t nvi, const struct config *config, const struct links *links)
{
	struct route_list wanted, present = { 0 };
	size_t i;

	if (routes_wanted(config, links, &wanted))
		return;
	if (!routes_present(nvi, &present))
		for (i = 0; i < wanted.n; i++)
			if (!route_list_has(&present, &wanted.list[i]))
				missing_route(doctor, &wanted.list[i]);
	route_list_free(&wanted);
	route_list_free(&present);
}

void doctor_outside(struct doctor *doctor, const char *instance, const struct config *config)
{
	struct config *running = config ? NULL : reload_running(instance);
	const struct config *meant = config ? config : running;
	struct links links = { 0 };
	struct nl nl = { 0 };
	struct maps *maps;
	char err[256];

	if (meant && !nl_open(&nl, NETLINK_ROUTE) && !links_read(&nl, &links)) {
		outside_advise(meant, &links, note, doctor);
		/* Only what runs has routes. */
		if (running && !maps_open(&maps, instance, err, sizeof(err))) {
			if (maps->control.nvi_ifindex)
				check_routes(doctor, maps->control.nvi_ifindex, running, &links);
			maps_close(maps);
		}
	}
	links_free(&links);
	nl_close(&nl);
	config_free(running);
}
