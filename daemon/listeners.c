/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * listeners.c - see listeners.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/listeners.h"
#include "lib/netlink.h"

struct reading {
	struct listeners *out;
	size_t room;
	uint8_t proto;
};

static int v6only_attr(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY)
		*(bool *)arg = mnl_attr_get_u8(attr);
	return MNL_CB_OK;
}

/* Does the socket take IPv4, and for which address? */
static bool takes4(const struct nlmsghdr *msg, const struct inet_diag_msg *sock, uint32_t *addr)
{
	const __be32 *src = sock->id.idiag_src;
	bool v6only = false;

	*addr = 0;
	if (sock->idiag_family == AF_INET) {
		*addr = ntohl(src[0]);
		return true;
	}
	mnl_attr_parse(msg, sizeof(*sock), v6only_attr, &v6only);
	if (v6only)
		return false;
	if (!src[0] && !src[1] && src[2] == htonl(0xffff))
		*addr = ntohl(src[3]);
	return *addr || (!src[0] && !src[1] && !src[2] && !src[3]);
}

static int take_socket(const struct nlmsghdr *msg, void *arg)
{
	const struct inet_diag_msg *sock = mnl_nlmsg_get_payload(msg);
	struct listener entry = { 0 }, *more;
	struct reading *reading = arg;
	struct listeners *out = reading->out;

	if (msg->nlmsg_type != SOCK_DIAG_BY_FAMILY || !takes4(msg, sock, &entry.addr))
		return 0;
	entry.port = ntohs(sock->id.idiag_sport);
	entry.proto = reading->proto;
	if (!entry.port || entry.addr >> 24 == 127)
		return 0;
	if (out->n == reading->room) {
		reading->room = reading->room ? 2 * reading->room : 64;
		more = realloc(out->list, reading->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		out->list = more;
	}
	out->list[out->n++] = entry;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct listener));
}

static void sort(struct listeners *l)
{
	size_t i, n = 0;

	if (l->n)
		qsort(l->list, l->n, sizeof(*l->list), compare);
	for (i = 0; i < l->n; i++)
		if (!n || compare(&l->list[n - 1], &l->list[i]))
			l->list[n++] = l->list[i];
	l->n = n;
}

static int read_kind(struct nl *nl, struct reading *reading, uint8_t family, uint8_t proto, uint32_t state)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(msg, sizeof(*request));

	request->sdiag_family = family;
	request->sdiag_protocol = proto;
	request->idiag_states = 1u << state;
	reading->proto = proto;
	return nl_talk(nl, msg, take_socket, NULL, reading);	/* what a second try brings twice goes with sort() */
}

int listeners_read(struct listeners *out)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct reading reading = { .out = out };
	struct nl nl;
	int err = nl_open(&nl, NETLINK_SOCK_DIAG);
	size_t i;

	out->list = NULL;
	out->n = 0;
	for (i = 0; !err && i < 2; i++) {
		err = read_kind(&nl, &reading, families[i], IPPROTO_TCP, TCP_LISTEN);
		if (!err)
			err = read_kind(&nl, &reading, families[i], IPPROTO_UDP, TCP_CLOSE);
		if (i && err == -ENOENT)
			err = 0;	/* a kernel without IPv6 */
	}
	nl_close(&nl);
	if (err)
		listeners_free(out);
	else
		sort(out);
	return err;
}

int listeners_copy(struct listeners *to, const struct listeners *from)
{
	*to = (struct listeners){ .n = from->n };
	if (!from->n)
		return 0;
	to->list = malloc(from->n * sizeof(*to->list));
	if (!to->list)
		return -ENOMEM;
	memcpy(to->list, from->list, from->n * sizeof(*to->list));
	return 0;
}

bool listeners_same(const struct listeners *a, const struct listeners *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->list, b->list, a->n * sizeof(*a->list)));
}

bool listeners_have(const struct listeners *l, const struct listener *one)
{
	return l->n && bsearch(one, l->list, l->n, sizeof(*one), compare);
}

void listeners_free(struct listeners *l)
{
	free(l->list);
	l->list = NULL;
	l->n = 0;
}
