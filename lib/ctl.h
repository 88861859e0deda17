/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ctl.h - the control socket: one JSON object a line, a request and its reply.
 *
 *   {"cmd": "flush", "what": "sessions", "filter": [["proto", "tcp"]]}
 *   {"ok": true, "flushed": 12}        or  {"ok": false, "error": "a sentence"}
 *
 * The client here; the daemon serves, and uses the same helpers for its messages.
 * Life: each call opens, asks, and closes. No state.
 */
#ifndef NATVI_LIB_CTL_H
#define NATVI_LIB_CTL_H

#include <stddef.h>

struct json_t;

#define CTL_TIMEOUT_MS	10000
#define CTL_LINE_MAX	(16u << 20)	/* bytes of one message; a configuration may be long */

/*
 * Ask the daemon of an instance. request is consumed. timeout_ms bounds the whole exchange.
 * Returns 0 and *reply (release with json_decref) when the daemon said ok. Otherwise a negative errno
 * and a sentence in err: -ENOENT or -ECONNREFUSED not running, -EACCES not allowed, -ETIMEDOUT,
 * -EPROTO no sense in the answer, -EREMOTEIO the daemon's own error (*reply is then set too).
 */
int ctl_call(const char *instance, struct json_t *request, int timeout_ms, struct json_t **reply, char *err, size_t err_len);

/* The same over a socket's path. */
int ctl_call_path(const char *path, struct json_t *request, int timeout_ms, struct json_t **reply, char *err, size_t err_len);

/* New messages: {"cmd": cmd}, {"ok": true}, {"ok": false, "error": ...}. */
struct json_t *ctl_request(const char *cmd);
struct json_t *ctl_ok(void);
struct json_t *ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A message as a line with its newline; release with free(). Consumes nothing. NULL: no memory. */
char *ctl_line(const struct json_t *message, size_t *len);

/* Parse one line (newline or not). NULL and a sentence in err unless it is one JSON object. */
struct json_t *ctl_parse(const char *line, size_t len, char *err, size_t err_len);

#endif
