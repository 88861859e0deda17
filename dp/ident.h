/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ident.h - IP identifications of hosts that share an address (RFC 6864 section 5.3.1, RFC 7857
 * section 10): two datagrams of one {source, destination, protocol} that may be cut into
 * fragments never have the same one within 65,536 of them. Those that cannot be cut keep theirs.
 */
#ifndef NATVI_DP_IDENT_H
#define NATVI_DP_IDENT_H

#include "env.h"

/* The next identification from src to dst, and how many more are taken with it: a GSO packet's segments count on. */
DP __be16 ident_next(struct pkt *p, const union addr *src, const union addr *dst)
{
	__u64 h = (src->quad[1] ^ p->control->seed) * 0x9e3779b97f4a7c15ULL + dst->quad[1] + p->m->key.proto;
	__u32 n = p->m->gso_size ? p->m->len / p->m->gso_size + 1 : 1;
	struct ids *ids = env_ids();
	__u32 i;

	h = (h ^ h >> 29) * 0xc2b2ae3d27d4eb4fULL;
	if (!ids)
		return p->m->frag_id;
	i = h >> 40;
	OPAQUE(i);
	return __builtin_bswap16((__u16)(__sync_fetch_and_add(&ids->next[i & (NATVI_IDS - 1)], n) + (h >> 16)));
}

/* Give p another identification, if it needs one and its datagram has none yet. */
DP void ident_renew(struct pkt *p, const struct flow *f)
{
	if (!(f->flags & FLOW_NEW_ID) || (p->m->flags & PKT_NEW_ID) || (p->m->flags & (PKT_DF | PKT_FIRST)) == PKT_DF)
		return;
	p->m->new_id = ident_next(p, &f->new_src, &f->new_dst);
	p->m->flags |= PKT_NEW_ID;
}

#endif
