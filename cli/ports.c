/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ports.c - see ports.h. Programs are recognised by the ids of those that the instance has pinned.
 */
#include "cli/ports.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/pins.h"
#include "daemon/tc.h"
#include "lib/netlink.h"

/* What is asked about an interface. */
struct search {
	const char *instance;
	const struct pins *pins;
	bool found;
};

static bool is_own(const struct search *search, uint32_t id)
{
	const char *owner = id ? pins_owner(search->pins, id) : NULL;

	return owner && !strcmp(owner, search->instance);
}

static const char *xdp_mode(uint32_t ifindex, const struct search *search)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query))
		return "off";
	if (!query.drv_prog_id && !query.skb_prog_id && !query.hw_prog_id)
		return "off";
	if (is_own(search, query.drv_prog_id))
		return "native";
	if (is_own(search, query.skb_prog_id))
		return "generic";
	return is_own(search, query.hw_prog_id) ? "offload" : "foreign";
}

static int one_filter(const struct tc_filter *filter, void *arg)
{
	struct search *search = arg;

	if (is_own(search, filter->prog_id))
		search->found = true;
	return 0;
}

static bool tc_has(struct nl *nl, uint32_t ifindex, enum tc_hook hook, struct search *search)
{
	search->found = false;
	return !tc_each_filter(nl, ifindex, hook, one_filter, search) && search->found;
}

static int add_port(const struct port *port, void *arg)
{
	struct ports *ports = arg;
	struct port_hooks *more = realloc(ports->list, (ports->n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	ports->list = more;
	more[ports->n++] = (struct port_hooks){ .port = *port, .xdp = "off" };
	return 0;
}

static int stats_attr(const struct nlattr *attr, void *arg)
{
	struct port_hooks *hooks = arg;
	struct rtnl_link_stats64 stats = { 0 };
	size_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) != IFLA_STATS64)
		return MNL_CB_OK;
	memcpy(&stats, mnl_attr_get_payload(attr), len < sizeof(stats) ? len : sizeof(stats));
	hooks->packets = stats.tx_packets;
	hooks->bytes = stats.tx_bytes;
	return MNL_CB_OK;
}

static int take_stats(const struct nlmsghdr *msg, void *arg)
{
	mnl_attr_parse(msg, sizeof(struct ifinfomsg), stats_attr, arg);
	return 0;
}

static void count_crossed(struct port_hooks *hooks, struct nl *nl)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifi_index = (int)hooks->port.ifindex;
	nl_talk(nl, msg, take_stats, NULL, hooks);
}

static void ask_kernel(struct port_hooks *hooks, struct nl *nl, struct search *search)
{
	uint32_t ifindex = hooks->port.ifindex;
	char name[IF_NAMESIZE];

	hooks->present = if_indextoname(ifindex, name) && !strcmp(name, hooks->port.name);
	if (!hooks->present)
		return;
	hooks->xdp = xdp_mode(ifindex, search);
	hooks->tc_in = tc_has(nl, ifindex, TC_HOOK_INGRESS, search);
	hooks->tc_out = tc_has(nl, ifindex, TC_HOOK_EGRESS, search);
	if (hooks->port.flags & PORT_NVI)
		count_crossed(hooks, nl);
}

/* Without an answer names and addresses are good all the same. */
static void ask_kernel_all(struct ports *ports, const char *instance)
{
	struct pins pins = { 0 };
	struct search search = { .instance = instance, .pins = &pins };
	struct nl nl;

	if (pins_read(&pins) || nl_open(&nl, NETLINK_ROUTE)) {
		pins_free(&pins);
		return;
	}
	for (size_t i = 0; i < ports->n; i++)
		ask_kernel(&ports->list[i], &nl, &search);
	nl_close(&nl);
	pins_free(&pins);
}

struct ports *ports_read(const struct maps *maps)
{
	struct ports *ports = calloc(1, sizeof(*ports));

	if (!ports)
		return NULL;
	if (maps_each_port(maps, add_port, ports)) {
		ports_free(ports);
		return NULL;
	}
	ask_kernel_all(ports, maps->instance);
	return ports;
}

void ports_free(struct ports *ports)
{
	if (!ports)
		return;
	free(ports->list);
	free(ports);
}

const struct port_hooks *ports_find(const struct ports *ports, uint32_t ifindex)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->list[i].port.ifindex == ifindex)
			return &ports->list[i];
	return NULL;
}

const char *ports_name(const struct ports *ports, uint32_t ifindex, char buf[PORT_NAME_LEN])
{
	const struct port_hooks *hooks;

	if (!ifindex)
		return "-";
	hooks = ports_find(ports, ifindex);
	if (hooks)
		return hooks->port.name;
	if (!if_indextoname(ifindex, buf))
		snprintf(buf, PORT_NAME_LEN, "if%u", ifindex);
	return buf;
}
