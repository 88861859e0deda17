/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * engine_impl.h - the parts of the engine among themselves: one change from its picture of the links to its end.
 */
#ifndef NATVI_DAEMON_ENGINE_IMPL_H
#define NATVI_DAEMON_ENGINE_IMPL_H

#include "daemon/state.h"

/* All that a change makes new, until it is in force. */
struct change {
	struct daemon *d;
	const struct config *config;
	bool asked;			/* an operator waits for the result: trouble is an error */
	struct links links;
	struct slots slots;
	struct plan plan;
	struct json_t *rule_ids;		/* of next */
	uint16_t *rule_numbers;
	struct plan_addr *former;	/* NULL: as they were */
	size_t n_former;
	struct served *served;
	size_t n_served;
	char *err;
	size_t err_len;
};

/* engine_attach.c */

/* What has to be so before packets come: who learns of them, and that nothing is translated where nothing is to be. */
int change_begin_modes(struct change *c);
/* And after that, when the rules are in force. */
void change_end_modes(struct change *c);

/* Programs on all that is to be served; and off what this change was the first to serve. */
int change_attach_all(struct change *c);
void change_undo_attach(struct change *c);

/* Ports of the plan that have programs, with what their attachment says. */
void change_settle_ports(struct change *c);

void change_tell_zones(struct change *c);

/* Programs off what is not served any more. */
void change_detach_rest(struct change *c);

#endif
