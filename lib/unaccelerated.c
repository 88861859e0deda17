/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * unaccelerated.c - see unaccelerated.h. The conditions are those of bpf/env_ct.h and dp/accel.h.
 */
#include "lib/unaccelerated.h"

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <netinet/in.h>

#include "lib/addr.h"

static const struct {
	const char *name, *text;
} reasons[] = {
#define X(e, n, t) [UNACCELERATED_##e] = { n, t },
	NATVI_UNACCELERATED(X)
#undef X
};

const char *unaccelerated_name(unsigned int reason)
{
	return reason < UNACCELERATED_COUNT ? reasons[reason].name : "unknown";
}

const char *unaccelerated_text(unsigned int reason)
{
	return reason < UNACCELERATED_COUNT ? reasons[reason].text : "not in this version's list";
}

/* Addresses of the box */

static bool is_own(const union addr *addr, const struct accel_view *view)
{
	static const union addr loopback6 = { .byte[15] = 1 };

	if (addr_is4(addr) ? addr_to4(addr) >> 24 == 127 : addr_equal(addr, &loopback6))
		return true;
	for (size_t i = 0; i < view->n_own; i++)
		if (addr_equal(addr, &view->own[i]))
			return true;
	return false;
}

/* Who sends its packets, and who finally answers. */
bool accel_is_local(const struct ct_entry *ct, const struct accel_view *view)
{
	return is_own(&ct->orig.src, view) || is_own(&ct->reply.src, view);
}

/* Exclusions */

static bool within(__be16 port, uint16_t lo, uint16_t hi)
{
	return ntohs(port) >= lo && ntohs(port) <= hi;
}

static bool names_ways(const struct rule *r, const struct accel_facts *facts)
{
	return (!r->in_ifindex || r->in_ifindex == facts->in_ifindex) && (!r->out_ifindex || r->out_ifindex == facts->out_ifindex) &&
	       (r->in_zone == ZONE_ANY || r->in_zone == facts->in_zone) && (r->out_zone == ZONE_ANY || r->out_zone == facts->out_zone);
}

/* The destination is the one of the first packet as it came in. */
static bool names(const struct rule *r, const struct ct_entry *ct, const struct accel_facts *facts)
{
	const struct tuple *t = &ct->orig;

	return !r->dscp && !((ct->mark ^ r->mark) & r->mark_mask) && (!r->proto || r->proto == t->proto) &&
	       within(t->sport, r->sport_lo, r->sport_hi) && within(t->dport, r->dport_lo, r->dport_hi) &&
	       addr_in_prefix(&t->src, &r->src, r->src_len) && addr_in_prefix(&t->dst, &r->dst, r->dst_len) && names_ways(r, facts);
}

static bool is_excluded(const struct ct_entry *ct, const struct accel_view *view, const struct accel_facts *facts)
{
	for (size_t i = 0; i < view->n_excludes; i++)
		if ((view->excludes[i].traffic & RULE_EXCLUDE) && names(&view->excludes[i], ct, facts))
			return true;
	return false;
}

/* IPsec */

static bool selects(const struct accel_policy *p, const struct tuple *t)
{
	return p->v4 == addr_is4(&t->src) && (!p->proto || p->proto == t->proto) && !((t->sport ^ p->sport) & p->sport_mask) &&
	       !((t->dport ^ p->dport) & p->dport_mask) && addr_in_prefix(&t->src, &p->src, p->src_len) &&
	       addr_in_prefix(&t->dst, &p->dst, p->dst_len);
}

/* In one direction: as its packets leave, and as they pass, between the kernel's translation of destination and source. */
static bool has_policy(const struct tuple *in, const struct tuple *answer, const struct accel_view *view)
{
	struct tuple out = { .src = answer->dst, .dst = answer->src, .sport = answer->dport, .dport = answer->sport, .proto = in->proto };
	struct tuple passing = out;

	passing.src = in->src;
	passing.sport = in->sport;
	for (size_t i = 0; i < view->n_policies; i++)
		if (selects(&view->policies[i], &out) || selects(&view->policies[i], &passing))
			return true;
	return false;
}

/* Conntrack's word on it */

static bool is_steady(const struct ct_entry *ct)
{
	const uint32_t wanted = IPS_CONFIRMED | IPS_ASSURED | IPS_SEEN_REPLY;

	return (ct->status & wanted) == wanted && (ct->orig.proto != IPPROTO_TCP || ct->tcp_state == TCP_CONNTRACK_ESTABLISHED);
}

static bool is_closing(const struct ct_entry *ct)
{
	return ct->orig.proto == IPPROTO_TCP && ct->tcp_state >= TCP_CONNTRACK_FIN_WAIT && ct->tcp_state <= TCP_CONNTRACK_CLOSE;
}

enum unaccelerated unaccelerated_reason(const struct ct_entry *ct, const struct accel_view *view, const struct accel_facts *facts)
{
	if (ct->orig.proto != IPPROTO_TCP && ct->orig.proto != IPPROTO_UDP)
		return UNACCELERATED_PROTO;
	if (accel_is_local(ct, view))
		return UNACCELERATED_LOCAL;
	if (facts->own_session)
		return UNACCELERATED_OWN;
	if (is_closing(ct))
		return UNACCELERATED_CLOSING;
	if (!is_steady(ct))
		return UNACCELERATED_NOT_ASSURED;
	if (*ct->helper)
		return UNACCELERATED_HELPER;
	if (ct->status & IPS_SEQ_ADJUST)
		return UNACCELERATED_SEQUENCE;
	if (ct->status & IPS_OFFLOAD)
		return UNACCELERATED_OFFLOADED;
	if (is_excluded(ct, view, facts))
		return UNACCELERATED_EXCLUDED;
	if (has_policy(&ct->orig, &ct->reply, view) || has_policy(&ct->reply, &ct->orig, view))
		return UNACCELERATED_XFRM;
	if (ct->orig.proto == IPPROTO_TCP && !ct->liberal)
		return UNACCELERATED_NOT_LIBERAL;
	if (facts->left & LEFT_CUT)
		return UNACCELERATED_FRAGMENT;
	if (facts->left & LEFT_ALTERED)
		return UNACCELERATED_ALTERED;
	return UNACCELERATED_IDLE;
}
