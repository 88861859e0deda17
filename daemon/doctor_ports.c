/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_ports.c - the examination of interfaces. See doctor_impl.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <jansson.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/attach.h"
#include "daemon/conflict.h"
#include "daemon/doctor_impl.h"
#include "daemon/nvi.h"
#include "daemon/links.h"
#include "daemon/pins.h"
#include "daemon/plan_zones.h"
#include "daemon/switches.h"
#include "daemon/tc.h"
#include "lib/config.h"
#include "lib/addr.h"
#include "lib/names.h"

/* From kernel 6.6 on; Debian 12's headers do not know them. */
#define BPF_TCX_INGRESS_	((enum bpf_attach_type)46)
#define BPF_TCX_EGRESS_		((enum bpf_attach_type)47)

struct visit {
	struct doctor *doctor;
	const char *instance;
	const struct link *link;
	const struct links *links;
	const struct pins *pins;
	bool native;			/* natvi's XDP in native mode, attached or asked for */
	bool accel;
};

/* A value of ethtool's for an interface; -1: it cannot be asked. */
static int ethtool_value(const char *interface, uint32_t command)
{
	struct ethtool_value value = { .cmd = command };
	struct ifreq request = { .ifr_data = (char *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -1;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", interface);
	ret = ioctl(fd, SIOCETHTOOL, &request) ? -1 : (int)value.data;
	close(fd);
	return ret;
}

static int look_at_filter(const struct tc_filter *filter, void *arg)
{
	struct visit *v = arg;
	const char *owner = pins_owner(v->pins, filter->prog_id), *hook = filter->hook == TC_HOOK_INGRESS ? "ingress" : "egress";

	if (owner && !strcmp(owner, v->instance))
		return 0;
	if (owner)
		finding_add(v->doctor, DOCTOR_ERROR, "instance", v->link->name, "an interface can be in one instance only",
			    "instance \"%s\" serves it", owner);
	else
		finding_add(v->doctor, DOCTOR_WARN, "tc", v->link->name, "natvi's own filter has preference 1000: what stands before it "
			    "must let packets go on (\"unspec\" or \"continue\")",
			    "a filter that is not natvi's is at tc %s: preference %u, %s %s", hook, filter->prio, filter->kind,
			    filter->prog_name);
	return 0;
}

/* Programs of the newer kind (kernel 6.6) run before all filters. */
static void look_at_tcx(struct visit *v)
{
	static const struct {
		enum bpf_attach_type type;
		const char *hook;
	} hooks[] = { { BPF_TCX_INGRESS_, "ingress" }, { BPF_TCX_EGRESS_, "egress" } };
	__u32 ids[64], n, i;
	size_t h;

	for (h = 0; h < 2; h++) {
		n = 64;
		if (bpf_prog_query((int)v->link->ifindex, hooks[h].type, 0, NULL, ids, &n))
			continue;
		for (i = 0; i < n; i++)
			finding_add(v->doctor, DOCTOR_WARN, "tcx", v->link->name, "it must let packets go on (TCX_NEXT)",
				    "a tcx program that is not natvi's (id %u) sees packets at %s first", ids[i], hooks[h].hook);
	}
}

static void look_at_xdp(struct visit *v)
{
	uint32_t id = v->link->xdp_driver ? v->link->xdp_driver : v->link->xdp_generic ? v->link->xdp_generic : v->link->xdp_hardware;
	const char *owner = pins_owner(v->pins, id);

	if (!id)
		return;
	if (!owner)
		finding_add(v->doctor, DOCTOR_WARN, "xdp", v->link->name, "set xdp: off for this interface, or remove the program",
			    "an XDP program that is not natvi's (id %u) sees packets first", id);
	else if (!strcmp(owner, v->instance) && v->link->xdp_driver)
		v->native = true;
}

/* The far end of a veth: in this namespace it can be looked at. */
static void look_at_veth(struct visit *v)
{
	const struct link *peer = v->link->peer_elsewhere ? NULL : links_by_index(v->links, v->link->peer);
	char right[128];

	if (!peer) {
		finding_add(v->doctor, DOCTOR_NOTE, "veth", v->link->name, "in the other namespace: ethtool -K PEER tx off gro on",
			    "XDP on a veth: the far end is in another namespace and cannot be looked at; it needs tx checksum offload "
			    "off and GRO on");
		return;
	}
	snprintf(right, sizeof(right), "ethtool -K %s tx off gro on", peer->name);
	if (ethtool_value(peer->name, ETHTOOL_GTXCSUM) == 1)
		finding_add(v->doctor, DOCTOR_ERROR, "checksum", v->link->name, right,
			    "XDP on a veth whose far end %s leaves checksums to the device: receivers get bad ones", peer->name);
	if (ethtool_value(peer->name, ETHTOOL_GGRO) == 0 && !peer->xdp_driver)
		finding_add(v->doctor, DOCTOR_ERROR, "gro", v->link->name, right,
			    "XDP on a veth whose far end %s takes no redirected frames: GRO is off and no XDP program is there", peer->name);
}

static void visit(struct visit *v, struct nl *nl, enum xdp_mode asked)
{
	tc_each_filter(nl, v->link->ifindex, TC_HOOK_INGRESS, look_at_filter, v);
	tc_each_filter(nl, v->link->ifindex, TC_HOOK_EGRESS, look_at_filter, v);
	look_at_tcx(v);
	if (v->accel)
		doctor_accel_port(v->doctor, v->links, v->link);
	v->native = asked == XDP_MODE_NATIVE;
	look_at_xdp(v);
	if (!v->native)
		return;
	if (!strcmp(v->link->kind, "veth"))
		look_at_veth(v);
	if (tc_qdisc_shapes(v->link->qdisc))
		finding_add(v->doctor, DOCTOR_WARN, "shaper", v->link->name, "set xdp: off for this interface if what comes in there must be "
			    "shaped on its way out elsewhere too", "the qdisc \"%s\" shapes its output: natvi sends no XDP frames out of it, "
			    "so flows to it take the tc road", v->link->qdisc);
}

static void wrong_switch(const char *key, const char *is, const char *should, const char *why, void *arg)
{
	bool forward = strstr(key, "forward");
	char right[160];

	snprintf(right, sizeof(right), "sysctl -w %s=%s (`natvi run` sets it)", key, should);
	finding_add(arg, forward ? DOCTOR_ERROR : DOCTOR_WARN, strstr(key, "rp_filter") ? "rp_filter" : forward ? "forwarding" : "sysctl",
		    strrchr(key, '/') + 1, right, "%s is %s: %s", key, is, why);
}

static void check_liberal(struct doctor *doctor)
{
	char value[SYSCTL_VALUE_LEN];

	if (!sysctl_read("net/netfilter/nf_conntrack_tcp_be_liberal", value) && !strcmp(value, "0"))
		finding_add(doctor, DOCTOR_NOTE, "be_liberal", "conntrack", "sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1",
			    "connection tracking is strict about TCP windows: a connection of which it sees only a part may become "
			    "INVALID to a rule of yours");
}

/* Which interfaces? Those of the configuration, or of the running instance. */
struct names_list {
	const char **list;
	enum xdp_mode *xdp;
	size_t n;
};

static void list_add(struct names_list *l, const char *name, enum xdp_mode xdp)
{
	l->list = realloc(l->list, (l->n + 1) * sizeof(*l->list));
	l->xdp = realloc(l->xdp, (l->n + 1) * sizeof(*l->xdp));
	if (!l->list || !l->xdp)
		abort();
	l->list[l->n] = name;
	l->xdp[l->n++] = xdp;
}

static void list_interfaces(struct names_list *l, const struct config *config, json_t *running)
{
	json_t *interfaces = json_object_get(running, "interfaces"), *entry;
	const char *name, *xdp;
	size_t i;

	for (i = 0; config && i < config->n_interfaces; i++)
		list_add(l, config->interfaces[i].name, config->interfaces[i].xdp);
	for (i = 0; config && i < 2 * config->n_wires; i++)
		list_add(l, config->wires[i / 2].ports[i % 2], config->wires[i / 2].xdp);
	if (config)
		return;
	json_array_foreach(interfaces, i, entry) {
		name = json_string_value(json_object_get(entry, "name"));
		xdp = json_string_value(json_object_get(entry, "xdp"));
		if (name)
			list_add(l, name, xdp && !strcmp(xdp, "native") ? XDP_MODE_NATIVE : XDP_MODE_AUTO);
	}
}

static void visit_all(struct visit *v, struct nl *nl, const struct names_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		v->link = links_by_name(v->links, l->list[i]);
		if (v->link)
			visit(v, nl, l->xdp[i]);
		else
			finding_add(v->doctor, DOCTOR_WARN, "interface", l->list[i], "natvi waits for it; is the name right?",
				    "there is no such interface now");
	}
}

static void check_conflict(struct doctor *doctor, const struct config *config, const struct links *links)
{
	char text[512];

	if (config && conflict_find(config, links, text, sizeof(text)))
		finding_add(doctor, DOCTOR_ERROR, "conflict", "addresses", "`natvi run` and `natvi reload` refuse it as it is", "%s", text);
}

static void text_copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

/* A configuration of zones and interfaces alone, as the instance runs it. */
static void zones_of(json_t *running, struct config *out)
{
	json_t *zones = json_object_get(running, "zones"), *interfaces = json_object_get(running, "interfaces"), *entry;
	const char *zone, *vrf;
	size_t i;

	out->zones = calloc(json_array_size(zones) + 1, sizeof(*out->zones));
	out->interfaces = calloc(json_array_size(interfaces) + 1, sizeof(*out->interfaces));
	if (!out->zones || !out->interfaces)
		return;
	json_array_foreach(zones, i, entry) {
		vrf = json_string_value(json_object_get(entry, "vrf"));
		text_copy(out->zones[out->n_zones].name, NATVI_NAME_LEN, json_string_value(json_object_get(entry, "name")));
		text_copy(out->zones[out->n_zones].vrf, IFNAMSIZ, vrf);
		out->zones[out->n_zones++].table = (uint32_t)json_integer_value(json_object_get(entry, "table"));
	}
	json_array_foreach(interfaces, i, entry) {
		zone = json_string_value(json_object_get(entry, "zone"));
		text_copy(out->interfaces[out->n_interfaces].name, IFNAMSIZ, json_string_value(json_object_get(entry, "name")));
		text_copy(out->interfaces[out->n_interfaces++].zone, NATVI_NAME_LEN, zone && strcmp(zone, "global") ? zone : "");
	}
}

static void check_zones(struct doctor *doctor, const struct config *config, json_t *running, const struct links *links)
{
	struct config own = { 0 };
	const char *name;
	char text[256];
	size_t i;

	if (!config) {
		zones_of(running, &own);
		config = &own;
	}
	for (i = 0; i < config->n_interfaces; i++) {
		name = config->interfaces[i].name;
		zone_trouble(config, &config->interfaces[i], links, text, sizeof(text));
		if (text[0])	/* which begins with the name */
			finding_add(doctor, DOCTOR_WARN, "zone", name, "", "%s", text + strlen(name) + 2);
		master_trouble(&config->interfaces[i], links, text, sizeof(text));
		if (text[0])
			finding_add(doctor, DOCTOR_WARN, "interface", name, "", "%s", text + strlen(name) + 2);
	}
	free(own.zones);
	free(own.interfaces);
}

static void looping_route(uint32_t prefix, uint8_t len, uint32_t table, void *arg)
{
	char text[ADDR_TEXT_LEN], right[160];

	addr_print_prefix4(prefix, len, text);
	snprintf(right, sizeof(right), "a route to it by the way out, of a larger metric or a shorter prefix, in table %u or main; or a "
		 "routing rule for the translated source", table);
	finding_add(arg, DOCTOR_WARN, "nvi-loop", text, right,
		    "it is routed to the virtual interface in table %u, and by nothing else: what is translated for it comes back there and "
		    "is dropped (nvi-loop)", table);
}

void doctor_ports(struct doctor *doctor, const char *instance, const struct config *config, bool nat, bool accel)
{
	struct names *names = names_open(instance);
	struct names_list list = { 0 };
	struct links links = { 0 };
	struct pins pins = { 0 };
	struct visit v = { .doctor = doctor, .instance = instance, .links = &links, .pins = &pins, .accel = accel };
	struct nl nl = { 0 };

	list_interfaces(&list, config, names ? names_running(names) : NULL);
	if (list.n && !nl_open(&nl, NETLINK_ROUTE) && !links_read(&nl, &links)) {
		pins_read(&pins);
		visit_all(&v, &nl, &list);
		if (nat) {
			switches_check(list.list, list.n, wrong_switch, doctor);
			check_liberal(doctor);
		}
		check_conflict(doctor, config, &links);
		if (!config || !config->n_wires)
			nvi_check(&nl, instance, &links, looping_route, doctor);
		check_zones(doctor, config, names ? names_running(names) : NULL, &links);
	}
	nl_close(&nl);
	links_free(&links);
	pins_free(&pins);
	free(list.list);
	free(list.xdp);
	names_close(names);
}
