/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * track.h - state and time of sessions.
 *
 * TCP state is what the flags seen by both directions add up to. A session lives while
 * either direction has been seen within its time-out; each flow carries the time-out, so
 * a look-up alone can tell that it is over, with the daemon dead too.
 */
#ifndef NATVI_DP_TRACK_H
#define NATVI_DP_TRACK_H

#include "table.h"

DP void tuple_reverse(struct tuple *to, const struct tuple *from)
{
	to->src = from->dst;
	to->dst = from->src;
	to->sport = from->dport;
	to->dport = from->sport;
	to->proto = from->proto;
	to->zone = from->zone;
	to->pad = 0;
}

/* Key of the other direction. */
DP void flow_peer_key(struct tuple *to, const struct flow *f, __u16 peer_zone)
{
	to->src = f->new_dst;
	to->dst = f->new_src;
	to->sport = f->new_dport;
	to->dport = f->new_sport;
	to->proto = f->key.proto;
	to->zone = peer_zone;
	to->pad = 0;
}

DP bool flow_fresh(const struct flow *f, __u32 now_s)
{
	return (__s32)(now_s - f->last_seen_s) <= (__s32)f->idle_s;
}

/* FIN both ways, or a RST: nothing but stragglers is left (RFC 7857, 2.3: translated for a while). */
DP bool tcp_closing(__u8 a, __u8 b)
{
	return ((a | b) & SEEN_RST) || (a & b & SEEN_FIN);
}

/*
 * RFC 7857 section 2.1: established from the other side's SYN on (or acknowledgements of both, for one met
 * half-way). After its time an established connection is transitory, and ends when that time is over, too; any
 * packet before has it established again, so both are one time-out.
 */
DP __u16 tcp_idle_s(const struct settings *set, __u8 a, __u8 b)
{
	__u32 both_s = (__u32)set->tcp_established_s + set->tcp_closing_s;

	if (tcp_closing(a, b))
		return set->tcp_closing_s;
	if (!(a & b & (SEEN_SYN | SEEN_ACK)))
		return set->tcp_opening_s;
	return both_s < 0xffff ? both_s : 0xffff;
}

DP __u16 first_idle_s(const struct settings *set, __u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return set->tcp_opening_s;
	case IPPROTO_UDP:
		return set->udp_idle_s;
	case IPPROTO_ICMP:
		return set->icmp_idle_s;
	default:
		return set->other_idle_s;
	}
}

/* Would this packet change what f has seen? The hot path's only TCP question. */
DP bool tcp_news(const struct pkt *p, const struct flow *f)
{
	return (p->m->tcp_flags & (SEEN_SYN | SEEN_FIN | SEEN_RST)) || (p->m->tcp_flags & ~f->tcp_seen);
}

/*
 * The state machine of RFC 7857 section 2.1 on what both directions have seen. seen: f's, with this packet's
 * flags to come. A RST clears both sides' ACK, so that data that comes after it is news again: a connection that
 * goes on talking was not reset, whatever the RST said.
 */
DP __u8 tcp_next(struct pkt *p, struct flow *f, struct flow *peer)
{
	__u8 flags = p->m->tcp_flags, seen = f->tcp_seen;

	if ((flags & (SEEN_SYN | SEEN_ACK | SEEN_RST)) == SEEN_SYN && tcp_closing(seen, peer->tcp_seen)) {
		peer->tcp_seen = 0;	/* the same ports for a new connection */
		return flags;
	}
	if (flags & SEEN_RST) {
		if ((seen | peer->tcp_seen) & SEEN_RST)	/* RFC 7857 section 7.1: errors alone keep nothing alive */
			p->m->flags |= PKT_NO_REFRESH;
		peer->tcp_seen &= ~SEEN_ACK;
		return (seen | SEEN_RST) & ~SEEN_ACK;
	}
	if ((seen | peer->tcp_seen) & SEEN_RST) {
		if (!p->m->tcp_data)
			return seen;
		peer->tcp_seen &= ~SEEN_RST;
		seen &= ~SEEN_RST;
	}
	return seen | flags;
}

/* f sees flags that change the connection's state: both directions get the new time-out. */
DP void tcp_track(struct pkt *p, struct flow *f, __u16 peer_zone)
{
	const struct settings *set = env_settings(p->control->active);
	struct flow *peer;
	struct bucket *b;
	__s64 handle;
	__u32 slot;

	flow_peer_key(&p->cpu->draft.reply, f, peer_zone);
	handle = table_find(&p->cpu->draft.reply);
	b = handle < 0 ? NULL : handle_bucket(handle, &slot);
	if (!b || !set)
		return;
	peer = bucket_flow(b, slot);
	p->m->peer_mtu = peer->mtu;
	f->tcp_seen = tcp_next(p, f, peer);
	f->idle_s = tcp_idle_s(set, f->tcp_seen, peer->tcp_seen);
	peer->idle_s = f->idle_s;
}

#endif
