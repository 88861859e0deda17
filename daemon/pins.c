/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * pins.c - see pins.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/pins.h"
#include "lib/instance.h"

static uint32_t program_id(const char *path)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.id = 0;
	close(fd);
	return info.id;
}

struct walk {
	struct pins *pins;
	const char *instance;
};

static int add_pin(const char *name, void *arg)
{
	struct walk *walk = arg;
	struct pins *pins = walk->pins;
	char path[INSTANCE_PATH_LEN];
	struct pin *more;
	uint32_t id;

	if (strncmp(name, PIN_PROG_PREFIX, strlen(PIN_PROG_PREFIX)))
		return 0;
	instance_pin_path(path, walk->instance, name);
	id = program_id(path);
	if (!id)
		return 0;
	more = realloc(pins->list, (pins->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	pins->list = more;
	more = &pins->list[pins->n++];
	snprintf(more->instance, sizeof(more->instance), "%s", walk->instance);
	snprintf(more->name, sizeof(more->name), "%s", name);
	more->id = id;
	return 0;
}

static int add_instance(const char *name, void *arg)
{
	struct walk walk = { .pins = arg, .instance = name };
	char path[INSTANCE_PATH_LEN];
	int err;

	if (!instance_name_ok(name))
		return 0;
	instance_pin_path(path, name, "");
	err = dir_each(path, add_pin, &walk);
	return err == -ENOENT || err == -ENOTDIR ? 0 : err;
}

int pins_read(struct pins *pins)
{
	int err;

	memset(pins, 0, sizeof(*pins));
	err = dir_each(INSTANCE_PIN_ROOT, add_instance, pins);
	if (err == -ENOENT)
		return 0;
	if (err)
		pins_free(pins);
	return err;
}

void pins_free(struct pins *pins)
{
	free(pins->list);
	memset(pins, 0, sizeof(*pins));
}

const char *pins_owner(const struct pins *pins, uint32_t id)
{
	size_t i;

	for (i = 0; id && i < pins->n; i++)
		if (pins->list[i].id == id)
			return pins->list[i].instance;
	return NULL;
}

int pins_open(const struct pins *pins, uint32_t id)
{
	char path[INSTANCE_PATH_LEN];
	size_t i;

	for (i = 0; i < pins->n; i++) {
		if (pins->list[i].id != id)
			continue;
		instance_pin_path(path, pins->list[i].instance, pins->list[i].name);
		if (program_id(path) == id)
			return bpf_obj_get(path);
	}
	return -ENOENT;
}

static int remove_pin(const char *name, void *arg)
{
	char path[INSTANCE_PATH_LEN];

	instance_pin_path(path, arg, name);
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

int pins_remove(const char *instance)
{
	char path[INSTANCE_PATH_LEN];
	int err;

	instance_pin_path(path, instance, "");
	err = dir_each(path, remove_pin, (void *)instance);
	if (!err && rmdir(path) && errno != ENOENT)
		err = -errno;
	return err == -ENOENT ? 0 : err;
}
