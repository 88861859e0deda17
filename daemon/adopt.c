/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * adopt.c - connections that pass through the box before natvi does: they go on through the kernel.
 *
 * Read once from conntrack. A connection of which neither end is the box is given to the datapath as
 * a session that it leaves untouched (FLOW_KERNEL). See session.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/links.h"
#include "daemon/session.h"
#include "lib/addr.h"
#include "lib/log.h"

struct adoption {
	const struct tables *tables;
	const struct links *links;
	int adopted, refused;
};

struct direction {
	int src, dst, sport, dport;
};

static const struct direction orig_attrs = { ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV4_DST, ATTR_ORIG_PORT_SRC, ATTR_ORIG_PORT_DST };
static const struct direction reply_attrs = { ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV4_DST, ATTR_REPL_PORT_SRC, ATTR_REPL_PORT_DST };

static void read_tuple(struct tuple *t, const struct nf_conntrack *ct, const struct direction *at, uint8_t proto)
{
	memset(t, 0, sizeof(*t));
	t->src = addr_from4(ntohl(nfct_get_attr_u32(ct, at->src)));
	t->dst = addr_from4(ntohl(nfct_get_attr_u32(ct, at->dst)));
	t->proto = proto;
	if (proto == IPPROTO_ICMP) {
		t->sport = nfct_get_attr_u16(ct, ATTR_ICMP_ID);
		t->dport = t->sport;
	} else if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
		t->sport = nfct_get_attr_u16(ct, at->sport);
		t->dport = nfct_get_attr_u16(ct, at->dport);
	}
}

/* The box is an end of it: what sends the packets, or what finally answers. */
static bool ends_here(const struct adoption *a, const struct tuple *orig, const struct tuple *reply)
{
	return links_owns4(a->links, addr_to4(&orig->src)) || links_owns4(a->links, addr_to4(&reply->src));
}

static uint32_t idle_of(const struct nf_conntrack *ct)
{
	uint32_t left_s = nfct_attr_is_set(ct, ATTR_TIMEOUT) ? nfct_get_attr_u32(ct, ATTR_TIMEOUT) : 300;

	return left_s < 1 ? 1 : left_s > 65535 ? 65535 : left_s;
}

static int take_connection(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *data)
{
	struct adoption *a = data;
	struct adopt_args args = { 0 };
	uint8_t proto;

	if (nfct_get_attr_u8(ct, ATTR_L3PROTO) != AF_INET)
		return NFCT_CB_CONTINUE;
	proto = nfct_get_attr_u8(ct, ATTR_L4PROTO);
	read_tuple(&args.orig, ct, &orig_attrs, proto);
	read_tuple(&args.reply, ct, &reply_attrs, proto);
	if (ends_here(a, &args.orig, &args.reply))
		return NFCT_CB_CONTINUE;
	args.idle_s = idle_of(ct);
	if (!tables_run(a->tables, PROG_ADOPT, &args, sizeof(args)) && !args.result)
		a->adopted++;
	else
		a->refused++;
	return NFCT_CB_CONTINUE;
}

int adopt_existing(const struct tables *tables, const struct links *links)
{
	struct adoption a = { .tables = tables, .links = links };
	struct nfct_handle *handle;
	uint32_t family = AF_INET;

	if (tables->prog[PROG_ADOPT] < 0)
		return 0;
	handle = nfct_open(CONNTRACK, 0);
	if (!handle)
		return 0;	/* a kernel without connection tracking has no connections */
	nfct_callback_register(handle, NFCT_T_ALL, take_connection, &a);
	if (nfct_query(handle, NFCT_Q_DUMP, &family) && errno != ENOENT)
		log_debug("conntrack cannot be read: %s", strerror(errno));
	nfct_close(handle);
	if (a.adopted)
		log_info("%d connections that the kernel forwards are left to it until they end", a.adopted);
	if (a.refused)
		log_warn("%d connections that the kernel forwards found no room in the flow table and will break", a.refused);
	return a.adopted;
}
