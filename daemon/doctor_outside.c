/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_outside.c - the examination of outside addresses that no interface owns: do they lead here, and to nvi0,
 * and has nobody else one? See doctor_impl.h.
 */
#include <arpa/inet.h>
#include <linux/neighbour.h>
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

/* Others that have an outside address, by what the kernel has seen of its neighbours: a next hop, say. */
struct owners {
	struct doctor *doctor;
	const struct config *config;
	const struct links *links;
	struct outsides outsides;
};

/* The zone of an interface of the configuration, as a set; 0: it is none. */
static uint64_t zone_of(const struct owners *o, const struct link *link)
{
	size_t i;

	for (i = 0; link && i < o->config->n_interfaces; i++)
		if (!strcmp(o->config->interfaces[i].name, link->name))
			return config_zone(o->config, o->config->interfaces[i].zone);
	return 0;
}

static void tell_owner(const struct owners *o, const struct link *link, uint32_t addr, const uint8_t mac[6])
{
	uint64_t zone = zone_of(o, link);
	char text[ADDR_TEXT_LEN];
	size_t i;

	for (i = 0; i < o->outsides.n; i++)
		if (addr >= o->outsides.list[i].lo && addr <= o->outsides.list[i].hi && (zone & o->outsides.list[i].zones))
			break;
	if (i < o->outsides.n)
		finding_add(o->doctor, DOCTOR_WARN, "owner", addr_print4(addr, text), "take it out of natvi's configuration, or off that host",
			    "natvi answers for it by ARP, but a host at %s has it as well, or had it until lately: "
			    "%02x:%02x:%02x:%02x:%02x:%02x", link->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static int take_neighbour(const struct nlmsghdr *msg, void *arg)
{
	const uint16_t seen = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	const struct owners *o = arg;
	const struct nlattr *attr;
	const uint8_t *mac = NULL;
	uint32_t addr = 0;

	if (msg->nlmsg_type != RTM_NEWNEIGH || nd->ndm_family != AF_INET || !(nd->ndm_state & seen))
		return 0;
	mnl_attr_for_each(attr, msg, sizeof(*nd))
		if (mnl_attr_get_type(attr) == NDA_DST)
			addr = ntohl(mnl_attr_get_u32(attr));
		else if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
			mac = mnl_attr_get_payload(attr);
	if (addr && mac)
		tell_owner(o, links_by_index(o->links, (uint32_t)nd->ndm_ifindex), addr, mac);
	return 0;
}

static void check_owners(struct doctor *doctor, struct nl *nl, const struct config *config, const struct links *links)
{
	struct owners o = { .doctor = doctor, .config = config, .links = links };
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));

	nd->ndm_family = AF_INET;
	if (!outside_list(config, links, &o.outsides))
		nl_talk(nl, msg, take_neighbour, NULL, &o);
	outside_free(&o.outsides);
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
		check_owners(doctor, &nl, meant, &links);
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
