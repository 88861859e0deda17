/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/plan.c daemon/plan_addrs.c daemon/plan_rules.c daemon/plan_zones.c daemon/addrs.c daemon/links.c */
/* What the maps are to hold for a configuration and a set of interfaces. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/plan.h"
#include "lib/addr.h"

static struct link test_links[] = {
	{ .ifindex = 2, .name = "lan0", .flags = IFF_UP, .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 1 } },
	{ .ifindex = 3, .name = "wan0", .flags = IFF_UP, .carrier = true, .mtu = 1400, .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 2 } },
	{ .ifindex = 9, .name = "tun0", .flags = IFF_UP, .mtu = 1300, .type = ARPHRD_NONE },
};

static struct ifaddr4 test_addrs[] = {
	{ .ifindex = 2, .addr = 0xc6120001, .len = 24 },			/* 198.18.0.1 */
	{ .ifindex = 3, .addr = 0xcb007102, .len = 24, .secondary = true },	/* 203.0.113.2 */
	{ .ifindex = 3, .addr = 0xcb007101, .len = 24 },			/* 203.0.113.1 */
};

static struct links picture = { .list = test_links, .n = 3, .addrs = test_addrs, .n_addrs = 3 };

static struct pool_place no_places[NATVI_MAX_POOLS];

struct fixture {
	struct config *config;
	struct slots slots;
	struct plan plan;
	char err[512];
};

static int build(struct fixture *f, const char *yaml, const struct pool_place *places)
{
	struct plan_input input = { .links = &picture, .places = places, .local_lo = 32768, .local_hi = 60999 };
	struct cfg_errors errors = { 0 };

	memset(f, 0, sizeof(*f));
	if (config_read_text(yaml, strlen(yaml), "test", &f->config, &errors)) {
		cfg_errors_print(NULL, "test", &errors, stderr);
		fail();
	}
	cfg_errors_free(&errors);
	input.config = f->config;
	assert_int_equal(slots_init(&f->slots, 64), 0);
	return plan_build(&f->plan, &input, &f->slots, f->err, sizeof(f->err));
}

static void done(struct fixture *f)
{
	plan_free(&f->plan);
	slots_free(&f->slots);
	config_free(f->config);
}

static const char masquerade[] =
	"interfaces: [{name: lan0}, {name: wan0}, {name: later0}]\n"
	"rules:\n"
	"  - {name: out, from: {interface: lan0}, to: {interface: wan0}, action: masquerade}\n"
	"  - {name: absent, from: {interface: later0}, action: drop}\n";

static const char kernel[] =
	"interfaces: [{name: lan0}, {name: wan0}]\n"
	"rules:\n"
	"  - {to: {interface: wan0, port: 21}, proto: tcp, action: {kernel: {masquerade: true, ports: 61000-61999, helper: ftp}}}\n"
	"  - {to: {interface: wan0}, proto: gre, action: {kernel: {snat: 203.0.113.20}}}\n"
	"  - {to: {interface: wan0}, action: masquerade}\n";

/* What the kernel's NAT gives away is not natvi's: ports of the way out's addresses, of that protocol; an address of its own. */
static void the_kernels(void **state)
{
	const struct plan_addr *addr;
	struct portset taken;
	struct fixture f;

	assert_int_equal(build(&f, kernel, no_places), 0);
	assert_true(f.plan.settings.flags & SETTINGS_HELP);
	addr = plan_find_addr(&f.plan, 0xcb007101, 0);
	plan_taken(&f.plan, addr, PORTBITS_TCP, &taken);
	assert_true(portset_has(&taken, 61000) && portset_has(&taken, 61999));
	assert_false(portset_has(&taken, 62000));
	plan_taken(&f.plan, addr, PORTBITS_UDP, &taken);
	assert_false(portset_has(&taken, 61000));
	addr = plan_find_addr(&f.plan, 0xcb007114, 0);
	assert_int_equal(addr->flags, ADDR_LOCAL);
	assert_int_equal(addr->slot, SLOT_NONE);
	done(&f);
}

static void masquerading(void **state)
{
	const struct plan_addr *addr;
	struct portset taken;
	struct fixture f;

	assert_int_equal(build(&f, masquerade, no_places), 0);
	assert_int_equal(f.plan.n_pools, 1);
	assert_string_equal(f.plan.pools[0].name, "wan0");
	assert_int_equal(f.plan.pools[0].n_addrs, 1);
	assert_int_equal(addr_to4(&f.plan.pool_addrs[0].addr), 0xcb007101);	/* the primary one */
	assert_int_equal(f.plan.pool_addrs[0].flags, ADDR_POOL | ADDR_LOCAL);
	assert_true(f.plan.settings.flags & SETTINGS_NEED_OUT);

	assert_int_equal(f.plan.n_ports, 2);
	assert_int_equal(f.plan.ports[0].masq_pool, POOL_MASQUERADE);
	assert_int_equal(f.plan.ports[1].masq_pool, 0);
	assert_int_equal(f.plan.ports[1].mtu, 1400);
	assert_int_equal(ntohl(f.plan.ports[1].addr4), 0xcb007101);

	assert_int_equal(f.plan.n_rules, 2);
	assert_int_equal(f.plan.rules[0].in_ifindex, 2);
	assert_int_equal(f.plan.rules[0].out_ifindex, 3);
	assert_int_equal(f.plan.rules[0].pool, POOL_MASQUERADE);
	assert_int_equal(f.plan.rules[0].id, 1);
	assert_int_equal(f.plan.rules[1].in_ifindex, IFINDEX_ABSENT);

	addr = plan_find_addr(&f.plan, 0xcb007101, 0);
	assert_non_null(addr);
	assert_int_not_equal(addr->slot, SLOT_NONE);
	plan_taken(&f.plan, addr, PORTBITS_TCP, &taken);
	assert_true(portset_has(&taken, 0) && portset_has(&taken, 40000));
	assert_false(portset_has(&taken, 1024) || portset_has(&taken, 61000));
	plan_taken(&f.plan, addr, PORTBITS_ICMP, &taken);
	assert_false(portset_has(&taken, 0) || portset_has(&taken, 40000));

	addr = plan_find_addr(&f.plan, 0xc6120001, 0);
	assert_int_equal(addr->flags, ADDR_LOCAL);
	assert_int_equal(addr->slot, SLOT_NONE);
	assert_null(plan_find_addr(&f.plan, 0x01020304, 0));
	done(&f);
}

static void lists_are_multiplied_out(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: wan0}]\n"
		"pools: [{name: public, addresses: [192.0.2.0/29]}]\n"
		"rules:\n"
		"  - from: {interface: lan0, source: [198.18.0.0/24, 198.18.1.0/24]}\n"
		"    to: {destination: [198.51.100.0/24], port: [80, 443]}\n"
		"    proto: [tcp, udp]\n"
		"    action: {snat: public}\n";
	unsigned int seen = 0;
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), 0);
	assert_int_equal(f.plan.n_rules, 8);
	for (size_t i = 0; i < 8; i++) {
		const struct rule *r = &f.plan.rules[i];

		assert_int_equal(r->id, 1);
		assert_int_equal(r->pool, 0);
		assert_int_equal(r->src_len, 96 + 24);
		assert_int_equal(r->sport_hi, 65535);
		assert_true(r->dport_lo == r->dport_hi);
		seen |= 1u << ((r->src.byte[14] & 1) | (r->dport_lo == 443) << 1 | (r->proto == 17) << 2);
	}
	assert_int_equal(seen, 0xff);
	assert_int_equal(f.plan.n_pool_addrs, 8);
	assert_int_equal(f.plan.pools[0].n_addrs, 8);
	assert_int_equal(f.plan.settings.flags & SETTINGS_NEED_OUT, 0);
	done(&f);
}

static void forwards_take_their_ports(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: wan0}]\n"
		"rules: [{from: {interface: lan0}, to: {interface: wan0}, action: masquerade}]\n"
		"forwards:\n"
		"  - {proto: tcp, external: '203.0.113.1:443', internal: '198.18.0.10:8443'}\n"
		"  - {proto: udp, external: '192.0.2.77:5000-5001', internal: '198.18.0.11:6000-6001'}\n";
	const struct plan_addr *addr;
	struct portset taken;
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), 0);
	assert_int_equal(f.plan.n_statics, 3);
	addr = plan_find_addr(&f.plan, 0xcb007101, 0);
	assert_int_equal(addr->flags, ADDR_LOCAL | ADDR_POOL | ADDR_FORWARD);
	plan_taken(&f.plan, addr, PORTBITS_TCP, &taken);
	assert_true(portset_has(&taken, 443));
	plan_taken(&f.plan, addr, PORTBITS_UDP, &taken);
	assert_false(portset_has(&taken, 443));
	for (size_t i = 0; i < 3; i++) {
		const struct plan_static *s = &f.plan.statics[i];

		assert_int_equal(s->inside.kind, MAPPING_INSIDE);
		assert_int_equal(s->inside.pool, s->pool);
		if (s->outside.proto == 6) {
			assert_int_equal(ntohs(s->inside.port), 8443);
			assert_int_equal(s->pool, 0);
			assert_int_equal(s->slot, addr->slot);
		} else {
			assert_int_equal(ntohs(s->inside.port), ntohs(s->outside.port) + 1000);
			assert_int_equal(s->pool, POOL_NONE);
		}
	}
	done(&f);
}

static void pools_keep_their_index(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: wan0}]\n"
		"pools: [{name: new, addresses: [192.0.2.0/30]}, {name: old, addresses: [192.0.2.8/30]}]\n"
		"rules:\n"
		"  - {from: {interface: lan0}, action: {snat: old}}\n"
		"  - {from: {interface: lan0}, to: {interface: wan0}, action: masquerade}\n";
	struct pool_place places[NATVI_MAX_POOLS] = {
		[0] = { .name = "gone", .kind = POOL_KIND_CONFIGURED },
		[1] = { .busy = true },
		[2] = { .name = "old", .kind = POOL_KIND_CONFIGURED },
		[4] = { .name = "wan0", .kind = POOL_KIND_ANY },
	};
	struct fixture f;

	assert_int_equal(build(&f, yaml, places), 0);
	assert_int_equal(f.plan.n_pools, 5);
	assert_string_equal(f.plan.pools[2].name, "old");
	assert_string_equal(f.plan.pools[3].name, "new");	/* neither the busy one nor one that just lost its name */
	assert_string_equal(f.plan.pools[4].name, "wan0");
	assert_string_equal(f.plan.pools[0].name, "");
	assert_int_equal(f.plan.rules[0].pool, 2);
	assert_int_equal(f.plan.ports[1].masq_pool, 4);
	assert_int_equal(addr_to4(&f.plan.pool_addrs[f.plan.pools[3].first].addr), 0xc0000200);
	done(&f);
}

static void settings_of_pools(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: wan0}]\n"
		"pools:\n"
		"  - {name: plain, addresses: [192.0.2.0/30]}\n"
		"  - {name: other, addresses: [192.0.2.8/30], pooling: arbitrary, port-selection: random, protocols: shared,\n"
		"     filtering: {tcp: address-and-port-dependent, udp: address-dependent}}\n"
		"masquerade: {port-selection: random, filtering: {tcp: address-dependent}}\n"
		"rules: [{from: {interface: lan0}, to: {interface: wan0}, action: masquerade}]\n";
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), 0);
	assert_int_equal(f.plan.pools[0].flags, 0);
	assert_int_equal(f.plan.pools[0].filtering_tcp, FILTER_EI);
	assert_int_equal(f.plan.pools[1].flags, POOL_RANDOM | POOL_ARBITRARY | POOL_SHARED);
	assert_int_equal(f.plan.pools[1].filtering, FILTER_AD);
	assert_int_equal(f.plan.pools[1].filtering_tcp, FILTER_APD);
	assert_int_equal(f.plan.pools[2].flags, POOL_RANDOM);
	assert_int_equal(f.plan.pools[2].filtering, FILTER_EI);
	assert_int_equal(f.plan.pools[2].filtering_tcp, FILTER_AD);
	done(&f);
}

/* A host that pings first would keep to an address where it gets no port. */
static void addresses_without_ports_give_no_identifiers(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: wan0}]\n"
		"pools:\n"
		"  - {name: some, addresses: 192.0.2.1-192.0.2.3, ports: 5000-5009}\n"
		"forwards:\n"
		"  - {proto: [tcp, udp], external: '192.0.2.1:5000-5009', internal: '198.18.0.10:5000-5009'}\n"
		"  - {proto: [tcp, udp], external: '192.0.2.2:5000-5008', internal: '198.18.0.11:5000-5008'}\n";
	struct portset taken;
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), 0);
	plan_taken(&f.plan, plan_find_addr(&f.plan, 0xc0000201, 0), PORTBITS_ICMP, &taken);
	assert_true(portset_has(&taken, 0) && portset_has(&taken, 5000) && portset_has(&taken, 65535));
	plan_taken(&f.plan, plan_find_addr(&f.plan, 0xc0000202, 0), PORTBITS_ICMP, &taken);
	assert_false(portset_has(&taken, 0) || portset_has(&taken, 5000));
	plan_taken(&f.plan, plan_find_addr(&f.plan, 0xc0000203, 0), PORTBITS_ICMP, &taken);
	assert_false(portset_has(&taken, 5000));
	done(&f);
}

/* A port that a forward has for TCP cannot be given away for TCP and UDP together. */
static void shared_pools_withhold_from_both(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: wan0}]\n"
		"pools:\n"
		"  - {name: both, addresses: 192.0.2.1, protocols: shared, ports: 1024-65535}\n"
		"  - {name: each, addresses: 192.0.2.2}\n"
		"forwards:\n"
		"  - {proto: tcp, external: '192.0.2.1:5000', internal: '198.18.0.10:80'}\n"
		"  - {proto: udp, external: '192.0.2.1:6000', internal: '198.18.0.10:80'}\n"
		"  - {proto: tcp, external: '192.0.2.2:5000', internal: '198.18.0.10:81'}\n";
	struct portset taken;
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), 0);
	for (int proto = PORTBITS_TCP; proto <= PORTBITS_UDP; proto++) {
		plan_taken(&f.plan, plan_find_addr(&f.plan, 0xc0000201, 0), (enum portbits_proto)proto, &taken);
		assert_true(portset_has(&taken, 5000) && portset_has(&taken, 6000) && portset_has(&taken, 1023));
		assert_false(portset_has(&taken, 5001) || portset_has(&taken, 1024));
	}
	plan_taken(&f.plan, plan_find_addr(&f.plan, 0xc0000201, 0), PORTBITS_ICMP, &taken);
	assert_false(portset_has(&taken, 5000) || portset_has(&taken, 6000));
	plan_taken(&f.plan, plan_find_addr(&f.plan, 0xc0000202, 0), PORTBITS_UDP, &taken);
	assert_false(portset_has(&taken, 5000));
	done(&f);
}

/* An address has mappings for TCP and UDP together, or for each: a pool that has it goes before masquerading. */
static void an_address_shares_or_not(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: wan0}]\n"
		"pools: [{name: public, addresses: 203.0.113.0/29, protocols: %s}]\n"
		"masquerade: {protocols: %s}\n"
		"rules: [{from: {interface: lan0}, to: {interface: wan0}, action: masquerade}]\n";
	static const char *const words[] = { "separate", "shared" };

	for (int i = 0; i < 4; i++) {
		struct fixture f;
		char text[512];

		snprintf(text, sizeof(text), yaml, words[i & 1], words[i >> 1]);
		assert_int_equal(build(&f, text, no_places), 0);
		assert_string_equal(f.plan.pools[1].name, "wan0");
		assert_int_equal(f.plan.pools[1].n_addrs, (i & 1) == i >> 1);
		assert_true((config_sharing_conflict(f.config, 0xcb007101, "") == NULL) == ((i & 1) == i >> 1));
		assert_null(config_sharing_conflict(f.config, 0xcb007109, ""));
		assert_int_equal(plan_find_addr(&f.plan, 0xcb007101, 0)->pool, 0);
		done(&f);
	}
}

static void settings_of_all(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: wan0}]\n"
		"timeouts: {udp: 301, tcp-established: 7441, tcp-opening: 241, tcp-closing: 242, icmp: 61, other: 302, port-rest: 121}\n"
		"limits: {icmp-rate: 7}\n"
		"on-exhaustion: host-unreachable\n";
	const struct settings *s;
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), 0);
	s = &f.plan.settings;
	assert_int_equal(s->udp_idle_s, 301);
	assert_int_equal(s->tcp_established_s, 7441);
	assert_int_equal(s->tcp_opening_s, 241);
	assert_int_equal(s->tcp_closing_s, 242);
	assert_int_equal(s->icmp_idle_s, 61);
	assert_int_equal(s->other_idle_s, 302);
	assert_int_equal(s->rest_s, 121);
	assert_int_equal(s->icmp_rate, 7);
	assert_true(s->flags & SETTINGS_EXHAUST_HOST);
	done(&f);
}

static void settings_of_unsolicited(void **state)
{
	static const struct {
		const char *tcp;
		uint32_t flags;
	} list[] = {
		{ "{}", SETTINGS_SYN_HOLD }, { "{unsolicited: hold}", SETTINGS_SYN_HOLD },
		{ "{unsolicited: silent}", SETTINGS_SYN_SILENT }, { "{unsolicited: kernel}", 0 },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct fixture f;
		char yaml[128];

		snprintf(yaml, sizeof(yaml), "interfaces: [{name: lan0}]\ntcp: %s\n", list[i].tcp);
		assert_int_equal(build(&f, yaml, no_places), 0);
		assert_int_equal(f.plan.settings.flags & (SETTINGS_SYN_HOLD | SETTINGS_SYN_SILENT), list[i].flags);
		done(&f);
	}
}

static void settings_of_ports(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0, mss: 1300}, {name: wan0, mss: auto}, tun0]\n"
		"rules: [{from: {interface: lan0}, to: {interface: wan0}, action: masquerade}]\n";
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), 0);
	assert_int_equal(f.plan.n_ports, 3);
	assert_int_equal(f.plan.ports[0].mss, 1300);
	assert_int_equal(f.plan.ports[1].mss, MSS_AUTO);
	assert_int_equal(f.plan.ports[2].mss, 0);
	done(&f);
}

static void too_few_slots(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}]\n"
		"pools: [{name: public, addresses: [192.0.2.0/24]}]\n"
		"rules: [{from: {interface: lan0}, action: {snat: public}}]\n";
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), -ENOSPC);
	assert_non_null(strstr(f.err, "natvi down"));
	done(&f);
}

static void links_without_ethernet(void **state)
{
	static const char yaml[] =
		"interfaces: [{name: lan0}, {name: tun0}]\n"
		"rules: [{from: {interface: lan0}, to: {interface: tun0}, action: masquerade}]\n";
	struct fixture f;

	assert_int_equal(build(&f, yaml, no_places), 0);
	assert_int_equal(f.plan.ports[1].flags, PORT_NO_L2 | PORT_DOWN);
	assert_int_equal(f.plan.pools[0].n_addrs, 0);
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masquerading),
		cmocka_unit_test(the_kernels),
		cmocka_unit_test(lists_are_multiplied_out),
		cmocka_unit_test(forwards_take_their_ports),
		cmocka_unit_test(addresses_without_ports_give_no_identifiers),
		cmocka_unit_test(pools_keep_their_index),
		cmocka_unit_test(settings_of_pools),
		cmocka_unit_test(shared_pools_withhold_from_both),
		cmocka_unit_test(an_address_shares_or_not),
		cmocka_unit_test(settings_of_all),
		cmocka_unit_test(settings_of_unsolicited),
		cmocka_unit_test(settings_of_ports),
		cmocka_unit_test(too_few_slots),
		cmocka_unit_test(links_without_ethernet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
