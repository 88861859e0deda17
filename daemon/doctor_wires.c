/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_wires.c - the examination of wires. See doctor_impl.h.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/doctor_impl.h"
#include "daemon/links.h"
#include "daemon/plan_wires.h"
#include "lib/addr.h"
#include "lib/instance.h"
#include "lib/sysctl.h"

struct visit {
	struct doctor *doctor;
	const struct links *links;
	const struct cfg_wire *wire;
	bool running;			/* its datapath is there; else nothing is set yet */
};

/* A switch that is not as natvi sets it; format takes the interface's name. */
static void check_switch(const struct visit *v, const char *format, const char *interface, const char *should, const char *why)
{
	char key[SYSCTL_KEY_LEN], is[SYSCTL_VALUE_LEN], right[128];

	snprintf(key, sizeof(key), format, interface);
	if (!v->running || sysctl_read(key, is) || !strcmp(is, should))
		return;
	snprintf(right, sizeof(right), "%s: `natvi run` sets it", should);
	finding_add(v->doctor, DOCTOR_WARN, strrchr(key, '/') + 1, interface, right, "%s is %s: %s", key, is, why);
}

static void visit_port(const struct visit *v, const char *name)
{
	const struct link *link = links_by_name(v->links, name);
	char right[128], text[ADDR_TEXT_LEN];
	size_t i;

	if (!link)
		return;		/* doctor_ports() has said so */
	if (!wire_target_usable(link))
		finding_add(v->doctor, DOCTOR_WARN, "link", name, "", "it is down or has no carrier: nothing crosses wire %s", v->wire->name);
	check_switch(v, "link/%s/promisc", name, "1", "frames for others may not come in");
	check_switch(v, "net/ipv6/conf/%s/disable_ipv6", name, "1", "the box itself speaks on the wire");
	if (link->xdp_driver || link->xdp_generic)
		check_switch(v, "link/%s/rxvlan", name, "0", "XDP does not see VLAN tags: tagged frames lose them");
	snprintf(right, sizeof(right), "ip addr flush dev %s; the box's address on the wire is `host`", name);
	for (i = 0; i < v->links->n_addrs; i++)
		if (v->links->addrs[i].ifindex == link->ifindex)
			finding_add(v->doctor, DOCTOR_WARN, "address", name, right, "it has the address %s, that nobody reaches while it is a port "
				    "of wire %s", addr_print4(v->links->addrs[i].addr, text), v->wire->name);
}

static bool has_address(const struct links *links, uint32_t ifindex)
{
	for (size_t i = 0; i < links->n_addrs; i++)
		if (links->addrs[i].ifindex == ifindex)
			return true;
	return false;
}

/* Of the two the larger value counts, and any drops what comes in by an interface that has no address. */
static void check_rp_filter(const struct visit *v, const struct link *link)
{
	char is[SYSCTL_VALUE_LEN];

	if (!v->running || !v->wire->host || has_address(v->links, link->ifindex) ||
	    sysctl_read("net/ipv4/conf/all/rp_filter", is) || !strcmp(is, "0"))
		return;
	finding_add(v->doctor, DOCTOR_WARN, "rp_filter", link->name, "an address for it, whatever one, or sysctl -w net.ipv4.conf.all.rp_filter=0",
		    "it has no IPv4 address, and net.ipv4.conf.all.rp_filter is %s: what comes out of it for a host of the box's network that has "
		    "said nothing yet is lost", is);
}

static void visit_target(const struct visit *v, const char *name)
{
	const struct link *link = links_by_name(v->links, name);
	const char *fate = v->wire->fail_open ? "crosses the wire as it is (fail: open)" : "is dropped (fail: closed)";

	if (wire_target_is_box(name))
		return;
	if (wire_target_usable(link)) {
		check_rp_filter(v, link);
		return;
	}
	finding_add(v->doctor, DOCTOR_WARN, "target", name, "is the program that makes it running?", "%s: what wire %s captures for it %s",
		    link ? "it is down or has no carrier" : "there is no such interface now", v->wire->name, fate);
}

static void visit_bridge(const struct visit *v)
{
	const struct link *first = links_by_name(v->links, v->wire->ports[0]), *second = links_by_name(v->links, v->wire->ports[1]);
	const struct link *master = first && second && first->master == second->master ? links_by_index(v->links, first->master) : NULL;
	bool bridged = master && !strcmp(master->kind, "bridge");

	if (!first || !second)
		return;
	if (first->mtu != second->mtu)
		finding_add(v->doctor, DOCTOR_WARN, "mtu", v->wire->name, "the same MTU at both ends",
			    "the MTU of %s is %u, that of %s is %u: larger frames than the smaller one are lost", first->name, first->mtu,
			    second->name, second->mtu);
	if (!v->wire->fail_open && bridged)
		finding_add(v->doctor, DOCTOR_WARN, "bridge", v->wire->name, "ip link set DEV nomaster",
			    "fail: closed, but both ports are in bridge %s: while natvi is off it carries everything", master->name);
	if (v->wire->fail_open && !bridged && v->running)
		finding_add(v->doctor, DOCTOR_WARN, "bridge", v->wire->name, "see the daemon's log",
			    "fail: open, but the ports are not in one bridge: nothing crosses while natvi is off");
}

static void visit_host(const struct visit *v)
{
	char is[SYSCTL_VALUE_LEN], text[ADDR_TEXT_LEN];

	if (!v->wire->host || !v->running)
		return;
	if (!links_owns4(v->links, v->wire->host))
		finding_add(v->doctor, DOCTOR_ERROR, "host", v->wire->name, "see the daemon's log", "no interface has the box's address %s",
			    addr_print4(v->wire->host, text));
	if (!sysctl_read("net/ipv4/ip_forward", is) && strcmp(is, "1"))
		finding_add(v->doctor, DOCTOR_ERROR, "forwarding", "ip_forward", "sysctl -w net.ipv4.ip_forward=1 (`natvi run` sets it)",
			    "the kernel forwards nothing between targets and the wire");
}

void doctor_wires(struct doctor *doctor, const char *instance, const struct config *config)
{
	char pins[INSTANCE_PATH_LEN];
	struct links links = { 0 };
	struct visit v = { .doctor = doctor, .links = &links };
	struct nl nl = { 0 };
	size_t w, i;

	instance_pin_path(pins, instance, "");
	v.running = !access(pins, F_OK);
	if (!nl_open(&nl, NETLINK_ROUTE) && !links_read(&nl, &links))
		for (w = 0; w < config->n_wires; w++) {
			v.wire = &config->wires[w];
			visit_port(&v, v.wire->ports[0]);
			visit_port(&v, v.wire->ports[1]);
			visit_bridge(&v);
			for (i = 0; i < v.wire->n_captures; i++)
				visit_target(&v, v.wire->captures[i].target);
			visit_host(&v);
		}
	nl_close(&nl);
	links_free(&links);
}
