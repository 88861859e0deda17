/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * host_bpf.c - a case on the real programs: natvi_tc_ingress, or natvi_xdp and what it passes on
 * then natvi_tc_ingress, by BPF_PROG_TEST_RUN in a network namespace of this process (netns.c).
 *
 * The object is loaded once, with maps that have no pins; each case begins with empty ones, which
 * the daemon's own functions fill from its plan. Time stands still but for what a case says: it passes by making
 * everything older, and what really passes is made up for by making everything younger. A namespace
 * is used again while the network stays the same. The process stays on one CPU, as a rate limit counts by CPU.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "daemon/bits.h"
#include "daemon/caps.h"
#include "daemon/forwards.h"
#include "daemon/mappings.h"
#include "daemon/plan.h"
#include "daemon/write.h"
#include "host/native_impl.h"
#include "dp/pkt.h"
#include "natvi.skel.h"
#include "tests/runner/bpf_wire.h"
#include "tests/runner/runner.h"

#define SESSIONS	1024u	/* room; a case with higher limits is told of less */
#define MAPPING_BUCKETS	natvi_mapping_buckets_for(4 * SESSIONS)
#define POOL_ADDRS	1024u
#define SLOTS		256u
#define SEED		0x6e61747669ULL

static const char *const map_names[TABLE_MAPS] = {
	"control", "usage", "settings", "rules", "pools", "pool_addrs", "ports", "zones", "addrs", "portbits", "flows", "mappings",
	"fragments", "ids", "requests", "expected", "wires", "wire_states", "neighbours", "stations",
};

static struct tables tables;
static struct bucket *buckets;
static struct mapping_bucket *mapping_buckets;
static struct usage *usage;
static struct plan plans[2];
static const struct plan *plan;		/* the one in force */
static struct slots slots;
static struct links links;
static struct pool_place places[NATVI_MAX_POOLS];
static char zone_names[NATVI_MAX_ZONES][NATVI_NAME_LEN], wire_names[NATVI_MAX_WIRES][NATVI_NAME_LEN];
static struct port shadow[NATVI_MAX_PORTS];
static const struct native_net *made_net;	/* of the case, with the kernel's numbers */
static int cpu_fd, sources_fd, n_cpus;
static uint64_t claimed_before;		/* port bits of the first plan */
static bool reloaded;
static uint32_t case_s;			/* the second that the case is in */
static struct cpu *cpus;		/* [n_cpus] */
static bool xdp, wired;			/* the case has wires */
static uint8_t out_frame[RUNNER_MAX_FRAME + 256];

static char words[1 << 20];

static int keep_words(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t used = strlen(words);

	if (level == LIBBPF_WARN)
		vsnprintf(words + used, sizeof(words) - used, format, args);
	return 0;
}

/* What the verifier says last is what matters. */
static const char *last_words(void)
{
	size_t len = strlen(words);

	return len > 700 ? words + len - 700 : words;
}

int bpf_fail(char *err, int code, const char *what)
{
	snprintf(err, RUNNER_ERR_LEN, "%s: %s%s%s", what, strerror(-code), words[0] ? ": " : "", last_words());
	return code;
}

/* Loading */

static struct bpf_map *map_named(const char *name)
{
	return bpf_object__find_map_by_name(tables.skel->obj, name);
}

static void *map_memory(const char *name, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map_named(name)), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void set_sizes(void)
{
	bpf_map__set_max_entries(map_named("flows"), natvi_buckets_for(SESSIONS));
	bpf_map__set_max_entries(map_named("mappings"), MAPPING_BUCKETS);
	bpf_map__set_max_entries(map_named("pool_addrs"), 2 * POOL_ADDRS);
	bpf_map__set_max_entries(map_named("portbits"), SLOTS * PORTBITS_PROTOS);
}

static int find_programs(void)
{
	static const char *const names[TABLE_PROGS] = {
		[PROG_TC_INGRESS] = "natvi_tc_ingress", [PROG_XDP] = "natvi_xdp", [PROG_SWEEP] = "natvi_sweep",
		[PROG_KILL] = "natvi_kill", [PROG_UNMAP] = "natvi_unmap", [PROG_MAPPING] = "natvi_mapping",
		[PROG_ADOPT] = "natvi_adopt", [PROG_TC_PARKED] = "natvi_tc_parked",
	};

	for (int i = 0; i < TABLE_PROGS; i++) {
		struct bpf_program *prog = names[i] ? bpf_object__find_program_by_name(tables.skel->obj, names[i]) : NULL;

		tables.prog[i] = prog ? bpf_program__fd(prog) : -1;
		if (names[i] && !prog)
			return -ENOENT;
	}
	return 0;
}

static int find_maps(void)
{
	for (int i = 0; i < TABLE_MAPS; i++)
		tables.map[i] = bpf_map__fd(map_named(map_names[i]));
	tables.max_addr_entries = bpf_map__max_entries(map_named("addrs"));
	mapping_buckets = map_memory("mappings", MAPPING_BUCKETS * sizeof(*mapping_buckets));
	tables.mappings = mapping_buckets;
	tables.control = map_memory("control", sizeof(*tables.control));
	tables.portbits = map_memory("portbits", SLOTS * PORTBITS_PROTOS * sizeof(struct portbits));
	usage = map_memory("usage", sizeof(*usage));
	buckets = map_memory("flows", natvi_buckets_for(SESSIONS) * sizeof(*buckets));
	cpu_fd = bpf_map__fd(map_named("cpu"));
	sources_fd = bpf_map__fd(map_named("fragment_sources"));
	n_cpus = libbpf_num_possible_cpus();
	cpus = n_cpus > 0 ? calloc((size_t)n_cpus, sizeof(*cpus)) : NULL;
	return tables.control && tables.portbits && usage && buckets && mapping_buckets && cpus ? 0 : -ENOMEM;
}

static int bpf_open(char *err)
{
	cpu_set_t one;
	int ret;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	libbpf_set_print(keep_words);
	tables.skel = natvi_bpf__open();
	if (!tables.skel)
		return bpf_fail(err, -errno, "the BPF object cannot be read");
	set_sizes();
	ret = natvi_bpf__load(tables.skel);
	if (ret == -EPERM) {
		snprintf(err, RUNNER_ERR_LEN, "loading BPF programs is not permitted here (run it as root)");
		return ret;
	}
	if (ret)
		return bpf_fail(err, ret, "the kernel does not take the programs");
	ret = find_programs();
	if (!ret)
		ret = find_maps();
	return ret ? bpf_fail(err, ret, "the programs' maps cannot be used") : bpf_wire_open(tables.skel->obj, err);
}

static int tc_open(char *err)
{
	return bpf_open(err);
}

static int xdp_open(char *err)
{
	xdp = true;
	return bpf_open(err);
}

/* Time */

/* The datapath's second (env_now_s() of bpf/env_bpf.h), a number of nanoseconds from now. */
static uint32_t second(uint64_t ahead_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)((((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + ahead_ns) >> 20) * 36028797 >> 35);
}

/* Change all entries of a hash; not while walking it, as a changed entry takes another place. change(value, seconds). */
static void older_hash(int fd, size_t key_size, void (*change)(void *, uint32_t), uint32_t seconds)
{
	static uint8_t keys[NATVI_FRAGMENTS * sizeof(struct tuple)];
	_Alignas(8) uint8_t value[64];
	size_t n = 0;

	while ((n + 2) * key_size <= sizeof(keys) &&
	       !bpf_map_get_next_key(fd, n ? keys + (n - 1) * key_size : NULL, keys + n * key_size))
		n++;
	for (size_t i = 0; i < n; i++) {
		if (bpf_map_lookup_elem(fd, keys + i * key_size, value))
			continue;
		change(value, seconds);
		bpf_map_update_elem(fd, keys + i * key_size, value, BPF_EXIST);
	}
}

static void older_fragment(void *value, uint32_t seconds)
{
	((struct fragment *)value)->since_s -= seconds;
}

static void older_source(void *value, uint32_t seconds)
{
	((struct fragment_source *)value)->second -= seconds;
}

/* All that is there gets older by so many seconds; ~0: younger by one, and so on. */
static int older(uint32_t seconds, char *err)
{
	uint32_t zero = 0;
	int ret;

	for (uint32_t i = 0; i < tables.control->n_buckets; i++)
		for (int slot = 0; slot < NATVI_BUCKET_SLOTS; slot++) {
			buckets[i].flow[slot].last_seen_s -= seconds;
			buckets[i].cold[slot].created_s -= seconds;
		}
	for (uint32_t i = 0; i < tables.n_mapping_buckets; i++)
		for (int slot = 0; slot < NATVI_MAPPING_SLOTS; slot++)
			mapping_buckets[i].entry[slot].value.since_s -= seconds;
	older_hash(tables.map[TABLE_FRAGMENTS], sizeof(struct tuple), older_fragment, seconds);
	older_hash(sources_fd, sizeof(struct addr_key), older_source, seconds);
	tables_set(&tables, heartbeat_s, tables.control->heartbeat_s - seconds);
	ret = bpf_map_lookup_elem(cpu_fd, &zero, cpus);
	for (int c = 0; c < n_cpus && !ret; c++) {
		cpus[c].icmp_second -= seconds;
		cpus[c].exhausted_s -= seconds;
		cpus[c].park_second -= seconds;
	}
	if (!ret)
		ret = bpf_map_update_elem(cpu_fd, &zero, cpus, BPF_ANY);
	if (!ret && wired)
		return bpf_wire_older(&tables, seconds, err);
	return ret ? bpf_fail(err, ret, "the tables cannot be made older") : 0;
}

/* Before anything that looks at the clock: the case is in the same second still, and the next one is not near. */
static int stand_still(char *err)
{
	const struct timespec moment = { .tv_nsec = 5000000 };
	uint32_t now_s;
	int ret = 0;

	while (second(0) != second(50000000))
		nanosleep(&moment, NULL);
	now_s = second(0);
	if (now_s != case_s)
		ret = older(case_s - now_s, err);
	case_s = now_s;
	return ret;
}

static int bpf_advance(uint32_t seconds, char *err)
{
	return older(seconds, err);
}

static int bpf_heartbeat(char *err)
{
	int ret = stand_still(err);

	tables_set(&tables, heartbeat_s, case_s);
	return ret;
}

/* A case */

static void empty_hash(int fd, size_t key_size)
{
	uint8_t key[64];

	while (key_size <= sizeof(key) && !bpf_map_get_next_key(fd, NULL, key))
		bpf_map_delete_elem(fd, key);
}

static void empty_tables(const struct config *config)
{
	static const struct port no_port;
	static const struct ids no_ids;
	struct control *c = tables.control;
	uint32_t active = c->active, zero = 0;

	memset(buckets, 0, natvi_buckets_for(SESSIONS) * sizeof(*buckets));
	memset(usage, 0, sizeof(*usage));
	memset(cpus, 0, (size_t)n_cpus * sizeof(*cpus));
	bpf_map_update_elem(cpu_fd, &zero, cpus, BPF_ANY);
	memset(mapping_buckets, 0, MAPPING_BUCKETS * sizeof(*mapping_buckets));
	memset(tables.portbits, 0, SLOTS * PORTBITS_PROTOS * sizeof(*tables.portbits));
	empty_hash(tables.map[TABLE_ADDRS], sizeof(struct addr_key));
	empty_hash(tables.map[TABLE_FRAGMENTS], sizeof(struct tuple));
	empty_hash(sources_fd, sizeof(struct addr_key));
	tables_put(&tables, TABLE_IDS, 0, &no_ids);
	for (uint32_t i = 0; i < NATVI_MAX_PORTS; i++)
		tables_put(&tables, TABLE_PORTS, i, &no_port);
	memset(c, 0, sizeof(*c));
	c->active = active;
	c->seed = SEED;
	c->generation = 1;
	c->n_buckets = natvi_buckets_for(config->max_sessions < SESSIONS ? config->max_sessions : SESSIONS);
	c->n_mapping_buckets = MAPPING_BUCKETS;
	tables.n_mapping_buckets = c->n_mapping_buckets;
	c->n_pool_addrs = POOL_ADDRS;
	c->n_slots = SLOTS;
	c->abi = NATVI_ABI_VERSION;
	c->max_sessions = config->max_sessions;
	c->max_mappings = config->max_mappings;
}

/* A test run of an XDP program wants the receive queue of an interface that has one. */
static int attach(const struct scene *scene, char *err)
{
	const struct native_net *net = &scene->net;

	if (*scene->nvi)
		return bpf_wire_attach(net, xdp, err);
	for (size_t i = 0; xdp && i < net->n_interfaces; i++) {
		int ret = bpf_xdp_attach((int)net->interfaces[i].ifindex, tables.prog[PROG_XDP], XDP_FLAGS_DRV_MODE, NULL);

		if (ret)
			return bpf_fail(err, ret, "natvi_xdp cannot be attached to a veth");
	}
	return 0;
}

/* The same steps as the daemon's (daemon/engine.c), with what it reads from the kernel. was: the plan in force, or NULL. */
static int put_plan(const struct scene *scene, const struct plan *was, char *err)
{
	struct plan *next = was == &plans[0] ? &plans[1] : &plans[0];
	int ret;

	ret = plan_build(next, &(struct plan_input){
		.config = scene->config, .places = places, .zones = zone_names, .links = &links,
		.local_lo = scene->net.local_lo, .local_hi = scene->net.local_hi,
		.policy = scene->net.policy, .mark_slow = scene->net.mark_slow, .one_route = scene->net.one_route,
		.mark_routes = scene->net.mark_routes, .wires = wire_names, .nvi = scene->net.nvi,
	}, &slots, err, RUNNER_ERR_LEN);
	if (ret)
		return ret;
	native_plan_nvi(next, scene->config, &links, scene->net.nvi);
	for (size_t i = 0; i < next->n_ports; i++)
		next->ports[i].flags |= xdp ? PORT_XDP_OUT : 0;
	bits_take(&tables, next, &slots, 0);
	ret = write_addrs(&tables, was, next);
	if (!ret)
		ret = write_zones(&tables, was, next);
	for (size_t i = 0; i < NATVI_MAX_WIRES; i++)
		next->wires[i].flags |= xdp ? WIRE_XDP : 0;
	if (ret >= 0)
		ret = write_wires(&tables, was, next, was ? was->wire_names : wire_names);
	if (ret >= 0)
		ret = write_half(&tables, was, next);
	if (ret >= 0)
		ret = forwards_apply(&tables, next, ORPHANS_KEEP);
	if (!ret)
		ret = write_ports(&tables, shadow, next->ports, next->n_ports);
	if (ret >= 0 && was)
		ret = remove_wires(&tables, was, next);
	if (ret >= 0 && was)
		ret = remove_addrs(&tables, was, next);
	if (ret >= 0 && was)
		ret = bits_release(&tables, was, next, 0);
	memcpy(places, next->places, sizeof(places));
	memcpy(zone_names, next->zone_names, sizeof(zone_names));
	memcpy(wire_names, next->wire_names, sizeof(wire_names));
	plan = next;
	reloaded = was;
	if (!was)
		claimed_before = view_claimed(&(struct view){ .control = tables.control, .portbits = tables.portbits });
	return ret < 0 ? bpf_fail(err, ret, "the tables cannot be written") : 0;
}

static int bpf_begin(const struct scene *scene, char *err)
{
	struct nl nl;
	int ret;

	words[0] = 0;
	memset(places, 0, sizeof(places));
	memset(zone_names, 0, sizeof(zone_names));
	memset(wire_names, 0, sizeof(wire_names));
	memset(shadow, 0, sizeof(shadow));
	empty_tables(scene->config);
	case_s = second(0);
	wired = scene->config->n_wires;
	if (wired && (ret = bpf_wire_empty(&tables, err)))
		return ret;
	if (scene->net.mark_routes && !kernel_honours_mark()) {
		snprintf(err, RUNNER_ERR_LEN, "this kernel's look-up takes no mark (6.10)");
		return -EOPNOTSUPP;
	}
	ret = netns_make((struct scene *)scene, attach, err);	/* takes the kernel's interface numbers */
	made_net = &scene->net;
	if (ret)
		return ret;
	ret = nl_open(&nl, NETLINK_ROUTE);
	if (ret)
		return bpf_fail(err, ret, "netlink");
	ret = links_read(&nl, &links);
	nl_close(&nl);
	if (!ret)
		ret = slots_init(&slots, SLOTS);
	ret = ret ? bpf_fail(err, ret, "the network cannot be read") : put_plan(scene, NULL, err);
	tables_set(&tables, flags, scene->net.tos_routes ? CONTROL_TOS : 0);
	tables_set(&tables, nvi_ifindex, scene->net.nvi);
	if (!ret && *scene->park) {
		tables_set(&tables, park_ifindex, if_nametoindex(scene->park));
		ret = bpf_heartbeat(err);
	}
	return ret;
}

static int bpf_reload(const struct scene *scene, char *err)
{
	const struct plan *was = plan;
	int ret;

	words[0] = 0;
	ret = put_plan(scene, was, err);
	if (plan != was)
		plan_free((struct plan *)was);
	tables_set(&tables, generation, tables.control->generation + 1);
	return ret;
}

static void bpf_end(void)
{
	netns_close_sockets();
	if (plan)
		plan_free((struct plan *)plan);
	plan = NULL;
	links_free(&links);
	slots_free(&slots);
	memset(&links, 0, sizeof(links));
	memset(&slots, 0, sizeof(slots));
}

static void bpf_close(void)
{
	bpf_wire_close();
	natvi_bpf__destroy(tables.skel);
	free(cpus);
	netns_close();
}

/* Packets */

static int read_counters(struct counters *out, char *err)
{
	uint32_t zero = 0;
	int ret = bpf_map_lookup_elem(cpu_fd, &zero, cpus);

	memset(out, 0, sizeof(*out));
	for (int c = 0; c < n_cpus && !ret; c++) {
		for (int v = 0; v < VERDICT_COUNT; v++)
			out->packets[v] += cpus[c].counters.packets[v];
		out->icmp_suppressed += cpus[c].counters.icmp_suppressed;
		out->xdp_hits += cpus[c].counters.xdp_hits;
		for (int side = 0; side < 2; side++) {	/* of the first wire */
			out->crossed[0][side].packets += cpus[c].counters.crossed[0][side].packets;
			out->crossed[0][side].bytes += cpus[c].counters.crossed[0][side].bytes;
		}
	}
	return ret ? bpf_fail(err, ret, "the counters cannot be read") : 0;
}

static enum native_action tc_action(uint32_t retval)
{
	return retval == TC_ACT_SHOT ? NATIVE_DROP : retval == TC_ACT_REDIRECT ? NATIVE_SEND : NATIVE_KERNEL;
}

static int run_tc(enum table_prog prog, const struct native_interface *in, const uint8_t *frame, size_t len, uint32_t gso_size,
		  uint32_t mark, struct outcome *out, char *err)
{
	struct __sk_buff ctx_in = { .ifindex = in->ifindex, .ingress_ifindex = in->ifindex, .mark = mark }, ctx_out = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len, .data_out = out_frame,
		    .data_size_out = sizeof(out_frame), .ctx_in = &ctx_in, .ctx_size_in = sizeof(ctx_in), .ctx_out = &ctx_out,
		    .ctx_size_out = sizeof(ctx_out));
	int ret;

	if (gso_size) {
		ctx_in.gso_size = gso_size;
		ctx_in.gso_segs = (__u32)(len / gso_size) + 1;
	}
	ret = bpf_prog_test_run_opts(tables.prog[prog], &opts);
	if (ret)
		return bpf_fail(err, ret, prog == PROG_TC_PARKED ? "the test run of natvi_tc_parked failed" :
			    "the test run of natvi_tc_ingress failed");
	out->action = tc_action(opts.retval);
	out->mark = ctx_out.mark;
	out->frame = out_frame;
	out->len = opts.data_size_out;
	out->at = "tc";
	return 0;
}

/* True in *passed: tc is to have it. */
static int run_xdp(const struct native_interface *in, const uint8_t *frame, size_t len, struct outcome *out, bool *passed, char *err)
{
	struct xdp_md ctx_in = { .data_end = (__u32)len, .ingress_ifindex = in->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len, .data_out = out_frame,
		    .data_size_out = sizeof(out_frame), .ctx_in = &ctx_in, .ctx_size_in = sizeof(ctx_in));
	int ret = bpf_prog_test_run_opts(tables.prog[PROG_XDP], &opts);

	if (ret)
		return bpf_fail(err, ret, "the test run of natvi_xdp failed");
	*passed = opts.retval == XDP_PASS;
	out->action = opts.retval == XDP_REDIRECT ? NATIVE_SEND : NATIVE_DROP;
	out->frame = out_frame;
	out->len = opts.data_size_out;
	out->at = "xdp";
	if (*passed && (out->len != len || memcmp(out_frame, frame, len))) {
		snprintf(err, RUNNER_ERR_LEN, "natvi_xdp passed on a packet that it had changed");
		return -EPROTO;
	}
	if (!*passed && opts.retval != XDP_REDIRECT && opts.retval != XDP_DROP) {
		snprintf(err, RUNNER_ERR_LEN, "natvi_xdp returned %u", opts.retval);
		return -EPROTO;
	}
	return 0;
}

/* Which verdicts have been counted since `before`? Each at most once. */
static int counted(const struct counters *before, struct outcome *out, char *err)
{
	struct counters after;
	int ret = read_counters(&after, err);

	for (int v = 0; v < VERDICT_COUNT && !ret; v++) {
		if (after.packets[v] > before->packets[v] + 1) {
			snprintf(err, RUNNER_ERR_LEN, "one packet was counted twice");
			return -EPROTO;
		}
		if (after.packets[v] != before->packets[v])
			out->verdicts |= 1ull << v;
	}
	return ret;
}

static enum wire_hook hook_of(uint32_t ifindex)
{
	for (uint32_t i = 0; i < NATVI_MAX_PORTS; i++)
		if (shadow[i].ifindex == ifindex && !shadow[i].vlan)
			return wire_hook(shadow[i].flags);
	return HOOK_NONE;
}

static int bpf_packet(const struct arrival *a, struct outcome *out, char *err)
{
	enum wire_hook hook = hook_of(a->in->ifindex);
	struct counters before;
	bool passed = true;
	int ret;

	words[0] = 0;
	ret = stand_still(err);
	if (!ret)
		ret = read_counters(&before, err);
	if (!ret && xdp && hook == HOOK_PORT)
		ret = bpf_wire_xdp(a, out, &passed, err);
	else if (!ret && xdp && hook == HOOK_NONE)
		ret = run_xdp(a->in, a->frame, a->len, out, &passed, err);
	if (!ret && passed && hook != HOOK_NONE)
		ret = bpf_wire_tc(hook, made_net, a, out, err);
	else if (!ret && passed)
		ret = run_tc(PROG_TC_INGRESS, a->in, a->frame, a->len, a->gso_size, a->mark, out, err);
	return ret ? ret : counted(&before, out, err);
}

static int bpf_parked(const struct native_interface *tap, const uint8_t *frame, size_t len, struct outcome *out, char *err)
{
	struct counters before;
	int ret;

	words[0] = 0;
	ret = stand_still(err);
	if (!ret)
		ret = read_counters(&before, err);
	if (!ret)
		ret = run_tc(PROG_TC_PARKED, tap, frame, len, 0, 0, out, err);
	return ret ? ret : counted(&before, out, err);
}

/* What the daemon's calls do */

static int bpf_sweep(struct sweep_args *out, char *err)
{
	struct sweep_args mappings = { .mappings = 1 };
	int ret;

	memset(out, 0, sizeof(*out));
	out->n_buckets = tables.control->n_buckets;
	ret = stand_still(err);
	if (ret)
		return ret;
	tables_set(&tables, sweep, tables.control->sweep + 1);
	ret = tables_run(&tables, PROG_SWEEP, out, sizeof(*out));
	mappings.n_buckets = tables.n_mapping_buckets;
	if (!ret)
		ret = tables_run(&tables, PROG_SWEEP, &mappings, sizeof(mappings));
	out->mappings_live = mappings.mappings_live;
	out->mappings_freed = mappings.mappings_freed;
	return ret ? bpf_fail(err, ret, "natvi_sweep failed") : 0;
}

static int bpf_generation(char *err)
{
	tables_set(&tables, generation, tables.control->generation + 1);
	return 0;
}

static int bpf_adopt(const struct adopt_args *args, char *err)
{
	struct adopt_args copy = *args;
	int ret = stand_still(err);

	if (ret)
		return ret;
	ret = tables_run(&tables, PROG_ADOPT, &copy, sizeof(copy));
	return ret || copy.result ? bpf_fail(err, ret ? ret : copy.result, "natvi_adopt") : 0;
}

static int add(const struct mapping_key *key, const struct mapping *value, void *arg)
{
	return view_add(arg, key, value);
}

static int bpf_view(struct view *out, char *err)
{
	int ret = read_counters(&out->counters, err);

	out->control = tables.control;
	out->usage = usage;
	out->buckets = buckets;
	out->portbits = tables.portbits;
	out->claimed_before = claimed_before;
	out->reloaded = reloaded;
	if (!ret)
		ret = mappings_each(&tables, add, out);
	return ret;
}

#define HOST_BPF(variable, hook)                                                                  \
	const struct host variable = {                                                           \
		.name = #hook, .open = hook##_open, .begin = bpf_begin, .packet = bpf_packet,  \
		.parked = bpf_parked, .heartbeat = bpf_heartbeat, .reload = bpf_reload, .sweep = bpf_sweep,     \
		.advance = bpf_advance, .generation = bpf_generation, .adopt = bpf_adopt,      \
		.view = bpf_view, .end = bpf_end, .close = bpf_close,                          \
	}

HOST_BPF(host_tc, tc);
HOST_BPF(host_xdp, xdp);
