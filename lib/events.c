/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * events.c - see events.h. The one place besides the daemon that writes to a map: it moves
 * control.events_until_s, a field of its own that nobody else writes.
 */
#include "lib/events.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/config.h"
#include "lib/instance.h"
#include "lib/maps.h"

#define AHEAD_S		10	/* as abi/config.h allows */

struct events {
	struct ring_buffer *ring;
	struct control *control;	/* shared memory */
	int lock;			/* of the directory of pins: one reader at a time */
	int ring_fd;
	uint32_t since_s;
	event_fn fn;
	void *arg;
};

static int fail(int error, char *err, size_t err_len, const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail(int error, char *err, size_t err_len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err, err_len, format, args);
	va_end(args);
	return error;
}

static int hand_out(void *arg, void *data, size_t size)
{
	const struct events *events = arg;
	const struct event *event = data;

	if (size >= sizeof(*event) && (int32_t)(event->time_s - events->since_s) >= 0)
		events->fn(event, events->arg);
	return 0;
}

static int take_lock(struct events *events, const char *instance, char *err, size_t err_len)
{
	char path[INSTANCE_PATH_LEN];

	instance_pin_path(path, instance, "");
	events->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (events->lock < 0)
		return fail(-errno, err, err_len, "cannot open %s: %s", path, strerror(errno));
	if (flock(events->lock, LOCK_EX | LOCK_NB))
		return fail(errno == EWOULDBLOCK ? -EBUSY : -errno, err, err_len,
			    "the events of instance \"%s\" have a reader already; one at a time", instance);
	return 0;
}

static int map_control(struct events *events, const char *instance, char *err, size_t err_len)
{
	char path[INSTANCE_PATH_LEN];
	void *memory;
	int fd;

	instance_pin_path(path, instance, "control");
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fail(fd, err, err_len, "cannot open %s: %s", path, strerror(-fd));
	memory = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		return fail(-errno, err, err_len, "cannot map %s into memory: %s", path, strerror(errno));
	events->control = memory;
	return 0;
}

static int open_ring(struct events *events, const char *instance, char *err, size_t err_len)
{
	char path[INSTANCE_PATH_LEN];

	instance_pin_path(path, instance, "events");
	events->ring_fd = bpf_obj_get(path);
	if (events->ring_fd < 0)
		return fail(events->ring_fd, err, err_len, "cannot open %s: %s", path, strerror(-events->ring_fd));
	events->ring = ring_buffer__new(events->ring_fd, hand_out, events, NULL);
	return events->ring ? 0 : fail(-errno, err, err_len, "cannot read the ring of events: %s", strerror(errno));
}

static void renew(struct events *events, uint32_t until_s)
{
	__atomic_store_n(&events->control->events_until_s, until_s, __ATOMIC_RELAXED);
}

int events_open(struct events **out, const char *instance, event_fn fn, void *arg, char *err, size_t err_len)
{
	struct events *events = calloc(1, sizeof(*events));
	int ret;

	if (!events)
		return fail(-ENOMEM, err, err_len, "no memory");
	events->fn = fn;
	events->arg = arg;
	events->lock = events->ring_fd = -1;
	events->since_s = maps_now_s();
	ret = take_lock(events, instance, err, err_len);
	if (!ret)
		ret = map_control(events, instance, err, err_len);
	if (!ret)
		ret = open_ring(events, instance, err, err_len);
	if (ret) {
		events_close(events);
		return ret;
	}
	renew(events, maps_now_s() + AHEAD_S);
	*out = events;
	return 0;
}

int events_poll(struct events *events, int timeout_ms)
{
	renew(events, maps_now_s() + AHEAD_S);
	return ring_buffer__poll(events->ring, timeout_ms < 5000 ? timeout_ms : 5000);
}

void events_close(struct events *events)
{
	if (!events)
		return;
	ring_buffer__free(events->ring);
	if (events->control) {
		if (events->ring)
			renew(events, maps_now_s() - 1);
		munmap(events->control, sizeof(*events->control));
	}
	if (events->ring_fd >= 0)
		close(events->ring_fd);
	if (events->lock >= 0)
		close(events->lock);
	free(events);
}
