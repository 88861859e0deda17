/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nat.h - a packet without a flow: mapping, rule, translation, second route, session.
 *
 * Two stages, each verified apart: decide; then establish: translate, route, insert. Translate first, route afterwards. A mapping or permit
 * that was taken hold of is let go if the session fails.
 */
#ifndef NATVI_DP_NAT_H
#define NATVI_DP_NAT_H

#include "expect.h"
#include "face.h"
#include "forward.h"
#include "rule.h"

DP bool has_ports(const struct pkt *p)
{
	return !(p->m->flags & (PKT_NO_PORTS | PKT_ICMP_ERROR));
}

DP void draft_begin(struct pkt *p, const struct settings *set)
{
	struct draft *draft = &p->cpu->draft;

	draft->orig = p->m->key;
	draft->out = p->m->key;
	draft->rule = 0;
	draft->idle_s = first_idle_s(set, p->m->key.proto);
	draft->held = 0;
	draft->pool = POOL_NONE;
	draft->dst_pool = POOL_NONE;
	draft->flow_flags = 0;
	draft->filtering = FILTER_EI;
	draft->slot = SLOT_NONE;
	draft->routed = 0;
	draft->to_box = 0;
	draft->map_proto = p->m->key.proto;
	draft->generation = p->control->generation;
	draft->to_zone = p->m->key.zone;
}

/* Let go of what the draft holds: there will be no session. */
DP void draft_release(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;

	if (draft->held & COLD_PERMIT) {
		mapping_permit_key(&draft->back, &draft->out.dst, draft->out.sport, draft->slot, draft->map_proto);
		holder_release(&draft->back);
	}
	if (draft->held & COLD_SRC_MAPPED) {
		mapping_inside_key(&draft->key, &draft->orig.src, draft->orig.sport, draft->orig.zone, draft->map_proto, draft->pool);
		mapping_release(&draft->key, p->m->now_s);
	}
	if (draft->held & COLD_DST_MAPPED) {
		mapping_inside_key(&draft->key, &draft->out.dst, draft->out.dport, draft->to_zone,
				   draft->held & COLD_DST_SHARED ? 0 : draft->out.proto, draft->dst_pool);
		mapping_release(&draft->key, p->m->now_s);
	}
}

/* Can this packet be the first of a session? A RST or an answer without one cannot. */
DP bool starts_session(const struct pkt *p)
{
	if (p->m->key.proto == IPPROTO_TCP)
		return !(p->m->tcp_flags & SEEN_RST);
	if (p->m->key.proto == IPPROTO_ICMP)
		return p->m->icmp_type == ICMP_ECHO || p->m->icmp_type == ICMP_TIMESTAMP;
	return true;
}

/* What a new session of p's source looks up next and then writes; see prefetch(). */
DP void prefetch_inside(struct pkt *p, const struct pool *pool)
{
	struct draft *draft = &p->cpu->draft;

	table_prefetch(&draft->orig);
	mapping_inside_key(&draft->key, &p->m->key.src, p->m->key.sport, p->m->key.zone, p->m->key.proto, draft->pool);
	mapping_prefetch(&draft->key);
	if (!is_paired(pool))
		return;
	mapping_host_key(&draft->back, &p->m->key.src, p->m->key.zone, draft->pool);
	mapping_prefetch(&draft->back);
}

/* The same once its outside address and port are known: draft->back, and the reply's flow as route() will mostly leave it. */
DP void prefetch_outside(struct draft *draft)
{
	mapping_prefetch(&draft->back);
	tuple_reverse(&draft->reply, &draft->out);
	draft->reply.zone = draft->route.zone;
	table_prefetch(&draft->reply);
}

/*
 * A mapping of p's source (draft->key) at draft->face and port, which is claimed; held. flags: MAPPING_*. 0, or as
 * mapping_insert(), and the port is free again then.
 */
DP int mapping_make(struct pkt *p, const struct pool *pool, __u32 port, __u8 flags)
{
	struct draft *draft = &p->cpu->draft;
	struct usage *u = env_usage();
	int err = -ENOSPC_;

	__builtin_memset(&draft->value, 0, sizeof(draft->value));
	draft->value.addr = draft->face.addr;
	draft->value.port = __builtin_bswap16(port);
	draft->value.refs = 1;
	draft->value.since_s = p->m->now_s;
	draft->value.slot = draft->face.slot;
	draft->value.pool = draft->pool;
	draft->value.flags = flags;
	draft->value.filtering = draft->map_proto == IPPROTO_TCP ? pool->filtering_tcp : pool->filtering;
	draft->value.filtering_tcp = pool->filtering_tcp;
	draft->out.src = draft->face.addr;
	draft->out.sport = draft->value.port;
	draft->slot = draft->face.slot;
	mapping_outside_key(&draft->back, &draft->face.addr, draft->value.port, pool->zone, draft->map_proto);
	prefetch_outside(draft);
	if (u)
		err = mapping_insert(draft, p->control, u);
	if (err)
		mapping_port_free(draft->face.slot, draft->map_proto, port);
	return err;
}

/* A new mapping for p's source in draft->pool, held; NEXT, or the packet's end. */
DP enum stage mapping_new(struct pkt *p, const struct pool *pool)
{
	bool paired = is_paired(pool);
	struct draft *draft = &p->cpu->draft;
	enum verdict why;
	struct mapping *m;
	int port, err;

	port = face_find(p, pool, paired, &why);
	if (port < 0)
		return why == VERDICT_RACE ? drop(p, why) : refuse_exhausted(p, why);
	err = mapping_make(p, pool, port, paired ? MAPPING_PAIRED : 0);
	if (!err)
		return NEXT;
	if (paired)
		host_release(p);
	m = err == -EEXIST_ ? mapping_get(&draft->key) : NULL;
	if (!m || !mapping_hold(m))
		return err == -EEXIST_ ? drop(p, VERDICT_RACE) : refuse_exhausted(p, VERDICT_MAPPINGS_FULL);
	draft->out.src = m->addr;	/* another CPU made it for the same source */
	draft->out.sport = m->port;
	draft->slot = m->slot;
	return NEXT;
}

/*
 * The mapping that p's source has already, as draft->key names it then. A forward is its host's face too, for its own
 * protocol; where TCP and UDP share their mappings theirs comes after that.
 */
DP struct mapping *source_mapping(struct pkt *p, const struct pool *pool)
{
	struct draft *draft = &p->cpu->draft;
	struct mapping *m;

	mapping_inside_key(&draft->key, &p->m->key.src, p->m->key.sport, p->m->key.zone, p->m->key.proto, draft->pool);
	m = mapping_get(&draft->key);
	if (m || !(pool->flags & POOL_SHARED) || p->m->key.proto == IPPROTO_ICMP)
		return m;
	draft->map_proto = 0;
	draft->key.proto = 0;
	return mapping_get(&draft->key);
}

/* Which of a mapping's two kinds of filtering is for p? */
DP __u8 mapping_filtering(const struct pkt *p, const struct mapping *m, __u8 map_proto)
{
	return !map_proto && p->m->key.proto == IPPROTO_TCP ? m->filtering_tcp : m->filtering;
}

/* Endpoint-independent: one mapping for the source, whatever the remote (RFC 4787 req. 1). */
DP enum stage translate_ei(struct pkt *p, const struct pool *pool)
{
	struct draft *draft = &p->cpu->draft;
	struct mapping *m;

	prefetch_inside(p, pool);
	m = source_mapping(p, pool);
	draft->filtering = p->m->key.proto == IPPROTO_TCP ? pool->filtering_tcp : pool->filtering;
	if (m && mapping_hold(m)) {
		draft->out.src = m->addr;
		draft->out.sport = m->port;
		draft->slot = m->slot;
		draft->filtering = mapping_filtering(p, m, draft->map_proto);	/* a forward has its own */
	} else if (mapping_new(p, pool) == DONE) {
		draft_release(p);
		return DONE;
	}
	draft->held |= COLD_SRC_MAPPED | (draft->map_proto ? 0 : COLD_SRC_SHARED);
	if (p->m->key.proto == IPPROTO_ICMP)
		draft->out.dport = draft->out.sport;
	if (draft->filtering == FILTER_AD && permit_hold(draft, p->m->now_s))
		draft->held |= COLD_PERMIT;
	return NEXT;
}

/*
 * The source gets a port of pa that may be free towards this remote: another one with each try, in the
 * end without regard to parity. Returns it, or -1: pa has none to give.
 */
DP int apd_port(struct pkt *p, const struct pool *pool, const struct pool_addr *pa, __u32 try, __u32 last)
{
	__u32 first = pool->flags & POOL_RANDOM ? PORT_RANDOM : PORT_ANYWHERE;
	int bits = portbits_proto(p->m->key.proto), port;
	struct draft *draft = &p->cpu->draft;

	if (bits < 0)
		return -1;
	port = port_pick(pa->slot, bits, __builtin_bswap16(p->m->key.sport), try ? last : first, try >= NATVI_REMOTE_TRIES / 2);
	if (port < 0)
		return -1;
	draft->out.sport = __builtin_bswap16(port);
	if (p->m->key.proto == IPPROTO_ICMP)
		draft->out.dport = draft->out.sport;
	return port;
}

/*
 * Stage 2: the outside address and port of the source. Pools without mappings and protocols
 * without ports get only the address here: their claim is the reply's key (insert()).
 */
DP enum stage translate(struct pkt *p)
{
	struct draft *draft = &p->cpu->draft;
	const struct pool_addr *pa;
	const struct pool *pool;

	if (draft->pool == POOL_NONE || (draft->held & COLD_SRC_MAPPED))
		return NEXT;
	pool = draft_pool(p);
	if (!pool) {
		draft_release(p);
		return drop(p, VERDICT_NO_ADDRESS);
	}
	if (has_ports(p) && pool->mapping == MAPPING_EI)
		return translate_ei(p, pool);
	pa = pool_pick(p, pool, 0);
	if (!pa) {
		draft_release(p);
		return drop(p, VERDICT_INTERNAL);
	}
	draft->out.src = pa->addr;
	if (!has_ports(p) && is_paired(pool))
		host_follow(p);
	draft->held |= COLD_REMOTE;
	return NEXT;
}

/*
 * No address of an interface, and yet it ends here: a broadcast of a subnet, or an address that a local route names. Where no
 * rule asks for the way out only the second look-up tells; the kernel has it as it came.
 */
DP enum stage stays_here(struct pkt *p, const struct draft *draft)
{
	if (draft->out.dst.word[3] != draft->orig.dst.word[3])
		return refuse_route(p, &draft->route);
	return kernel(p, p->m->flags & PKT_FROM_BOX ? VERDICT_HOST_OUT : VERDICT_LOCAL);
}

/*
 * Stage 3: the second look-up, with the translated addresses and the original input interface.
 * Where no routing rule asks for the source the first one has said it all.
 */
DP enum stage route(struct pkt *p, const struct settings *set)
{
	struct draft *draft = &p->cpu->draft;

	if (!draft->routed || !(set->flags & SETTINGS_ONE_ROUTE))
		route_find(p, &draft->out, &draft->route, set, draft->to_zone);
	if (draft->route.result == ROUTE_LOCAL && !draft->to_box) {
		draft_release(p);
		return stays_here(p, draft);
	}
	if (draft->route.result == ROUTE_NONE || draft->route.result == ROUTE_LOOP) {
		draft_release(p);
		return refuse_route(p, &draft->route);
	}
	if (!draft->route.enabled && draft->route.result != ROUTE_LOCAL) {
		draft_release(p);
		return drop(p, VERDICT_OUT_NOT_ENABLED);
	}
	return NEXT;
}

/*
 * Insert with the reply's key as the claim: address- and port-dependent pools, where one
 * outside port serves any number of remotes, and protocols without ports, one inside host a
 * remote. Handle, or a negative errno as session_insert().
 */
DP __s64 insert_by_remote(struct pkt *p, const struct pool *pool)
{
	int bits = has_ports(p) ? portbits_proto(p->m->key.proto) : -1;
	struct draft *draft = &p->cpu->draft;
	bool bound = draft->slot != SLOT_NONE;	/* to its host's address */
	__s64 handle = -EREPLY_;
	int port = -1;

	for (__u32 i = 0; i < NATVI_REMOTE_TRIES && handle == -EREPLY_; i++) {
		const struct pool_addr *pa = pool_pick(p, pool, bits < 0 && i < pool->n_addrs ? i : 0);

		if (!pa || (bits < 0 && (i >= NATVI_POOL_TRIES || i >= pool->n_addrs || (i && bound))))
			break;
		if (!bound)
			draft->out.src = pa->addr;
		if (bits >= 0) {
			port = apd_port(p, pool, pa, i, port);
			if (port < 0)
				break;
			if (port_is_local(p, pa, port, p->m->key.proto))
				continue;
		}
		tuple_reverse(&draft->reply, &draft->out);
		draft->reply.zone = draft->route.zone;
		handle = session_insert(p->cpu);
	}
	return handle;
}

/* Stage 4: both flows, or none. NEXT: p->m->handle is the packet's flow. */
DP enum stage insert(struct pkt *p, const struct settings *set)
{
	struct draft *draft = &p->cpu->draft;
	const struct pool *pool;
	struct flow *f;
	__s64 handle;
	__u32 slot;

	if (draft->held & COLD_REMOTE) {
		pool = draft_pool(p);
		handle = pool ? insert_by_remote(p, pool) : -ENOSPC_;
	} else {
		tuple_reverse(&draft->reply, &draft->out);
		draft->reply.zone = draft->route.zone;
		handle = session_insert(p->cpu);
	}
	if (handle < 0) {
		draft_release(p);
		if (handle == -ENOSPC_)
			return refuse_exhausted(p, VERDICT_TABLE_FULL);
		if (handle == -EREPLY_ && (draft->held & COLD_REMOTE))
			return has_ports(p) ? refuse_exhausted(p, VERDICT_NO_PORT) : drop(p, VERDICT_REMOTE_TAKEN);
		return drop(p, VERDICT_RACE);
	}
	p->bucket = handle_bucket(handle, &slot);
	if (!p->bucket)
		return drop(p, VERDICT_INTERNAL);
	f = bucket_flow(p->bucket, slot);
	p->m->handle = handle;
	*bucket_tos(p->bucket, slot) = p->m->tos;
	route_keep(p, f, &draft->route, set, draft->generation);
	f->tcp_seen = p->m->tcp_flags;
	return NEXT;
}

/* Could NAT give this port of a local address away? Then there is no socket of the box behind it. */
DP bool port_is_ours(struct pkt *p, const struct addr_info *info, __u32 port)
{
	int bits = portbits_proto(p->m->key.proto);
	struct portbits *b;
	__u32 w = port >> 6;

	if (info->slot == SLOT_NONE || bits < 0)
		return false;
	b = env_portbits(info->slot * PORTBITS_PROTOS + bits);
	OPAQUE(w);
	return b && !(b->word[w & (NATVI_PORT_WORDS - 1)] & 1ULL << (port & 63));
}

/*
 * p is for the box itself. Where rules speak of what that sends, they must not take its answer for the beginning of a
 * conversation: UDP does not say which it is, so what a socket of the box waits for becomes a session, if there is room.
 */
DP enum stage for_box(struct pkt *p, const struct settings *set)
{
	struct draft *draft = &p->cpu->draft;

	if ((set->flags & SETTINGS_FROM_BOX) && p->m->key.proto == IPPROTO_UDP && env_socket(p, &p->m->key)) {
		draft->out = draft->orig;
		tuple_reverse(&draft->reply, &draft->out);
		draft->dst_pool = POOL_NONE;
		session_insert(p->cpu);
	}
	return kernel(p, VERDICT_LOCAL);
}

/* RFC 5382 req. 4: no word to an unsolicited SYN for 6 s; the daemon waits for us. */
DP enum stage syn_hold(struct pkt *p)
{
	int action;

	if (!park_open(p) || !park_allowed(p))
		return drop(p, VERDICT_SYN_HELD);
	action = env_park(p, PARK_SYN);
	return action < 0 ? drop(p, VERDICT_SYN_HELD) : sent(p, VERDICT_SYN_HELD, action);
}

/*
 * Nothing leads inside from this address and port. What the box itself may want is the kernel's; of TCP's
 * SYNs only what a socket of the box listens to, or what NAT never uses. resting: the port was a mapping's.
 */
DP enum stage unsolicited(struct pkt *p, const struct addr_info *info, const struct settings *set, enum verdict why, bool resting)
{
	bool local = info->flags & ADDR_LOCAL, syn = (p->m->tcp_flags & (SEEN_SYN | SEEN_ACK | SEEN_RST)) == SEEN_SYN;

	if (p->m->key.proto != IPPROTO_TCP || !syn || !(set->flags & (SETTINGS_SYN_HOLD | SETTINGS_SYN_SILENT)))
		return local && why == VERDICT_NO_MAPPING ? for_box(p, set) : drop(p, why);
	if (local && why == VERDICT_NO_MAPPING &&
	    ((!resting && !port_is_ours(p, info, __builtin_bswap16(p->m->key.dport))) || env_socket(p, &p->m->key)))
		return kernel(p, VERDICT_LOCAL);
	return set->flags & SETTINGS_SYN_HOLD ? syn_hold(p) : drop(p, why);
}

/* The mapping with this outside address and port, p's own protocol's or the one of TCP and UDP; draft->back is its key. */
DP struct mapping *outside_mapping(struct pkt *p, const union addr *addr, __be16 port, const struct addr_info *info)
{
	struct draft *draft = &p->cpu->draft;
	struct mapping *m;

	mapping_outside_key(&draft->back, addr, port, info->zone, p->m->key.proto);
	m = mapping_get(&draft->back);
	if (m || p->m->key.proto == IPPROTO_ICMP)
		return m;
	draft->back.proto = 0;
	return mapping_get(&draft->back);
}

/* Does the mapping's filtering let p's source in? */
DP bool is_admitted(struct pkt *p, const struct mapping *m)
{
	struct draft *draft = &p->cpu->draft;
	__u8 filtering = mapping_filtering(p, m, draft->back.proto), proto = draft->back.proto;

	if (filtering == FILTER_AD)
		return permit_given(draft, &p->m->key.src, p->m->key.dport, m->slot, proto);
	return filtering != FILTER_APD;
}

/* The source by rule r: from a pool, by the way out's address (masq), or prefix to prefix. */
DP void translate_src_by(struct pkt *p, const struct rule *r, __u32 masq)
{
	struct draft *draft = &p->cpu->draft;

	if (r->flags & RULE_SRC_NET)
		prefix_replace(&draft->out.src, &r->new_src, r->src_len);
	if (r->flags & RULE_SNAT)
		draft->pool = r->pool == POOL_MASQUERADE ? masq : r->pool;
}

/*
 * Hairpin (RFC 4787 req. 9): a source that some rule translates keeps its outside face, wherever the translated
 * destination is. A rule that names nothing of the source but that it leaves by this way is not one of these.
 * pool: that the destination's outside address is of. The box itself as the destination would never let its
 * answer to that face out: it has the address.
 */
DP void hairpin(struct pkt *p, __u8 pool)
{
	const struct addr_info *to = addr_find_in(p, &p->cpu->draft.out.dst, p->cpu->draft.to_zone);
	const struct rule *r;
	const struct port *out;

	if ((p->m->flags & PKT_FROM_BOX) || (to && (to->flags & ADDR_LOCAL)))
		return;
	r = rule_match(p, RULE_THROUGH, NULL, RULE_DNAT | RULE_DST_NET);
	if (!r || !(r->flags & (RULE_SNAT | RULE_SRC_NET)))
		return;
	if (!r->in_ifindex && !r->src_len && r->in_zone == ZONE_ANY &&
	    (!r->out_ifindex || r->out_ifindex == p->m->ifindex) && (r->out_zone == ZONE_ANY || r->out_zone == p->m->key.zone))
		return;
	if (pool == POOL_NONE && r->out_ifindex) {	/* the way out that the rule would have had */
		out = port_lookup(r->out_ifindex, 0);
		pool = out ? out->masq_pool : pool;
	}
	p->cpu->draft.rule = r->id;
	translate_src_by(p, r, pool);
}

DP enum stage refuse_ttl(struct pkt *p)
{
	draft_release(p);
	return refuse(p, VERDICT_TTL_EXCEEDED, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
}

/* New flows to an address and port that mapping m leads inside from. */
DP enum stage nat_inbound(struct pkt *p, const struct addr_info *info, const struct settings *set, const struct mapping *m)
{
	bool icmp = p->m->key.proto == IPPROTO_ICMP;
	struct draft *draft = &p->cpu->draft;
	__u8 proto = draft->back.proto;
	struct mapping *inside;

	if (!starts_session(p))
		return drop(p, icmp ? VERDICT_NO_MAPPING : VERDICT_NO_STATE);
	draft->out.dst = m->addr;
	draft->out.dport = m->port;
	draft->to_zone = m->zone;
	draft->to_box = 1;
	draft->dst_pool = m->pool;
	if (!icmp && !is_admitted(p, m))
		return unsolicited(p, info, set, VERDICT_FILTERED, false);
	mapping_inside_key(&draft->key, &draft->out.dst, draft->out.dport, m->zone, proto, m->pool);
	inside = mapping_get(&draft->key);
	if (!inside || (!(inside->flags & MAPPING_STATIC) && !inside->refs) || (!icmp && !mapping_hold(inside)))	/* none, or resting */
		return unsolicited(p, info, set, VERDICT_NO_MAPPING, true);
	if (!icmp)	/* an echo request leaves with the identifier of its source's mapping: it shows the way and no more */
		draft->held |= COLD_DST_MAPPED | (proto ? 0 : COLD_DST_SHARED);
	if (p->m->ttl <= 1)
		return refuse_ttl(p);
	hairpin(p, draft->dst_pool);
	if (icmp && draft->pool == POOL_NONE) {	/* a ping from outside has no business there */
		draft_release(p);
		return drop(p, VERDICT_NO_MAPPING);
	}
	return NEXT;
}

/* Destination, then source, as rule r says; info: what natvi knows of the old destination. */
DP enum stage translate_by(struct pkt *p, const struct rule *r, const struct addr_info *info, const struct settings *set)
{
	struct draft *draft = &p->cpu->draft;

	if (r->flags & (RULE_DNAT | RULE_DST_NET)) {
		rule_translate_dst(p, r);
		draft->to_box = 1;
		draft->routed = 0;
		if (!(r->flags & (RULE_SNAT | RULE_SRC_NET))) {
			hairpin(p, info ? info->pool : POOL_NONE);
			return NEXT;
		}
		if ((r->flags & RULE_SNAT) && r->pool == POOL_MASQUERADE)
			route_find(p, &draft->out, &draft->route, set, draft->to_zone);
	}
	translate_src_by(p, r, draft->route.masq_pool);
	return (r->flags & RULE_SNAT) && draft->pool == POOL_NONE ? drop(p, VERDICT_NO_ADDRESS) : NEXT;
}

/* Do what rule r says about a new flow. */
DP enum stage nat_by(struct pkt *p, const struct rule *r, const struct addr_info *info, const struct settings *set)
{
	bool to_box = info && (info->flags & ADDR_LOCAL) && !(r->flags & (RULE_DNAT | RULE_DST_NET));
	struct draft *draft = &p->cpu->draft;

	draft->rule = r->id;
	if (r->action == ACTION_KERNEL)
		return kernel(p, VERDICT_RULE_KERNEL);
	if (r->action == ACTION_DROP)
		return drop(p, VERDICT_RULE_DROP);
	if (to_box && r->action != ACTION_REJECT)
		return for_box(p, set);
	if (p->m->ttl <= 1 && !to_box && !(p->m->flags & PKT_FROM_BOX))
		return refuse_ttl(p);
	if (r->action == ACTION_REJECT)
		return refuse(p, VERDICT_RULE_REJECT, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, 0);
	if (!starts_session(p))
		return drop(p, VERDICT_NO_STATE);
	return translate_by(p, r, info, set);
}

/*
 * New flows to addresses that natvi knows: a mapping leads inside, or a rule says where to; else it is the kernel's, or nobody's.
 */
DP enum stage nat_to_known(struct pkt *p, const struct addr_info *info, const struct settings *set)
{
	bool local = info->flags & ADDR_LOCAL, ports = has_ports(p) && !(local && p->m->key.proto == IPPROTO_ICMP);
	const struct mapping *m = ports ? outside_mapping(p, &p->m->key.dst, p->m->key.dport, info) : NULL;
	const struct rule *r = NULL;

	if (m && !(m->flags & MAPPING_BOX))
		return nat_inbound(p, info, set, m);
	if (set->flags & SETTINGS_TO_KNOWN)
		r = rule_match(p, local ? RULE_TO_BOX : info->flags & ADDR_NET ? RULE_TO_NET : RULE_TO_POOL, NULL, 0);
	if (r)
		return nat_by(p, r, info, set);
	if (!ports || m)
		return local ? for_box(p, set) : drop(p, VERDICT_NO_MAPPING);
	return unsolicited(p, info, set, VERDICT_NO_MAPPING, false);
}

/*
 * Where a source's own routes lead to nvi0 and nowhere else, the way out that rules see is the one of a packet whose source is
 * not known yet.
 */
DP void route_sourceless(struct pkt *p, struct route *way, const struct settings *set)
{
	struct draft *draft = &p->cpu->draft;

	draft->routed = 0;
	draft->reply = draft->orig;
	__builtin_memset(&draft->reply.src, 0, sizeof(draft->reply.src));
	route_find(p, &draft->reply, way, set, p->m->key.zone);
}

/* New flows to anywhere else: the rules decide, by look-up 1 where one asks for the way out. */
DP enum stage nat_outbound(struct pkt *p, const struct settings *set)
{
	__u32 traffic = p->m->flags & PKT_FROM_BOX ? RULE_FROM_BOX : RULE_THROUGH;
	struct route *way = &p->cpu->draft.route;
	const struct rule *r;

	way->oif = 0;
	way->zone = p->m->key.zone;
	way->masq_pool = POOL_MASQUERADE;
	if (traffic == RULE_FROM_BOX && !(p->m->flags & PKT_AT_NVI)) {
		way->oif = p->m->ifindex;
		way->masq_pool = p->port->masq_pool;
	} else if (set->flags & SETTINGS_NEED_OUT) {
		route_find(p, &p->cpu->draft.orig, way, set, p->m->key.zone);
		p->cpu->draft.routed = 1;
		if (way->result == ROUTE_LOOP)
			route_sourceless(p, way, set);
		if (way->result == ROUTE_LOCAL)
			return kernel(p, VERDICT_LOCAL);
	}
	r = rule_match(p, traffic, way, 0);
	if (p->cpu->draft.routed && way->result == ROUTE_NONE && !(r && (r->flags & (RULE_DNAT | RULE_DST_NET))))
		return kernel(p, VERDICT_LOCAL);
	return r ? nat_by(p, r, NULL, set) : kernel(p, VERDICT_NO_RULE);
}

/* A packet without a flow, stage 1: what becomes of it. NEXT: draft says where to (out.dst) and by which pool. */
DP enum stage decide(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);
	const struct addr_info *info;

	if (p->m->flags & PKT_LATER)	/* its session has gone in between */
		return drop(p, VERDICT_FRAGMENT);
	if (!set)
		return drop(p, VERDICT_INTERNAL);
	draft_begin(p, set);
	if (is_kernels_v4(p->m->key.src.word[3], p->m->key.dst.word[3]))
		return kernel(p, VERDICT_MULTICAST);
	if (!(p->m->flags & PKT_FROM_BOX) && !(p->port->flags & PORT_TRUSTED) && addr_find(p, &p->m->key.src))
		return drop(p, VERDICT_SPOOFED);
	if (is_expected(p))
		return kernel(p, VERDICT_RULE_KERNEL);
	info = addr_find(p, &p->m->key.dst);
	if (!info && is_kernels_answer(p, set))
		return leave_to_kernel(p);
	return info ? nat_to_known(p, info, set) : nat_outbound(p, set);
}

/* Then: translate, route, insert. NEXT: it has a session now. */
DP enum stage establish(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);

	if (!set)
		return drop(p, VERDICT_INTERNAL);
	if (translate(p) == DONE)
		return DONE;
	if (route(p, set) == DONE)
		return DONE;
	return insert(p, set);
}

#endif
