/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * accel.c - see accel.h.
 *
 * The datapath asks (REQUEST_LIBERAL), and asks again in the next second if nothing has come of it: a request may be lost,
 * and a connection may have gone meanwhile. How many are answered at a time is bounded by the ring.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/accel.h"
#include "daemon/state.h"
#include "lib/addr.h"
#include "lib/log.h"

#define LIBERAL		0x08	/* IP_CT_TCP_FLAG_BE_LIBERAL in the kernel */
#define TCP_S		432000u	/* the kernel's default */

struct accel {
	struct daemon *d;
	struct ring_buffer *ring;
	struct nfct_handle *conntrack;
	ev_io io;
};

static void set_ends(struct nf_conntrack *ct, const struct tuple *t)
{
	bool v4 = addr_is4(&t->src);

	nfct_set_attr_u8(ct, ATTR_L3PROTO, v4 ? AF_INET : AF_INET6);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, t->proto);
	if (v4) {
		nfct_set_attr_u32(ct, ATTR_ORIG_IPV4_SRC, t->src.word[3]);
		nfct_set_attr_u32(ct, ATTR_ORIG_IPV4_DST, t->dst.word[3]);
	} else {
		nfct_set_attr(ct, ATTR_ORIG_IPV6_SRC, &t->src);
		nfct_set_attr(ct, ATTR_ORIG_IPV6_DST, &t->dst);
	}
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, t->sport);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, t->dport);
}

static void make_liberal(struct accel *a, const struct event *e)
{
	struct nf_conntrack *ct = nfct_new();

	if (!ct)
		return;
	set_ends(ct, &e->orig);
	if (e->rule)
		nfct_set_attr_u16(ct, ATTR_ZONE, e->rule);
	nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_ORIG, LIBERAL);
	nfct_set_attr_u8(ct, ATTR_TCP_MASK_ORIG, LIBERAL);
	nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_REPL, LIBERAL);
	nfct_set_attr_u8(ct, ATTR_TCP_MASK_REPL, LIBERAL);
	if (nfct_query(a->conntrack, NFCT_Q_UPDATE, ct) && errno != ENOENT)
		log_debug("conntrack does not take that a connection's windows are left unchecked: %s", strerror(errno));
	nfct_destroy(ct);
}

static int take_request(void *arg, void *data, size_t size)
{
	const struct event *e = data;

	if (size >= sizeof(*e) && e->kind == REQUEST_LIBERAL)
		make_liberal(arg, e);
	return 0;
}

static void on_request(struct ev_loop *loop, ev_io *io, int events)
{
	struct accel *a = io->data;

	ring_buffer__consume(a->ring);
}

static int begin(struct daemon *d, char *err, size_t err_len)
{
	struct accel *a = calloc(1, sizeof(*a));
	int ret = a ? tables_accel(d->tables, err, err_len) : -ENOMEM;

	if (ret)
		goto fail;
	a->d = d;
	a->conntrack = nfct_open(CONNTRACK, 0);
	if (!a->conntrack) {
		ret = -errno;
		snprintf(err, err_len, "accelerate: conntrack cannot be reached by netlink (%s): `modprobe nf_conntrack_netlink`", strerror(errno));
		goto fail;
	}
	a->ring = ring_buffer__new(d->tables->map[TABLE_REQUESTS], take_request, a, NULL);
	if (!a->ring) {
		ret = -errno;
		snprintf(err, err_len, "accelerate: the ring of requests cannot be read: %s", strerror(errno));
		goto fail;
	}
	ev_io_init(&a->io, on_request, ring_buffer__epoll_fd(a->ring), EV_READ);
	a->io.data = a;
	ev_io_start(d->loop, &a->io);
	d->accel = a;
	return 0;
fail:
	if (a && a->conntrack)
		nfct_close(a->conntrack);
	free(a);
	return ret;
}

int accel_follow(struct daemon *d, bool on, char *err, size_t err_len)
{
	if (on && !d->accel)
		return begin(d, err, err_len);
	if (!on)
		accel_close(d);
	return 0;
}

void accel_close(struct daemon *d)
{
	struct accel *a = d->accel;

	if (!a)
		return;
	ev_io_stop(d->loop, &a->io);
	ring_buffer__free(a->ring);
	nfct_close(a->conntrack);
	free(a);
	d->accel = NULL;
}

uint32_t accel_tcp_timeout(void)
{
	FILE *file = fopen("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "re");
	unsigned int s = TCP_S;

	if (!file)
		return TCP_S;
	if (fscanf(file, "%u", &s) != 1 || !s)
		s = TCP_S;
	fclose(file);
	return s;
}
