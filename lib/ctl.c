/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ctl.c - ask the daemon, and the messages both sides use. One exchange a connection; see ctl.h.
 */
#include "lib/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/instance.h"

static int fail(int error, char *err, size_t err_len, const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail(int error, char *err, size_t err_len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err, err_len, format, args);
	va_end(args);
	return error;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until the socket is ready for events. 0, -ETIMEDOUT, or another negative errno. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left;
	int ret;

	do {
		left = deadline_ms - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		ret = poll(&pfd, 1, (int)left);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	return ret ? 0 : -ETIMEDOUT;
}

static int connect_to(const char *path, int64_t deadline_ms)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, ret = 0;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN: the daemon's queue of connections is full. */
	while (!ret && connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		if (errno != EAGAIN)
			ret = -errno;
		else if (now_ms() >= deadline_ms)
			ret = -ETIMEDOUT;
		else
			poll(NULL, 0, 10);
	}
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

static int send_all(int fd, const char *data, size_t len, int64_t deadline_ms)
{
	ssize_t n;
	int ret;

	while (len) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		ret = wait_for(fd, POLLOUT, deadline_ms);
		if (ret)
			return ret;
	}
	return 0;
}

/* Read up to the first newline. *line is always the caller's to free. */
static int receive_line(int fd, char **line, size_t *len, int64_t deadline_ms)
{
	size_t room = 0;
	ssize_t n;
	int ret;

	*line = NULL;
	*len = 0;
	for (;;) {
		if (*len == room) {
			char *more = realloc(*line, room ? room * 2 : 4096);

			if (!more || room >= CTL_LINE_MAX)
				return more ? (*line = more, -EMSGSIZE) : -ENOMEM;
			*line = more;
			room = room ? room * 2 : 4096;
		}
		n = recv(fd, *line + *len, room - *len, 0);
		if (!n)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			ret = wait_for(fd, POLLIN, deadline_ms);
			if (ret)
				return ret;
			continue;
		}
		*len += (size_t)n;
		if (memchr(*line + *len - n, '\n', (size_t)n))
			return 0;
	}
}

static int explain(int error, const char *path, int timeout_ms, char *err, size_t err_len)
{
	switch (error) {
	case -ENOENT:
		return fail(error, err, err_len, "not running (there is no %s)", path);
	case -ECONNREFUSED:
		return fail(error, err, err_len, "not running (nobody listens on %s any more); its datapath may still be there: "
			    "see `natvi status`", path);
	case -EACCES: case -EPERM:
		return fail(error, err, err_len, "not allowed to talk to %s: this needs root", path);
	case -ETIMEDOUT:
		return fail(error, err, err_len, "no answer on %s within %d.%d s", path, timeout_ms / 1000, timeout_ms % 1000 / 100);
	case -ECONNRESET: case -EPIPE:
		return fail(error, err, err_len, "the daemon closed the connection without an answer");
	default:
		return fail(error, err, err_len, "cannot talk to %s: %s", path, strerror(-error));
	}
}

static int exchange(const char *path, const char *line, size_t len, int timeout_ms, char **answer, size_t *answer_len)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	int fd = connect_to(path, deadline_ms), ret;

	if (fd < 0)
		return fd;
	ret = send_all(fd, line, len, deadline_ms);
	if (!ret)
		ret = receive_line(fd, answer, answer_len, deadline_ms);
	close(fd);
	return ret;
}

/* Is the answer a yes? Takes over reply. */
static int judge(json_t *reply, json_t **out, char *err, size_t err_len)
{
	const char *text = json_string_value(json_object_get(reply, "error"));

	*out = reply;
	if (json_is_true(json_object_get(reply, "ok")))
		return 0;
	return fail(-EREMOTEIO, err, err_len, "%s", text ? text : "the daemon says no, and not why");
}

int ctl_call_path(const char *path, json_t *request, int timeout_ms, json_t **reply, char *err, size_t err_len)
{
	char *line, *answer = NULL, why[160];
	size_t len, answer_len = 0;
	json_t *parsed;
	int ret;

	*reply = NULL;
	line = request ? ctl_line(request, &len) : NULL;
	json_decref(request);
	if (!line)
		return fail(-ENOMEM, err, err_len, "no memory for the request");
	ret = exchange(path, line, len, timeout_ms, &answer, &answer_len);
	free(line);
	if (ret) {
		free(answer);
		return explain(ret, path, timeout_ms, err, err_len);
	}
	parsed = ctl_parse(answer, answer_len, why, sizeof(why));
	free(answer);
	if (!parsed)
		return fail(-EPROTO, err, err_len, "the daemon's answer makes no sense: %s", why);
	return judge(parsed, reply, err, err_len);
}

int ctl_call(const char *instance, json_t *request, int timeout_ms, json_t **reply, char *err, size_t err_len)
{
	char path[INSTANCE_PATH_LEN];

	instance_path(path, instance, INSTANCE_SOCKET);
	return ctl_call_path(path, request, timeout_ms, reply, err, err_len);
}

json_t *ctl_request(const char *cmd)
{
	return json_pack("{s:s}", "cmd", cmd);
}

json_t *ctl_ok(void)
{
	return json_pack("{s:b}", "ok", 1);
}

json_t *ctl_error(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return json_pack("{s:b, s:s+}", "ok", 0, "error", text, "");
}

char *ctl_line(const json_t *message, size_t *len)
{
	char *text = json_dumps(message, JSON_COMPACT), *line;
	size_t n;

	if (!text)
		return NULL;
	n = strlen(text);
	line = realloc(text, n + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	line[n] = '\n';
	line[n + 1] = '\0';
	*len = n + 1;
	return line;
}

json_t *ctl_parse(const char *line, size_t len, char *err, size_t err_len)
{
	json_error_t error;
	json_t *message;

	while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	message = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!message) {
		fail(0, err, err_len, "not JSON: %s at byte %d", error.text, error.position);
		return NULL;
	}
	if (!json_is_object(message)) {
		json_decref(message);
		fail(0, err, err_len, "a message is one JSON object");
		return NULL;
	}
	return message;
}
