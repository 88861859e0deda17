/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/park_queue.c daemon/park_frame.c */
/*
 * fuzz_park.c - frames as they come out of the tap, cut from the input: {length, time, how far the datagram is} and
 * the bytes of the frame. Afterwards everything goes, and the bounds held all the while.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/park_frame.h"
#include "daemon/park_queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t how_far;

static int zone_of(uint32_t ifindex, uint16_t vlan, void *arg)
{
	return (int)(ifindex % 5) - 1;
}

static enum park_turn next_of(const struct tuple *datagram, uint32_t *next, void *arg)
{
	*next = how_far & 0x1f;
	return (enum park_turn)((how_far >> 5) % 3);
}

static bool take(const void *frame, size_t len, void *arg)
{
	struct park_frame f;

	if (park_frame_parse(frame, len, &f))
		abort();
	return len & 1;
}

static void check(const struct park_queue *queue)
{
	struct park_report r;
	uint64_t done;

	park_queue_report(queue, &r);
	done = r.fragments.released + r.fragments.expired + r.fragments.held;
	if (r.bytes > NATVI_PARK_BYTES || done > r.fragments.parked || done + r.fragments.refused < r.fragments.parked)
		abort();
	if (r.syns.parked != r.syns.released + r.syns.expired + r.syns.held)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct park_calls calls = { .zone = zone_of, .next = next_of, .release = take };
	struct park_queue *queue = park_queue_new(&calls);
	uint64_t now = 0;
	uint8_t *frame;
	size_t len;

	while (queue && size > 3) {
		len = data[0] < size - 3 ? data[0] : size - 3;
		now += (uint64_t)data[1] * data[1] * 100;
		how_far = data[2];
		frame = malloc(len ? len : 1);
		memcpy(frame, data + 3, len);
		park_queue_put(queue, frame, len, now);
		free(frame);
		if (park_queue_due(queue) <= now)
			park_queue_run(queue, now);
		check(queue);
		data += 3 + len;
		size -= 3 + len;
	}
	while (queue && park_queue_due(queue) != UINT64_MAX)
		park_queue_run(queue, now += 7000000);
	if (queue)
		check(queue);
	park_queue_free(queue);
	return 0;
}
