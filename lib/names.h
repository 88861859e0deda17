/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * names.h - what the operator calls things: names of rules from /run/natvi/INSTANCE.json, which the
 * daemon writes beside the maps. Without that file numbers stand in: "#3".
 *
 * Life: names_open() -> names_close(). A snapshot of the file; plain memory.
 */
#ifndef NATVI_LIB_NAMES_H
#define NATVI_LIB_NAMES_H

#include <stdint.h>

struct json_t;
struct names;
struct zone;

/* Never fails but for memory (NULL): a missing or broken file is an empty snapshot. */
struct names *names_open(const char *instance);

/* From a configuration in the shape of config_to_json(); takes a reference. NULL: an empty snapshot. */
struct names *names_from_json(struct json_t *running);

void names_close(struct names *names);

/* Borrowed: the whole file, or NULL. */
struct json_t *names_running(const struct names *names);

/* Name of a rule by its number (rule.id), also of one that has gone; "-" for 0, "#N" in buf when nothing is known. */
const char *names_rule(const struct names *names, uint16_t id, char buf[8]);

/* zones: [NATVI_MAX_ZONES], as the datapath has them; borrowed. Before that there is global alone. */
void names_take_zones(struct names *names, const struct zone *zones);

/* Number of a zone by its name. -ENOENT: no such zone. */
int names_zone(const struct names *names, const char *text);

/* Number of a rule by its name, or by a number ("3" or "#3"). -ENOENT: no such rule. */
int names_rule_id(const struct names *names, const char *text);

#endif
