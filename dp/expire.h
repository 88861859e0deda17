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

/* A slot that was buried two passes ago is free. */
DP bool slot_rested(__u32 tag, __u32 sweep)
{
	return tag == TAG_DEAD(sweep + 1);	/* (sweep - 2) mod 3 */
}

static inline long sweep_bucket(__u32 i, void *arg)
{
	struct sweep_state *s = arg;
	__u32 nb = s->args.first_bucket + i;
	struct bucket *b = env_bucket(nb);

	if (!b)
		return 1;
	for (__u32 slot = 0; slot < NATVI_BUCKET_SLOTS; slot++) {
		__u32 tag = b->tag[slot];
		__u64 handle = (__u64)nb << 3 | slot;

		if (slot_rested(tag, s->sweep)) {
			__sync_val_compare_and_swap(&b->tag[slot], tag, TAG_FREE);
			s->args.freed++;
			continue;
		}
		if (!(tag & TAG_LIVE) || !(b->flow[slot].flags & FLOW_ORIG))
			continue;
		if (session_stale(handle, s->cpu) && !session_end(handle, s->cpu))
			s->args.ended++;
		else
			s->args.live++;
	}
	return 0;
}

/* One INSIDE mapping; true: it was deleted. */
DP bool sweep_mapping(const struct mapping_key *key, const struct mapping *m, struct sweep_state *s)
{
	if (key->kind != MAPPING_INSIDE || (m->flags & MAPPING_STATIC))
		return false;
	s->args.mappings_live++;
	if (m->refs || (__s32)(s->now_s - m->since_s) < (__s32)s->rest_s)
		return false;
	s->cpu->draft.key = *key;
	if (mapping_delete(&s->cpu->draft.key, &s->cpu->draft.back))
		return false;
	s->args.mappings_freed++;
	s->args.mappings_live--;
	return true;
}

#endif
