/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_rules.c - see wire_rules.h.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/nvi.h"
#include "daemon/wire_rules.h"
#include "lib/netlink.h"

#define LAST_METRIC	UINT32_MAX

static bool is_target_table(uint32_t table)
{
	return table & CFG_OWN_MARK;
}

/* Two instances' rules never stand at one preference. */
static uint32_t preference(const struct nvi *nvi)
{
	return NVI_PRIORITY + 2 * nvi->number;
}

/* Reading */

struct seen {
	struct wire_rule rule;
	uint32_t preference, mask;
	uint8_t protocol;
};

struct rules {
	uint32_t preference;
	struct seen *list;
	size_t n;
};

static int rule_attr(const struct nlattr *attr, void *arg)
{
	struct seen *seen = arg;

	switch (mnl_attr_get_type(attr)) {
	case FRA_PRIORITY:
		seen->preference = mnl_attr_get_u32(attr);
		break;
	case FRA_FWMARK:
		seen->rule.mark = mnl_attr_get_u32(attr);
		break;
	case FRA_FWMASK:
		seen->mask = mnl_attr_get_u32(attr);
		break;
	case FRA_TABLE:
		seen->rule.table = mnl_attr_get_u32(attr);
		break;
	case FRA_PROTOCOL:
		seen->protocol = mnl_attr_get_u8(attr);
		break;
	case FRA_SRC:
		seen->rule.source = mnl_attr_get_u32(attr);
		break;
	case FRA_IIFNAME:
		seen->rule.target = true;
		break;
	}
	return MNL_CB_OK;
}

static int take_rule(const struct nlmsghdr *msg, void *arg)
{
	const struct fib_rule_hdr *hdr = mnl_nlmsg_get_payload(msg);
	struct seen seen = { .rule.table = hdr->table }, *more;
	struct rules *rules = arg;

	if (msg->nlmsg_type != RTM_NEWRULE)
		return 0;
	mnl_attr_parse(msg, sizeof(*hdr), rule_attr, &seen);
	/* NAT has rules there, too, without either (nvi_routes.c). */
	if (seen.protocol != NL_PROTOCOL || seen.preference != rules->preference || (!seen.rule.mark && !seen.rule.source))
		return 0;
	more = realloc(rules->list, (rules->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	rules->list = more;
	more[rules->n++] = seen;
	return 0;
}

static void forget_rules(void *arg)
{
	((struct rules *)arg)->n = 0;
}

static int read_rules(struct nl *nl, const struct nvi *nvi, struct rules *rules)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));

	memset(rules, 0, sizeof(*rules));
	rules->preference = preference(nvi);
	hdr->family = AF_INET;
	return nl_talk(nl, msg, take_rule, forget_rules, rules);
}

static bool is_rule(const struct seen *seen, const struct wire_rule *rule)
{
	return (seen->mask == UINT32_MAX || !rule->mark) && seen->rule.mark == rule->mark && seen->rule.source == rule->source && seen->rule.table == rule->table &&
	       seen->rule.target == rule->target;
}

/* Writing */

static int change_rule(struct nl *nl, const struct nvi *nvi, const struct wire_rule *rule, uint32_t mask, bool add)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));

	hdr->family = AF_INET;
	hdr->action = FR_ACT_TO_TBL;
	hdr->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(msg, FRA_TABLE, rule->table);
	mnl_attr_put_u32(msg, FRA_PRIORITY, preference(nvi));
	if (rule->mark) {
		mnl_attr_put_u32(msg, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(msg, FRA_FWMASK, mask);
	}
	if (rule->source) {
		hdr->src_len = 32;
		mnl_attr_put_u32(msg, FRA_SRC, rule->source);
	}
	mnl_attr_put_u8(msg, FRA_PROTOCOL, NL_PROTOCOL);
	if (rule->target)
		mnl_attr_put_strz(msg, FRA_IIFNAME, nvi->name);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

/* ifindex 0: to nowhere, after all others. */
static int change_route(struct nl *nl, uint32_t table, uint32_t ifindex, bool add)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));

	rt->rtm_family = AF_INET;
	rt->rtm_protocol = NL_PROTOCOL;
	rt->rtm_type = ifindex ? RTN_UNICAST : RTN_UNREACHABLE;
	rt->rtm_scope = ifindex ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	mnl_attr_put_u32(msg, RTA_TABLE, table);
	if (ifindex)
		mnl_attr_put_u32(msg, RTA_OIF, ifindex);
	else
		mnl_attr_put_u32(msg, RTA_PRIORITY, LAST_METRIC);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

int wire_target_routes(struct nl *nl, uint32_t ifindex)
{
	uint32_t table = wire_target_mark(ifindex);
	int err = change_route(nl, table, 0, true);

	return err ? err : change_route(nl, table, ifindex, true);
}

int wire_rules_make(struct nl *nl, const struct nvi *nvi, const struct wire_rule *rules, size_t n)
{
	struct rules seen;
	size_t i, s;
	int err = read_rules(nl, nvi, &seen);

	for (i = 0; i < n && !err; i++) {
		for (s = 0; s < seen.n && !is_rule(&seen.list[s], &rules[i]); s++)
			;
		if (s == seen.n)
			err = change_rule(nl, nvi, &rules[i], UINT32_MAX, true);
	}
	free(seen.list);
	return err;
}

void wire_rules_clean(struct nl *nl, const struct nvi *nvi, const struct wire_rule *rules, size_t n)
{
	const struct wire_rule *old;
	struct rules seen;
	size_t i, s;

	if (read_rules(nl, nvi, &seen))
		seen.n = 0;
	for (s = 0; s < seen.n; s++) {
		for (i = 0; i < n && !is_rule(&seen.list[s], &rules[i]); i++)
			;
		if (i < n)
			continue;
		old = &seen.list[s].rule;
		change_rule(nl, nvi, old, seen.list[s].mask, false);
		if (!is_target_table(old->table))
			continue;
		change_route(nl, old->table, old->table & ~CFG_OWN_MARK, false);
		change_route(nl, old->table, 0, false);
	}
	free(seen.list);
}
