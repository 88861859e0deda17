/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * listeners.h - what the box's own services wait for: listening TCP sockets and UDP sockets without a peer.
 *
 * Their ports on the box's own addresses are withheld from NAT for as long as the sockets are there (plan_taken());
 * clashes.h follows them. Life: listeners_read() or listeners_copy() -> listeners_free(). Plain memory.
 */
#ifndef NATVI_DAEMON_LISTENERS_H
#define NATVI_DAEMON_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listener {
	uint32_t addr;			/* host byte order; 0: every one */
	uint16_t port;			/* host byte order */
	uint8_t proto;			/* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t pad;			/* 0: compared as bytes */
};

/* Sorted, no two alike. */
struct listeners {
	struct listener *list;
	size_t n;
};

/* All that listen on IPv4 in this network namespace, but on 127.0.0.0/8. Returns 0 or a negative errno. */
int listeners_read(struct listeners *out);

int listeners_copy(struct listeners *to, const struct listeners *from);
bool listeners_same(const struct listeners *a, const struct listeners *b);
bool listeners_have(const struct listeners *l, const struct listener *one);
void listeners_free(struct listeners *l);

#endif
