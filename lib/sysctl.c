/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sysctl.c - see sysctl.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/device.h"
#include "lib/instance.h"
#include "lib/log.h"
#include "lib/sysctl.h"

#define STATE_MAX	(4u << 20)
#define LOCK_PATH	INSTANCE_RUN_DIR "/sysctl.lock"
#define FORWARD_ALL	"net/ipv4/ip_forward"
#define FORWARD_OWN	"/forwarding"

static int lock(void)
{
	int fd, err = instance_make_run_dir();

	if (err)
		return err;
	fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX))
		if (errno != EINTR) {
			err = -errno;
			close(fd);
			return err;
		}
	return fd;
}

void netns_own(char netns[NETNS_NAME_LEN])
{
	ssize_t n = readlink("/proc/self/ns/net", netns, NETNS_NAME_LEN - 1);

	netns[n > 0 ? n : 0] = '\0';
}

/* The file's content, or an empty one for this namespace. */
static json_t *load_state(const char *instance)
{
	char path[INSTANCE_PATH_LEN], netns[NETNS_NAME_LEN], *text;
	json_t *state = NULL;
	size_t len;

	instance_path(path, instance, INSTANCE_SYSCTL);
	if (!file_read(path, STATE_MAX, &text, &len)) {
		state = json_loadb(text, len, 0, NULL);
		free(text);
	}
	if (json_is_array(json_object_get(state, "sysctls")) && json_is_array(json_object_get(state, "clsact")))
		return state;
	json_decref(state);
	netns_own(netns);
	return json_pack("{s:s, s:[], s:[]}", "netns", netns, "sysctls", "clsact");
}

static int save_state(const char *instance, const json_t *state)
{
	char path[INSTANCE_PATH_LEN], *text = json_dumps(state, JSON_INDENT(1));
	int err;

	if (!text)
		return -ENOMEM;
	instance_path(path, instance, INSTANCE_SYSCTL);
	err = file_write(path, text, strlen(text));
	free(text);
	if (err)
		log_err("cannot write %s: %s", path, strerror(-err));
	return err;
}

static const char *field(const json_t *entry, const char *name)
{
	const char *text = json_string_value(json_object_get(entry, name));

	return text ? text : "";
}

static json_t *find_entry(const json_t *state, const char *key)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(state, "sysctls"), i, entry)
		if (!strcmp(field(entry, "key"), key))
			return entry;
	return NULL;
}

int sysctl_read(const char *key, char value[SYSCTL_VALUE_LEN])
{
	char path[SYSCTL_KEY_LEN + 16];
	ssize_t n;
	int fd;

	if (device_owns(key))
		return device_read(key, value, SYSCTL_VALUE_LEN);
	snprintf(path, sizeof(path), "/proc/sys/%s", key);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, value, SYSCTL_VALUE_LEN - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

/* With dots, as sysctl(8) prints it. */
static const char *dotted(const char *key, char buf[SYSCTL_KEY_LEN])
{
	size_t i;

	snprintf(buf, SYSCTL_KEY_LEN, "%s", key);
	for (i = 0; buf[i]; i++)
		if (buf[i] == '/')
			buf[i] = '.';
	return buf;
}

static int write_file(const char *key, const char *value)
{
	char path[SYSCTL_KEY_LEN + 16];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/%s", key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int write_value(const char *key, const char *value)
{
	char name[SYSCTL_KEY_LEN], old[SYSCTL_VALUE_LEN];
	int err = sysctl_read(key, old);

	if (err == -ENOENT || (!err && !strcmp(old, value)))
		return 0;	/* its interface is gone; or nothing to do */
	err = device_owns(key) ? device_write(key, value) : write_file(key, value);
	if (err)
		log_err("cannot set %s to %s: %s", dotted(key, name), value, strerror(-err));
	else
		log_info("%s: %s -> %s", dotted(key, name), old, value);
	return err;
}

/* Of an interface's own switch there is nothing left once natvi has switched all by ip_forward: it was off, else it is remembered. */
static bool was_off(const json_t *state, const char *key)
{
	const json_t *all = find_entry(state, FORWARD_ALL);
	size_t len = strlen(key), n = sizeof(FORWARD_OWN) - 1;

	return all && !strcmp(field(all, "old"), "0") && strcmp(field(all, "new"), "0") && len > n && !strcmp(key + len - n, FORWARD_OWN);
}

static int remember(json_t *state, const struct sysctl_want *want)
{
	json_t *entry = find_entry(state, want->key);
	char old[SYSCTL_VALUE_LEN];
	int err;

	if (entry)
		return json_object_set_new(entry, "new", json_string(want->value)) ? -ENOMEM : 0;
	err = sysctl_read(want->key, old);
	if (err)
		return err == -ENOENT ? 0 : err;
	if (was_off(state, want->key))
		strcpy(old, "0");
	entry = json_pack("{s:s, s:s, s:s}", "key", want->key, "old", old, "new", want->value);
	return json_array_append_new(json_object_get(state, "sysctls"), entry) ? -ENOMEM : 0;
}

int sysctl_commit(const char *instance, const struct sysctl_want *wants, size_t n)
{
	int fd = lock(), err = 0, one;
	json_t *state;
	size_t i;

	if (fd < 0)
		return fd;
	state = load_state(instance);
	if (!state)
		err = -ENOMEM;
	for (i = 0; !err && i < n; i++)
		err = remember(state, &wants[i]);
	if (!err)
		err = save_state(instance, state);
	for (i = 0; i < n; i++) {
		one = err ? 0 : write_value(wants[i].key, wants[i].value);
		if (one && !err)
			err = one;
	}
	json_decref(state);
	close(fd);
	return err;
}

/* Putting back */

struct heirs {
	const char *instance, *netns;
	const json_t *entry;
	bool inherited;
};

static int inherit(const char *name, void *arg)
{
	struct heirs *heirs = arg;
	const char *key = field(heirs->entry, "key"), *dot = strrchr(name, '.');
	char other[NATVI_NAME_LEN], pins[INSTANCE_PATH_LEN];
	json_t *state, *entry;

	if (!dot || strcmp(dot, ".sysctl") || (size_t)(dot - name) >= sizeof(other))
		return 0;
	snprintf(other, sizeof(other), "%.*s", (int)(dot - name), name);
	instance_pin_path(pins, other, "");
	if (!strcmp(other, heirs->instance) || access(pins, F_OK))
		return 0;
	state = load_state(other);
	entry = find_entry(state, key);
	if (entry && !strcmp(field(state, "netns"), heirs->netns)) {
		if (!strcmp(field(entry, "old"), field(heirs->entry, "new")) &&
		    !json_object_set(entry, "old", json_object_get(heirs->entry, "old")))
			save_state(other, state);
		heirs->inherited = true;
	}
	json_decref(state);
	return heirs->inherited;
}

/* Another instance in this namespace wants the value as it is: it will put the old one back. */
static bool hand_over(const char *instance, const json_t *state, const json_t *entry)
{
	struct heirs heirs = { .instance = instance, .netns = field(state, "netns"), .entry = entry };

	dir_each(INSTANCE_RUN_DIR, inherit, &heirs);
	return heirs.inherited;
}

static bool changed_by_others(const json_t *entry)
{
	char now[SYSCTL_VALUE_LEN], name[SYSCTL_KEY_LEN];
	const char *key = field(entry, "key"), *new = field(entry, "new"), *old = field(entry, "old");

	if (sysctl_read(key, now) || !strcmp(now, new) || !strcmp(now, old))
		return false;
	log_warn("%s is %s now, which natvi did not set: left as it is (it was %s before natvi)", dotted(key, name), now, old);
	return true;
}

/* Which keys are put back: those that begin with prefix; without one, all but these. */
struct choice {
	const char *prefix;
	const struct sysctl_want *but;
	size_t n;
};

static bool is_spared(const struct choice *choice, const char *key)
{
	size_t i;

	for (i = 0; i < choice->n; i++)
		if (!strcmp(choice->but[i].key, key))
			return true;
	return false;
}

/* What only is remembered for what ip_forward does to it stays with that. */
static bool is_chosen(const struct choice *choice, const json_t *entry)
{
	const char *key = field(entry, "key");

	if (choice->prefix)
		return !strncmp(key, choice->prefix, strlen(choice->prefix));
	if (is_spared(choice, key))
		return false;
	return strcmp(field(entry, "old"), field(entry, "new")) || !is_spared(choice, FORWARD_ALL);
}

/* The keys to be put back, which are taken out of state. */
static json_t *take_entries(const char *instance, json_t *state, const struct choice *choice)
{
	json_t *all = json_object_get(state, "sysctls"), *list = json_array(), *entry;
	size_t i = 0;

	while (i < json_array_size(all)) {
		entry = json_array_get(all, i);
		if (!is_chosen(choice, entry)) {
			i++;
			continue;
		}
		if (!hand_over(instance, state, entry) && !changed_by_others(entry))
			json_array_append(list, entry);
		json_array_remove(all, i);
	}
	return list;
}

static int restore(const char *instance, const struct choice *choice)
{
	int fd = lock(), err = 0, one;
	json_t *state, *list, *entry;
	size_t i;

	if (fd < 0)
		return fd;
	state = load_state(instance);
	list = take_entries(instance, state, choice);
	/* First the one that changes all interfaces' own switches with it. */
	json_array_foreach(list, i, entry)
		if (!strcmp(field(entry, "key"), FORWARD_ALL))
			err = write_value(FORWARD_ALL, field(entry, "old"));
	json_array_foreach(list, i, entry) {
		one = write_value(field(entry, "key"), field(entry, "old"));
		if (one && !err)
			err = one;
	}
	one = save_state(instance, state);
	json_decref(list);
	json_decref(state);
	close(fd);
	return err ? err : one;
}

int sysctl_restore(const char *instance, const char *prefix)
{
	return restore(instance, &(struct choice){ .prefix = prefix });
}

int sysctl_restore_others(const char *instance, const struct sysctl_want *wants, size_t n)
{
	return restore(instance, &(struct choice){ .but = wants, .n = n });
}

void sysctl_netns(const char *instance, char netns[NETNS_NAME_LEN])
{
	char path[INSTANCE_PATH_LEN];
	json_t *state;

	netns[0] = '\0';
	instance_path(path, instance, INSTANCE_SYSCTL);
	if (access(path, F_OK))
		return;
	state = load_state(instance);
	snprintf(netns, NETNS_NAME_LEN, "%s", field(state, "netns"));
	json_decref(state);
}

void sysctl_set_own(const char *family, const char *interface, const char *name, const char *value)
{
	char key[SYSCTL_KEY_LEN], dots[SYSCTL_KEY_LEN];
	int err;

	snprintf(key, sizeof(key), "net/%s/conf/%s/%s", family, interface, name);
	err = write_file(key, value);
	if (err && err != -ENOENT)	/* a kernel without IPv6 */
		log_warn("%s cannot be set to %s: %s", dotted(key, dots), value, strerror(-err));
}

static bool lists_clsact(const json_t *state, const char *interface)
{
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(state, "clsact"), i, name)
		if (!strcmp(json_string_value(name) ? json_string_value(name) : "", interface))
			return true;
	return false;
}

int sysctl_note_clsact(const char *instance, const char *interface)
{
	int fd = lock(), err = 0;
	json_t *state;

	if (fd < 0)
		return fd;
	state = load_state(instance);
	if (!lists_clsact(state, interface)) {
		json_array_append_new(json_object_get(state, "clsact"), json_string(interface));
		err = save_state(instance, state);
	}
	json_decref(state);
	close(fd);
	return err;
}

bool sysctl_made_clsact(const char *instance, const char *interface)
{
	json_t *state = load_state(instance);
	bool made = lists_clsact(state, interface);

	json_decref(state);
	return made;
}

/* The same key of interface to; false: it is none of interface from. */
static bool key_of(const char *key, const char *from, const char *to, char out[SYSCTL_KEY_LEN])
{
	static const char *const before[] = { "net/ipv4/conf/", "link/" };
	size_t len = strlen(from), i, n;

	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		n = strlen(before[i]);
		if (strncmp(key, before[i], n) || strncmp(key + n, from, len) || key[n + len] != '/')
			continue;
		snprintf(out, SYSCTL_KEY_LEN, "%s%s%s", before[i], to, key + n + len);
		return true;
	}
	return false;
}

void sysctl_rename(const char *instance, const char *from, const char *to)
{
	char key[SYSCTL_KEY_LEN];
	json_t *state, *value;
	int fd = lock();
	size_t i;

	if (fd < 0)
		return;
	state = load_state(instance);
	json_array_foreach(json_object_get(state, "sysctls"), i, value)
		if (key_of(field(value, "key"), from, to, key) && !find_entry(state, key))
			json_object_set_new(value, "key", json_string(key));
	json_array_foreach(json_object_get(state, "clsact"), i, value)
		if (!strcmp(json_string_value(value) ? json_string_value(value) : "", from))
			json_string_set(value, to);
	if (state)
		save_state(instance, state);
	json_decref(state);
	close(fd);
}

void sysctl_forget(const char *instance)
{
	char path[INSTANCE_PATH_LEN];

	instance_path(path, instance, INSTANCE_SYSCTL);
	unlink(path);
}
