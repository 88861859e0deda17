/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_addrs.h - the addresses of a plan: whose they are, and which zones see them.
 *
 * A translated address is seen by every zone (and has zone 0 then), or by the one zone that its pool names. An address
 * of the box is seen by the VRF that its interface is in, else by all zones that are no VRF: the kernel knows no
 * other division. Where a zone would see an address twice, the one that is its own goes before.
 */
#ifndef NATVI_DAEMON_PLAN_ADDRS_H
#define NATVI_DAEMON_PLAN_ADDRS_H

#include "daemon/plan.h"

#define POLICY_NONE	0u	/* in plan.policies: only port 0 is reserved */

/* The zones that see a translated address with this addr_info.zone. */
uint64_t plan_seeing(const struct plan *plan, uint16_t zone);

/* One more entry of plan->addrs, which has room. */
void plan_add_addr(struct plan *plan, uint32_t addr, uint16_t zone, uint64_t zones, uint8_t flags, unsigned int pool);

/* Those of interfaces, forwards and netmaps, and former ones. */
void plan_other_addrs(struct plan *plan, const struct plan_input *input);

/* Sort; one entry an address and zone: flags together, the first pool that has it. */
void plan_merge_addrs(struct plan *plan);

/* A forward's outside address, 0: its interface has none now; the addr_info.zone of that; and the zone that it leads to. */
uint32_t plan_forward_addr(const struct plan_input *input, const struct cfg_forward *forward);
uint16_t plan_forward_outside(const struct plan *plan, const struct plan_input *input, const struct cfg_forward *forward);
uint16_t plan_forward_inside(const struct plan *plan, const struct plan_input *input, const struct cfg_forward *forward);

#endif
