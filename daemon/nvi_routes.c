/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nvi_routes.c - routes that lead to nvi0, and where what comes out of its far end goes instead. See nvi.h.
 *
 * `ip route add PREFIX dev nvi0` also stands in the way of the second look-up where the destination stays what it was. So
 * for each such prefix nvi0's own table has the route that would be there without it: the longest other one of the same
 * routing table that covers it, the one with the least metric of equals; of the main table, if its own has none. Packets
 * from the far end go by the main table's routes but for its default and those to nvi0, then by that table, then
 * by what other rules there are. The two rules only stand while somebody routes anything to nvi0.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/nvi.h"
#include "daemon/state.h"
#include "lib/addr.h"
#include "lib/log.h"

/* An IPv4 route as the kernel tells it. */
struct told {
	uint32_t dst;			/* host byte order */
	uint8_t len;
	uint32_t table, priority;
	uint8_t protocol;
	bool usable;			/* no cached one, and for every TOS */
	bool to_nvi;			/* one of its ways at least */
	uint32_t nvi;			/* in: index of nvi0 */
};

/* A route to nvi0, and the one in its place. */
struct led {
	struct told told;
	struct nlmsghdr *msg;		/* as it was told, to make it again */
	struct told best;		/* instead; good if instead is there */
	struct nlmsghdr *instead;
};

struct nvi_routes {
	uint32_t nvi, table;
	struct led *list;
	size_t n;
	struct told *own;		/* what nvi0's table holds */
	size_t n_own;
};

static uint32_t own_table(unsigned int number)
{
	return NVI_TABLE + number;
}

/* Reading */

static int hop_attr(const struct nlattr *attr, void *arg)
{
	struct told *told = arg;
	const struct rtnexthop *hop;
	int left;

	switch (mnl_attr_get_type(attr)) {
	case RTA_DST:
		told->dst = ntohl(mnl_attr_get_u32(attr));
		break;
	case RTA_TABLE:
		told->table = mnl_attr_get_u32(attr);
		break;
	case RTA_PRIORITY:
		told->priority = mnl_attr_get_u32(attr);
		break;
	case RTA_OIF:
		told->to_nvi |= mnl_attr_get_u32(attr) == told->nvi;
		break;
	case RTA_MULTIPATH:
		hop = mnl_attr_get_payload(attr);
		for (left = mnl_attr_get_payload_len(attr); RTNH_OK(hop, left); left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
			told->to_nvi |= (uint32_t)hop->rtnh_ifindex == told->nvi;
		break;
	}
	return MNL_CB_OK;
}

static struct told read_route(const struct nlmsghdr *msg, uint32_t nvi)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	struct told told = { .nvi = nvi, .len = rt->rtm_dst_len, .table = rt->rtm_table, .protocol = rt->rtm_protocol };

	told.usable = rt->rtm_family == AF_INET && !(rt->rtm_flags & RTM_F_CLONED) && !rt->rtm_tos &&
		      rt->rtm_type != RTN_LOCAL && rt->rtm_type != RTN_BROADCAST && rt->rtm_type != RTN_MULTICAST;
	mnl_attr_parse(msg, sizeof(*rt), hop_attr, &told);
	return told;
}

static bool covers(const struct told *wide, const struct told *narrow)
{
	return wide->len <= narrow->len && !((wide->dst ^ narrow->dst) & addr_mask4(wide->len));
}

static struct nlmsghdr *copy_message(const struct nlmsghdr *msg)
{
	struct nlmsghdr *copy = malloc(msg->nlmsg_len);

	if (copy)
		memcpy(copy, msg, msg->nlmsg_len);
	return copy;
}

static int add_led(struct nvi_routes *r, const struct told *told, const struct nlmsghdr *msg)
{
	struct led *more = realloc(r->list, (r->n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	r->list = more;
	more[r->n] = (struct led){ .told = *told, .msg = copy_message(msg) };
	return more[r->n++].msg ? 0 : -ENOMEM;
}

static int add_own(struct nvi_routes *r, const struct told *told)
{
	struct told *more = realloc(r->own, (r->n_own + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	r->own = more;
	more[r->n_own++] = *told;
	return 0;
}

static int take_led(const struct nlmsghdr *msg, void *arg)
{
	struct nvi_routes *r = arg;
	struct told told;

	if (msg->nlmsg_type != RTM_NEWROUTE)
		return 0;
	told = read_route(msg, r->nvi);
	if (!told.usable)
		return 0;
	if (told.table == r->table)
		return told.protocol == NL_PROTOCOL ? add_own(r, &told) : 0;
	return told.to_nvi && told.protocol != NL_PROTOCOL ? add_led(r, &told, msg) : 0;
}

static void clear(void *arg)
{
	struct nvi_routes *r = arg;
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->list[i].msg);
		free(r->list[i].instead);
	}
	free(r->list);
	free(r->own);
	r->list = NULL;
	r->own = NULL;
	r->n = r->n_own = 0;
}

/* Is a better than b in led's place? Its own table first, then the longer prefix, then the smaller metric. */
static bool is_better(const struct led *led, const struct told *a, const struct told *b)
{
	if ((a->table == led->told.table) != (b->table == led->told.table))
		return a->table == led->told.table;
	return a->len != b->len ? a->len > b->len : a->priority < b->priority;
}

static int take_instead(const struct nlmsghdr *msg, void *arg)
{
	struct nvi_routes *r = arg;
	struct led *led;
	struct told told;
	size_t i;

	if (msg->nlmsg_type != RTM_NEWROUTE)
		return 0;
	told = read_route(msg, r->nvi);
	for (i = 0; i < r->n; i++) {
		led = &r->list[i];
		if (!told.usable || told.to_nvi || !covers(&told, &led->told) ||
		    (told.table != led->told.table && told.table != RT_TABLE_MAIN) ||
		    (led->instead && !is_better(led, &told, &led->best)))
			continue;
		free(led->instead);
		led->best = told;
		led->instead = copy_message(msg);
		if (!led->instead)
			return -ENOMEM;
	}
	return 0;
}

static void clear_instead(void *arg)
{
	struct nvi_routes *r = arg;
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->list[i].instead);
		r->list[i].instead = NULL;
	}
}

static int dump(struct nl *nl, nl_fn fn, void (*restart)(void *), struct nvi_routes *r)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));

	rt->rtm_family = AF_INET;
	return nl_talk(nl, msg, fn, restart, r);
}

static int read_all(struct nl *nl, struct nvi_routes *r)
{
	int err = dump(nl, take_led, clear, r);

	return err || !r->n ? err : dump(nl, take_instead, clear_instead, r);
}

/* Writing */

static struct rtmsg *put_route(struct nlmsghdr *msg, const struct told *told, uint32_t table)
{
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));

	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = told->len;
	rt->rtm_protocol = NL_PROTOCOL;
	rt->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	if (told->len)
		mnl_attr_put_u32(msg, RTA_DST, htonl(told->dst));
	mnl_attr_put_u32(msg, RTA_TABLE, table);
	return rt;
}

/* Attributes of a route that say where it leads; the group of next hops says all, if there is one. */
static void put_ways(struct nlmsghdr *msg, const struct nlmsghdr *from)
{
	const struct nlattr *attr;
	bool group = false;

	mnl_attr_for_each(attr, from, sizeof(struct rtmsg))
		group |= mnl_attr_get_type(attr) == RTA_NH_ID;
	mnl_attr_for_each(attr, from, sizeof(struct rtmsg))
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
		case RTA_GATEWAY:
		case RTA_VIA:
		case RTA_MULTIPATH:
		case RTA_ENCAP:
		case RTA_ENCAP_TYPE:
			if (group)
				break;
			/* fallthrough */
		case RTA_NH_ID:
		case RTA_METRICS:
			mnl_attr_put(msg, mnl_attr_get_type(attr), mnl_attr_get_payload_len(attr), mnl_attr_get_payload(attr));
		}
}

static int write_instead(struct nl *nl, const struct led *led, uint32_t table)
{
	const struct rtmsg *from = mnl_nlmsg_get_payload(led->instead);
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	struct rtmsg *rt = put_route(msg, &led->told, table);

	rt->rtm_type = from->rtm_type;
	rt->rtm_scope = from->rtm_scope;
	rt->rtm_flags = from->rtm_flags & RTNH_F_ONLINK;
	put_ways(msg, led->instead);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static void delete_own(struct nl *nl, const struct told *told, uint32_t table)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_DELROUTE, 0);

	put_route(msg, told, table)->rtm_scope = RT_SCOPE_NOWHERE;	/* whatever its scope */
	nl_talk(nl, msg, NULL, NULL, NULL);
}

static bool same_prefix(const struct told *a, const struct told *b)
{
	return a->dst == b->dst && a->len == b->len;
}

/* Several tables may lead one prefix to nvi0: the main table's word counts, else that of the first. */
static bool is_spoken_for(const struct nvi_routes *r, size_t at)
{
	const struct led *led = &r->list[at], *other;
	size_t i;

	for (i = 0; i < r->n; i++) {
		other = &r->list[i];
		if (i == at || !other->instead || !same_prefix(&led->told, &other->told))
			continue;
		if (other->told.table == RT_TABLE_MAIN ? led->told.table != RT_TABLE_MAIN || i < at : led->told.table != RT_TABLE_MAIN && i < at)
			return true;
	}
	return false;
}

static bool is_wanted(const struct nvi_routes *r, const struct told *told)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->list[i].instead && same_prefix(&r->list[i].told, told))
			return true;
	return false;
}

/* One of nvi0's two routing rules, or its removal. */
static int change_rule(struct nl *nl, unsigned int number, bool second, bool add)
{
	char buf[NL_BUF_BYTES], iif[IFNAMSIZ];
	struct nlmsghdr *msg = nl_put(buf, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(msg, sizeof(*rule));
	uint32_t table = second ? own_table(number) : RT_TABLE_MAIN;

	snprintf(iif, sizeof(iif), "nvi%up", number);
	rule->family = AF_INET;
	rule->action = FR_ACT_TO_TBL;
	rule->table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(msg, FRA_TABLE, table);
	mnl_attr_put_u32(msg, FRA_PRIORITY, NVI_PRIORITY + 2 * number + second);
	mnl_attr_put_strz(msg, FRA_IIFNAME, iif);
	mnl_attr_put_u8(msg, FRA_PROTOCOL, NL_PROTOCOL);
	if (!second) {
		mnl_attr_put_u32(msg, FRA_SUPPRESS_PREFIXLEN, 0);
		mnl_attr_put_u32(msg, FRA_SUPPRESS_IFGROUP, NVI_GROUP);
	}
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static void change_rules(struct nl *nl, unsigned int number, bool add)
{
	int err = change_rule(nl, number, false, add), more = change_rule(nl, number, true, add);

	if (!err || err == -EEXIST)
		err = more;
	if (add && err && err != -EEXIST)
		log_err("cannot make the routing rules for nvi%u's far end: %s", number, strerror(-err));
}

static void write_all(struct nl *nl, const struct nvi_routes *r, unsigned int number)
{
	char text[ADDR_TEXT_LEN];
	const struct led *led;
	size_t i;
	int err;

	for (i = 0; i < r->n; i++) {
		led = &r->list[i];
		if (!led->instead || is_spoken_for(r, i))
			continue;
		err = write_instead(nl, led, r->table);
		if (err)
			log_err("%s/%u leads to nvi%u, and the route in its place cannot be put into table %u: %s",
				addr_print4(led->told.dst, text), led->told.len, number, r->table, strerror(-err));
	}
	for (i = 0; i < r->n_own; i++)
		if (!is_wanted(r, &r->own[i]))
			delete_own(nl, &r->own[i], r->table);
	if (r->n || r->n_own)
		change_rules(nl, number, r->n);
}

/* What others ask for */

void nvi_routes_follow(struct daemon *d)
{
	struct nvi *nvi = &d->nvi;
	size_t before;
	int err;

	if (!nvi->ifindex || nvi->wire)
		return;
	if (!nvi->routes)
		nvi->routes = calloc(1, sizeof(*nvi->routes));
	if (!nvi->routes)
		return;
	before = nvi->routes->n;
	clear(nvi->routes);
	nvi->routes->nvi = nvi->ifindex;
	nvi->routes->table = own_table(nvi->number);
	err = read_all(&d->nl, nvi->routes);
	if (err)
		log_err("cannot read the routes to %s: %s", nvi->name, strerror(-err));
	else
		write_all(&d->nl, nvi->routes, nvi->number);
	if (before && !nvi->routes->n)
		change_rules(&d->nl, nvi->number, false);
}

bool nvi_routes_hear(const struct daemon *d, const struct nlmsghdr *msg)
{
	const struct nvi_routes *r = d->nvi.routes;
	struct told told;
	size_t i;

	if (!d->nvi.ifindex || d->nvi.wire || !r)
		return false;
	if (msg->nlmsg_type == RTM_DELRULE || msg->nlmsg_type == RTM_NEWRULE)
		return r->n && msg->nlmsg_type == RTM_DELRULE;
	told = read_route(msg, d->nvi.ifindex);
	if (!told.usable || told.table == r->table || told.protocol == NL_PROTOCOL)
		return false;
	if (told.to_nvi)
		return true;
	for (i = 0; i < r->n; i++)
		if (covers(&told, &r->list[i].told) && (told.table == r->list[i].told.table || told.table == RT_TABLE_MAIN))
			return true;
	return false;
}

/* Its ways to the former device lead to the new one. */
static void redirect_ways(struct nlmsghdr *msg, uint32_t from, uint32_t to)
{
	struct rtnexthop *hop;
	struct nlattr *attr;
	uint32_t *oif;
	int left;

	mnl_attr_for_each(attr, msg, sizeof(struct rtmsg)) {
		if (mnl_attr_get_type(attr) == RTA_OIF) {
			oif = mnl_attr_get_payload(attr);
			*oif = *oif == from ? to : *oif;
		}
		if (mnl_attr_get_type(attr) != RTA_MULTIPATH)
			continue;
		hop = mnl_attr_get_payload(attr);
		for (left = mnl_attr_get_payload_len(attr); RTNH_OK(hop, left); left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
			hop->rtnh_ifindex = hop->rtnh_ifindex == (int)from ? (int)to : hop->rtnh_ifindex;
	}
}

void nvi_routes_restore(struct daemon *d)
{
	struct nvi_routes *r = d->nvi.routes;
	struct nlmsghdr *msg;
	struct rtmsg *rt;
	size_t i;
	int err;

	for (i = 0; r && i < r->n; i++) {
		msg = r->list[i].msg;
		rt = mnl_nlmsg_get_payload(msg);
		rt->rtm_flags &= RTNH_F_ONLINK;
		msg->nlmsg_type = RTM_NEWROUTE;
		msg->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
		redirect_ways(msg, r->nvi, d->nvi.ifindex);
		err = nl_talk(&d->nl, msg, NULL, NULL, NULL);
		if (err && err != -EEXIST)
			log_err("a route to %s cannot be made again: %s", d->nvi.name, strerror(-err));
	}
	nvi_routes_follow(d);
}

void nvi_routes_free(struct nvi *nvi)
{
	if (nvi->routes)
		clear(nvi->routes);
	free(nvi->routes);
	nvi->routes = NULL;
}

void nvi_routes_remove(struct nl *nl, unsigned int number)
{
	struct nvi_routes r = { .table = own_table(number) };
	size_t i;

	change_rules(nl, number, false);
	if (!dump(nl, take_led, clear, &r))
		for (i = 0; i < r.n_own; i++)
			delete_own(nl, &r.own[i], r.table);
	clear(&r);
}

int nvi_routes_check(struct nl *nl, uint32_t ifindex, unsigned int number, nvi_route_fn fn, void *arg)
{
	struct nvi_routes r = { .nvi = ifindex, .table = own_table(number) };
	int err = read_all(nl, &r);
	size_t i;

	for (i = 0; !err && i < r.n; i++)
		if (!r.list[i].instead)
			fn(r.list[i].told.dst, r.list[i].told.len, r.list[i].told.table, arg);
	clear(&r);
	return err;
}
