/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_host.c - see wire_host.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "daemon/plan_wires.h"
#include "daemon/state.h"
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

/* gateway: network byte order, or 0. A route without a source is to be removed, wherever it leads. */
static int change_route(struct nl *nl, const struct nvi *nvi, uint32_t table, uint32_t metric, uint32_t source, uint32_t gateway)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, source ? RTM_NEWROUTE : RTM_DELROUTE, source ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));

	rt->rtm_family = AF_INET;
	rt->rtm_protocol = NL_PROTOCOL;
	rt->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	rt->rtm_type = source ? RTN_UNICAST : RTN_UNSPEC;
	rt->rtm_scope = !source ? RT_SCOPE_NOWHERE : gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	mnl_attr_put_u32(msg, RTA_TABLE, table);
	if (metric)
		mnl_attr_put_u32(msg, RTA_PRIORITY, metric);
	if (!source)
		return nl_talk(nl, msg, NULL, NULL, NULL);
	mnl_attr_put_u32(msg, RTA_OIF, nvi->ifindex);
	mnl_attr_put_u32(msg, RTA_PREFSRC, source);
	if (gateway)
		mnl_attr_put_u32(msg, RTA_GATEWAY, gateway);
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

/* Rules: at the two places that are NAT's for nvi0's far end (nvi_routes.c), of which there is none with wires. */

struct mark_rule {
	uint32_t preference, mark, mask, table;
	uint8_t protocol;
	bool other;			/* asks for more than a mark */
};

struct rules_seen {
	uint32_t preference;		/* of the first */
	struct mark_rule list[8];
	size_t n;
};

static int rule_attr(const struct nlattr *attr, void *arg)
{
	struct mark_rule *rule = arg;

	switch (mnl_attr_get_type(attr)) {
	case FRA_PRIORITY:
		rule->preference = mnl_attr_get_u32(attr);
		break;
	case FRA_FWMARK:
		rule->mark = mnl_attr_get_u32(attr);
		break;
	case FRA_FWMASK:
		rule->mask = mnl_attr_get_u32(attr);
		break;
	case FRA_TABLE:
		rule->table = mnl_attr_get_u32(attr);
		break;
	case FRA_PROTOCOL:
		rule->protocol = mnl_attr_get_u8(attr);
		break;
	case FRA_IIFNAME: case FRA_OIFNAME: case FRA_SRC: case FRA_DST:
		rule->other = true;
		break;
	}
	return MNL_CB_OK;
}

static int take_rule(const struct nlmsghdr *msg, void *arg)
{
	const struct fib_rule_hdr *hdr = mnl_nlmsg_get_payload(msg);
	struct mark_rule rule = { .table = hdr->table };
	struct rules_seen *seen = arg;

	if (msg->nlmsg_type != RTM_NEWRULE)
		return 0;
	mnl_attr_parse(msg, sizeof(*hdr), rule_attr, &rule);
	if (rule.protocol != NL_PROTOCOL || rule.other || !rule.mark || rule.preference - seen->preference > 1 ||
	    seen->n == sizeof(seen->list) / sizeof(seen->list[0]))
		return 0;
	seen->list[seen->n++] = rule;
	return 0;
}

static void forget_rules(void *arg)
{
	((struct rules_seen *)arg)->n = 0;
}

static int change_rule(struct nl *nl, const struct mark_rule *rule, bool add)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));

	hdr->family = AF_INET;
	hdr->action = FR_ACT_TO_TBL;
	hdr->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(msg, FRA_TABLE, rule->table);
	mnl_attr_put_u32(msg, FRA_PRIORITY, rule->preference);
	mnl_attr_put_u32(msg, FRA_FWMARK, rule->mark);
	mnl_attr_put_u32(msg, FRA_FWMASK, rule->mask);
	mnl_attr_put_u8(msg, FRA_PROTOCOL, NL_PROTOCOL);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

/* marks: [2], 0: none. Rules that stand stay. Returns 0 or a negative errno. */
static int set_rules(struct nl *nl, const struct nvi *nvi, const uint32_t *marks)
{
	struct rules_seen seen = { .preference = NVI_PRIORITY + 2 * nvi->number };
	struct mark_rule rule = { .mask = UINT32_MAX, .table = own_table(nvi) };
	bool there[2] = { false, false }, wanted;
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));
	size_t i, at;
	int err;

	hdr->family = AF_INET;
	err = nl_talk(nl, msg, take_rule, forget_rules, &seen);
	for (i = 0; i < seen.n && !err; i++) {
		at = seen.list[i].preference - seen.preference;
		wanted = marks[at] && seen.list[i].mark == marks[at] && seen.list[i].mask == rule.mask && seen.list[i].table == rule.table;
		if (wanted)
			there[at] = true;
		else
			change_rule(nl, &seen.list[i], false);
	}
	for (at = 0; at < 2 && !err; at++) {
		rule.preference = seen.preference + (uint32_t)at;
		rule.mark = marks[at];
		if (marks[at] && !there[at])
			err = change_rule(nl, &rule, true);
	}
	return err;
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
	uint32_t addr = htonl(host->addr);
	int err;

	*step = "its address";
	err = change_addr(&d->nl, d->nvi.ifindex, addr, (uint8_t)host->len, true);
	if (err && err != -EEXIST)
		return err;
	*step = "the default route";
	err = change_route(&d->nl, &d->nvi, RT_TABLE_MAIN, own_metric(&d->nvi), addr, htonl(host->gateway));
	if (!err)
		err = change_route(&d->nl, &d->nvi, own_table(&d->nvi), 0, addr, 0);
	if (err)
		return err;
	*step = "the routing rule for marks";
	return set_rules(&d->nl, &d->nvi, host->marks);
}

void wire_host_follow(struct daemon *d, bool again)
{
	struct nvi *nvi = &d->nvi;
	struct wire_host now;
	char text[ADDR_TEXT_LEN];
	const char *step;
	int err;

	if (!nvi->ifindex || !nvi->wire || !d->config)
		return;
	now = wanted(d->config);
	set_mtu(d);
	if (!again && !memcmp(&now, &nvi->host, sizeof(now)))
		return;
	if (!now.addr) {
		wire_host_remove(&d->nl, nvi);
		nvi->host = now;
		return;
	}
	err = put_all(d, &now, &step);
	remove_addrs(&d->nl, nvi->ifindex, htonl(now.addr), (uint8_t)now.len);
	if (err)
		log_err("%s: %s cannot be set: %s", nvi->name, step, strerror(-err));
	else if (memcmp(&now, &nvi->host, sizeof(now)))
		log_info("%s: the box's address on the wire is %s/%u", nvi->name, addr_print4(now.addr, text), now.len);
	if (!err)
		nvi->host = now;
	tell_others(d);
}

void wire_host_remove(struct nl *nl, const struct nvi *nvi)
{
	static const uint32_t none[2];

	set_rules(nl, nvi, none);
	change_route(nl, nvi, RT_TABLE_MAIN, own_metric(nvi), 0, 0);
	change_route(nl, nvi, own_table(nvi), 0, 0, 0);
	remove_addrs(nl, nvi->ifindex, 0, 0);
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
		return rt->rtm_family == AF_INET && !rt->rtm_dst_len && (rt->rtm_protocol != NL_PROTOCOL || msg->nlmsg_type == RTM_DELROUTE);
	case RTM_DELRULE:
		return true;
	}
	return false;
}
