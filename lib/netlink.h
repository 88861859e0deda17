/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * netlink.h - requests to the kernel over netlink, on libmnl.
 *
 * Life: nl_open() -> nl_close(). One request at a time; not for sharing between threads.
 */
#ifndef NATVI_LIB_NETLINK_H
#define NATVI_LIB_NETLINK_H

#include <stdint.h>
#include <libmnl/libmnl.h>

#define NL_BUF_BYTES	32768	/* a request or one datagram of an answer */

#define NL_PROTOCOL	208	/* of natvi's own routes and routing rules; nobody's in rt_protos */

struct nl {
	struct mnl_socket *sock;
	unsigned int portid, seq;
};

/* bus: NETLINK_ROUTE and so on. Returns 0 or a negative errno. */
int nl_open(struct nl *nl, int bus);
void nl_close(struct nl *nl);

/* Returns 0 to go on, a negative errno to end with it (the rest of the answer is still read). */
typedef int (*nl_fn)(const struct nlmsghdr *msg, void *arg);

/* Header of a request in buf (NL_BUF_BYTES); flags beside NLM_F_REQUEST. */
struct nlmsghdr *nl_put(void *buf, uint16_t type, uint16_t flags);

/*
 * Send a request and read its answer to the end: an acknowledgement (NLM_F_ACK is added) or, with
 * NLM_F_DUMP, all entries. A dump that the kernel marks as interrupted is asked for again; restart
 * (may be NULL) is called before that, to forget what was seen. Returns 0 or a negative errno.
 */
int nl_talk(struct nl *nl, struct nlmsghdr *request, nl_fn fn, void (*restart)(void *arg), void *arg);

/* A socket that listens to multicast groups (RTNLGRP_*, one each, ended by 0). *out is non-blocking. */
int nl_listen(struct mnl_socket **out, int bus, const unsigned int *groups);

#endif
