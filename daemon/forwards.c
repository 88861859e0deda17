/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * forwards.c - see forwards.h. The port's bit of a forward is set before this (bits.h), so that
 * no new dynamic mapping takes it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/addrs.h"
#include "daemon/forwards.h"
#include "daemon/mappings.h"
#include "daemon/session.h"
#include "lib/addr.h"
#include "lib/log.h"

#define REPLACE_TRIES	8

static int compare_outside(const void *key, const void *entry)
{
	const struct plan_static *s = entry;

	return memcmp(key, &s->outside, sizeof(s->outside));
}

static const struct plan_static *find_outside(const struct plan *plan, const struct mapping_key *outside)
{
	return bsearch(outside, plan->statics, plan->n_statics, sizeof(*plan->statics), compare_outside);
}

static void make_values(const struct plan_static *s, struct mapping *inside, struct mapping *outside)
{
	memset(inside, 0, sizeof(*inside));
	inside->addr = s->outside.addr;
	inside->port = s->outside.port;
	inside->zone = s->outside.zone;
	inside->slot = s->slot;
	inside->pool = s->pool;
	inside->flags = MAPPING_STATIC;
	inside->filtering = s->filtering;
	*outside = *inside;
	outside->addr = s->inside.addr;
	outside->port = s->inside.port;
	outside->zone = s->inside.zone;
}

/* Does the OUTSIDE entry in the table say what the plan says (but for filtering, which can change in place)? */
static bool same_target(const struct plan_static *s, const struct mapping *value)
{
	return addr_equal(&value->addr, &s->inside.addr) && value->port == s->inside.port &&
	       value->zone == s->inside.zone && value->pool == s->pool && value->slot == s->slot;
}

/* Static entries that are in the table and not in the plan */

struct leftovers {
	const struct plan *plan;
	const struct mapping_key *insides;	/* of the plan, sorted: those entries stay, with their holders */
	struct mapping_key *list;
	size_t n, room;
};

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mapping_key));
}

static bool is_left_over(const struct leftovers *left, const struct mapping_key *key, const struct mapping *value)
{
	const struct plan_static *s;

	if (!(value->flags & MAPPING_STATIC))
		return false;
	if (key->kind == MAPPING_INSIDE)
		return !bsearch(key, left->insides, left->plan->n_statics, sizeof(*key), compare_keys);
	s = find_outside(left->plan, key);
	return key->kind == MAPPING_OUTSIDE && (!s || !same_target(s, value));
}

static int collect_leftover(const struct mapping_key *key, const struct mapping *value, void *arg)
{
	struct leftovers *left = arg;
	struct mapping_key *more;

	if (!is_left_over(left, key, value))
		return 0;
	if (left->n == left->room) {
		left->room = left->room ? 2 * left->room : 64;
		more = realloc(left->list, left->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		left->list = more;
	}
	left->list[left->n++] = *key;
	return 0;
}

/* An address that is seen in a zone is all zones', or that zone's alone. */
static bool has_left(const struct leftovers *left, struct mapping_key key, uint16_t zone)
{
	if (bsearch(&key, left->list, left->n, sizeof(key), compare_keys))
		return true;
	key.zone = zone;
	return bsearch(&key, left->list, left->n, sizeof(key), compare_keys);
}

static bool uses_leftover(const struct session *session, void *arg, uint32_t *reason)
{
	const struct leftovers *left = arg;
	struct mapping_key key = { .proto = session->orig.key.proto, .kind = MAPPING_OUTSIDE };

	if ((session->orig.flags & FLOW_KERNELS) || (*reason == KILL_RELEASE && (session->cold.flags & COLD_RELEASED)))
		return false;
	key.addr = session->orig.key.dst;
	key.port = session->orig.key.dport;
	if ((session->cold.flags & COLD_DST_MAPPED) && has_left(left, key, session->orig.key.zone))
		return true;
	key.addr = session->orig.new_src;
	key.port = session->orig.new_sport;
	return (session->cold.flags & COLD_SRC_MAPPED) && has_left(left, key, session->cold.peer_zone);
}

static int remove_leftovers(const struct tables *tables, const struct plan *plan, const struct mapping_key *insides,
			    enum cfg_orphans orphans)
{
	struct leftovers left = { .plan = plan, .insides = insides };
	int err = mappings_each(tables, collect_leftover, &left), ended;
	size_t i;

	if (err || !left.n)
		goto out;
	/* No new session finds the forward; those that hold it let go of the inside entry while it stands. */
	for (i = 0; i < left.n; i++)
		if (left.list[i].kind == MAPPING_OUTSIDE)
			mapping_remove(tables, &left.list[i]);
	qsort(left.list, left.n, sizeof(*left.list), compare_keys);
	tables_grace();
	ended = sessions_kill(tables, NULL, uses_leftover, &left, orphans == ORPHANS_KILL ? END_RULE_GONE : KILL_RELEASE);
	if (ended > 0)
		log_info("%d sessions of forwards that are gone %s", ended, orphans == ORPHANS_KILL ? "were ended" : "go on to their end");
	err = ended < 0 ? ended : 0;
	for (i = 0; i < left.n; i++)
		if (left.list[i].kind == MAPPING_INSIDE)
			mapping_remove(tables, &left.list[i]);
out:
	free(left.list);
	return err;
}

/* New entries */

/* Take the port's bit again (in a pool that shares mappings, of TCP and UDP): a mapping that went has cleared it. */
static void hold_bit(const struct tables *tables, const struct plan *plan, const struct plan_static *s)
{
	bool shared = s->pool != POOL_NONE && (plan->pools[s->pool].flags & POOL_SHARED);
	unsigned int port = ntohs(s->outside.port), proto;

	for (proto = PORTBITS_TCP; proto <= PORTBITS_UDP && s->slot != SLOT_NONE; proto++)
		if (shared || portbits_proto_of(s->outside.proto) == (int)proto)
			portbits_take(&tables->portbits[s->slot * PORTBITS_PROTOS + proto], port >> 6, 1ull << (port & 63));
}

/* Protocol of the mapping that a session of this one holds; flag says whether it is for TCP and UDP together. */
static uint8_t held_proto(const struct session *session, uint8_t flag)
{
	return session->cold.flags & flag ? 0 : session->orig.key.proto;
}

static bool holds_mapping(const struct session *session, void *arg, uint32_t *reason)
{
	const struct mapping_key *inside = arg;
	const struct flow *orig = &session->orig;

	if (orig->flags & FLOW_KERNELS)
		return false;
	if ((session->cold.flags & COLD_SRC_MAPPED) && session->cold.pool == (__u8)inside->pool && orig->key.zone == inside->zone &&
	    held_proto(session, COLD_SRC_SHARED) == inside->proto &&
	    addr_equal(&orig->key.src, &inside->addr) && orig->key.sport == inside->port)
		return true;
	return (session->cold.flags & COLD_DST_MAPPED) && session->cold.dst_pool == (__u8)inside->pool &&
	       session->cold.route_zone == inside->zone &&
	       held_proto(session, COLD_DST_SHARED) == inside->proto &&
	       addr_equal(&orig->new_dst, &inside->addr) && orig->new_dport == inside->port;
}

/* End a dynamic mapping and its sessions. */
static void clear_way(const struct tables *tables, const struct plan *plan, const struct plan_static *s,
		      const struct mapping_key *inside)
{
	char text[ADDR_TEXT_LEN];
	struct unmap_args args = { .key = *inside };
	int ended = sessions_kill(tables, NULL, holds_mapping, (void *)inside, END_FLUSHED);

	tables_run(tables, PROG_UNMAP, &args, sizeof(args));
	hold_bit(tables, plan, s);
	log_warn("the mapping of %s:%u (%d sessions) made way for a forward", addr_print(&inside->addr, text),
		 ntohs(inside->port), ended < 0 ? 0 : ended);
}

/*
 * A static entry is there already. Its holders are counted in it, so it is changed in place. The
 * INSIDE entry belongs to one of possibly several forwards to that inside port, for as long as that
 * one is in the plan.
 */
static int keep_entry(const struct tables *tables, const struct plan *plan, const struct mapping_key *key,
		      const struct mapping *value, struct mapping *there)
{
	struct mapping_key outside = { .addr = there->addr, .port = there->port, .zone = there->zone, .proto = key->proto,
				       .kind = MAPPING_OUTSIDE };
	const struct plan_static *s = key->kind == MAPPING_INSIDE ? find_outside(plan, &outside) : NULL;
	struct mapping next = *value;

	if (s && !memcmp(&s->inside, key, sizeof(*key)) && s->slot == there->slot)
		return 0;
	next.refs = there->refs;
	next.since_s = there->since_s;
	if (!memcmp(&next, there, sizeof(next)))
		return 0;
	return mapping_change(tables, key, &next);
}

/* The inside key of the mapping that an OUTSIDE entry leads to. */
static struct mapping_key inside_of(const struct mapping_key *outside, const struct mapping *value)
{
	struct mapping_key inside = *outside;

	inside.addr = value->addr;
	inside.port = value->port;
	inside.zone = value->zone;
	inside.kind = MAPPING_INSIDE;
	inside.pool = value->pool;
	return inside;
}

/* A mapping for TCP and UDP together may have the port under a key of its own. */
static void clear_shared(const struct tables *tables, const struct plan *plan, const struct plan_static *s)
{
	struct mapping_key key = s->outside, inside;
	struct mapping there;

	key.proto = 0;
	if (mapping_look(tables, &key, &there))
		return;
	inside = inside_of(&key, &there);
	clear_way(tables, plan, s, &inside);
}

/* 0: the entry stands as it should, or the way was cleared (*again); or a negative errno. */
static int put_entry(const struct tables *tables, const struct plan *plan, const struct plan_static *s, const struct mapping_key *key,
		     const struct mapping *value, bool *again)
{
	struct mapping there = { 0 };
	struct mapping_key inside;
	int err = mapping_add(tables, key, value);

	if (!err && key->kind == MAPPING_OUTSIDE)
		clear_shared(tables, plan, s);
	if (err != -EEXIST)
		return err;
	if (mapping_look(tables, key, &there)) {
		*again = true;
		return 0;
	}
	if (there.flags & MAPPING_STATIC)
		return keep_entry(tables, plan, key, value, &there);
	inside = key->kind == MAPPING_OUTSIDE ? inside_of(key, &there) : *key;
	clear_way(tables, plan, s, &inside);
	*again = true;
	return 0;
}

static int put_static(const struct tables *tables, const struct plan *plan, const struct plan_static *s)
{
	struct mapping inside, outside;
	char text[ADDR_TEXT_LEN];
	int tries, err = 0;
	bool again;

	make_values(s, &inside, &outside);
	for (tries = 0; tries < REPLACE_TRIES; tries++) {
		again = false;
		err = put_entry(tables, plan, s, &s->inside, &inside, &again);
		if (!err && !again)
			err = put_entry(tables, plan, s, &s->outside, &outside, &again);
		if (err || !again)
			break;
	}
	if (!err && again)
		err = -EBUSY;
	if (err)
		log_err("forward of %s:%u: cannot be put in force: %s", addr_print(&s->outside.addr, text),
			ntohs(s->outside.port), err == -ENOSPC ? "the mapping table is full (limits.mappings)" : strerror(-err));
	return err;
}

int forwards_apply(const struct tables *tables, const struct plan *plan, enum cfg_orphans orphans)
{
	struct mapping_key *insides = malloc((plan->n_statics + 1) * sizeof(*insides));
	int err, one;
	size_t i;

	if (!insides)
		return -ENOMEM;
	for (i = 0; i < plan->n_statics; i++)
		insides[i] = plan->statics[i].inside;
	qsort(insides, plan->n_statics, sizeof(*insides), compare_keys);
	err = remove_leftovers(tables, plan, insides, orphans);
	free(insides);
	for (i = 0; i < plan->n_statics; i++) {
		one = put_static(tables, plan, &plan->statics[i]);
		if (one && !err)
			err = one;
	}
	return err;
}
