/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * accel_view.h - what stands against acceleration beside the connections themselves: the configuration's exclusions, and of
 * the network namespace its addresses and IPsec policies.
 *
 * Life: accel_view_read() -> accel_view_free(). A snapshot. What the kernel does not have, or does not tell, is not in it.
 */
#ifndef NATVI_CLI_ACCEL_VIEW_H
#define NATVI_CLI_ACCEL_VIEW_H

#include "cli/ports.h"
#include "lib/maps.h"
#include "lib/netlink.h"
#include "lib/unaccelerated.h"

/* 0 or a negative errno; free it in either case. */
int accel_view_read(struct accel_view *out, const struct maps *maps);
void accel_view_free(struct accel_view *view);

/*
 * Where the connection's first packet came in and left, by the routes to both its ends; nothing where they cannot be told.
 * nl: of NETLINK_ROUTE.
 */
void accel_ways(struct nl *nl, const struct ports *ports, const struct ct_entry *ct, struct accel_facts *facts);

#endif
