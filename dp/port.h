/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * port.h - interface and VLAN to port: the one array read before the flow look-up.
 *
 * The daemon keeps the ports in place; an interface stands within NATVI_PORT_PROBES
 * slots of where its index says.
 */
#ifndef NATVI_DP_PORT_H
#define NATVI_DP_PORT_H

#include "env.h"

/* The port, and its slot; NULL: none. */
DP const struct port *port_search(__u32 ifindex, __u32 vlan, __u32 *slot)
{
#pragma GCC unroll 1
	for (__u32 i = 0; i < NATVI_PORT_PROBES; i++) {
		const struct port *port;

		*slot = natvi_port_slot(ifindex, vlan, i);
		port = env_port(*slot);
		if (!port)
			return NULL;
		if (port->ifindex == ifindex && port->vlan == vlan)
			return port;
	}
	return NULL;
}

DP_CALLED const struct port *port_lookup(__u32 ifindex, __u32 vlan)
{
	__u32 slot;

	return port_search(ifindex, vlan, &slot);
}

/* The port that p came in by; sets p->port and the zone of its key. */
DP bool port_find(struct pkt *p)
{
	p->port = port_search(p->m->ifindex, p->m->vlan_present ? p->m->vlan_tci & 0xfff : 0, &p->m->port_slot);
	if (!p->port)
		return false;
	p->m->key.zone = p->port->zone;
	return true;
}

#endif
