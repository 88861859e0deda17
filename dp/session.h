/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * session.h - a session is two flows: inserted both or none, ended by one winner.
 *
 * session_insert() takes the reply's key first: for pools without mappings that is the
 * claim of the outside port. Rollback stands right behind it. The clock is cpu->meta.now_s.
 */
#ifndef NATVI_DP_SESSION_H
#define NATVI_DP_SESSION_H

#include "csum.h"
#include "mapping.h"
#include "track.h"

#define EREPLY_	114	/* the reply's key is taken: another port may do */

/* A flow of draft that is new in its slot; the key is there already. */
DP void flow_begin(struct flow *f, const struct draft *draft, __u8 flags, __u32 now_s)
{
	f->oif = 0;
	f->mtu = 0;
	f->in_slot = 0;
	f->generation = 0;
	f->last_seen_s = now_s;
	f->packets = 0;
	f->bytes = 0;
	f->idle_s = draft->idle_s;
	f->tcp_seen = 0;
	f->flags = flags;
}

/* The original flow turns draft->orig into draft->out. */
DP void flow_begin_orig(struct flow *f, const struct draft *draft, __u32 now_s)
{
	const struct tuple *from = &draft->orig, *to = &draft->out;

	flow_begin(f, draft, draft->flow_flags | FLOW_ORIG, now_s);
	f->new_src = to->src;
	f->new_dst = to->dst;
	f->new_sport = to->sport;
	f->new_dport = to->dport;
	f->addr_delta = csum_plain(csum_add(csum_delta_addr(&from->src, &to->src), csum_delta_addr(&from->dst, &to->dst)));
	f->port_delta = csum_delta16(from->sport, to->sport);
	if (from->proto != IPPROTO_ICMP)	/* there both are the one identifier */
		f->port_delta = csum_add(f->port_delta, csum_delta16(from->dport, to->dport));
	f->port_delta = csum_plain(f->port_delta);
	if (from->src.word[3] != to->src.word[3] && !(draft->flow_flags & FLOW_ACCEL))
		f->flags |= FLOW_NEW_ID;
}

/* The reply undoes what the original does. */
DP void flow_begin_reply(struct flow *f, const struct draft *draft, const struct flow *orig, __u32 now_s)
{
	flow_begin(f, draft, draft->flow_flags, now_s);
	f->new_src = draft->orig.dst;
	f->new_dst = draft->orig.src;
	f->new_sport = draft->orig.dport;
	f->new_dport = draft->orig.sport;
	f->addr_delta = csum_plain(~orig->addr_delta);
	f->port_delta = csum_plain(~orig->port_delta);
	if (f->key.src.word[3] != f->new_src.word[3] && !(draft->flow_flags & FLOW_ACCEL))
		f->flags |= FLOW_NEW_ID;
}

DP void cold_begin(struct flow_cold *cold, const struct draft *draft, __u16 peer_zone, __u8 route_zone, __u8 held, __u32 now_s)
{
	cold->created_s = now_s;
	cold->rule = draft->rule;
	cold->peer_zone = peer_zone;
	cold->route_zone = route_zone;
	cold->flags = held;
	cold->pool = draft->pool;
	cold->dst_pool = draft->dst_pool;
}

DP void session_event(struct cpu *cpu, __u32 kind, const struct flow *orig, const struct flow *reply, __u16 rule,
		      __u32 reason, __u32 now_s)
{
	const struct control *c = env_control();
	struct event *e = &cpu->event;

	if (!c || (__s32)(c->events_until_s - now_s) < 0)
		return;
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->time_s = now_s;
	e->orig = orig->key;
	e->reply = reply->key;
	e->packets[0] = orig->packets;
	e->packets[1] = reply->packets;
	e->bytes[0] = orig->bytes;
	e->bytes[1] = reply->bytes;
	e->rule = rule;
	e->reason = reason;
	if (env_event(e))
		cpu->counters.events_lost++;
}

/* What a session that ends without being asked to ended of. */
DP __u32 end_reason(const struct flow *orig, const struct flow *reply, __u32 reason)
{
	if (reason == END_IDLE && orig->key.proto == IPPROTO_TCP && tcp_closing(orig->tcp_seen, reply->tcp_seen))
		return END_CLOSED;
	return reason;
}

DP void session_ended(struct cpu *cpu, const struct flow *orig, const struct flow *reply, __u16 rule, __u32 reason)
{
	reason = end_reason(orig, reply, reason);
	OPAQUE(reason);
	cpu->counters.ended[reason & 7]++;
	session_event(cpu, EVENT_SESSION_END, orig, reply, rule, reason, cpu->meta.now_s);
}

/* Write both flows of cpu->draft into their slots and make them LIVE, the reply first. 0, or -ENOENT: not handles. */
ENV_GLOBAL int session_publish(struct cpu *cpu, __u64 orig, __u64 reply)
{
	__u32 now_s, os = 0, rs = 0;
	const struct draft *draft;
	struct bucket *ob, *rb;
	struct flow *of, *rf;

	ob = handle_bucket(orig, &os);
	rb = handle_bucket(reply, &rs);
	if (!cpu || !ob || !rb)
		return -ENOENT_;
	of = bucket_flow(ob, os);
	rf = bucket_flow(rb, rs);
	draft = &cpu->draft;
	now_s = cpu->meta.now_s;
	flow_begin_orig(of, draft, now_s);
	cold_begin(bucket_cold(ob, os), draft, draft->reply.zone, draft->to_zone, draft->held, now_s);
	if (orig != reply) {
		flow_begin_reply(rf, draft, of, now_s);
		cold_begin(bucket_cold(rb, rs), draft, draft->orig.zone, draft->orig.zone, 0, now_s);
	}
	session_event(cpu, EVENT_SESSION_NEW, of, rf, draft->rule, 0, now_s);
	tag_publish(bucket_tag(rb, rs));
	tag_publish(bucket_tag(ob, os));
	return 0;
}

/*
 * Insert the session of cpu->draft. Handle of the original flow, or -EREPLY (its reply key is
 * taken), -EEXIST (the original key is: another CPU was first), -ENOSPC (full).
 */
ENV_GLOBAL __s64 session_insert(struct cpu *cpu)
{
	const struct control *c = env_control();
	struct usage *u = env_usage();
	__s64 orig, reply, err;
	struct bucket *rb;
	__u32 rs = 0;

	if (!cpu || !c || !u)
		return -ENOSPC_;
	if (__sync_fetch_and_add(&u->sessions, 1) >= c->max_sessions) {
		err = -ENOSPC_;
		goto uncount;
	}
	reply = table_insert(&cpu->draft.reply);
	if (reply < 0) {
		err = reply == -EEXIST_ ? -EREPLY_ : -ENOSPC_;
		goto uncount;
	}
	/* A socket that talks to its own outside face: one flow is both directions. */
	orig = key_diff(FLOWS, &cpu->draft.orig, &cpu->draft.reply) ? table_insert(&cpu->draft.orig) : reply;
	if (orig < 0) {
		err = orig;
		goto withdraw;
	}
	session_publish(cpu, orig, reply);
	return orig;
withdraw:
	rb = handle_bucket(reply, &rs);
	if (rb)
		tag_withdraw(bucket_tag(rb, rs));
uncount:
	__sync_fetch_and_sub(&u->sessions, 1);
	return err;
}

/* Let go of what the session of this original flow held. */
DP void session_release(struct cpu *cpu, const struct flow *orig, const struct flow_cold *cold, __u32 now_s)
{
	struct mapping_key *k = &cpu->draft.key;
	__u8 proto = orig->key.proto;
	struct mapping *m;

	if (cold->flags & COLD_RELEASED)
		return;
	if (cold->flags & COLD_SRC_MAPPED) {
		if (cold->flags & COLD_SRC_SHARED)
			proto = 0;
		mapping_inside_key(k, &orig->key.src, orig->key.sport, orig->key.zone, proto, cold->pool);
		m = mapping_get(k);
		if (m && (cold->flags & COLD_PERMIT)) {
			mapping_permit_key(&cpu->draft.back, &orig->new_dst, orig->new_sport, m->slot, proto);
			holder_release(&cpu->draft.back);
		}
		mapping_release(k, now_s);
	}
	if (cold->flags & COLD_DST_MAPPED) {
		proto = cold->flags & COLD_DST_SHARED ? 0 : orig->key.proto;
		mapping_inside_key(k, &orig->new_dst, orig->new_dport, cold->route_zone, proto, cold->dst_pool);
		mapping_release(k, now_s);
	}
}

/*
 * End the session that the flow at handle belongs to, whichever direction that is, for a reason (enum end_reason).
 * 0, or -ENOENT: it was not LIVE any more, or another CPU ended it.
 */
ENV_GLOBAL int session_end(__u64 handle, struct cpu *cpu, __u32 reason)
{
	const struct control *c = env_control();
	struct usage *u = env_usage();
	struct bucket *b, *pb;
	__u32 slot, pslot;
	__s64 peer;

	if (!cpu || !c || !u)
		return -ENOENT_;
	b = handle_bucket(handle, &slot);
	if (!b)
		return -ENOENT_;
	flow_peer_key(&cpu->draft.reply, bucket_flow(b, slot), bucket_cold(b, slot)->peer_zone);
	peer = table_find(&cpu->draft.reply);
	if (peer < 0) {	/* half a session is none: bury what is left of it */
		if (tag_bury(bucket_tag(b, slot), c->sweep) && (bucket_flow(b, slot)->flags & FLOW_ORIG)) {
			session_release(cpu, bucket_flow(b, slot), bucket_cold(b, slot), cpu->meta.now_s);
			__sync_fetch_and_sub(&u->sessions, 1);
		}
		return -ENOENT_;
	}
	pb = handle_bucket(peer, &pslot);
	if (!pb)
		return -ENOENT_;
	if (!(bucket_flow(b, slot)->flags & FLOW_ORIG)) {
		struct bucket *swap = b;
		__u32 swap_slot = slot;

		b = pb;
		slot = pslot;
		pb = swap;
		pslot = swap_slot;
	}
	if (!tag_bury(bucket_tag(b, slot), c->sweep))
		return -ENOENT_;
	tag_bury(bucket_tag(pb, pslot), c->sweep);
	session_ended(cpu, bucket_flow(b, slot), bucket_flow(pb, pslot), bucket_cold(b, slot)->rule, reason);
	session_release(cpu, bucket_flow(b, slot), bucket_cold(b, slot), cpu->meta.now_s);
	__sync_fetch_and_sub(&u->sessions, 1);
	return 0;
}

/* End the session of the flow at handle, whose place cpu->draft is to take. */
DP void session_make_way(struct cpu *cpu, __u64 handle)
{
	cpu->fragment_key = cpu->draft.reply;	/* which the end of a session takes for its own use */
	session_end(handle, cpu, END_CLOSED);
	cpu->draft.reply = cpu->fragment_key;
}

/* A session whose packets are the kernel's own, in place of what was accelerated of it: 0, -EEXIST or -ENOSPC. */
DP int session_adopt(struct cpu *cpu, const struct adopt_args *args)
{
	struct draft *draft = &cpu->draft;
	const struct flow *f;
	__u64 former = 0;
	__s64 handle;

	__builtin_memset(draft, 0, sizeof(*draft));
	draft->orig = args->orig;
	draft->reply = args->reply;
	tuple_reverse(&draft->out, &draft->reply);
	draft->out.zone = draft->orig.zone;
	draft->idle_s = args->idle_s;
	draft->pool = POOL_NONE;
	draft->dst_pool = POOL_NONE;
	draft->flow_flags = FLOW_KERNEL;
	draft->to_zone = draft->orig.zone;
	f = flow_of(&draft->orig, &former);
	if (f && (f->flags & FLOW_KERNELS))
		session_make_way(cpu, former);
	handle = session_insert(cpu);
	return handle == -EREPLY_ ? -EEXIST_ : handle < 0 ? handle : 0;
}

/*
 * Is the session of the flow at handle over its time on both sides? 1 yes, 0 no. Called where one
 * side alone says so.
 */
ENV_GLOBAL int session_stale(__u64 handle, struct cpu *cpu)
{
	struct bucket *b;
	__s64 peer;
	__u32 slot;

	if (!cpu)
		return 0;
	b = handle_bucket(handle, &slot);
	if (!b || flow_fresh(bucket_flow(b, slot), cpu->meta.now_s))
		return 0;
	flow_peer_key(&cpu->draft.reply, bucket_flow(b, slot), bucket_cold(b, slot)->peer_zone);
	peer = table_find(&cpu->draft.reply);
	if (peer < 0)
		return 1;
	b = handle_bucket(peer, &slot);
	return b && !flow_fresh(bucket_flow(b, slot), cpu->meta.now_s);
}

/*
 * The session whose original flow is at handle goes on without what it holds. A packet may end it at any moment once it
 * is over its time, and would let go of the same things: so one that is, or will be in a second, ends here.
 * 0, or -ENOENT as session_end().
 */
DP int session_let_go(__u64 handle, struct cpu *cpu)
{
	struct flow_cold held;
	struct bucket *b;
	__u32 slot;
	int stale;

	cpu->meta.now_s += 2;
	stale = session_stale(handle, cpu);
	cpu->meta.now_s -= 2;
	if (stale)
		return session_end(handle, cpu, END_IDLE);
	b = handle_bucket(handle, &slot);
	if (!b || !(bucket_flow(b, slot)->flags & FLOW_ORIG))
		return -ENOENT_;
	held = *bucket_cold(b, slot);
	bucket_cold(b, slot)->flags |= COLD_RELEASED;
	session_release(cpu, bucket_flow(b, slot), &held, cpu->meta.now_s);
	return 0;
}

#endif
