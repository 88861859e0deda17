// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * natvi-bench gen: sends UDP flows out of one veth and counts them at another.
 *
 * Life-cycle: the sink is attached first, in its namespace; then the process
 * moves to the sender's and runs one generator thread on each CPU, bounded in
 * time and, for a sequence, in count. The result is one line of JSON. The sink
 * stays attached until the next run's takes its place or its namespace goes.
 *
 * Concurrency: the threads share the BPF program and the deadline; the counters
 * are per CPU and read while the threads run.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "flows.h"
#include "gen.skel.h"
#include "natbench.h"
#include "sink.skel.h"

#define CHUNK		65536
#define RAMP_US		100000	/* not measured: caches and queues fill */
#define DRAIN_US	20000	/* for what is still on the way at the end */

struct options {
	struct place	from, to;
	uint8_t		gateway_mac[6], own_mac[6], sink_mac[6];
	uint32_t	daddr;
	uint32_t	flows;
	uint32_t	first;
	uint32_t	cpus;
	uint32_t	time_ms;
	bool		sequence;
	bool		verify;
	bool		answer;
};

struct run {
	const struct options	*opt;
	struct gen_bpf		*gen;
	struct sink_bpf		*sink;
	uint64_t		deadline_ns;
	volatile bool		stop;
};

struct worker {
	struct run	*run;
	pthread_t	thread;
	int		cpu;
	int		err;
};

struct result {
	uint64_t		sent;
	uint64_t		ns;
	struct sink_count	seen;
};

static void sink_read(const struct sink_bpf *sink, struct sink_count *sum)
{
	int n = libbpf_num_possible_cpus();
	struct sink_count per_cpu[n];
	uint32_t zero = 0;

	memset(sum, 0, sizeof(*sum));
	if (bpf_map_lookup_elem(bpf_map__fd(sink->maps.counts), &zero, per_cpu))
		return;
	for (int i = 0; i < n; i++) {
		sum->packets += per_cpu[i].packets;
		sum->untranslated += per_cpu[i].untranslated;
		sum->bad_ip_sum += per_cpu[i].bad_ip_sum;
		sum->bad_udp_sum += per_cpu[i].bad_udp_sum;
		sum->wrong_mac += per_cpu[i].wrong_mac;
	}
}

static uint64_t gen_sent(const struct gen_bpf *gen)
{
	uint64_t sum = 0;

	for (int i = 0; i < GEN_CPUS; i++)
		sum += ((volatile struct gen_state *)gen->bss->state)[i].sent;
	return sum;
}

static bool worker_done(const struct worker *w)
{
	const struct run *r = w->run;
	const volatile struct gen_state *st = &r->gen->bss->state[w->cpu];

	if (r->stop || stop_asked() || now_ns() >= r->deadline_ns)
		return true;
	return r->opt->sequence && st->next >= st->end;
}

/* A sequence ends with the last flow, not with the chunk. */
static int next_chunk(const struct worker *w)
{
	const volatile struct gen_state *st = &w->run->gen->bss->state[w->cpu];
	uint32_t left = st->end - st->next;

	return w->run->opt->sequence && left < CHUNK ? left : CHUNK;
}

/*
 * The generator, the gateway and the sink run on this CPU, one after the other:
 * what is measured is packets a core. The nice value keeps the rest of the
 * machine from taking part in it.
 */
static int claim_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return -errno;
	setpriority(PRIO_PROCESS, gettid(), -20);
	return 0;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	uint8_t frame[FRAME_LEN] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		.data_in = frame,
		.data_size_in = sizeof(frame),
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
	);
	int fd = bpf_program__fd(w->run->gen->progs.generate);

	w->err = claim_cpu(w->cpu);
	while (!w->err && !worker_done(w)) {
		opts.repeat = next_chunk(w);
		w->err = bpf_prog_test_run_opts(fd, &opts);
		if (w->err == -EINTR)
			w->err = 0;
	}
	return NULL;
}

static uint32_t add_addr(uint32_t addr)
{
	return (addr >> 16) + (addr & 0xffff);
}

/* The sums of what is the same in every packet, in host order. */
static void config_sums(struct gen_config *c)
{
	uint32_t ip_len = FRAME_LEN - ETH_HLEN, udp_len = ip_len - 20;

	c->ip_sum = 0x4500 + ip_len + 0x4000 + (FRAME_TTL << 8 | 17) +
		    add_addr(c->daddr);
	c->udp_sum = add_addr(c->daddr) + 17 + udp_len + udp_len + FLOW_DST_PORT;
}

static void config_fill(struct gen_bpf *gen, const struct options *o)
{
	struct gen_config *c = &gen->bss->config;
	uint32_t share = (o->flows + o->cpus - 1) / o->cpus;

	c->ifindex = o->from.ifindex;
	c->flows = o->flows;
	c->first = o->first;
	c->mode = o->sequence ? GEN_SEQUENCE : GEN_RANDOM;
	c->daddr = o->daddr;
	memcpy(c->dmac, o->gateway_mac, 6);
	memcpy(c->smac, o->own_mac, 6);
	config_sums(c);

	for (uint32_t i = 0; i < o->cpus; i++) {
		struct gen_state *st = &gen->bss->state[i];
		uint32_t begin = i * share, end = begin + share;

		st->seed = 0x9e3779b97f4a7c15ull * (i + 1);
		st->next = o->first + (begin < o->flows ? begin : o->flows);
		st->end = o->first + (end < o->flows ? end : o->flows);
	}
}

/* Random mode: the rate between the ramp and the end, threads running. */
static void measure_window(struct run *r, struct result *res)
{
	struct sink_count before, after;
	uint64_t sent, t;

	usleep(RAMP_US);
	sink_read(r->sink, &before);
	sent = gen_sent(r->gen);
	t = now_ns();
	while (now_ns() + 1000000 < r->deadline_ns && !stop_asked())
		usleep(1000);
	sink_read(r->sink, &after);
	res->ns = now_ns() - t;
	res->sent = gen_sent(r->gen) - sent;
	r->stop = true;

	res->seen = after;
	res->seen.packets = after.packets - before.packets;
}

static int run_workers(struct run *r, struct result *res)
{
	int n = r->opt->cpus, started = 0, err = 0;
	struct worker w[n];
	uint64_t begin = now_ns();

	memset(w, 0, sizeof(w));
	r->deadline_ns = begin + r->opt->time_ms * 1000000ull;
	for (; started < n; started++) {
		w[started].run = r;
		w[started].cpu = started;
		err = -pthread_create(&w[started].thread, NULL, worker_main,
				      &w[started]);
		if (err) {
			r->stop = true;
			break;
		}
	}
	if (!err && !r->opt->sequence)
		measure_window(r, res);
	for (int i = 0; i < started; i++) {
		pthread_join(w[i].thread, NULL);
		err = err ? err : w[i].err;
	}
	if (r->opt->sequence) {
		res->ns = now_ns() - begin;
		usleep(DRAIN_US);
		res->sent = gen_sent(r->gen);
		sink_read(r->sink, &res->seen);
	}
	return err;
}

static void print_result(const struct result *res)
{
	double s = res->ns / 1e9;

	printf("{\"seconds\": %.6f, \"sent\": %llu, \"received\": %llu, "
	       "\"pps\": %.0f, \"untranslated\": %llu, \"bad_ip_sum\": %llu, "
	       "\"bad_udp_sum\": %llu, \"wrong_mac\": %llu}\n", s,
	       (unsigned long long)res->sent,
	       (unsigned long long)res->seen.packets,
	       s > 0 ? res->seen.packets / s : 0,
	       (unsigned long long)res->seen.untranslated,
	       (unsigned long long)res->seen.bad_ip_sum,
	       (unsigned long long)res->seen.bad_udp_sum,
	       (unsigned long long)res->seen.wrong_mac);
}

static int gen_run(struct run *r)
{
	struct result res = {};
	struct options *o = (struct options *)r->opt;
	int err;

	err = place_enter(&o->from);
	if (err)
		return err;
	config_fill(r->gen, o);
	err = run_workers(r, &res);
	if (err)
		fprintf(stderr, "test run: %s\n", strerror(-err));
	else
		print_result(&res);
	return err;
}

static int with_sink(struct options *o)
{
	struct run r = { .opt = o };
	int err, fd;

	r.gen = gen_bpf__open_and_load();
	r.sink = sink_bpf__open_and_load();
	err = r.gen && r.sink ? place_enter(&o->to) : -errno;
	if (err)
		goto out;
	r.sink->bss->config.verify = o->verify;
	r.sink->bss->config.answer = o->answer;
	memcpy(r.sink->bss->config.mac, o->sink_mac, 6);
	fd = bpf_program__fd(r.sink->progs.sink);
	err = bpf_xdp_attach(o->to.ifindex, fd, XDP_FLAGS_DRV_MODE, NULL);
	if (err)
		fprintf(stderr, "%s: sink: %s\n", o->to.dev, strerror(-err));
	else
		err = gen_run(&r);
out:
	sink_bpf__destroy(r.sink);
	gen_bpf__destroy(r.gen);
	return err;
}

static const struct option long_options[] = {
	{ "from", 1, NULL, 'f' },
	{ "to", 1, NULL, 't' },
	{ "gateway-mac", 1, NULL, 'g' },
	{ "own-mac", 1, NULL, 'o' },
	{ "sink-mac", 1, NULL, 's' },
	{ "to-address", 1, NULL, 'a' },
	{ "flows", 1, NULL, 'n' },
	{ "first", 1, NULL, 'i' },
	{ "cpus", 1, NULL, 'c' },
	{ "time-ms", 1, NULL, 'm' },
	{ "sequence", 0, NULL, 'q' },
	{ "verify", 0, NULL, 'v' },
	{ "answer", 0, NULL, 'r' },
	{}
};

static int set_option(struct options *o, int c)
{
	switch (c) {
	case 'f': return place_parse(&o->from, optarg);
	case 't': return place_parse(&o->to, optarg);
	case 'g': return mac_parse(o->gateway_mac, optarg);
	case 'o': return mac_parse(o->own_mac, optarg);
	case 's': return mac_parse(o->sink_mac, optarg);
	case 'a': return addr_parse(&o->daddr, optarg);
	case 'n': return number_parse(&o->flows, optarg);
	case 'i': return number_parse(&o->first, optarg);
	case 'c': return number_parse(&o->cpus, optarg);
	case 'm': return number_parse(&o->time_ms, optarg);
	case 'q': o->sequence = true; return 0;
	case 'v': o->verify = true; return 0;
	case 'r': o->answer = true; return 0;
	default: return -EINVAL;
	}
}

static int check_options(const struct options *o)
{
	if (!o->from.ns[0] || !o->to.ns[0] || !o->daddr) {
		fprintf(stderr, "gen: --from, --to and --to-address are needed\n");
		return -EINVAL;
	}
	if (!o->flows || (uint64_t)o->first + o->flows > FLOW_MAX) {
		fprintf(stderr, "gen: flows: 1 to %llu\n", FLOW_MAX);
		return -EINVAL;
	}
	if (!o->cpus || o->cpus > GEN_CPUS ||
	    o->cpus > (uint32_t)sysconf(_SC_NPROCESSORS_ONLN)) {
		fprintf(stderr, "gen: no %u CPUs here\n", o->cpus);
		return -EINVAL;
	}
	return 0;
}

int cmd_gen(int argc, char **argv)
{
	struct options o = { .flows = 1, .cpus = 1, .time_ms = 1000 };
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (set_option(&o, c))
			return 2;
	if (check_options(&o))
		return 2;
	return with_sink(&o) ? 1 : 0;
}
