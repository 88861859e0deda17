/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * addr.h - addresses, prefixes, ranges, ports and protocols: from text, to text, and between host
 * order IPv4 numbers and union addr.
 *
 * Parsers take the whole text or refuse it: no leading or trailing space, sign, or zero. They return
 * 0, or -EINVAL (not of that form), -ERANGE (a number is too large, or a range is reversed), -EDOM (a
 * prefix with bits set beyond its length; the outputs then hold the prefix that was meant), and
 * write nothing otherwise. Printers return buf. No state; any thread.
 */
#ifndef NATVI_LIB_ADDR_H
#define NATVI_LIB_ADDR_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "abi/types.h"

#define ADDR_TEXT_LEN	48	/* any address or prefix, with the NUL */
#define ADDR_RANGE_LEN	96	/* a range of them */
#define PORTS_TEXT_LEN	16
#define PROTO_TEXT_LEN	16
#define DSCP_TEXT_LEN	8

/* "192.0.2.1" to host byte order. */
int addr_parse4(const char *text, uint32_t *addr);

/* "192.0.2.0/24", or an address alone (/32). */
int addr_parse_prefix4(const char *text, uint32_t *addr, uint8_t *len);

/* "192.0.2.1-192.0.2.9", a prefix (all of its addresses), or an address alone. Both ends included. */
int addr_parse_range4(const char *text, uint32_t *lo, uint32_t *hi);

/* IPv4 or IPv6; IPv4 becomes ::ffff:a.b.c.d. */
int addr_parse(const char *text, union addr *addr);

/* The same for prefixes; len 0-128, IPv4's /n being 96 + n. */
int addr_parse_prefix(const char *text, union addr *addr, uint8_t *len);

/* 0-65535. */
int addr_parse_port(const char *text, uint16_t *port);

/* "80" or "8000-8010"; both ends included. */
int addr_parse_ports(const char *text, uint16_t *lo, uint16_t *hi);

/* A name (tcp, udp, icmp, esp, ah, gre, sctp, ...; any case) or a number 0-255. */
int addr_parse_proto(const char *text, uint8_t *proto);

/* A name (ef, af11 to af43, cs0 to cs7, va, le; any case) or a number 0-63. */
int addr_parse_dscp(const char *text, uint8_t *dscp);

char *addr_print4(uint32_t addr, char buf[ADDR_TEXT_LEN]);

/* "192.0.2.0/24"; /32 is left away. */
char *addr_print_prefix4(uint32_t addr, uint8_t len, char buf[ADDR_TEXT_LEN]);

/* As short as it goes: an address, a prefix, or "lo-hi". */
char *addr_print_range4(uint32_t lo, uint32_t hi, char buf[ADDR_RANGE_LEN]);

/* IPv4 as such when it is one. */
char *addr_print(const union addr *addr, char buf[ADDR_TEXT_LEN]);

/* len 0-128; IPv4 is printed with its own length, whole addresses without one. */
char *addr_print_prefix(const union addr *addr, uint8_t len, char buf[ADDR_TEXT_LEN]);

/* Host byte order; "80" or "8000-8010". */
char *addr_print_ports(uint16_t lo, uint16_t hi, char buf[PORTS_TEXT_LEN]);

/* A name where there is one, else the number. */
char *addr_print_proto(uint8_t proto, char buf[PROTO_TEXT_LEN]);
char *addr_print_dscp(uint8_t dscp, char buf[DSCP_TEXT_LEN]);

/* Of a prefix: 0 for /0. Host byte order. */
static inline uint32_t addr_mask4(uint8_t len)
{
	return len ? ~0u << (32 - len) : 0;
}

/* ::ffff:a.b.c.d of an address in host byte order. */
static inline union addr addr_from4(uint32_t host)
{
	union addr addr = { .word = { 0, 0, htonl(0xffff), htonl(host) } };

	return addr;
}

static inline bool addr_is4(const union addr *addr)
{
	return addr->quad[0] == 0 && addr->word[2] == htonl(0xffff);
}

/* Host byte order; the caller knows that it is IPv4. */
static inline uint32_t addr_to4(const union addr *addr)
{
	return ntohl(addr->word[3]);
}

static inline bool addr_equal(const union addr *a, const union addr *b)
{
	return a->quad[0] == b->quad[0] && a->quad[1] == b->quad[1];
}

/* Does addr begin with the len bits (0-128) of prefix? */
static inline bool addr_in_prefix(const union addr *addr, const union addr *prefix, uint8_t len)
{
	uint8_t whole = len / 8, rest = len % 8;

	if (memcmp(addr->byte, prefix->byte, whole))
		return false;
	return !rest || !((addr->byte[whole] ^ prefix->byte[whole]) & (uint8_t)(0xff00 >> rest));
}

#endif
