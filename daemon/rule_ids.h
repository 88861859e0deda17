/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * rule_ids.h - the number that a rule keeps for as long as it is in the configuration.
 *
 * Sessions name their rule by number. A rule with a name is the same one under that name, whatever else changes; one
 * without, or with another name than before, is the same with the same content. What is known is a JSON object from
 * "name NAME" and "content TEXT" to a number; it is saved with the running configuration, so that it outlives the daemon.
 * Numbers of rules that have gone are kept for a while: a configuration that comes back finds its sessions. Captures of wires
 * are rules, too.
 */
#ifndef NATVI_DAEMON_RULE_IDS_H
#define NATVI_DAEMON_RULE_IDS_H

#include <stdint.h>

#include "lib/config.h"

struct json_t;

/*
 * Numbers from 1 for all rules of config, or for the captures of all its wires, into ids[]. known: as this function returned it for the
 * configuration before, or NULL: by position. Returns a new object, or NULL: no memory.
 */
struct json_t *rule_ids_give(const struct json_t *known, const struct config *config, uint16_t *ids);

/* What the running configuration of an instance says is known; NULL: nothing. */
struct json_t *rule_ids_read(const char *instance);

#endif
