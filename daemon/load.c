/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * load.c - programs and maps into the kernel, and their pins. See tables.h.
 *
 * The pin of control is made last, when its content is written: where it is, everything is. A
 * directory without it is what a start left that was cut off, and is cleared away.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "abi/fragment.h"
#include "daemon/caps.h"
#include "daemon/load_impl.h"
#include "daemon/pins.h"
#include "daemon/plan.h"
#include "daemon/tables.h"
#include "lib/instance.h"
#include "lib/log.h"
#include "natvi.skel.h"

#define MIN_HEADROOM		64u	/* outside addresses that reloads or a DHCP server may add: as many as there are, */
#define MAX_HEADROOM		1024u	/* within these bounds, for one has 25 kB of ports */
#define STATIC_HEADROOM		1024u	/* forwarded ports that a reload may add */
#define LOCAL_ADDRS		8192u	/* own addresses of the box */
#define ZONE_ADDRS		1024u	/* and as they are seen by one more zone */
#define LOAD_LOG_BYTES		65536

static const char *const map_names[TABLE_MAPS] = {
	"control", "usage", "settings", "rules", "pools", "pool_addrs", "ports", "zones", "addrs", "portbits", "flows", "mappings",
	"fragments", "ids", "requests", "expected", "wires", "wire_states", "neighbours", "stations",
};

static const char *const prog_names[TABLE_PROGS] = {
	"natvi_tc_ingress", "natvi_tc_egress", "natvi_xdp", "natvi_sweep", "natvi_kill", "natvi_unmap",
	"natvi_adopt", "natvi_mapping", "natvi_tc_parked", "natvi_event", "natvi_tc_nvi_out", "natvi_tc_nvi_in", "natvi_tc_accel",
	"natvi_tc_wire", "natvi_xdp_wire", "natvi_tc_target", "natvi_tc_host",
};

/* The file system */

int bpffs_mount(void)
{
	struct statfs fs;

	if (!statfs(INSTANCE_BPFFS, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (!caps_has_sys_admin()) {
		log_err("no BPF file system is mounted at " INSTANCE_BPFFS ", and mounting it needs CAP_SYS_ADMIN: "
			"run `mount -t bpf bpf " INSTANCE_BPFFS "` first");
		return -EPERM;
	}
	if (mount("bpf", INSTANCE_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")) {
		int err = -errno;

		log_err("cannot mount a BPF file system at " INSTANCE_BPFFS ": %s", strerror(-err));
		return err;
	}
	log_info("mounted a BPF file system at " INSTANCE_BPFFS);
	return 0;
}

static int make_dirs(const char *instance)
{
	char dir[INSTANCE_PATH_LEN];
	int err = bpffs_mount();

	if (err)
		return err;
	instance_pin_path(dir, instance, "");
	if ((mkdir(INSTANCE_PIN_ROOT, 0700) && errno != EEXIST) || (mkdir(dir, 0700) && errno != EEXIST)) {
		err = -errno;
		log_err("cannot make %s: %s", dir, strerror(-err));
	}
	return err;
}

/* Kernels before 5.11 count maps against this limit; newer ones do not look at it. */
static void raise_memlock(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &all))
		log_debug("cannot raise RLIMIT_MEMLOCK: %s", strerror(errno));
}

/* Sizes */

static uint32_t at_least(uint32_t value, uint32_t least)
{
	return value < least ? least : value;
}

/* Addresses that have gone keep their place as long as sessions are on them: there is room to replace all. */
static uint32_t with_headroom(uint32_t n)
{
	return n + (n < MIN_HEADROOM ? MIN_HEADROOM : n > MAX_HEADROOM ? MAX_HEADROOM : n);
}

static int set_size(struct bpf_object *object, enum table_map map, uint32_t entries)
{
	struct bpf_map *m = bpf_object__find_map_by_name(object, map_names[map]);

	return m ? bpf_map__set_max_entries(m, entries) : -ENOENT;
}

static int set_sizes(struct bpf_object *object, const struct config *config)
{
	struct plan_needs needs = plan_needs(config);
	uint32_t addrs = at_least(2 * needs.pool_addrs, with_headroom(needs.pool_addrs));
	int err;

	err = set_size(object, TABLE_FLOWS, natvi_buckets_for(config->max_sessions));
	if (!err)
		err = set_size(object, TABLE_MAPPINGS, natvi_mapping_buckets_for(
			       natvi_mapping_entries_for(config->max_mappings, needs.statics + STATIC_HEADROOM)));
	if (!err)
		err = set_size(object, TABLE_POOL_ADDRS, 2 * addrs);
	if (!err)
		err = set_size(object, TABLE_PORTBITS, with_headroom(needs.slots) * PORTBITS_PROTOS);
	if (!err)
		err = set_size(object, TABLE_ADDRS, at_least(2 * needs.addr_keys, 64) + LOCAL_ADDRS + ZONE_ADDRS * (uint32_t)config->n_zones);
	if (err)
		log_err("the programs lack a map that must be there: %s", strerror(-err));
	return err;
}

/* Bytes that the kernel takes for a map, about: an element of a hash has a head of 48 bytes beside key and value. */
static uint64_t map_bytes(const struct bpf_map *map)
{
	uint64_t n = bpf_map__max_entries(map), value = (bpf_map__value_size(map) + 7) & ~7ull;

	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
		return n * (48 + ((bpf_map__key_size(map) + 7) & ~7ull) + value);
	case BPF_MAP_TYPE_RINGBUF:
		return n;
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return n * value * (uint64_t)libbpf_num_possible_cpus();
	default:
		return n * value;
	}
}

static void tell_memory(struct bpf_object *object, const struct config *config)
{
	uint64_t total = 0, bytes, flows = 0, mappings = 0;
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		bytes = map_bytes(map);
		total += bytes;
		if (!strcmp(bpf_map__name(map), map_names[TABLE_FLOWS]))
			flows = bytes;
		if (!strcmp(bpf_map__name(map), map_names[TABLE_MAPPINGS]))
			mappings = bytes;
	}
	log_info("tables take %.1f MiB: flows %.1f (%u sessions), mappings %.1f (%u), the rest %.1f", (double)total / 1048576,
		 (double)flows / 1048576, config->max_sessions, (double)mappings / 1048576, config->max_mappings,
		 (double)(total - flows - mappings) / 1048576);
}

/* Maps that are pinned already */

static int version_conflict(const char *instance)
{
	log_err("the tables of instance \"%s\" were made by another version of natvi. "
		"`natvi down --instance %s` removes them (sessions end), then start again", instance, instance);
	return -EPROTO;
}

static int reuse_map(const char *instance, struct bpf_map *map, const char *path)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_obj_get(path), err;

	if (fd == -ENOENT)
		return 0;	/* new in this version: it is made */
	if (fd < 0) {
		log_err("cannot open %s: %s", path, strerror(-fd));
		return fd;
	}
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (!err && (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
		     info.value_size != bpf_map__value_size(map)))
		err = version_conflict(instance);
	else if (!err)
		err = bpf_map__reuse_fd(map, fd);
	close(fd);
	return err;
}

static int reuse_maps(const char *instance, struct bpf_object *object)
{
	char path[INSTANCE_PATH_LEN];
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map(map, object) {
		if (bpf_map__is_internal(map))
			continue;
		instance_pin_path(path, instance, bpf_map__name(map));
		err = reuse_map(instance, map, path);
		if (err)
			return err;
	}
	return 0;
}

/* 1: tables of this version are pinned; 0: none are; or a negative errno after saying why. */
static int pinned_tables(const char *instance)
{
	char path[INSTANCE_PATH_LEN];
	struct bpf_map_info info = { 0 };
	struct control control = { 0 };
	__u32 len = sizeof(info), zero = 0;
	int fd, err;

	instance_pin_path(path, instance, map_names[TABLE_CONTROL]);
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0) {
		log_err("cannot open %s: %s", path, strerror(-fd));
		return fd;
	}
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (!err && info.value_size != sizeof(control))
		err = version_conflict(instance);
	if (!err)
		err = bpf_map_lookup_elem(fd, &zero, &control);
	close(fd);
	if (err)
		return err;
	if (control.abi != NATVI_ABI_VERSION || control.abi_hash != natvi_abi_hash())
		return version_conflict(instance);
	return 1;
}

/* Loading */

static char load_log[LOAD_LOG_BYTES];
static size_t load_log_len;

void load_words_forget(void)
{
	load_log_len = 0;
	load_log[0] = '\0';
}

const char *load_words(void)
{
	return load_log;
}

/* libbpf's words are kept for the case that the load fails. */
static int keep_words(enum libbpf_print_level level, const char *format, va_list args)
{
	int n;

	if (level == LIBBPF_DEBUG)
		return 0;
	n = vsnprintf(load_log + load_log_len, sizeof(load_log) - load_log_len, format, args);
	if (n > 0)
		load_log_len += (size_t)n;
	if (load_log_len >= sizeof(load_log))
		load_log_len = sizeof(load_log) - 1;
	return n;
}

static void say_missing(const char *name, const char *why, void *arg)
{
	log_err("this kernel has no %s: %s", name, why);
}

static void explain_load(int err)
{
	char *line, *rest = load_log;

	log_err("the kernel does not take the programs: %s", strerror(-err));
	features_missing(say_missing, NULL);
	if (err == -EPERM)
		log_err("the lockdown mode of the kernel, or a security module, can be the reason");
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_debug("%s", line);
	if (log_get_level() < LOG_LEVEL_DEBUG)
		log_err("`--log debug` shows the verifier's words");
}

void tables_find_programs(struct tables *tables, const struct bpf_object *object)
{
	struct bpf_program *prog;
	int i;

	for (i = 0; i < TABLE_PROGS; i++) {
		prog = bpf_object__find_program_by_name(object, prog_names[i]);
		if (prog)
			tables->prog[i] = bpf_program__fd(prog);
	}
}

static int find_all(struct tables *tables)
{
	struct bpf_object *object = tables->skel->obj;
	struct bpf_map *map;
	int i;

	for (i = 0; i < TABLE_MAPS; i++) {
		map = bpf_object__find_map_by_name(object, map_names[i]);
		if (!map)
			return -ENOENT;
		tables->map[i] = bpf_map__fd(map);
		if (i == TABLE_MAPPINGS)
			tables->max_mapping_entries = (bpf_map__max_entries(map) - 2) * NATVI_MAPPING_SLOTS / 5 * 4;
		if (i == TABLE_ADDRS)
			tables->max_addr_entries = bpf_map__max_entries(map);
	}
	for (i = 0; i < TABLE_PROGS; i++)
		tables->prog[i] = -1;
	tables_find_programs(tables, object);
	return 0;
}

static int load(struct tables *tables, const struct config *config)
{
	struct timespec from, to;
	struct bpf_map *control;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &from);
	raise_memlock();
	load_words_forget();
	libbpf_set_print(keep_words);
	tables->skel = natvi_bpf__open();
	if (!tables->skel) {
		err = -errno;
		log_err("the programs in this binary cannot be read: %s", strerror(errno));
		return err;
	}
	control = bpf_object__find_map_by_name(tables->skel->obj, map_names[TABLE_CONTROL]);
	if (control)
		bpf_map__set_map_flags(control, bpf_map__map_flags(control) | BPF_F_MMAPABLE);
	err = set_sizes(tables->skel->obj, config);
	if (!err && tables->reused)
		err = reuse_maps(tables->instance, tables->skel->obj);
	if (err)
		return err;
	err = natvi_bpf__load(tables->skel);
	if (!err)
		err = find_all(tables);
	if (err) {
		explain_load(err);
		return err;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	log_debug("programs and maps loaded in %.0f ms", (double)(to.tv_sec - from.tv_sec) * 1e3 +
		  (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	return 0;
}

/* Memory shared with the datapath */

static int map_memory(struct tables *tables)
{
	struct bpf_map *bits = bpf_object__find_map_by_name(tables->skel->obj, map_names[TABLE_PORTBITS]);
	size_t bytes = (size_t)bpf_map__max_entries(bits) * sizeof(struct portbits);
	void *memory;

	memory = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, tables->map[TABLE_CONTROL], 0);
	if (memory == MAP_FAILED)
		goto fail;
	tables->control = memory;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, tables->map[TABLE_PORTBITS], 0);
	if (memory == MAP_FAILED)
		goto fail;
	tables->portbits = memory;
	tables->portbits_bytes = bytes;
	return 0;
fail:
	log_err("cannot map the tables into memory: %s", strerror(errno));
	return -errno;
}

static uint32_t entries_of(struct tables *tables, enum table_map map)
{
	return bpf_map__max_entries(bpf_object__find_map_by_name(tables->skel->obj, map_names[map]));
}

static int begin_control(struct tables *tables, const struct config *config)
{
	struct control *c = tables->control;

	memset(c, 0, sizeof(*c));
	if (getrandom(&c->seed, sizeof(c->seed), 0) != sizeof(c->seed))
		return -errno;
	c->generation = 1;
	c->n_buckets = entries_of(tables, TABLE_FLOWS);
	c->n_mapping_buckets = entries_of(tables, TABLE_MAPPINGS);
	c->n_pool_addrs = entries_of(tables, TABLE_POOL_ADDRS) / 2;
	c->n_slots = entries_of(tables, TABLE_PORTBITS) / PORTBITS_PROTOS;
	c->max_sessions = config->max_sessions;
	c->max_mappings = config->max_mappings;
	c->abi_hash = natvi_abi_hash();
	tables_set(tables, abi, NATVI_ABI_VERSION);
	return 0;
}

/* Where the counters of IP identifications begin is nobody's to know (RFC 7739). */
static int begin_ids(struct tables *tables)
{
	struct ids ids;
	size_t done;
	ssize_t got;

	for (done = 0; done < sizeof(ids); done += (size_t)got) {
		got = getrandom((char *)&ids + done, sizeof(ids) - done, 0);
		if (got < 0)
			return -errno;
	}
	return tables_put(tables, TABLE_IDS, 0, &ids);
}

static void tell_differences(const struct tables *tables, const struct config *config)
{
	const struct control *c = tables->control;

	if (c->max_sessions != config->max_sessions)
		log_warn("limits.sessions: the tables hold %u sessions and keep that size; "
			 "`natvi down` first to change it to %u", c->max_sessions, config->max_sessions);
	if (c->max_mappings != config->max_mappings)
		log_warn("limits.mappings: the tables hold %u mappings and keep that size; "
			 "`natvi down` first to change it to %u", c->max_mappings, config->max_mappings);
}

/* Pins */

static int pin(int fd, const char *instance, const char *name)
{
	char path[INSTANCE_PATH_LEN];
	int err;

	instance_pin_path(path, instance, name);
	err = bpf_obj_pin(fd, path);
	if (err && err != -EEXIST)
		log_err("cannot pin %s: %s", path, strerror(-err));
	return err;
}

static int pin_maps(struct tables *tables)
{
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map(map, tables->skel->obj) {
		if (bpf_map__is_internal(map) || !strcmp(bpf_map__name(map), map_names[TABLE_CONTROL]))
			continue;
		err = pin(bpf_map__fd(map), tables->instance, bpf_map__name(map));
		if (err && !(err == -EEXIST && tables->reused))
			return err;
	}
	err = pin(tables->map[TABLE_CONTROL], tables->instance, map_names[TABLE_CONTROL]);
	return err == -EEXIST && tables->reused ? 0 : err;
}

static void program_pin_name(char *name, size_t len, const struct bpf_program *prog, const char *suffix)
{
	snprintf(name, len, PIN_PROG_PREFIX "%s%s", bpf_program__name(prog), suffix);
}

int tables_pin_programs(const struct tables *tables, const struct bpf_object *object)
{
	char path[INSTANCE_PATH_LEN], old[INSTANCE_PATH_LEN], name[64];
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, object) {
		program_pin_name(name, sizeof(name), prog, PIN_OLD_SUFFIX);
		instance_pin_path(old, tables->instance, name);
		program_pin_name(name, sizeof(name), prog, PIN_NEW_SUFFIX);
		instance_pin_path(path, tables->instance, name);
		rename(path, old);	/* a start was cut off: some ports may run these */
		err = pin(bpf_program__fd(prog), tables->instance, name);
		if (err)
			return err;
	}
	return 0;
}

int tables_settle_programs(const struct tables *tables, const struct bpf_object *object)
{
	char from[INSTANCE_PATH_LEN], to[INSTANCE_PATH_LEN], name[64];
	struct bpf_program *prog;
	int err = 0;

	bpf_object__for_each_program(prog, object) {
		program_pin_name(name, sizeof(name), prog, PIN_NEW_SUFFIX);
		instance_pin_path(from, tables->instance, name);
		program_pin_name(name, sizeof(name), prog, "");
		instance_pin_path(to, tables->instance, name);
		if (rename(from, to) && errno != ENOENT) {
			err = -errno;
			log_err("cannot rename %s: %s", from, strerror(-err));
		}
		program_pin_name(name, sizeof(name), prog, PIN_OLD_SUFFIX);
		instance_pin_path(from, tables->instance, name);
		unlink(from);
	}
	return err;
}

void tables_undo(struct tables *tables)
{
	/* With tables that were there before, some ports may run the new programs already: both sets stay known. */
	if (!tables->reused)
		pins_remove(tables->instance);
}

void tables_flags(struct tables *tables, uint32_t clear, uint32_t set)
{
	uint32_t flags = (tables->control->flags & ~clear) | set;

	if (flags != tables->control->flags)
		tables_set(tables, flags, flags);
}

static int prepare(struct tables *tables, const struct config *config)
{
	char err_text[512];
	int err;

	err = map_memory(tables);
	if (!err && !tables->reused)
		err = begin_control(tables, config);
	if (!err && !tables->reused)
		err = begin_ids(tables);
	if (!err)
		err = pin_maps(tables);
	if (!err)
		err = tables_pin_programs(tables, tables->skel->obj);
	if (err)
		return err;
	err = maps_open(&tables->maps, tables->instance, err_text, sizeof(err_text));
	if (err)
		log_err("%s", err_text);
	if (err)
		return err;
	tables->mappings = tables->maps->mappings;
	tables->n_mapping_buckets = tables->maps->n_mapping_buckets;
	if (tables->reused)
		tell_differences(tables, config);
	return 0;
}

int tables_open(struct tables **out, const char *instance, const struct config *config)
{
	struct tables *tables = calloc(1, sizeof(*tables));
	int err;

	if (!tables)
		return -ENOMEM;
	snprintf(tables->instance, sizeof(tables->instance), "%s", instance);
	err = make_dirs(instance);
	if (err)
		goto fail;
	err = pinned_tables(instance);
	if (err < 0)
		goto fail;
	tables->reused = err == 1;
	if (!tables->reused) {
		err = pins_remove(instance);
		if (!err)
			err = make_dirs(instance);
		if (err)
			goto fail;
	}
	err = load(tables, config);
	if (!err && !tables->reused)
		tell_memory(tables->skel->obj, config);
	if (!err)
		err = prepare(tables, config);
	if (err) {
		if (tables->skel)
			tables_undo(tables);
		goto fail;
	}
	*out = tables;
	return 0;
fail:
	tables_close(tables);
	return err;
}

void tables_close(struct tables *tables)
{
	if (!tables)
		return;
	maps_close(tables->maps);
	if (tables->portbits)
		munmap(tables->portbits, tables->portbits_bytes);
	if (tables->control)
		munmap(tables->control, sizeof(*tables->control));
	tables_close_beside(tables);
	if (tables->skel)
		natvi_bpf__destroy(tables->skel);
	free(tables);
}

/* Use */

void tables_grace(void)
{
	/* Programs run in RCU read sections; this command is the kernel's synchronize_rcu(). */
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(100000);
}

int tables_run(const struct tables *tables, enum table_prog prog, void *args, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = (__u32)len);
	int err;

	if (tables->prog[prog] < 0)
		return -ENOSYS;
	err = bpf_prog_test_run_opts(tables->prog[prog], &opts);
	return err;
}

int tables_put(const struct tables *tables, enum table_map map, uint32_t index, const void *value)
{
	return bpf_map_update_elem(tables->map[map], &index, value, BPF_ANY);
}
