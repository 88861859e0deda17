/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * guard.c - see guard.h.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/guard.h"
#include "daemon/nft.h"
#include "daemon/nft_kernel.h"
#include "daemon/state.h"
#include "lib/log.h"

/* What the table holds. */
struct guard {
	char (*names)[IFNAMSIZ];
	size_t n_names;
	uint32_t *served;
	size_t n_served;
	char nvi_peer[IFNAMSIZ];
	char *kernel;
};

static bool has_name(const struct guard *g, const char *name)
{
	size_t i;

	for (i = 0; i < g->n_names; i++)
		if (!strcmp(g->names[i], name))
			return true;
	return false;
}

static void add_names(struct guard *g, const struct served *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!has_name(g, list[i].name))
			memcpy(g->names[g->n_names++], list[i].name, IFNAMSIZ);
}

static bool serves(const struct served *list, size_t n, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i].up && list[i].ifindex == ifindex)
			return true;
	return false;
}

static void guard_end(struct guard *g)
{
	if (!g)
		return;
	free(g->names);
	free(g->served);
	free(g->kernel);
	free(g);
}

static struct guard *guard_begin(size_t n_names, size_t n_served)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->names = calloc(n_names + 1, sizeof(*g->names));
	g->served = calloc(n_served + 1, sizeof(*g->served));
	if (g->names && g->served)
		return g;
	guard_end(g);
	return NULL;
}

static bool same(const struct guard *a, const struct guard *b)
{
	return a && !strcmp(a->kernel, b->kernel) && a->n_names == b->n_names && !memcmp(a->names, b->names, a->n_names * sizeof(*a->names)) &&
	       !strcmp(a->nvi_peer, b->nvi_peer) && a->n_served == b->n_served && !memcmp(a->served, b->served, a->n_served * sizeof(*a->served));
}

static int make_table(const struct daemon *d, const struct guard *g)
{
	struct nft_guard table = { (const char (*)[IFNAMSIZ])g->names, g->n_names, g->served, g->n_served, g->nvi_peer, g->kernel };

	return nft_table_make(d->instance, SLOW_MARK, &table);
}

static void enforce(struct daemon *d, struct guard *g)
{
	bool first = !d->guard;

	if (same(d->guard, g)) {
		guard_end(g);
		return;
	}
	guard_end(d->guard);
	d->guard = g;
	d->mark_slow = !make_table(d, g);
	if (!d->mark_slow && first)
		log_warn("this kernel has no nftables: rules by connection state may judge half a connection, and what an "
			 "interface forwards in the moment when it appears may leave untranslated");
	if (!d->mark_slow && *g->kernel)
		log_err("natvi's nftables table cannot be made: what rules leave to the kernel is neither translated nor helped");
}

void guard_set(struct daemon *d, const struct config *was, const struct config *config, const struct served *before,
	       size_t n_before, const struct served *after, size_t n_after)
{
	struct guard *g = guard_begin(n_before + n_after, n_after);
	size_t i;

	if (g)
		g->kernel = nft_kernel_text(was, config);
	if (!g || !g->kernel) {
		guard_end(g);
		return;
	}
	add_names(g, before, n_before);
	add_names(g, after, n_after);
	for (i = 0; i < n_after; i++)
		if (after[i].up && (!before || serves(before, n_before, after[i].ifindex)))
			g->served[g->n_served++] = after[i].ifindex;
	if (d->nvi.ifindex)
		memcpy(g->nvi_peer, d->nvi.peer_name, IFNAMSIZ);
	enforce(d, g);
}

void guard_restore(struct daemon *d)
{
	if (!d->guard || !d->mark_slow || nft_table_present(d->instance))
		return;
	if (make_table(d, d->guard))
		log_err("natvi's nftables table was removed, and cannot be made again");
	else
		log_warn("natvi's nftables table was removed; it is there again");
}

void guard_drop(struct daemon *d)
{
	if (d->guard || nft_table_present(d->instance))
		nft_table_remove(d->instance);
	guard_free(d);
	d->mark_slow = false;
}

void guard_free(struct daemon *d)
{
	guard_end(d->guard);
	d->guard = NULL;
}
