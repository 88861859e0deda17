/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * addr.c - see addr.h. inet_pton() reads addresses: unlike inet_aton() it knows neither octal nor
 * short forms, so what is read is what a person sees.
 */
#include "lib/addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Only names that a NAT's operator meets; the rest are numbers. First of a number is the one printed. */
static const struct {
	const char *name;
	uint8_t proto;
} addr_protos[] = {
	{ "icmp", 1 }, { "igmp", 2 }, { "ipip", 4 }, { "tcp", 6 }, { "udp", 17 }, { "dccp", 33 },
	{ "ipv6", 41 }, { "gre", 47 }, { "esp", 50 }, { "ah", 51 }, { "icmpv6", 58 }, { "ospf", 89 },
	{ "pim", 103 }, { "vrrp", 112 }, { "l2tp", 115 }, { "sctp", 132 }, { "udplite", 136 },
};
#define N_PROTOS	(sizeof(addr_protos) / sizeof(addr_protos[0]))

/* Classes of RFC 2474, 2597, 3246, 5865, 8622. */
static const struct {
	const char *name;
	uint8_t dscp;
} addr_dscps[] = {
	{ "cs0", 0 }, { "cs1", 8 }, { "cs2", 16 }, { "cs3", 24 }, { "cs4", 32 }, { "cs5", 40 }, { "cs6", 48 }, { "cs7", 56 },
	{ "af11", 10 }, { "af12", 12 }, { "af13", 14 }, { "af21", 18 }, { "af22", 20 }, { "af23", 22 },
	{ "af31", 26 }, { "af32", 28 }, { "af33", 30 }, { "af41", 34 }, { "af42", 36 }, { "af43", 38 },
	{ "ef", 46 }, { "va", 44 }, { "le", 1 },
};
#define N_DSCPS	(sizeof(addr_dscps) / sizeof(addr_dscps[0]))

/* Decimal digits only, no leading zero, at most max. */
static int number_parse(const char *text, unsigned long max, unsigned long *out)
{
	unsigned long value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (value <= max)
			value = value * 10 + (unsigned long)(*p - '0');
	if (*p || p == text || (*text == '0' && p - text > 1))
		return -EINVAL;
	if (value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

/* Copy what stands before the separator; returns what stands behind it, or NULL without one or when it is too long. */
static const char *split_at(const char *text, char separator, char *head, size_t head_len)
{
	const char *at = strchr(text, separator);

	if (!at || (size_t)(at - text) >= head_len)
		return NULL;
	memcpy(head, text, (size_t)(at - text));
	head[at - text] = '\0';
	return at + 1;
}

int addr_parse4(const char *text, uint32_t *addr)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		return -EINVAL;
	*addr = ntohl(in.s_addr);
	return 0;
}

int addr_parse_prefix4(const char *text, uint32_t *addr, uint8_t *len)
{
	char head[ADDR_TEXT_LEN];
	const char *tail = split_at(text, '/', head, sizeof(head));
	unsigned long bits = 32;
	uint32_t value;
	int err = addr_parse4(tail ? head : text, &value);

	if (!err && tail)
		err = number_parse(tail, 32, &bits);
	if (err)
		return err;
	*len = (uint8_t)bits;
	*addr = value & addr_mask4(*len);
	return *addr == value ? 0 : -EDOM;
}

int addr_parse_range4(const char *text, uint32_t *lo, uint32_t *hi)
{
	char head[ADDR_TEXT_LEN];
	const char *tail = split_at(text, '-', head, sizeof(head));
	uint32_t first, last;
	uint8_t len;
	int err;

	if (!tail) {
		err = addr_parse_prefix4(text, &first, &len);
		if (err && err != -EDOM)
			return err;
		*lo = first;
		*hi = first | ~addr_mask4(len);
		return err;
	}
	if (addr_parse4(head, &first) || addr_parse4(tail, &last))
		return -EINVAL;
	if (first > last)
		return -ERANGE;
	*lo = first;
	*hi = last;
	return 0;
}

int addr_parse(const char *text, union addr *addr)
{
	union addr in6;
	uint32_t in4;

	if (!addr_parse4(text, &in4)) {
		*addr = addr_from4(in4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &in6) != 1)
		return -EINVAL;
	*addr = in6;
	return 0;
}

int addr_parse_prefix(const char *text, union addr *addr, uint8_t *len)
{
	char head[ADDR_TEXT_LEN];
	const char *tail = split_at(text, '/', head, sizeof(head));
	union addr whole, net;
	uint32_t in4;
	uint8_t len4;
	unsigned long bits = 128;
	int err = addr_parse_prefix4(text, &in4, &len4);

	if (!err || err == -EDOM) {
		*addr = addr_from4(in4);
		*len = (uint8_t)(96 + len4);
		return err;
	}
	if (err == -ERANGE || inet_pton(AF_INET6, tail ? head : text, &whole) != 1)
		return err;
	err = tail ? number_parse(tail, 128, &bits) : 0;
	if (err)
		return err;
	for (unsigned int i = 0; i < 16; i++) {
		int left = (int)bits - (int)i * 8;

		net.byte[i] = left >= 8 ? whole.byte[i] : left <= 0 ? 0 : whole.byte[i] & (uint8_t)(0xff00 >> left);
	}
	*addr = net;
	*len = (uint8_t)bits;
	return addr_equal(&net, &whole) ? 0 : -EDOM;
}

int addr_parse_port(const char *text, uint16_t *port)
{
	unsigned long value;
	int err = number_parse(text, 65535, &value);

	if (err)
		return err;
	*port = (uint16_t)value;
	return 0;
}

int addr_parse_ports(const char *text, uint16_t *lo, uint16_t *hi)
{
	char head[PORTS_TEXT_LEN];
	const char *tail = split_at(text, '-', head, sizeof(head));
	uint16_t first, last;
	int err = addr_parse_port(tail ? head : text, &first);

	if (err)
		return err;
	last = first;
	err = tail ? addr_parse_port(tail, &last) : 0;
	if (err)
		return err;
	if (first > last)
		return -ERANGE;
	*lo = first;
	*hi = last;
	return 0;
}

int addr_parse_proto(const char *text, uint8_t *proto)
{
	unsigned long value;
	int err;

	for (size_t i = 0; i < N_PROTOS; i++) {
		if (!strcasecmp(text, addr_protos[i].name)) {
			*proto = addr_protos[i].proto;
			return 0;
		}
	}
	err = number_parse(text, 255, &value);
	if (!err)
		*proto = (uint8_t)value;
	return err;
}

int addr_parse_dscp(const char *text, uint8_t *dscp)
{
	unsigned long value;
	int err;

	for (size_t i = 0; i < N_DSCPS; i++) {
		if (!strcasecmp(text, addr_dscps[i].name)) {
			*dscp = addr_dscps[i].dscp;
			return 0;
		}
	}
	err = number_parse(text, 63, &value);
	if (!err)
		*dscp = (uint8_t)value;
	return err;
}

char *addr_print4(uint32_t addr, char buf[ADDR_TEXT_LEN])
{
	snprintf(buf, ADDR_TEXT_LEN, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255);
	return buf;
}

char *addr_print_prefix4(uint32_t addr, uint8_t len, char buf[ADDR_TEXT_LEN])
{
	addr_print4(addr, buf);
	if (len < 32)
		snprintf(buf + strlen(buf), 4, "/%u", len & 31u);
	return buf;
}

char *addr_print_range4(uint32_t lo, uint32_t hi, char buf[ADDR_RANGE_LEN])
{
	uint32_t host_bits = lo ^ hi;

	if (!(host_bits & (host_bits + 1)) && !(lo & host_bits))
		return addr_print_prefix4(lo, (uint8_t)(32 - __builtin_popcount(host_bits)), buf);
	addr_print4(lo, buf);
	strcat(buf, "-");
	addr_print4(hi, buf + strlen(buf));
	return buf;
}

char *addr_print(const union addr *addr, char buf[ADDR_TEXT_LEN])
{
	if (addr_is4(addr))
		return addr_print4(addr_to4(addr), buf);
	inet_ntop(AF_INET6, addr, buf, ADDR_TEXT_LEN);
	return buf;
}

char *addr_print_prefix(const union addr *addr, uint8_t len, char buf[ADDR_TEXT_LEN])
{
	if (addr_is4(addr) && len >= 96)
		return addr_print_prefix4(addr_to4(addr), (uint8_t)(len - 96), buf);
	inet_ntop(AF_INET6, addr, buf, INET6_ADDRSTRLEN);
	if (len < 128)
		snprintf(buf + strlen(buf), 5, "/%u", len & 127u);
	return buf;
}

char *addr_print_ports(uint16_t lo, uint16_t hi, char buf[PORTS_TEXT_LEN])
{
	if (lo == hi)
		snprintf(buf, PORTS_TEXT_LEN, "%u", lo);
	else
		snprintf(buf, PORTS_TEXT_LEN, "%u-%u", lo, hi);
	return buf;
}

char *addr_print_proto(uint8_t proto, char buf[PROTO_TEXT_LEN])
{
	for (size_t i = 0; i < N_PROTOS; i++) {
		if (addr_protos[i].proto == proto) {
			snprintf(buf, PROTO_TEXT_LEN, "%s", addr_protos[i].name);
			return buf;
		}
	}
	snprintf(buf, PROTO_TEXT_LEN, "%u", proto);
	return buf;
}

char *addr_print_dscp(uint8_t dscp, char buf[DSCP_TEXT_LEN])
{
	for (size_t i = 0; i < N_DSCPS; i++) {
		if (addr_dscps[i].dscp == dscp) {
			snprintf(buf, DSCP_TEXT_LEN, "%s", addr_dscps[i].name);
			return buf;
		}
	}
	snprintf(buf, DSCP_TEXT_LEN, "%u", dscp & 63);
	return buf;
}
