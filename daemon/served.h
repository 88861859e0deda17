/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * served.h - the devices that a configuration puts programs on: its interfaces; or the ports of its wires, and the targets
 * of their captures. Life: served_list() -> free(). Found and attached by the engine.
 */
#ifndef NATVI_DAEMON_SERVED_H
#define NATVI_DAEMON_SERVED_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/attach.h"
#include "lib/config.h"

/* Interfaces in the configuration's order; or each wire's two ports, then its targets. */
struct served {
	char name[IFNAMSIZ];
	enum attach_role role;
	size_t wire;			/* its place in the configuration, unless role is ATTACH_NAT */
	uint32_t ifindex;		/* 0: the interface is not there */
	enum xdp_mode asked;
	bool up;			/* programs are attached */
	bool usable;			/* the interface is there, up and has a carrier */
	struct attached attached;
	char trouble[256];		/* why they are not, although it is there; said once */
	char zone[256];			/* what is wrong with its zone, or its place in another one; said once */
};

/* All of them, not looked for yet. NULL: out of memory. */
struct served *served_list(const struct config *config, size_t *n);

/* The one with this name; NULL: there is none. */
const struct served *served_find(const struct served *list, size_t n, const char *name);

#endif
