/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * expects.c - see expects.h.
 *
 * An announcement goes with the first packet of its connection, which conntrack then marks as expected: a dump of those
 * alone tells which are alive.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bits.h"
#include "daemon/expects.h"
#include "daemon/mappings.h"
#include "daemon/session.h"
#include "daemon/state.h"
#include "lib/addr.h"
#include "lib/log.h"

#define MAX_EXPECTS	(NATVI_EXPECTED / 2)
#define GRACE_S		3	/* between an announcement and the dump that shows its connection */

struct expect {
	struct tuple to;		/* the connection as it begins; sport 0: any. Key in the datapath's table */
	struct tuple back;		/* its answers; dport 0: any. proto 0: none are known */
	bool any_source;		/* then it has no keys, only a port */
	bool withheld;			/* to.dport of to.dst is kept from NAT */
	bool pending;			/* the announcement stands */
	uint32_t since_s;		/* when it was heard of */
	uint32_t seen_s;		/* when it, or its connection, was seen last */
};

struct expects {
	struct daemon *d;
	struct nfct_handle *events;	/* announcements, as they come */
	struct nfct_handle *wake;	/* the kernel tells of them only where somebody listens to connections, too */
	struct nfct_handle *queries;	/* announcements now */
	struct nfct_handle *connections;
	ev_io io;
	struct expect *list;
	size_t n;
	uint32_t now_s;
	bool full;			/* said */
	bool ending;			/* no rule has the kernel help any more: until what there is has ended */
};

/* What the kernel says */

static union addr addr_of(const struct nf_conntrack *ct, enum nf_conntrack_attr attr)
{
	return addr_from4(ntohl(nfct_get_attr_u32(ct, attr)));
}

static int keep_outside(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *arg)
{
	*(union addr *)arg = addr_of(ct, ATTR_REPL_IPV4_DST);
	return NFCT_CB_CONTINUE;
}

/* The address that its master was translated to. False: that is gone. */
static bool master_outside(struct expects *x, const struct nf_conntrack *master, union addr *outside)
{
	memset(outside, 0, sizeof(*outside));
	nfct_callback_register(x->connections, NFCT_T_ALL, keep_outside, outside);
	return !nfct_query(x->connections, NFCT_Q_GET, master) && outside->word[3];
}

static const struct plan_addr *own_addr(const struct daemon *d, const union addr *addr)
{
	const struct plan_addr *own = plan_find_addr(&d->plan, addr_to4(addr), 0);

	return own && (own->flags & ADDR_LOCAL) ? own : NULL;
}

/* It comes in for an address of the box: the answers are the inside host's, by its own address and port. */
static void set_inbound(struct expect *e, const struct nf_expect *exp, const struct nf_conntrack *master)
{
	const struct nf_conntrack *nat = nfexp_attr_is_set(exp, ATTR_EXP_NAT_TUPLE) ? nfexp_get_attr(exp, ATTR_EXP_NAT_TUPLE) : NULL;

	e->back = (struct tuple){ .src = addr_of(master, ATTR_ORIG_IPV4_SRC), .dst = e->to.src, .sport = e->to.dport, .proto = e->to.proto };
	if (nat && nfct_attr_is_set(nat, ATTR_ORIG_IPV4_SRC) && nfct_get_attr_u32(nat, ATTR_ORIG_IPV4_SRC))
		e->back.src = addr_of(nat, ATTR_ORIG_IPV4_SRC);
	if (nat && nfct_attr_is_set(nat, ATTR_ORIG_PORT_SRC) && nfct_get_attr_u16(nat, ATTR_ORIG_PORT_SRC))
		e->back.sport = nfct_get_attr_u16(nat, ATTR_ORIG_PORT_SRC);
}

/* It goes out, by its master's outside address. False: NAT shares that, so it is natvi's. */
static bool set_outbound(struct expects *x, struct expect *e, const struct nf_conntrack *master)
{
	const struct plan_addr *own;
	union addr outside;

	if (!master_outside(x, master, &outside))
		return false;
	own = own_addr(x->d, &outside);
	if (own && own->slot != SLOT_NONE)
		return false;
	e->back = (struct tuple){ .src = e->to.dst, .dst = outside, .sport = e->to.dport, .proto = e->to.proto };
	return true;
}

static bool has_tuple(const struct nf_conntrack *ct)
{
	return ct && nfct_attr_is_set(ct, ATTR_ORIG_IPV4_SRC) && nfct_attr_is_set(ct, ATTR_ORIG_IPV4_DST);
}

static bool read_to(struct expect *e, const struct nf_expect *exp)
{
	const struct nf_conntrack *ct = nfexp_get_attr(exp, ATTR_EXP_EXPECTED), *mask = nfexp_get_attr(exp, ATTR_EXP_MASK);

	if (!has_tuple(ct) || !mask || !nfct_attr_is_set(ct, ATTR_ORIG_PORT_DST))
		return false;
	e->to = (struct tuple){ .src = addr_of(ct, ATTR_ORIG_IPV4_SRC), .dst = addr_of(ct, ATTR_ORIG_IPV4_DST),
				.dport = nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST), .proto = nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO) };
	e->any_source = nfct_get_attr_u32(mask, ATTR_ORIG_IPV4_SRC) != UINT32_MAX;
	return e->to.proto == IPPROTO_TCP || e->to.proto == IPPROTO_UDP;
}

/* False: it does not matter to natvi. */
static bool read_expect(struct expects *x, struct expect *e, const struct nf_expect *exp)
{
	const struct nf_conntrack *master = nfexp_get_attr(exp, ATTR_EXP_MASTER);
	const struct plan_addr *own;

	memset(e, 0, sizeof(*e));
	if (!has_tuple(master) || !read_to(e, exp))
		return false;
	own = own_addr(x->d, &e->to.dst);
	if (!own)
		return !e->any_source && set_outbound(x, e, master);
	e->withheld = own->slot != SLOT_NONE;
	if (!e->any_source)
		set_inbound(e, exp, master);
	return true;
}

/* What natvi does with it */

/* The value of a beginning is its answers' key, so that the next daemon finds both. */
static void write_keys(struct expects *x, const struct expect *e)
{
	const int map = x->d->tables->map[TABLE_EXPECTED];
	const struct tuple none = { 0 };

	if (e->any_source)
		return;
	if (bpf_map_update_elem(map, &e->to, &e->back, BPF_ANY) || (e->back.proto && bpf_map_update_elem(map, &e->back, &none, BPF_ANY)))
		log_debug("no room for an announced connection");
	tables_flags(x->d->tables, 0, CONTROL_EXPECT);
}

static void remove_keys(struct expects *x, const struct expect *e)
{
	const int map = x->d->tables->map[TABLE_EXPECTED];

	if (e->any_source)
		return;
	bpf_map_delete_elem(map, &e->to);
	if (e->back.proto)
		bpf_map_delete_elem(map, &e->back);
}

/* What a daemon before this one has written down. */
static void read_keys(struct expects *x)
{
	const int map = x->d->tables->map[TABLE_EXPECTED];
	const struct plan_addr *own;
	struct tuple key, *last = NULL, back;
	struct expect *e;

	for (; x->n < MAX_EXPECTS && !bpf_map_get_next_key(map, last, &key); last = &key) {
		if (bpf_map_lookup_elem(map, &key, &back) || !back.proto)
			continue;
		own = own_addr(x->d, &key.dst);
		e = &x->list[x->n++];
		*e = (struct expect){ .to = key, .back = back, .withheld = own && own->slot != SLOT_NONE, .seen_s = maps_now_s() };
	}
}

static int compare_ports(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct listener));
}

/* The plan's list of announced ports, as it is by now. Null without memory: the old one stays. */
static struct listener *list_ports(const struct expects *x, size_t *n)
{
	struct listener *list = calloc(x->n + 1, sizeof(*list));
	size_t i;

	for (i = *n = 0; list && i < x->n; i++)
		if (x->list[i].withheld)
			list[(*n)++] = (struct listener){ .addr = addr_to4(&x->list[i].to.dst), .port = ntohs(x->list[i].to.dport),
							  .proto = x->list[i].to.proto };
	if (list && *n)
		qsort(list, *n, sizeof(*list), compare_ports);
	return list;
}

static void follow_ports(struct expects *x, bool release)
{
	struct daemon *d = x->d;
	struct plan was = d->plan;
	size_t n;
	struct listener *list = list_ports(x, &n);

	if (!list)
		return;
	d->plan.expected = (struct listeners){ .list = list, .n = n };
	bits_take(d->tables, &d->plan, &d->slots, ADDR_LOCAL);
	if (release && bits_release(d->tables, &was, &d->plan, ADDR_LOCAL))
		log_err("ports of announced connections that have ended cannot be released");
	free(was.expected.list);
}

static struct expect *find(struct expects *x, const struct tuple *to)
{
	size_t i;

	for (i = 0; i < x->n; i++)
		if (!memcmp(&x->list[i].to, to, sizeof(*to)))
			return &x->list[i];
	return NULL;
}

/* Returns whether a port has been added. */
static bool add(struct expects *x, const struct expect *e)
{
	struct expect *known = find(x, &e->to);

	if (known) {
		known->pending = true;
		known->seen_s = x->now_s;
		return false;
	}
	if (x->n == MAX_EXPECTS) {
		if (!x->full)
			log_warn("helpers of the kernel's have announced %d connections at a time: what more they announce is not "
				 "kept from NAT", MAX_EXPECTS);
		x->full = true;
		return false;
	}
	x->list[x->n] = *e;
	x->list[x->n].pending = true;
	x->list[x->n].since_s = x->now_s;
	x->list[x->n++].seen_s = x->now_s;
	write_keys(x, e);
	return e->withheld;
}

static int take(enum nf_conntrack_msg_type type, struct nf_expect *exp, void *arg)
{
	struct expects *x = arg;
	struct expect e, *known;

	if (type & NFCT_T_DESTROY) {
		known = read_to(&e, exp) ? find(x, &e.to) : NULL;
		if (known)
			known->pending = false;
	} else if (read_expect(x, &e, exp) && add(x, &e)) {
		follow_ports(x, false);
	}
	return NFCT_CB_CONTINUE;
}

/* Who is alive */

static bool is_child_of(const struct expect *e, const struct nf_conntrack *ct)
{
	union addr src = addr_of(ct, ATTR_ORIG_IPV4_SRC), dst = addr_of(ct, ATTR_ORIG_IPV4_DST);

	return addr_equal(&e->to.dst, &dst) && e->to.dport == nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST) &&
	       e->to.proto == nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO) && (e->any_source || addr_equal(&e->to.src, &src));
}

static int see_child(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *arg)
{
	struct expects *x = arg;
	size_t i;

	if (!(nfct_get_attr_u32(ct, ATTR_STATUS) & IPS_EXPECTED))
		return NFCT_CB_CONTINUE;	/* before 5.15 the kernel tells of all */
	for (i = 0; i < x->n; i++)
		if (is_child_of(&x->list[i], ct))
			x->list[i].seen_s = x->now_s;
	return NFCT_CB_CONTINUE;
}

static int see_children(struct expects *x)
{
	const struct nfct_filter_dump_mark expected = { IPS_EXPECTED, IPS_EXPECTED };
	struct nfct_filter_dump *filter = nfct_filter_dump_create();
	int ret;

	if (!filter)
		return -1;
	nfct_filter_dump_set_attr(filter, NFCT_FILTER_DUMP_STATUS, &expected);
	nfct_filter_dump_set_attr_u8(filter, NFCT_FILTER_DUMP_L3NUM, AF_INET);
	nfct_callback_register(x->connections, NFCT_T_ALL, see_child, x);
	ret = nfct_query(x->connections, NFCT_Q_DUMP_FILTER, filter);
	nfct_filter_dump_destroy(filter);
	return ret;
}

static void forget(struct expects *x)
{
	bool released = false;
	size_t i, n = 0;

	for (i = 0; i < x->n; i++) {
		struct expect *e = &x->list[i];

		if (e->pending || x->now_s - e->seen_s < GRACE_S) {
			x->list[n++] = *e;
			continue;
		}
		released |= e->withheld;
		remove_keys(x, e);
	}
	x->n = n;
	if (!n)
		tables_flags(x->d->tables, CONTROL_EXPECT, 0);
	if (released)
		follow_ports(x, true);
}

/* Packets that were faster than the announcement */

/* Has NAT something for the host that answers? */
static bool has_mapping(const struct daemon *d, const struct tuple *t, uint8_t proto)
{
	struct mapping_key key = { .addr = t->src, .port = t->sport, .proto = proto, .kind = MAPPING_INSIDE };
	struct mapping m;
	size_t i;

	for (i = 0; i < d->plan.n_pools; i++) {
		key.pool = (uint8_t)i;
		if (d->plan.pools[i].name[0] && !mapping_look(d->tables, &key, &m))
			return true;
	}
	return false;
}

static bool is_answer(const struct session *session, void *arg, uint32_t *reason)
{
	const struct tuple *key = &session->orig.key, *back = arg;

	return !(session->orig.flags & FLOW_KERNELS) && addr_equal(&key->src, &back->src) && key->sport == back->sport &&
	       key->proto == back->proto && addr_equal(&key->dst, &back->dst);
}

/* A session that natvi made of the first answer would take all that follow: it ends, and what is sent again is the kernel's. */
static void end_overhasty(struct expects *x)
{
	const struct daemon *d = x->d;
	struct tuple *back;
	size_t i;

	for (i = 0; i < x->n; i++) {
		back = &x->list[i].back;
		if (x->now_s - x->list[i].since_s > GRACE_S || !back->sport || !back->proto)
			continue;
		if (has_mapping(d, back, back->proto) || has_mapping(d, back, 0))
			sessions_kill(d->tables, NULL, is_answer, back, END_RULE_GONE);
	}
}

void expects_tick(struct daemon *d)
{
	struct expects *x = d->expects;
	uint32_t family = AF_INET;
	size_t i;

	if (!x)
		return;
	x->now_s = maps_now_s();
	for (i = 0; i < x->n; i++)
		x->list[i].pending = false;
	if (nfexp_query(x->queries, NFCT_Q_DUMP, &family)) {
		for (i = 0; i < x->n; i++)
			x->list[i].pending = true;	/* not known: as they were */
		return;
	}
	end_overhasty(x);
	if (x->n && !see_children(x))
		forget(x);
	if (x->ending && !x->n)
		expects_close(d);
}

/* Life-cycle */

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
	struct expects *x = io->data;

	x->now_s = maps_now_s();
	nfexp_catch(x->events);	/* until nothing waits; what was lost, the next second finds */
}

/* Listen to the ends of connections, and hear none of them. */
static struct nfct_handle *open_wake(void)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = { 1, &nothing };
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	int group = NFNLGRP_CONNTRACK_DESTROY;

	if (!h)
		return NULL;
	if (!setsockopt(nfct_fd(h), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) &&
	    !setsockopt(nfct_fd(h), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return h;
	nfct_close(h);
	return NULL;
}

static void close_handle(struct nfct_handle *h)
{
	if (h)
		nfct_close(h);
}

static void expects_free(struct expects *x)
{
	close_handle(x->events);
	close_handle(x->wake);
	close_handle(x->queries);
	close_handle(x->connections);
	free(x->list);
	free(x);
}

static struct expects *begin(struct daemon *d)
{
	struct expects *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->d = d;
	x->list = calloc(MAX_EXPECTS, sizeof(*x->list));
	x->wake = open_wake();
	x->events = nfct_open(EXPECT, NF_NETLINK_CONNTRACK_EXP_NEW | NF_NETLINK_CONNTRACK_EXP_DESTROY);
	x->queries = nfct_open(EXPECT, 0);
	x->connections = nfct_open(CONNTRACK, 0);
	if (!x->list || !x->wake || !x->events || !x->queries || !x->connections) {
		expects_free(x);
		return NULL;
	}
	nfexp_callback_register(x->events, NFCT_T_ALL, take, x);
	nfexp_callback_register(x->queries, NFCT_T_ALL, take, x);
	fcntl(nfct_fd(x->events), F_SETFL, O_NONBLOCK);
	ev_io_init(&x->io, on_event, nfct_fd(x->events), EV_READ);
	x->io.data = x;
	ev_io_start(d->loop, &x->io);
	return x;
}

void expects_follow(struct daemon *d, bool on)
{
	if (d->expects) {
		d->expects->ending = !on;
		return;
	}
	d->expects = on ? begin(d) : NULL;
	if (!d->expects && on)
		log_err("conntrack does not tell of the connections that helpers announce (%s): active FTP and its like do not work; "
			"`modprobe nf_conntrack_netlink`", strerror(errno));
	if (!d->expects)
		return;
	read_keys(d->expects);
	if (d->expects->n)
		follow_ports(d->expects, false);
	expects_tick(d);
}

void expects_close(struct daemon *d)
{
	struct expects *x = d->expects;

	if (!x)
		return;
	ev_io_stop(d->loop, &x->io);
	expects_free(x);
	d->expects = NULL;
}
