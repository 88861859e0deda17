/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * control.h - the control socket: /run/natvi/INSTANCE.sock, JSON lines (lib/ctl.h), for root alone.
 *
 *   ping                                  {"ok": true, "pid": N}
 *   status                                what the daemon knows; see status_json() in requests.c
 *   reload   path, text, confirm          text wins; neither: the daemon's own file again
 *   confirm
 *   stop     down                         down true: `natvi down` follows
 *   flush    what, filter                 what: "sessions" or "mappings"; "flushed": N, "busy": N
 *   loglevel level                        "error", "warn", "info", "debug"; without: only tells
 */
#ifndef NATVI_DAEMON_CONTROL_H
#define NATVI_DAEMON_CONTROL_H

struct daemon;
struct json_t;

int control_open(struct daemon *d);
void control_close(struct daemon *d);

/* Answer one request (borrowed). A new reply, never NULL but for memory. */
struct json_t *request_answer(struct daemon *d, const struct json_t *request);

#endif
