/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * mapping.h - mappings: hold, make, release, free. abi/mapping.h has their life.
 *
 * Concurrency: the INSIDE entry's insertion with NOEXIST decides who made a mapping; the
 * port's bit decides who has the port. refs is only changed by atomic operations; whoever
 * adds to a dead one takes it back and acts as if there were none.
 */
#ifndef NATVI_DP_MAPPING_H
#define NATVI_DP_MAPPING_H

#include "claim.h"
#include "table.h"

ENV_GLOBAL __s64 mapping_find(const struct mapping_key *key)
{
	return find(MAPPINGS, key);
}

ENV_GLOBAL __s64 mapping_claim(const struct mapping_key *key)
{
	return claim(MAPPINGS, key);
}

ENV_GLOBAL int mapping_prefetch(const struct mapping_key *key)
{
	return prefetch(MAPPINGS, key);
}

DP struct mapping_bucket *mapping_bucket(__u64 handle, __u32 *slot)
{
	__u32 s = handle_slot(MAPPINGS, handle);

	if (s >= NATVI_MAPPING_SLOTS)
		return NULL;
	*slot = s;
	return env_mapping_bucket(handle >> 4);
}

DP struct map_entry *mapping_entry(struct mapping_bucket *b, __u32 s)
{
	return &b->entry[slot_within(s, NATVI_MAPPING_SLOTS)];
}

DP __u32 *mapping_tag(struct mapping_bucket *b, __u32 s)
{
	return &b->tag[slot_within(s, NATVI_MAPPING_SLOTS)];
}

/* The entry with this key, or NULL. */
DP_CALLED struct mapping *mapping_get(const struct mapping_key *key)
{
	__s64 handle = mapping_find(key);
	struct mapping_bucket *b;
	__u32 slot;

	b = handle < 0 ? NULL : mapping_bucket(handle, &slot);
	if (!b)
		return NULL;
	OPAQUE(b);	/* no arithmetic on it before the check */
	return &mapping_entry(b, slot)->value;
}

/* One new entry. 0, -EEXIST, or -ENOSPC: the table is full. */
DP int mapping_put(const struct mapping_key *key, const struct mapping *value)
{
	__s64 handle = mapping_claim(key);
	struct mapping_bucket *b;
	__u32 slot;

	if (handle < 0 || !value)
		return handle < 0 ? handle : -ENOSPC_;
	b = mapping_bucket(handle, &slot);
	if (!b)
		return -ENOSPC_;
	mapping_entry(b, slot)->value = *value;
	tag_publish(mapping_tag(b, slot));
	return 0;
}

/* Remove one entry; 0 or -ENOENT. */
DP int mapping_cut(const struct mapping_key *key)
{
	const struct control *c = env_control();
	__s64 handle = mapping_find(key);
	struct mapping_bucket *b;
	__u32 slot;

	b = handle < 0 ? NULL : mapping_bucket(handle, &slot);
	return b && c && tag_bury(mapping_tag(b, slot), c->sweep) ? 0 : -ENOENT_;
}

/* Take hold of m for one session; false: the sweep is just deleting it. */
DP bool mapping_hold(struct mapping *m)
{
	if (__sync_fetch_and_add(&m->refs, 1) & MAPPING_DEAD) {
		__sync_fetch_and_sub(&m->refs, 1);
		return false;
	}
	return true;
}

DP void mapping_release(const struct mapping_key *key, __u32 now_s)
{
	struct mapping *m = mapping_get(key);

	if (!m)
		return;
	m->since_s = now_s;
	__sync_fetch_and_sub(&m->refs, 1);
}

DP void mapping_inside_key(struct mapping_key *k, const union addr *addr, __be16 port, __u16 zone, __u8 proto, __u8 pool)
{
	k->addr = *addr;
	k->port = port;
	k->zone = zone;
	k->proto = proto;
	k->kind = MAPPING_INSIDE;
	k->pool = pool;
}

/* zone: addr_info.zone of the address */
DP void mapping_outside_key(struct mapping_key *k, const union addr *addr, __be16 port, __u16 zone, __u8 proto)
{
	k->addr = *addr;
	k->port = port;
	k->zone = zone;
	k->proto = proto;
	k->kind = MAPPING_OUTSIDE;
	k->pool = 0;
}

/* The one address of the pool that all mappings of a host have. */
DP void mapping_host_key(struct mapping_key *k, const union addr *host, __u16 zone, __u8 pool)
{
	k->addr = *host;
	k->port = 0;
	k->zone = zone;
	k->proto = 0;
	k->kind = MAPPING_HOST;
	k->pool = pool;
}

/* The remote address that is let in to an outside port by address-dependent filtering. */
DP void mapping_permit_key(struct mapping_key *k, const union addr *remote, __be16 port, __u32 slot, __u8 proto)
{
	k->addr = *remote;
	k->port = port;
	k->zone = (__u16)slot;
	k->proto = proto;
	k->kind = MAPPING_PERMIT;
	k->pool = (__u16)(slot >> 16);
}

/*
 * Both entries of a mapping whose port is claimed: draft->key (INSIDE), draft->back (OUTSIDE),
 * draft->value as the INSIDE one sees it. 0; -EEXIST: another CPU was first; -ENOSPC: full.
 */
DP int mapping_insert(struct draft *draft, const struct control *c, struct usage *u)
{
	int err;

	if (__sync_fetch_and_add(&u->mappings, 1) >= c->max_mappings) {
		err = -ENOSPC_;
		goto uncount;
	}
	/* OUTSIDE first: alone it leads nowhere, while the other one can be held as soon as it is there */
	draft->value.addr = draft->key.addr;
	draft->value.port = draft->key.port;
	draft->value.zone = draft->key.zone;
	draft->value.refs = 0;
	err = mapping_put(&draft->back, &draft->value);
	if (err)
		goto uncount;

	draft->value.addr = draft->back.addr;
	draft->value.port = draft->back.port;
	draft->value.zone = draft->back.zone;
	draft->value.refs = 1;
	err = mapping_put(&draft->key, &draft->value);
	if (!err)
		return 0;
	mapping_cut(&draft->back);
uncount:
	__sync_fetch_and_sub(&u->mappings, 1);
	return err == -EEXIST_ ? -EEXIST_ : -ENOSPC_;
}

/* Give a port back in the bitmaps of its protocol; 0: TCP and UDP. */
DP void mapping_port_free(__u32 slot, __u8 proto, __u32 port)
{
	int bits = proto ? portbits_proto(proto) : PORTBITS_TCP;
	struct portbits *b = bits < 0 ? NULL : env_portbits(slot * PORTBITS_PROTOS + bits);

	if (b)
		port_free(b, port);
	b = proto ? NULL : env_portbits(slot * PORTBITS_PROTOS + PORTBITS_UDP);
	if (b)
		port_free(b, port);
}

/* One that holds the entry with this key (a permit, a host) less; it goes with the last one. */
DP void holder_release(const struct mapping_key *key)
{
	struct mapping *m = mapping_get(key);

	if (m && __sync_fetch_and_sub(&m->refs, 1) == 1 &&
	    __sync_val_compare_and_swap(&m->refs, 0, MAPPING_DEAD) == 0)
		mapping_cut(key);
}

/*
 * Delete the dynamic mapping whose INSIDE key is cpu->draft.key, if nothing holds it, and free its port.
 * 0, -ENOENT, or -EBUSY: a session holds it, or it is a forward. Verified apart.
 */
ENV_GLOBAL int mapping_delete(struct cpu *cpu)
{
	struct usage *u = env_usage();
	struct mapping_key *key, *back;
	struct mapping *m;
	__u32 slot, port;
	bool paired;

	if (!cpu || !u)
		return -ENOENT_;
	key = &cpu->draft.key;
	back = &cpu->draft.back;
	m = mapping_get(key);
	if (!m)
		return -ENOENT_;
	if ((m->flags & MAPPING_STATIC) || __sync_val_compare_and_swap(&m->refs, 0, MAPPING_DEAD) != 0)
		return -EBUSY_;
	slot = m->slot;
	port = __builtin_bswap16(m->port);
	paired = m->flags & MAPPING_PAIRED;
	mapping_outside_key(back, &m->addr, m->port, m->zone, key->proto);
	mapping_cut(back);
	mapping_cut(key);
	__sync_fetch_and_sub(&u->mappings, 1);
	mapping_port_free(slot, key->proto, port);
	if (paired) {
		mapping_host_key(back, &key->addr, key->zone, key->pool);
		holder_release(back);
	}
	return 0;
}

/* Change what a forward's entry says, and leave alone who holds it. */
DP void mapping_set(struct mapping *m, const struct mapping *value)
{
	m->addr = value->addr;
	m->port = value->port;
	m->zone = value->zone;
	m->slot = value->slot;
	m->pool = value->pool;
	m->flags = value->flags;
	m->filtering = value->filtering;
	m->filtering_tcp = value->filtering_tcp;
}

/* Let the remote of draft in to the source's outside port; a session holds the permit. */
DP bool permit_hold(struct draft *draft, __u32 now_s)
{
	struct mapping *m;

	mapping_permit_key(&draft->back, &draft->out.dst, draft->out.sport, draft->slot, draft->map_proto);
	m = mapping_get(&draft->back);
	if (m && mapping_hold(m))
		return true;
	__builtin_memset(&draft->value, 0, sizeof(draft->value));
	draft->value.refs = 1;
	draft->value.since_s = now_s;
	draft->value.slot = draft->slot;
	return mapping_put(&draft->back, &draft->value) == 0;
}

DP bool permit_given(struct draft *draft, const union addr *remote, __be16 port, __u32 slot, __u8 proto)
{
	struct mapping *m;

	mapping_permit_key(&draft->back, remote, port, slot, proto);
	m = mapping_get(&draft->back);
	return m && m->refs && !(m->refs & MAPPING_DEAD);
}

#endif
