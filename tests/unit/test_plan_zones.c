/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/plan.c daemon/plan_addrs.c daemon/plan_rules.c daemon/plan_zones.c daemon/addrs.c daemon/links.c */
/* Which zone sees which address of a plan, whose slots are whose, and the ports and tables of zones. */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/plan.h"
#include "daemon/plan_zones.h"
#include "lib/addr.h"

#define GLOBAL	1u	/* sets of zones, by their numbers here */
#define RED	2u
#define BLUE	4u

/* red is a table, blue a VRF. blue0 is in it, so is other0, which is not natvi's. */
static struct link test_links[] = {
	{ .ifindex = 2, .name = "red0", .flags = IFF_UP, .mtu = 1500, .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 1 } },	/* no carrier */
	{ .ifindex = 3, .name = "red1", .flags = IFF_UP, .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 2 } },
	{ .ifindex = 4, .name = "blue0", .flags = IFF_UP, .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER, .master = 9 },
	{ .ifindex = 5, .name = "wan0", .flags = IFF_UP, .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER },
	{ .ifindex = 6, .name = "other0", .flags = IFF_UP, .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER, .master = 9 },
	{ .ifindex = 9, .name = "vrf-blue", .flags = IFF_UP, .carrier = true, .type = ARPHRD_ETHER, .kind = "vrf", .vrf_table = 1234 },
	{ .ifindex = 10, .name = "vrf-x", .flags = IFF_UP, .carrier = true, .type = ARPHRD_ETHER, .kind = "vrf", .vrf_table = 77 },
};
static struct ifaddr4 test_addrs[] = {
	{ .ifindex = 2, .addr = 0xc6120001, .len = 24 },	/* 198.18.0.1 in red */
	{ .ifindex = 4, .addr = 0xc6120001, .len = 24 },	/* and in blue */
	{ .ifindex = 5, .addr = 0xcb007101, .len = 24 },	/* 203.0.113.1 */
	{ .ifindex = 6, .addr = 0xc6120101, .len = 24 },	/* 198.18.1.1 */
	{ .ifindex = 9, .addr = 0xc6120201, .len = 32 },	/* 198.18.2.1, the VRF device's own */
};
static struct links picture = { .list = test_links, .n = 7, .addrs = test_addrs, .n_addrs = 5 };
static struct pool_place no_places[NATVI_MAX_POOLS];

#define ZONES	"zones: [{name: red, table: 100}, {name: blue, vrf: vrf-blue}]\n" \
		"interfaces: [{name: red0, zone: red}, {name: red1, zone: red}, {name: blue0, zone: blue}, wan0]\n"

static struct config *config;
static struct plan plan;
static struct slots slots;

static void build(const char *yaml)
{
	struct plan_input input = { .links = &picture, .places = no_places, .local_lo = 32768, .local_hi = 60999 };
	struct cfg_errors errors = { 0 };
	char err[512] = "";

	if (config_read_text(yaml, strlen(yaml), "test", &config, &errors)) {
		cfg_errors_print(NULL, "test", &errors, stderr);
		fail();
	}
	input.config = config;
	assert_int_equal(slots_init(&slots, 64), 0);
	if (plan_build(&plan, &input, &slots, err, sizeof(err)))
		fail_msg("%s", err);
}

static int done(void **state)
{
	plan_free(&plan);
	slots_free(&slots);
	config_free(config);
	config = NULL;
	return 0;
}

/* The address with this addr_info.zone is seen by these zones. */
static const struct plan_addr *seen(uint32_t addr, uint16_t zone, uint64_t zones, uint8_t flags)
{
	const struct plan_addr *found = plan_find_addr(&plan, addr, zone);

	assert_non_null(found);
	assert_int_equal(found->zones, zones);
	assert_int_equal(found->flags, flags);
	for (uint16_t i = 0; i < 3; i++)
		assert_true((plan_seen_addr(&plan, addr, i) == found) == !!(zones >> i & 1));
	return found;
}

static void own_addresses(void **state)
{
	build(ZONES);
	seen(0xc6120001, 0, GLOBAL | RED, ADDR_LOCAL);
	seen(0xc6120001, 2, BLUE, ADDR_LOCAL);
	seen(0xcb007101, 0, GLOBAL | RED, ADDR_LOCAL);
	seen(0xc6120101, 2, BLUE, ADDR_LOCAL);		/* by its VRF, though natvi does not serve it */
	seen(0xc6120201, 2, BLUE, ADDR_LOCAL);
	assert_int_equal(plan.n_addr_keys, 7);
	assert_int_equal(plan.zones[0].table, 254);
	assert_int_equal(plan.zones[1].table, 100);
	assert_int_equal(plan.zones[2].table, 1234);
}

static void pools(void **state)
{
	const struct plan_addr *red, *blue, *all;
	struct portset taken;

	build(ZONES "pools: [{name: r, addresses: [192.0.2.1, 198.18.0.1], zone: red}, {name: b, addresses: 192.0.2.1, zone: blue},\n"
	      "  {name: g, addresses: 192.0.2.1, zone: global}, {name: a, addresses: 192.0.2.2}]\n");
	red = seen(0xc0000201, 1, RED, ADDR_POOL);
	blue = seen(0xc0000201, 2, BLUE, ADDR_POOL);
	all = seen(0xc0000201, 0, GLOBAL, ADDR_POOL);
	assert_true(red->slot != blue->slot && red->slot != all->slot && blue->slot != all->slot);
	assert_true(red->slot != SLOT_NONE && blue->slot != SLOT_NONE && all->slot != SLOT_NONE);
	assert_int_equal(plan.pools[0].zone, 1);
	assert_int_equal(plan.pools[1].zone, 2);
	assert_int_equal(plan.pools[2].zone, 0);
	assert_int_equal(plan.pool_addrs[plan.pools[1].first].slot, blue->slot);
	seen(0xc0000202, 0, GLOBAL | RED | BLUE, ADDR_POOL);

	/* the box's own address, set apart for one zone: it stays the box's there, and its port range reserved */
	red = seen(0xc6120001, 1, RED, ADDR_POOL | ADDR_LOCAL);
	seen(0xc6120001, 0, GLOBAL, ADDR_LOCAL);
	plan_taken(&plan, red, PORTBITS_UDP, &taken);
	assert_true(portset_has(&taken, 40000));
	assert_int_equal(plan.pool_addrs[plan.pools[0].first + 1].flags, ADDR_POOL | ADDR_LOCAL);
}

static void masquerading(void **state)
{
	const struct plan_addr *blue, *wan;

	build(ZONES "rules: [{from: {interface: wan0}, to: {zone: blue}, action: masquerade}, {from: {zone: red}, to: {interface: wan0}, action: masquerade}]\n");
	blue = seen(0xc6120001, 2, BLUE, ADDR_LOCAL | ADDR_POOL);
	wan = seen(0xcb007101, 0, GLOBAL | RED | BLUE, ADDR_LOCAL | ADDR_POOL);
	assert_int_equal(plan.ports[0].masq_pool, POOL_MASQUERADE);	/* nothing leaves by red */
	assert_int_equal(plan.pools[plan.ports[2].masq_pool].zone, 2);
	assert_int_equal(plan.pool_addrs[plan.pools[plan.ports[2].masq_pool].first].slot, blue->slot);
	assert_int_equal(plan.pools[plan.ports[3].masq_pool].zone, 0);
	assert_int_equal(plan.pool_addrs[plan.pools[plan.ports[3].masq_pool].first].slot, wan->slot);
	seen(0xc6120001, 0, GLOBAL | RED, ADDR_LOCAL);
}

static void netmaps(void **state)
{
	build(ZONES "rules:\n"
	      "  - {from: {zone: red, source: 198.18.0.0/30}, to: {destination: 198.51.100.0/24}, action: {netmap: 192.0.2.0/30, dnat: 198.18.0.0/24, zone: blue}}\n"
	      "  - {from: {zone: red, source: 198.18.0.0/30}, to: {zone: global}, action: {netmap: 192.0.2.4/30}}\n"
	      "  - {from: {zone: red, source: 198.18.0.9}, action: {static: 192.0.2.9}}\n");
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(seen(0xc0000200 + i, 0, BLUE, ADDR_NET)->slot, SLOT_NONE);
		seen(0xc0000204 + i, 0, GLOBAL, ADDR_NET);
	}
	seen(0xc0000209, 0, GLOBAL | RED | BLUE, ADDR_NET);
	assert_null(plan_find_addr(&plan, 0xc0000208, 0));
	assert_int_equal(plan_needs(config).net_addrs, 9);
	assert_int_equal(plan_needs(config).addr_keys, 4 + 4 + 3);
}

static void forwards(void **state)
{
	build(ZONES "pools: [{name: r, addresses: 192.0.2.1, zone: red}]\n"
	      "forwards:\n"
	      "  - {proto: tcp, external: '192.0.2.1:80', internal: '198.18.9.1:80'}\n"
	      "  - {proto: tcp, external: '192.0.2.2:80', internal: '198.18.9.1:81'}\n"
	      "  - {proto: tcp, external: 'blue0:80', internal: '198.18.9.1:82'}\n");
	seen(0xc0000201, 1, RED, ADDR_POOL | ADDR_FORWARD);
	seen(0xc0000202, 0, GLOBAL | RED | BLUE, ADDR_FORWARD);
	seen(0xc6120001, 2, BLUE, ADDR_LOCAL | ADDR_FORWARD);
	assert_int_equal(plan.n_statics, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct plan_static *s = &plan.statics[i];
		uint32_t addr = addr_to4(&s->outside.addr);

		assert_int_equal(s->outside.zone, addr == 0xc0000201 ? 1 : addr == 0xc6120001 ? 2 : 0);
		assert_int_equal(s->inside.zone, addr == 0xc6120001 ? 2 : 0);
		assert_int_equal(s->slot, plan_find_addr(&plan, addr, s->outside.zone)->slot);
	}
}

static void ports(void **state)
{
	build(ZONES);
	assert_int_equal(plan.zones[0].ifindex, 5);
	assert_int_equal(plan.zones[1].ifindex, 3);	/* red0 is down */
	assert_memory_equal(plan.zones[1].mac, test_links[1].mac, 6);
	assert_int_equal(plan.zones[2].ifindex, 4);
	assert_int_equal(plan.zones[3].ifindex, 0);
	assert_int_equal(plan.ports[1].zone, 1);
}

static const char *trouble(const char *interface, uint32_t master)
{
	static char text[256];
	struct link *link = (struct link *)links_by_name(&picture, interface);
	uint32_t before = link->master;

	for (size_t i = 0; i < config->n_interfaces; i++)
		if (!strcmp(config->interfaces[i].name, interface)) {
			link->master = master;
			zone_trouble(config, &config->interfaces[i], &picture, text, sizeof(text));
			link->master = before;
		}
	return text;
}

static void vrfs_that_are_not_so(void **state)
{
	build(ZONES);
	assert_string_equal(trouble("blue0", 9), "");
	assert_non_null(strstr(trouble("blue0", 0), "blue0: its zone blue is VRF vrf-blue, but it is in no VRF"));
	assert_non_null(strstr(trouble("blue0", 10), "but it is in VRF vrf-x"));
	assert_non_null(strstr(trouble("wan0", 10), "wan0: it is in VRF vrf-x and has no `zone`"));
	assert_non_null(strstr(trouble("red1", 10), "red1: its zone red is routing table 100, but it is in VRF vrf-x"));
	assert_string_equal(trouble("red1", 0), "");
	assert_string_equal(trouble("wan0", 0), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(own_addresses, done),
		cmocka_unit_test_teardown(pools, done),
		cmocka_unit_test_teardown(masquerading, done),
		cmocka_unit_test_teardown(netmaps, done),
		cmocka_unit_test_teardown(forwards, done),
		cmocka_unit_test_teardown(ports, done),
		cmocka_unit_test_teardown(vrfs_that_are_not_so, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
