/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * events.h - the datapath's event stream of an instance, read without the daemon.
 *
 * Life: events_open() -> events_poll() again and again -> events_close(). The datapath makes events
 * only while a reader renews control.events_until_s, which events_poll() does. One reader at a
 * time has the stream. It may lose: counters.events_lost tells how many.
 */
#ifndef NATVI_LIB_EVENTS_H
#define NATVI_LIB_EVENTS_H

#include <stddef.h>

#include "abi/event.h"

struct events;

/* Events from before events_open() are not handed out. */
typedef void (*event_fn)(const struct event *event, void *arg);

/*
 * Returns 0 and *out; otherwise a negative errno and a sentence in err: -EBUSY when another reader
 * has the stream. Call after maps_open() has checked the instance.
 */
int events_open(struct events **out, const char *instance, event_fn fn, void *arg, char *err, size_t err_len);

/* Wait up to timeout_ms (at most 5000) for events and hand them out. Their number, or a negative errno (-EINTR: a signal). */
int events_poll(struct events *events, int timeout_ms);

/* NULL is fine. */
void events_close(struct events *events);

#endif
