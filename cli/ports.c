/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ports.c - see ports.h. Programs are recognised by the ids of those that the instance has pinned.
 */
#include "cli/ports.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/instance.h"
#include "lib/netlink.h"

/* Ids of the instance's programs; 0: not pinned. */
struct program_ids {
	uint32_t xdp, tc_in, tc_out;
};

static uint32_t pinned_id(const char *instance, const char *pin)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	char path[INSTANCE_PATH_LEN];
	int fd;

	instance_pin_path(path, instance, pin);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.id = 0;
	close(fd);
	return info.id;
}

static const char *xdp_mode(uint32_t ifindex, uint32_t own_id)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query))
		return "off";
	if (!query.drv_prog_id && !query.skb_prog_id && !query.hw_prog_id)
		return "off";
	if (!own_id)
		return "foreign";
	if (query.drv_prog_id == own_id)
		return "native";
	if (query.skb_prog_id == own_id)
		return "generic";
	return query.hw_prog_id == own_id ? "offload" : "foreign";
}

/* Which program is looked for, and was it there? */
struct tc_search {
	uint32_t id;
	bool found;
};

static int tc_filter(const struct nlmsghdr *msg, void *arg)
{
	struct tc_search *search = arg;
	const struct nlattr *attr, *inner;

	mnl_attr_for_each(attr, msg, sizeof(struct tcmsg)) {
		if (mnl_attr_get_type(attr) != TCA_OPTIONS)
			continue;
		mnl_attr_for_each_nested(inner, attr)
			if (mnl_attr_get_type(inner) == TCA_BPF_ID && mnl_attr_get_u32(inner) == search->id)
				search->found = true;
	}
	return 0;
}

/* Is the program with this id a filter of the interface's clsact, in the direction parent? */
static bool tc_has(struct nl *nl, uint32_t ifindex, uint32_t parent, uint32_t id)
{
	struct tc_search search = { .id = id };
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETTFILTER, NLM_F_DUMP);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(msg, sizeof(*tc));

	if (!id)
		return false;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, parent);
	nl_talk(nl, msg, tc_filter, NULL, &search);
	return search.found;
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

static void ask_kernel(struct port_hooks *hooks, struct nl *nl, const struct program_ids *ids)
{
	uint32_t ifindex = hooks->port.ifindex;
	char name[IF_NAMESIZE];

	hooks->present = if_indextoname(ifindex, name) && !strcmp(name, hooks->port.name);
	if (!hooks->present)
		return;
	hooks->xdp = xdp_mode(ifindex, ids->xdp);
	hooks->tc_in = tc_has(nl, ifindex, TC_H_MIN_INGRESS, ids->tc_in);
	hooks->tc_out = tc_has(nl, ifindex, TC_H_MIN_EGRESS, ids->tc_out);
}

struct ports *ports_read(const struct maps *maps)
{
	struct ports *ports = calloc(1, sizeof(*ports));
	struct program_ids ids = {
		.xdp = pinned_id(maps->instance, "prog_natvi_xdp"),
		.tc_in = pinned_id(maps->instance, "prog_natvi_tc_ingress"),
		.tc_out = pinned_id(maps->instance, "prog_natvi_tc_egress"),
	};

	struct nl nl;

	if (!ports)
		return NULL;
	if (maps_each_port(maps, add_port, ports)) {
		ports_free(ports);
		return NULL;
	}
	if (nl_open(&nl, NETLINK_ROUTE))
		return ports;	/* names and addresses are good all the same */
	for (size_t i = 0; i < ports->n; i++)
		ask_kernel(&ports->list[i], &nl, &ids);
	nl_close(&nl);
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
