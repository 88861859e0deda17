/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_wire.c - libFuzzer target: the input chooses a wire, and frames at its ports, out of its targets and from the box. After each:
 *
 *   - exactly one verdict was counted (and an ICMP error of natvi's own beside it), and it is not "internal"
 *   - what crosses leaves by the other port, byte for byte
 *   - what is no sound IP is never captured; a target gets the packet as it came, but for TCP's MSS, and nothing behind it
 *   - what goes to the box is the frame without its tags; what comes out of a target is in the frame that leaves by a port
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
#include "tests/runner/runner.h"

enum { ETH1 = 1, ETH2, TUN, TAP, NVI };

#define MAC(n)	{ 2, 0, 0, 0, 0, n }
#define HOST	0xc000020a	/* 192.0.2.10 */
#define MTU	600

static struct native_interface interfaces[] = {
	{ "eth1", ETH1, MAC(1), 1500, 0, 0, false }, { "eth2", ETH2, MAC(2), 1500, 0, 0, false }, { "tun0", TUN, {}, MTU, 0, 0, true },
	{ "tap0", TAP, MAC(4), 1500, 0, 0, false }, { "nvi0", NVI, MAC(5), 1500, HOST, 24, false },
};

#define WIRE	"{name: w0, ports: [eth1, eth2], "
#define BOX	"host: {address: 192.0.2.10/24}, "
#define CAPTURES "capture: [{match: {proto: udp, destination-ports: [53, 4000]}, to: tap0}, " \
		 "{match: {vlan: 5}, to: gone0}, {match: {source: 198.51.100.0/24}, to: tun0}, {match: {port: eth2, source: \"2001:db8::/32\"}, to: tun0}]"
#define LIMITS	"limits: {sessions: 16, icmp-rate: 20}\ntimeouts: {udp: 4, tcp-established: 9, tcp-transitory: 3, icmp: 2, other: 5}\n"

static const char *const configs[] = {
	"wires: [" WIRE BOX CAPTURES "}]\n" LIMITS,
	"wires: [" WIRE "host: {address: 192.0.2.10/24, vlan: 5}, fail: open, mac-changes: arp, mss: 400, " CAPTURES "}]\n" LIMITS,
	"wires: [" WIRE BOX "capture: [{match: {proto: tcp}, to: nvi0}, {to: tun0}]}]\n" LIMITS,
	"wires: [" WIRE CAPTURES "}]\n" LIMITS,
	"wires: [{name: w0, ports: [eth1, gone1], " BOX "capture: [{to: tun0}]}]\n" LIMITS,
	"wires: [" WIRE BOX "capture: [{match: {vlan: untagged, dscp: [1, 46]}, to: tun0}]}]\n" LIMITS,
};
#define N_CONFIGS	(sizeof(configs) / sizeof(configs[0]))

struct reader {
	const uint8_t *at, *end;
};

static uint8_t u8(struct reader *r)
{
	return r->at < r->end ? *r->at++ : 0;
}

/* Frames */

static uint8_t frame[NATIVE_MAX_FRAME], before[NATIVE_MAX_FRAME];
static size_t before_len;

static void put_mac(uint8_t *to, uint8_t n)
{
	memset(to, n == 15 ? 0xff : 0, 6);
	if (n == 15)
		return;
	to[0] = n == 14 ? 0x01 : 2;
	to[5] = n;
}

static uint32_t address(uint8_t n)
{
	static const uint32_t nets[] = { 0xc6336400, 0xcb007100, 0xc0000200, 0xe0000000 };

	return nets[n >> 2 & 3] | ((n & 3) == 3 ? HOST & 0xff : (n & 3) + 1u);
}

static size_t put_l4(struct reader *r, uint8_t proto, uint8_t *l4, size_t payload)
{
	static const uint16_t ports[] = { 53, 4000, 80, 1 };
	uint8_t which = u8(r);

	put16(l4, ports[which & 3]);
	put16(l4 + 2, ports[which >> 2 & 3]);
	switch (proto) {
	case IPPROTO_TCP:
		l4[12] = which & 0x80 ? 0x60 : 0x50;
		l4[13] = u8(r);
		put32(l4 + 20, which & 0x80 ? 0x020405b4 : 0);
		return (which & 0x80 ? 24 : 20) + payload;
	case IPPROTO_UDP:
		put16(l4 + 4, 8 + (uint32_t)payload);
		return 8 + payload;
	case IPPROTO_ICMP:
		l4[0] = (uint8_t[]){ 8, 0, 3, 11 }[which & 3];
		l4[1] = 0;
		return 8 + payload;
	case IPPROTO_ICMPV6:
		l4[0] = (uint8_t[]){ 128, 129, 135, 136, 1, 2, 133, 137 }[which & 7];
		l4[1] = 0;
		return 24 + payload;
	default:
		return payload;
	}
}

static size_t put_v4(struct reader *r, uint8_t *ip, uint8_t what)
{
	static const uint8_t protos[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, 47 };
	uint8_t ends = u8(r), size = u8(r), proto = protos[what & 3];
	size_t payload = size & 0x80 ? (size & 0x7f) * 12u : size & 0x3f;

	ip[0] = 0x45;
	ip[1] = what & 4 ? 46 << 2 : 0;
	put16(ip + 4, u8(r) & 3);
	put16(ip + 6, what & 8 ? 0x4000 : what & 0x10 ? size & 1 ? 0x2000 : 3 : 0);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, address(ends & 15));
	put32(ip + 16, address(ends >> 4));
	put16(ip + 2, 20 + (uint32_t)put_l4(r, proto, ip + 20, payload));
	return get16(ip + 2);
}

static size_t put_v6(struct reader *r, uint8_t *ip, uint8_t what)
{
	static const uint8_t protos[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMPV6, 44 };
	uint8_t ends = u8(r), size = u8(r), proto = protos[what & 3];
	size_t payload = size & 0x80 ? (size & 0x7f) * 12u : size & 0x3f, head = 40;

	ip[0] = 0x60;
	ip[6] = proto;
	ip[7] = what & 4 ? 255 : 64;
	for (int i = 0; i < 2; i++) {
		put32(ip + 8 + 16 * i, (ends >> 4 * i & 12) == 12 ? 0xff020000 : (ends >> 4 * i & 12) == 8 ? 0xfe800000 : 0x20010db8);
		ip[8 + 16 * i + 15] = ends >> 4 * i & 15;
	}
	if (proto == 44) {
		ip[40] = IPPROTO_UDP;
		put16(ip + 42, size & 3 ? (size & 3) << 3 | 1u : 1);
		ip[47] = what >> 4;
		head = 48;
	}
	put16(ip + 4, (uint32_t)(head - 40 + put_l4(r, proto == 44 ? IPPROTO_UDP : proto, ip + head, payload)));
	return 40 + get16(ip + 4);
}

static size_t put_arp(struct reader *r, uint8_t *arp)
{
	uint8_t who = u8(r), ends = u8(r);

	put32(arp, 0x00010800);
	put32(arp + 4, 0x06040000 | (who & 0x10 ? 2 : 1));
	put_mac(arp + 8, who & 15);
	put32(arp + 14, address(ends & 15));
	put_mac(arp + 18, who >> 4 & 7);
	put32(arp + 24, address(ends >> 4));
	return who & 0x80 ? 28 : 46;
}

/* IP alone where there is no Ethernet. */
static size_t put_frame(struct reader *r, bool l2)
{
	uint8_t macs = u8(r), kind = u8(r), what = u8(r);
	size_t at = 12, len;

	memset(frame, 0, 2200);
	put_mac(frame, macs & 15);
	put_mac(frame + 6, macs >> 4);
	for (int i = 0; i < (kind >> 2 & 3) && l2; i++, at += 4) {
		put16(frame + at, kind & 0x10 ? 0x88a8 : 0x8100);
		put16(frame + at + 2, u8(r) & 0xe005);
	}
	at = l2 ? at + 2 : 0;
	switch (kind & 3) {
	case 0:
	case 1:
		len = put_v4(r, frame + at, what);
		break;
	case 2:
		len = put_v6(r, frame + at, what);
		break;
	default:
		len = l2 && what & 1 ? put_arp(r, frame + at) : what;
	}
	if (l2)
		put16(frame + at - 2, (kind & 3) < 2 ? 0x0800 : (kind & 3) == 2 ? 0x86dd : what & 1 ? 0x0806 : 0x88cc);
	set_checks(frame, at + len);
	return at + len + (l2 && kind & 0x20 ? 7 : 0);
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
	fprintf(stderr, "fuzz_wire: %s\n", what);
	print("last in", before, before_len);
	if (r) {
		fprintf(stderr, "verdict %s, action %d, out by %u\n", verdict_name(r->verdict), r->action, r->out_ifindex);
		print("out", r->frame, r->len);
	}
	abort();
}

/* Where the packet begins behind up to two tags. */
static size_t l3_of(const uint8_t *f, size_t len)
{
	size_t at = 12;

	for (int i = 0; i < 2 && len >= at + 6 && (get16(f + at) == 0x8100 || get16(f + at) == 0x88a8); i++)
		at += 4;
	return at + 2;
}

static size_t ip_len(const uint8_t *ip, size_t len)
{
	return len >= 40 && ip[0] >> 4 == 6 ? 40u + get16(ip + 4) : len >= 20 && ip[0] >> 4 == 4 ? get16(ip + 2) : 0;
}

/* The same packet; a SYN may have another MSS, and so another checksum. */
static void check_packet(const struct native_result *r, const uint8_t *in, const uint8_t *out, size_t len)
{
	size_t head = in[0] >> 4 == 6 ? 40 : (in[0] & 15) * 4u, differing = 0;
	bool syn = (in[0] >> 4 == 6 ? in[6] : in[9]) == IPPROTO_TCP && len >= head + 20 && in[head + 13] & SEEN_SYN;

	for (size_t i = 0; i < len; i++)
		differing += in[i] != out[i];
	if (differing && (!syn || differing > 4 || memcmp(in, out, head)))
		die("a captured packet was changed", r);
}

static void check_captured(const struct native_result *r, const uint8_t *in, size_t in_len)
{
	size_t at = l3_of(in, in_len), len = in_len > at ? ip_len(in + at, in_len - at) : 0, l2 = r->out_ifindex == TUN && !r->enters ? 0 : 14;

	if (r->action != NATIVE_SEND || !len || len > in_len - at)
		die("captured, and no whole IP packet", r);
	if (r->enters ? r->len - l2 < len : r->len != l2 + len)
		die("a target gets less or more than the packet", r);
	check_packet(r, in + at, r->frame + l2, len);
}

static void check_returned(const struct native_result *r, bool l2, const uint8_t *in, size_t in_len)
{
	size_t at = l2 ? l3_of(in, in_len) : 0, out_at = l3_of(r->frame, r->len);

	if (r->action != NATIVE_SEND || r->enters || (r->out_ifindex != ETH1 && r->out_ifindex != ETH2))
		die("what comes out of a target leaves elsewhere", r);
	if (in_len < at || r->len < out_at || r->len - out_at < ip_len(in + at, in_len - at))
		die("what comes out of a target was cut", r);
	check_packet(r, in + at, r->frame + out_at, ip_len(in + at, in_len - at));
}

static void check_own(const struct native_result *r, uint32_t from, const uint8_t *in, size_t in_len)
{
	size_t at = from == NVI ? 14 : l3_of(in, in_len), out_at = l3_of(r->frame, r->len);

	if (from != NVI && (!r->enters || r->out_ifindex != NVI))
		die("what is for the box goes elsewhere", r);
	if (r->action == NATIVE_DROP && r->n_copied)	/* by the one port that there is, as a copy */
		return;
	if (r->action != NATIVE_SEND || r->len - out_at != in_len - at || memcmp(r->frame + out_at, in + at, in_len - at))
		die("what is the box's own was changed", r);
}

static void check_result(const struct native_result *r, uint32_t from, const uint8_t *in, size_t in_len)
{
	if (r->verdict == VERDICT_INTERNAL)
		die("verdict internal", r);
	if (r->icmp || (r->action == NATIVE_DROP && r->verdict != VERDICT_WIRE_OWN))
		return;
	if (r->verdict == VERDICT_WIRE_CROSSED && (r->action != NATIVE_SEND || r->enters || r->len != in_len || memcmp(r->frame, in, in_len) ||
						   from > ETH2 || r->out_ifindex != (from == ETH1 ? ETH2 : ETH1)))
		die("what crosses was changed, or leaves elsewhere", r);
	if (r->verdict == VERDICT_WIRE_CAPTURED)
		check_captured(r, in, in_len);
	if (r->verdict == VERDICT_WIRE_RETURNED)
		check_returned(r, from == TAP, in, in_len);
	if (r->verdict == VERDICT_WIRE_OWN)
		check_own(r, from, in, in_len);
	if (from <= ETH2 && r->action == NATIVE_KERNEL && r->verdict != VERDICT_NOT_ENABLED)
		die("a wire's port leaves something to the kernel", r);
}

static void check_counters(const struct counters *was, const struct counters *now, const struct native_result *r)
{
	uint64_t n = 0;

	for (int v = 0; v < VERDICT_COUNT; v++)
		n += now->packets[v] - was->packets[v];
	if (n != 1u + r->icmp)
		die("not exactly one verdict was counted", r);
}

static void check_tables(struct native *n)
{
	struct view view = { .control = &n->control, .usage = &n->usage, .buckets = n->buckets, .portbits = n->portbits };
	const char *broken = view_broken(&view);

	if (broken)
		die(broken, NULL);
}

/* Running */

static void run(struct native *n, uint32_t from, size_t len, uint32_t mark, uint32_t now_s)
{
	struct native_arrival a = { .ifindex = from, .mark = mark, .no_l2 = from == TUN };
	struct counters was = *native_counters(n);
	struct native_result r;

	if (!len)
		return;
	memcpy(before, frame, len);
	before_len = len;
	r = from <= ETH2 ? native_wire(n, &a, frame, len, now_s) : from == NVI ? native_host(n, &a, frame, len, now_s) :
	    native_target(n, &a, frame, len, now_s);
	if (getenv("FUZZ_TRACE")) {
		fprintf(stderr, "%u s, by %u: %s, action %d, out by %u\n", now_s, from, verdict_name(r.verdict), r.action, r.out_ifindex);
		print("in ", before, len);
		print("out", r.frame, r.len);
	}
	check_counters(&was, native_counters(n), &r);
	check_result(&r, from, before, len);
}

static void step(struct native *n, struct reader *r, uint32_t *now_s)
{
	static const uint32_t from[] = { ETH1, ETH2, TUN, ETH1, ETH2, TUN, TAP, NVI };
	uint8_t op = u8(r);
	uint32_t ifindex = from[op & 7];
	size_t len;

	switch (op >> 3 & 7) {
	case 0:
		*now_s += u8(r) & 15;
		return;
	case 1:
		native_sweep(n, *now_s);
		break;
	case 2:		/* anything at all */
		for (len = 0; len < u8(r) && r->at < r->end; len++)
			frame[len] = u8(r);
		run(n, ifindex, len, 0, *now_s);
		break;
	default:
		len = put_frame(r, ifindex != TUN);
		if (op & 0x80)
			mutate(r, &len);
		run(n, ifindex, len, op & 0x40 ? 0x32 : 0, *now_s);
	}
	check_tables(n);
}

static struct kept {
	struct native *n;
	struct native fresh;
} kept[N_CONFIGS];

static void make(struct kept *k, const char *text)
{
	struct native_net net = { .interfaces = interfaces, .n_interfaces = 5, .nvi = NVI, .local_lo = 32768, .local_hi = 60999 };
	char err[256] = "a configuration of fuzz_wire is wrong";
	struct cfg_errors errors;
	struct config *config;

	if (config_read_text(text, strlen(text), "config", &config, &errors))
		die(errors.n ? errors.list[0].text : err, NULL);
	if (native_new(config, &net, &k->n, err, sizeof(err)))
		die(err, NULL);
	config_free(config);
	cfg_errors_free(&errors);
	k->fresh = *k->n;
}

static void renew(struct kept *k)
{
	struct native_copied copied[NATIVE_MAX_COPIES];
	struct native *n = k->n;

	n->addrs = NULL;	/* these are the configuration's; all else goes */
	native_tables_free(n);
	memcpy(copied, n->copied, sizeof(copied));
	*n = k->fresh;
	memcpy(n->copied, copied, sizeof(copied));
	memset(n->buckets, 0, n->control.n_buckets * sizeof(*n->buckets));
	memset(n->cpu, 0, 2 * sizeof(*n->cpu));
	memset(n->wire_states, 0, NATVI_MAX_WIRES * sizeof(*n->wire_states));
	memset(n->neighbours, 0, NATVI_NEIGHBOUR_SETS * sizeof(*n->neighbours));
	memset(n->stations, 0, NATVI_STATION_SETS * sizeof(*n->stations));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (size_t i = 0; i < N_CONFIGS; i++)
		make(&kept[i], configs[i]);
	return 0;
}

/* The first byte: configuration, and a clock that is about to go round. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = { data, data + size };
	uint8_t first = u8(&r);
	struct kept *k = &kept[first % N_CONFIGS];
	uint32_t now_s = first & 0x80 ? 0xfffffff0 : 1000;

	renew(k);
	while (r.at < r.end)
		step(k->n, &r, &now_s);
	return 0;
}
