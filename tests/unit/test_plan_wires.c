/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/plan.c daemon/plan_addrs.c daemon/plan_rules.c daemon/plan_wires.c daemon/plan_zones.c daemon/addrs.c daemon/links.c */
/* Wires of a plan: their numbers, entries, ports and targets, and what their captures become. */
#include <arpa/inet.h>
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
#include "daemon/plan_wires.h"
#include "daemon/wire_rules.h"
#include "lib/addr.h"

/* eth4 is not there, tun1 has no carrier, tap0 is down. */
static struct link test_links[] = {
	{ .ifindex = 2, .name = "eth1", .flags = IFF_UP, .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 1 } },
	{ .ifindex = 3, .name = "eth2", .flags = IFF_UP, .carrier = true, .mtu = 1400, .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 2 } },
	{ .ifindex = 4, .name = "eth3", .flags = IFF_UP, .mtu = 9000, .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 3 } },
	{ .ifindex = 5, .name = "tun0", .flags = IFF_UP, .carrier = true, .mtu = 1420, .type = ARPHRD_NONE },
	{ .ifindex = 6, .name = "tun1", .flags = IFF_UP, .mtu = 1420, .type = ARPHRD_NONE },
	{ .ifindex = 7, .name = "tap0", .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER },
	{ .ifindex = 8, .name = "nvi0", .flags = IFF_UP, .carrier = true, .mtu = 1400, .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 9 } },
};
static struct links picture = { .list = test_links, .n = 7 };
static struct pool_place no_places[NATVI_MAX_POOLS];
static char names[NATVI_MAX_WIRES][NATVI_NAME_LEN];

static struct config *config;
static struct plan plan;
static struct slots slots;
static char err[512];

static int try(const char *yaml)
{
	struct plan_input input = { .links = &picture, .places = no_places, .wires = names, .nvi = 8 };
	struct cfg_errors errors = { 0 };
	int ret;

	plan_free(&plan);
	slots_free(&slots);
	config_free(config);
	config = NULL;
	if (config_read_text(yaml, strlen(yaml), "test", &config, &errors)) {
		cfg_errors_print(NULL, "test", &errors, stderr);
		fail();
	}
	input.config = config;
	assert_int_equal(slots_init(&slots, 8), 0);
	ret = plan_build(&plan, &input, &slots, err, sizeof(err));
	if (!ret)
		memcpy(names, plan.wire_names, sizeof(names));
	return ret;
}

static void build(const char *yaml)
{
	if (try(yaml))
		fail_msg("%s", err);
}

static int done(void **state)
{
	plan_free(&plan);
	slots_free(&slots);
	config_free(config);
	config = NULL;
	memset(names, 0, sizeof(names));
	return 0;
}

static const struct port *port(uint32_t ifindex)
{
	for (size_t i = 0; i < plan.n_ports; i++)
		if (plan.ports[i].ifindex == ifindex)
			return &plan.ports[i];
	return NULL;
}

static void wire_entry(void **state)
{
	const struct wire *w = &plan.wires[0];
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };

	build("wires: [{name: w0, ports: [eth1, eth2], host: {address: 192.0.2.10/24, vlan: 100, gateway: 192.0.2.1}, fail: open,\n"
	      "  marks: {reply: 0x10, original: 0x20}, mac-changes: arp, mss: 1300}]\n");
	assert_string_equal(w->name, "w0");
	assert_int_equal(w->port[0], 2);
	assert_int_equal(w->port[1], 3);
	assert_int_equal(w->flags, WIRE_OPEN | WIRE_ARP_MOVES | WIRE_MSS | WIRE_GATEWAY);
	assert_int_equal(w->reply_mark, 0x10);
	assert_int_equal(w->original_mark, 0x20);
	assert_int_equal(w->host, htonl(0xc000020a));
	assert_int_equal(w->host_mask, htonl(0xffffff00));
	assert_int_equal(w->host_vlan, 100);
	assert_int_equal(w->mss, 1300);
	assert_memory_equal(w->host_mac, mac, 6);
	assert_int_equal(plan.n_rules, 0);
	assert_string_equal(plan.wires[1].name, "");
	assert_int_equal(wire_mtu(&config->wires[0], &picture), 1400);
	assert_ptr_equal(config_host_wire(config), &config->wires[0]);
}

static void defaults(void **state)
{
	build("wires: [{name: w0, ports: [eth1, eth4]}]\n");
	assert_int_equal(plan.wires[0].port[0], 2);
	assert_int_equal(plan.wires[0].port[1], 0);
	assert_int_equal(plan.wires[0].flags, WIRE_MSS);
	assert_int_equal(plan.wires[0].mss, MSS_AUTO);
	assert_int_equal(plan.wires[0].host, 0);
	assert_int_equal(plan.wires[0].host_mask, 0);
	assert_null(config_host_wire(config));
	assert_int_equal(plan.zones[0].ifindex, 0);	/* no zone of NAT's */
}

static void ports_and_targets(void **state)
{
	build("wires: [{name: w0, ports: [eth1, eth2], host: {address: 192.0.2.10/24}, capture: [{to: tun0}, {to: tun0}, {to: nvi0}]},\n"
	      "  {name: w1, ports: [eth3, eth4], capture: [{to: tun1}, {to: tap0}, {to: ppp0}]}]\n");
	assert_int_equal(plan.n_ports, 6);
	assert_int_equal(port(2)->flags, PORT_WIRE);
	assert_int_equal(port(3)->flags, PORT_WIRE | PORT_SECOND);
	assert_int_equal(port(3)->mtu, 1400);
	assert_int_equal(port(3)->mss, MSS_AUTO);
	assert_int_equal(port(4)->flags, PORT_WIRE | PORT_DOWN);
	assert_int_equal(port(4)->zone, 1);
	assert_int_equal(port(5)->flags, PORT_TARGET | PORT_NO_L2);
	assert_int_equal(port(5)->zone, 0);
	assert_int_equal(port(5)->mtu, 1420);
	assert_int_equal(port(5)->target_mark, wire_target_mark(5));
	assert_string_equal(port(5)->name, "tun0");
	assert_int_equal(port(6)->flags, PORT_TARGET | PORT_NO_L2 | PORT_DOWN);
	assert_int_equal(port(6)->zone, 1);
	assert_int_equal(port(7)->flags, PORT_TARGET | PORT_DOWN);
	assert_null(port(8));	/* the engine's */
}

/* What can be used is named; what is gone, down or without a carrier is not. */
static void targets(void **state)
{
	static const uint32_t wanted[] = { 5, 8, 0, 0, 0 };

	build("wires: [{name: w0, ports: [eth1, eth2], host: {address: 192.0.2.10/24},\n"
	      "  capture: [{to: tun0}, {to: nvi0}, {to: tun1}, {to: tap0}, {to: ppp0}]}]\n");
	assert_int_equal(plan.n_rules, 5);
	assert_int_equal(plan.settings.n_rules, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(plan.rules[i].target, wanted[i]);
		assert_int_equal(plan.rules[i].id, i + 1);
	}
	test_links[3].carrier = false;
	build("wires: [{name: w0, ports: [eth1, eth2], capture: [{to: tun0}]}]\n");
	test_links[3].carrier = true;
	assert_int_equal(plan.rules[0].target, 0);
	assert_int_equal(port(5)->flags, PORT_TARGET | PORT_NO_L2 | PORT_DOWN);
}

static void lists(void **state)
{
	const struct rule *r;
	union addr net;

	build("wires: [{name: w0, ports: [eth1, eth2]}, {name: w1, ports: [eth3, eth4], capture: [\n"
	      "  {match: {port: eth3, vlan: 100, source: [198.51.100.0/24, 198.18.0.0/16], destination: 203.0.113.0/24, proto: [tcp, udp],\n"
	      "    destination-ports: [80, 1000-2000], dscp: 46}, to: tun0},\n"
	      "  {match: {port: eth4, vlan: untagged, source: '2001:db8::/32'}, to: tun0}, {to: tun1}]}]\n");
	assert_int_equal(plan.n_rules, 8 + 1 + 1);
	r = &plan.rules[0];
	assert_int_equal(r->action, ACTION_CAPTURE);
	assert_int_equal(r->traffic, RULE_CAPTURE);
	assert_int_equal(r->in_ifindex, 4);
	assert_int_equal(r->in_zone, 1);
	assert_int_equal(r->out_zone, ZONE_ANY);
	assert_int_equal(r->vlan, 100);
	assert_int_equal(r->family, 4);
	assert_int_equal(r->dscp, 1ull << 46);
	net = addr_from4(0xc6336400);
	assert_memory_equal(&r->src, &net, sizeof(net));
	assert_int_equal(r->src_len, 120);
	assert_int_equal(r->dst_len, 120);
	assert_int_equal(r->proto, IPPROTO_TCP);
	assert_int_equal(r->sport_lo, 0);
	assert_int_equal(r->sport_hi, 65535);
	assert_int_equal(r->dport_lo, 80);
	assert_int_equal(r->dport_hi, 80);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(plan.rules[i].id, 1);
	assert_int_equal(plan.rules[7].src_len, 112);
	assert_int_equal(plan.rules[7].proto, IPPROTO_UDP);
	assert_int_equal(plan.rules[7].dport_hi, 2000);
	assert_int_equal(plan.rules[8].in_ifindex, IFINDEX_ABSENT);
	assert_int_equal(plan.rules[8].vlan, VLAN_UNTAGGED);
	assert_int_equal(plan.rules[8].family, 6);
	assert_int_equal(plan.rules[8].src_len, 32);
	assert_int_equal(plan.rules[8].id, 2);
	assert_int_equal(plan.rules[9].family, 0);
	assert_int_equal(plan.rules[9].in_ifindex, 0);
	assert_int_equal(plan.rules[9].src_len, 0);
	assert_int_equal(plan.rules[9].id, 3);
}

/* A name keeps its number, one that comes back too; a new one takes another. */
static void numbers(void **state)
{
	build("wires: [{name: a, ports: [eth1, eth2]}, {name: b, ports: [eth3, eth4]}]\n");
	assert_int_equal(plan_wire(&plan, "a"), 0);
	assert_int_equal(plan_wire(&plan, "b"), 1);
	build("wires: [{name: b, ports: [eth3, eth4]}]\n");
	assert_string_equal(plan.wires[1].name, "b");
	assert_string_equal(plan.wires[0].name, "");
	assert_int_equal(port(4)->zone, 1);
	build("wires: [{name: c, ports: [eth1, eth2]}, {name: b, ports: [eth3, eth4]}]\n");
	assert_int_equal(plan_wire(&plan, "c"), 2);
	build("wires: [{name: a, ports: [eth1, eth2]}, {name: b, ports: [eth3, eth4]}]\n");
	assert_int_equal(plan_wire(&plan, "a"), 0);
	assert_int_equal(plan_wire(&plan, "b"), 1);
}

/* When all numbers have been somebody's, those of wires that have gone are given again. */
static void numbers_run_out(void **state)
{
	char yaml[128];

	for (unsigned int i = 0; i < 3 * NATVI_MAX_WIRES; i++) {
		snprintf(yaml, sizeof(yaml), "wires: [{name: keep, ports: [eth3, eth4]}, {name: w%u, ports: [eth1, eth2]}]\n", i);
		build(yaml);
		assert_int_equal(plan_wire(&plan, "keep"), 0);
		assert_in_range(port(2)->zone, 1, NATVI_MAX_WIRES - 1);
	}
}

static void refused(void **state)
{
	assert_int_equal(try("wires: [{name: w0, ports: [eth1, tun0]}]\n"), -EINVAL);
	assert_non_null(strstr(err, "tun0 is no Ethernet interface"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(wire_entry, done),
		cmocka_unit_test_teardown(defaults, done),
		cmocka_unit_test_teardown(ports_and_targets, done),
		cmocka_unit_test_teardown(targets, done),
		cmocka_unit_test_teardown(lists, done),
		cmocka_unit_test_teardown(numbers, done),
		cmocka_unit_test_teardown(numbers_run_out, done),
		cmocka_unit_test_teardown(refused, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
