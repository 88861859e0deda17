/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tc.h - queueing disciplines and filters of an interface, as the kernel lists them, and natvi's
 * own filter there. No state: each call asks the kernel.
 */
#ifndef NATVI_DAEMON_TC_H
#define NATVI_DAEMON_TC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/netlink.h"

enum tc_hook { TC_HOOK_INGRESS, TC_HOOK_EGRESS };

struct tc_filter {
	enum tc_hook hook;
	uint16_t prio;
	uint32_t handle;
	char kind[16];
	uint32_t prog_id;	/* of kind "bpf"; else 0 */
	char prog_name[64];
};

/* Returns 0 to go on; anything else ends the walk and is returned. */
typedef int (*tc_filter_fn)(const struct tc_filter *filter, void *arg);

/* Filters at a clsact hook, foreign ones too. No clsact: none. */
int tc_each_filter(struct nl *nl, uint32_t ifindex, enum tc_hook hook, tc_filter_fn fn, void *arg);

/* Kind of the qdisc at ffff: ("clsact", "ingress"), "" for none. Returns 0 or a negative errno. */
int tc_ingress_qdisc(struct nl *nl, uint32_t ifindex, char kind[16]);

/* Make or remove the clsact qdisc. */
int tc_clsact_add(struct nl *nl, uint32_t ifindex);
int tc_clsact_delete(struct nl *nl, uint32_t ifindex);

/*
 * Put a direct-action BPF filter at priority and handle, for all protocols. replace: in place of
 * the one that stands there, with no packet in between passing neither. -EEXIST when one stands there.
 */
int tc_filter_put(uint32_t ifindex, enum tc_hook hook, uint16_t prio, uint32_t handle, int prog_fd, bool replace);
int tc_filter_delete(uint32_t ifindex, enum tc_hook hook, uint16_t prio, uint32_t handle);

/* Does this root qdisc hold packets back or pick among them by a rate that an operator set? */
bool tc_qdisc_shapes(const char *kind);

#endif
