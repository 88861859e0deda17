/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * mappings.h - the mapping table as the daemon needs it: all entries, and which ports they hold.
 *
 * The datapath changes the table all the while; entries that come or go during a walk may be missed.
 */
#ifndef NATVI_DAEMON_MAPPINGS_H
#define NATVI_DAEMON_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/mapping.h"
#include "daemon/tables.h"

/* Returns 0 to go on; anything else ends the walk and is returned. The entry is a copy. */
typedef int (*mapping_fn)(const struct mapping_key *key, const struct mapping *value, void *arg);

/* Every live entry of every kind. Returns 0, or what ended the walk. */
int mappings_each(const struct tables *tables, mapping_fn fn, void *arg);

/*
 * One entry, for forwards. Return 0, -ENOENT, -EEXIST, -ENOSPC (the table is full) or another
 * negative errno. mapping_change() leaves refs and since_s as they are.
 */
int mapping_look(const struct tables *tables, const struct mapping_key *key, struct mapping *value);
int mapping_add(const struct tables *tables, const struct mapping_key *key, const struct mapping *value);
int mapping_change(const struct tables *tables, const struct mapping_key *key, const struct mapping *value);
int mapping_remove(const struct tables *tables, const struct mapping_key *key);

/* Outside ports that mappings hold, as sorted numbers: slot << 18 | protocol << 16 | port. */
struct held {
	uint64_t *list;
	size_t n;
};

/* dynamic_only: leave forwards out. Returns 0 or a negative errno. */
int held_read(const struct tables *tables, bool dynamic_only, struct held *held);
void held_free(struct held *held);

static inline uint64_t held_number(uint32_t slot, unsigned int proto, unsigned int port)
{
	return (uint64_t)slot << 18 | proto << 16 | port;
}

/* Bits of a word of port bits that are held. */
uint64_t held_word(const struct held *held, uint32_t slot, enum portbits_proto proto, unsigned int word);

#endif
