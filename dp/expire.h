/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * expire.h - the sweep: ends sessions past their time, gives buried slots back, lets
 * mappings go that have rested. The daemon starts it in slices; one at a time.
 */
#ifndef NATVI_DP_EXPIRE_H
#define NATVI_DP_EXPIRE_H

#include "session.h"

struct sweep_state {
	struct sweep_args args;
	struct cpu *cpu;
	__u32 now_s;
	__u32 sweep;
	__u32 rest_s;
};

static inline long sweep_bucket(__u32 i, void *arg)
{
	struct sweep_state *s = arg;
	__u32 nb = s->args.first_bucket + i;
	struct bucket *b = env_bucket(nb);

	if (!b)
		return 1;
	for (__u32 slot = 0; slot < NATVI_BUCKET_SLOTS; slot++) {
		__u64 handle = (__u64)nb << 4 | slot;

		if (tag_free(&b->tag[slot], s->sweep)) {
			s->args.freed++;
			continue;
		}
		if (!(b->tag[slot] & TAG_LIVE) || !(b->flow[slot].flags & FLOW_ORIG))
			continue;
		if (session_stale(handle, s->cpu) && !session_end(handle, s->cpu, END_IDLE))
			s->args.ended++;
		else
			s->args.live++;
	}
	return 0;
}

/* Nothing holds it, and it has rested: let it go. */
DP void sweep_mapping(const struct map_entry *e, struct sweep_state *s)
{
	if (e->key.kind != MAPPING_INSIDE || (e->value.flags & MAPPING_STATIC))
		return;
	s->args.mappings_live++;
	if (e->value.refs || (__s32)(s->now_s - e->value.since_s) <= (__s32)s->rest_s)
		return;
	s->cpu->draft.key = e->key;
	if (mapping_delete(s->cpu))
		return;
	s->args.mappings_freed++;
	s->args.mappings_live--;
}

static inline long sweep_mapping_bucket(__u32 i, void *arg)
{
	struct sweep_state *s = arg;
	struct mapping_bucket *b = env_mapping_bucket(s->args.first_bucket + i);

	if (!b)
		return 1;
	for (__u32 slot = 0; slot < NATVI_MAPPING_SLOTS; slot++) {
		tag_free(&b->tag[slot], s->sweep);
		if (b->tag[slot] & TAG_LIVE)
			sweep_mapping(&b->entry[slot], s);
	}
	return 0;
}

#endif
