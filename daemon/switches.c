/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * switches.c - see switches.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/served.h"
#include "daemon/switches.h"
#include "lib/instance.h"

#define CONF		"net/ipv4/conf"

struct wants {
	struct sysctl_want *list;
	size_t n, room;
};

static int value_of(const char *interface, const char *name)
{
	char key[SYSCTL_KEY_LEN], value[SYSCTL_VALUE_LEN];

	snprintf(key, sizeof(key), CONF "/%s/%s", interface, name);
	return sysctl_read(key, value) ? -1 : atoi(value);
}

static void want(struct wants *wants, const char *value, const char *interface, const char *name)
{
	struct sysctl_want *more;

	if (wants->n == wants->room) {
		wants->room = wants->room ? 2 * wants->room : 32;
		more = realloc(wants->list, wants->room * sizeof(*more));
		if (!more) {
			wants->room = wants->n;
			return;
		}
		wants->list = more;
	}
	more = &wants->list[wants->n++];
	if (interface)
		snprintf(more->key, sizeof(more->key), CONF "/%s/%s", interface, name);
	else
		snprintf(more->key, sizeof(more->key), "%s", name);
	snprintf(more->value, sizeof(more->value), "%s", value);
}

/* Switching ip_forward moves every interface's own switch; those that were on alone are remembered. */
static int remember_forwarding(const char *interface, void *arg)
{
	if (strcmp(interface, "all") && value_of(interface, "forwarding") == 1)
		want(arg, "1", interface, "forwarding");
	return 0;
}

static bool rp_filter_strict(const char *interface)
{
	int all = value_of("all", "rp_filter"), own = value_of(interface, "rp_filter");

	return (all > own ? all : own) == 1;
}

static void want_port(struct wants *wants, const char *port)
{
	want(wants, "1", port, "forwarding");
	want(wants, "1", port, "accept_local");
	want(wants, "0", port, "send_redirects");
	want(wants, "1", port, "ignore_routes_with_linkdown");
	if (rp_filter_strict(port))
		want(wants, "2", port, "rp_filter");
}

int switches_set(const char *instance, const struct port *ports, size_t n_ports, bool alone)
{
	struct wants wants = { 0 };
	char forward[SYSCTL_VALUE_LEN];
	size_t i;
	int err;

	if (!sysctl_read("net/ipv4/ip_forward", forward) && !strcmp(forward, "0"))
		dir_each("/proc/sys/" CONF, remember_forwarding, &wants);
	want(&wants, "0", "all", "send_redirects");
	/* The ports' own first: what is remembered of them must not be what ip_forward made of them. */
	for (i = 0; i < n_ports; i++)
		if (!(ports[i].flags & PORT_NVI))	/* that is natvi's own */
			want_port(&wants, ports[i].name);
	want(&wants, "1", "lo", "forwarding");	/* what the box sends is routed again as if it came in there */
	want(&wants, "1", NULL, "net/ipv4/ip_forward");
	err = sysctl_commit(instance, wants.list, wants.n);
	if (alone)
		sysctl_restore_others(instance, wants.list, wants.n);
	free(wants.list);
	return err;
}

/* Neither sysctl nor of IPv4: under its whole name. */
static void want_key(struct wants *wants, const char *value, const char *format, const char *interface)
{
	char key[SYSCTL_KEY_LEN];

	snprintf(key, sizeof(key), format, interface);
	want(wants, value, NULL, key);
}

static void want_wire_port(struct wants *wants, const struct served *port)
{
	want_key(wants, "1", "net/ipv6/conf/%s/disable_ipv6", port->name);
	want_key(wants, "0", "link/%s/lro", port->name);
	if (port->attached.xdp != XDP_MODE_OFF)
		want_key(wants, "0", "link/%s/rxvlan", port->name);
	want_key(wants, "1", "link/%s/promisc", port->name);
}

static void want_target(struct wants *wants, const char *target)
{
	want(wants, "1", target, "forwarding");
	want(wants, "0", target, "send_redirects");
	/* Loose, too, it drops all that comes in by an interface without an address, as many a tun has none. */
	if (!value_of("all", "rp_filter"))
		want(wants, "0", target, "rp_filter");
	else if (rp_filter_strict(target) || value_of(target, "rp_filter") == 2)
		want(wants, "2", target, "rp_filter");
}

int switches_set_wires(const char *instance, const struct served *list, size_t n, bool host)
{
	struct wants wants = { 0 };
	char forward[SYSCTL_VALUE_LEN];
	size_t i;
	int err;

	if (host && !sysctl_read("net/ipv4/ip_forward", forward) && !strcmp(forward, "0"))
		dir_each("/proc/sys/" CONF, remember_forwarding, &wants);
	for (i = 0; i < n; i++) {
		if (list[i].role == ATTACH_WIRE)
			want_wire_port(&wants, &list[i]);
		else if (host)
			want_target(&wants, list[i].name);
	}
	if (host) {
		want(&wants, "0", "all", "send_redirects");
		want(&wants, "1", NULL, "net/ipv4/ip_forward");
	}
	err = sysctl_commit(instance, wants.list, wants.n);
	sysctl_restore_others(instance, wants.list, wants.n);
	free(wants.list);
	return err;
}

void switches_restore_port(const char *instance, const char *port)
{
	char prefix[SYSCTL_KEY_LEN];

	snprintf(prefix, sizeof(prefix), CONF "/%s/", port);
	sysctl_restore(instance, prefix);
}

static void check_one(const char *port, const char *name, const char *should, const char *why, switches_fn fn, void *arg)
{
	char key[SYSCTL_KEY_LEN], is[SYSCTL_VALUE_LEN];

	snprintf(key, sizeof(key), CONF "/%s/%s", port, name);
	if (!sysctl_read(key, is) && strcmp(is, should))
		fn(key, is, should, why, arg);
}

void switches_check(const char *const *ports, size_t n_ports, switches_fn fn, void *arg)
{
	bool accept_all = value_of("all", "accept_local") == 1, linkdown_all = value_of("all", "ignore_routes_with_linkdown") == 1;
	char is[SYSCTL_VALUE_LEN], key[SYSCTL_KEY_LEN];
	size_t i;

	if (!sysctl_read("net/ipv4/ip_forward", is) && strcmp(is, "1"))
		fn("net/ipv4/ip_forward", is, "1", "the kernel forwards nothing, also what natvi leaves to it", arg);
	check_one("all", "send_redirects", "0", "redirects would tell inside hosts a way past natvi", fn, arg);
	for (i = 0; i < n_ports; i++) {
		check_one(ports[i], "forwarding", "1", "nothing is forwarded that comes in there", fn, arg);
		check_one(ports[i], "send_redirects", "0", "redirects would tell inside hosts a way past natvi", fn, arg);
		if (!linkdown_all)
			check_one(ports[i], "ignore_routes_with_linkdown", "1", "without a carrier there, traffic keeps going that way", fn, arg);
		if (!accept_all)
			check_one(ports[i], "accept_local", "1", "translated packets that the kernel forwards are dropped there", fn, arg);
		if (rp_filter_strict(ports[i])) {
			snprintf(key, sizeof(key), CONF "/%s/rp_filter", ports[i]);
			fn(key, "1 (the larger of it and that of all)", "2", "translated packets that the kernel forwards are dropped there", arg);
		}
	}
}
