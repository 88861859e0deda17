/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sweep.c - see sweep.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/exhaustion.h"
#include "daemon/state.h"
#include "daemon/sweep.h"
#include "lib/log.h"

#define TICK_S		0.02
#define SLICE_GOAL_S	0.008		/* program time of one slice */
#define SLICE_MIN	1024u		/* buckets */
#define SLICE_MAX	65536u
#define PASS_CHEAP_S	0.1		/* a pass that takes less begins each second */
#define PASS_MAX_S	5

struct sweep {
	struct daemon *d;
	ev_timer tick, second;
	uint32_t next, slice;		/* buckets; those of the mapping table follow those of the flow table */
	bool in_pass;
	double pass_began;
	struct sweep_report now, last;
	bool failed;			/* said once */
	struct exhaustion exhaustion;
};

static double clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run(struct sweep *s, uint32_t first, uint32_t n, bool mappings, double *took)
{
	struct sweep_args args = { .first_bucket = first, .n_buckets = n, .mappings = mappings };
	double from = clock_s();
	int err = tables_run(s->d->tables, PROG_SWEEP, &args, sizeof(args));

	*took = clock_s() - from;
	if (err) {
		if (!s->failed)
			log_err("sessions do not expire: the sweep cannot be run: %s", strerror(-err));
		s->failed = true;
		return err;
	}
	s->failed = false;
	s->now.live += args.live;
	s->now.ended += args.ended;
	s->now.freed += args.freed;
	s->now.slices++;
	s->now.seconds += *took;
	s->now.mappings_live += args.mappings_live;
	s->now.mappings_freed += args.mappings_freed;
	if (args.mappings_freed)
		engine_freed(s->d);
	return 0;
}

static void begin_pass(struct sweep *s, double now)
{
	tables_set(s->d->tables, sweep, s->d->tables->control->sweep + 1);
	memset(&s->now, 0, sizeof(s->now));
	s->pass_began = now;
	s->next = 0;
	s->in_pass = true;
}

/* Buckets for this tick: what fits the goal, and no less than ends the pass in time. */
static uint32_t slice_size(const struct sweep *s, uint32_t total)
{
	uint32_t least = (uint32_t)((double)total * TICK_S * 1.25 / PASS_MAX_S) + 1;
	uint32_t size = s->slice > least ? s->slice : least;

	return size < SLICE_MAX ? size : SLICE_MAX;
}

static void adapt(struct sweep *s, uint32_t done, double took)
{
	double per_bucket = took / done;
	double size = per_bucket > 0 ? SLICE_GOAL_S / per_bucket : SLICE_MAX;

	s->slice = size < SLICE_MIN ? SLICE_MIN : size > SLICE_MAX ? SLICE_MAX : (uint32_t)size;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sweep *s = timer->data;
	uint32_t flows = s->d->tables->control->n_buckets, total = flows + s->d->tables->control->n_mapping_buckets, end, n;
	double now = clock_s(), took;
	bool mappings;

	if (!s->in_pass) {
		if (now - s->pass_began < (s->last.seconds < PASS_CHEAP_S ? 1 : PASS_MAX_S / 2.0))
			return;
		begin_pass(s, now);
	}
	mappings = s->next >= flows;
	end = mappings ? total : flows;
	n = slice_size(s, total);
	if (n > end - s->next)
		n = end - s->next;
	if (run(s, mappings ? s->next - flows : s->next, n, mappings, &took)) {
		s->in_pass = false;
		return;
	}
	if (n >= SLICE_MIN)
		adapt(s, n, took);
	s->next += n;
	if (s->next >= total) {
		s->last = s->now;
		s->in_pass = false;
	}
}

static void look_for_exhaustion(struct sweep *s)
{
	struct counters counters;
	char text[768];

	if (!maps_counters(s->d->tables->maps, &counters) &&
	    exhaustion_due(&s->exhaustion, &counters, maps_now_s(), text, sizeof(text)))
		log_warn("%s", text);
}

static void on_second(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sweep *s = timer->data;

	tables_set(s->d->tables, heartbeat_s, maps_now_s());
	engine_tick(s->d);
	look_for_exhaustion(s);
}

int sweep_start(struct daemon *d)
{
	struct sweep *s = calloc(1, sizeof(*s));
	struct counters counters;

	if (!s)
		return -ENOMEM;
	d->sweep = s;
	s->d = d;
	maps_counters(d->tables->maps, &counters);
	exhaustion_begin(&s->exhaustion, &counters);
	s->slice = SLICE_MIN * 4;
	ev_timer_init(&s->tick, on_tick, TICK_S, TICK_S);
	s->tick.data = s;
	ev_timer_start(d->loop, &s->tick);
	ev_timer_init(&s->second, on_second, 0, 1);
	s->second.data = s;
	ev_timer_start(d->loop, &s->second);
	return 0;
}

void sweep_stop(struct daemon *d)
{
	if (!d->sweep)
		return;
	ev_timer_stop(d->loop, &d->sweep->tick);
	ev_timer_stop(d->loop, &d->sweep->second);
	free(d->sweep);
	d->sweep = NULL;
}

void sweep_report(const struct daemon *d, struct sweep_report *out)
{
	*out = d->sweep->last;
}
