/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test_trace.c - packets described in words: what is understood, what is refused and how, and the frame that comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/packet.h"

#define A	0xc612000a	/* 198.18.0.10 */
#define B	0xcb007150	/* 203.0.113.80 */

static struct packet good(const char *text)
{
	struct packet p;
	char err[512] = "";

	if (packet_parse(text, true, &p, err, sizeof(err)))
		fail_msg("\"%s\": %s", text, err);
	return p;
}

/* Refused, and the message names what. */
static void bad(const char *text, const char *names)
{
	struct packet p;
	char err[512] = "";

	if (!packet_parse(text, true, &p, err, sizeof(err)))
		fail_msg("\"%s\" was understood", text);
	if (!strstr(err, names))
		fail_msg("\"%s\": \"%s\" says nothing of \"%s\"", text, err, names);
	if (!strstr(err, "right would be") && !strstr(err, "only ") && !strstr(err, "at most") && !strstr(err, "twice") &&
	    !strstr(err, "have ") && !strstr(err, "more than"))
		fail_msg("\"%s\": \"%s\" does not help", text, err);
}

static void test_tcp(void **state)
{
	static const char *const same[] = {
		"iif lan0 tcp 198.18.0.10:40000 > 203.0.113.80:443 syn", "tcp 198.18.0.10:40000>203.0.113.80:443 iif lan0",
		"iif lan0 TCP 198.18.0.10:40000->203.0.113.80:443 SYN", "syn, tcp 198.18.0.10:40000 -> 203.0.113.80:443 , iif lan0",
		"proto 6 198.18.0.10:40000 > 203.0.113.80:443 ttl 64 iif lan0", "  iif  lan0\ttcp 198.18.0.10:40000 >203.0.113.80:443\n",
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct packet p = good(same[i]);

		assert_string_equal(p.iif, "lan0");
		assert_int_equal(p.ends.proto, IPPROTO_TCP);
		assert_int_equal(p.ends.src, A);
		assert_int_equal(p.ends.dst, B);
		assert_int_equal(p.ends.sport, 40000);
		assert_int_equal(p.ends.dport, 443);
		assert_int_equal(p.tcp_flags, 0x02);
		assert_int_equal(p.ttl, 64);
		assert_int_equal(p.len, 40);
		assert_false(p.df || p.has_vlan || p.dscp || p.mark);
	}
	assert_int_equal(good("tcp 198.18.0.10:1 > 203.0.113.80:2 ack").tcp_flags, 0x10);
	assert_int_equal(good("tcp 198.18.0.10:1 > 203.0.113.80:2 syn+ack").tcp_flags, 0x12);
	assert_int_equal(good("fin psh ack urg rst tcp 198.18.0.10:1 > 203.0.113.80:2").tcp_flags, 0x3d);
}

static void test_options(void **state)
{
	struct packet p = good("iif wan0 udp 203.0.113.80:53 > 198.18.0.10:4000 ttl 1 dscp ef mark 0x10 len 1500 df vlan 12");

	assert_string_equal(p.iif, "wan0");
	assert_int_equal(p.ends.proto, IPPROTO_UDP);
	assert_int_equal(p.ttl, 1);
	assert_int_equal(p.dscp, 46);
	assert_int_equal(p.mark, 0x10);
	assert_int_equal(p.len, 1500);
	assert_true(p.df && p.has_vlan);
	assert_int_equal(p.vlan, 12);
	assert_int_equal(good("gre 198.18.0.10 > 203.0.113.80 dscp af41").dscp, 34);
	assert_int_equal(good("gre 198.18.0.10 > 203.0.113.80 dscp CS6").dscp, 48);
	assert_int_equal(good("gre 198.18.0.10 > 203.0.113.80 dscp 63").dscp, 63);
	assert_int_equal(good("gre 198.18.0.10 > 203.0.113.80").ends.proto, IPPROTO_GRE);
	assert_int_equal(good("proto 99 198.18.0.10 > 203.0.113.80").ends.proto, 99);
	assert_int_equal(good("gre 198.18.0.10 > 203.0.113.80 mark 0xffffffff").mark, 0xffffffff);
}

static void test_icmp(void **state)
{
	struct packet p = good("iif lan0 icmp echo id 7 198.18.0.10 > 203.0.113.80 seq 3");

	assert_int_equal(p.icmp_type, 8);
	assert_int_equal(p.ends.sport, 7);
	assert_int_equal(p.ends.dport, 7);
	assert_int_equal(p.icmp_seq, 3);
	assert_int_equal(p.len, 84);
	assert_int_equal(good("icmp 198.18.0.10 > 203.0.113.80 id 0").ends.sport, 0);
	assert_int_equal(good("icmp 198.18.0.10 > 203.0.113.80").icmp_type, 8);
	assert_int_equal(good("icmp echo-reply 198.18.0.10 > 203.0.113.80").icmp_type, 0);
	assert_int_equal(good("icmp type 42 code 1 198.18.0.10 > 203.0.113.80").icmp_code, 1);
	p = good("icmp frag-needed mtu 1400 203.0.113.80 > 203.0.113.1 about tcp 203.0.113.1:40000 > 203.0.113.80:443");
	assert_int_equal(p.icmp_type, 3);
	assert_int_equal(p.icmp_code, 4);
	assert_int_equal(p.icmp_mtu, 1400);
	assert_int_equal(p.about.proto, IPPROTO_TCP);
	assert_int_equal(p.about.sport, 40000);
	assert_int_equal(p.about.dst, B);
	assert_int_equal(p.ends.src, B);
	p = good("icmp time-exceeded 203.0.113.80 > 203.0.113.1 about icmp 203.0.113.1 > 203.0.113.80 id 9");
	assert_int_equal(p.about.sport, 9);
	assert_int_equal(p.ends.sport, 0);
}

static void test_refused(void **state)
{
	static const char *const ends = "198.18.0.10:1 > 203.0.113.80:2";
	char long_text[4096];

	bad("", "no packet");
	bad("tcp", "no source");
	bad("tcp 198.18.0.10:1", "no destination");
	bad("tcp 198.18.0.10:1 203.0.113.80:2", "\">\"");
	bad("> 203.0.113.80:2 tcp", "wrong place");
	bad("198.18.0.10:1 > 203.0.113.80:2", "no protocol");
	bad("tcp udp 198.18.0.10:1 > 203.0.113.80:2", "\"udp\"");
	bad("tcp 198.18.0.10 > 203.0.113.80:2", "source port");
	bad("udp 198.18.0.10:1 > 203.0.113.80", "destination port");
	bad("gre 198.18.0.10:1 > 203.0.113.80", "port");
	bad("icmp 198.18.0.10:1 > 203.0.113.80", "id N");
	bad("tcp 198.18.0.300:1 > 203.0.113.80:2", "198.18.0.300");
	bad("tcp 198.18.0.10.40000 > 203.0.113.80.443", "ADDR:PORT");
	bad("tcp 198.18.0.10:x > 203.0.113.80:2", "\"x\"");
	bad("tcp 198.18.0.10:65536 > 203.0.113.80:2", "65536");
	bad("tcp [2001:db8::1]:1 > 203.0.113.80:2", "one end is of IPv4");
	bad("tcp [2001:db8::1:1 > [2001:db8::2]:2", "no IPv6 address");
	bad("tcp 2001:db8::1 > 2001:db8::2", "no source port");
	bad("icmp 2001:db8::1 > 2001:db8::2", "icmpv6");
	bad("icmpv6 198.18.0.10 > 203.0.113.80", "icmp");
	bad("icmpv6 time-exceeded 2001:db8::1 > 2001:db8::2", "echo");
	bad("udp [2001:db8::1]:1 > [2001:db8::2]:2 df", "df");
	bad("udp 198.18.0.10:1 > 203.0.113.80:2 inner-vlan 7", "vlan N inner-vlan 7");
	bad("udp 198.18.0.10:1 > 203.0.113.80:2 smac 02:00:00:00:00", "smac 02:00:00:00:00");
	bad("udp 198.18.0.10:1 > 203.0.113.80:2 dmac 02:00:00:00:00:01:02", "dmac 02:00:00:00:00:01:02");
	bad("udp 198.18.0.10:1 > 203.0.113.80:2 dmac", "nothing follows");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 203.0.113.81:2", "too many");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 > 203.0.113.81:2", "wrong place");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 sin", "\"sin\"");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 42", "\"42\"");
	bad("udp 198.18.0.10:1 > 203.0.113.80:2 syn", "flags");
	bad("udp 198.18.0.10:1 > 203.0.113.80:2 id 4", "only icmp");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 echo", "only icmp");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 ttl", "ttl N");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 ttl 0", "1 to 255");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 ttl 256", "1 to 255");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 ttl -1", "1 to 255");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 ttl 5x", "5x");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 dscp af44", "af44");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 dscp 64", "from 0 to 63");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 vlan 4096", "4095");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 len 39", "40 bytes");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 len 65536", "65535");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 mark 0x100000000", "mark");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 iif", "iif NAME");
	bad("tcp 198.18.0.10:1 > 203.0.113.80:2 iif an-interface-too-long", "15");
	bad("icmp time-exceeded 203.0.113.80 > 203.0.113.1", "about");
	bad("icmp echo 203.0.113.80 > 203.0.113.1 about udp 198.18.0.10:1 > 203.0.113.80:2", "about");
	bad("icmp time-exceeded 203.0.113.80 > 203.0.113.1 about udp 198.18.0.10:1", "quoted packet");
	bad("icmp time-exceeded 203.0.113.80 > 203.0.113.1 about about", "about");
	bad("proto 0 198.18.0.10 > 203.0.113.80", "1 to 255");
	bad("proto 256 198.18.0.10 > 203.0.113.80", "256");
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	bad(long_text, "letters");
	long_text[0] = '\0';
	for (int i = 0; i < 70; i++)
		strcat(long_text, "syn ");
	strcat(long_text, ends);
	bad(long_text, "words");
}

/* With a capture only the way in is said. */
static void test_way_in(void **state)
{
	struct packet p;
	char err[512];

	assert_int_equal(packet_parse("iif wan0 mark 7", false, &p, err, sizeof(err)), 0);
	assert_string_equal(p.iif, "wan0");
	assert_int_equal(p.mark, 7);
	assert_int_equal(packet_parse("", false, &p, err, sizeof(err)), 0);
	assert_int_not_equal(packet_parse("iif wan0 tcp", false, &p, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "\"tcp\""));
	assert_int_not_equal(packet_parse("iif wan0 ttl 4", false, &p, err, sizeof(err)), 0);
}

static uint32_t add(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? at[i] : at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Checksums of the IP packet at ip, of which the headers have no options. */
static void checksums(const uint8_t *ip, const struct packet *p)
{
	uint32_t pseudo = p->ends.proto == IPPROTO_ICMP ? 0 : add(ip + 12, 8, p->ends.proto + p->len - 20);

	assert_int_equal(add(ip, 20, 0), 0xffff);
	if (packet_has_ports(p->ends.proto) || p->ends.proto == IPPROTO_ICMP)
		assert_int_equal(add(ip + 20, p->len - 20, pseudo), 0xffff);
}

/* A sentence becomes a frame, and that the same sentence again. */
static void test_frame(void **state)
{
	static const struct {
		const char *text, *again;
	} cases[] = {
		{ "tcp 198.18.0.10:40000 > 203.0.113.80:443 syn ack", NULL }, { "udp 198.18.0.10:53 > 203.0.113.80:53 len 1001 df", "udp 198.18.0.10:53 > 203.0.113.80:53" },
		{ "icmp echo id 7 198.18.0.10 > 203.0.113.80", NULL }, { "icmp timestamp-reply id 9 198.18.0.10 > 203.0.113.80", NULL },
		{ "gre 198.18.0.10 > 203.0.113.80 len 77", "gre 198.18.0.10 > 203.0.113.80" },
		{ "icmp time-exceeded 203.0.113.80 > 203.0.113.1 about tcp 203.0.113.1:40000 > 203.0.113.80:443", NULL },
		{ "icmp host-unreachable 203.0.113.80 > 203.0.113.1 about udp 203.0.113.1:4 > 203.0.113.80:5", NULL },
		{ "icmp type 42 code 1 198.18.0.10 > 203.0.113.80", NULL },
	};
	uint8_t *frame = malloc(PACKET_L2_BYTES + PACKET_MAX_BYTES);
	char text[PACKET_TEXT_LEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int form = 0; form < 3; form++) {
			struct packet p = good(cases[i].text), q;
			size_t head = form == 2 ? 18 : form ? 14 : 0, len;

			p.l2 = form;
			p.has_vlan = form == 2;
			p.vlan = form == 2 ? 12 : 0;
			p.ttl = 9;
			p.dscp = 46;
			len = packet_build(&p, frame);
			assert_int_equal(len, head + p.len);
			checksums(frame + head, &p);
			assert_true(packet_read(frame, len, form, &q));
			assert_string_equal(packet_text(&q, text), cases[i].again ? cases[i].again : cases[i].text);
			assert_int_equal(q.ttl, 9);
			assert_int_equal(q.dscp, 46);
			assert_int_equal(q.len, p.len);
			assert_int_equal(q.df, p.df);
			assert_int_equal(q.has_vlan, form == 2);
			assert_int_equal(q.vlan, form == 2 ? 12 : 0);
		}
	free(frame);
}

/* IPv6, with link-layer addresses and two tags: what a wire may have. */
static void test_wire(void **state)
{
	static const char *const texts[] = {
		"tcp [2001:db8::1]:40000 > [2001:db8:1::2]:443 syn ack", "udp [2001:db8::1]:53 > [2001:db8:1::2]:5353",
		"icmpv6 echo id 7 2001:db8::1 > 2001:db8:1::2", "icmpv6 echo-reply id 7 2001:db8::1 > 2001:db8:1::2", "gre 2001:db8::1 > 2001:db8:1::2",
	};
	uint8_t *frame = malloc(PACKET_L2_BYTES + PACKET_MAX_BYTES);
	char sentence[256], text[PACKET_TEXT_LEN];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct packet p, q;
		size_t len;

		snprintf(sentence, sizeof(sentence), "%s smac 02:00:00:00:00:0a dmac 02:00:00:00:00:0b vlan 100 inner-vlan 7 dscp 46 ttl 9", texts[i]);
		p = good(sentence);
		p.l2 = true;
		len = packet_build(&p, frame);
		assert_int_equal(len, 22 + p.len);
		assert_memory_equal(frame + 12, "\x88\xa8\0\x64\x81\0\0\7\x86\xdd", 10);
		assert_true(packet_read(frame, len, true, &q));
		assert_string_equal(packet_text(&q, text), texts[i]);
		assert_true(q.has_vlan && q.has_inner && q.vlan == 100 && q.inner == 7 && q.smac[5] == 0x0a && q.dmac[5] == 0x0b);
		assert_int_equal(q.ttl, 9);
		assert_int_equal(q.dscp, 46);
		assert_int_equal(q.len, p.len);
		assert_true(packet_read(frame + 22, p.len, false, &q));
		assert_string_equal(packet_text(&q, text), texts[i]);
		for (size_t cut = 0; cut < 22 + 40; cut++)
			assert_false(packet_read(frame, cut, true, &q));
	}
	free(frame);
}

/* Shorter than its headers: no packet, and not a byte behind its end is read. */
static void test_cut(void **state)
{
	static const char *const texts[] = { "tcp 198.18.0.10:1 > 203.0.113.80:2", "udp 198.18.0.10:1 > 203.0.113.80:2", "icmp 198.18.0.10 > 203.0.113.80",
					     "icmp time-exceeded 203.0.113.80 > 203.0.113.1 about udp 203.0.113.1:4 > 203.0.113.80:5" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint8_t *frame = malloc(PACKET_L2_BYTES + PACKET_MAX_BYTES);
		struct packet p = good(texts[i]), q;
		size_t len, whole;

		p.l2 = p.has_vlan = true;
		whole = packet_build(&p, frame);
		for (len = 0; len < whole; len++) {
			uint8_t *cut = malloc(len + 1);

			memcpy(cut, frame, len);
			cut = realloc(cut, len ? len : 1);
			assert_int_equal(packet_read(cut, len, true, &q), len >= 18u + 20 + (p.ends.proto == IPPROTO_TCP ? 20 : 8));
			free(cut);
		}
		free(frame);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),	 cmocka_unit_test(test_options), cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_way_in),	 cmocka_unit_test(test_frame),
		cmocka_unit_test(test_cut),	 cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
