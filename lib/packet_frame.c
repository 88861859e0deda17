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
#define IP6_BYTES	40
#define TYPE_IP		0x0800
#define TYPE_IP6	0x86dd
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

bool packet_icmp6_type(uint8_t icmp_type, uint8_t *type)
{
	*type = icmp_type == 8 ? 128 : 129;
	return icmp_type == 8 || icmp_type == 0;
}

union addr packet_src(const struct packet_ends *ends)
{
	return ends->v6 ? ends->src6 : addr_from4(ends->src);
}

union addr packet_dst(const struct packet_ends *ends)
{
	return ends->v6 ? ends->dst6 : addr_from4(ends->dst);
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

static void put_ip6(uint8_t *ip, const struct packet *p)
{
	ip[0] = 0x60 | p->dscp >> 2;
	ip[1] = p->dscp << 6;
	put16(ip + 4, p->len - IP6_BYTES);
	ip[6] = p->ends.proto;
	ip[7] = p->ttl;
	memcpy(ip + 8, &p->ends.src6, 16);
	memcpy(ip + 24, &p->ends.dst6, 16);
}

/* The L4 checksum at offset check of the len bytes at l4. */
static void finish(uint8_t *l4, size_t len, size_t check, const uint8_t *ip)
{
	bool v6 = ip[0] >> 4 == 6;
	uint8_t proto = v6 ? ip[6] : ip[9];
	uint32_t pseudo = v6 ? sum(ip + 8, 32, proto + len) : proto == IPPROTO_ICMP ? 0 : sum(ip + 12, 8, proto + len);
	uint16_t c = fold(sum(l4, len, pseudo));

	put16(l4 + check, !c && proto == IPPROTO_UDP ? 0xffff : c);
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
	case IPPROTO_ICMPV6:
		put_icmp(p, l4);
		finish(l4, len, 2, ip);
		break;
	default:
		break;
	}
}

static void put_ip4(uint8_t *ip, const struct packet *p)
{
	ip[1] = p->dscp << 2;
	put16(ip + 4, p->id);
	put16(ip + 6, p->df ? IP_DF : 0);
	put_ip(ip, &p->ends, p->len);
	ip[8] = p->ttl;
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum(ip, IP_BYTES, 0)));
}

size_t packet_build(const struct packet *p, uint8_t *to)
{
	size_t head = !p->l2 ? 0 : ETH_BYTES + (p->has_vlan ? 4 : 0) + (p->has_inner ? 4 : 0), ip_bytes = p->ends.v6 ? IP6_BYTES : IP_BYTES;
	uint8_t *ip = to + head;

	memset(to, 0, head + p->len);
	if (p->l2) {
		memcpy(to, p->dmac, 6);
		memcpy(to + 6, p->smac, 6);
		put16(to + head - 2, p->ends.v6 ? TYPE_IP6 : TYPE_IP);
	}
	if (p->l2 && p->has_vlan) {
		put16(to + 12, p->has_inner ? TYPE_QINQ : TYPE_VLAN);
		put16(to + 14, p->vlan);
	}
	if (p->l2 && p->has_inner) {
		put16(to + 16, TYPE_VLAN);
		put16(to + 18, p->inner);
	}
	if (p->ends.v6)
		put_ip6(ip, p);
	else
		put_ip4(ip, p);
	put_l4(p, ip + ip_bytes, p->len - ip_bytes, ip);
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

/* Extension headers are a protocol like another. */
static bool read_ip6(const uint8_t *ip, size_t len, struct packet *p)
{
	if (len < IP6_BYTES || ip[0] >> 4 != 6)
		return false;
	p->ends.v6 = true;
	p->dscp = (ip[0] & 15) << 2 | ip[1] >> 6;
	p->len = get16(ip + 4) + IP6_BYTES;
	p->ends.proto = ip[6];
	p->ttl = ip[7];
	memcpy(&p->ends.src6, ip + 8, 16);
	memcpy(&p->ends.dst6, ip + 24, 16);
	if (p->ends.proto != IPPROTO_ICMPV6)
		return p->ends.proto == IPPROTO_ICMP || read_l4(ip + IP6_BYTES, len - IP6_BYTES, p);
	if (len < IP6_BYTES + 8)
		return false;
	p->icmp_type = ip[IP6_BYTES];
	p->icmp_code = ip[IP6_BYTES + 1];
	if (p->icmp_type == 128 || p->icmp_type == 129) {
		p->ends.sport = p->ends.dport = get16(ip + IP6_BYTES + 4);
		p->icmp_seq = get16(ip + IP6_BYTES + 6);
	}
	return true;
}

bool packet_read(const uint8_t *frame, size_t len, bool l2, struct packet *out)
{
	size_t at = ETH_BYTES;
	uint16_t type;

	memset(out, 0, sizeof(*out));
	out->l2 = l2;
	if (!l2)
		return len && frame[0] >> 4 == 6 ? read_ip6(frame, len, out) : read_ip(frame, len, out);
	if (len < ETH_BYTES)
		return false;
	memcpy(out->dmac, frame, 6);
	memcpy(out->smac, frame + 6, 6);
	type = get16(frame + 12);
	for (int tags = 0; (type == TYPE_VLAN || type == TYPE_QINQ) && tags < 2; tags++, at += 4) {
		if (len < at + 4)
			return false;
		out->has_inner = out->has_vlan;
		*(out->has_vlan ? &out->inner : &out->vlan) = get16(frame + at) & 0xfff;
		out->has_vlan = true;
		type = get16(frame + at + 2);
	}
	return type == TYPE_IP6 ? read_ip6(frame + at, len - at, out) : type == TYPE_IP && read_ip(frame + at, len - at, out);
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

	union addr from = packet_src(e), to = packet_dst(e);

	addr_print(&from, src);
	addr_print(&to, dst);
	if (e->v6 && ports && packet_has_ports(e->proto))
		return snprintf(buf, room, "[%s]:%u > [%s]:%u", src, e->sport, dst, e->dport);
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
	if (p->ends.proto == IPPROTO_ICMPV6 && (p->icmp_type == 128 || p->icmp_type == 129))
		at += snprintf(buf + at, PACKET_TEXT_LEN - at, "%s id %u ", p->icmp_type == 128 ? "echo" : "echo-reply", p->ends.sport);
	else if (p->ends.proto == IPPROTO_ICMPV6)
		at += snprintf(buf + at, PACKET_TEXT_LEN - at, "type %u code %u ", p->icmp_type, p->icmp_code);
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
