/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conntrack.h - the kernel's connections as natvi looks at them: tuples in its own form, and what decides about
 * acceleration. IPv4 and IPv6 alike.
 *
 * Life: a struct ct_entry is a copy. ct_each() opens and closes what it needs; it looks at the network namespace of the
 * process. What comes and goes meanwhile may be seen or not.
 */
#ifndef NATVI_LIB_CONNTRACK_H
#define NATVI_LIB_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/types.h"

#define CT_HELPER_LEN	32

struct ct_entry {
	struct tuple orig;	/* as the first packet came in; zone 0 here and below */
	struct tuple reply;	/* as its answers come in */
	struct tuple master;	/* of the connection that a helper expected it for; when has_master */
	bool has_master;
	bool liberal;		/* TCP: windows are not checked, either way */
	uint8_t tcp_state;	/* enum tcp_state of libnetfilter_conntrack */
	uint16_t zone;		/* conntrack's */
	uint32_t status;	/* IPS_* */
	uint32_t mark;
	uint32_t timeout_s;	/* until it expires */
	char helper[CT_HELPER_LEN];	/* "": none */
};

struct nf_conntrack;
void ct_read(struct ct_entry *out, const struct nf_conntrack *ct);

/* Returns 0 to go on; anything else ends the walk and is returned. */
typedef int (*ct_fn)(const struct ct_entry *entry, void *arg);

/* All connections. 0, what ended the walk, or a negative errno; -EOPNOTSUPP: this kernel tracks none. */
int ct_each(ct_fn fn, void *arg);

/* Masters of children, by the child's orig tuple; see ct_masters_read(). */
struct ct_masters {
	struct ct_master {
		struct tuple child, master;
	} *list;
	size_t n;
};

/* 0 or a negative errno; *out is empty then. */
int ct_masters_read(struct ct_masters *out);
int ct_masters_add(struct ct_masters *masters, const struct ct_entry *entry);
/* In order, for ct_master_of(). */
void ct_masters_sort(struct ct_masters *masters);
void ct_masters_free(struct ct_masters *masters);

/* The master of the connection with this original tuple, its zone aside; NULL: it has none. */
const struct tuple *ct_master_of(const struct ct_masters *masters, const struct tuple *child);

#endif
