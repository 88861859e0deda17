/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_bridge.h - `fail: open` while natvi is off: a bridge of the kernel's that has a wire's ports in it.
 *
 * natvi's programs see frames before the bridge does, so it only works when they are gone. It is made where the ports are in no
 * bridge yet, and is known again by its alias, which names the instance and the wire. It stays when the daemon ends and with
 * `down`, as that is what it is for; it goes when a configuration has no use for it any more. It does what a cable does as far as
 * a bridge can: nothing is learned, frames to reserved addresses go on but for pause frames.
 */
#ifndef NATVI_DAEMON_WIRE_BRIDGE_H
#define NATVI_DAEMON_WIRE_BRIDGE_H

#include <net/if.h>

struct cfg_wire;
struct daemon;
struct links;

/* Bring bridges to what the configuration says about the links that there are. Failures are logged. */
void wire_bridges_follow(struct daemon *d);

/* The bridge that both ports of a wire are in; "": none. */
void wire_bridge_name(const struct daemon *d, const struct cfg_wire *wire, char name[IFNAMSIZ]);

/* At the end of an instance: say which stay. Needs no daemon. */
void wire_bridges_leave(const char *instance, const struct links *links);

#endif
