/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * session.c - walk the flow table and put the two flows of each session together.
 *
 * One pass over the tags builds an index of the reply flows (position by key), a second takes each
 * original flow and looks its reply up. The index is a snapshot of positions only: what stands
 * there is copied, and its key compared, when it is used. Concurrency: see maps.h.
 */
#include "lib/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

const char *const session_states[] = {
	"syn-sent", "syn-received", "established", "closing", "closed", "reset", "unreplied", "replied", "kernel", "accelerated", NULL
};

/* Open addressing; entries are position + 1, 0 is empty. Positions are bucket * slots + slot. */
struct index {
	uint32_t *entry;
	uint32_t mask;
};

static uint32_t position_tag(const struct maps *maps, uint32_t position)
{
	const struct bucket *bucket = &maps->flows[position / NATVI_BUCKET_SLOTS];

	return __atomic_load_n(&bucket->tag[position % NATVI_BUCKET_SLOTS], __ATOMIC_ACQUIRE);
}

static const struct flow *position_flow(const struct maps *maps, uint32_t position)
{
	return &maps->flows[position / NATVI_BUCKET_SLOTS].flow[position % NATVI_BUCKET_SLOTS];
}

/* Copy a live flow. False when it is not live, or stopped being so meanwhile. */
static bool copy_live(const struct maps *maps, uint32_t position, struct flow *flow, struct flow_cold *cold)
{
	uint32_t tag = position_tag(maps, position);

	if (!(tag & TAG_LIVE))
		return false;
	memcpy(flow, position_flow(maps, position), sizeof(*flow));
	if (cold)
		*cold = maps->flows[position / NATVI_BUCKET_SLOTS].cold[position % NATVI_BUCKET_SLOTS];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return position_tag(maps, position) == tag;
}

static uint32_t tuple_hash(const struct tuple *key)
{
	uint64_t word[sizeof(*key) / 8], hash = 0;

	memcpy(word, key, sizeof(word));
	for (size_t i = 0; i < sizeof(*key) / 8; i++) {
		hash = (hash ^ word[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return (uint32_t)(hash >> 16);
}

static uint32_t positions(const struct maps *maps)
{
	return maps->n_buckets * NATVI_BUCKET_SLOTS;
}

static uint32_t count_live(const struct maps *maps)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < positions(maps); i++)
		n += !!(position_tag(maps, i) & TAG_LIVE);
	return n;
}

/* Room for twice as many replies as there were live flows; what does not fit is left out. */
static int index_build(struct index *index, const struct maps *maps)
{
	uint32_t live = count_live(maps), size = 64, used = 0, at;

	while (size < live * 2)
		size *= 2;
	index->entry = calloc(size, sizeof(*index->entry));
	index->mask = size - 1;
	if (!index->entry)
		return -ENOMEM;
	for (uint32_t i = 0; i < positions(maps) && used < size / 2; i++) {
		const struct flow *flow = position_flow(maps, i);

		if (!(position_tag(maps, i) & TAG_LIVE) || (flow->flags & FLOW_ORIG))
			continue;
		for (at = tuple_hash(&flow->key) & index->mask; index->entry[at]; at = (at + 1) & index->mask)
			;
		index->entry[at] = i + 1;
		used++;
	}
	return 0;
}

static bool index_find(const struct index *index, const struct maps *maps, const struct tuple *key, struct flow *out)
{
	uint32_t at = tuple_hash(key) & index->mask;

	for (; index->entry[at]; at = (at + 1) & index->mask)
		if (copy_live(maps, index->entry[at] - 1, out, NULL) && !memcmp(&out->key, key, sizeof(*key)))
			return true;
	return false;
}

struct tuple session_peer_key(const struct flow *orig, const struct flow_cold *cold)
{
	struct tuple key = {
		.src = orig->new_dst,
		.dst = orig->new_src,
		.sport = orig->new_dport,
		.dport = orig->new_sport,
		.zone = cold->peer_zone,
		.proto = orig->key.proto,
	};

	return key;
}

bool session_is_accelerated(const struct flow *orig, const struct flow *reply)
{
	return (orig->flags & FLOW_ACCEL) && ((orig->tcp_seen | reply->tcp_seen) & SEEN_ACK);
}

const char *session_state(const struct flow *orig, const struct flow *reply)
{
	uint8_t o = orig->tcp_seen, r = reply->tcp_seen;

	if (session_is_accelerated(orig, reply))
		return "accelerated";
	if (orig->flags & FLOW_KERNELS)
		return "kernel";
	if (orig->key.proto != IPPROTO_TCP)
		return reply->packets ? "replied" : "unreplied";
	if ((o | r) & SEEN_RST)
		return "reset";
	if (o & r & SEEN_FIN)
		return "closed";
	if ((o | r) & SEEN_FIN)
		return "closing";
	if (!(r & (SEEN_SYN | SEEN_ACK)))
		return "syn-sent";
	return o & r & SEEN_ACK ? "established" : "syn-received";
}

/* Seconds that a flow has left; negative when it is past its time. */
static int64_t flow_remaining(const struct flow *flow, uint32_t now_s)
{
	return (int64_t)flow->idle_s - (int32_t)(now_s - flow->last_seen_s);
}

/* False when the session is past its time. */
static bool session_times(struct session *s, uint32_t now_s)
{
	int64_t remaining = flow_remaining(&s->orig, now_s), reply = flow_remaining(&s->reply, now_s);
	int32_t idle = (int32_t)(now_s - s->orig.last_seen_s), reply_idle = (int32_t)(now_s - s->reply.last_seen_s);

	if (s->has_reply && reply > remaining)
		remaining = reply;
	if (s->has_reply && reply_idle < idle)
		idle = reply_idle;
	if (remaining < 0)
		return false;
	s->remaining_s = (uint32_t)remaining;
	s->idle_s = idle > 0 ? (uint32_t)idle : 0;
	return true;
}

static bool session_at(struct session *s, const struct maps *maps, const struct index *index, uint32_t position, uint32_t now_s)
{
	struct tuple peer;

	if (!(position_tag(maps, position) & TAG_LIVE) || !(position_flow(maps, position)->flags & FLOW_ORIG))
		return false;
	if (!copy_live(maps, position, &s->orig, &s->cold) || !(s->orig.flags & FLOW_ORIG))
		return false;
	peer = session_peer_key(&s->orig, &s->cold);
	s->has_reply = index_find(index, maps, &peer, &s->reply);
	if (!s->has_reply)
		memset(&s->reply, 0, sizeof(s->reply));
	s->state = session_state(&s->orig, &s->reply);
	return session_times(s, now_s);
}

int maps_each_session(const struct maps *maps, const struct filter *filter, session_fn fn, void *arg)
{
	uint32_t now_s = maps_now_s();
	struct session session;
	struct index index;
	int ret = index_build(&index, maps);

	for (uint32_t i = 0; i < positions(maps) && !ret; i++) {
		if (!session_at(&session, maps, &index, i, now_s))
			continue;
		if (!filter || filter_session(filter, &session))
			ret = fn(&session, arg);
	}
	free(index.entry);
	return ret;
}
