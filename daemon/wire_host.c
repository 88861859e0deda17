/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_host.c - see wire_host.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan_wires.h"
#include "daemon/state.h"
#include "daemon/wire_rules.h"
#include "lib/addr.h"
#include "lib/log.h"

static uint32_t own_table(const struct nvi *nvi)
{
	return NVI_TABLE + nvi->number;
}

static uint32_t own_metric(const struct nvi *nvi)
{
	return WIRE_HOST_METRIC + nvi->number;
}

/* Addresses */

struct addr_seen {
	uint32_t addr;			/* network byte order */
	uint8_t protocol;
};

static int addr_attr(const struct nlattr *attr, void *arg)
{
	struct addr_seen *seen = arg;

	if (mnl_attr_get_type(attr) == IFA_LOCAL)
		seen->addr = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) == IFA_PROTO)
		seen->protocol = mnl_attr_get_u8(attr);
	return MNL_CB_OK;
}

static int change_addr(struct nl *nl, uint32_t ifindex, uint32_t addr, uint8_t len, bool add)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifa_family = AF_INET;
	info->ifa_prefixlen = len;
	info->ifa_index = ifindex;
	mnl_attr_put_u32(msg, IFA_LOCAL, addr);
	mnl_attr_put_u32(msg, IFA_ADDRESS, addr);
	if (!add)
		return nl_talk(nl, msg, NULL, NULL, NULL);
	mnl_attr_put_u32(msg, IFA_BROADCAST, addr | htonl(~addr_mask4(len)));
	mnl_attr_put_u8(msg, IFA_PROTO, NL_PROTOCOL);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

struct addr_sweep {
	struct nl *nl;
	uint32_t ifindex, addr;		/* addr: network byte order, stays */
	uint8_t len;
	struct { uint32_t addr; uint8_t len; } gone[16];
	size_t n;
};

static int take_addr(const struct nlmsghdr *msg, void *arg)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(msg);
	struct addr_sweep *sweep = arg;
	struct addr_seen seen = { 0 };

	if (msg->nlmsg_type != RTM_NEWADDR || info->ifa_family != AF_INET || info->ifa_index != sweep->ifindex)
		return 0;
	mnl_attr_parse(msg, sizeof(*info), addr_attr, &seen);
	if (seen.protocol != NL_PROTOCOL || (seen.addr == sweep->addr && info->ifa_prefixlen == sweep->len) ||
	    sweep->n == sizeof(sweep->gone) / sizeof(sweep->gone[0]))
		return 0;
	sweep->gone[sweep->n].addr = seen.addr;
	sweep->gone[sweep->n++].len = info->ifa_prefixlen;
	return 0;
}

static void forget_addrs(void *arg)
{
	((struct addr_sweep *)arg)->n = 0;
}

/* natvi's own addresses there but for this one. */
static void remove_addrs(struct nl *nl, uint32_t ifindex, uint32_t addr, uint8_t len)
{
	struct addr_sweep sweep = { .nl = nl, .ifindex = ifindex, .addr = addr, .len = len };
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));
	size_t i;

	info->ifa_family = AF_INET;
	if (nl_talk(nl, msg, take_addr, forget_addrs, &sweep))
		return;
	for (i = 0; i < sweep.n; i++)
		change_addr(nl, ifindex, sweep.gone[i].addr, sweep.gone[i].len, false);
}

/* Routes */

/* Addresses in network byte order; gateway 0: to the device. A route without a source is to be removed, wherever it leads. */
struct host_route {
	uint32_t table, metric, net, source, gateway;
	uint8_t len;			/* of net; 0: the default route */
};

static int change_route(struct nl *nl, const struct nvi *nvi, const struct host_route *r)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, r->source ? RTM_NEWROUTE : RTM_DELROUTE, r->source ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));

	rt->rtm_family = AF_INET;
	rt->rtm_protocol = NL_PROTOCOL;
	rt->rtm_table = r->table < 256 ? (uint8_t)r->table : RT_TABLE_UNSPEC;
	rt->rtm_type = r->source ? RTN_UNICAST : RTN_UNSPEC;
	rt->rtm_scope = !r->source ? RT_SCOPE_NOWHERE : r->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	rt->rtm_dst_len = r->len;
	mnl_attr_put_u32(msg, RTA_TABLE, r->table);
	if (r->len)
		mnl_attr_put_u32(msg, RTA_DST, r->net);
	if (r->metric)
		mnl_attr_put_u32(msg, RTA_PRIORITY, r->metric);
	if (!r->source)
		return nl_talk(nl, msg, NULL, NULL, NULL);
	mnl_attr_put_u32(msg, RTA_OIF, nvi->ifindex);
	mnl_attr_put_u32(msg, RTA_PREFSRC, r->source);
	if (r->gateway)
		mnl_attr_put_u32(msg, RTA_GATEWAY, r->gateway);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static int take_default(const struct nlmsghdr *msg, void *arg)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);

	if (msg->nlmsg_type == RTM_NEWROUTE && !rt->rtm_dst_len && rt->rtm_table == RT_TABLE_MAIN && rt->rtm_protocol != NL_PROTOCOL &&
	    rt->rtm_type == RTN_UNICAST)
		*(bool *)arg = true;
	return 0;
}

static void tell_others(struct daemon *d)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	bool found = false;

	rt->rtm_family = AF_INET;
	if (nl_talk(&d->nl, msg, take_default, NULL, &found) || found == d->nvi.other_default)
		return;
	d->nvi.other_default = found;
	if (found)
		log_info("the box has another default route, which goes before that of %s (metric %u): what the box itself sends takes it",
			 d->nvi.name, own_metric(&d->nvi));
	else
		log_info("what the box itself sends takes the default route of %s", d->nvi.name);
}

/* Rules */

/* Those of the marks and of the box's address, and of the targets that are there. NULL: out of memory. */
static struct wire_rule *list_rules(const struct nvi *nvi, const struct wire_host *host, const struct served *served, size_t n_served,
				    size_t *n)
{
	struct wire_rule *list = calloc(n_served + 3, sizeof(*list));
	size_t i;

	*n = 0;
	for (i = 0; i < 2 && list; i++)
		if (host->marks[i])
			list[(*n)++] = (struct wire_rule){ .mark = host->marks[i], .table = own_table(nvi) };
	if (host->addr && list)
		list[(*n)++] = (struct wire_rule){ .source = htonl(host->addr), .table = own_table(nvi) };
	for (i = 0; i < n_served && list; i++)
		if (served[i].role == ATTACH_TARGET && served[i].usable)
			list[(*n)++] = (struct wire_rule){ .mark = wire_target_mark(served[i].ifindex),
							   .table = wire_target_mark(served[i].ifindex), .target = true };
	return list;
}

static void set_rules(struct daemon *d, const struct wire_host *host, const struct served *served, size_t n_served, bool clean)
{
	struct wire_rule *list;
	size_t i, n;
	int err = 0;

	if (!d->nvi.ifindex)
		return;
	list = list_rules(&d->nvi, host, served, n_served, &n);
	if (!list)
		return;
	for (i = 0; i < n && !err; i++)
		if (list[i].target)
			err = wire_target_routes(&d->nl, list[i].table & ~CFG_OWN_MARK);
	if (!err)
		err = wire_rules_make(&d->nl, &d->nvi, list, n);
	if (err)
		log_err("%s: the routing rules for marks cannot be made: %s", d->nvi.name, strerror(-err));
	if (clean)
		wire_rules_clean(&d->nl, &d->nvi, list, n);
	free(list);
}

void wire_targets_make(struct daemon *d, const struct served *served, size_t n)
{
	set_rules(d, &d->nvi.host, served, n, false);
}

/* All of it */

static struct wire_host wanted(const struct config *config)
{
	const struct cfg_wire *wire = config_host_wire(config);
	struct wire_host host;

	memset(&host, 0, sizeof(host));
	if (!wire)
		return host;
	host.addr = wire->host;
	host.len = wire->host_len;
	host.gateway = wire->gateway;
	host.marks[0] = wire->reply_mark;
	if (wire->original_mark != wire->reply_mark)
		host.marks[1] = wire->original_mark;
	return host;
}

static void set_mtu(struct daemon *d)
{
	const struct cfg_wire *wire = config_host_wire(d->config);
	uint32_t mtu = wire ? wire_mtu(wire, &d->links) : 0;
	const struct link *nvi = links_by_index(&d->links, d->nvi.ifindex);
	int err = mtu && nvi && nvi->mtu != mtu ? nvi_set_mtu(d, mtu) : 0;

	if (err)
		log_err("%s: its MTU cannot be set to %u: %s", d->nvi.name, mtu, strerror(-err));
}

static int put_all(struct daemon *d, const struct wire_host *host, const char **step)
{
	uint32_t addr = htonl(host->addr), gateway = htonl(host->gateway);
	const struct host_route routes[] = {
		{ .table = RT_TABLE_MAIN, .metric = own_metric(&d->nvi), .source = addr, .gateway = gateway },
		{ .table = own_table(&d->nvi), .net = addr & htonl(addr_mask4((uint8_t)host->len)), .len = (uint8_t)host->len, .source = addr },
		{ .table = own_table(&d->nvi), .source = addr, .gateway = gateway },
	};
	size_t i;
	int err;

	*step = "its address";
	err = change_addr(&d->nl, d->nvi.ifindex, addr, (uint8_t)host->len, true);
	if (err && err != -EEXIST)
		return err;
	*step = "the default route";
	for (i = 0, err = 0; i < sizeof(routes) / sizeof(routes[0]) && !err; i++)
		err = change_route(&d->nl, &d->nvi, &routes[i]);
	return err;
}

/* The address as it was (kernels before 5.18 do not say whose one is), and the route to its network in the table of nvi0's own. */
static void remove_former(struct nl *nl, const struct nvi *nvi)
{
	const struct wire_host *was = &nvi->host;

	if (!was->addr)
		return;
	change_route(nl, nvi, &(struct host_route){ .table = own_table(nvi), .len = (uint8_t)was->len,
						    .net = htonl(was->addr & addr_mask4((uint8_t)was->len)) });
	change_addr(nl, nvi->ifindex, htonl(was->addr), (uint8_t)was->len, false);
}

static void remove_host(struct nl *nl, const struct nvi *nvi)
{
	change_route(nl, nvi, &(struct host_route){ .table = RT_TABLE_MAIN, .metric = own_metric(nvi) });
	change_route(nl, nvi, &(struct host_route){ .table = own_table(nvi) });
	remove_former(nl, nvi);
	remove_addrs(nl, nvi->ifindex, 0, 0);
}

static void set_host(struct daemon *d, const struct wire_host *now)
{
	struct nvi *nvi = &d->nvi;
	char text[ADDR_TEXT_LEN];
	const char *step;
	int err;

	if (now->addr != nvi->host.addr || now->len != nvi->host.len)
		remove_former(&d->nl, nvi);
	err = put_all(d, now, &step);
	remove_addrs(&d->nl, nvi->ifindex, htonl(now->addr), (uint8_t)now->len);
	if (err)
		log_err("%s: %s cannot be set: %s", nvi->name, step, strerror(-err));
	else if (memcmp(now, &nvi->host, sizeof(*now)))
		log_info("%s: the box's address on the wire is %s/%u", nvi->name, addr_print4(now->addr, text), now->len);
	if (!err)
		nvi->host = *now;
	tell_others(d);
}

void wire_host_follow(struct daemon *d, bool again)
{
	struct nvi *nvi = &d->nvi;
	struct wire_host now;

	if (!nvi->ifindex || !nvi->wire || !d->config)
		return;
	now = wanted(d->config);
	set_mtu(d);
	set_rules(d, &now, d->served, d->n_served, true);
	if (!again && !memcmp(&now, &nvi->host, sizeof(now)))
		return;
	if (now.addr) {
		set_host(d, &now);
		return;
	}
	remove_host(&d->nl, nvi);
	nvi->host = now;
}

void wire_host_remove(struct nl *nl, const struct nvi *nvi)
{
	wire_rules_clean(nl, nvi, NULL, 0);
	remove_host(nl, nvi);
}

bool wire_host_hear(const struct daemon *d, const struct nlmsghdr *msg)
{
	const struct ifaddrmsg *addr;
	const struct rtmsg *rt;

	if (!d->nvi.ifindex || !d->nvi.wire || !d->nvi.host.addr)
		return false;
	switch (msg->nlmsg_type) {
	case RTM_DELADDR:
		addr = mnl_nlmsg_get_payload(msg);
		return addr->ifa_family == AF_INET && addr->ifa_index == d->nvi.ifindex;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		rt = mnl_nlmsg_get_payload(msg);
		if (rt->rtm_protocol == NL_PROTOCOL)
			return msg->nlmsg_type == RTM_DELROUTE;
		return rt->rtm_family == AF_INET && !rt->rtm_dst_len;
	case RTM_DELRULE:
		return true;
	}
	return false;
}
