/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * mappings.c - see mappings.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/addrs.h"
#include "daemon/mappings.h"

struct walk {
	mapping_fn fn;
	void *arg;
};

static int one_entry(const struct map_entry *entry, void *arg)
{
	const struct walk *walk = arg;

	return walk->fn(&entry->key, &entry->value, walk->arg);
}

int mappings_each(const struct tables *tables, mapping_fn fn, void *arg)
{
	struct walk walk = { .fn = fn, .arg = arg };

	return mapping_entries(tables->mappings, tables->n_mapping_buckets, one_entry, &walk);
}

static int run(const struct tables *tables, enum mapping_op op, const struct mapping_key *key, struct mapping *value)
{
	struct mapping_args args = { .key = *key, .op = op };
	int err;

	if (value)
		args.value = *value;
	err = tables_run(tables, PROG_MAPPING, &args, sizeof(args));
	if (value)
		*value = args.value;
	return err ? err : args.result;
}

int mapping_look(const struct tables *tables, const struct mapping_key *key, struct mapping *value)
{
	return run(tables, MAPPING_LOOK, key, value);
}

int mapping_add(const struct tables *tables, const struct mapping_key *key, const struct mapping *value)
{
	struct mapping copy = *value;

	return run(tables, MAPPING_PUT, key, &copy);
}

int mapping_change(const struct tables *tables, const struct mapping_key *key, const struct mapping *value)
{
	struct mapping copy = *value;

	return run(tables, MAPPING_SET, key, &copy);
}

int mapping_remove(const struct tables *tables, const struct mapping_key *key)
{
	return run(tables, MAPPING_CUT, key, NULL);
}

struct reading {
	struct held *held;
	bool dynamic_only;
	size_t room;
};

static int add_held(struct reading *reading, uint32_t slot, int proto, uint16_t port)
{
	struct held *held = reading->held;
	uint64_t *more;

	if (held->n == reading->room) {
		reading->room = reading->room ? 2 * reading->room : 1024;
		more = realloc(held->list, reading->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		held->list = more;
	}
	held->list[held->n++] = held_number(slot, (unsigned int)proto, port);
	return 0;
}

/* Protocol 0 is TCP and UDP together: such a mapping has the port of both. */
static int take_mapping(const struct mapping_key *key, const struct mapping *value, void *arg)
{
	int proto = key->proto ? portbits_proto_of(key->proto) : PORTBITS_TCP, err;
	struct reading *reading = arg;

	if (key->kind != MAPPING_OUTSIDE || proto < 0 || value->slot == SLOT_NONE ||
	    (reading->dynamic_only && (value->flags & MAPPING_STATIC)))
		return 0;
	err = add_held(reading, value->slot, proto, ntohs(key->port));
	return err || key->proto ? err : add_held(reading, value->slot, PORTBITS_UDP, ntohs(key->port));
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int held_read(const struct tables *tables, bool dynamic_only, struct held *held)
{
	struct reading reading = { .held = held, .dynamic_only = dynamic_only };
	int err;

	held->list = NULL;
	held->n = 0;
	err = mappings_each(tables, take_mapping, &reading);
	if (err) {
		held_free(held);
		return err;
	}
	if (held->n)
		qsort(held->list, held->n, sizeof(*held->list), compare_numbers);
	return 0;
}

void held_free(struct held *held)
{
	free(held->list);
	held->list = NULL;
	held->n = 0;
}

uint64_t held_word(const struct held *held, uint32_t slot, enum portbits_proto proto, unsigned int word)
{
	uint64_t from = held_number(slot, proto, word << 6), bits = 0;
	size_t lo = 0, hi = held->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (held->list[mid] < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < held->n && held->list[lo] < from + 64; lo++)
		bits |= 1ull << (held->list[lo] - from);
	return bits;
}
