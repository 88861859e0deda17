/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/conflict.c daemon/plan.c daemon/plan_addrs.c daemon/plan_rules.c daemon/plan_zones.c daemon/addrs.c daemon/links.c */
/*
 * test_conflict.c - addresses of interfaces that contradict a configuration, and those that only look so.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/conflict.h"
#include "lib/addr.h"

#define IFS	"interfaces: [lan0, dmz0, wan0, wan1]\n"
#define OUT	IFS "rules: [{name: out, from: {interface: lan0}, to: {interface: wan0}, action: masquerade}]\n"
#define POOL(addrs, rule) IFS "pools: [{name: p, addresses: [" addrs "]}]\nrules: [{name: out, " rule ", action: {snat: p}}]\n"

static struct link test_links[] = {
	{ .ifindex = 2, .name = "lan0" }, { .ifindex = 3, .name = "dmz0" }, { .ifindex = 4, .name = "wan0" },
	{ .ifindex = 5, .name = "wan1" }, { .ifindex = 6, .name = "other0" },
};

/* "lan0 198.18.0.1/24 wan0 203.0.113.1/24": interfaces and their addresses. */
static struct links picture(const char *text)
{
	struct links links = { .list = test_links, .n = sizeof(test_links) / sizeof(test_links[0]) };
	char *copy = strdup(text), *save = NULL, *name, *slash;
	struct ifaddr4 addr;

	links.addrs = calloc(8, sizeof(*links.addrs));
	for (name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		char *value = strtok_r(NULL, " ", &save);

		slash = strchr(value, '/');
		addr = (struct ifaddr4){ .ifindex = links_by_name(&links, name)->ifindex, .len = (uint8_t)atoi(slash + 1) };
		*slash = '\0';
		assert_int_equal(addr_parse4(value, &addr.addr), 0);
		links.addrs[links.n_addrs++] = addr;
	}
	free(copy);
	return links;
}

static int find(const char *yaml, struct links *links, char err[512])
{
	struct cfg_errors errors = { 0 };
	struct config *config;
	int ret;

	if (config_read_text(yaml, strlen(yaml), "test.yaml", &config, &errors)) {
		cfg_errors_print(NULL, "test.yaml", &errors, stderr);
		fail();
	}
	err[0] = '\0';
	ret = conflict_find(config, links, err, 512);
	config_free(config);
	free(links->addrs);
	return ret;
}

static void refused(const char *yaml, const char *addrs, const char *words)
{
	struct links links = picture(addrs);
	char err[512];

	if (find(yaml, &links, err) != -EINVAL || !strstr(err, words))
		fail_msg("%s%s\nwanted \"%s\", got \"%s\"", yaml, addrs, words, err);
}

static void fine(const char *yaml, const char *addrs)
{
	struct links links = picture(addrs);
	char err[512];

	if (find(yaml, &links, err) || *err)
		fail_msg("%s%s\ngot \"%s\"", yaml, addrs, err);
}

static void subnets_that_overlap(void **state)
{
	refused(OUT, "lan0 198.18.0.1/24 wan0 198.18.0.2/24",
		"test.yaml:2: rule out leads from lan0 (subnet 198.18.0.0/24) to wan0 (subnet 198.18.0.0/24), and the two overlap: ");
	refused(OUT, "lan0 198.18.0.1/24 wan0 198.18.200.1/16", "from lan0 (subnet 198.18.0.0/24) to wan0 (subnet 198.18.0.0/16)");
	refused(OUT, "lan0 198.18.0.1/16 wan0 198.18.200.1/24", "from lan0 (subnet 198.18.0.0/16) to wan0 (subnet 198.18.200.0/24)");
	refused(OUT, "lan0 203.0.113.1/24 wan0 192.0.2.1/24 lan0 198.18.0.1/24 wan0 198.18.0.129/25", "(subnet 198.18.0.128/25)");
	refused(OUT, "wan0 198.18.0.2/31 lan0 198.18.0.3/31", "and the two overlap");
	/* a pool's rule leads out by an interface, too */
	refused(POOL("203.0.113.9", "from: {interface: lan0}, to: {interface: wan0}"), "lan0 198.18.0.1/24 wan0 198.18.0.2/24", "rule out leads");
}

static void subnets_apart(void **state)
{
	fine(OUT, "lan0 198.18.0.1/24 wan0 203.0.113.1/24");
	fine(OUT, "lan0 198.18.0.1/24 wan0 198.18.1.1/24");
	fine(OUT, "lan0 198.18.0.1/24 lan0 198.18.0.129/25 wan0 203.0.113.1/24");	/* within one interface */
	fine(OUT, "lan0 198.18.0.1/24 dmz0 198.18.0.1/24 wan0 203.0.113.1/24");		/* both inside */
	fine(OUT, "dmz0 203.0.113.129/25 lan0 198.18.0.1/24 wan0 203.0.113.1/24");	/* public hosts, which no rule translates */
	fine(OUT, "lan0 198.18.0.1/24 other0 198.18.0.1/24 wan0 203.0.113.1/24");	/* not natvi's */
	fine(OUT, "lan0 198.18.0.1/24 wan0 198.18.0.77/32");				/* an address, no subnet */
	fine(OUT, "lan0 169.254.0.1/16 wan0 169.254.7.7/16");				/* link-local */
	fine(OUT, "lan0 198.18.0.1/24 wan0 203.0.113.1/0");
	fine(OUT, "");
}

/* Which interface is inside and which outside is a rule's own word. */
static void sides(void **state)
{
	static const char same[] = "lan0 198.18.0.1/24 wan0 198.18.0.2/24";

	refused(IFS "rules: [{from: {interface: lan0}, action: masquerade}]\n", same, "from lan0");
	refused(IFS "rules: [{to: {interface: wan0}, action: masquerade}]\n", same, "from lan0");
	fine(IFS "rules: [{action: masquerade}]\n", same);
	fine(IFS "rules: [{from: {interface: lan0}, to: {interface: wan0}, action: accept}]\n", same);
	fine(IFS "rules: [{from: {interface: wan0}, action: drop}]\n", same);
	/* one-armed; and an interface that is both */
	fine(IFS "rules: [{from: {interface: lan0}, to: {interface: lan0}, action: masquerade}]\n", same);
	fine(IFS "rules: [{from: {interface: [lan0, wan0]}, to: {interface: wan0}, action: masquerade}]\n", same);
	/* two uplinks in one subnet */
	fine(IFS "rules: [{to: {interface: [wan0, wan1]}, action: masquerade}]\n", "lan0 198.18.0.1/24 wan0 203.0.113.1/24 wan1 203.0.113.2/24");
	fine(IFS "rules: [{to: {interface: wan0}, action: masquerade}, {to: {interface: wan1}, action: masquerade}]\n",
	     "lan0 198.18.0.1/24 wan0 203.0.113.1/24 wan1 203.0.113.2/24");
	/* two inside interfaces with one subnet, where no rule names the way out */
	fine(IFS "rules: [{from: {interface: lan0}, action: masquerade}, {from: {interface: dmz0}, action: masquerade}]\n",
	     "lan0 198.18.0.1/24 dmz0 198.18.0.1/24 wan0 203.0.113.1/24");
}

static void sources(void **state)
{
#define FROM(source) IFS "rules: [{from: {interface: lan0, source: [" source "]}, to: {interface: wan0}, action: masquerade}]\n"
	static const char wide[] = "lan0 198.18.0.1/16 wan0 198.18.200.1/24";

	refused(FROM("198.18.0.0/15"), wide, "overlap");
	refused(FROM("192.0.2.0/24, 198.18.200.0/28"), wide, "overlap");
	fine(FROM("198.18.0.0/24"), wide);
	fine(FROM("192.0.2.0/24"), wide);
}

static void pools(void **state)
{
	static const char from_lan[] = "lan0 198.18.0.1/24 wan0 203.0.113.1/24";

	refused(POOL("198.18.0.0/24", "from: {interface: lan0}, to: {interface: wan0}"), from_lan,
		"rule out translates to pool `p`, whose 198.18.0.0/24 has all of 198.18.0.0/24, the subnet of lan0");
	refused(POOL("203.0.113.9, 198.18.0.0/23", "to: {interface: wan0}"), from_lan, "whose 198.18.0.0/23 has all of 198.18.0.0/24");
	/* set apart in the inside subnet; in the outside one; source NAT towards the inside; sources elsewhere */
	fine(POOL("198.18.0.64/26", "from: {interface: lan0}, to: {interface: wan0}"), from_lan);
	fine(POOL("203.0.113.0/24", "from: {interface: lan0}, to: {interface: wan0}"), from_lan);
	fine(POOL("198.18.0.0/24", "from: {interface: wan0}, to: {interface: lan0}"), from_lan);
	fine(POOL("198.18.0.0/24", "from: {interface: lan0, source: 192.0.2.0/24}, to: {interface: wan0}"), from_lan);
}

static void protocols_shared_or_not(void **state)
{
#define BOTH(pool, masquerade) "interfaces: [lan0, wan0]\npools: [{name: p, addresses: 203.0.113.0/29, protocols: " pool "}]\n" \
	"masquerade: {protocols: " masquerade "}\nrules: [{from: {interface: lan0}, to: {interface: wan0}, action: masquerade}]\n"
	static const char in[] = "lan0 198.18.0.1/24 wan0 203.0.113.1/24", beside[] = "lan0 198.18.0.1/24 wan0 203.0.113.9/24";

	refused(BOTH("shared", "separate"), in, "test.yaml:2: pool `p` has 203.0.113.1 too, the address of wan0, which rules masquerade by, "
		"and only the pool has `protocols: shared`");
	refused(BOTH("separate", "shared"), in, "only `masquerade` has");
	fine(BOTH("shared", "shared"), in);
	fine(BOTH("separate", "separate"), in);
	fine(BOTH("shared", "separate"), beside);
	fine("interfaces: [lan0, wan0]\npools: [{name: p, addresses: 203.0.113.0/29, protocols: shared}]\n", in);
}

#define ZONED	"zones: [{name: red, table: 100}, {name: blue, table: 200}]\n" \
		"interfaces: [{name: lan0, zone: red}, {name: dmz0, zone: blue}, wan0, {name: wan1, zone: red}]\n"
#define ZONED_OUT(to) ZONED "rules: [{name: out, from: {zone: [red, blue]}, to: {" to "}, action: masquerade}]\n"
#define SITES(net) ZONED "rules: [{name: sites, from: {zone: red, source: 198.18.0.0/24}, to: {destination: 198.51.100.0/24},\n" \
		"  action: {netmap: " net ", dnat: 198.18.0.0/24, zone: blue}}]\n"

/* What is in another zone is somewhere else. */
static void subnets_in_zones(void **state)
{
	fine(ZONED_OUT("zone: global"), "lan0 198.18.0.1/24 wan0 198.18.0.2/24");
	fine(ZONED_OUT("zone: global"), "lan0 198.18.0.1/24 dmz0 198.18.0.1/24 wan0 203.0.113.1/24");
	fine(ZONED_OUT("interface: wan0"), "lan0 198.18.0.1/24 wan0 198.18.0.2/24");
	fine(SITES("192.0.2.0/24"), "lan0 198.18.0.1/24 dmz0 198.18.0.1/24");
	refused(ZONED "rules: [{name: out, from: {interface: lan0}, to: {interface: wan1}, action: masquerade}]\n",
		"lan0 198.18.0.1/24 wan1 198.18.0.2/24", "rule out leads from lan0 (subnet 198.18.0.0/24) to wan1 (subnet 198.18.0.0/24)");
}

static void translated_space_inside(void **state)
{
	const char *plain = IFS "rules: [{name: map, from: {interface: lan0, source: 198.18.0.0/24}, to: {interface: wan0}, action: {netmap: %s}}]\n";
	char yaml[512];

	snprintf(yaml, sizeof(yaml), plain, "198.18.1.0/24");
	refused(yaml, "lan0 198.18.0.1/16 wan0 203.0.113.1/24",
		"test.yaml:2: rule map translates to 198.18.1.0/24, which overlaps 198.18.0.0/16, the subnet of lan0 that it comes from: ");
	refused(yaml, "lan0 198.18.1.1/30 wan0 203.0.113.1/24", "which overlaps 198.18.1.0/30, the subnet of lan0");
	fine(yaml, "lan0 198.18.0.1/24 wan0 203.0.113.1/24");
	fine(yaml, "lan0 198.18.0.1/24 wan0 198.18.1.1/24");	/* a subnet that it leads to is the usual place */
	/* only blue sees it: red's own hosts may have these addresses */
	fine(SITES("192.0.2.0/24"), "lan0 192.0.2.1/24");
	/* who sees a pool */
	refused(ZONED "pools: [{name: p, addresses: 192.0.2.0/28}]\n"
		"rules: [{name: out, from: {zone: red}, to: {zone: global}, action: {snat: p}}]\n", "lan0 192.0.2.1/28", "has all of 192.0.2.0/28");
	fine(ZONED "pools: [{name: p, addresses: 192.0.2.0/28, zone: global}]\n"
	     "rules: [{name: out, from: {zone: red}, to: {zone: global}, action: {snat: p}}]\n", "lan0 192.0.2.1/28");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subnets_in_zones),
		cmocka_unit_test(translated_space_inside),
		cmocka_unit_test(subnets_that_overlap),
		cmocka_unit_test(subnets_apart),
		cmocka_unit_test(sides),
		cmocka_unit_test(sources),
		cmocka_unit_test(pools),
		cmocka_unit_test(protocols_shared_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
