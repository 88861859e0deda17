/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * accel_view.c - see accel_view.h.
 */
#include "cli/accel_view.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"

/* A list that grows by doubling. NULL: no memory. */
#define ADD(list, n) ({ \
	void *grown_ = (list); \
	if (!((n) & ((n) - 1))) \
		grown_ = realloc((list), ((n) ? (n) * 2 : 1) * sizeof(*(list))); \
	if (grown_) \
		(list) = grown_; \
	grown_ ? &(list)[(n)++] : NULL; })

static union addr from_kernel(const void *bytes, bool v4)
{
	union addr addr = { 0 };

	if (v4)
		return addr_from4(ntohl(*(const __be32 *)bytes));
	memcpy(&addr, bytes, sizeof(addr));
	return addr;
}

/* Addresses */

static int take_address(const struct nlmsghdr *msg, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(msg);
	const void *address = NULL, *local = NULL;
	struct accel_view *view = arg;
	const struct nlattr *attr;
	union addr *added;

	if (msg->nlmsg_type != RTM_NEWADDR || (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return 0;
	mnl_attr_for_each(attr, msg, sizeof(*ifa)) {
		if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			address = mnl_attr_get_payload(attr);
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			local = mnl_attr_get_payload(attr);
	}
	if (!address && !local)
		return 0;
	added = ADD(view->own, view->n_own);
	if (!added)
		return -ENOMEM;
	*added = from_kernel(local ? local : address, ifa->ifa_family == AF_INET);
	return 0;
}

static void forget_addresses(void *arg)
{
	((struct accel_view *)arg)->n_own = 0;
}

static int read_addresses(struct accel_view *view)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETADDR, NLM_F_DUMP);
	struct nl nl;
	int ret;

	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifaddrmsg));
	ret = nl_open(&nl, NETLINK_ROUTE);
	if (ret)
		return ret;
	ret = nl_talk(&nl, msg, take_address, forget_addresses, view);
	nl_close(&nl);
	return ret;
}

/* IPsec policies for what passes or leaves */

static int take_policy(const struct nlmsghdr *msg, void *arg)
{
	const struct xfrm_userpolicy_info *info = mnl_nlmsg_get_payload(msg);
	const struct xfrm_selector *sel = &info->sel;
	struct accel_view *view = arg;
	struct accel_policy *added;
	bool v4 = sel->family == AF_INET;

	if (msg->nlmsg_type != XFRM_MSG_NEWPOLICY || (info->dir != XFRM_POLICY_OUT && info->dir != XFRM_POLICY_FWD))
		return 0;
	added = ADD(view->policies, view->n_policies);
	if (!added)
		return -ENOMEM;
	*added = (struct accel_policy){
		.src = from_kernel(&sel->saddr, v4), .dst = from_kernel(&sel->daddr, v4), .v4 = v4, .proto = sel->proto,
		.src_len = (uint8_t)(sel->prefixlen_s + (v4 ? 96 : 0)), .dst_len = (uint8_t)(sel->prefixlen_d + (v4 ? 96 : 0)),
		.sport = sel->sport, .sport_mask = sel->sport_mask, .dport = sel->dport, .dport_mask = sel->dport_mask,
	};
	return 0;
}

static void forget_policies(void *arg)
{
	((struct accel_view *)arg)->n_policies = 0;
}

static int read_policies(struct accel_view *view)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, XFRM_MSG_GETPOLICY, NLM_F_DUMP);
	struct nl nl;
	int ret;

	mnl_nlmsg_put_extra_header(msg, sizeof(struct xfrm_userpolicy_id));
	if (nl_open(&nl, NETLINK_XFRM))
		return 0;	/* a kernel without IPsec */
	ret = nl_talk(&nl, msg, take_policy, forget_policies, view);
	nl_close(&nl);
	return ret == -ENOMEM ? ret : 0;
}

/* Exclusions */

static int read_excludes(struct accel_view *view, const struct maps *maps)
{
	struct settings settings;
	struct rule rule, *added;
	int ret = maps_settings(maps, &settings);

	for (uint32_t i = 0; !ret && i < settings.n_rules && !maps_rule(maps, i, &rule); i++) {
		if (!(rule.traffic & RULE_EXCLUDE))
			continue;
		view->ways |= rule.in_ifindex || rule.out_ifindex || rule.in_zone != ZONE_ANY || rule.out_zone != ZONE_ANY;
		added = ADD(view->excludes, view->n_excludes);
		if (!added)
			return -ENOMEM;
		*added = rule;
	}
	return ret;
}

int accel_view_read(struct accel_view *out, const struct maps *maps)
{
	int ret;

	*out = (struct accel_view){ 0 };
	ret = read_excludes(out, maps);
	if (!ret)
		ret = read_addresses(out);
	return ret ? ret : read_policies(out);
}

void accel_view_free(struct accel_view *view)
{
	free(view->own);
	free(view->excludes);
	free(view->policies);
	*view = (struct accel_view){ 0 };
}

/* Ways */

static int take_route(const struct nlmsghdr *msg, void *arg)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr;

	if (msg->nlmsg_type != RTM_NEWROUTE)
		return 0;
	mnl_attr_for_each(attr, msg, sizeof(*rt))
		if (mnl_attr_get_type(attr) == RTA_OIF)
			*(uint32_t *)arg = mnl_attr_get_u32(attr);
	return 0;
}

/* The interface that leads to an address; 0: none. */
static uint32_t way_to(struct nl *nl, const union addr *addr)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETROUTE, 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	uint32_t ifindex = 0;

	rt->rtm_family = addr_is4(addr) ? AF_INET : AF_INET6;
	rt->rtm_dst_len = addr_is4(addr) ? 32 : 128;
	if (addr_is4(addr))
		mnl_attr_put_u32(msg, RTA_DST, addr->word[3]);
	else
		mnl_attr_put(msg, RTA_DST, sizeof(*addr), addr);
	nl_talk(nl, msg, take_route, NULL, &ifindex);
	return ifindex;
}

static uint16_t zone_of(const struct ports *ports, uint32_t ifindex)
{
	const struct port_hooks *port = ports_find(ports, ifindex);

	return port ? port->port.zone : ZONE_ANY;
}

void accel_ways(struct nl *nl, const struct ports *ports, const struct ct_entry *ct, struct accel_facts *facts)
{
	facts->in_ifindex = way_to(nl, &ct->orig.src);
	facts->out_ifindex = way_to(nl, &ct->reply.src);
	facts->in_zone = zone_of(ports, facts->in_ifindex);
	facts->out_zone = zone_of(ports, facts->out_ifindex);
}
