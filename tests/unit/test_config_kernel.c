/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_config_kernel.c - action: {kernel: ...}: what is refused and in which line, what ends in the struct, and the way
 * through JSON.
 */
#include "tests/unit/config_text.h"

#define FTP(rest)	"to: {interface: wan0, port: 21}, proto: tcp, action: {kernel: {" rest "}}"
#define OUT		"- {to: {interface: wan0}, action: masquerade}\n"
#define PORTS		"masquerade: true, ports: 61000-61999"

static const struct bad bad_keys[] = {
	{ IFS RULE("action: {kernel: }"), 1, 3, "`kernel` says nothing of what the kernel is to do; name a `helper`, or write `action: kernel`" },
	{ IFS RULE("action: {kernel: {}}"), 1, 3, "`kernel` says nothing" },
	{ IFS RULE("action: {kernel: {masquerade: false}}"), 1, 3, "`kernel` says nothing" },
	{ IFS RULE("action: {kernel: ftp}"), 1, 3, "`kernel` is a block of keys (`masquerade: ...`), not" },
	{ IFS RULE("action: {kernel: [ftp]}"), 1, 3, "`kernel` is a block of keys" },
	{ IFS RULE("action: {kernal: {helper: ftp}}"), 2, 3, "unknown key `kernal` in an action; did you mean `kernel`?" },
	{ IFS RULE(FTP("helpers: ftp")), 1, 3, "unknown key `helpers` in `kernel`; did you mean `helper`?" },
	{ IFS RULE(FTP("helper: ftp, helper: ftp")), 1, 3, "`helper` stands twice in `kernel`" },
	{ IFS RULE(FTP("helper: fpt")), 1, 3, "`fpt` is not a helper of the kernel's; did you mean `ftp`?" },
	{ IFS RULE(FTP("helper: netbios")), 1, 3, "known here: ftp, tftp, sip, pptp, h323, irc, amanda, netbios-ns, sane, snmp" },
	{ IFS RULE(FTP("masquerade: yes")), 1, 3, "`yes` is not a word for whether the kernel masquerades" },
	{ IFS RULE(FTP("masquerade: true, helper: ftp")), 1, 3, "needs `ports`, which natvi then gives to nobody, like `ports: 61000-61999`" },
	{ IFS RULE(FTP("helper: ftp, ports: 61000-61999")), 1, 3, "`ports` goes with `masquerade: true` only: nothing is translated here" },
	{ IFS RULE(FTP("snat: 203.0.113.9, ports: 61000-61999")), 1, 3, "the address of `snat` has all its ports for the kernel" },
	{ IFS RULE(FTP("snat: 203.0.113.9, " PORTS)), 1, 3, "keep one of `masquerade` and `snat`" },
	{ IFS RULE(FTP("masquerade: true, ports: 61999-61000")), 1, 3, "61999-61000" },
	{ IFS RULE(FTP("masquerade: true, ports: [61000, 61001]")), 1, 3, "is needed here, not a list" },
	{ IFS RULE(FTP("snat: wan0")), 1, 3, "`wan0` is not an address like 203.0.113.9; by that of the way out write `masquerade: true`" },
	{ IFS RULE(FTP("snat: 203.0.113.0/24")), 1, 3, "is not an address" },
	{ IFS RULE(FTP("snat: 224.0.0.1")), 1, 3, "no host can have the address 224.0.0.1" },
	{ IFS POOL RULE("to: {port: 21}, proto: tcp, action: {snat: public, kernel: {helper: ftp}}"), 1, 4,
	  "what is left to the kernel (`kernel`) is not translated by natvi as well" },
	{ IFS RULE("to: {port: 21}, proto: tcp, action: {dnat: 198.18.0.9, kernel: {helper: ftp}}"), 1, 3, "keep one of the two" },
};

static const struct bad bad_rules[] = {
	{ IFS RULE("to: {interface: wan0}, action: {kernel: {helper: ftp}}"), 1, 3, "rule rule-1: helper ftp does not follow all protocols; add `proto: tcp`" },
	{ IFS RULE("name: x, to: {port: 21}, proto: udp, action: {kernel: {helper: ftp}}"), 1, 3, "rule x: helper ftp does not follow udp; write `proto: tcp`" },
	{ IFS RULE("to: {port: 69}, proto: [udp, tcp], action: {kernel: {helper: tftp}}"), 1, 3, "helper tftp does not follow tcp; write `proto: udp`" },
	{ IFS RULE("proto: icmp, action: {kernel: {helper: sip}}"), 1, 3, "helper sip does not follow icmp; write `proto: [tcp, udp]`" },
	{ IFS RULE("proto: tcp, action: {kernel: {helper: ftp}}"), 1, 3, "helper ftp would read all that the rule speaks of; name the service by `to: {port: ...}`" },
	{ IFS RULE("action: {kernel: {" PORTS "}}"), 1, 3, "rule rule-1 has the kernel choose ports, which not all protocols have; add `proto: [tcp, udp]`" },
	{ IFS RULE("proto: [tcp, gre], action: {kernel: {" PORTS "}}"), 1, 3, "which gre does not have; give it a rule with `snat`" },
	{ IFS RULE("local: out, to: {port: 21}, proto: tcp, action: {kernel: {helper: ftp}}"), 1, 3, "is for what crosses the box; leave `local` away" },
	{ IFS RULE("local: in, to: {port: 21}, proto: tcp, action: {kernel: {helper: ftp}}"), 1, 3, "is for what crosses the box" },
};

static const struct bad bad_collisions[] = {
	{ IFS "masquerade: {ports: [1024-2000, 40000-61500]}\n" RULE(FTP(PORTS)) OUT, 1, 4,
	  "rule rule-1 has the kernel masquerade by wan0 with ports 61000-61500, which `masquerade: {ports: ...}` (line 2)" },
	{ IFS "masquerade: {ports: 40000-65535}\n" RULE("to: {port: 21}, proto: tcp, action: {kernel: {" PORTS "}}") OUT, 1, 4, "masquerade by wan0" },
	{ IFS POOL RULE(FTP("snat: 203.0.113.17")), 1, 4, "rule rule-1 gives 203.0.113.17 to the kernel, but pool `public` (line 2) has it for natvi" },
	{ IFS RULE(FTP("snat: 203.0.113.17")) "- {name: n, from: {source: 198.18.0.0/24}, action: {netmap: 203.0.113.0/24}}\n", 1, 3,
	  "gives 203.0.113.17 to the kernel, but rule `n` (line 4) has it" },
	{ IFS RULE(FTP("snat: 203.0.113.17")) FORWARD("proto: udp, external: \"203.0.113.17:80\", internal: 198.18.0.9"), 1, 3,
	  "gives 203.0.113.17 to the kernel, but the forward in line 5 leads inside from it" },
	{ IFS RULE(FTP(PORTS)) FORWARD("proto: [udp, tcp], external: \"wan0:61990-62010\", internal: 198.18.0.9"), 1, 3,
	  "with tcp port 61990-61999, which the forward in line 5 has" },
};

BAD_TEST(bad_keys)
BAD_TEST(bad_rules)
BAD_TEST(bad_collisions)

/* What only looks like a collision. */
static void test_neighbours(void **state)
{
	static const char *const list[] = {
		IFS "masquerade: {ports: [1024-60999, 62000-65535]}\n" RULE(FTP(PORTS)) OUT,
		"interfaces: [lan0, wan0, wan1]\nmasquerade: {ports: 1024-65535}\n" RULE(FTP(PORTS)) "- {to: {interface: wan1}, action: masquerade}\n",
		IFS RULE(FTP(PORTS)) OUT,
		IFS POOL RULE(FTP("snat: 203.0.113.15")),
		IFS RULE(FTP(PORTS)) FORWARD("proto: udp, external: \"wan0:61990\", internal: 198.18.0.9"),
		IFS RULE(FTP(PORTS)) FORWARD("proto: tcp, external: \"lan0:61990\", internal: 198.18.0.9"),
		IFS RULE(FTP("snat: 203.0.113.9")) "- {to: {port: 69}, proto: udp, action: {kernel: {snat: 203.0.113.9, helper: tftp}}}\n",
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		config_free(read_good(list[i]));
}

static void test_forms(void **state)
{
	struct config *c = read_good(IFS "rules:\n"
		"- {from: {interface: lan0}, " FTP(PORTS ", helper: ftp") "}\n"
		"- {" FTP("snat: 203.0.113.9, helper: ftp, masquerade: false") "}\n"
		"- {to: {port: [1719, 1720]}, proto: [tcp, udp], action: {kernel: {helper: h323}}}\n"
		"- {proto: gre, action: {kernel: {snat: 203.0.113.9}}}\n"
		"- {action: kernel}\n");
	const struct cfg_rule *r = c->rules;

	json_decref(round_trip(c));
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(r[i].action, ACTION_KERNEL);
	assert_true(r[0].kernel.masquerade);
	assert_int_equal(r[0].kernel.ports.lo, 61000);
	assert_int_equal(r[0].kernel.ports.hi, 61999);
	assert_int_equal(r[0].kernel.helper, CFG_HELPER_FTP);
	assert_false(r[1].kernel.masquerade);
	assert_int_equal(r[1].kernel.snat, A(203, 0, 113, 9));
	assert_int_equal(r[2].kernel.helper, CFG_HELPER_H323);
	assert_string_equal(config_helper_type(CFG_HELPER_H323, IPPROTO_TCP), "Q.931");
	assert_string_equal(config_helper_type(CFG_HELPER_H323, IPPROTO_UDP), "RAS");
	assert_null(config_helper_type(CFG_HELPER_FTP, IPPROTO_UDP));
	assert_false(r[3].kernel.helper);
	assert_false(config_instructs(&r[4]));
	config_free(c);
}

/* Plain `kernel` is written as ever. */
static void test_json(void **state)
{
	struct config *c = read_good(IFS "rules:\n- {action: kernel}\n- {" FTP(PORTS ", helper: ftp") "}\n");
	json_t *json = round_trip(c), *rules = json_object_get(json, "rules"), *kernel;

	assert_string_equal(json_string_value(json_object_get(json_array_get(rules, 0), "action")), "kernel");
	kernel = json_object_get(json_object_get(json_array_get(rules, 1), "action"), "kernel");
	assert_true(json_is_true(json_object_get(kernel, "masquerade")));
	assert_string_equal(json_string_value(json_object_get(kernel, "ports")), "61000-61999");
	assert_string_equal(json_string_value(json_object_get(kernel, "helper")), "ftp");
	assert_null(json_object_get(kernel, "snat"));
	json_decref(json);
	config_free(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_bad_collisions),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("config: what the kernel is to do", tests, NULL, NULL);
}
