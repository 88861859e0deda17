/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native_live.c - the native host on the tables of a live gateway: an entry is fetched from the source when the
 * datapath first touches it, and is private from then on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "host/native_impl.h"

struct native_copy {
	uint64_t key;		/* table << 32 | index */
	UT_hash_handle hh;
	_Alignas(64) uint8_t value[];
};

static const size_t entry_bytes[NATIVE_TABLES] = {
	[NATIVE_SETTINGS] = sizeof(struct settings),
	[NATIVE_PORTS] = sizeof(struct port),
	[NATIVE_ZONES] = sizeof(struct zone),
	[NATIVE_RULES] = sizeof(struct rule),
	[NATIVE_POOLS] = sizeof(struct pool),
	[NATIVE_POOL_ADDRS] = sizeof(struct pool_addr),
	[NATIVE_PORTBITS] = sizeof(struct portbits),
	[NATIVE_BUCKETS] = sizeof(struct bucket),
	[NATIVE_MAPPINGS] = sizeof(struct mapping_bucket),
	[NATIVE_WIRES] = sizeof(struct wire),
	[NATIVE_WIRE_STATES] = sizeof(struct wire_state),
	[NATIVE_NEIGHBOURS] = sizeof(struct wire_neighbours),
	[NATIVE_STATIONS] = sizeof(struct stations),
};

static struct native_copy *fetch(struct native *n, enum native_table table, uint32_t i)
{
	size_t bytes = (sizeof(struct native_copy) + entry_bytes[table] + 63) & ~(size_t)63;
	struct native_copy *c = aligned_alloc(64, bytes);

	if (!c)
		return NULL;
	memset(c, 0, bytes);
	c->key = (uint64_t)table << 32 | i;
	if (!n->source->entry(n->source->arg, table, i, c->value)) {
		free(c);
		return NULL;
	}
	HASH_ADD(hh, n->copies, key, sizeof(c->key), c);
	return c;
}

void *native_entry(struct native *n, enum native_table table, uint32_t i)
{
	uint64_t key = (uint64_t)table << 32 | i;
	struct native_copy *c;

	HASH_FIND(hh, n->copies, &key, sizeof(key), c);
	if (!c)
		c = fetch(n, table, i);
	if (table == NATIVE_RULES) {	/* a walk sees each rule once; who asks for the last one again has found it */
		if (n->last_rule == i)
			n->source->rule(n->source->arg, i);
		n->last_rule = n->last_rule == i ? NATIVE_NO_RULE : i;
	}
	return c ? c->value : NULL;
}

void native_copies_free(struct native *n)
{
	struct native_copy *c, *next;

	HASH_ITER(hh, n->copies, c, next) {
		HASH_DEL(n->copies, c);
		free(c);
	}
}

void native_forget(struct native *n, const struct control *control, const struct usage *usage)
{
	native_copies_free(n);
	native_tables_free(n);
	memset(n->cpu, 0, 2 * sizeof(*n->cpu));
	n->control = *control;
	n->usage = *usage;
	n->last_rule = NATIVE_NO_RULE;
}

int native_new_live(const struct native_source *source, const struct control *control, const struct usage *usage, uint64_t random,
		    struct native **out)
{
	struct native *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->source = source;
	n->random = random | 1;
	n->cpu = calloc(2, sizeof(*n->cpu));
	n->buffer = malloc(NATIVE_HEADROOM + 2 + NATIVE_MAX_FRAME);
	if (!n->cpu || !n->buffer) {
		native_free(n);
		return -ENOMEM;
	}
	native_forget(n, control, usage);
	*out = n;
	return 0;
}
