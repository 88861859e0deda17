/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_wires.h - the parts of a plan that are of wires: their numbers, ports, targets and captures.
 */
#ifndef NATVI_DAEMON_PLAN_WIRES_H
#define NATVI_DAEMON_PLAN_WIRES_H

#include "daemon/plan.h"

/* Fill wires, rules and ports of a plan. Returns as plan_build(). */
int plan_wires(struct plan *plan, const struct plan_input *input, char *err, size_t err_len);

/* What a target that is named like this is: the box itself. */
bool wire_target_is_box(const char *target);

/* Does a device take what is captured? */
bool wire_target_usable(const struct link *link);

/* Number of a configured wire in the plan. */
uint16_t plan_wire(const struct plan *plan, const char *name);

/* The smaller MTU of a wire's ports that are there; 0: none is. */
uint32_t wire_mtu(const struct cfg_wire *wire, const struct links *links);

/* The wire with the box's address on it; NULL: none has it. */
const struct cfg_wire *config_host_wire(const struct config *config);

/* Captures over all wires. */
size_t config_captures(const struct config *config);

#endif
