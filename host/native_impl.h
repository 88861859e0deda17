/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native_impl.h - what host/native.c and host/native_tables.c share. Not for others.
 */
#ifndef NATVI_HOST_NATIVE_IMPL_H
#define NATVI_HOST_NATIVE_IMPL_H

#include "dp/pkt.h"
#include "host/native.h"

struct native_addr;
struct native_fragment;
struct native_asker;
struct native_copy;

/* A frame under work, with room in front of it. */
struct native_frame {
	uint8_t *room;
	uint8_t *data;
	uint32_t len;
	uint32_t ifindex;
	uint32_t out_ifindex;
	uint32_t origin;
	uint32_t mark;
	uint16_t vlan_tci;
	__be16 vlan_proto;
	bool vlan_present;
	bool l2;		/* it begins with an Ethernet header */
	bool enters;
	bool crosses;
	bool resolves;
	__be16 eth_proto;
};

#define NATIVE_NO_RULE	0xffffffffu

struct native {
	struct control control;
	struct usage usage;
	struct settings settings[2];
	struct rule *rules;
	struct pool *pools;
	struct pool_addr *pool_addrs;
	struct port *ports;
	struct zone zones[NATVI_MAX_ZONES];
	struct portbits *portbits;
	struct bucket *buckets;
	struct cpu *cpu;		/* [2] */
	struct mapping_bucket *mappings;
	struct native_addr *addrs;	/* uthash */
	struct native_fragment *fragments;	/* uthash, oldest first */
	struct native_asker *askers;	/* uthash, oldest first */
	struct ids ids;
	struct wire *wires;
	struct wire_state *wire_states;
	struct wire_neighbours *neighbours;
	struct stations *stations;
	struct native_copied copied[NATIVE_MAX_COPIES];	/* of the frame under work; their bytes are kept for the next one */
	size_t n_copied;
	struct native_net net;		/* own copy */
	uint32_t now_s;
	uint32_t mark;			/* of the frames that come in */
	uint64_t random;
	uint64_t events;
	uint8_t *buffer;
	const struct native_source *source;	/* of all tables; NULL: the memory above */
	struct native_copy *copies;	/* uthash: entries of the source that were touched */
	uint32_t last_rule;		/* looked at last in this walk */
	bool hits_only;			/* act as the XDP hook */
};

/* The one that native_run() works on. */
extern struct native *native_current;

const struct addr_info *native_addr_find(struct native *n, const struct addr_key *k);
int native_addr_add(struct native *n, const struct addr_key *k, const struct addr_info *info);
/* One new entry, for forwards. 0, -EEXIST, or -ENOSPC: the table is full. */
int native_mapping_put(struct native *n, const struct mapping_key *k, const struct mapping *m);
/* As the kernel's LRU tables: the oldest goes when there is no room. */
struct fragment *native_fragment(struct native *n, const struct tuple *k);
void native_fragment_put(struct native *n, const struct tuple *k, const struct fragment *f);
void native_fragment_cut(struct native *n, const struct tuple *k);
struct fragment_source *native_fragment_source(struct native *n, const struct addr_key *k);

/* One frame through a hook; see native_run(). */
struct native_result native_hook(struct native *n, const struct native_arrival *a, const void *frame, size_t len, uint32_t now_s,
				 int (*hook)(void *ctx));

/* Keep a copy of the frame as it is now; -ENOMEM. */
int native_copy_frame(struct native *n, const struct native_frame *f, uint32_t ifindex, bool in);

void native_tables_free(struct native *n);

/* Private copy of entry i of the source, the same at each call; NULL: the source cannot read it. */
void *native_entry(struct native *n, enum native_table table, uint32_t i);
void native_copies_free(struct native *n);

void native_route(struct native *n, uint32_t in_ifindex, const struct tuple *t, struct route *r);
bool native_socket(struct native *n, const struct tuple *t);

struct plan;
struct links;

/* Complete a plan of wires with nvi0, which is no interface of the configuration. */
void native_plan_nvi(struct plan *plan, const struct config *config, const struct links *links, uint32_t nvi);

/* Fill the tables from a configuration; see native_new(). */
int native_setup(struct native *n, const struct config *config, char *err, size_t err_len);

#endif
