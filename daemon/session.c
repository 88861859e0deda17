/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * session.c - see session.h. A walk collects what is meant, then each is ended by a SYSCALL program,
 * which is the only one to take sessions apart; those that end by themselves meanwhile do not count.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/session.h"

struct collection {
	session_pick pick_session;
	mapping_pick pick_mapping;
	void *arg;
	uint32_t reason;
	void *list;
	size_t n, room;
};

static int append(struct collection *c, const void *key, size_t size)
{
	void *more;

	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 256;
		more = realloc(c->list, c->room * size);
		if (!more)
			return -ENOMEM;
		c->list = more;
	}
	memcpy((char *)c->list + c->n++ * size, key, size);
	return 0;
}

static int collect_session(const struct session *session, void *arg)
{
	struct kill_args args = { .key = session->orig.key };
	struct collection *c = arg;

	args.reason = c->reason;
	if (c->pick_session && !c->pick_session(session, c->arg, &args.reason))
		return 0;
	return append(c, &args, sizeof(args));
}

int sessions_kill(const struct tables *tables, const struct filter *filter, session_pick pick, void *arg, uint32_t reason)
{
	struct collection c = { .pick_session = pick, .arg = arg, .reason = reason };
	struct kill_args *args;
	int err = maps_each_session(tables->maps, filter, collect_session, &c), ended = 0;
	size_t i;

	for (i = 0; i < c.n && !err; i++) {
		args = &((struct kill_args *)c.list)[i];
		err = tables_run(tables, PROG_KILL, args, sizeof(*args));
		if (!err && !args->result)
			ended++;
	}
	free(c.list);
	return err ? err : ended;
}

static int collect_mapping(const struct map_entry *entry, void *arg)
{
	struct collection *c = arg;

	if ((entry->value.flags & MAPPING_STATIC) || !c->pick_mapping(entry, c->arg))
		return 0;
	return append(c, &entry->key, sizeof(entry->key));
}

int mappings_drop(const struct tables *tables, mapping_pick pick, void *arg, int *busy)
{
	struct collection c = { .pick_mapping = pick, .arg = arg };
	struct unmap_args args;
	int err = maps_each_mapping(tables->maps, collect_mapping, &c), gone = 0, held = 0;
	size_t i;

	for (i = 0; i < c.n && !err; i++) {
		memset(&args, 0, sizeof(args));
		args.key = ((struct mapping_key *)c.list)[i];
		err = tables_run(tables, PROG_UNMAP, &args, sizeof(args));
		if (!err && !args.result)
			gone++;
		else if (args.result == -EBUSY)
			held++;
	}
	free(c.list);
	if (busy)
		*busy = held;
	return err ? err : gone;
}

bool session_outside(const struct session *session, union addr *addr, __be16 *port)
{
	if (session->orig.flags & FLOW_KERNELS)
		return false;
	if (session->cold.flags & (COLD_SRC_MAPPED | COLD_REMOTE)) {
		*addr = session->orig.new_src;
		*port = session->orig.new_sport;
		return true;
	}
	if (session->cold.flags & COLD_DST_MAPPED) {
		*addr = session->orig.key.dst;
		*port = session->orig.key.dport;
		return true;
	}
	return false;
}
