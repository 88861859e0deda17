/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park.c - see park.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "abi/fragment.h"
#include "daemon/park.h"
#include "daemon/park_frame.h"
#include "daemon/park_queue.h"
#include "daemon/park_tap.h"
#include "daemon/state.h"
#include "lib/log.h"

#define TURN_FRAMES	64	/* read in one turn of the loop: others have their turns, too */
#define RETRY_MIN_S	1
#define RETRY_MAX_S	60

struct park {
	struct daemon *d;
	struct park_queue *queue;
	struct park_tap tap;
	ev_io readable;
	ev_timer due, retry;
	unsigned int retry_s;
	uint64_t made_us;		/* the tap */
	bool started;
	uint8_t frame[PARK_FRAME_MAX + 1];
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* What the queue asks for */

static int port_zone(uint32_t ifindex, uint16_t vlan, void *arg)
{
	const struct park *park = arg;
	const struct port *port;
	uint32_t probe;

	for (probe = 0; park->d->ports && probe < NATVI_PORT_PROBES; probe++) {
		port = &park->d->ports[natvi_port_slot(ifindex, vlan, probe)];
		if (port->ifindex == ifindex && port->vlan == vlan)
			return port->zone;
	}
	return -1;
}

static enum park_turn datagram_next(const struct tuple *datagram, uint32_t *next, void *arg)
{
	const struct park *park = arg;
	struct fragment f;

	if (bpf_map_lookup_elem(park->d->tables->map[TABLE_FRAGMENTS], datagram, &f) ||
	    (int32_t)(maps_now_s() - f.since_s) > NATVI_FRAGMENT_LIVE_S)
		return PARK_WAIT;
	*next = f.next;
	return f.flags & FRAGMENT_REFUSED ? PARK_REFUSED : PARK_NEXT;
}

static bool give_back(const void *frame, size_t len, void *arg)
{
	const struct park *park = arg;

	return park->tap.fd >= 0 && write(park->tap.fd, frame, len) == (ssize_t)len;
}

/* The tap */

static void try_again(struct park *park)
{
	if (!park->started || ev_is_active(&park->retry))
		return;
	if (now_us() - park->made_us > RETRY_MAX_S * 1000000ull && park->made_us)
		park->retry_s = RETRY_MIN_S;
	park->made_us = 0;
	ev_timer_set(&park->retry, park->retry_s, 0);
	ev_timer_start(park->d->loop, &park->retry);
	park->retry_s = park->retry_s * 2 < RETRY_MAX_S ? park->retry_s * 2 : RETRY_MAX_S;
}

static void listen_to_tap(struct park *park)
{
	if (!park->started || park->tap.fd < 0)
		return;
	ev_io_set(&park->readable, park->tap.fd, EV_READ);
	ev_io_start(park->d->loop, &park->readable);
}

/* Nothing is sent there before all stands. */
static int make_tap(struct park *park, const char **step)
{
	struct daemon *d = park->d;
	int err = -ENOSYS;

	*step = "find its program";
	if (d->tables->prog[PROG_TC_PARKED] >= 0)
		err = park_tap_open(&park->tap, &d->nl, d->instance, d->tables->prog[PROG_TC_PARKED], step);
	if (err)
		return err;
	log_info("%s is the tap device for fragments that come too early and for unsolicited SYNs; it goes with the daemon",
		 park->tap.name);
	park->made_us = now_us();
	tables_set(d->tables, park_ifindex, park->tap.ifindex);
	listen_to_tap(park);
	return 0;
}

static void lose_tap(struct park *park)
{
	tables_set(park->d->tables, park_ifindex, 0);
	if (park->started)
		ev_io_stop(park->d->loop, &park->readable);
	park_tap_close(&park->tap);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct park *park = timer->data;
	const char *step;

	if (park->tap.fd < 0 && make_tap(park, &step)) {
		log_debug("still no tap device: cannot %s", step);
		try_again(park);
	}
}

static void tap_is_gone(struct park *park, const char *how)
{
	log_warn("%s: somebody has %s the tap device; it is made anew", park->tap.name, how);
	lose_tap(park);
	try_again(park);
}

/* Time */

static void set_timer(struct park *park)
{
	uint64_t due = park_queue_due(park->queue), now = now_us();

	ev_timer_stop(park->d->loop, &park->due);
	if (due == UINT64_MAX)
		return;
	/* The loop's clock stands still within a turn. */
	ev_now_update(park->d->loop);
	ev_timer_set(&park->due, due > now ? (double)(due - now) / 1e6 : 0, 0);
	ev_timer_start(park->d->loop, &park->due);
}

/* What has come to the tap. False: it has been taken away. */
static bool take_in(struct park *park)
{
	ssize_t len = 0;
	int i;

	for (i = 0; i < TURN_FRAMES && park->tap.fd >= 0; i++) {
		len = read(park->tap.fd, park->frame, sizeof(park->frame));
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			break;
		park_queue_put(park->queue, park->frame, (size_t)len, now_us());
	}
	return len >= 0 || errno == EAGAIN || errno == EINTR;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct park *park = io->data;

	if (!take_in(park))
		tap_is_gone(park, "removed");
	set_timer(park);
}

/* One whose turn has come must not leave while another one that contradicts it is still to be read. */
static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct park *park = timer->data;

	if (!take_in(park))
		tap_is_gone(park, "removed");
	park_queue_run(park->queue, now_us());
	set_timer(park);
}

/* Life-cycle */

int park_open(struct daemon *d)
{
	struct park *park = calloc(1, sizeof(*park));
	struct park_calls calls = { .zone = port_zone, .next = datagram_next, .release = give_back, .arg = park };
	const char *step;
	int err;

	tables_set(d->tables, park_ifindex, 0);	/* that of a daemon that was killed */
	d->park = park;
	if (!park)
		return -ENOMEM;
	park->d = d;
	park->tap.fd = -1;
	park->retry_s = RETRY_MIN_S;
	park->queue = park_queue_new(&calls);
	if (!park->queue)
		return -ENOMEM;
	err = make_tap(park, &step);
	if (err)
		log_warn("cannot %s: %s. Fragments that come before their predecessor are dropped, and unsolicited SYNs get no "
			 "answer; everything else works", step, strerror(-err));
	return 0;
}

void park_start(struct daemon *d)
{
	struct park *park = d->park;

	ev_init(&park->readable, on_readable);
	park->readable.data = park;
	ev_init(&park->due, on_due);
	park->due.data = park;
	ev_init(&park->retry, on_retry);
	park->retry.data = park;
	park->started = true;
	if (park->tap.fd >= 0)
		listen_to_tap(park);
	else
		try_again(park);
}

void park_verify(struct daemon *d)
{
	struct park *park = d->park;

	if (park && park->tap.fd >= 0 && !park_tap_sound(&park->tap, &d->nl))
		tap_is_gone(park, "changed or removed");
}

static json_t *counts_json(const struct park_counts *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "held", (json_int_t)c->held, "parked", (json_int_t)c->parked,
			 "released", (json_int_t)c->released, "expired", (json_int_t)c->expired,
			 "refused", (json_int_t)c->refused, "repeated", (json_int_t)c->repeated);
}

json_t *park_json(const struct daemon *d)
{
	const struct park *park = d->park;
	struct park_report r;

	park_queue_report(park->queue, &r);
	return json_pack("{s:s?, s:I, s:o, s:o}", "interface", park->tap.fd >= 0 ? park->tap.name : NULL,
			 "bytes", (json_int_t)r.bytes, "fragments", counts_json(&r.fragments), "syns", counts_json(&r.syns));
}

void park_close(struct daemon *d)
{
	struct park *park = d->park;

	if (!park)
		return;
	lose_tap(park);
	if (park->started) {
		ev_timer_stop(d->loop, &park->due);
		ev_timer_stop(d->loop, &park->retry);
	}
	park_queue_free(park->queue);
	free(park);
	d->park = NULL;
}
