/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * routes.c - see routes.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/outside.h"
#include "daemon/routes.h"
#include "daemon/state.h"
#include "lib/addr.h"
#include "lib/log.h"
#include "lib/netlink.h"

struct routes {
	struct route_list wanted;
	struct route_list blocked;	/* where somebody else's route is */
	uint32_t ifindex;		/* nvi0 when the routes were made; 0: there was none, or it was down */
	bool again;			/* something has happened to a wanted one */
	uint64_t advice;		/* hash of what the operator was told last */
};

/* Lists */

static int compare(const void *a, const void *b)
{
	const struct route4 *x = a, *y = b;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (int)x->len - (int)y->len;
}

static int append(struct route_list *routes, struct route4 route)
{
	struct route4 *more;

	if (!(routes->n & (routes->n - 1))) {
		more = realloc(routes->list, (routes->n ? 2 * routes->n : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		routes->list = more;
	}
	routes->list[routes->n++] = route;
	return 0;
}

/* In order, and none twice. */
static void sort(struct route_list *routes)
{
	size_t i, n = 0;

	if (routes->n)
		qsort(routes->list, routes->n, sizeof(*routes->list), compare);
	for (i = 0; i < routes->n; i++)
		if (!n || compare(&routes->list[n - 1], &routes->list[i]))
			routes->list[n++] = routes->list[i];
	routes->n = n;
}

bool route_list_has(const struct route_list *routes, const struct route4 *route)
{
	return routes->n && bsearch(route, routes->list, routes->n, sizeof(*routes->list), compare);
}

void route_list_free(struct route_list *routes)
{
	free(routes->list);
	memset(routes, 0, sizeof(*routes));
}

static bool same(const struct route_list *a, const struct route_list *b)
{
	size_t i;

	for (i = 0; a->n == b->n && i < a->n; i++)
		if (compare(&a->list[i], &b->list[i]))
			return false;
	return a->n == b->n;
}

/* What is asked for */

/* Routing table of zone number n of the configuration; 0: it has none now. */
static uint32_t table_of(const struct config *config, const struct links *links, size_t n)
{
	const struct cfg_zone *zone = &config->zones[n];
	const struct link *vrf = zone->vrf[0] ? links_by_name(links, zone->vrf) : NULL;

	return vrf ? vrf->vrf_table : zone->table;
}

static int add_range(struct route_list *routes, uint32_t table, const struct outside *o)
{
	struct route4 route = { .table = table };
	uint64_t at;
	int err = 0;

	for (at = o->lo; at <= o->hi && !err; at += 1ull << (32 - route.len)) {
		route.addr = (uint32_t)at;
		route.len = outside_prefix(route.addr, o->hi);
		err = append(routes, route);
	}
	return err;
}

/* In the main table, if not just some other zones see it; those have it in theirs. */
static int add_outside(struct route_list *routes, const struct config *config, const struct links *links, const struct outside *o)
{
	bool all = o->zones == config_zones(config);
	uint32_t table;
	size_t i;
	int err = o->zones & CFG_GLOBAL_ZONE ? add_range(routes, RT_TABLE_MAIN, o) : 0;

	for (i = 0; i < config->n_zones && !all && !err; i++) {
		table = o->zones & CFG_GLOBAL_ZONE << (i + 1) ? table_of(config, links, i) : 0;
		if (table)
			err = add_range(routes, table, o);
	}
	return err;
}

int routes_wanted(const struct config *config, const struct links *links, struct route_list *out)
{
	struct outsides outsides;
	size_t i;
	int err = outside_list(config, links, &outsides);

	memset(out, 0, sizeof(*out));
	for (i = 0; !err && i < outsides.n; i++)
		err = add_outside(out, config, links, &outsides.list[i]);
	outside_free(&outsides);
	sort(out);
	if (err)
		route_list_free(out);
	return err;
}

/* The kernel's */

struct seen {
	struct route4 route;
	uint32_t oif;
	bool has_source;
};

static int route_attr(const struct nlattr *attr, void *arg)
{
	struct seen *seen = arg;

	switch (mnl_attr_get_type(attr)) {
	case RTA_TABLE:
		seen->route.table = mnl_attr_get_u32(attr);
		break;
	case RTA_DST:
		seen->route.addr = ntohl(mnl_attr_get_u32(attr));
		break;
	case RTA_OIF:
		seen->oif = mnl_attr_get_u32(attr);
		break;
	case RTA_PREFSRC:
		seen->has_source = true;
		break;
	}
	return MNL_CB_OK;
}

static struct seen read_route(const struct nlmsghdr *msg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(msg);
	struct seen seen = { .route = { .table = rtm->rtm_table, .len = rtm->rtm_dst_len } };

	mnl_attr_parse(msg, sizeof(*rtm), route_attr, &seen);
	return seen;
}

struct present {
	struct route_list *out;
	uint32_t ifindex;
};

static int take_route(const struct nlmsghdr *msg, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(msg);
	struct present *present = arg;
	struct seen seen;

	if (msg->nlmsg_type != RTM_NEWROUTE || rtm->rtm_family != AF_INET || rtm->rtm_protocol != ROUTES_PROTO)
		return 0;
	seen = read_route(msg);
	/* with a source it is the box's own on a wire (wire_host.h) */
	return seen.oif == present->ifindex && !seen.has_source ? append(present->out, seen.route) : 0;
}

static void forget_routes(void *arg)
{
	((struct present *)arg)->out->n = 0;
}

int routes_present(uint32_t ifindex, struct route_list *out)
{
	struct present present = { .out = out, .ifindex = ifindex };
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg;
	struct rtmsg *rtm;
	struct nl nl;
	int on = 1, err = nl_open(&nl, NETLINK_ROUTE);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	/* Strict: the kernel picks by protocol, and a full table of the Internet is not copied out for nothing. */
	mnl_socket_setsockopt(nl.sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	msg = nl_put(buf, RTM_GETROUTE, NLM_F_DUMP);
	rtm = mnl_nlmsg_put_extra_header(msg, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_protocol = ROUTES_PROTO;
	err = nl_talk(&nl, msg, take_route, forget_routes, &present);
	nl_close(&nl);
	sort(out);
	if (err)
		route_list_free(out);
	return err;
}

static int change(struct nl *nl, uint16_t type, uint16_t flags, uint32_t ifindex, const struct route4 *route)
{
	char buf[MNL_NLMSG_HDRLEN + 256] __attribute__((aligned(8)));
	struct nlmsghdr *msg = nl_put(buf, type, flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(msg, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = route->len;
	rtm->rtm_table = route->table < 256 ? (unsigned char)route->table : RT_TABLE_UNSPEC;
	rtm->rtm_protocol = ROUTES_PROTO;
	rtm->rtm_scope = RT_SCOPE_LINK;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(msg, RTA_DST, htonl(route->addr));
	mnl_attr_put_u32(msg, RTA_TABLE, route->table);
	mnl_attr_put_u32(msg, RTA_OIF, ifindex);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static int add(struct nl *nl, uint32_t ifindex, const struct route4 *route)
{
	return change(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, route);
}

/* One that has gone already is no error. */
static int withdraw(struct nl *nl, uint32_t ifindex, const struct route4 *route)
{
	int err = change(nl, RTM_DELROUTE, 0, ifindex, route);

	return err == -ESRCH ? 0 : err;
}

int routes_withdraw(uint32_t ifindex)
{
	struct route_list present;
	struct nl nl;
	size_t i;
	int err = nl_open(&nl, NETLINK_ROUTE), one;

	if (err)
		return err;
	err = routes_present(ifindex, &present);
	for (i = 0; i < present.n; i++) {
		one = withdraw(&nl, ifindex, &present.list[i]);
		if (!err)
			err = one;
	}
	route_list_free(&present);
	nl_close(&nl);
	return err;
}

/* Making the one the other */

static void say_blocked(struct routes *r, struct route_list *blocked, const struct route4 *route)
{
	char text[ADDR_TEXT_LEN];

	if (!route_list_has(&r->blocked, route))
		log_warn("%s: a route of somebody else's to exactly this prefix is in table %u: it is left alone, and none of natvi's "
			 "is beside it", addr_print_prefix4(route->addr, route->len, text), route->table);
	append(blocked, *route);
}

static void say_failed(const char *what, const struct route4 *route, int err)
{
	char text[ADDR_TEXT_LEN];

	log_err("the route to %s by nvi0 cannot be %s: %s", addr_print_prefix4(route->addr, route->len, text), what, strerror(-err));
}

/* New ones first: what moves from one prefix to another is never without a route. Returns how many changes failed. */
static int sync_routes(struct daemon *d, const struct route_list *present)
{
	struct routes *r = d->routes;
	struct route_list blocked = { 0 };
	const struct route4 *route;
	size_t i, added = 0, removed = 0;
	int failed = 0, err;

	for (i = 0; i < r->wanted.n; i++) {
		route = &r->wanted.list[i];
		err = route_list_has(present, route) ? 0 : add(&d->nl, r->ifindex, route);
		if (err == -EEXIST)
			say_blocked(r, &blocked, route);
		else if (err && !failed++)
			say_failed("made", route, err);
		added += !err && !route_list_has(present, route);
	}
	for (i = 0; i < present->n; i++) {
		route = &present->list[i];
		err = route_list_has(&r->wanted, route) ? 0 : withdraw(&d->nl, r->ifindex, route);
		if (err && !failed++)
			say_failed("withdrawn", route, err);
		removed += !err && !route_list_has(&r->wanted, route);
	}
	route_list_free(&r->blocked);
	r->blocked = blocked;
	if (added || removed)
		log_info("routes to outside addresses by nvi0: %zu made, %zu withdrawn", added, removed);
	return failed;
}

int routes_open(struct daemon *d)
{
	d->routes = calloc(1, sizeof(*d->routes));
	if (!d->routes)
		return -ENOMEM;
	routes_follow(d);
	return 0;
}

void routes_close(struct daemon *d)
{
	if (!d->routes)
		return;
	route_list_free(&d->routes->wanted);
	route_list_free(&d->routes->blocked);
	free(d->routes);
	d->routes = NULL;
}

/* nvi0 as it is now; NULL: it cannot have routes. */
static const struct link *device(const struct daemon *d)
{
	const struct link *link = links_by_index(&d->links, d->tables->control->nvi_ifindex);

	return link && (link->flags & IFF_UP) ? link : NULL;
}

/* What routers need to know; told when it changes. Interfaces that are waited for are said by the engine. */

static void hash_advice(const char *subject, const char *text, void *arg)
{
	uint64_t *hash = arg;
	const char *at;

	for (at = subject; *at; at++)
		*hash = (*hash ^ (unsigned char)*at) * 0x100000001b3ull;
	for (at = text; *at; at++)
		*hash = (*hash ^ (unsigned char)*at) * 0x100000001b3ull;
}

static void log_advice(const char *subject, const char *text, void *arg)
{
	if (strcmp(subject, "interfaces"))
		log_info("%s: %s", subject, text);
}

static void advise(struct daemon *d)
{
	uint64_t hash = 0;

	outside_advise(d->config, &d->links, hash_advice, &hash);
	if (hash != d->routes->advice)
		outside_advise(d->config, &d->links, log_advice, NULL);
	d->routes->advice = hash;
}

/* Addresses that are in no pool any more, and that sessions still have. */
static int add_former(const struct daemon *d, struct route_list *wanted)
{
	const struct plan_addr *former;
	struct route4 route;
	size_t i;
	int err = 0;

	for (i = 0; i < d->n_former && !err; i++) {
		former = &d->former[i];
		route = (struct route4){ .table = former->zone ? d->plan.zones[former->zone].table : RT_TABLE_MAIN,
					 .addr = former->addr, .len = 32 };
		if (route.table && !links_owns4(&d->links, former->addr))
			err = append(wanted, route);
	}
	sort(wanted);
	return err;
}

void routes_follow(struct daemon *d)
{
	const struct link *link = device(d);
	struct routes *r = d->routes;
	struct route_list wanted, present;
	int err;

	if (!r || routes_wanted(d->config, &d->links, &wanted))
		return;
	if (add_former(d, &wanted)) {
		route_list_free(&wanted);
		return;
	}
	advise(d);
	if (!r->again && r->ifindex == (link ? link->ifindex : 0) && same(&r->wanted, &wanted)) {
		route_list_free(&wanted);
		return;
	}
	route_list_free(&r->wanted);
	r->wanted = wanted;
	r->again = false;
	r->ifindex = link ? link->ifindex : 0;
	if (!link)
		return;
	err = routes_present(r->ifindex, &present);
	if (err)
		log_err("routes by nvi0 cannot be read: %s", strerror(-err));
	else
		r->again = sync_routes(d, &present);
	route_list_free(&present);
}

bool routes_event(struct daemon *d, const struct nlmsghdr *msg)
{
	const struct rtmsg *rtm = msg ? mnl_nlmsg_get_payload(msg) : NULL;
	struct seen seen;

	if (!d->routes)
		return false;
	if (!rtm)
		return d->routes->again = true;
	if (rtm->rtm_family != AF_INET)
		return false;
	if (msg->nlmsg_type == RTM_NEWROUTE && rtm->rtm_protocol == ROUTES_PROTO)
		return false;
	seen = read_route(msg);
	if (!route_list_has(&d->routes->wanted, &seen.route))
		return false;
	d->routes->again = true;
	return true;
}
