/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * packet_frame.c - packets in words to frames and back. See packet.h.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/addr.h"
#include "lib/packet.h"

#define ETH_BYTES	14
#define IP_BYTES	20
#define TYPE_IP		0x0800
#define TYPE_VLAN	0x8100
#define TYPE_QINQ	0x88a8
#define IP_DF		0x4000
#define IP_MORE		0x2000
#define IP_OFFSET	0x1fff
#define WINDOW		64240

static const struct {
	const char *name;
	uint8_t flag;
} flags[] = { { "fin", 0x01 }, { "syn", 0x02 }, { "rst", 0x04 }, { "psh", 0x08 }, { "ack", 0x10 }, { "urg", 0x20 } };

static const struct {
	const char *name;
	uint8_t type, code;
	bool any;		/* any code is called so, unless another line names it */
} kinds[] = {
	{ "echo", 8, 0, true }, { "echo-request", 8, 0, false }, { "ping", 8, 0, false }, { "echo-reply", 0, 0, true }, { "reply", 0, 0, false },
	{ "timestamp", 13, 0, true }, { "timestamp-reply", 14, 0, true },
	{ "net-unreachable", 3, 0, false }, { "host-unreachable", 3, 1, false }, { "port-unreachable", 3, 3, false },
	{ "frag-needed", 3, 4, false }, { "admin-prohibited", 3, 13, false }, { "unreachable", 3, 1, false },
	{ "time-exceeded", 11, 0, false }, { "parameter-problem", 12, 0, false },
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

bool packet_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

bool packet_icmp_is_query(uint8_t type)
{
	return type == 8 || type == 0 || type == 13 || type == 14;
}

bool packet_icmp_is_error(uint8_t type)
{
	return type == 3 || type == 4 || type == 11 || type == 12;
}

bool packet_flag_named(const char *word, uint8_t *flag)
{
	for (size_t i = 0; i < COUNT(flags); i++)
		if (!strcasecmp(flags[i].name, word)) {
			*flag = flags[i].flag;
			return true;
		}
	return false;
}

bool packet_icmp_named(const char *word, uint8_t *type, uint8_t *code)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (!strcasecmp(kinds[i].name, word)) {
			*type = kinds[i].type;
			*code = kinds[i].code;
			return true;
		}
	return false;
}

static void put16(uint8_t *to, uint16_t n)
{
	to[0] = n >> 8;
	to[1] = n;
}

static void put32(uint8_t *to, uint32_t n)
{
	put16(to, n >> 16);
	put16(to + 2, n);
}

static uint16_t get16(const uint8_t *from)
{
	return from[0] << 8 | from[1];
}

static uint32_t get32(const uint8_t *from)
{
	return (uint32_t)get16(from) << 16 | get16(from + 2);
}

static uint32_t sum(const uint8_t *bytes, size_t n, uint32_t start)
{
	for (size_t i = 0; i < n; i++)
		start += i & 1 ? bytes[i] : bytes[i] << 8;
	return start;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s;
}

static void put_ip(uint8_t *ip, const struct packet_ends *ends, uint32_t len)
{
	ip[0] = 0x45;
	put16(ip + 2, len);
	ip[8] = 64;
	ip[9] = ends->proto;
	put32(ip + 12, ends->src);
	put32(ip + 16, ends->dst);
	put16(ip + 10, fold(sum(ip, IP_BYTES, 0)));
}

/* The L4 checksum at offset check of the len bytes at l4. */
static void finish(uint8_t *l4, size_t len, size_t check, const uint8_t *ip)
{
	uint32_t pseudo = ip[9] == IPPROTO_ICMP ? 0 : sum(ip + 12, 8, ip[9] + len);
	uint16_t c = fold(sum(l4, len, pseudo));

	put16(l4 + check, !c && ip[9] == IPPROTO_UDP ? 0xffff : c);
}

static void put_icmp(const struct packet *p, uint8_t *l4)
{
	l4[0] = p->icmp_type;
	l4[1] = p->icmp_code;
	if (!p->about.proto) {
		put16(l4 + 4, p->ends.sport);
		put16(l4 + 6, p->icmp_seq);
		return;
	}
	put16(l4 + 6, p->icmp_mtu);
	put_ip(l4 + 8, &p->about, IP_BYTES + 8);
	if (packet_has_ports(p->about.proto)) {
		put16(l4 + 28, p->about.sport);
		put16(l4 + 30, p->about.dport);
	} else if (p->about.proto == IPPROTO_ICMP) {
		l4[28] = 8;
		put16(l4 + 32, p->about.sport);
	}
	if (p->about.proto == IPPROTO_UDP)
		put16(l4 + 32, 8);
}

static void put_l4(const struct packet *p, uint8_t *l4, size_t len, const uint8_t *ip)
{
	switch (p->ends.proto) {
	case IPPROTO_TCP:
		put16(l4, p->ends.sport);
		put16(l4 + 2, p->ends.dport);
		l4[12] = 5 << 4;
		l4[13] = p->tcp_flags;
		put16(l4 + 14, WINDOW);
		finish(l4, len, 16, ip);
		break;
	case IPPROTO_UDP:
		put16(l4, p->ends.sport);
		put16(l4 + 2, p->ends.dport);
		put16(l4 + 4, len);
		finish(l4, len, 6, ip);
		break;
	case IPPROTO_ICMP:
		put_icmp(p, l4);
		finish(l4, len, 2, ip);
		break;
	default:
		break;
	}
}

size_t packet_build(const struct packet *p, uint8_t *to)
{
	size_t head = !p->l2 ? 0 : p->has_vlan ? PACKET_L2_BYTES : ETH_BYTES;
	uint8_t *ip = to + head;

	memset(to, 0, head + p->len);
	if (p->l2) {
		memcpy(to, p->dmac, 6);
		memcpy(to + 6, p->smac, 6);
		put16(to + head - 2, TYPE_IP);
	}
	if (p->l2 && p->has_vlan) {
		put16(to + 12, TYPE_VLAN);
		put16(to + 14, p->vlan);
	}
	ip[1] = p->dscp << 2;
	put16(ip + 4, p->id);
	put16(ip + 6, p->df ? IP_DF : 0);
	put_ip(ip, &p->ends, p->len);
	ip[8] = p->ttl;
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum(ip, IP_BYTES, 0)));
	put_l4(p, ip + IP_BYTES, p->len - IP_BYTES, ip);
	return head + p->len;
}

/* What is quoted in an ICMP error, as far as it is there. */
static void read_about(const uint8_t *ip, size_t len, struct packet_ends *to)
{
	size_t head = len >= IP_BYTES ? (ip[0] & 15) * 4 : 0;

	if (len < IP_BYTES || ip[0] >> 4 != 4 || head < IP_BYTES || len < head + 8)
		return;
	to->proto = ip[9];
	to->src = get32(ip + 12);
	to->dst = get32(ip + 16);
	if (packet_has_ports(to->proto)) {
		to->sport = get16(ip + head);
		to->dport = get16(ip + head + 2);
	} else if (to->proto == IPPROTO_ICMP) {
		to->sport = to->dport = get16(ip + head + 4);
	}
}

static bool read_l4(const uint8_t *l4, size_t len, struct packet *p)
{
	switch (p->ends.proto) {
	case IPPROTO_TCP:
		if (len < 20)
			return false;
		p->tcp_flags = l4[13] & 0x3f;
		break;
	case IPPROTO_UDP:
		if (len < 8)
			return false;
		break;
	case IPPROTO_ICMP:
		if (len < 8)
			return false;
		p->icmp_type = l4[0];
		p->icmp_code = l4[1];
		if (packet_icmp_is_query(p->icmp_type))
			p->ends.sport = p->ends.dport = get16(l4 + 4);
		if (packet_icmp_is_query(p->icmp_type))
			p->icmp_seq = get16(l4 + 6);
		else
			p->icmp_mtu = p->icmp_type == 3 && p->icmp_code == 4 ? get16(l4 + 6) : 0;
		if (packet_icmp_is_error(p->icmp_type))
			read_about(l4 + 8, len - 8, &p->about);
		return true;
	default:
		return true;
	}
	p->ends.sport = get16(l4);
	p->ends.dport = get16(l4 + 2);
	return true;
}

static bool read_ip(const uint8_t *ip, size_t len, struct packet *p)
{
	size_t head = len >= IP_BYTES ? (ip[0] & 15) * 4 : 0;
	uint16_t frag;

	if (len < IP_BYTES || ip[0] >> 4 != 4 || head < IP_BYTES || len < head)
		return false;
	frag = get16(ip + 6);
	p->dscp = ip[1] >> 2;
	p->len = get16(ip + 2);
	p->id = get16(ip + 4);
	p->df = frag & IP_DF;
	p->more = frag & IP_MORE;
	p->fragment_at = (frag & IP_OFFSET) * 8;
	p->ttl = ip[8];
	p->ends.proto = ip[9];
	p->ends.src = get32(ip + 12);
	p->ends.dst = get32(ip + 16);
	return p->fragment_at || read_l4(ip + head, len - head, p);
}

bool packet_read(const uint8_t *frame, size_t len, bool l2, struct packet *out)
{
	size_t at = ETH_BYTES;
	uint16_t type;

	memset(out, 0, sizeof(*out));
	out->l2 = l2;
	if (!l2)
		return read_ip(frame, len, out);
	if (len < ETH_BYTES)
		return false;
	memcpy(out->dmac, frame, 6);
	memcpy(out->smac, frame + 6, 6);
	type = get16(frame + 12);
	for (int tags = 0; (type == TYPE_VLAN || type == TYPE_QINQ) && tags < 2; tags++, at += 4) {
		if (len < at + 4)
			return false;
		if (!out->has_vlan)
			out->vlan = get16(frame + at) & 0xfff;
		out->has_vlan = true;
		type = get16(frame + at + 2);
	}
	return type == TYPE_IP && read_ip(frame + at, len - at, out);
}

const char *packet_flags_text(uint8_t tcp_flags, char buf[48])
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < COUNT(flags); i++)
		if (tcp_flags & flags[i].flag)
			at += snprintf(buf + at, 48 - at, "%s%s", at ? " " : "", flags[i].name);
	return at ? buf : "no flags";
}

const char *packet_icmp_text(uint8_t type, uint8_t code, char buf[32])
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (kinds[i].type == type && (kinds[i].code == code || kinds[i].any))
			return kinds[i].name;
	snprintf(buf, 32, "type %u code %u", type, code);
	return buf;
}

/* "A:PORT > B:PORT", or without ports. */
static int ends_text(const struct packet_ends *e, bool ports, char *buf, size_t room)
{
	char src[ADDR_TEXT_LEN], dst[ADDR_TEXT_LEN];

	addr_print4(e->src, src);
	addr_print4(e->dst, dst);
	if (ports && packet_has_ports(e->proto))
		return snprintf(buf, room, "%s:%u > %s:%u", src, e->sport, dst, e->dport);
	return snprintf(buf, room, "%s > %s", src, dst);
}

const char *packet_text(const struct packet *p, char buf[PACKET_TEXT_LEN])
{
	bool icmp = p->ends.proto == IPPROTO_ICMP && !p->fragment_at;
	char proto[PROTO_TEXT_LEN], kind[32], tcp[48];
	size_t at;

	at = snprintf(buf, PACKET_TEXT_LEN, "%s ", addr_print_proto(p->ends.proto, proto));
	if (icmp)
		at += snprintf(buf + at, PACKET_TEXT_LEN - at, "%s ", packet_icmp_text(p->icmp_type, p->icmp_code, kind));
	if (icmp && packet_icmp_is_query(p->icmp_type))
		at += snprintf(buf + at, PACKET_TEXT_LEN - at, "id %u ", p->ends.sport);
	at += ends_text(&p->ends, !p->fragment_at, buf + at, PACKET_TEXT_LEN - at);
	if (p->ends.proto == IPPROTO_TCP && !p->fragment_at)
		at += snprintf(buf + at, PACKET_TEXT_LEN - at, " %s", packet_flags_text(p->tcp_flags, tcp));
	if (p->fragment_at || p->more)
		at += snprintf(buf + at, PACKET_TEXT_LEN - at, ", fragment at %u%s", p->fragment_at, p->more ? ", more follow" : "");
	if (p->about.proto) {
		at += snprintf(buf + at, PACKET_TEXT_LEN - at, " about %s ", addr_print_proto(p->about.proto, proto));
		ends_text(&p->about, true, buf + at, PACKET_TEXT_LEN - at);
	}
	return buf;
}
