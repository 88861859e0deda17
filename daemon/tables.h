/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tables.h - the daemon's hold on its programs and maps.
 *
 * Life: tables_open() -> tables_close(); what is pinned outlives both. The daemon is the only
 * writer of everything here but the counters, flows, mappings and port bits, which the datapath
 * changes at any moment.
 */
#ifndef NATVI_DAEMON_TABLES_H
#define NATVI_DAEMON_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/config.h"
#include "abi/event.h"
#include "lib/config.h"
#include "lib/maps.h"

struct natvi_accel;
struct natvi_bpf;
struct natvi_wire;

enum table_map {
	TABLE_CONTROL, TABLE_USAGE, TABLE_SETTINGS, TABLE_RULES, TABLE_POOLS, TABLE_POOL_ADDRS, TABLE_PORTS,
	TABLE_ZONES, TABLE_ADDRS, TABLE_PORTBITS, TABLE_FLOWS, TABLE_MAPPINGS, TABLE_FRAGMENTS, TABLE_IDS, TABLE_REQUESTS, TABLE_EXPECTED,
	TABLE_WIRES, TABLE_WIRE_STATES, TABLE_NEIGHBOURS, TABLE_STATIONS, TABLE_MAPS
};

enum table_prog {
	PROG_TC_INGRESS, PROG_TC_EGRESS, PROG_XDP, PROG_SWEEP, PROG_KILL, PROG_UNMAP, PROG_ADOPT, PROG_MAPPING,
	PROG_TC_PARKED, PROG_EVENT, PROG_TC_NVI_OUT, PROG_TC_NVI_IN, PROG_TC_ACCEL,
	PROG_WIRE_TC, PROG_WIRE_XDP, PROG_WIRE_TARGET, PROG_WIRE_HOST, TABLE_PROGS
};

struct tables {
	char instance[NATVI_NAME_LEN];
	struct natvi_bpf *skel;
	struct natvi_accel *accel;	/* NULL: not loaded */
	struct natvi_wire *wire;	/* likewise */
	int map[TABLE_MAPS];		/* descriptors */
	int prog[TABLE_PROGS];		/* -1: the object has no such program */
	struct control *control;	/* in memory, shared; write with tables_set() */
	struct portbits *portbits;	/* in memory, shared */
	size_t portbits_bytes;
	const struct mapping_bucket *mappings;	/* in memory, read-only; of maps */
	uint32_t n_mapping_buckets;
	struct maps *maps;		/* for reading */
	uint32_t max_mapping_entries;	/* what the mapping table was made for */
	uint32_t max_addr_entries;
	bool reused;			/* the maps were pinned before */
};

/* One field of the control map: a whole store, after all that was written before it. */
#define tables_set(tables, field, value) __atomic_store_n(&(tables)->control->field, (value), __ATOMIC_RELEASE)

/*
 * Load the programs into the kernel with the pinned maps of this instance, or with new ones that
 * are sized for config, and pin what is new. Programs are pinned beside the former ones until
 * tables_settle(). The caller holds the instance's lock. Returns 0 or a negative errno after
 * saying why.
 */
int tables_open(struct tables **out, const char *instance, const struct config *config);

/* Load what learns connections of the kernel's, and pin it; once. 0, or a negative errno and why in err. */
int tables_accel(struct tables *tables, char *err, size_t err_len);

/* The same for the programs of wires. */
int tables_wires(struct tables *tables, char *err, size_t err_len);

/* Set and clear bits of control.flags (CONTROL_*). */
void tables_flags(struct tables *tables, uint32_t clear, uint32_t set);

/* All ports run the new programs: their pins take the place of the former ones. */
int tables_settle(struct tables *tables);

/* For a start that failed: take away what tables_open() pinned, if it was all new. */
void tables_undo(struct tables *tables);

void tables_close(struct tables *tables);

/* Wait until every program that runs now has ended. */
void tables_grace(void);

/* Run a SYSCALL program on its argument. Returns 0 or a negative errno. */
int tables_run(const struct tables *tables, enum table_prog prog, void *args, size_t len);

/* bpf_map_update_elem() of an array's entry; negative errno. */
int tables_put(const struct tables *tables, enum table_map map, uint32_t index, const void *value);

/* Make sure that a BPF file system is at /sys/fs/bpf. */
int bpffs_mount(void);

#endif
