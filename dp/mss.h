/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * mss.h - TCP's maximum segment size, held to what fits (RFC 879; RFC 4459 section 3.2).
 *
 * A port's setting holds for connections through it in both directions: SYN and SYN-ACK are
 * looked at, a larger option is made smaller, a missing one stays missing.
 */
#ifndef NATVI_DP_MSS_H
#define NATVI_DP_MSS_H

#include "csum.h"
#include "port.h"

#define MSS_HEADERS	40u	/* IPv4 and TCP without options */
#define TCP_OPTIONS_MAX	40u

DP __u32 mss_of_port(const struct port *port, __u32 mtu)
{
	if (port->mss != MSS_AUTO)
		return port->mss;
	return mtu > MSS_HEADERS ? mtu - MSS_HEADERS : 0;
}

/* What the ports that p passes say; 0: nothing. */
DP void mss_find(struct pkt *p, const struct flow *f)
{
	const struct port *out;
	__u32 in_mss, out_mss, mtu;

	if (!(p->m->tcp_flags & SEEN_SYN) || p->m->tcp_head <= sizeof(struct tcphdr))
		return;
	out = port_lookup(f->oif, 0);
	if (!out)
		return;
	mtu = p->port->mtu;
	if (f->mtu && f->mtu < mtu)
		mtu = f->mtu;
	if (p->m->peer_mtu && p->m->peer_mtu < mtu)	/* what the option asks for goes that way */
		mtu = p->m->peer_mtu;
	in_mss = mss_of_port(p->port, mtu);
	out_mss = mss_of_port(out, mtu);
	p->m->mss = in_mss && (!out_mss || in_mss < out_mss) ? in_mss : out_mss;
}

/* Offset of the MSS option's value among len bytes of TCP options in cpu->quote; 0: there is none. */
ENV_GLOBAL int mss_option(const struct cpu *cpu, __u32 len)
{
	__u32 i = 0;

	if (!cpu)
		return 0;
	for (__u32 n = 0; n < TCP_OPTIONS_MAX; n++) {
		__u32 kind, size;

		OPAQUE(i);
		i &= 63;
		kind = cpu->quote[i];
		size = cpu->quote[i + 1];
		if (i + 4 > len || kind == 0)
			return 0;
		if (kind == 2)
			return size == 4 ? (int)i + 2 : 0;
		if (kind != 1 && size < 2)
			return 0;
		i += kind == 1 ? 1 : size;
		if (i > len)
			return 0;
	}
	return 0;
}

/* Make the option smaller if it is larger than p->m->mss. False: the packet is not what it seemed. Moves the packet. */
DP bool mss_clamp(struct pkt *p)
{
	__u32 len, at;
	__u16 was, now;
	__u16 delta;

	if (likely(!p->m->mss))
		return true;
	len = p->m->tcp_head - (__u32)sizeof(struct tcphdr);
	OPAQUE(len);
	if (len < 1 || len > TCP_OPTIONS_MAX)
		return true;
	if (env_load(p, p->m->l4 + sizeof(struct tcphdr), p->cpu->quote, len))
		return false;
	at = mss_option(p->cpu, len);
	if (!at || at > TCP_OPTIONS_MAX)
		return true;
	OPAQUE(at);
	at &= 63;
	was = (__u16)(p->cpu->quote[at] << 8 | p->cpu->quote[at + 1]);
	if (was <= p->m->mss)
		return true;
	now = __builtin_bswap16(p->m->mss);
	delta = csum_delta16(__builtin_bswap16(was), now);
	if (at & 1)	/* astride two words of the checksum */
		delta = __builtin_bswap16(delta);
	return !env_store(p, p->m->l4 + sizeof(struct tcphdr) + at, &now, sizeof(now)) &&
	       env_l4_csum(p, p->m->l4 + 16, 0, delta, false);
}

#endif
