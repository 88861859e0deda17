/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_packet.c - libFuzzer target: the input chooses a configuration and a series of packets, answers to
 * what came out, pauses and sweeps. After each of them:
 *
 *   - exactly one verdict was counted, and it is not "internal"
 *   - what is left to the kernel untranslated is as it came in
 *   - checksums that were right still are; natvi's own ICMP errors are right, short, and about nothing they must not be
 *   - nothing that natvi translates leaves by the outside port with an inside source
 *   - a later fragment goes where its first one went, with the same addresses and identification, and no byte of a
 *     datagram passes twice; what waits with the daemon is as it came in but for its destination MAC
 *   - a SYN through a port with an MSS shows none that is larger
 *   - the tables agree with each other (tests/runner/view.c)
 */
/* links: tests/runner/view.c */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp/pkt.h"
#include "host/native_impl.h"
#include "lib/maps.h"
#include "lib/verdict.h"
#include "tests/frames.h"
#include "tests/fuzz/packet_world.h"
#include "tests/runner/runner.h"

/* Input */

struct reader {
	const uint8_t *at, *end;
};

static uint8_t u8(struct reader *r)
{
	return r->at < r->end ? *r->at++ : 0;
}

/* Frames */

static uint8_t frame[NATIVE_MAX_FRAME], before[NATIVE_MAX_FRAME], last[NATIVE_MAX_FRAME], waits[NATIVE_MAX_FRAME];
static size_t before_len, last_len, waits_len;
static uint32_t last_out;

/* L4 of a kind with a checksum field that is not 0; its length. */
static size_t put_l4(struct reader *r, uint8_t kind, uint8_t *l4, size_t payload)
{
	uint16_t sport = l4_ports[u8(r) & 7], dport = l4_ports[u8(r) & 7];

	if (last_len >= 38 && (sport == 0 || dport == 0)) {	/* as natvi chose it */
		sport = sport ? sport : get16(last + 34);
		dport = dport ? dport : get16(last + 34);
	}
	put16(l4, sport);
	put16(l4 + 2, dport);
	switch (kind) {
	case IPPROTO_TCP:
		l4[12] = 0x50;
		l4[13] = u8(r);
		put16(l4 + 16, 1);
		return 20 + payload;
	case IPPROTO_UDP:
		put16(l4 + 4, 8 + (uint32_t)payload);
		put16(l4 + 6, 1);
		return 8 + payload;
	case IPPROTO_ICMP:
		l4[0] = (uint8_t[]){ 8, 0, 13, 14, 3, 11, 12, 17 }[u8(r) & 7];
		l4[1] = 0;
		put16(l4 + 2, 1);
		put16(l4 + 4, sport);
		return 8 + payload;
	default:
		return payload;
	}
}

static size_t put_packet(struct reader *r, uint32_t ifindex)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMP, IPPROTO_TCP, 50, 47 };
	uint8_t proto = protos[u8(r) & 7], what = u8(r), ends = u8(r), sizes = u8(r);
	size_t head = what & 0x40 ? 24 : 20, payload = sizes & 0x80 ? (sizes & 0x7f) * 16u : sizes & 0x3f, at = 12;
	uint8_t *ip;

	memset(frame, 0, 14 + 8 + 60 + 60 + payload);
	memcpy(frame, interfaces[ifindex - 1].mac, 6);
	memcpy(frame + 6, routes[0].mac, 6);
	if (what & 0x20) {
		put16(frame + at, 0x8100);
		put16(frame + at + 2, sizes & 0x40 ? 5 : 0);
		at += 4;
	}
	put16(frame + at, 0x0800);
	ip = frame + at + 2;
	ip[0] = (uint8_t)(0x40 | head / 4);
	if (head > 20)
		put32(ip + 20, 0x94040000);
	ip[8] = what & 1 ? what >> 1 & 3 : 64;
	put16(ip + 6, what & 8 ? 0x4000 : what & 0x10 ? (uint32_t)(what & 0x80 ? 0x2000 : 0x0010) : 0);
	ip[9] = proto;
	put32(ip + 12, addrs[ends & 15]);
	put32(ip + 16, addrs[ends >> 4]);
	put16(ip + 2, (uint32_t)(head + put_l4(r, proto, ip + head, payload)));
	set_checks(frame, (size_t)(ip - frame) + get16(ip + 2));
	return (size_t)(ip - frame) + get16(ip + 2) + (what & 0x80 && !(what & 0x10) ? 5 : 0);
}

/* A TCP packet with up to 40 bytes of options, whatever they are, or an MSS at some place among them. */
static size_t put_options(struct reader *r, uint32_t ifindex)
{
	uint8_t ends = u8(r), flags = u8(r), how = u8(r), *ip = frame + 14;
	size_t options = (how & 15) % 11 * 4u, at = u8(r) & 63;

	memset(frame, 0, 14 + 20 + 60 + 16);
	memcpy(frame, interfaces[ifindex - 1].mac, 6);
	memcpy(frame + 6, routes[0].mac, 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	put32(ip + 12, addrs[ends & 15]);
	put32(ip + 16, addrs[ends >> 4]);
	put16(ip + 2, 40 + (uint32_t)options + 3);
	put16(ip + 20, l4_ports[u8(r) & 7]);
	put16(ip + 22, l4_ports[u8(r) & 7]);
	ip[32] = (uint8_t)((5 + options / 4) << 4);
	ip[33] = flags;
	for (size_t i = 0; i < options; i++)
		ip[40 + i] = how & 0x10 ? u8(r) : 1;
	if ((how & 0x20) && at + 4 <= options) {
		put16(ip + 40 + at, 0x0204);
		put16(ip + 42 + at, 500u + 8u * u8(r));
	}
	put16(ip + 36, 1);
	set_checks(frame, 14 + 43 + options);
	return 14 + 43 + options;
}

/* A piece of a datagram: of a few ends and identifications, so that pieces meet. */
static size_t put_piece(struct reader *r, uint32_t ifindex)
{
	uint8_t where = u8(r), id = u8(r);
	size_t len = put_packet(r, ifindex), ip_len, head, from = (where & 7) * 16u, to;
	uint8_t *ip = ip_of(frame, len, &ip_len);

	if (!ip || (get16(ip + 6) & 0x3fff))
		return len;
	head = (ip[0] & 15) * 4u;
	to = where & 0x80 ? ip_len - head : from + (where >> 3 & 7) * 16u;
	if (from >= ip_len - head || to > ip_len - head || to < from)
		return len;
	memmove(ip + head, ip + head + from, to - from);
	put16(ip + 2, (uint32_t)(head + to - from));
	put16(ip + 4, id & 3);
	put16(ip + 6, (uint32_t)(from / 8) | (where & 0x40 && where & 0x80 ? 0 : 0x2000) | (id & 0x40 ? 0x4000 : 0));
	put16(ip + 10, 0);
	put16(ip + 10, ~sum(ip, head, 0));
	return (size_t)(ip - frame) + head + to - from;
}

static size_t put_arp(struct reader *r, uint32_t ifindex)
{
	uint8_t ends = u8(r);

	memset(frame, 0, 60);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, routes[0].mac, 6);
	put32(frame + 12, 0x08060001);
	put32(frame + 16, 0x08000604);
	put16(frame + 20, ends & 0xc0 ? 1 : 2);
	memcpy(frame + 22, routes[0].mac, 6);
	put32(frame + 28, addrs[u8(r) & 15]);
	put32(frame + 38, addrs[ends & 15]);
	return ends & 0x80 ? 42 : 60;
}

/* The answer to the last frame that was sent, from where it went; error: an ICMP error about it. */
static size_t put_answer(struct reader *r, bool error)
{
	size_t ip_len, head, quote;
	uint8_t *ip = ip_of(last, last_len, &ip_len), *to = frame + 14;

	if (!ip)
		return 0;
	head = (ip[0] & 15) * 4u;
	memcpy(frame, last + 6, 6);
	memcpy(frame + 6, last, 6);
	put16(frame + 12, 0x0800);
	if (error) {
		quote = u8(r) < ip_len ? ip_len - u8(r) % ip_len : ip_len;
		memset(to, 0, 28);
		to[0] = 0x45;
		to[8] = 60;
		to[9] = IPPROTO_ICMP;
		put16(to + 2, 28 + (uint32_t)quote);
		put32(to + 12, u8(r) & 1 ? get32(ip + 16) : addrs[15]);
		put32(to + 16, get32(ip + 12));
		to[20] = (uint8_t[]){ 3, 11, 12, 4 }[u8(r) & 3];
		put16(to + 22, 1);
		memcpy(to + 28, ip, quote);
		set_checks(frame, 42 + quote);
		return 42 + quote;
	}
	memcpy(to, ip, ip_len);
	put32(to + 12, get32(ip + 16));
	put32(to + 16, get32(ip + 12));
	if (ip_len >= head + 4 && (ip[9] == IPPROTO_TCP || ip[9] == IPPROTO_UDP)) {
		put16(to + head, get16(ip + head + 2));
		put16(to + head + 2, get16(ip + head));
	}
	if (ip_len >= head + 14 && ip[9] == IPPROTO_TCP)
		to[head + 13] = u8(r);
	if (ip_len > head && ip[9] == IPPROTO_ICMP && (to[head] == 8 || to[head] == 13))
		to[head] = to[head] == 8 ? 0 : 14;
	to[8] = 64;
	set_checks(frame, 14 + ip_len);
	return 14 + ip_len;
}

/* What must hold */

static void print(const char *what, const uint8_t *f, size_t len)
{
	fprintf(stderr, "%s ", what);
	for (size_t i = 0; i < len; i++)
		fprintf(stderr, "%02x", f[i]);
	fprintf(stderr, "\n");
}

static void die(const char *what, const struct native_result *r)
{
	fprintf(stderr, "fuzz_packet: %s\n", what);
	print("last in", before, before_len);
	if (r) {
		fprintf(stderr, "verdict %s, action %d, out by %u\n", verdict_name(r->verdict), r->action, r->out_ifindex);
		print("out", r->frame, r->len);
	}
	abort();
}

/*
 * Inside sources may be seen outside: a rule forwards untranslated, or a source has been on the wrong
 * side, which is for rp_filter or the rules to prevent.
 */
static bool may_leave;
static bool clamped;	/* the outside port has an MSS */

static bool is_inside(uint32_t addr)
{
	return addr >> 17 == IP4(198, 18, 0, 0) >> 17;
}

/* A host inside; what answers to an address of the box itself, by a rule, is seen by that. */
static bool is_inside_host(uint32_t addr)
{
	return is_inside(addr) && addr != interfaces[0].addr && addr != interfaces[1].addr;
}

static bool is_translated(enum verdict v)
{
	return v == VERDICT_FORWARD || v == VERDICT_NEW_FORWARD || (v >= VERDICT_SLOW_NEIGHBOUR && v <= VERDICT_SLOW_LOCAL);
}

static void check_own_icmp(const struct native_result *r, const uint8_t *in, size_t in_len)
{
	size_t ip_len, out_len;
	uint8_t *ip = ip_of((uint8_t *)in, in_len, &ip_len), *out = ip_of((uint8_t *)r->frame, r->len, &out_len);

	if (!ip || !out || !header_right(out) || !l4_right(out, out_len) || out_len > 28 + NATVI_ICMP_QUOTE_BYTES)
		die("an ICMP error of natvi's own is wrong", r);
	if (get32(out + 16) != get32(ip + 12) || r->len != 14 + out_len)
		die("an ICMP error of natvi's own goes elsewhere, or has something behind it", r);
	if (memcmp(out + 28, ip, out_len - 28))
		die("an ICMP error of natvi's own quotes another packet", r);
	if (get16(ip + 6) & 0x1fff)
		die("an ICMP error about a later fragment", r);
	if (ip[9] == IPPROTO_ICMP && !(get16(ip + 6) & 0x3fff) && ip_len > (ip[0] & 15) * 4u &&
	    (ip[(ip[0] & 15) * 4] == 3 || ip[(ip[0] & 15) * 4] == 11 || ip[(ip[0] & 15) * 4] == 12 || ip[(ip[0] & 15) * 4] == 4))
		die("an ICMP error about an ICMP error", r);
}

static void check_translated(const struct native_result *r, const uint8_t *in, size_t in_len)
{
	size_t ip_len, out_len;
	uint8_t *ip = ip_of((uint8_t *)in, in_len, &ip_len), *out = ip_of((uint8_t *)r->frame, r->len, &out_len);

	if (!ip || !out || r->len != in_len || out_len != ip_len)
		die("what was translated has another length, or is no IPv4", r);
	if (header_right(ip) && !header_right(out))
		die("the IP header's checksum has become wrong", r);
	if (l4_right(ip, ip_len) && !l4_right(out, out_len))
		die("an L4 checksum has become wrong", r);
	if (out[8] != ip[8] - (r->action == NATIVE_SEND && !r->enters))
		die("another TTL", r);
	if (!may_leave && r->action == NATIVE_SEND && r->out_ifindex == WAN && is_inside_host(get32(out + 12)))
		die("an inside source leaves by the outside port", r);
	if (!may_leave && r->action == NATIVE_KERNEL && is_inside_host(get32(out + 12)) && !is_inside(get32(out + 16)))
		die("an inside source goes outside by the slow road", r);
	if (r->enters && memcmp(r->frame, interfaces[r->out_ifindex - 1].mac, 6))
		die("comes in anew for another interface than its link-layer address says", r);
	if (r->action == NATIVE_SEND && !r->enters && (r->out_ifindex == 4 || memcmp(r->frame + 6, interfaces[r->out_ifindex - 1].mac, 6)))
		die("sent by another interface than its link-layer address says", r);
}

#include "tests/fuzz/packet_fragments.h"

/* The first MSS option's value; 0: none that is sound. */
static uint32_t mss_of(const uint8_t *tcp, size_t len)
{
	size_t end = (tcp[12] >> 4) * 4u, i = 20;

	if (len < 20 || end > len || !(tcp[13] & SEEN_SYN))
		return 0;
	while (i < end && tcp[i]) {
		if (tcp[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= end || tcp[i + 1] < 2 || i + tcp[i + 1] > end)
			return 0;
		if (tcp[i] == 2)
			return tcp[i + 1] == 4 ? get16(tcp + i + 2) : 0;
		i += tcp[i + 1];
	}
	return 0;
}

static void check_mss(const struct native_result *r, uint32_t in_ifindex)
{
	size_t len, head;
	uint8_t *ip = ip_of((uint8_t *)r->frame, r->len, &len);

	head = ip ? (ip[0] & 15) * 4u : 0;
	if (!ip || ip[9] != IPPROTO_TCP || (get16(ip + 6) & 0x1fff) || len < head + 20)
		return;
	if (clamped && (in_ifindex == WAN || r->out_ifindex == WAN) && mss_of(ip + head, len - head) > CLAMP)
		die("an MSS larger than the port's passes it", r);
}

static void check_waiting(const struct native_result *r, uint32_t ifindex, const uint8_t *in, size_t in_len)
{
	uint8_t mac[6] = { PARK_MAC_LOCAL, r->verdict == VERDICT_SYN_HELD ? PARK_SYN : PARK_FRAGMENT, 0, 0, 0, (uint8_t)ifindex };

	if (r->action != NATIVE_SEND || r->out_ifindex != TAP || r->len != in_len || memcmp(r->frame, mac, 6) ||
	    memcmp(r->frame + 6, in + 6, in_len - 6))
		die("what waits is not as it came in", r);
	memcpy(waits, r->frame, r->len);
	waits_len = r->len;
}

static void check_arp(const struct native_result *r, const uint8_t *in, size_t in_len)
{
	if (r->action != NATIVE_SEND || r->len != in_len || get16(in + 12) == 0x0800)
		die("an ARP answer is none", r);
	if (memcmp(r->frame, in + 6, 6) || memcmp(r->frame + 6, interfaces[r->out_ifindex - 1].mac, 6))
		die("an ARP answer goes elsewhere", r);
}

static void check_result(const struct native_result *r, uint32_t ifindex, const uint8_t *in, size_t in_len)
{
	if (r->verdict == VERDICT_INTERNAL)
		die("verdict internal", r);
	if (r->action == NATIVE_DROP || r->icmp)
		miss_fragment(r, in, in_len);
	if (r->action == NATIVE_DROP)
		return;
	if (r->icmp)
		check_own_icmp(r, in, in_len);
	else if (r->verdict == VERDICT_FRAGMENT_PARKED || r->verdict == VERDICT_SYN_HELD)
		check_waiting(r, ifindex, in, in_len);
	else if (is_translated(r->verdict))
		check_translated(r, in, in_len);
	else if (r->verdict == VERDICT_ARP_SENT)
		check_arp(r, in, in_len);
	else if (r->action != NATIVE_KERNEL || r->len != in_len || memcmp(r->frame, in, in_len) || r->mark)
		die("what is the kernel's has been changed", r);
	if (!r->icmp && (is_translated(r->verdict) || r->action == NATIVE_KERNEL))
		check_fragment(r, in, in_len);
	if (is_translated(r->verdict))
		check_mss(r, ifindex);
}

static void check_counters(const struct counters *was, const struct counters *now, const struct native_result *r)
{
	uint64_t n = 0;

	for (int v = 0; v < VERDICT_COUNT; v++)
		n += now->packets[v] - was->packets[v];
	if (n != 1u + r->icmp)
		die("not exactly one verdict was counted", r);
}

static int add(const struct map_entry *entry, void *arg)
{
	return view_add(arg, &entry->key, &entry->value);
}

static uint64_t claimed_before;

/* bits: of the ports, too; they are many. */
static void check_tables(struct native *n, bool bits)
{
	struct view view = {
		.control = &n->control, .usage = &n->usage, .buckets = n->buckets, .portbits = n->portbits, .claimed_before = claimed_before,
	};
	const char *broken;

	mapping_entries(n->mappings, n->control.n_mapping_buckets, add, &view);
	broken = view_broken(&view);
	if (!broken && bits)
		broken = view_bits_broken(&view);
	free(view.entries);
	if (broken)
		die(broken, NULL);
}

/* Running */

static bool trace;	/* FUZZ_TRACE is set: say what happens */
/* Sources of one side that come in by the other. */
static bool is_misplaced(uint32_t ifindex, size_t len)
{
	size_t ip_len;
	uint8_t *ip = ip_of(frame, len, &ip_len);

	return ip && is_inside(get32(ip + 12)) != (ifindex == 1 || ifindex == 2);
}

static void run(struct native *n, uint32_t ifindex, size_t len, uint32_t now_s)
{
	struct counters was = *native_counters(n);
	struct native_result r;

	if (!len)
		return;
	memcpy(before, frame, len);
	before_len = len;
	may_leave |= is_misplaced(ifindex, len);
	r = native_run(n, ifindex, frame, len, now_s);
	if (trace) {
		fprintf(stderr, "%u s, by %u: %s, action %d, out by %u\n", now_s, ifindex, verdict_name(r.verdict), r.action, r.out_ifindex);
		print("in ", before, len);
		print("out", r.frame, r.len);
	}
	check_counters(&was, native_counters(n), &r);
	check_result(&r, ifindex, before, len);
	if (r.action != NATIVE_SEND || r.out_ifindex == TAP)
		return;
	memcpy(last, r.frame, r.len);
	last_len = r.len;
	last_out = r.out_ifindex;
}

/* The daemon writes back what waits: a SYN is answered or forgotten, a fragment comes in anew, as it was. */
static void run_parked(struct native *n, uint32_t now_s)
{
	struct counters was = *native_counters(n);
	uint32_t ifindex = waits[5];
	struct native_result r;

	if (!waits_len)
		return;
	memcpy(frame, waits, waits_len);
	memcpy(frame, interfaces[ifindex - 1].mac, 6);
	memcpy(before, frame, waits_len);
	before_len = waits_len;
	r = native_parked(n, TAP, waits, waits_len, now_s);
	if (trace)
		fprintf(stderr, "%u s, from the tap: action %d, out by %u\n", now_s, r.action, r.out_ifindex);
	if (waits[1] == PARK_SYN) {
		check_counters(&was, native_counters(n), &r);
		if (r.verdict != VERDICT_SYN_HELD || (r.action == NATIVE_SEND) != r.icmp || r.action == NATIVE_KERNEL)
			die("a SYN that has waited is neither answered nor forgotten", &r);
		if (r.icmp)
			check_own_icmp(&r, before, before_len);
	} else {
		if (r.action != NATIVE_SEND || r.out_ifindex != ifindex || r.len != waits_len || memcmp(r.frame + 6, before + 6, r.len - 6))
			die("a fragment that has waited does not come in as it was", &r);
		run(n, ifindex, waits_len, now_s);
	}
	waits_len = 0;
}

static void mutate(struct reader *r, size_t *len)
{
	uint8_t how = u8(r);

	for (int i = 0; i < (how & 3) && *len; i++) {
		size_t at = u8(r);

		frame[at % *len] ^= u8(r);
	}
	if (how & 4)
		*len -= *len > 1 ? u8(r) % *len : 0;
	if (how & 8)
		set_checks(frame, *len);
}

static void step(struct native *n, struct reader *r, uint32_t *now_s)
{
	uint8_t op = u8(r);
	uint32_t ifindex = 1 + (op >> 4 & 3);
	size_t len;

	switch (op & 15) {
	case 0:
		*now_s += u8(r);
		break;
	case 1:
		native_sweep(n, *now_s);
		break;
	case 2:
		native_new_generation(n);
		break;
	case 3:		/* anything at all */
		for (len = 0; len < u8(r) && r->at < r->end; len++)
			frame[len] = u8(r);
		run(n, ifindex, len, *now_s);
		break;
	case 4:
	case 5:
	case 6:
		len = put_answer(r, (op & 15) == 4);
		if (op & 0x80)
			mutate(r, &len);
		run(n, last_out ? last_out : ifindex, len, *now_s);
		break;
	case 7:
		len = put_arp(r, ifindex);
		if (op & 0x80)
			mutate(r, &len);
		run(n, ifindex, len, *now_s);
		break;
	case 12:
	case 13:
		len = op & 1 ? put_options(r, ifindex) : put_piece(r, ifindex);
		if (op & 0x80)
			mutate(r, &len);
		run(n, ifindex, len, *now_s);
		break;
	case 14:
		run_parked(n, *now_s);
		break;
	case 15:	/* the daemon lives */
		n->control.heartbeat_s = *now_s;
		break;
	default:
		len = put_packet(r, ifindex);
		if (op & 0x80)
			mutate(r, &len);
		run(n, ifindex, len, *now_s);
	}
	check_tables(n, false);
}

/* Making a datapath takes far longer than a run: each configuration has one, which is made as new again. */

static struct kept {
	struct native *n;
	struct native fresh;
	struct portbits *portbits;
	struct mapping_bucket *mappings;
} kept[2 * N_CONFIGS];

static void *copy(const void *from, size_t size)
{
	void *to = malloc(size);

	if (!to)
		abort();
	return memcpy(to, from, size);
}

static void make(struct kept *k, const char *text, bool policy)
{
	struct native_net net = {
		.interfaces = interfaces, .n_interfaces = 4, .routes = routes, .n_routes = sizeof(routes) / sizeof(routes[0]),
		.sockets = sockets, .n_sockets = 2, .local_lo = 32768, .local_hi = 60999, .policy = policy,
	};
	struct cfg_errors errors;
	struct config *config;
	char err[256] = "a configuration of fuzz_packet is wrong";

	if (config_read_text(text, strlen(text), "config", &config, &errors) ||
	    native_new(config, &net, &k->n, err, sizeof(err)))
		die(err, NULL);
	config_free(config);
	cfg_errors_free(&errors);
	k->fresh = *k->n;
	k->portbits = copy(k->n->portbits, k->n->control.n_slots * PORTBITS_PROTOS * sizeof(struct portbits));
	k->mappings = copy(k->n->mappings, k->n->control.n_mapping_buckets * sizeof(struct mapping_bucket));
}

static void renew(struct kept *k)
{
	struct native *n = k->n;

	n->addrs = NULL;	/* these are the configuration's; all else goes */
	native_tables_free(n);
	*n = k->fresh;
	memset(n->buckets, 0, n->control.n_buckets * sizeof(*n->buckets));
	memset(n->cpu, 0, 2 * sizeof(*n->cpu));
	memcpy(n->portbits, k->portbits, n->control.n_slots * PORTBITS_PROTOS * sizeof(struct portbits));
	memcpy(n->mappings, k->mappings, n->control.n_mapping_buckets * sizeof(struct mapping_bucket));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	trace = getenv("FUZZ_TRACE");
	for (size_t i = 0; i < 2 * N_CONFIGS; i++)
		make(&kept[i], configs[i % N_CONFIGS], i >= N_CONFIGS);
	return 0;
}

/* The first byte: configuration, a park, policy routing, and a clock that is about to go round. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = { data, data + size };
	uint8_t first = u8(&r);
	struct kept *k = &kept[first % N_CONFIGS + (first & 0x40 ? N_CONFIGS : 0)];
	uint32_t now_s = first & 0x80 ? 0xfffffff0 : 1000;

	renew(k);
	k->n->control.park_ifindex = first & 0x20 ? TAP : 0;
	k->n->control.heartbeat_s = now_s;
	claimed_before = view_claimed(&(struct view){ .control = &k->n->control, .portbits = k->n->portbits });
	may_leave = strstr(configs[first % N_CONFIGS], "accept");
	clamped = strstr(configs[first % N_CONFIGS], "mss:");
	n_firsts = 0;
	waits_len = 0;
	last_len = 0;
	last_out = 0;
	while (r.at < r.end)
		step(k->n, &r, &now_s);
	check_tables(k->n, true);
	return 0;
}
