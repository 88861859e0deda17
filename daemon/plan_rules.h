/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_rules.h - the parts of a plan that name interfaces: rules, settings and ports.
 */
#ifndef NATVI_DAEMON_PLAN_RULES_H
#define NATVI_DAEMON_PLAN_RULES_H

#include "daemon/plan.h"

/* Fill rules, ports and settings of a plan whose pools stand. Returns as plan_build(). */
int plan_rules(struct plan *plan, const struct plan_input *input, char *err, size_t err_len);

#endif
