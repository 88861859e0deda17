/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park_tap.h - the device of the park: a tap of the daemon's own, in its network namespace.
 *
 * It has no addresses, no ARP and no IPv6, and no part in any configuration. It lives as long as its descriptor is
 * open, so it goes with the daemon, however that ends. Needs CAP_NET_ADMIN and /dev/net/tun.
 */
#ifndef NATVI_DAEMON_PARK_TAP_H
#define NATVI_DAEMON_PARK_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/netlink.h"

struct park_tap {
	int fd;			/* non-blocking, whole Ethernet frames; -1: there is none */
	uint32_t ifindex;
	char name[IFNAMSIZ];
};

/*
 * Make the device, up, with prog_fd at its tc ingress. Returns 0, or a negative errno with *step
 * saying what could not be done; then there is none.
 */
int park_tap_open(struct park_tap *tap, struct nl *nl, const char *instance, int prog_fd, const char **step);

/* Is it still here, up, and with its program? Somebody may have changed it. */
bool park_tap_sound(const struct park_tap *tap, struct nl *nl);

/* With it goes all that waits in it. Also for one that was never opened (fd -1). */
void park_tap_close(struct park_tap *tap);

#endif
