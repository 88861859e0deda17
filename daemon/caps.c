/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * caps.c - see caps.h.
 */
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <sys/utsname.h>

#include "daemon/caps.h"

static const struct {
	unsigned int cap;
	const char *name, *why;
} needed[] = {
	{ CAP_BPF, "CAP_BPF", "programs and maps are loaded with it" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "programs are attached, and links, addresses and sysctls set, with it" },
	{ CAP_PERFMON, "CAP_PERFMON", "the kernel's verifier lets programs compute with addresses of maps only with it" },
};

#define N_NEEDED	(sizeof(needed) / sizeof(needed[0]))

int caps_missing(caps_fn fn, void *arg)
{
	int missing = 0;
	size_t i;

	capng_get_caps_process();
	for (i = 0; i < N_NEEDED; i++) {
		if (capng_have_capability(CAPNG_EFFECTIVE, needed[i].cap))
			continue;
		fn(needed[i].name, needed[i].why, arg);
		missing++;
	}
	return missing;
}

bool caps_has_sys_admin(void)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
}

static const struct {
	enum bpf_prog_type type;
	const char *name, *why;
} programs[] = {
	{ BPF_PROG_TYPE_SCHED_CLS, "tc programs (CONFIG_NET_CLS_BPF)", "the datapath is one" },
	{ BPF_PROG_TYPE_XDP, "XDP programs (CONFIG_BPF_SYSCALL)", "the fast path is one" },
	{ BPF_PROG_TYPE_SYSCALL, "SYSCALL programs (kernel 5.14)", "sessions expire by one" },
};

static const struct {
	enum bpf_map_type type;
	const char *name, *why;
} maps[] = {
	{ BPF_MAP_TYPE_RINGBUF, "ring buffers (kernel 5.8)", "events come by one" },
	{ BPF_MAP_TYPE_PERCPU_ARRAY, "per-CPU arrays", "counters are kept in one" },
	{ BPF_MAP_TYPE_LRU_HASH, "LRU hash tables (kernel 4.10)", "fragments are known by one" },
};

static const struct {
	enum bpf_prog_type type;
	enum bpf_func_id helper;
	const char *name, *why;
} helpers[] = {
	{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_fib_lookup, "bpf_fib_lookup (kernel 4.18)", "routes are looked up with it" },
	{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_coarse_ns, "bpf_ktime_get_coarse_ns (kernel 5.11)", "it is the clock" },
	{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_loop, "bpf_loop (kernel 5.17)", "rules are walked with it" },
	{ BPF_PROG_TYPE_SYSCALL, BPF_FUNC_for_each_map_elem, "bpf_for_each_map_elem (kernel 5.13)", "mappings are swept with it" },
};

#define COUNT(list)	(sizeof(list) / sizeof((list)[0]))

int features_missing(caps_fn fn, void *arg)
{
	int missing = 0;
	size_t i;

	for (i = 0; i < COUNT(programs); i++)
		if (libbpf_probe_bpf_prog_type(programs[i].type, NULL) == 0) {
			fn(programs[i].name, programs[i].why, arg);
			missing++;
		}
	for (i = 0; i < COUNT(maps); i++)
		if (libbpf_probe_bpf_map_type(maps[i].type, NULL) == 0) {
			fn(maps[i].name, maps[i].why, arg);
			missing++;
		}
	for (i = 0; i < COUNT(helpers); i++)
		if (libbpf_probe_bpf_helper(helpers[i].type, helpers[i].helper, NULL) == 0) {
			fn(helpers[i].name, helpers[i].why, arg);
			missing++;
		}
	return missing;
}

int caps_drop(void)
{
	size_t i;

	capng_get_caps_process();
	capng_clear(CAPNG_SELECT_BOTH);
	for (i = 0; i < N_NEEDED; i++)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, needed[i].cap);
	/* The bounding set can only be changed with CAP_SETPCAP; without it there is nothing to win. */
	if (capng_apply(CAPNG_SELECT_BOTH) && capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	return 0;
}

bool kernel_honours_mark(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 10);
}
