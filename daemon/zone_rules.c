/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * zone_rules.c - see zone_rules.h. Which interfaces are the instance's is asked of its running configuration too
 * (/run/natvi/INSTANCE.json), where those stand that a reload takes away, or that a daemon left that ended.
 */
#include <errno.h>
#include <jansson.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan.h"
#include "daemon/zone_rules.h"
#include "lib/log.h"
#include "lib/names.h"

/* One rule; zeroed first, for comparing. */
struct zone_rule {
	char iif[IFNAMSIZ];
	uint32_t table, preference;
};

struct rule_list {
	struct zone_rule *list;
	size_t n;
};

/* What the configuration wants. Zone names are the plan's. */

static bool wants(const struct config *config, const struct plan *plan, size_t interface, struct zone_rule *out)
{
	const struct cfg_interface *in = &config->interfaces[interface];
	size_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < config->n_zones; i++) {
		if (strcmp(config->zones[i].name, in->zone) || config->zones[i].vrf[0])
			continue;
		strcpy(out->iif, in->name);
		out->table = config->zones[i].table;
		out->preference = ZONE_RULE_PREFERENCE + plan_zone(plan, in->zone);
		return true;
	}
	return false;
}

static bool is_wanted(const struct config *config, const struct plan *plan, const struct zone_rule *rule)
{
	struct zone_rule wanted;
	size_t i;

	for (i = 0; i < config->n_interfaces; i++)
		if (wants(config, plan, i, &wanted) && !memcmp(&wanted, rule, sizeof(wanted)))
			return true;
	return false;
}

/* What the kernel has. */

struct rule_seen {
	struct zone_rule rule;
	uint8_t protocol;
};

static int rule_attr(const struct nlattr *attr, void *arg)
{
	struct rule_seen *seen = arg;

	switch (mnl_attr_get_type(attr)) {
	case FRA_IIFNAME:
		strncpy(seen->rule.iif, mnl_attr_get_str(attr), sizeof(seen->rule.iif) - 1);
		break;
	case FRA_TABLE:
		seen->rule.table = mnl_attr_get_u32(attr);
		break;
	case FRA_PRIORITY:
		seen->rule.preference = mnl_attr_get_u32(attr);
		break;
	case FRA_PROTOCOL:
		seen->protocol = mnl_attr_get_u8(attr);
		break;
	}
	return MNL_CB_OK;
}

static int take_rule(const struct nlmsghdr *msg, void *arg)
{
	const struct fib_rule_hdr *hdr = mnl_nlmsg_get_payload(msg);
	struct rule_list *rules = arg;
	struct zone_rule *more;
	struct rule_seen seen = { 0 };

	if (msg->nlmsg_type != RTM_NEWRULE || hdr->action != FR_ACT_TO_TBL)
		return 0;
	seen.rule.table = hdr->table;
	mnl_attr_parse(msg, sizeof(*hdr), rule_attr, &seen);
	if (seen.protocol != NL_PROTOCOL || !seen.rule.iif[0] || seen.rule.preference <= ZONE_RULE_PREFERENCE ||
	    seen.rule.preference >= ZONE_RULE_PREFERENCE + NATVI_MAX_ZONES)
		return 0;
	more = realloc(rules->list, (rules->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	rules->list = more;
	more[rules->n++] = seen.rule;
	return 0;
}

static void forget_rules(void *arg)
{
	((struct rule_list *)arg)->n = 0;
}

static int read_rules(struct nl *nl, struct rule_list *rules)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));
	int err;

	hdr->family = AF_INET;
	err = nl_talk(nl, msg, take_rule, forget_rules, rules);
	if (err)
		log_err("the routing rules cannot be read: %s", strerror(-err));
	return err;
}

static bool has(const struct rule_list *rules, const struct zone_rule *rule)
{
	size_t i;

	for (i = 0; i < rules->n; i++)
		if (!memcmp(&rules->list[i], rule, sizeof(*rule)))
			return true;
	return false;
}

/* Changing */

static int change(struct nl *nl, uint16_t type, uint16_t flags, const struct zone_rule *rule)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, type, flags);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));

	hdr->family = AF_INET;
	hdr->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(msg, FRA_PRIORITY, rule->preference);
	mnl_attr_put_u32(msg, FRA_TABLE, rule->table);
	mnl_attr_put_strz(msg, FRA_IIFNAME, rule->iif);
	mnl_attr_put_u8(msg, FRA_PROTOCOL, NL_PROTOCOL);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

int zone_rules_make(struct nl *nl, const struct config *config, const struct plan *plan)
{
	struct rule_list rules = { 0 };
	struct zone_rule wanted;
	int err, made = 0;
	size_t i;

	if (!config->n_zones)
		return 0;
	err = read_rules(nl, &rules);
	for (i = 0; i < config->n_interfaces && !err; i++) {
		if (!wants(config, plan, i, &wanted) || has(&rules, &wanted))
			continue;
		err = change(nl, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &wanted);
		if (err)
			log_err("the routing rule `iif %s lookup %u` cannot be made: %s", wanted.iif, wanted.table, strerror(-err));
		else
			log_info("zone %s: what comes in by %s goes by routing table %u (routing rule %u)", config->interfaces[i].zone,
				 wanted.iif, wanted.table, wanted.preference);
		made++;
	}
	free(rules.list);
	return err ? err : made;
}

static bool is_own(const struct config *config, const struct names *names, const char *iif)
{
	const json_t *interfaces = json_object_get(names_running(names), "interfaces"), *entry;
	const char *name;
	size_t i;

	for (i = 0; config && i < config->n_interfaces; i++)
		if (!strcmp(config->interfaces[i].name, iif))
			return true;
	json_array_foreach(interfaces, i, entry) {
		name = json_string_value(json_object_get(entry, "name"));
		if (name && !strcmp(name, iif))
			return true;
	}
	return false;
}

void zone_rules_clean(struct nl *nl, const char *instance, const struct config *config, const struct plan *plan)
{
	struct rule_list rules = { 0 };
	struct names *names;
	size_t i;
	int err;

	if (read_rules(nl, &rules) || !rules.n)
		goto out;
	names = names_open(instance);
	for (i = 0; i < rules.n; i++) {
		if (!is_own(config, names, rules.list[i].iif) || (config && is_wanted(config, plan, &rules.list[i])))
			continue;
		err = change(nl, RTM_DELRULE, 0, &rules.list[i]);
		if (err && err != -ENOENT)
			log_err("the routing rule `iif %s lookup %u` cannot be removed: %s", rules.list[i].iif, rules.list[i].table,
				strerror(-err));
	}
	names_close(names);
out:
	free(rules.list);
}
