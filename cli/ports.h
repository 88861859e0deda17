/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ports.h - the enabled interfaces of an instance, and which hooks hold its programs.
 *
 * Life: ports_read() -> ports_free(). A snapshot. What is attached is asked of the kernel in the
 * caller's network namespace; an interface that is not there (any more) has no hooks.
 */
#ifndef NATVI_CLI_PORTS_H
#define NATVI_CLI_PORTS_H

#include "lib/maps.h"

struct port_hooks {
	struct port port;
	bool present;		/* an interface of that name and index is here */
	const char *xdp;	/* "native", "generic", "offload", "off", or "foreign": not natvi's */
	bool tc_in, tc_out;	/* natvi's program is attached there */
	unsigned long long packets, bytes;	/* nvi0: what has crossed it */
};

struct ports {
	struct port_hooks *list;
	size_t n;
};

/* NULL: no memory. */
struct ports *ports_read(const struct maps *maps);
void ports_free(struct ports *ports);

/* The interface, or NULL. */
const struct port_hooks *ports_find(const struct ports *ports, uint32_t ifindex);

/* Its name: the instance's, else the namespace's, else its number; "-" for 0. */
#define PORT_NAME_LEN	20
const char *ports_name(const struct ports *ports, uint32_t ifindex, char buf[PORT_NAME_LEN]);

#endif
