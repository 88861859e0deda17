/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * frames.h - bytes of frames, for tests in C: numbers in network order, checksums, the IPv4 packet in a frame.
 */
#ifndef NATVI_TESTS_FRAMES_H
#define NATVI_TESTS_FRAMES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One's complement sum of len bytes, on top of start, folded; not complemented. */
static inline uint32_t sum(const uint8_t *p, size_t len, uint32_t start)
{
	uint32_t s = start;

	for (size_t i = 0; i < len; i++) {
		s += i & 1 ? p[i] : p[i] << 8;
		s = (s & 0xffff) + (s >> 16);
	}
	return s;
}

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* The IPv4 packet in a frame, whole as its length says; NULL: there is none. */
static inline uint8_t *ip_of(uint8_t *f, size_t len, size_t *ip_len)
{
	size_t at = 12;

	for (int i = 0; i < 2 && len >= at + 2 && (get16(f + at) == 0x8100 || get16(f + at) == 0x88a8); i++)
		at += 4;
	if (len < at + 2 + 20 || get16(f + at) != 0x0800)
		return NULL;
	f += at + 2;
	*ip_len = get16(f + 2);
	if (f[0] >> 4 != 4 || (f[0] & 15) < 5 || *ip_len > len - at - 2 || *ip_len < (f[0] & 15) * 4u)
		return NULL;
	return f;
}

static inline uint32_t pseudo(const uint8_t *ip, size_t l4_len)
{
	return ip[9] == IPPROTO_ICMP ? 0 : sum(ip + 12, 8, ip[9] + (uint32_t)l4_len);
}

static inline bool header_right(const uint8_t *ip)
{
	return sum(ip, (ip[0] & 15) * 4u, 0) == 0xffff;
}

/* Where the L4 checksum stands; 0: there is none to judge. */
static inline size_t check_at(const uint8_t *ip, size_t ip_len)
{
	size_t head = (ip[0] & 15) * 4u;
	size_t at = ip[9] == IPPROTO_TCP ? 16 : ip[9] == IPPROTO_UDP ? 6 : ip[9] == IPPROTO_ICMP ? 2 : 0;

	if (!at || (get16(ip + 6) & 0x3fff) || head + at + 2 > ip_len)
		return 0;
	return ip[9] == IPPROTO_UDP && !get16(ip + head + at) ? 0 : head + at;
}

/* ICMP of nothing but zeros may have become so: RFC 1624 section 3 knows no better. */
static inline bool l4_right(const uint8_t *ip, size_t ip_len)
{
	size_t head = (ip[0] & 15) * 4u;
	uint32_t s;

	if (!check_at(ip, ip_len))
		return true;
	s = sum(ip + head, ip_len - head, pseudo(ip, ip_len - head));
	return s == 0xffff || (s == 0 && ip[9] == IPPROTO_ICMP);
}

/* Make all checksums right. */
static inline void set_checks(uint8_t *f, size_t len)
{
	size_t ip_len, at;
	uint8_t *ip = ip_of(f, len, &ip_len);

	if (!ip)
		return;
	put16(ip + 10, 0);
	put16(ip + 10, ~sum(ip, (ip[0] & 15) * 4u, 0));
	at = check_at(ip, ip_len);
	if (!at)
		return;
	put16(ip + at, 0);
	put16(ip + at, ~sum(ip + (ip[0] & 15) * 4u, ip_len - (ip[0] & 15) * 4u, pseudo(ip, ip_len - (ip[0] & 15) * 4u)));
	if (ip[9] == IPPROTO_UDP && !get16(ip + at))
		put16(ip + at, 0xffff);
}

#endif
