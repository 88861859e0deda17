/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * forwards.h - static mappings: the forwards of a plan into the mapping table.
 */
#ifndef NATVI_DAEMON_FORWARDS_H
#define NATVI_DAEMON_FORWARDS_H

#include "daemon/plan.h"
#include "daemon/tables.h"

/*
 * Make the static mappings in the table those of the plan. Ones that are not in it go; of the sessions that came in by
 * them becomes what orphans says. New ones are made, and a dynamic mapping in the way of one is ended, which is logged.
 * Idempotent. Returns 0 or a negative errno.
 */
int forwards_apply(const struct tables *tables, const struct plan *plan, enum cfg_orphans orphans);

#endif
