/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_trace.c - packets in words, and frames of captures. An input that begins with a 0 is a frame without Ethernet, with a 1 one
 * with it; anything else is a sentence, and what is understood of one makes a frame that says the same.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void read_frame(const uint8_t *data, size_t size, bool l2)
{
	uint8_t *frame = malloc(size ? size : 1);	/* not a byte more, so that none is read */
	char text[PACKET_TEXT_LEN];
	struct packet p;

	memcpy(frame, data, size);
	if (packet_read(frame, size, l2, &p))
		check(strlen(packet_text(&p, text)) < sizeof(text) - 1);
	free(frame);
}

static bool same_ends(const struct packet_ends *a, const struct packet_ends *b)
{
	union addr from = packet_src(a), to = packet_dst(a), other_from = packet_src(b), other_to = packet_dst(b);

	return a->proto == b->proto && !memcmp(&from, &other_from, sizeof(from)) && !memcmp(&to, &other_to, sizeof(to)) && a->sport == b->sport && a->dport == b->dport;
}

static void read_sentence(const char *text)
{
	static uint8_t frame[PACKET_L2_BYTES + PACKET_MAX_BYTES];
	struct packet p, q;
	char err[512] = "";
	size_t len;

	if (packet_parse(text, true, &p, err, sizeof(err))) {
		check(*err);
		return;
	}
	p.l2 = true;
	len = packet_build(&p, frame);
	check(len == p.len + 14 + (p.has_vlan ? 4 : 0) + (p.has_inner ? 4 : 0));
	check(packet_read(frame, len, true, &q));
	check(q.ttl == p.ttl && q.dscp == p.dscp && q.len == p.len && q.df == p.df && q.vlan == p.vlan && q.inner == p.inner &&
	      !memcmp(q.smac, p.smac, 6) && !memcmp(q.dmac, p.dmac, 6) && q.tcp_flags == p.tcp_flags);
	check(p.ends.proto == 1 && !packet_icmp_is_query(p.icmp_type) ? q.ends.src == p.ends.src : same_ends(&p.ends, &q.ends));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size && *data <= 1) {
		read_frame(data + 1, size - 1, *data);
		return 0;
	}
	text = calloc(1, size + 1);
	memcpy(text, data, size);
	read_sentence(text);
	free(text);
	return 0;
}
