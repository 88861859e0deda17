/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace_ask.c - questions of `natvi trace` to the kernel.
 *
 * Where a packet goes is asked by a test run of natvi_ask, that is by the functions that the datapath itself asks by: netlink
 * would check the source first (rp_filter, martians), and the datapath's look-up does not. Netlink says what that look-up keeps
 * to itself: table, type of the route, state of the neighbour. Where the box itself would send a packet netlink knows best.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ask.h"
#include "cli/trace.h"
#include "dp/pkt.h"
#include "lib/addr.h"
#include "lib/netlink.h"
#include "natvi_ask.skel.h"

struct asker {
	struct natvi_ask *program;
	struct nl nl;
	bool has_nl;
	char buf[NL_BUF_BYTES];
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

/* The tables that its object declares are not its business; only its own memory is made. */
static void leave_tables(struct natvi_ask *program)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, program->obj)
		if (!bpf_map__is_internal(map))
			bpf_map__set_autocreate(map, false);
}

struct asker *asker_open(char *err, size_t err_len)
{
	struct asker *a = calloc(1, sizeof(*a));
	int ret = -ENOMEM;

	if (!a)
		goto fail;
	libbpf_set_print(quiet);
	a->program = natvi_ask__open();
	if (!a->program) {
		ret = -errno;
		goto fail;
	}
	leave_tables(a->program);
	ret = natvi_ask__load(a->program);
	if (ret)
		goto fail;
	a->has_nl = !nl_open(&a->nl, NETLINK_ROUTE);
	return a;
fail:
	snprintf(err, err_len, "cannot load the program that asks the kernel for routes: %s", strerror(-ret));
	asker_close(a);
	return NULL;
}

void asker_close(struct asker *a)
{
	if (!a)
		return;
	if (a->has_nl)
		nl_close(&a->nl);
	natvi_ask__destroy(a->program);
	free(a);
}

static int ask(struct asker *a, uint32_t ifindex, struct ask *q)
{
	struct __sk_buff ctx = { .ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = q, .data_size_in = sizeof(*q), .data_out = q, .data_size_out = sizeof(*q),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);

	return bpf_prog_test_run_opts(bpf_program__fd(a->program->progs.natvi_ask), &opts) ? -errno : 0;
}

/* What netlink says of a route, and the datapath's own look-up does not. */
static int route_more(const struct nlmsghdr *msg, void *arg)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	struct trace_lookup *out = arg;
	const struct nlattr *attr;

	if (msg->nlmsg_type != RTM_NEWROUTE)
		return 0;
	out->type = rt->rtm_type;
	out->table = rt->rtm_table;
	mnl_attr_for_each(attr, msg, sizeof(*rt))
		if (mnl_attr_get_type(attr) == RTA_TABLE)
			out->table = mnl_attr_get_u32(attr);
	return 0;
}

/* in: input interface; 0: the box itself sends it. */
static int ask_netlink(struct asker *a, const struct native_question *q, uint32_t in, nl_fn fn, struct trace_lookup *out)
{
	struct nlmsghdr *msg = nl_put(a->buf, RTM_GETROUTE, 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	const struct tuple *t = &q->tuple;

	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = 32;
	rt->rtm_src_len = 32;
	rt->rtm_tos = q->tos & 0xfc;
	rt->rtm_flags = RTM_F_LOOKUP_TABLE;
	mnl_attr_put_u32(msg, RTA_DST, t->dst.word[3]);
	mnl_attr_put_u32(msg, RTA_SRC, t->src.word[3]);
	if (in)
		mnl_attr_put_u32(msg, RTA_IIF, in);
	if (q->use_mark)
		mnl_attr_put_u32(msg, RTA_MARK, q->mark);
	if (packet_has_ports(t->proto)) {
		mnl_attr_put_u8(msg, RTA_IP_PROTO, t->proto);
		mnl_attr_put_u16(msg, RTA_SPORT, t->sport);
		mnl_attr_put_u16(msg, RTA_DPORT, t->dport);
	}
	return nl_talk(&a->nl, msg, fn, NULL, out);
}

/* For the box itself the kernel takes the box's own sources without an input interface, and others only with one. */
static void ask_more(struct asker *a, const struct native_question *q, struct trace_lookup *out)
{
	int err = ask_netlink(a, q, q->in == IFINDEX_LO ? 0 : q->in, route_more, out);

	if (err && q->in == IFINDEX_LO)
		err = ask_netlink(a, q, q->in, route_more, out);
	if (err == -ENETUNREACH || err == -EHOSTUNREACH)
		out->type = RTN_UNREACHABLE;
}

static int metric_mtu(const struct nlattr *metrics)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics)
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			return mnl_attr_get_u32(attr);
	return 0;
}

/* All that netlink says of a route. */
static int route_found(const struct nlmsghdr *msg, void *arg)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	struct trace_lookup *out = arg;
	const struct nlattr *attr;

	if (msg->nlmsg_type != RTM_NEWROUTE)
		return 0;
	mnl_attr_for_each(attr, msg, sizeof(*rt))
		if (mnl_attr_get_type(attr) == RTA_OIF)
			out->oif = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			out->gateway = ntohl(mnl_attr_get_u32(attr));
		else if (mnl_attr_get_type(attr) == RTA_METRICS)
			out->mtu = metric_mtu(attr);
	return route_more(msg, arg);
}

int asker_own_route(struct asker *a, const struct packet *p, struct trace_lookup *out)
{
	bool ports = packet_has_ports(p->ends.proto) && !p->fragment_at;
	struct native_question q = {
		.in = IFINDEX_LO, .mark = p->mark, .use_mark = p->mark, .tos = p->dscp << 2,
		.tuple = { .src = addr_from4(p->ends.src), .dst = addr_from4(p->ends.dst), .proto = p->ends.proto,
			   .sport = htons(ports ? p->ends.sport : 0), .dport = htons(ports ? p->ends.dport : 0) },
	};
	int err;

	*out = (struct trace_lookup){ .question = q, .result = ROUTE_NO_NEIGHBOUR };
	err = a->has_nl ? ask_netlink(a, &q, 0, route_found, out) : -ENOTCONN;
	if (!err)
		return 0;
	out->result = ROUTE_NONE;
	out->type = err == -EACCES ? RTN_PROHIBIT : err == -EINVAL ? RTN_BLACKHOLE : RTN_UNREACHABLE;
	return err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EACCES || err == -EINVAL ? 0 : err;
}

struct own {
	uint32_t addr;
	bool found;
};

static int address_found(const struct nlmsghdr *msg, void *arg)
{
	struct own *own = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, msg, sizeof(struct ifaddrmsg))
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			own->found |= ntohl(mnl_attr_get_u32(attr)) == own->addr;
	return 0;
}

/* Of an interface, or by a route of type local. */
bool asker_is_own(struct asker *a, uint32_t addr)
{
	struct trace_lookup l = {};
	struct own own = { .addr = addr };
	struct packet to = { .ends.dst = addr };
	struct ifaddrmsg *ifa;
	struct nlmsghdr *msg;

	if (!a->has_nl)
		return true;	/* the next question will say what is wrong */
	if (!addr)
		return false;
	if (!asker_own_route(a, &to, &l) && l.type == RTN_LOCAL)
		return true;
	msg = nl_put(a->buf, RTM_GETADDR, NLM_F_DUMP);
	ifa = mnl_nlmsg_put_extra_header(msg, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	nl_talk(&a->nl, msg, address_found, NULL, &own);
	return own.found;
}

struct neighbour {
	uint16_t state;
	uint8_t mac[6];
	bool found, has_mac;
};

static int neighbour_found(const struct nlmsghdr *msg, void *arg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	struct neighbour *n = arg;
	const struct nlattr *attr;

	if (msg->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	n->found = true;
	n->state = nd->ndm_state;
	mnl_attr_for_each(attr, msg, sizeof(*nd))
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6) {
			memcpy(n->mac, mnl_attr_get_payload(attr), 6);
			n->has_mac = true;
		}
	return 0;
}

static const char *neighbour_state(uint16_t state)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} names[] = { { NUD_PERMANENT, "permanent" }, { NUD_NOARP, "noarp" }, { NUD_REACHABLE, "reachable" }, { NUD_STALE, "stale" },
		      { NUD_DELAY, "delay" }, { NUD_PROBE, "probe" }, { NUD_INCOMPLETE, "incomplete" }, { NUD_FAILED, "failed" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (state & names[i].bit)
			return names[i].name;
	return "none";
}

bool asker_neighbour(struct asker *a, uint32_t ifindex, uint32_t addr, uint8_t mac[6], const char **state)
{
	struct neighbour n = {};
	struct nlmsghdr *msg;
	struct ndmsg *nd;

	if (!a->has_nl)
		return false;
	msg = nl_put(a->buf, RTM_GETNEIGH, 0);
	nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));
	nd->ndm_family = AF_INET;
	nd->ndm_ifindex = ifindex;
	mnl_attr_put_u32(msg, NDA_DST, htonl(addr));
	nl_talk(&a->nl, msg, neighbour_found, NULL, &n);
	*state = n.found ? neighbour_state(n.state) : NULL;
	if (n.has_mac)
		memcpy(mac, n.mac, 6);
	return n.has_mac;
}

int asker_route(struct asker *a, const struct native_question *question, struct trace_lookup *out)
{
	struct ask q = { .what = ASK_ROUTE, .tuple = question->tuple, .in = question->in, .mark = question->mark, .tos = question->tos,
			 .use_mark = question->use_mark };
	int err = ask(a, question->in, &q);
	uint8_t mac[6];

	if (err)
		return err;
	*out = (struct trace_lookup){ .question = *question, .result = q.result, .oif = q.oif, .mtu = q.mtu };
	memcpy(out->dmac, q.dmac, sizeof(out->dmac));
	memcpy(out->smac, q.smac, sizeof(out->smac));
	if (q.gateway != question->tuple.dst.word[3])
		out->gateway = ntohl(q.gateway);
	if (a->has_nl)
		ask_more(a, question, out);
	if (out->oif)
		asker_neighbour(a, out->oif, ntohl(q.gateway), mac, &out->neighbour);
	return 0;
}

int asker_socket(struct asker *a, uint32_t ifindex, const struct tuple *tuple, bool *takes)
{
	struct ask q = { .what = ASK_SOCKET, .tuple = *tuple, .in = ifindex };
	int err = ask(a, ifindex, &q);

	*takes = !err && q.socket;
	return err;
}
