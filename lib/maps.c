/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps.c - open, check and read the pinned maps. Life-cycle and concurrency: see maps.h.
 */
#include "lib/maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/instance.h"

#define BATCH		4096u	/* mappings read with one system call */

static const struct {
	const char *name;
	uint32_t value_size;	/* 0: at least struct counters */
	uint32_t key_size;
} map_specs[MAPS_COUNT] = {
	[MAPS_CONTROL] = { "control", sizeof(struct control), 4 },
	[MAPS_USAGE] = { "usage", sizeof(struct usage), 4 },
	[MAPS_SETTINGS] = { "settings", sizeof(struct settings), 4 },
	[MAPS_RULES] = { "rules", sizeof(struct rule), 4 },
	[MAPS_POOLS] = { "pools", sizeof(struct pool), 4 },
	[MAPS_POOL_ADDRS] = { "pool_addrs", sizeof(struct pool_addr), 4 },
	[MAPS_PORTS] = { "ports", sizeof(struct port), 4 },
	[MAPS_ZONES] = { "zones", sizeof(struct zone), 4 },
	[MAPS_ADDRS] = { "addrs", sizeof(struct addr_info), sizeof(struct addr_key) },
	[MAPS_PORTBITS] = { "portbits", sizeof(struct portbits), 4 },
	[MAPS_FLOWS] = { "flows", sizeof(struct bucket), 4 },
	[MAPS_MAPPINGS] = { "mappings", sizeof(struct mapping_bucket), 4 },
	[MAPS_CPU] = { "cpu", 0, 4 },
	[MAPS_WIRES] = { "wires", sizeof(struct wire), 4 },
	[MAPS_WIRE_STATES] = { "wire_states", sizeof(struct wire_state), 4 },
	[MAPS_NEIGHBOURS] = { "neighbours", sizeof(struct wire_neighbours), 4 },
	[MAPS_STATIONS] = { "stations", sizeof(struct stations), 4 },
};

static int fail(int error, char *err, size_t err_len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err, err_len, format, args);
	va_end(args);
	return error;
}

static int mismatch(const char *instance, char *err, size_t err_len)
{
	return fail(-EPROTO, err, err_len, "instance \"%s\" was made by another version of natvi: "
		    "run `natvi down --instance %s`, then start again; its sessions end", instance, instance);
}

static int instance_present(const char *instance, char *err, size_t err_len)
{
	char dir[INSTANCE_PATH_LEN];
	struct stat st;

	if (!instance_name_ok(instance))
		return fail(-EINVAL, err, err_len, "\"%s\" is no name of an instance: right would be letters, digits, - and _, at most %d",
			    instance, NATVI_NAME_LEN - 1);
	instance_pin_path(dir, instance, "");
	if (!stat(dir, &st))
		return 0;
	if (errno == EACCES || errno == EPERM)
		return fail(-errno, err, err_len, "not allowed to look into " INSTANCE_PIN_ROOT ": this needs root");
	return fail(-ENOENT, err, err_len, "no instance \"%s\" is there (nothing is pinned in %s); `natvi run` starts one",
		    instance, dir);
}

static int open_map(struct maps *maps, enum maps_id id, struct bpf_map_info *info, char *err, size_t err_len)
{
	/* The kernel maps no array that is opened for reading only. */
	bool in_memory = id == MAPS_FLOWS || id == MAPS_MAPPINGS || id == MAPS_PORTBITS;
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = in_memory ? 0 : BPF_F_RDONLY);
	char path[INSTANCE_PATH_LEN];
	__u32 len = sizeof(*info);
	int fd;

	instance_pin_path(path, maps->instance, map_specs[id].name);
	fd = bpf_obj_get_opts(path, &opts);
	if (fd == -ENOENT)
		return id == MAPS_CONTROL ?
			fail(-ENOENT, err, err_len, "instance \"%s\" has no maps (%s is not there); `natvi down --instance %s` clears the rest",
			     maps->instance, path, maps->instance) :
			mismatch(maps->instance, err, err_len);
	if (fd < 0)
		return fail(fd, err, err_len, "cannot open %s: %s%s", path, strerror(-fd),
			    fd == -EPERM || fd == -EACCES ? "; this needs root or CAP_BPF" : "");
	maps->fd[id] = fd;
	memset(info, 0, sizeof(*info));
	if (bpf_obj_get_info_by_fd(fd, info, &len))
		return fail(-errno, err, err_len, "cannot ask for the shape of %s: %s", path, strerror(errno));
	if (info->key_size != map_specs[id].key_size ||
	    (map_specs[id].value_size ? info->value_size != map_specs[id].value_size
				      : info->value_size < sizeof(struct counters)))
		return mismatch(maps->instance, err, err_len);
	return 0;
}

static int check_control(struct maps *maps, char *err, size_t err_len)
{
	int ret = maps_refresh(maps);

	if (ret)
		return fail(ret, err, err_len, "cannot read the control map: %s", strerror(-ret));
	if (!maps->control.abi && !maps->control.abi_hash)
		return fail(-EAGAIN, err, err_len, "instance \"%s\" is just being made, or its start failed half-way; try again, "
			    "or clear it with `natvi down --instance %s`", maps->instance, maps->instance);
	if (maps->control.abi != NATVI_ABI_VERSION || maps->control.abi_hash != natvi_abi_hash())
		return mismatch(maps->instance, err, err_len);
	return 0;
}

static int map_memory(int fd, size_t bytes, const void **out, const char *what, char *err, size_t err_len)
{
	void *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return fail(-errno, err, err_len, "cannot map %s (%zu bytes) into memory: %s", what, bytes, strerror(errno));
	*out = memory;
	return 0;
}

static int open_all(struct maps *maps, char *err, size_t err_len)
{
	struct bpf_map_info info;
	int ret;

	for (int id = 0; id < MAPS_COUNT; id++) {
		ret = open_map(maps, id, &info, err, err_len);
		if (!ret && id == MAPS_CONTROL)
			ret = check_control(maps, err, err_len);
		if (ret)
			return ret;
		if (id == MAPS_FLOWS)
			maps->n_buckets = info.max_entries;
		if (id == MAPS_MAPPINGS)
			maps->n_mapping_buckets = info.max_entries;
		if (id == MAPS_PORTBITS)
			maps->n_portbits = info.max_entries;
	}
	maps->flows_bytes = (size_t)maps->n_buckets * sizeof(struct bucket);
	ret = map_memory(maps->fd[MAPS_FLOWS], maps->flows_bytes, (const void **)&maps->flows, "the flow table", err, err_len);
	if (ret)
		return ret;
	maps->mappings_bytes = (size_t)maps->n_mapping_buckets * sizeof(struct mapping_bucket);
	ret = map_memory(maps->fd[MAPS_MAPPINGS], maps->mappings_bytes, (const void **)&maps->mappings, "the mapping table",
			 err, err_len);
	if (ret)
		return ret;
	maps->portbits_bytes = (size_t)maps->n_portbits * sizeof(struct portbits);
	return map_memory(maps->fd[MAPS_PORTBITS], maps->portbits_bytes, (const void **)&maps->portbits,
			  "the port bitmaps", err, err_len);
}

int maps_open(struct maps **out, const char *instance, char *err, size_t err_len)
{
	struct maps *maps;
	int ret = instance_present(instance, err, err_len);

	if (ret)
		return ret;
	maps = calloc(1, sizeof(*maps));
	if (!maps)
		return fail(-ENOMEM, err, err_len, "no memory");
	snprintf(maps->instance, sizeof(maps->instance), "%s", instance);
	for (int id = 0; id < MAPS_COUNT; id++)
		maps->fd[id] = -1;
	ret = open_all(maps, err, err_len);
	if (ret) {
		maps_close(maps);
		return ret;
	}
	*out = maps;
	return 0;
}

void maps_close(struct maps *maps)
{
	if (!maps)
		return;
	if (maps->portbits)
		munmap((void *)maps->portbits, maps->portbits_bytes);
	if (maps->mappings)
		munmap((void *)maps->mappings, maps->mappings_bytes);
	if (maps->flows)
		munmap((void *)maps->flows, maps->flows_bytes);
	for (int id = 0; id < MAPS_COUNT; id++)
		if (maps->fd[id] >= 0)
			close(maps->fd[id]);
	free(maps);
}

/* Entry index of an array map. */
static int read_entry(const struct maps *maps, enum maps_id id, uint32_t index, void *out)
{
	return bpf_map_lookup_elem(maps->fd[id], &index, out) ? -errno : 0;
}

int maps_refresh(struct maps *maps)
{
	int ret = read_entry(maps, MAPS_CONTROL, 0, &maps->control);

	maps->active = maps->control.active & 1;
	return ret;
}

uint32_t maps_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)now.tv_sec;
}

int maps_usage(const struct maps *maps, struct usage *out)
{
	return read_entry(maps, MAPS_USAGE, 0, out);
}

int maps_settings(const struct maps *maps, struct settings *out)
{
	return read_entry(maps, MAPS_SETTINGS, maps->active, out);
}

/* Entry index of the active half of a map that has limit entries in each. */
static int read_half(const struct maps *maps, enum maps_id id, uint32_t index, uint32_t limit, void *out)
{
	if (index >= limit)
		return -ENOENT;
	return read_entry(maps, id, maps->active * limit + index, out);
}

int maps_zone(const struct maps *maps, uint32_t number, struct zone *out)
{
	return number < NATVI_MAX_ZONES ? read_entry(maps, MAPS_ZONES, number, out) : -ENOENT;
}

int maps_wire(const struct maps *maps, uint32_t number, struct wire *out)
{
	int ret = number < NATVI_MAX_WIRES ? read_entry(maps, MAPS_WIRES, number, out) : -ENOENT;

	if (!ret)
		out->name[sizeof(out->name) - 1] = '\0';
	return ret;
}

int maps_wire_state(const struct maps *maps, uint32_t number, struct wire_state *out)
{
	return number < NATVI_MAX_WIRES ? read_entry(maps, MAPS_WIRE_STATES, number, out) : -ENOENT;
}

int maps_rule(const struct maps *maps, uint32_t index, struct rule *out)
{
	return read_half(maps, MAPS_RULES, index, NATVI_MAX_RULES, out);
}

int maps_pool(const struct maps *maps, uint32_t index, struct pool *out)
{
	int ret = read_half(maps, MAPS_POOLS, index, NATVI_MAX_POOLS, out);

	if (!ret)
		out->name[sizeof(out->name) - 1] = '\0';
	return ret;
}

int maps_pool_addr(const struct maps *maps, uint32_t index, struct pool_addr *out)
{
	return read_half(maps, MAPS_POOL_ADDRS, index, maps->control.n_pool_addrs, out);
}

int maps_each_port(const struct maps *maps, maps_port_fn fn, void *arg)
{
	struct port port;
	int ret;

	for (uint32_t i = 0; i < NATVI_MAX_PORTS; i++) {
		ret = read_entry(maps, MAPS_PORTS, i, &port);
		if (ret)
			return ret;
		if (!port.ifindex)
			continue;
		port.name[sizeof(port.name) - 1] = '\0';
		ret = fn(&port, arg);
		if (ret)
			return ret;
	}
	return 0;
}

int maps_each_neighbour(const struct maps *maps, maps_neighbour_fn fn, void *arg)
{
	struct wire_neighbours set;
	int ret = 0;

	for (uint32_t i = 0; i < NATVI_NEIGHBOUR_SETS && !ret; i++) {
		ret = read_entry(maps, MAPS_NEIGHBOURS, i, &set);
		for (int way = 0; way < NATVI_NEIGHBOUR_WAYS && !ret; way++)
			if (set.entry[way].last_seen_s)
				ret = fn(&set.entry[way], arg);
	}
	return ret;
}

int maps_each_station(const struct maps *maps, maps_station_fn fn, void *arg)
{
	struct stations set;
	int ret = 0;

	for (uint32_t i = 0; i < NATVI_STATION_SETS && !ret; i++) {
		ret = read_entry(maps, MAPS_STATIONS, i, &set);
		for (int way = 0; way < NATVI_STATION_WAYS && !ret; way++)
			if (set.entry[way].last_seen_s)
				ret = fn(&set.entry[way], arg);
	}
	return ret;
}

static void add_counters(struct counters *sum, const struct counters *one)
{
	for (size_t i = 0; i < sizeof(sum->packets) / sizeof(sum->packets[0]); i++) {
		sum->packets[i] += one->packets[i];
		sum->bytes[i] += one->bytes[i];
	}
	sum->xdp_hits += one->xdp_hits;
	sum->events_lost += one->events_lost;
	sum->icmp_suppressed += one->icmp_suppressed;
	for (size_t i = 0; i < sizeof(sum->ended) / sizeof(sum->ended[0]); i++)
		sum->ended[i] += one->ended[i];
	for (size_t i = 0; i < NATVI_MAX_WIRES; i++)
		for (int side = 0; side < 2; side++) {
			sum->crossed[i][side].packets += one->crossed[i][side].packets;
			sum->crossed[i][side].bytes += one->crossed[i][side].bytes;
		}
}

int maps_counters(const struct maps *maps, struct counters *out)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int cpus = libbpf_num_possible_cpus(), ret = 0;
	size_t stride;
	char *values;

	memset(out, 0, sizeof(*out));
	if (cpus < 0)
		return cpus;
	if (bpf_obj_get_info_by_fd(maps->fd[MAPS_CPU], &info, &len))
		return -errno;
	stride = (info.value_size + 7) & ~(size_t)7;
	values = calloc((size_t)cpus, stride);
	if (!values)
		return -ENOMEM;
	for (uint32_t entry = 0; entry < info.max_entries && !ret; entry++) {
		ret = read_entry(maps, MAPS_CPU, entry, values);
		for (int cpu = 0; cpu < cpus && !ret; cpu++)
			add_counters(out, (const struct counters *)(values + (size_t)cpu * stride));
	}
	free(values);
	return ret;
}

uint32_t maps_claimed(const struct maps *maps, uint32_t slot, enum portbits_proto proto)
{
	uint64_t index = (uint64_t)slot * PORTBITS_PROTOS + proto;
	uint32_t n = 0;

	if (slot == SLOT_NONE || index >= maps->n_portbits)
		return 0;
	for (size_t i = 0; i < NATVI_PORT_WORDS; i++)
		n += (uint32_t)__builtin_popcountll(__atomic_load_n(&maps->portbits[index].word[i], __ATOMIC_RELAXED));
	return n;
}

/* A copy of what a slot holds while it is LIVE; false: nothing, or it has just gone. */
static bool copy_entry(const struct mapping_bucket *b, unsigned int slot, struct map_entry *out)
{
	uint32_t tag = __atomic_load_n(&b->tag[slot], __ATOMIC_ACQUIRE);

	if (!(tag & TAG_LIVE))
		return false;
	*out = *(const volatile struct map_entry *)&b->entry[slot];
	return __atomic_load_n(&b->tag[slot], __ATOMIC_ACQUIRE) == tag;
}

int mapping_entries(const struct mapping_bucket *buckets, uint32_t n, maps_mapping_fn fn, void *arg)
{
	struct map_entry entry;
	int ret;

	for (uint32_t i = 0; i < n; i++)
		for (unsigned int slot = 0; slot < NATVI_MAPPING_SLOTS; slot++) {
			if (!copy_entry(&buckets[i], slot, &entry))
				continue;
			ret = fn(&entry, arg);
			if (ret)
				return ret;
		}
	return 0;
}

struct inside_walk {
	maps_mapping_fn fn;
	void *arg;
};

static int inside_only(const struct map_entry *entry, void *arg)
{
	const struct inside_walk *walk = arg;

	if (entry->key.kind != MAPPING_INSIDE || (entry->value.refs & MAPPING_DEAD))
		return 0;
	return walk->fn(entry, walk->arg);
}

int maps_each_mapping(const struct maps *maps, maps_mapping_fn fn, void *arg)
{
	struct inside_walk walk = { .fn = fn, .arg = arg };

	return mapping_entries(maps->mappings, maps->n_mapping_buckets, inside_only, &walk);
}

const char *mapping_state(const struct mapping *mapping)
{
	if (mapping->flags & MAPPING_STATIC)
		return "static";
	return mapping->refs ? "active" : "resting";
}
