/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * netlink.c - see netlink.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#include "lib/netlink.h"

#define DUMP_TRIES	6
#define LISTEN_RCVBUF	(4 << 20)	/* bytes */

int nl_open(struct nl *nl, int bus)
{
	nl->seq = 1;
	nl->sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl->sock)
		return -errno;
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int err = -errno;

		nl_close(nl);
		return err;
	}
	nl->portid = mnl_socket_get_portid(nl->sock);
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

struct nlmsghdr *nl_put(void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);

	msg->nlmsg_type = type;
	msg->nlmsg_flags = NLM_F_REQUEST | flags;
	return msg;
}

struct answer {
	nl_fn fn;
	void *arg;
	int err;
	bool interrupted;
	bool done;
};

static void answer_message(struct answer *answer, const struct nlmsghdr *msg)
{
	if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->interrupted = true;
	if (msg->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(msg);

		answer->done = true;
		if (!answer->err)
			answer->err = error->error;
	} else if (msg->nlmsg_type == NLMSG_DONE) {
		answer->done = true;
	} else if (msg->nlmsg_type >= NLMSG_MIN_TYPE && !answer->err && answer->fn) {
		answer->err = answer->fn(msg, answer->arg);
	}
}

static int read_answer(struct nl *nl, unsigned int seq, struct answer *answer)
{
	static char buf[NL_BUF_BYTES];
	const struct nlmsghdr *msg;
	ssize_t got;
	int len;

	while (!answer->done) {
		got = mnl_socket_recvfrom(nl->sock, buf, sizeof(buf));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		len = (int)got;
		for (msg = (void *)buf; mnl_nlmsg_ok(msg, len) && !answer->done; msg = mnl_nlmsg_next(msg, &len))
			if (msg->nlmsg_seq == seq)
				answer_message(answer, msg);
	}
	return answer->err;
}

int nl_talk(struct nl *nl, struct nlmsghdr *request, nl_fn fn, void (*restart)(void *arg), void *arg)
{
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	int tries, err = 0;

	if (!dump)
		request->nlmsg_flags |= NLM_F_ACK;
	for (tries = 0; tries < DUMP_TRIES; tries++) {
		struct answer answer = { .fn = fn, .arg = arg };

		request->nlmsg_seq = ++nl->seq;
		request->nlmsg_pid = nl->portid;
		if (mnl_socket_sendto(nl->sock, request, request->nlmsg_len) < 0)
			return -errno;
		err = read_answer(nl, nl->seq, &answer);
		if (err || !answer.interrupted)
			return err;
		if (restart)
			restart(arg);
	}
	return -EAGAIN;
}

int nl_listen(struct mnl_socket **out, int bus, const unsigned int *groups)
{
	struct mnl_socket *sock = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int size = LISTEN_RCVBUF, err;

	if (!sock)
		return -errno;
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	for (; *groups; groups++)
		if (mnl_socket_setsockopt(sock, NETLINK_ADD_MEMBERSHIP, (void *)groups, sizeof(*groups)) < 0)
			goto fail;
	/* Events that do not fit are found by a full re-read; more room only makes that rare. */
	setsockopt(mnl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	*out = sock;
	return 0;
fail:
	err = -errno;
	mnl_socket_close(sock);
	return err;
}
