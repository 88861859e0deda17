/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_unaccelerated.c - connections of libnetfilter_conntrack's in natvi's form, masters of children, and why a connection
 * is not accelerated; natvi(8) has all reasons in the same words. Runs in the top directory.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/addr.h"
#include "lib/instance.h"
#include "lib/unaccelerated.h"

#define STEADY	(IPS_CONFIRMED | IPS_ASSURED | IPS_SEEN_REPLY)

static union addr ip(const char *text)
{
	union addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

/* Reading */

static struct nf_conntrack *web(void)
{
	struct nf_conntrack *ct = nfct_new();

	assert_non_null(ct);
	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u8(ct, ATTR_REPL_L3PROTO, AF_INET);
	nfct_set_attr_u8(ct, ATTR_REPL_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u32(ct, ATTR_ORIG_IPV4_SRC, ip("198.18.0.10").word[3]);
	nfct_set_attr_u32(ct, ATTR_ORIG_IPV4_DST, ip("203.0.113.9").word[3]);
	nfct_set_attr_u32(ct, ATTR_REPL_IPV4_SRC, ip("203.0.113.9").word[3]);
	nfct_set_attr_u32(ct, ATTR_REPL_IPV4_DST, ip("192.0.2.2").word[3]);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, htons(40000));
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, htons(443));
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_SRC, htons(443));
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_DST, htons(50000));
	nfct_set_attr_u32(ct, ATTR_STATUS, STEADY);
	nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	return ct;
}

static void test_read(void **state)
{
	struct nf_conntrack *ct = web();
	struct ct_entry e;

	ct_read(&e, ct);
	assert_true(addr_equal(&e.orig.src, &(union addr[]){ ip("198.18.0.10") }[0]));
	assert_true(addr_equal(&e.reply.dst, &(union addr[]){ ip("192.0.2.2") }[0]));
	assert_int_equal(e.orig.sport, htons(40000));
	assert_int_equal(e.reply.dport, htons(50000));
	assert_int_equal(e.orig.proto, IPPROTO_TCP);
	assert_int_equal(e.orig.zone, 0);
	assert_int_equal(e.status, STEADY);
	assert_false(e.has_master);
	assert_false(e.liberal);
	assert_string_equal(e.helper, "");
	nfct_set_attr(ct, ATTR_HELPER_NAME, "ftp");
	nfct_set_attr_u32(ct, ATTR_MARK, 7);
	nfct_set_attr_u16(ct, ATTR_ZONE, 5);
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, 431999);
	nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_ORIG, 0x0a);
	ct_read(&e, ct);
	assert_false(e.liberal);		/* one way is not enough */
	nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_REPL, 0x08);
	ct_read(&e, ct);
	assert_true(e.liberal);
	assert_string_equal(e.helper, "ftp");
	assert_int_equal(e.mark, 7);
	assert_int_equal(e.zone, 5);
	assert_int_equal(e.timeout_s, 431999);
	nfct_destroy(ct);
}

static void test_read_v6(void **state)
{
	struct nf_conntrack *ct = nfct_new();
	union addr a = ip("2001:db8::1"), b = ip("2001:db8::2");
	struct ct_entry e;

	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET6);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_UDP);
	nfct_set_attr(ct, ATTR_ORIG_IPV6_SRC, &a);
	nfct_set_attr(ct, ATTR_ORIG_IPV6_DST, &b);
	nfct_set_attr(ct, ATTR_REPL_IPV6_SRC, &b);
	nfct_set_attr(ct, ATTR_REPL_IPV6_DST, &a);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, htons(1));
	ct_read(&e, ct);
	assert_true(addr_equal(&e.orig.src, &a) && addr_equal(&e.orig.dst, &b) && addr_equal(&e.reply.src, &b));
	assert_int_equal(e.orig.sport, htons(1));
	nfct_destroy(ct);
}

static void test_masters(void **state)
{
	struct nf_conntrack *ct = web();
	struct ct_masters masters = { 0 };
	const struct tuple *master;
	struct ct_entry e, child;

	ct_read(&e, ct);
	assert_int_equal(ct_masters_add(&masters, &e), 0);
	assert_int_equal(masters.n, 0);			/* it is nobody's child */
	nfct_set_attr_u32(ct, ATTR_MASTER_IPV4_SRC, ip("198.18.0.10").word[3]);
	nfct_set_attr_u32(ct, ATTR_MASTER_IPV4_DST, ip("203.0.113.9").word[3]);
	nfct_set_attr_u16(ct, ATTR_MASTER_PORT_DST, htons(21));
	nfct_set_attr_u8(ct, ATTR_MASTER_L4PROTO, IPPROTO_TCP);
	for (uint16_t port = 300; port; port--) {
		nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, htons(port));
		nfct_set_attr_u16(ct, ATTR_MASTER_PORT_SRC, htons((uint16_t)(port + 1000)));
		ct_read(&child, ct);
		assert_true(child.has_master);
		assert_int_equal(ct_masters_add(&masters, &child), 0);
	}
	ct_masters_sort(&masters);
	child.orig.zone = 3;				/* natvi's zones are not conntrack's */
	for (uint16_t port = 1; port <= 300; port++) {
		child.orig.sport = htons(port);
		master = ct_master_of(&masters, &child.orig);
		assert_non_null(master);
		assert_int_equal(ntohs(master->sport), port + 1000);
		assert_int_equal(ntohs(master->dport), 21);
		assert_int_equal(master->proto, IPPROTO_TCP);
	}
	assert_null(ct_master_of(&masters, &e.orig));
	ct_masters_free(&masters);
	assert_null(ct_master_of(&masters, &child.orig));
	nfct_destroy(ct);
}

/* From the kernel: a master with a child, in a namespace of their own. */

static void create(struct nfct_handle *handle, struct nf_conntrack *ct)
{
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, 100);
	nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_ORIG, 0x08);
	nfct_set_attr_u8(ct, ATTR_TCP_MASK_ORIG, 0x08);
	nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_REPL, 0x08);
	nfct_set_attr_u8(ct, ATTR_TCP_MASK_REPL, 0x08);
	if (nfct_query(handle, NFCT_Q_CREATE, ct))
		fail_msg("conntrack takes no connection: %s", strerror(errno));
	nfct_destroy(ct);
}

static int see(const struct ct_entry *e, void *arg)
{
	assert_true(e->liberal);
	assert_int_equal(e->tcp_state, TCP_CONNTRACK_ESTABLISHED);
	assert_true((e->status & STEADY) == STEADY);
	return ++*(int *)arg == 3 ? 77 : 0;
}

static void test_kernel(void **state)
{
	struct nfct_handle *handle = unshare(CLONE_NEWNET) ? NULL : nfct_open(CONNTRACK, 0);
	struct nf_conntrack *ct;
	struct ct_masters masters;
	struct ct_entry child;
	int seen = 0;

	if (!handle) {
		print_message("SKIP: no namespaces, or no conntrack\n");
		skip();
	}
	ct = web();
	create(handle, ct);
	ct = web();
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, htons(50000));
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_SRC, htons(50000));
	nfct_set_attr_u8(ct, ATTR_MASTER_L3PROTO, AF_INET);
	nfct_set_attr_u8(ct, ATTR_MASTER_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u32(ct, ATTR_MASTER_IPV4_SRC, ip("198.18.0.10").word[3]);
	nfct_set_attr_u32(ct, ATTR_MASTER_IPV4_DST, ip("203.0.113.9").word[3]);
	nfct_set_attr_u16(ct, ATTR_MASTER_PORT_SRC, htons(40000));
	nfct_set_attr_u16(ct, ATTR_MASTER_PORT_DST, htons(443));
	ct_read(&child, ct);
	create(handle, ct);
	assert_int_equal(ct_each(see, &seen), 0);
	assert_int_equal(seen, 2);
	assert_int_equal(ct_each(see, &seen), 77);	/* the third ends it */
	assert_int_equal(ct_masters_read(&masters), 0);
	assert_int_equal(masters.n, 1);
	assert_non_null(ct_master_of(&masters, &child.orig));
	assert_int_equal(ntohs(ct_master_of(&masters, &child.orig)->dport), 443);
	ct_masters_free(&masters);
	nfct_close(handle);
}

/* Reasons */

static union addr own[2];
static struct rule exclude;
static struct accel_policy policy;
static struct accel_view view;
static struct accel_facts facts;
static struct ct_entry entry;

/* A connection that nothing stands against. */
static int fresh(void **state)
{
	struct nf_conntrack *ct = web();

	ct_read(&entry, ct);
	nfct_destroy(ct);
	entry.liberal = true;
	own[0] = ip("192.0.2.2");
	own[1] = ip("2001:db8::ff");
	view = (struct accel_view){ .own = own, .n_own = 2, .excludes = &exclude, .policies = &policy };
	facts = (struct accel_facts){ .in_zone = ZONE_ANY, .out_zone = ZONE_ANY };
	exclude = (struct rule){ .traffic = RULE_EXCLUDE, .sport_hi = 65535, .dport_hi = 65535, .in_zone = ZONE_ANY, .out_zone = ZONE_ANY };
	policy = (struct accel_policy){ .v4 = true, .src_len = 96, .dst_len = 96, .src = ip("0.0.0.0"), .dst = ip("0.0.0.0") };
	return 0;
}

static const char *reason(void)
{
	return unaccelerated_name(unaccelerated_reason(&entry, &view, &facts));
}

static void test_state(void **state)
{
	static const struct {
		uint8_t tcp_state;
		const char *reason;
	} list[] = {
		{ TCP_CONNTRACK_SYN_SENT, "not-assured" }, { TCP_CONNTRACK_SYN_RECV, "not-assured" },
		{ TCP_CONNTRACK_SYN_SENT2, "not-assured" }, { TCP_CONNTRACK_ESTABLISHED, "idle" },
		{ TCP_CONNTRACK_FIN_WAIT, "closing" }, { TCP_CONNTRACK_TIME_WAIT, "closing" }, { TCP_CONNTRACK_CLOSE, "closing" },
	};

	assert_string_equal(reason(), "idle");
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		entry.tcp_state = list[i].tcp_state;
		assert_string_equal(reason(), list[i].reason);
	}
	entry.tcp_state = TCP_CONNTRACK_ESTABLISHED;
	entry.liberal = false;
	assert_string_equal(reason(), "not-liberal");
	facts.left = LEFT_CUT | LEFT_ALTERED;
	entry.liberal = true;
	assert_string_equal(reason(), "fragment");
	facts.left = LEFT_ALTERED;
	assert_string_equal(reason(), "altered");
	facts.left = 0;
	entry.liberal = false;
	entry.orig.proto = IPPROTO_UDP;
	assert_string_equal(reason(), "idle");		/* UDP has no windows */
	entry.status &= ~(uint32_t)IPS_ASSURED;
	assert_string_equal(reason(), "not-assured");
	entry.orig.proto = IPPROTO_GRE;
	assert_string_equal(reason(), "proto");
}

static void test_of_the_kernel(void **state)
{
	entry.status |= IPS_OFFLOAD;
	assert_string_equal(reason(), "offloaded");
	entry.status |= IPS_SEQ_ADJUST;
	assert_string_equal(reason(), "sequence-adjusted");
	strcpy(entry.helper, "ftp");
	assert_string_equal(reason(), "helper");
	facts.own_session = true;
	assert_string_equal(reason(), "translated");
}

static void test_local(void **state)
{
	static const char *const ends[] = { "192.0.2.2", "127.0.0.5", "::1", "2001:db8::ff" };

	for (size_t i = 0; i < 4; i++) {
		fresh(state);
		entry.orig.src = ip(ends[i]);
		assert_string_equal(reason(), "local");
		fresh(state);
		entry.reply.src = ip(ends[i]);
		assert_string_equal(reason(), "local");
	}
	fresh(state);
	entry.orig.dst = ip("192.0.2.2");	/* DNAT: the box's address, another host's answer */
	assert_string_equal(reason(), "idle");
}

static void test_excluded(void **state)
{
	assert_string_equal(reason(), "idle");
	view.n_excludes = 1;
	assert_string_equal(reason(), "excluded");
	exclude.proto = IPPROTO_UDP;
	assert_string_equal(reason(), "idle");
	exclude.proto = IPPROTO_TCP;
	exclude.dport_lo = exclude.dport_hi = 443;
	exclude.src = ip("198.18.0.0");
	exclude.src_len = 96 + 16;
	assert_string_equal(reason(), "excluded");
	exclude.dst = ip("192.0.2.0");		/* what it has become does not count */
	exclude.dst_len = 96 + 24;
	assert_string_equal(reason(), "idle");
	exclude.dst_len = 0;
	exclude.sport_hi = 1023;
	assert_string_equal(reason(), "idle");
	exclude.sport_hi = 65535;
	exclude.mark = 0x10;
	exclude.mark_mask = 0xf0;
	assert_string_equal(reason(), "idle");
	entry.mark = 0x17;
	assert_string_equal(reason(), "excluded");
	exclude.dscp = 1;			/* cannot be seen */
	assert_string_equal(reason(), "idle");
	exclude.dscp = 0;
	exclude.traffic = RULE_THROUGH;
	assert_string_equal(reason(), "idle");
}

static void test_excluded_by_way(void **state)
{
	view.n_excludes = 1;
	exclude.in_ifindex = 2;
	assert_string_equal(reason(), "idle");	/* not known */
	facts.in_ifindex = 2;
	assert_string_equal(reason(), "excluded");
	exclude.out_ifindex = IFINDEX_ABSENT;
	facts.out_ifindex = 3;
	assert_string_equal(reason(), "idle");
	exclude.out_ifindex = 0;
	exclude.out_zone = 1;
	assert_string_equal(reason(), "idle");
	facts.out_zone = 1;
	assert_string_equal(reason(), "excluded");
}

static void test_xfrm(void **state)
{
	view.n_policies = 1;
	assert_string_equal(reason(), "xfrm");
	policy.v4 = false;
	assert_string_equal(reason(), "idle");
	policy.v4 = true;
	policy.src = ip("192.0.2.2");		/* as it leaves */
	policy.src_len = 128;
	assert_string_equal(reason(), "xfrm");
	policy.src = ip("198.18.0.10");		/* as it passes */
	assert_string_equal(reason(), "xfrm");
	policy.src = ip("203.0.113.9");		/* the answers */
	assert_string_equal(reason(), "xfrm");
	policy.dst = ip("203.0.113.9");
	policy.dst_len = 128;
	assert_string_equal(reason(), "idle");
	policy.src_len = 96;
	policy.dport = htons(443);
	policy.dport_mask = 0xffff;
	assert_string_equal(reason(), "xfrm");
	policy.dport = htons(444);
	assert_string_equal(reason(), "idle");
	policy.dport_mask = 0;
	policy.proto = IPPROTO_UDP;
	assert_string_equal(reason(), "idle");
}

/* As of the verdicts: every reason, in the words of the list, and none that is gone. */
static void test_manual(void **state)
{
	char want[512], *page, *from, *end;
	unsigned int listed = 0;
	size_t len;

	assert_int_equal(file_read("man/natvi.8", 1 << 20, &page, &len), 0);
	from = strstr(page, ".Ss Why a connection is not accelerated");
	assert_non_null(from);
	end = strstr(from, "\n.El");
	assert_non_null(end);
	*end = '\0';
	for (unsigned int r = 0; r < UNACCELERATED_COUNT; r++) {
		snprintf(want, sizeof(want), "\n.It Cm %s\n%s", unaccelerated_name(r), unaccelerated_text(r));
		if (!strstr(from, want))
			fail_msg("man/natvi.8 does not have:%s", want);
	}
	while ((from = strstr(from, "\n.It Cm "))) {
		from++;
		listed++;
	}
	assert_int_equal(listed, UNACCELERATED_COUNT);
	assert_string_equal(unaccelerated_name(UNACCELERATED_COUNT), "unknown");
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_v6),
		cmocka_unit_test(test_masters),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test_setup(test_state, fresh),
		cmocka_unit_test_setup(test_of_the_kernel, fresh),
		cmocka_unit_test_setup(test_local, fresh),
		cmocka_unit_test_setup(test_excluded, fresh),
		cmocka_unit_test_setup(test_excluded_by_way, fresh),
		cmocka_unit_test_setup(test_xfrm, fresh),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
