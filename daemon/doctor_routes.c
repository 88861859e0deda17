/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_routes.c - the examination of routes: what the kernel's look-up does not tell natvi of them. See doctor_impl.h.
 */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "daemon/doctor_impl.h"
#include "lib/addr.h"
#include "lib/netlink.h"

/* A metric of a route; 0: it has none. */
static uint32_t metric(const struct nlattr *metrics, int which)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics)
		if (mnl_attr_get_type(attr) == which && mnl_attr_get_payload_len(attr) >= sizeof(uint32_t))
			return mnl_attr_get_u32(attr);
	return 0;
}

static void tell(struct doctor *doctor, const struct rtmsg *rt, uint32_t dst, uint32_t mtu)
{
	char prefix[ADDR_TEXT_LEN], right[160];

	addr_print_prefix4(dst, rt->rtm_dst_len, prefix);
	snprintf(right, sizeof(right), "`mtu lock %u` instead of `mtu %u` in that route, or that MTU on its interface", mtu, mtu);
	finding_add(doctor, DOCTOR_WARN, "route-mtu", prefix, right, "the route to it has an MTU of %u that is not locked, which the look-up of a "
		    "route does not show: natvi sends larger packets that way", mtu);
}

static int take_route(const struct nlmsghdr *msg, void *arg)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr, *metrics = NULL;
	uint32_t dst = 0, mtu;

	if (msg->nlmsg_type != RTM_NEWROUTE || rt->rtm_family != AF_INET || rt->rtm_type != RTN_UNICAST || (rt->rtm_flags & RTM_F_CLONED))
		return 0;
	mnl_attr_for_each(attr, msg, sizeof(*rt)) {
		if (mnl_attr_get_type(attr) == RTA_METRICS)
			metrics = attr;
		if (mnl_attr_get_type(attr) == RTA_DST && mnl_attr_get_payload_len(attr) == sizeof(dst))
			dst = ntohl(mnl_attr_get_u32(attr));
	}
	mtu = metrics ? metric(metrics, RTAX_MTU) : 0;
	if (mtu && !(metric(metrics, RTAX_LOCK) & 1u << RTAX_MTU))
		tell(arg, rt, dst, mtu);
	return 0;
}

void doctor_routes(struct doctor *doctor)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg;
	struct rtmsg *rt;
	struct nl nl;

	if (nl_open(&nl, NETLINK_ROUTE))
		return;
	msg = nl_put(buf, RTM_GETROUTE, NLM_F_DUMP);
	rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	rt->rtm_family = AF_INET;
	nl_talk(&nl, msg, take_route, NULL, doctor);
	nl_close(&nl);
}
