/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nvi.c - see nvi.h.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/nvi.h"
#include "daemon/state.h"
#include "daemon/wire_host.h"
#include "daemon/wires.h"
#include "lib/log.h"
#include "lib/sysctl.h"

#define NVI_MTU		65535	/* the most that a veth takes: what has to be cut is cut at the way out */
#define NVI_NUMBERS	1000

static void alias_of(char out[LINK_ALIAS_LEN], const char *instance, bool far)
{
	snprintf(out, LINK_ALIAS_LEN, "natvi %s: %s", instance, far ? "far end of the NAT virtual interface" : "NAT virtual interface");
}

static const struct link *find(const struct links *links, const char *instance, bool far)
{
	char alias[LINK_ALIAS_LEN];
	size_t i;

	alias_of(alias, instance, far);
	for (i = 0; i < links->n; i++)
		if (!strcmp(links->list[i].alias, alias) && !strcmp(links->list[i].kind, "veth"))
			return &links->list[i];
	return NULL;
}

static void make_names(struct nvi *nvi, unsigned int number)
{
	nvi->number = number;
	snprintf(nvi->name, sizeof(nvi->name), "nvi%u", number % NVI_NUMBERS);
	snprintf(nvi->peer_name, sizeof(nvi->peer_name), "nvi%up", number % NVI_NUMBERS);
}

/* What the last daemon left, if it is whole and has a name that it may have. */
static bool take_over(struct nvi *nvi, const struct links *links, const char *instance)
{
	const struct link *near = find(links, instance, false), *far = find(links, instance, true);
	unsigned int number;

	if (!near || !far || near->peer != far->ifindex || sscanf(near->name, "nvi%u", &number) != 1 || number >= NVI_NUMBERS)
		return false;
	make_names(nvi, number);
	if (strcmp(near->name, nvi->name) || strcmp(far->name, nvi->peer_name))
		return false;
	nvi->ifindex = near->ifindex;
	nvi->peer = far->ifindex;
	return true;
}

/* Making */

static void put_end(struct nlmsghdr *msg, const char *name, const uint8_t mac[6])
{
	mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	mnl_attr_put_u32(msg, IFLA_MTU, NVI_MTU);
	mnl_attr_put(msg, IFLA_ADDRESS, 6, mac);
	mnl_attr_put_u32(msg, IFLA_GROUP, NVI_GROUP);
}

/* One MAC address for both ends: what the kernel sends to the one is for the other. */
static int make_pair(struct nl *nl, const struct nvi *nvi)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *peer;
	uint8_t mac[6] = { 0x02, 'n', 'v', 'i' };

	if (getrandom(mac + 4, 2, 0) != 2)
		return -errno;
	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	put_end(msg, nvi->name, mac);
	info = mnl_attr_nest_start(msg, IFLA_LINKINFO);
	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(msg, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	put_end(msg, nvi->peer_name, mac);
	mnl_attr_nest_end(msg, peer);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, info);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static int set_end(struct nl *nl, uint32_t ifindex, const char *alias, bool arp)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifi_index = (int)ifindex;
	info->ifi_flags = IFF_UP | (arp ? 0 : IFF_NOARP);
	info->ifi_change = IFF_UP | IFF_NOARP;
	mnl_attr_put_strz(msg, IFLA_IFALIAS, alias);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static int set_mtu(struct nl *nl, uint32_t ifindex, uint32_t mtu)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifi_index = (int)ifindex;
	mnl_attr_put_u32(msg, IFLA_MTU, mtu);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

/* on: packets come in there that the kernel is to forward. */
static void set_switches(const char *interface, bool on)
{
	char all[SYSCTL_VALUE_LEN];
	bool strict = !sysctl_read("net/ipv4/conf/all/rp_filter", all) && !strcmp(all, "1");

	sysctl_set_own("ipv6", interface, "disable_ipv6", "1");	/* before it is up: nothing is discovered there */
	sysctl_set_own("ipv4", interface, "forwarding", on ? "1" : "0");
	sysctl_set_own("ipv4", interface, "accept_local", on ? "1" : "0");
	sysctl_set_own("ipv4", interface, "rp_filter", strict ? "2" : "0");	/* the larger of it and that of all counts */
	sysctl_set_own("ipv4", interface, "send_redirects", "0");
}

/* On a wire only the address that is there is spoken for, and only in its own name. */
static void set_wire_switches(const char *interface)
{
	sysctl_set_own("ipv4", interface, "arp_ignore", "1");
	sysctl_set_own("ipv4", interface, "arp_announce", "2");
}

static int make(struct daemon *d)
{
	struct nvi *nvi = &d->nvi;
	struct links links;
	unsigned int number = 0;
	int err;

	do {	/* a name may be taken while we look */
		err = links_read(&d->nl, &links);
		if (err)
			return err;
		for (; number < NVI_NUMBERS; number++) {
			make_names(nvi, number);
			if (!links_by_name(&links, nvi->name) && !links_by_name(&links, nvi->peer_name))
				break;
		}
		links_free(&links);
		err = number < NVI_NUMBERS ? make_pair(&d->nl, nvi) : -ENOSPC;
	} while (err == -EEXIST && ++number < NVI_NUMBERS);
	if (err)
		return err;
	nvi->ifindex = if_nametoindex(nvi->name);
	nvi->peer = if_nametoindex(nvi->peer_name);
	return nvi->ifindex && nvi->peer ? 0 : -errno;
}

/* In order: switches and programs before anything can pass. */
static int furnish(struct daemon *d, const char **step)
{
	char alias[LINK_ALIAS_LEN], text[256] = "";
	struct nvi *nvi = &d->nvi;
	int err;

	set_switches(nvi->name, true);
	set_switches(nvi->peer_name, !nvi->wire);
	if (nvi->wire)
		set_wire_switches(nvi->name);
	*step = "put the programs on it";
	err = attach_nvi(&d->attach, d->tables, nvi, text, sizeof(text));
	if (err && text[0])
		log_err("%s", text);
	if (err)
		return err;
	*step = "bring it up";
	alias_of(alias, d->instance, true);
	err = set_end(&d->nl, nvi->peer, alias, false);
	alias_of(alias, d->instance, false);
	return err ? err : set_end(&d->nl, nvi->ifindex, alias, nvi->wire);
}

static void tell_datapath(const struct daemon *d)
{
	tables_set(d->tables, nvi_peer, d->nvi.peer);
	tables_set(d->tables, nvi_ifindex, d->nvi.ifindex);
}

static void lose(struct daemon *d)
{
	d->nvi.ifindex = d->nvi.peer = 0;
	tell_datapath(d);
}

/* Half a pair is none: with one end the kernel removes the other. */
static void clear_rest(struct daemon *d, const struct links *links)
{
	const struct link *near = find(links, d->instance, false), *far = find(links, d->instance, true);

	if (near)
		links_delete(&d->nl, near->ifindex);
	if (far)
		links_delete(&d->nl, far->ifindex);
}

/* A daemon with wires has left it, and this one has none; or the other way round. */
static void clear_former(struct daemon *d)
{
	if (wires_were(d) == d->nvi.wire)
		return;
	if (d->nvi.wire) {
		nvi_routes_remove(&d->nl, d->nvi.number);
		return;
	}
	wire_host_remove(&d->nl, &d->nvi);
	set_mtu(&d->nl, d->nvi.ifindex, NVI_MTU);
}

int nvi_open(struct daemon *d)
{
	const char *step = "make it";
	struct links links;
	bool taken_over;
	int err = links_read(&d->nl, &links);

	if (err)
		return err;
	taken_over = take_over(&d->nvi, &links, d->instance);
	if (!taken_over)
		clear_rest(d, &links);
	links_free(&links);
	if (taken_over)
		clear_former(d);
	else
		err = make(d);
	if (!err)
		err = furnish(d, &step);
	if (err) {
		log_err("the virtual interface %s: cannot %s: %s%s", d->nvi.name, step, strerror(-err),
			err == -EOPNOTSUPP ? " (the kernel lacks CONFIG_VETH)" : "");
		if (d->nvi.ifindex && !taken_over)
			links_delete(&d->nl, d->nvi.ifindex);
		lose(d);
		return err;
	}
	tell_datapath(d);
	if (!taken_over && !d->nvi.wire)
		log_info("%s: made; `ip route add PREFIX dev %s` sends traffic into NAT", d->nvi.name, d->nvi.name);
	else if (!taken_over)
		log_info("%s: made", d->nvi.name);
	return 0;
}

int nvi_serve(struct daemon *d, bool wire)
{
	struct nvi *nvi = &d->nvi;
	const char *step = "";
	int err;

	if (nvi->wire == wire)
		return 0;
	nvi->wire = wire;
	if (!nvi->ifindex)
		return 0;
	if (wire)
		nvi_routes_remove(&d->nl, nvi->number);
	else
		wire_host_remove(&d->nl, nvi);
	nvi_routes_free(nvi);
	memset(&nvi->host, 0, sizeof(nvi->host));
	err = wire ? 0 : set_mtu(&d->nl, nvi->ifindex, NVI_MTU);
	if (!err)
		err = furnish(d, &step);
	if (err)
		log_err("%s cannot be made what %s need: cannot %s: %s", nvi->name, wire ? "wires" : "NAT rules", step, strerror(-err));
	return err;
}

int nvi_set_mtu(struct daemon *d, uint32_t mtu)
{
	return set_mtu(&d->nl, d->nvi.ifindex, mtu);
}

static bool end_is_sound(const struct links *links, uint32_t ifindex, const char *name)
{
	const struct link *link = links_by_index(links, ifindex);

	return link && !strcmp(link->name, name) && link->flags & IFF_UP;
}

bool nvi_verify(struct daemon *d)
{
	struct nvi *nvi = &d->nvi;
	uint32_t was = nvi->ifindex;
	struct links links;
	bool sound;

	if (links_read(&d->nl, &links))
		return false;
	sound = was && end_is_sound(&links, was, nvi->name) && end_is_sound(&links, nvi->peer, nvi->peer_name) &&
		attach_nvi_complete(&d->attach, nvi);
	links_free(&links);
	if (sound)
		return false;
	if (nvi_open(d)) {
		return was;
	}
	nvi_routes_restore(d);
	wire_host_follow(d, true);
	if (was)
		log_warn("%s was changed or removed; it is there again, with its routes", nvi->name);
	return true;
}

bool nvi_owns(const struct daemon *d, uint32_t ifindex)
{
	return d->nvi.ifindex && (ifindex == d->nvi.ifindex || ifindex == d->nvi.peer);
}

bool nvi_port(const struct daemon *d, const struct links *links, uint16_t zone, struct port *port)
{
	const struct link *link = d->nvi.ifindex ? links_by_index(links, d->nvi.ifindex) : NULL;

	if (!link)
		return false;
	memset(port, 0, sizeof(*port));
	port->ifindex = link->ifindex;
	port->zone = zone;
	port->flags = PORT_NVI | (d->nvi.wire ? 0 : PORT_TRUSTED);
	port->masq_pool = POOL_MASQUERADE;
	port->mtu = link->mtu;
	memcpy(port->mac, link->mac, sizeof(port->mac));
	memcpy(port->name, link->name, sizeof(port->name));
	return true;
}

void nvi_undo(struct daemon *d)
{
	nvi_routes_remove(&d->nl, d->nvi.number);
	wire_host_remove(&d->nl, &d->nvi);
	links_delete(&d->nl, d->nvi.ifindex);
	lose(d);
}

void nvi_close(struct daemon *d)
{
	nvi_routes_free(&d->nvi);
}

int nvi_check(struct nl *nl, const char *instance, const struct links *links, nvi_route_fn fn, void *arg)
{
	const struct link *near = find(links, instance, false);
	unsigned int number;

	if (!near || sscanf(near->name, "nvi%u", &number) != 1)
		return 0;
	return nvi_routes_check(nl, near->ifindex, number, fn, arg);
}

int nvi_remove(struct nl *nl, const char *instance, const struct links *links)
{
	const struct link *near = find(links, instance, false), *far = find(links, instance, true);
	struct nvi nvi = { 0 };
	int err;

	if (near && sscanf(near->name, "nvi%u", &nvi.number) == 1) {
		make_names(&nvi, nvi.number);
		nvi.ifindex = near->ifindex;
		nvi_routes_remove(nl, nvi.number);
		wire_host_remove(nl, &nvi);
	}
	err = near ? links_delete(nl, near->ifindex) : far ? links_delete(nl, far->ifindex) : 0;
	if (near && !err)
		log_info("%s: removed", near->name);
	return err;
}
