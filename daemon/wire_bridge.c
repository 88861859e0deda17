/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_bridge.c - see wire_bridge.h.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "daemon/plan_wires.h"
#include "daemon/state.h"
#include "daemon/wire_bridge.h"
#include "lib/log.h"
#include "lib/sysctl.h"

#define NAMES		100
#define BRIDGE_FORWARD	0xfff8	/* group_fwd_mask: what a bridge as a whole admits; not STP, pause, LACP */
#define PORT_FORWARD	0xfffd	/* and what its ports do: not pause */

/* What was said of a wire last, so that it is said once. */
enum told { TOLD_NOTHING, TOLD_CLOSED, TOLD_THEIRS, TOLD_APART, TOLD_FAILED };

static void alias_prefix(char out[LINK_ALIAS_LEN], const char *instance)
{
	snprintf(out, LINK_ALIAS_LEN, "natvi %s: bridge of wire ", instance);
}

/* Name of the wire that this is the bridge of; NULL: it is not natvi's. */
static const char *wire_of(const struct link *link, const char *instance)
{
	char prefix[LINK_ALIAS_LEN];

	alias_prefix(prefix, instance);
	return !strcmp(link->kind, "bridge") && !strncmp(link->alias, prefix, strlen(prefix)) ? link->alias + strlen(prefix) : NULL;
}

static const struct link *own_bridge(const struct daemon *d, const struct cfg_wire *wire)
{
	const char *name;
	size_t i;

	for (i = 0; i < d->links.n; i++) {
		name = wire_of(&d->links.list[i], d->instance);
		if (name && !strcmp(name, wire->name))
			return &d->links.list[i];
	}
	return NULL;
}

/* Netlink */

static int create(struct nl *nl, const char *name)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data;

	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(msg, IFLA_LINKINFO);
	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
	mnl_attr_put_u32(msg, IFLA_BR_STP_STATE, 0);
	mnl_attr_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0);
	mnl_attr_put_u32(msg, IFLA_BR_AGEING_TIME, 0);
	mnl_attr_put_u8(msg, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_put_u16(msg, IFLA_BR_GROUP_FWD_MASK, BRIDGE_FORWARD);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, info);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static int set_up(struct nl *nl, uint32_t ifindex, const char *alias)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifi_index = (int)ifindex;
	info->ifi_flags = info->ifi_change = IFF_UP;
	mnl_attr_put_strz(msg, IFLA_IFALIAS, alias);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static int enslave(struct nl *nl, uint32_t ifindex, uint32_t master)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifi_index = (int)ifindex;
	mnl_attr_put_u32(msg, IFLA_MASTER, master);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

/* As a cable: all goes to the other end, whoever was seen where. */
static int furnish_port(struct nl *nl, uint32_t ifindex)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_NEWLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));
	struct nlattr *linkinfo, *data;

	info->ifi_index = (int)ifindex;
	linkinfo = mnl_attr_nest_start(msg, IFLA_LINKINFO);
	mnl_attr_put_strz(msg, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(msg, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(msg, IFLA_BRPORT_LEARNING, 0);
	mnl_attr_put_u16(msg, IFLA_BRPORT_GROUP_FWD_MASK, PORT_FORWARD);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, linkinfo);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

/* Making */

static void pick_name(char name[IFNAMSIZ], const struct daemon *d, const char *wire)
{
	unsigned int i;

	snprintf(name, IFNAMSIZ, "natvi-%.9s", wire);
	for (i = 2; links_by_name(&d->links, name) && i < NAMES; i++)
		snprintf(name, IFNAMSIZ, "natvi-%.6s-%u", wire, i);
}

/* The box itself does not speak there, also not of addresses that it has elsewhere. */
static void silence(const char *name)
{
	sysctl_set_own("ipv6", name, "disable_ipv6", "1");
	sysctl_set_own("ipv4", name, "arp_ignore", "8");
	sysctl_set_own("ipv4", name, "forwarding", "0");
}

static int make(struct daemon *d, const struct cfg_wire *wire, char name[IFNAMSIZ], uint32_t *ifindex)
{
	char alias[LINK_ALIAS_LEN];
	size_t len;
	int err;

	pick_name(name, d, wire->name);
	err = create(&d->nl, name);
	if (err)
		return err;
	*ifindex = if_nametoindex(name);
	silence(name);
	alias_prefix(alias, d->instance);
	len = strlen(alias);
	snprintf(alias + len, sizeof(alias) - len, "%s", wire->name);
	err = set_up(&d->nl, *ifindex, alias);
	if (err)
		links_delete(&d->nl, *ifindex);
	return err;
}

/* Ports that are there become members of natvi's bridge, which is made where there is none. */
static int join(struct daemon *d, const struct cfg_wire *wire, const struct link *bridge)
{
	uint32_t ifindex = bridge ? bridge->ifindex : 0;
	const struct link *link;
	char name[IFNAMSIZ];
	size_t i;
	int err;

	if (!bridge) {
		err = make(d, wire, name, &ifindex);
		if (err)
			return err;
		log_info("wire %s: fail: open: %s carries everything while natvi is off", wire->name, name);
	}
	for (i = 0; i < 2; i++) {
		link = links_by_name(&d->links, wire->ports[i]);
		if (!link || link->master == ifindex)
			continue;
		err = enslave(&d->nl, link->ifindex, ifindex);
		if (!err)
			err = furnish_port(&d->nl, link->ifindex);
		if (err)
			return err;
	}
	return bridge && !(bridge->flags & IFF_UP) ? set_up(&d->nl, ifindex, bridge->alias) : 0;
}

/* Out of natvi's bridge with what is no port of the wire, or is none any more: what comes in there would cross, whatever natvi does. */
static void dismiss(struct daemon *d, const struct cfg_wire *wire, const struct link *bridge)
{
	const struct link *link;
	size_t i;
	int err;

	for (i = 0; i < d->links.n; i++) {
		link = &d->links.list[i];
		if (link->master != bridge->ifindex || !strcmp(link->name, wire->ports[0]) || !strcmp(link->name, wire->ports[1]))
			continue;
		err = enslave(&d->nl, link->ifindex, 0);
		if (err)
			log_err("%s: cannot be taken out of %s: %s", link->name, bridge->name, strerror(-err));
		else
			log_info("%s: taken out of %s: it is no port of wire %s", link->name, bridge->name, wire->name);
	}
}

static bool say(struct daemon *d, const struct cfg_wire *wire, enum told what)
{
	uint8_t *told = &d->bridge_told[plan_wire(&d->plan, wire->name) % NATVI_MAX_WIRES];
	bool news = *told != what;

	*told = (uint8_t)what;
	return news;
}

static void remove_own(struct daemon *d, const struct link *bridge, const char *why)
{
	int err = links_delete(&d->nl, bridge->ifindex);

	if (err)
		log_err("%s: the bridge cannot be removed: %s", bridge->name, strerror(-err));
	else
		log_info("%s: removed: %s", bridge->name, why);
}

/* ifindex of what a port is in; 0: of nothing, or of a bridge that served another wire of natvi's and has been removed. */
static uint32_t master_of(const struct daemon *d, const struct link *port, const struct link *own)
{
	const struct link *master = port ? links_by_index(&d->links, port->master) : NULL;

	return master && master != own && wire_of(master, d->instance) ? 0 : port ? port->master : 0;
}

static void serve_open(struct daemon *d, const struct cfg_wire *wire, const struct link *own, const struct link *const ports[2])
{
	uint32_t mine = own ? own->ifindex : 0, first = master_of(d, ports[0], own), second = master_of(d, ports[1], own);
	bool theirs = (first && first != mine) || (second && second != mine);
	const struct link *master = first ? links_by_index(&d->links, first) : NULL;
	int err;

	if (!theirs) {
		err = ports[0] || ports[1] ? join(d, wire, own) : 0;
		if (!err)
			say(d, wire, TOLD_NOTHING);
		else if (say(d, wire, TOLD_FAILED))
			log_err("wire %s: fail: open: no bridge can be made of its ports (%s): nothing crosses while natvi is off", wire->name,
				strerror(-err));
		return;
	}
	if (own)
		remove_own(d, own, "the ports are in another bridge now");
	if (first == second && master && !strcmp(master->kind, "bridge")) {
		if (say(d, wire, TOLD_THEIRS))
			log_info("wire %s: fail: open: its ports are in %s already, which carries everything while natvi is off", wire->name,
				 master->name);
	} else if (say(d, wire, TOLD_APART)) {
		log_warn("wire %s: fail: open: %s and %s belong to other devices (bridge, bond, VRF), and not to one bridge: nothing crosses while "
			 "natvi is off. Take them out (`ip link set DEV nomaster`)", wire->name, wire->ports[0], wire->ports[1]);
	}
}

static void serve_closed(struct daemon *d, const struct cfg_wire *wire, const struct link *const ports[2])
{
	uint32_t first = ports[0] ? ports[0]->master : 0, second = ports[1] ? ports[1]->master : 0;
	const struct link *master = first ? links_by_index(&d->links, first) : NULL;

	if (!first || first != second || !master || strcmp(master->kind, "bridge")) {
		say(d, wire, TOLD_NOTHING);
		return;
	}
	if (wire_of(master, d->instance) || !say(d, wire, TOLD_CLOSED))
		return;
	log_warn("wire %s: fail: closed, but both ports are in bridge %s: while natvi is off it carries everything, also what would be "
		 "captured. Take them out (`ip link set DEV nomaster`)", wire->name, master->name);
}

static const struct cfg_wire *open_wire(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_wires; i++)
		if (config->wires[i].fail_open && !strcmp(config->wires[i].name, name))
			return &config->wires[i];
	return NULL;
}

void wire_bridges_follow(struct daemon *d)
{
	const struct link *ports[2];
	const struct cfg_wire *wire;
	const char *name;
	size_t i;

	for (i = 0; i < d->links.n; i++) {
		name = wire_of(&d->links.list[i], d->instance);
		wire = name ? open_wire(d->config, name) : NULL;
		if (wire)
			dismiss(d, wire, &d->links.list[i]);
		else if (name)
			remove_own(d, &d->links.list[i], "no wire needs it while natvi is off");
	}
	for (i = 0; i < d->config->n_wires; i++) {
		wire = &d->config->wires[i];
		ports[0] = links_by_name(&d->links, wire->ports[0]);
		ports[1] = links_by_name(&d->links, wire->ports[1]);
		if (wire->fail_open)
			serve_open(d, wire, own_bridge(d, wire), ports);
		else
			serve_closed(d, wire, ports);
	}
}

void wire_bridge_name(const struct daemon *d, const struct cfg_wire *wire, char name[IFNAMSIZ])
{
	const struct link *first = links_by_name(&d->links, wire->ports[0]), *second = links_by_name(&d->links, wire->ports[1]);
	const struct link *master = first && second && first->master == second->master ? links_by_index(&d->links, first->master) : NULL;

	snprintf(name, IFNAMSIZ, "%s", master && !strcmp(master->kind, "bridge") ? master->name : "");
}

void wire_bridges_leave(const char *instance, const struct links *links)
{
	const char *name;
	size_t i;

	for (i = 0; i < links->n; i++) {
		name = wire_of(&links->list[i], instance);
		if (name)
			log_info("%s stays, and carries everything between the ports of wire %s (fail: open): `ip link del %s` removes it",
				 links->list[i].name, name, links->list[i].name);
	}
}
