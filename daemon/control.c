/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * control.c - clients of the control socket. See control.h; the requests themselves are in requests.c.
 *
 * A client sends lines and reads lines; both directions are buffered and bounded, so that one that is
 * slow, silent or mad costs the others nothing. A client whose answers are not read waits with its
 * further requests, and is put out after a while.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/state.h"
#include "lib/ctl.h"
#include "lib/instance.h"
#include "lib/log.h"

#define MAX_CLIENTS	64
#define MAX_LINE	(4u << 20)	/* bytes of one request */
#define MAX_ANSWERS	(1u << 20)	/* bytes that wait to be read before no more requests are taken */
#define READ_BYTES	65536
#define STUCK_S		30.0		/* a client that reads nothing for so long is put out */

struct buffer {
	char *bytes;
	size_t len, room;
};

struct client {
	struct client *next, **link;
	struct server *server;
	ev_io io;
	ev_timer stuck;
	struct buffer in, out;
};

struct server {
	struct daemon *d;
	ev_io io;
	struct client *clients;
	unsigned int n_clients;
	char path[INSTANCE_PATH_LEN];
};

static int buffer_add(struct buffer *b, const char *bytes, size_t len)
{
	size_t room = b->room ? b->room : 4096;
	char *more;

	while (room < b->len + len)
		room *= 2;
	if (room != b->room) {
		more = realloc(b->bytes, room);
		if (!more)
			return -ENOMEM;
		b->bytes = more;
		b->room = room;
	}
	memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	return 0;
}

static void buffer_take(struct buffer *b, size_t len)
{
	b->len -= len;
	memmove(b->bytes, b->bytes + len, b->len);
}

static void client_end(struct client *c)
{
	struct ev_loop *loop = c->server->d->loop;

	ev_io_stop(loop, &c->io);
	ev_timer_stop(loop, &c->stuck);
	close(c->io.fd);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->server->n_clients--;
	free(c->in.bytes);
	free(c->out.bytes);
	free(c);
}

/* Listen for what the client's state allows. */
static void client_want(struct client *c)
{
	struct ev_loop *loop = c->server->d->loop;
	int events = (c->out.len ? EV_WRITE : 0) | (c->out.len < MAX_ANSWERS ? EV_READ : 0);

	if (c->out.len && !ev_is_active(&c->stuck))
		ev_timer_again(loop, &c->stuck);
	if (!c->out.len)
		ev_timer_stop(loop, &c->stuck);
	if ((c->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->io.fd, events);
	ev_io_start(loop, &c->io);
}

/* Returns false when the client has gone. */
static bool client_send(struct client *c)
{
	ssize_t n;

	while (c->out.len) {
		n = send(c->io.fd, c->out.bytes, c->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		buffer_take(&c->out, (size_t)n);
		ev_timer_again(c->server->d->loop, &c->stuck);
	}
	return true;
}

static int client_reply(struct client *c, json_t *reply)
{
	size_t len;
	char *line = reply ? ctl_line(reply, &len) : NULL;
	int err = line ? buffer_add(&c->out, line, len) : -ENOMEM;

	free(line);
	json_decref(reply);
	return err;
}

static int client_request(struct client *c, const char *line, size_t len)
{
	char err[256];
	json_t *request = ctl_parse(line, len, err, sizeof(err));
	json_t *reply = request ? request_answer(c->server->d, request) : ctl_error("%s", err);

	json_decref(request);
	return client_reply(c, reply);
}

/* Whole lines of what came; false when the client has to go. */
static bool client_lines(struct client *c)
{
	size_t from = 0, len;
	char *end;

	while (c->out.len < MAX_ANSWERS && (end = memchr(c->in.bytes + from, '\n', c->in.len - from))) {
		len = (size_t)(end - c->in.bytes) - from;
		if (client_request(c, c->in.bytes + from, len))
			return false;
		from += len + 1;
	}
	if (from)
		buffer_take(&c->in, from);
	if (c->in.len <= MAX_LINE)
		return true;
	client_reply(c, ctl_error("a request has at most %u bytes", MAX_LINE));
	client_send(c);
	return false;
}

/* False when the client has gone, or has to. */
static bool client_read(struct client *c)
{
	static char buf[READ_BYTES];
	ssize_t n = recv(c->io.fd, buf, sizeof(buf), 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!n || buffer_add(&c->in, buf, (size_t)n))
		return false;
	return client_lines(c);
}

static void on_client(struct ev_loop *loop, ev_io *io, int events)
{
	struct client *c = io->data;
	bool alive = true;

	if (events & EV_READ)
		alive = client_read(c);
	if (alive)
		alive = client_send(c);
	if (alive && c->in.len && c->out.len < MAX_ANSWERS)
		alive = client_lines(c) && client_send(c);
	if (alive)
		client_want(c);
	else
		client_end(c);
}

static void on_stuck(struct ev_loop *loop, ev_timer *timer, int events)
{
	client_end(timer->data);
}

/* The socket's mode keeps others out; this is the second lock. */
static bool is_root(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && (who.uid == 0 || who.uid == geteuid());
}

static void on_connect(struct ev_loop *loop, ev_io *io, int events)
{
	struct server *s = io->data;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	c = s->n_clients < MAX_CLIENTS && is_root(fd) ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->server = s;
	c->next = s->clients;
	c->link = &s->clients;
	if (c->next)
		c->next->link = &c->next;
	s->clients = c;
	s->n_clients++;
	ev_io_init(&c->io, on_client, fd, EV_READ);
	c->io.data = c;
	ev_io_start(loop, &c->io);
	ev_init(&c->stuck, on_stuck);
	c->stuck.repeat = STUCK_S;
	c->stuck.data = c;
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;
	mode_t mask;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(at.sun_path)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	strcpy(at.sun_path, path);
	unlink(path);	/* the instance's lock is ours: whoever made it is dead */
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, MAX_CLIENTS) ? -errno : 0;
	umask(mask);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int control_open(struct daemon *d)
{
	struct server *s = calloc(1, sizeof(*s));
	int fd;

	if (!s)
		return -ENOMEM;
	instance_path(s->path, d->instance, INSTANCE_SOCKET);
	fd = listen_at(s->path);
	if (fd < 0) {
		log_err("cannot listen at %s: %s", s->path, strerror(-fd));
		free(s);
		return fd;
	}
	s->d = d;
	d->server = s;
	ev_io_init(&s->io, on_connect, fd, EV_READ);
	s->io.data = s;
	ev_io_start(d->loop, &s->io);
	return 0;
}

void control_close(struct daemon *d)
{
	struct server *s = d->server;

	if (!s)
		return;
	while (s->clients) {
		client_send(s->clients);
		client_end(s->clients);
	}
	ev_io_stop(d->loop, &s->io);
	close(s->io.fd);
	unlink(s->path);
	free(s);
	d->server = NULL;
}
