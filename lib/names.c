/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * names.c - read the running configuration for its names. Life-cycle: see names.h.
 */
#include "lib/names.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/config.h"
#include "lib/instance.h"

struct names {
	json_t *running;	/* NULL: nothing known */
	const char **rules;	/* by number; NULL: no name. Also those of rules that have gone */
	size_t n_rules;		/* the highest number and one */
	const struct zone *zones;
};

static int set_rule(struct names *names, size_t id, const char *name)
{
	const char **more;

	if (!name || !id || id > UINT16_MAX)
		return 0;
	if (id >= names->n_rules) {
		more = realloc(names->rules, (id + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + names->n_rules, 0, (id + 1 - names->n_rules) * sizeof(*more));
		names->rules = more;
		names->n_rules = id + 1;
	}
	names->rules[id] = name;
	return 0;
}

static int read_list(struct names *names, json_t *rules, size_t first)
{
	json_t *value;
	int err = 0;
	size_t i;

	json_array_foreach(rules, i, value) {
		const json_t *id = json_object_get(value, "id");

		if (!err)
			err = set_rule(names, id ? (size_t)json_integer_value(id) : first + i, json_string_value(json_object_get(value, "name")));
	}
	return err;
}

/* A daemon gives its rules numbers (daemon/rule_ids.h), also the captures of wires; in a plain configuration they are their places. */
static int read_rules(struct names *names)
{
	json_t *known = json_object_get(names->running, "rule_ids"), *value;
	size_t i, first = 1;
	const char *key;
	int err = 0;

	json_object_foreach(known, key, value)
		if (!err && !strncmp(key, "name ", 5))
			err = set_rule(names, (size_t)json_integer_value(value), key + 5);
	if (!err)
		err = read_list(names, json_object_get(names->running, "rules"), first);
	json_array_foreach(json_object_get(names->running, "wires"), i, value) {
		if (!err)
			err = read_list(names, json_object_get(value, "capture"), first);
		first += json_array_size(json_object_get(value, "capture"));
	}
	return err;
}

struct names *names_from_json(json_t *running)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->running = json_incref(running);
	if (read_rules(names)) {
		names_close(names);
		return NULL;
	}
	return names;
}

struct names *names_open(const char *instance)
{
	struct names *names;
	json_t *running;
	char path[INSTANCE_PATH_LEN];

	instance_path(path, instance, INSTANCE_RUNNING);
	running = json_load_file(path, 0, NULL);
	names = names_from_json(running);
	json_decref(running);
	return names;
}

void names_close(struct names *names)
{
	if (!names)
		return;
	json_decref(names->running);
	free(names->rules);
	free(names);
}

json_t *names_running(const struct names *names)
{
	return names ? names->running : NULL;
}

const char *names_rule(const struct names *names, uint16_t id, char buf[8])
{
	const char *name = !id ? "-" : names && id < names->n_rules ? names->rules[id] : NULL;

	if (name)
		return name;
	snprintf(buf, 8, "#%u", id);
	return buf;
}

int names_rule_id(const struct names *names, const char *text)
{
	const char *digits = text + (*text == '#');
	size_t n = names ? names->n_rules : 0;
	unsigned long number;
	char *end;

	for (size_t i = 1; i < n; i++)
		if (names->rules[i] && !strcmp(names->rules[i], text))
			return (int)i;
	if (*digits < '0' || *digits > '9')
		return -ENOENT;
	number = strtoul(digits, &end, 10);
	if (*end || number > UINT16_MAX || (n && number >= n))
		return -ENOENT;
	return (int)number;
}

void names_take_zones(struct names *names, const struct zone *zones)
{
	names->zones = zones;
}

int names_zone(const struct names *names, const char *text)
{
	int i;

	for (i = 0; names->zones && i < NATVI_MAX_ZONES; i++)
		if (names->zones[i].name[0] && !strcmp(names->zones[i].name, text))
			return i;
	return strcmp(text, "global") ? -ENOENT : 0;
}
