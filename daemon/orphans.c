/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * orphans.c - see orphans.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mappings.h"
#include "daemon/orphans.h"
#include "daemon/session.h"
#include "daemon/state.h"
#include "lib/addr.h"
#include "lib/log.h"

/* Addresses, sorted, and which of them something uses. */
struct uses {
	struct plan_addr *list;
	size_t n;
	bool *used;
};

static int compare(const void *a, const void *b)
{
	const struct plan_addr *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* One of those with this address, or NULL. */
static const struct plan_addr *find(const struct plan_addr *list, size_t n, const union addr *addr)
{
	struct plan_addr key = { .addr = addr_to4(addr) };

	return n && addr_is4(addr) ? bsearch(&key, list, n, sizeof(key), compare) : NULL;
}

/* In whatever zone: a session does not say that of its outside address. */
static void note(struct uses *uses, const union addr *addr)
{
	const struct plan_addr *found = find(uses->list, uses->n, addr), *end = uses->list + uses->n;

	if (!found)
		return;
	while (found > uses->list && found[-1].addr == found->addr)
		found--;
	for (uint32_t same = found->addr; found < end && found->addr == same; found++)
		uses->used[found - uses->list] = true;
}

static int note_mapping(const struct mapping_key *key, const struct mapping *value, void *arg)
{
	if (key->kind == MAPPING_INSIDE && !(value->flags & MAPPING_STATIC))
		note(arg, &value->addr);
	return 0;
}

static int note_session(const struct session *session, void *arg)
{
	union addr addr;
	__be16 port;

	if (session_outside(session, &addr, &port))
		note(arg, &addr);
	return 0;
}

/* Drop from the list what nothing uses; how many are left, or a negative errno. */
static int keep_used(const struct daemon *d, struct plan_addr *list, size_t n)
{
	struct uses uses = { .list = list, .n = n, .used = calloc(n + 1, sizeof(bool)) };
	size_t i, kept = 0;
	int err = uses.used ? mappings_each(d->tables, note_mapping, &uses) : -ENOMEM;

	if (!err)
		err = maps_each_session(d->tables->maps, NULL, note_session, &uses);
	for (i = 0; i < n && !err; i++)
		if (uses.used[i])
			list[kept++] = list[i];
	free(uses.used);
	return err ? err : (int)kept;
}

int orphans_former(const struct daemon *d, const struct slots *slots, const struct links *links, struct plan_addr **list)
{
	struct plan_addr *found = calloc(d->slots.n + 1, sizeof(*found));
	const struct slot *was;
	uint32_t i;
	size_t n = 0;
	int kept;

	if (!found)
		return -ENOMEM;
	for (i = 0; i < d->slots.n; i++) {
		was = &d->slots.list[i];
		/* What pinned tables name is DRAINING until there is a plan. */
		if ((was->state == SLOT_USED || (was->state == SLOT_DRAINING && !d->has_plan)) &&
		    slots->list[i].state == SLOT_DRAINING && (!was->local || links_owns4(links, slot_addr(was->face))))
			found[n++] = (struct plan_addr){ .addr = slot_addr(was->face), .zone = (uint16_t)was->face };
	}
	qsort(found, n, sizeof(*found), compare);
	kept = n ? keep_used(d, found, n) : 0;
	if (kept <= 0) {
		free(found);
		return kept;
	}
	*list = found;
	return kept;
}

bool orphans_gone(struct daemon *d)
{
	int kept = d->n_former ? keep_used(d, d->former, d->n_former) : 0;
	bool gone = kept >= 0 && (size_t)kept < d->n_former;

	if (gone)
		d->n_former = (size_t)kept;
	return gone;
}

/* Sessions */

struct settling {
	const struct daemon *d;
	uint8_t *rules;		/* [65536] those in force */
};

static bool on_former(const struct daemon *d, const struct session *session)
{
	const struct plan_addr *a;
	union addr addr;
	__be16 port;
	uint16_t zone;

	if (!session_outside(session, &addr, &port) || !find(d->former, d->n_former, &addr))
		return false;
	for (zone = 0; zone < NATVI_MAX_ZONES; zone++) {	/* another zone may have it still */
		a = plan_find_addr(&d->plan, addr_to4(&addr), zone);
		if (a && (a->pool != POOL_NONE || (a->flags & ADDR_FORWARD)))
			return false;
	}
	return true;
}

static bool is_orphan(const struct session *session, void *arg, uint32_t *reason)
{
	const struct settling *s = arg;

	if ((session->orig.flags & FLOW_KERNELS) || (*reason == KILL_RELEASE && (session->cold.flags & COLD_RELEASED)))
		return false;
	return (session->cold.rule && !s->rules[session->cold.rule]) || on_former(s->d, session);
}

static bool mapping_on_former(const struct map_entry *entry, void *arg)
{
	const struct daemon *d = arg;

	return find(d->former, d->n_former, &entry->value.addr);
}

void orphans_settle(struct daemon *d)
{
	enum cfg_orphans orphans = d->config->orphans;
	struct settling s = { .d = d, .rules = calloc(1, UINT16_MAX + 1) };
	size_t i;
	int n;

	for (i = 0; s.rules && i < d->plan.n_rules; i++)
		s.rules[d->plan.rules[i].id] = 1;
	if (s.rules && orphans != ORPHANS_KEEP) {
		tables_grace();		/* no packet goes by the former rules any more */
		n = sessions_kill(d->tables, NULL, is_orphan, &s, orphans == ORPHANS_KILL ? END_RULE_GONE : KILL_RELEASE);
		mappings_drop(d->tables, mapping_on_former, d, NULL);
		if (n > 0)
			log_info("%d sessions whose rule or address has gone %s", n,
				 orphans == ORPHANS_KILL ? "were ended" : "go on to their end");
	}
	free(s.rules);
}
