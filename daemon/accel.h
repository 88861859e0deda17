/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * accel.h - the daemon's part in accelerating connections of the kernel's (dp/accel.h): it tells conntrack, connection by
 * connection, not to check the windows of what is about to leave past it.
 *
 * Life: accel_follow() with each configuration -> accel_close(). The mark stays with the connection when the daemon is
 * gone. One thread.
 */
#ifndef NATVI_DAEMON_ACCEL_H
#define NATVI_DAEMON_ACCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct daemon;

/*
 * Make ready for a configuration that accelerates (on), before its interfaces are attached; or have it end. Returns 0, or a
 * negative errno and a sentence in err.
 */
int accel_follow(struct daemon *d, bool on, char *err, size_t err_len);

void accel_close(struct daemon *d);

/* Conntrack's time-out of an established TCP connection, in seconds; the kernel's default where there is no conntrack. */
uint32_t accel_tcp_timeout(void);

#endif
