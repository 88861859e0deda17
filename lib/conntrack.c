/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conntrack.c - see conntrack.h.
 */
#include "lib/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"

#define LIBERAL	(1u << 3)	/* IP_CT_TCP_FLAG_BE_LIBERAL */

struct side {
	enum nf_conntrack_attr src4, dst4, src6, dst6, sport, dport;
};

static const struct side orig_side = {
	ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_SRC, ATTR_ORIG_IPV6_DST, ATTR_ORIG_PORT_SRC, ATTR_ORIG_PORT_DST
};
static const struct side reply_side = {
	ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_SRC, ATTR_REPL_IPV6_DST, ATTR_REPL_PORT_SRC, ATTR_REPL_PORT_DST
};
static const struct side master_side = {
	ATTR_MASTER_IPV4_SRC, ATTR_MASTER_IPV4_DST, ATTR_MASTER_IPV6_SRC, ATTR_MASTER_IPV6_DST, ATTR_MASTER_PORT_SRC,
	ATTR_MASTER_PORT_DST
};

/* Reading one */

static union addr read_addr(const struct nf_conntrack *ct, enum nf_conntrack_attr v4, enum nf_conntrack_attr v6)
{
	const void *bytes = nfct_attr_is_set(ct, v6) > 0 ? nfct_get_attr(ct, v6) : NULL;
	union addr addr = { 0 };

	if (bytes)
		memcpy(&addr, bytes, sizeof(addr));
	else
		addr = addr_from4(ntohl(nfct_get_attr_u32(ct, v4)));
	return addr;
}

static void read_tuple(struct tuple *t, const struct nf_conntrack *ct, const struct side *at, uint8_t proto)
{
	memset(t, 0, sizeof(*t));
	t->src = read_addr(ct, at->src4, at->src6);
	t->dst = read_addr(ct, at->dst4, at->dst6);
	t->proto = proto;
	if (proto == IPPROTO_ICMP) {
		t->sport = nfct_get_attr_u16(ct, ATTR_ICMP_ID);
		t->dport = t->sport;
	} else if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
		t->sport = nfct_get_attr_u16(ct, at->sport);
		t->dport = nfct_get_attr_u16(ct, at->dport);
	}
}

void ct_read(struct ct_entry *out, const struct nf_conntrack *ct)
{
	uint8_t proto = nfct_get_attr_u8(ct, ATTR_L4PROTO);
	const char *helper = nfct_attr_is_set(ct, ATTR_HELPER_NAME) > 0 ? nfct_get_attr(ct, ATTR_HELPER_NAME) : NULL;

	memset(out, 0, sizeof(*out));
	read_tuple(&out->orig, ct, &orig_side, proto);
	read_tuple(&out->reply, ct, &reply_side, proto);
	out->has_master = nfct_attr_is_set(ct, ATTR_MASTER_IPV4_SRC) > 0 || nfct_attr_is_set(ct, ATTR_MASTER_IPV6_SRC) > 0;
	if (out->has_master)
		read_tuple(&out->master, ct, &master_side, nfct_get_attr_u8(ct, ATTR_MASTER_L4PROTO));
	out->liberal = nfct_get_attr_u8(ct, ATTR_TCP_FLAGS_ORIG) & nfct_get_attr_u8(ct, ATTR_TCP_FLAGS_REPL) & LIBERAL;
	out->tcp_state = nfct_get_attr_u8(ct, ATTR_TCP_STATE);
	out->zone = nfct_get_attr_u16(ct, ATTR_ZONE);
	out->status = nfct_get_attr_u32(ct, ATTR_STATUS);
	out->mark = nfct_get_attr_u32(ct, ATTR_MARK);
	out->timeout_s = nfct_get_attr_u32(ct, ATTR_TIMEOUT);
	if (helper)
		strncpy(out->helper, helper, sizeof(out->helper) - 1);
}

/* Reading all */

struct walk {
	ct_fn fn;
	void *arg;
	int ret;
};

static int take(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *data)
{
	struct walk *walk = data;
	struct ct_entry entry;

	ct_read(&entry, ct);
	walk->ret = walk->fn(&entry, walk->arg);
	return walk->ret ? NFCT_CB_STOP : NFCT_CB_CONTINUE;
}

int ct_each(ct_fn fn, void *arg)
{
	struct nfct_handle *handle = nfct_open(CONNTRACK, 0);
	struct walk walk = { .fn = fn, .arg = arg };
	uint32_t family = AF_UNSPEC;
	int ret = 0;

	if (!handle)
		return errno == EPERM || errno == EACCES ? -errno : -EOPNOTSUPP;
	nfct_callback_register(handle, NFCT_T_ALL, take, &walk);
	if (nfct_query(handle, NFCT_Q_DUMP, &family))
		ret = -errno;
	nfct_close(handle);
	if (walk.ret)
		return walk.ret;
	return ret == -EINVAL || ret == -ENOENT ? -EOPNOTSUPP : ret;	/* nobody answers on that bus */
}

/* Masters */

static int master_compare(const void *a, const void *b)
{
	return memcmp(&((const struct ct_master *)a)->child, &((const struct ct_master *)b)->child, sizeof(struct tuple));
}

int ct_masters_add(struct ct_masters *masters, const struct ct_entry *entry)
{
	struct ct_master *grown = masters->list;

	if (!entry->has_master)
		return 0;
	if (!(masters->n & (masters->n - 1)))
		grown = realloc(masters->list, (masters->n ? masters->n * 2 : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	masters->list = grown;
	grown[masters->n++] = (struct ct_master){ entry->orig, entry->master };
	return 0;
}

void ct_masters_sort(struct ct_masters *masters)
{
	if (masters->n)
		qsort(masters->list, masters->n, sizeof(*masters->list), master_compare);
}

static int take_master(const struct ct_entry *entry, void *arg)
{
	return ct_masters_add(arg, entry);
}

int ct_masters_read(struct ct_masters *out)
{
	int ret;

	*out = (struct ct_masters){ 0 };
	ret = ct_each(take_master, out);
	if (ret)
		ct_masters_free(out);
	ct_masters_sort(out);
	return ret;
}

void ct_masters_free(struct ct_masters *masters)
{
	free(masters->list);
	*masters = (struct ct_masters){ 0 };
}

const struct tuple *ct_master_of(const struct ct_masters *masters, const struct tuple *child)
{
	struct ct_master key = { .child = *child };
	const struct ct_master *found;

	key.child.zone = 0;
	found = masters->n ? bsearch(&key, masters->list, masters->n, sizeof(key), master_compare) : NULL;
	return found ? &found->master : NULL;
}
