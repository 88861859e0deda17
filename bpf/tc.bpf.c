/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tc.bpf.c - the hook at tc ingress and the programs that the daemon calls. */
#include "env_rest.h"
#include "dp/dp.h"

SEC("tc")
int natvi_tc_ingress(struct __sk_buff *skb)
{
	return dp_run(skb);
}

/* What ingress and nvi0's egress go on to. */
SEC("tc")
int natvi_tc_rest(struct __sk_buff *skb)
{
	return dp_rest(skb);
}

/* At a port's tc egress: what the box itself sends. */
SEC("tc")
int natvi_tc_egress(struct __sk_buff *skb)
{
	return dp_egress(skb);
}

/* At nvi0's tc egress. */
SEC("tc")
int natvi_tc_nvi_out(struct __sk_buff *skb)
{
	return dp_nvi_out(skb);
}

/* At the tc ingress of its far end. */
SEC("tc")
int natvi_tc_nvi_in(struct __sk_buff *skb)
{
	return dp_nvi_in(skb);
}

/* At the daemon's tap: what has waited there. */
SEC("tc")
int natvi_tc_parked(struct __sk_buff *skb)
{
	return dp_parked(skb);
}

/* Scratch space of a program that the daemon calls, with the clock set; coarse time is not to be had there. */
static inline struct cpu *syscall_cpu(void)
{
	struct cpu *c = env_cpu(1);

	if (!c)
		return NULL;
	OPAQUE(c);	/* no arithmetic on it before the check */
	c->meta.now_s = ns_to_s(bpf_ktime_get_ns());
	return c;
}

/* One slice of a sweep; the daemon moves control.sweep before the first slice of a pass. */
SEC("syscall")
int natvi_sweep(struct sweep_args *args)
{
	const struct control *c = env_control();
	const struct settings *set = c ? env_settings(c->active) : NULL;
	struct cpu *cpu = syscall_cpu();
	struct sweep_state s = {};

	if (!cpu || !c || !set)
		return -1;
	s.cpu = cpu;
	s.now_s = cpu->meta.now_s;
	s.sweep = c->sweep;
	s.rest_s = set->rest_s;
	s.args.first_bucket = args->first_bucket;
	if (args->mappings)
		bpf_loop(args->n_buckets, sweep_mapping_bucket, &s, 0);
	else
		bpf_loop(args->n_buckets, sweep_bucket, &s, 0);
	args->live = s.args.live;
	args->ended = s.args.ended;
	args->freed = s.args.freed;
	args->mappings_live = s.args.mappings_live;
	args->mappings_freed = s.args.mappings_freed;
	return 0;
}

/* End one session, or have it let go of what it holds. */
SEC("syscall")
int natvi_kill(struct kill_args *args)
{
	struct cpu *cpu = syscall_cpu();
	__s64 handle;

	args->result = -ENOENT_;
	if (!cpu)
		return 0;
	cpu->draft.orig = args->key;
	handle = table_find(&cpu->draft.orig);
	if (handle >= 0)
		args->result = args->reason == KILL_RELEASE ? session_let_go(handle, cpu) : session_end(handle, cpu, args->reason);
	return 0;
}

/* Delete one mapping that nothing holds; its port is free at once. */
SEC("syscall")
int natvi_unmap(struct unmap_args *args)
{
	struct cpu *cpu = syscall_cpu();

	args->result = -ENOENT_;
	if (!cpu)
		return 0;
	cpu->draft.key = args->key;
	args->result = mapping_delete(cpu);
	return 0;
}

/* One entry of the mapping table: forwards. */
SEC("syscall")
int natvi_mapping(struct mapping_args *args)
{
	struct cpu *cpu = syscall_cpu();
	struct mapping *m;

	args->result = -ENOENT_;
	if (!cpu)
		return 0;
	cpu->draft.key = args->key;
	cpu->draft.value = args->value;
	if (args->op == MAPPING_PUT) {
		args->result = mapping_put(&cpu->draft.key, &cpu->draft.value);
		return 0;
	}
	if (args->op == MAPPING_CUT) {
		args->result = mapping_cut(&cpu->draft.key);
		return 0;
	}
	m = mapping_get(&cpu->draft.key);
	if (!m)
		return 0;
	if (args->op == MAPPING_SET)
		mapping_set(m, &cpu->draft.value);
	else
		args->value = *m;
	args->result = 0;
	return 0;
}

/* Leave a connection that the kernel translates to the kernel. */
SEC("syscall")
int natvi_adopt(struct adopt_args *args)
{
	struct cpu *cpu = syscall_cpu();

	args->result = cpu ? session_adopt(cpu, args) : -ENOSPC_;
	return 0;
}

/* An event of the daemon's. */
SEC("syscall")
int natvi_event(struct event *args)
{
	struct cpu *cpu = syscall_cpu();

	if (!cpu)
		return 0;
	cpu->event = *args;
	if (env_event(&cpu->event))
		cpu->counters.events_lost++;
	return 0;
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
