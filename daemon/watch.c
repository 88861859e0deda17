/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * watch.c - see watch.h.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/caps.h"
#include "daemon/announce.h"
#include "daemon/guard.h"
#include "daemon/neigh.h"
#include "daemon/park.h"
#include "daemon/routes.h"
#include "daemon/state.h"
#include "daemon/watch.h"
#include "daemon/zone_rules.h"
#include "lib/log.h"

#define GATHER_S	0.010
#define SCAN_S		0.050
/* From kernel 6.13 and 6.15 on; Debian 12's headers do not know them. */
#define FRA_DSCP_	25
#define FRA_DSCP_MASK_	30

struct watch {
	struct daemon *d;
	struct neighbours *neighbours;
	struct mnl_socket *route, *xfrm, *nft;	/* xfrm, nft NULL: this kernel has none */
	ev_io route_io, xfrm_io, nft_io;
	ev_timer gather, scan;
	bool links, filters, rules, policies, generation, tables, outside, nvi, nvi_routes, host, all;
	bool mark_rules, ipsec;
};

/*
 * What the routing rules ask for. A rule that only looks at where a packet came in, where it goes and what it carries
 * gives one answer to both look-ups; a rule that looks at the source may not.
 */
struct rules_seen {
	bool marks;		/* some rule asks for a mark */
	bool own;		/* some rule asks for the source, or something that is not known here */
	bool tos;
	/* of the rule under work */
	bool marked, natvi, strange, dscp;
};

static int rule_attr(const struct nlattr *attr, void *arg)
{
	struct rules_seen *seen = arg;

	switch (mnl_attr_get_type(attr)) {
	case FRA_FWMARK:
	case FRA_FWMASK:
		seen->marked |= mnl_attr_get_u32(attr);
		break;
	case FRA_PROTOCOL:
		seen->natvi = mnl_attr_get_u8(attr) == NL_PROTOCOL;
		break;
	case FRA_DSCP_:
	case FRA_DSCP_MASK_:
		seen->dscp = true;
		break;
	case FRA_DST: case FRA_IIFNAME: case FRA_OIFNAME: case FRA_PRIORITY: case FRA_TABLE: case FRA_GOTO:
	case FRA_L3MDEV: case FRA_SUPPRESS_PREFIXLEN: case FRA_SUPPRESS_IFGROUP: case FRA_IP_PROTO:
		break;
	default:
		seen->strange = true;
	}
	return MNL_CB_OK;
}

static int take_rule(const struct nlmsghdr *msg, void *arg)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(msg);
	struct rules_seen *seen = arg;

	if (msg->nlmsg_type != RTM_NEWRULE)
		return 0;
	seen->marked = seen->natvi = seen->strange = seen->dscp = false;
	mnl_attr_parse(msg, sizeof(*rule), rule_attr, seen);
	if (seen->natvi)
		return 0;
	seen->marks |= seen->marked;
	seen->tos |= seen->dscp || rule->tos;
	seen->own |= seen->strange || rule->src_len;
	return 0;
}

/* When in doubt, the kernel decides. */
static struct rules_seen read_rules(struct daemon *d)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(msg, sizeof(*rule));
	struct rules_seen seen = { 0 };

	rule->family = AF_INET;
	if (nl_talk(&d->nl, msg, take_rule, NULL, &seen))
		return (struct rules_seen){ .marks = true, .own = true, .tos = true };
	return seen;
}

/* IPsec policies for packets that leave or pass. */

static int take_policy(const struct nlmsghdr *msg, void *arg)
{
	const struct xfrm_userpolicy_info *info = mnl_nlmsg_get_payload(msg);

	if (msg->nlmsg_type == XFRM_MSG_NEWPOLICY && (info->dir == XFRM_POLICY_OUT || info->dir == XFRM_POLICY_FWD))
		*(bool *)arg = true;
	return 0;
}

static bool read_ipsec(void)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, XFRM_MSG_GETPOLICY, NLM_F_DUMP);
	bool found = false;
	struct nl nl;

	mnl_nlmsg_put_extra_header(msg, sizeof(struct xfrm_userpolicy_id));
	if (nl_open(&nl, NETLINK_XFRM))
		return false;	/* a kernel without IPsec */
	nl_talk(&nl, msg, take_policy, NULL, &found);
	nl_close(&nl);
	return found;
}

/* Returns true when flows have to change roads. */
static bool read_policy(struct watch *w, bool rules, bool policies)
{
	bool before = w->d->policy, one_route = w->d->one_route, mark_routes = w->d->mark_routes;
	struct rules_seen seen;

	if (rules) {
		seen = read_rules(w->d);
		w->mark_rules = !kernel_honours_mark() && seen.marks;
		w->d->mark_routes = kernel_honours_mark() && seen.marks;
		w->d->one_route = !seen.own;
		tables_flags(w->d->tables, CONTROL_TOS, seen.tos ? CONTROL_TOS : 0);
	}
	if (policies)
		w->ipsec = read_ipsec();
	w->d->policy = w->mark_rules || w->ipsec;
	if (before != w->d->policy)
		log_info(w->d->policy ? "%s exist: flows take the kernel's road" : "flows take the fast road%s",
			 w->ipsec ? "IPsec policies" : w->d->policy ? "mark rules" : "");
	return before != w->d->policy || one_route != w->d->one_route || mark_routes != w->d->mark_routes;
}

/* Acting */

static void apply(struct watch *w)
{
	char err[512];
	int ret = engine_apply(w->d, NULL, err, sizeof(err));

	if (ret)
		log_err("the change of interfaces or addresses cannot be followed: %s", err);
}

static void on_gather(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct watch *w = timer->data;
	bool changed, outside, links = w->links || w->all, generation = w->generation || w->all;

	ev_timer_stop(loop, timer);
	if (w->all) {
		log_debug("events were lost; reading everything again");
		neigh_read(w->neighbours, &changed);
	}
	if ((w->rules || w->all) && zone_rules_make(&w->d->nl, w->d->config, &w->d->plan) > 0)
		log_warn("routing rules of zones were gone; they are made again");
	if (w->rules || w->policies || w->all)
		links |= read_policy(w, w->rules || w->all, w->policies || w->all);
	if (w->tables || w->all)
		guard_restore(w->d);
	if (w->filters || w->all)
		links |= engine_verify(w->d);
	if (w->links || w->filters || w->all)
		park_verify(w->d);
	outside = w->outside || w->nvi || w->all;
	if (w->nvi || w->all)
		routes_event(w->d, NULL);
	if (w->nvi || w->links || w->filters || w->all)
		links |= nvi_verify(w->d);
	if (w->nvi_routes || w->links || w->all)	/* with a link its routes go without a word */
		nvi_routes_follow(w->d);
	if (w->host || w->all)
		wire_host_follow(w->d, true);
	w->links = w->filters = w->rules = w->policies = w->generation = w->tables = w->outside = false;
	w->nvi = w->nvi_routes = w->host = w->all = false;
	if (links)
		apply(w);
	if (outside)
		routes_follow(w->d);
	if (generation)
		engine_new_generation(w->d);
}

static void on_scan(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct watch *w = timer->data;

	neigh_scan(w->neighbours, w->d->tables->maps, maps_now_s());
}

/* `nft flush ruleset` takes natvi's table with it. */
#define DELETED_TABLE	(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE)

static void hear(struct watch *w, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *info;
	const struct tcmsg *tc;

	w->host |= wire_host_hear(w->d, msg);
	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
		announce_event(w->d, msg);
		/* fall through */
	case RTM_DELLINK:
		info = mnl_nlmsg_get_payload(msg);
		if (nvi_owns(w->d, (uint32_t)info->ifi_index))
			w->nvi = true;
		else
			w->links = true;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		w->links = true;
		break;
	case RTM_NEWQDISC:	/* a shaper comes or goes: no event of the link tells it */
	case RTM_DELQDISC:
		tc = mnl_nlmsg_get_payload(msg);
		w->links |= tc->tcm_parent == TC_H_ROOT;
		w->filters |= msg->nlmsg_type == RTM_DELQDISC;
		break;
	case RTM_DELTFILTER:
		w->filters = true;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		w->outside |= routes_event(w->d, msg);
		w->generation = true;
		w->nvi_routes |= nvi_routes_hear(w->d, msg);
		break;
	case RTM_NEWNEXTHOP:	/* an object of `ip nexthop`; its routes need not be told of apart */
	case RTM_DELNEXTHOP:
		w->generation = true;
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		w->rules = true;
		w->nvi_routes |= nvi_routes_hear(w->d, msg);
		w->generation = true;
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		w->generation |= neigh_event(w->neighbours, msg);
		break;
	}
}

typedef void (*hear_fn)(struct watch *w, const struct nlmsghdr *msg);

static void hear_xfrm(struct watch *w, const struct nlmsghdr *msg)
{
	w->policies = true;
}

static void hear_nft(struct watch *w, const struct nlmsghdr *msg)
{
	w->tables |= msg->nlmsg_type == DELETED_TABLE;
}

/* All that waits in a socket. */
static void drain_socket(struct watch *w, struct mnl_socket *sock, hear_fn fn)
{
	static char buf[NL_BUF_BYTES];
	const struct nlmsghdr *msg;
	ssize_t got;
	int len;

	for (;;) {
		got = mnl_socket_recvfrom(sock, buf, sizeof(buf));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			if (errno != EAGAIN)
				w->all = true;	/* ENOBUFS: more came than there was room for */
			if (errno == ENOBUFS)
				continue;
			break;
		}
		len = (int)got;
		for (msg = (void *)buf; mnl_nlmsg_ok(msg, len); msg = mnl_nlmsg_next(msg, &len))
			fn(w, msg);
	}
	if ((w->links || w->filters || w->rules || w->policies || w->generation || w->tables || w->nvi || w->host || w->all) && !ev_is_active(&w->gather)) {
		ev_timer_set(&w->gather, GATHER_S, 0);
		ev_timer_start(w->d->loop, &w->gather);
	}
}

static void on_route(struct ev_loop *loop, ev_io *io, int events)
{
	struct watch *w = io->data;

	drain_socket(w, w->route, hear);
}

static void on_xfrm(struct ev_loop *loop, ev_io *io, int events)
{
	struct watch *w = io->data;

	drain_socket(w, w->xfrm, hear_xfrm);
}

static void on_nft(struct ev_loop *loop, ev_io *io, int events)
{
	struct watch *w = io->data;

	drain_socket(w, w->nft, hear_nft);
}

/* Life-cycle */

int watch_open(struct daemon *d)
{
	static const unsigned int route_groups[] = {
		RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_NEIGH,
		RTNLGRP_TC, RTNLGRP_NEXTHOP, 0
	};
	static const unsigned int xfrm_groups[] = { XFRMNLGRP_POLICY, 0 };
	static const unsigned int nft_groups[] = { NFNLGRP_NFTABLES, 0 };
	struct watch *w = calloc(1, sizeof(*w));
	bool changed;
	int err;

	if (!w)
		return -ENOMEM;
	d->watch = w;
	w->d = d;
	w->neighbours = neigh_new(&d->nl);
	err = w->neighbours ? nl_listen(&w->route, NETLINK_ROUTE, route_groups) : -ENOMEM;
	if (err) {
		log_err("cannot listen to changes of routes and links: %s", strerror(-err));
		return err;
	}
	if (nl_listen(&w->xfrm, NETLINK_XFRM, xfrm_groups))
		w->xfrm = NULL;
	if (nl_listen(&w->nft, NETLINK_NETFILTER, nft_groups))
		w->nft = NULL;
	err = neigh_read(w->neighbours, &changed);
	if (err) {
		log_err("cannot read the neighbours: %s", strerror(-err));
		return err;
	}
	read_policy(w, true, true);
	nvi_routes_follow(d);
	return 0;
}

static void listen_to(struct watch *w, ev_io *io, struct mnl_socket *sock, void (*fn)(struct ev_loop *, ev_io *, int))
{
	if (!sock)
		return;
	ev_io_init(io, fn, mnl_socket_get_fd(sock), EV_READ);
	io->data = w;
	ev_io_start(w->d->loop, io);
}

void watch_start(struct daemon *d)
{
	struct watch *w = d->watch;

	ev_init(&w->gather, on_gather);
	w->gather.data = w;
	ev_timer_init(&w->scan, on_scan, SCAN_S, SCAN_S);
	w->scan.data = w;
	ev_timer_start(d->loop, &w->scan);
	listen_to(w, &w->route_io, w->route, on_route);
	listen_to(w, &w->xfrm_io, w->xfrm, on_xfrm);
	listen_to(w, &w->nft_io, w->nft, on_nft);
}

void watch_close(struct daemon *d, bool release)
{
	struct watch *w = d->watch;

	if (!w)
		return;
	neigh_free(w->neighbours, release);
	if (w->route)
		mnl_socket_close(w->route);
	if (w->xfrm)
		mnl_socket_close(w->xfrm);
	if (w->nft)
		mnl_socket_close(w->nft);
	free(w);
	d->watch = NULL;
}

struct neighbours *watch_neighbours(struct daemon *d)
{
	return d->watch->neighbours;
}
