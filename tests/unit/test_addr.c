/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_addr.c - addresses, prefixes, ranges, ports and protocols: what is read, what is refused, what is
 * printed; and the log's levels and prefix.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/addr.h"
#include "lib/log.h"

#define A(a, b, c, d)	((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static void test_address(void **state)
{
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "256.1.1.1", " 1.2.3.4", "1.2.3.4 ", "01.2.3.4", "1.2.3.+4",
					   "0x1.2.3.4", "1.2.3.4/32", "a", "-1.2.3.4" };
	char text[ADDR_TEXT_LEN];
	uint32_t addr = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(addr_parse4(bad[i], &addr), -EINVAL);
		assert_int_equal(addr, 7);
	}
	assert_int_equal(addr_parse4("203.0.113.255", &addr), 0);
	assert_int_equal(addr, A(203, 0, 113, 255));
	assert_string_equal(addr_print4(addr, text), "203.0.113.255");
}

static void test_prefix(void **state)
{
	static const struct { const char *text; int result; uint32_t addr; uint8_t len; } list[] = {
		{ "198.18.0.0/15", 0, A(198, 18, 0, 0), 15 }, { "0.0.0.0/0", 0, 0, 0 }, { "192.0.2.1", 0, A(192, 0, 2, 1), 32 },
		{ "192.0.2.1/32", 0, A(192, 0, 2, 1), 32 }, { "192.0.2.1/24", -EDOM, A(192, 0, 2, 0), 24 },
		{ "192.0.2.0/33", -ERANGE, 9, 9 }, { "192.0.2.0/", -EINVAL, 9, 9 }, { "192.0.2.0/024", -EINVAL, 9, 9 },
		{ "192.0.2.0/ 24", -EINVAL, 9, 9 }, { "192.0.2.0/24x", -EINVAL, 9, 9 }, { "/24", -EINVAL, 9, 9 },
		{ "192.0.2.0/99999999999999999999999", -ERANGE, 9, 9 },
	};
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		uint32_t addr = 9;
		uint8_t len = 9;

		assert_int_equal(addr_parse_prefix4(list[i].text, &addr, &len), list[i].result);
		assert_int_equal(addr, list[i].addr);
		assert_int_equal(len, list[i].len);
	}
	assert_string_equal(addr_print_prefix4(A(198, 18, 0, 0), 15, text), "198.18.0.0/15");
	assert_string_equal(addr_print_prefix4(0, 0, text), "0.0.0.0/0");
	assert_string_equal(addr_print_prefix4(1, 32, text), "0.0.0.1");
}

static void test_range(void **state)
{
	char text[ADDR_RANGE_LEN];
	uint32_t lo = 0, hi = 0;

	assert_int_equal(addr_parse_range4("203.0.113.40-203.0.113.47", &lo, &hi), 0);
	assert_int_equal(hi - lo, 7);
	assert_string_equal(addr_print_range4(lo, hi, text), "203.0.113.40/29");
	assert_string_equal(addr_print_range4(lo + 1, hi, text), "203.0.113.41-203.0.113.47");
	assert_string_equal(addr_print_range4(lo, lo, text), "203.0.113.40");
	assert_string_equal(addr_print_range4(0, ~0u, text), "0.0.0.0/0");
	assert_string_equal(addr_print_range4(A(255, 255, 255, 253), ~0u, text), "255.255.255.253-255.255.255.255");
	assert_int_equal(addr_parse_range4("203.0.113.0/24", &lo, &hi), 0);
	assert_int_equal(hi, A(203, 0, 113, 255));
	assert_int_equal(addr_parse_range4("203.0.113.2-203.0.113.1", &lo, &hi), -ERANGE);
	assert_int_equal(addr_parse_range4("203.0.113.2-", &lo, &hi), -EINVAL);
	assert_int_equal(addr_parse_range4("-203.0.113.2", &lo, &hi), -EINVAL);
	assert_int_equal(addr_parse_range4("203.0.113.2 - 203.0.113.3", &lo, &hi), -EINVAL);
	assert_int_equal(addr_parse_range4("203.0.113.2-9", &lo, &hi), -EINVAL);
}

static void test_both_families(void **state)
{
	union addr addr, other;
	char text[ADDR_TEXT_LEN];
	uint8_t len;

	assert_int_equal(addr_parse("192.0.2.1", &addr), 0);
	assert_true(addr_is4(&addr));
	assert_int_equal(addr.byte[10], 0xff);
	assert_int_equal(addr.byte[12], 192);
	assert_int_equal(addr_to4(&addr), A(192, 0, 2, 1));
	other = addr_from4(A(192, 0, 2, 1));
	assert_true(addr_equal(&addr, &other));
	assert_string_equal(addr_print(&addr, text), "192.0.2.1");
	assert_int_equal(addr_parse("2001:db8::1", &addr), 0);
	assert_false(addr_is4(&addr));
	assert_string_equal(addr_print(&addr, text), "2001:db8::1");
	assert_int_equal(addr_parse("2001:db8:::1", &addr), -EINVAL);
	assert_int_equal(addr_parse_prefix("192.0.2.0/24", &addr, &len), 0);
	assert_int_equal(len, 120);
	assert_string_equal(addr_print_prefix(&addr, len, text), "192.0.2.0/24");
	assert_true(addr_in_prefix(&other, &addr, len));
	other = addr_from4(A(192, 0, 3, 1));
	assert_false(addr_in_prefix(&other, &addr, len));
	assert_true(addr_in_prefix(&other, &addr, 119));
	assert_true(addr_in_prefix(&other, &addr, 0));
	assert_int_equal(addr_parse_prefix("2001:db8:8000::/33", &addr, &len), 0);
	assert_int_equal(len, 33);
	assert_string_equal(addr_print_prefix(&addr, len, text), "2001:db8:8000::/33");
	assert_int_equal(addr_parse_prefix("2001:db8::1/32", &addr, &len), -EDOM);
	assert_string_equal(addr_print_prefix(&addr, len, text), "2001:db8::/32");
	assert_int_equal(addr_parse_prefix("2001:db8::/129", &addr, &len), -ERANGE);
	assert_int_equal(addr_parse_prefix("192.0.2.0/129", &addr, &len), -ERANGE);
	assert_int_equal(addr_parse_prefix("2001:db8::", &addr, &len), 0);
	assert_int_equal(len, 128);
	assert_int_equal(addr_mask4(0), 0);
	assert_int_equal(addr_mask4(31), 0xfffffffe);
}

static void test_ports(void **state)
{
	static const struct { const char *text; int result; } bad[] = {
		{ "", -EINVAL }, { "65536", -ERANGE }, { "-1", -EINVAL }, { "1-", -EINVAL }, { "+1", -EINVAL }, { "080", -EINVAL },
		{ "80 ", -EINVAL }, { "2-1", -ERANGE }, { "1-65536", -ERANGE }, { "1-2-3", -EINVAL }, { "http", -EINVAL },
		{ "99999999999999999999", -ERANGE }, { "0-00", -EINVAL },
	};
	char text[PORTS_TEXT_LEN];
	uint16_t lo = 5, hi = 5;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(addr_parse_ports(bad[i].text, &lo, &hi), bad[i].result);
		assert_int_equal(lo, 5);
	}
	assert_int_equal(addr_parse_ports("0-65535", &lo, &hi), 0);
	assert_int_equal(hi, 65535);
	assert_int_equal(addr_parse_ports("443", &lo, &hi), 0);
	assert_string_equal(addr_print_ports(lo, hi, text), "443");
	assert_string_equal(addr_print_ports(10000, 65535, text), "10000-65535");
}

static void test_proto(void **state)
{
	char text[PROTO_TEXT_LEN];
	uint8_t proto = 0;

	assert_int_equal(addr_parse_proto("tcp", &proto), 0);
	assert_int_equal(proto, 6);
	assert_int_equal(addr_parse_proto("GRE", &proto), 0);
	assert_int_equal(proto, 47);
	assert_int_equal(addr_parse_proto("255", &proto), 0);
	assert_int_equal(proto, 255);
	assert_int_equal(addr_parse_proto("256", &proto), -ERANGE);
	assert_int_equal(addr_parse_proto("tcpp", &proto), -EINVAL);
	assert_int_equal(addr_parse_proto("", &proto), -EINVAL);
	assert_string_equal(addr_print_proto(17, text), "udp");
	assert_string_equal(addr_print_proto(200, text), "200");
	for (unsigned int i = 0; i < 256; i++) {
		assert_int_equal(addr_parse_proto(addr_print_proto((uint8_t)i, text), &proto), 0);
		assert_int_equal(proto, i);
	}
}

/* Catch what goes to standard error while a message is written. */
static void log_caught(char *buf, size_t len, bool journal, void (*say)(void))
{
	int fd[2], saved = dup(STDERR_FILENO);
	char stream[64];
	struct stat st;
	ssize_t got;

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(fstat(fd[1], &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + !journal);
	setenv("JOURNAL_STREAM", stream, 1);
	dup2(fd[1], STDERR_FILENO);
	say();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd[1]);
	got = read(fd[0], buf, len - 1);
	close(fd[0]);
	unsetenv("JOURNAL_STREAM");
	assert_true(got >= 0);
	buf[got] = '\0';
}

static void say_warning(void)
{
	errno = EBUSY;
	log_warn("wan0: %d\nnext\x1b\n", 5);
	assert_int_equal(errno, EBUSY);
}

static void say_debug(void)
{
	log_debug("hidden");
}

static void test_log(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;
	char buf[256];

	log_caught(buf, sizeof(buf), false, say_warning);
	assert_string_equal(buf, "natvi: wan0: 5 next?\n");
	log_caught(buf, sizeof(buf), true, say_warning);
	assert_string_equal(buf, "<4>wan0: 5 next?\n");
	log_caught(buf, sizeof(buf), false, say_debug);
	assert_string_equal(buf, "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_caught(buf, sizeof(buf), true, say_debug);
	assert_string_equal(buf, "<7>hidden\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_caught(buf, sizeof(buf), false, say_warning);
	assert_string_equal(buf, "");
	assert_int_equal(log_level_parse("info", &level), 0);
	assert_int_equal(level, LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_string_equal(log_level_name(LOG_LEVEL_WARN), "warn");
	log_set_level(LOG_LEVEL_INFO);
	assert_int_equal(log_get_level(), LOG_LEVEL_INFO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_proto),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests_name("addresses and log", tests, NULL, NULL);
}
