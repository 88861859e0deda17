/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_accel.c - accelerate: are connections of the kernel's sent on at the hook, and which are not. An exclusion is
 * what a rule matches, without an action; only TCP and UDP are accelerated, so it needs no `proto` for its ports.
 */
#include <netinet/in.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

#define WHAT_LEN	32

static const struct cfg_key exclude_keys[] = {
	{ "from", cfg_read_from_any, false },
	{ "to", cfg_read_to, false },
	{ "proto", cfg_read_protos, false },
	{ "dscp", cfg_read_dscps, false },
	{ "mark", cfg_read_mark, false },
};

static bool names_something(const struct cfg_match *match)
{
	return match->n_interfaces || match->n_zones || match->n_prefixes || match->n_ports;
}

static void check_protos(struct cfg_parse *p, const struct cfg_rule *e, const char *what)
{
	char name[PROTO_TEXT_LEN];

	for (size_t i = 0; i < e->n_protos; i++) {
		if (e->protos[i] == IPPROTO_TCP || e->protos[i] == IPPROTO_UDP)
			continue;
		cfg_fail(p, e->line, "%s names %s, which is never accelerated; write `tcp` or `udp`, or leave `proto` away for both",
			 what, addr_print_proto(e->protos[i], name));
		return;
	}
}

static void check_exclude(struct cfg_parse *p, const struct cfg_rule *e, const char *what)
{
	cfg_check_match(p, e, what);
	check_protos(p, e, what);
	if (!names_something(&e->from) && !names_something(&e->to) && !e->n_protos && !e->dscp && !e->mark_mask)
		cfg_fail(p, e->line, "%s names nothing, so all would be excluded; write `accelerate: false` for that", what);
}

static void read_exclude(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_rule *e = CFG_ADD(p, p->config->excludes, p->config->n_excludes);
	size_t errors = p->errors->n + p->errors_dropped;
	char what[WHAT_LEN];

	if (!e)
		return;
	e->line = value->line;
	snprintf(what, sizeof(what), "exclusion %zu", p->config->n_excludes);
	CFG_MAP(p, value, "an exclusion", exclude_keys, e);
	if (p->errors->n + p->errors_dropped == errors)
		check_exclude(p, e, what);
}

static void accelerate_exclude(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {to: {port: 5060}, proto: udp}", read_exclude, to);
}

static const struct cfg_key accelerate_keys[] = {
	{ "exclude", accelerate_exclude, false },
};

/* true, false, or a block of keys, which is true; nothing at all is neither. */
void cfg_read_accelerate(struct cfg_parse *p, const struct node *value, void *to)
{
	static const char *const words[] = { "false", "true", NULL };

	if (value->type == NODE_MAP) {
		p->config->accelerate = true;
		CFG_MAP(p, value, "`accelerate`", accelerate_keys, NULL);
		return;
	}
	p->config->accelerate = cfg_word(p, value, "a word for whether connections of the kernel's are accelerated (or `{exclude: [...]}`)",
					 words) == 1;
}
