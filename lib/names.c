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

#include "lib/instance.h"

struct names {
	json_t *running;	/* NULL: nothing known */
};

struct names *names_from_json(json_t *running)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names)
		names->running = json_incref(running);
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
	free(names);
}

json_t *names_running(const struct names *names)
{
	return names ? names->running : NULL;
}

static const char *rule_name(const struct names *names, size_t index)
{
	const json_t *rules = json_object_get(names_running(names), "rules");

	return json_string_value(json_object_get(json_array_get(rules, index), "name"));
}

const char *names_rule(const struct names *names, uint16_t id, char buf[8])
{
	const char *name = id ? rule_name(names, id - 1u) : "-";

	if (name)
		return name;
	snprintf(buf, 8, "#%u", id);
	return buf;
}

int names_rule_id(const struct names *names, const char *text)
{
	size_t n = json_array_size(json_object_get(names_running(names), "rules"));
	const char *name, *digits = text + (*text == '#');
	unsigned long number;
	char *end;

	for (size_t i = 0; i < n; i++) {
		name = rule_name(names, i);
		if (name && !strcmp(name, text))
			return (int)i + 1;
	}
	if (*digits < '0' || *digits > '9')
		return -ENOENT;
	number = strtoul(digits, &end, 10);
	if (*end || number > UINT16_MAX || (n && number > n))
		return -ENOENT;
	return (int)number;
}
