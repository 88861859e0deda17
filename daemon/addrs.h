/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * addrs.h - address slots, and which ports of them may be given away.
 *
 * An outside address has a slot: the number of its port bitmaps; in two zones it has two. It keeps it for as long as it is
 * in use, over reloads and restarts, because mappings name it. An address that goes leaves its slot
 * draining until no mapping names it any more:
 *
 *   FREE -> USED -> DRAINING -> FREE       or back, DRAINING -> USED, when the address returns
 *
 * Bits are shared with the datapath, which claims and frees them at any moment: all writes here are
 * atomic on a word, and keep the summary (bit set: that word is full) as the datapath does.
 */
#ifndef NATVI_DAEMON_ADDRS_H
#define NATVI_DAEMON_ADDRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/config.h"
#include "lib/config.h"

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_DRAINING };

struct slot {
	uint64_t face;		/* slot_face() */
	enum slot_state state;
	bool local;		/* an interface had it, when it was in use last */
	bool fresh;		/* came out of FREE: its bitmaps are to be wiped before use */
};

struct slots {
	struct slot *list;
	uint32_t n;
};

/* An address (host byte order) and the zone in the keys of its mappings; sorts by address first. */
static inline uint64_t slot_face(uint32_t addr, uint16_t zone)
{
	return (uint64_t)addr << 16 | zone;
}

static inline uint32_t slot_addr(uint64_t face)
{
	return (uint32_t)(face >> 16);
}

int slots_init(struct slots *slots, uint32_t n);
int slots_copy(struct slots *to, const struct slots *from);
void slots_free(struct slots *slots);

/* What a pinned table says: this face has that slot. -EEXIST when another one has it, -ERANGE. */
int slots_adopt(struct slots *slots, uint64_t face, uint32_t slot);

/*
 * Give each face (sorted, no duplicates) a slot, its old one where it has one; faces that are
 * not listed drain. out[i] is the slot of faces[i]. Returns 0, or -ENOSPC with *missing slots too few:
 * then slots are in no useful state (work on a copy).
 */
int slots_assign(struct slots *slots, const uint64_t *faces, size_t n, uint32_t *out, uint32_t *missing);

/* A set of ports: bit set means that it is in. Bit number: host byte order. */
struct portset {
	uint64_t word[NATVI_PORT_WORDS];
};

void portset_add(struct portset *set, uint16_t lo, uint16_t hi);
void portset_remove(struct portset *set, uint16_t lo, uint16_t hi);

/*
 * The ports that must not be given to inside hosts: all outside of the allowed ranges (none listed:
 * all are allowed), port 0, and, of an address that the box itself uses, local_lo-local_hi.
 */
void portset_reserved(struct portset *set, const struct cfg_ports *allowed, size_t n_allowed, bool shared,
		      uint16_t local_lo, uint16_t local_hi);

static inline bool portset_has(const struct portset *set, uint16_t port)
{
	return set->word[port >> 6] >> (port & 63) & 1;
}

/* All bits of a slot's bitmap off. Only for a slot that no program can know of. */
void portbits_wipe(struct portbits *bits);

/* Take, or release, the bits of mask in one word. */
void portbits_take(struct portbits *bits, unsigned int word, uint64_t mask);
void portbits_release(struct portbits *bits, unsigned int word, uint64_t mask);

/* PORTBITS_* of an IP protocol; -1 for one that has no ports. */
int portbits_proto_of(uint8_t proto);

#endif
