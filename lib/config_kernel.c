/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_kernel.c - action: {kernel: ...}: what the kernel is to do with what a rule leaves to it, so that a helper of its
 * conntrack can follow it. Its NAT and natvi's know nothing of each other: what one of them gives away must not be the
 * other's.
 */
#include <netinet/in.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

/* Names as the kernel's nf_conntrack_*.ko have them, and the helpers that these bring for each protocol. */
static const struct {
	const char *name, *tcp, *udp;
} helpers[CFG_HELPERS] = {
	[CFG_HELPER_FTP] = { "ftp", "ftp", NULL },
	[CFG_HELPER_TFTP] = { "tftp", NULL, "tftp" },
	[CFG_HELPER_SIP] = { "sip", "sip", "sip" },
	[CFG_HELPER_PPTP] = { "pptp", "pptp", NULL },
	[CFG_HELPER_H323] = { "h323", "Q.931", "RAS" },
	[CFG_HELPER_IRC] = { "irc", "irc", NULL },
	[CFG_HELPER_AMANDA] = { "amanda", NULL, "amanda" },
	[CFG_HELPER_NETBIOS_NS] = { "netbios-ns", NULL, "netbios-ns" },
	[CFG_HELPER_SANE] = { "sane", "sane", NULL },
	[CFG_HELPER_SNMP] = { "snmp", NULL, "snmp" },
};

const char *config_helper_name(enum cfg_helper helper)
{
	return helpers[helper].name;
}

const char *config_helper_type(enum cfg_helper helper, uint8_t proto)
{
	return proto == IPPROTO_TCP ? helpers[helper].tcp : proto == IPPROTO_UDP ? helpers[helper].udp : NULL;
}

bool config_instructs(const struct cfg_rule *rule)
{
	return rule->kernel.masquerade || rule->kernel.snat || rule->kernel.helper;
}

bool config_leaves_by(const struct cfg_rule *rule, const struct cfg_interface *interface)
{
	const struct cfg_match *to = &rule->to;

	for (size_t i = 0; i < to->n_interfaces; i++)
		if (!strcmp(to->interfaces[i], interface->name))
			return true;
	for (size_t i = 0; i < to->n_zones; i++)
		if (!strcmp(to->zones[i], interface->zone))
			return true;
	return !to->n_interfaces && !to->n_zones;
}

/* Keys */

static void kernel_masquerade(struct cfg_parse *p, const struct node *value, void *to)
{
	static const char *const words[] = { "false", "true", NULL };

	((struct cfg_kernel *)to)->masquerade = cfg_word(p, value, "a word for whether the kernel masquerades", words) == 1;
}

static void kernel_snat(struct cfg_parse *p, const struct node *value, void *to)
{
	const char *text = cfg_text(p, value, "the address that the source becomes");
	char quoted[CFG_QUOTE_LEN];
	uint32_t addr;

	if (!text)
		return;
	if (addr_parse4(text, &addr))
		cfg_fail(p, value->line, "`%s` is not an address like 203.0.113.9; by that of the way out write `masquerade: true`",
			 cfg_quote(text, quoted));
	else if (!cfg_unicast(addr))
		cfg_fail(p, value->line, "no host can have the address %s", text);
	else
		((struct cfg_kernel *)to)->snat = addr;
}

static void kernel_ports(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_ports(p, value, &((struct cfg_kernel *)to)->ports);
}

static void kernel_helper(struct cfg_parse *p, const struct node *value, void *to)
{
	const char *words[CFG_HELPERS] = { NULL };
	int word;

	for (int i = 1; i < CFG_HELPERS; i++)
		words[i - 1] = helpers[i].name;
	word = cfg_word(p, value, "a helper of the kernel's", words);
	((struct cfg_kernel *)to)->helper = (enum cfg_helper)(word + 1);
}

static const struct cfg_key kernel_keys[] = {
	{ "masquerade", kernel_masquerade, false },
	{ "snat", kernel_snat, false },
	{ "ports", kernel_ports, false },
	{ "helper", kernel_helper, false },
};

static void check_keys(struct cfg_parse *p, const struct node *value, const struct cfg_kernel *k)
{
	if (!k->masquerade && !k->snat && !k->helper)
		cfg_fail(p, value->line, "`kernel` says nothing of what the kernel is to do; name a `helper`, or write `action: kernel`");
	else if (k->masquerade && k->snat)
		cfg_fail(p, value->line, "the kernel translates the source in one way; keep one of `masquerade` and `snat`");
	else if (k->masquerade && !k->ports.lo)
		cfg_fail(p, value->line, "`masquerade` of the kernel's needs `ports`, which natvi then gives to nobody, like `ports: "
			 "61000-61999`");
	else if (k->ports.lo && !k->masquerade)
		cfg_fail(p, value->line, "`ports` goes with `masquerade: true` only: %s; leave it away",
			 k->snat ? "the address of `snat` has all its ports for the kernel" : "nothing is translated here");
}

void cfg_read_kernel(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_kernel *k = &((struct cfg_rule *)to)->kernel;
	size_t errors = p->errors->n + p->errors_dropped;

	CFG_MAP(p, value, "`kernel`", kernel_keys, k);
	if (p->errors->n + p->errors_dropped == errors)
		check_keys(p, value, k);
}

/* In one rule */

static const char *helper_protos(enum cfg_helper helper)
{
	return helpers[helper].tcp && helpers[helper].udp ? "[tcp, udp]" : helpers[helper].tcp ? "tcp" : "udp";
}

static void check_helper(struct cfg_parse *p, const struct cfg_rule *rule)
{
	const char *name = config_helper_name(rule->kernel.helper), *protos = helper_protos(rule->kernel.helper);
	char other[PROTO_TEXT_LEN];

	if (!rule->n_protos)
		cfg_fail(p, rule->line, "rule %s: helper %s does not follow all protocols; add `proto: %s`", rule->name, name, protos);
	for (size_t i = 0; i < rule->n_protos; i++) {
		if (config_helper_type(rule->kernel.helper, rule->protos[i]))
			continue;
		cfg_fail(p, rule->line, "rule %s: helper %s does not follow %s; write `proto: %s`", rule->name, name,
			 addr_print_proto(rule->protos[i], other), protos);
		return;
	}
	if (rule->n_protos && !rule->to.n_ports)
		cfg_fail(p, rule->line, "rule %s: helper %s would read all that the rule speaks of; name the service by `to: {port: ...}`",
			 rule->name, name);
}

static void check_kernel_ports(struct cfg_parse *p, const struct cfg_rule *rule)
{
	char name[PROTO_TEXT_LEN];

	if (!rule->n_protos)
		cfg_fail(p, rule->line, "rule %s has the kernel choose ports, which not all protocols have; add `proto: [tcp, udp]`",
			 rule->name);
	for (size_t i = 0; i < rule->n_protos; i++) {
		if (rule->protos[i] == IPPROTO_TCP || rule->protos[i] == IPPROTO_UDP)
			continue;
		cfg_fail(p, rule->line, "rule %s has the kernel choose ports, which %s does not have; give it a rule with `snat`",
			 rule->name, addr_print_proto(rule->protos[i], name));
		return;
	}
}

void cfg_check_kernel(struct cfg_parse *p, const struct cfg_rule *rule)
{
	if (!config_instructs(rule))
		return;
	if (rule->local)
		cfg_fail(p, rule->line, "rule %s: `kernel: {...}` is for what crosses the box; leave `local` away, or write `action: "
			 "kernel`", rule->name);
	if (rule->kernel.helper)
		check_helper(p, rule);
	else if (rule->kernel.masquerade)
		check_kernel_ports(p, rule);
}

/* Against the rest */

/* An interface that both rules may leave by; NULL: none. */
static const struct cfg_interface *meets(const struct config *c, const struct cfg_rule *a, const struct cfg_rule *b)
{
	for (size_t i = 0; i < c->n_interfaces; i++)
		if (config_leaves_by(a, &c->interfaces[i]) && config_leaves_by(b, &c->interfaces[i]))
			return &c->interfaces[i];
	return NULL;
}

static bool overlap(struct cfg_ports a, struct cfg_ports b, struct cfg_ports *both)
{
	both->lo = a.lo > b.lo ? a.lo : b.lo;
	both->hi = a.hi < b.hi ? a.hi : b.hi;
	return both->lo <= both->hi;
}

/* Without `masquerade: ports` these are withheld. */
static void check_masquerade(struct cfg_parse *p, const struct cfg_rule *rule)
{
	const struct config *c = p->config;
	const struct cfg_interface *way = NULL;
	char text[PORTS_TEXT_LEN];
	struct cfg_ports both;

	for (size_t i = 0; i < c->n_rules && !way; i++)
		if (c->rules[i].masquerade)
			way = meets(c, rule, &c->rules[i]);
	for (size_t i = 0; way && i < c->masquerade.n_ports; i++) {
		if (!overlap(rule->kernel.ports, c->masquerade.ports[i], &both))
			continue;
		cfg_fail(p, rule->line, "rule %s has the kernel masquerade by %s with ports %s, which `masquerade: {ports: ...}` (line %d) has "
			 "natvi give away there, too; take them out of one of the two", rule->name, way->name,
			 addr_print_ports(both.lo, both.hi, text), p->masquerade_line);
		return;
	}
}

static bool has_proto(const struct cfg_rule *rule, const struct cfg_forward *f, uint8_t *proto)
{
	for (size_t i = 0; i < f->n_protos; i++) {
		*proto = f->protos[i];
		if (!rule->n_protos || memchr(rule->protos, *proto, rule->n_protos))
			return true;
	}
	return false;
}

static bool forward_is_by(const struct cfg_rule *rule, const struct config *c, const struct cfg_forward *f)
{
	for (size_t i = 0; *f->ext_interface && i < c->n_interfaces; i++)
		if (!strcmp(c->interfaces[i].name, f->ext_interface))
			return config_leaves_by(rule, &c->interfaces[i]);
	return false;
}

static void check_forwarded(struct cfg_parse *p, const struct cfg_rule *rule, const struct cfg_forward *f)
{
	char name[PROTO_TEXT_LEN], text[PORTS_TEXT_LEN], addr[ADDR_TEXT_LEN];
	const struct cfg_kernel *k = &rule->kernel;
	struct cfg_ports both;
	uint8_t proto = 0;

	if (k->snat && f->ext_addr == k->snat)
		cfg_fail(p, rule->line, "rule %s gives %s to the kernel, but the forward in line %d leads inside from it; give one of the two "
			 "another address", rule->name, addr_print4(k->snat, addr), f->line);
	if (k->masquerade && forward_is_by(rule, p->config, f) && has_proto(rule, f, &proto) && overlap(k->ports, f->ext_ports, &both))
		cfg_fail(p, rule->line, "rule %s has the kernel masquerade by %s with %s port %s, which the forward in line %d has; give one of "
			 "the two others", rule->name, f->ext_interface, addr_print_proto(proto, name),
			 addr_print_ports(both.lo, both.hi, text), f->line);
}

static void check_snat(struct cfg_parse *p, const struct cfg_rule *rule)
{
	uint32_t addr = rule->kernel.snat;
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < p->n_spans; i++) {
		const struct cfg_span *span = &p->spans[i];
		const struct config *c = p->config;

		if (span->lo <= addr && addr <= span->hi)
			cfg_fail(p, rule->line, "rule %s gives %s to the kernel, but %s `%s` (line %d) has it for natvi; give one of the two "
				 "another address", rule->name, addr_print4(addr, text), span->pool != CFG_NONE ? "pool" : "rule",
				 span->pool != CFG_NONE ? c->pools[span->pool].name : c->rules[span->rule].name, span->line);
	}
}

void cfg_check_kernels(struct cfg_parse *p)
{
	const struct config *c = p->config;

	for (size_t i = 0; i < c->n_rules; i++) {
		const struct cfg_rule *rule = &c->rules[i];

		if (rule->kernel.masquerade)
			check_masquerade(p, rule);
		if (rule->kernel.snat)
			check_snat(p, rule);
		for (size_t f = 0; config_instructs(rule) && f < c->n_forwards; f++)
			check_forwarded(p, rule, &c->forwards[f]);
	}
}
