/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * rule_ids.c - see rule_ids.h.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/rule_ids.h"
#include "lib/instance.h"

#define KNOWN		1	/* some rule's, now or formerly */
#define GIVEN		2	/* of a rule of the new configuration */
#define FORMER_MAX	2048u	/* entries of rules that have gone */

struct giving {
	const json_t *known;
	json_t *next;
	uint8_t *used;		/* [65536]: KNOWN, GIVEN */
	uint32_t highest;
};

/* 0: not known. */
static uint16_t number_of(const json_t *known, const char *key)
{
	return (uint16_t)json_integer_value(json_object_get(known, key));
}

/* "rule-N" is what a rule without a name is called by its place; a capture: "capture-N". */
static bool is_named(const char *name, size_t i)
{
	char rule[NATVI_NAME_LEN], capture[NATVI_NAME_LEN];

	snprintf(rule, sizeof(rule), "rule-%zu", i + 1);
	snprintf(capture, sizeof(capture), "capture-%zu", i + 1);
	return strcmp(name, rule) && strcmp(name, capture);
}

static char *name_key(const char *name)
{
	char *key = NULL;

	return asprintf(&key, "name %s", name) < 0 ? NULL : key;
}

/* All of a rule but its name; which one of several that are equal. */
static char *content_key(const struct giving *g, const json_t *rule)
{
	json_t *copy = json_copy((json_t *)rule);
	char *text = NULL, *key = NULL;
	unsigned int n = 0;

	json_object_del(copy, "name");
	text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(copy);
	do {
		free(key);
		if (!text || asprintf(&key, "content %u %s", ++n, text) < 0)
			key = NULL;
	} while (key && json_object_get(g->next, key));
	free(text);
	return key;
}

static uint16_t fresh_id(const struct giving *g)
{
	uint32_t id = g->highest < UINT16_MAX ? g->highest + 1 : 1;

	while (g->used[id] && id < UINT16_MAX)
		id++;
	return (uint16_t)id;
}

static void mark(struct giving *g, uint16_t id, uint8_t as)
{
	g->used[id] |= as;
	if (id > g->highest)
		g->highest = id;
}

/* The ones that a name tells; 0: none. False: no memory. */
static bool give_named(struct giving *g, const json_t *rules, uint16_t *ids)
{
	const char *name;
	const json_t *rule;
	size_t i;
	char *key;

	json_array_foreach((json_t *)rules, i, rule) {
		name = json_string_value(json_object_get(rule, "name"));
		ids[i] = 0;
		if (!name || !is_named(name, i))
			continue;
		key = name_key(name);
		if (!key)
			return false;
		ids[i] = number_of(g->known, key);
		free(key);
		if (ids[i])
			mark(g, ids[i], GIVEN);
	}
	return true;
}

/* The others by their content, or new ones. */
static bool give_rest(struct giving *g, const json_t *rules, uint16_t *ids)
{
	const char *name;
	const json_t *rule;
	uint16_t id;
	size_t i;
	char *key;

	json_array_foreach((json_t *)rules, i, rule) {
		name = json_string_value(json_object_get(rule, "name"));
		key = content_key(g, rule);
		if (!key)
			return false;
		id = number_of(g->known, key);
		if (!ids[i])
			ids[i] = id && !(g->used[id] & GIVEN) ? id : fresh_id(g);
		mark(g, ids[i], GIVEN);
		json_object_set_new(g->next, key, json_integer(ids[i]));
		free(key);
		if (!name || !is_named(name, i))
			continue;
		key = name_key(name);
		if (key)
			json_object_set_new(g->next, key, json_integer(ids[i]));
		free(key);
	}
	return true;
}

/* What was known before and is not in force goes on being known, within bounds. */
static void keep_former(struct giving *g)
{
	size_t room = json_object_size(g->next) + FORMER_MAX;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)g->known, key, value) {
		if (json_object_size(g->next) >= room)
			return;
		if (!json_object_get(g->next, key) && !(g->used[(uint16_t)json_integer_value(value)] & GIVEN))
			json_object_set(g->next, key, value);
	}
}

/* Rules, or captures with the name of their wire; a new array. */
static json_t *list_rules(const json_t *all)
{
	json_t *list = json_array(), *wire, *capture, *copy;
	size_t w, i;

	json_array_extend(list, json_object_get(all, "rules"));
	json_array_foreach(json_object_get(all, "wires"), w, wire)
		json_array_foreach(json_object_get(wire, "capture"), i, capture) {
			copy = json_copy(capture);
			json_object_set(copy, "wire", json_object_get(wire, "name"));
			json_array_append_new(list, copy);
		}
	return list;
}

struct json_t *rule_ids_give(const struct json_t *known, const struct config *config, uint16_t *ids)
{
	struct giving g = { .known = known, .next = json_object(), .used = calloc(1, UINT16_MAX + 1) };
	json_t *all = config_to_json(config), *rules = list_rules(all), *value;
	const char *key;
	bool done = false;

	if (!g.next || !g.used || !rules)
		goto out;
	json_object_foreach((json_t *)known, key, value)
		mark(&g, (uint16_t)json_integer_value(value), KNOWN);
	done = give_named(&g, rules, ids) && give_rest(&g, rules, ids);
	if (done)
		keep_former(&g);
out:
	json_decref(rules);
	json_decref(all);
	free(g.used);
	if (done)
		return g.next;
	json_decref(g.next);
	return NULL;
}

struct json_t *rule_ids_read(const char *instance)
{
	char path[INSTANCE_PATH_LEN];
	json_t *running, *known;

	instance_path(path, instance, INSTANCE_RUNNING);
	running = json_load_file(path, 0, NULL);
	known = json_incref(json_object_get(running, "rule_ids"));
	json_decref(running);
	if (known && json_is_object(known))
		return known;
	json_decref(known);
	return NULL;
}
