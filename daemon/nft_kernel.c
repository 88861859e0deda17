/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nft_kernel.c - see nft_kernel.h.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/nft.h"
#include "daemon/nft_kernel.h"
#include "lib/addr.h"
#include "lib/config.h"

#define NAT_PRIORITY	90	/* before the user's source NAT (100): the first that translates decides */
#define HELP_PRIORITY	-300	/* conntrack has seen the packet, and has not confirmed it */

static const uint8_t with_ports[] = { IPPROTO_TCP, IPPROTO_UDP };

static const char *proto_word(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : "udp";
}

/* Matches */

/* Interfaces of a match, by name or zone; none: what is said where it names neither. */
static void put_interfaces(FILE *out, const struct config *c, const struct cfg_match *match, const char *key, const char *none)
{
	const char *comma = "";
	bool in;

	if (!match->n_interfaces && !match->n_zones) {
		fputs(none, out);
		return;
	}
	fprintf(out, "%s { ", key);
	for (size_t i = 0; i < c->n_interfaces; i++) {
		in = false;
		for (size_t j = 0; j < match->n_interfaces; j++)
			in |= !strcmp(match->interfaces[j], c->interfaces[i].name);
		for (size_t j = 0; j < match->n_zones; j++)
			in |= !strcmp(match->zones[j], c->interfaces[i].zone);
		if (in)
			fprintf(out, "%s\"%s\"", comma, c->interfaces[i].name);
		comma = in ? ", " : comma;
	}
	fputs(" } ", out);
}

static void put_prefixes(FILE *out, const struct cfg_match *match, const char *key)
{
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < match->n_prefixes; i++)
		fprintf(out, "%s%s%s", i ? ", " : key, i ? "" : " { ",
			addr_print_prefix4(match->prefixes[i].addr, match->prefixes[i].len, text));
	if (match->n_prefixes)
		fputs(" } ", out);
}

static void put_ports(FILE *out, const struct cfg_match *match, uint8_t proto, const char *key)
{
	for (size_t i = 0; i < match->n_ports; i++) {
		if (!i)
			fprintf(out, "%s %s { ", proto_word(proto), key);
		fprintf(out, "%s%u-%u", i ? ", " : "", match->ports[i].lo, match->ports[i].hi);
	}
	if (match->n_ports)
		fputs(" } ", out);
}

static void put_dscps(FILE *out, uint64_t dscps)
{
	const char *comma = "";

	if (!dscps)
		return;
	fputs("ip dscp { ", out);
	for (unsigned int i = 0; i < 64; i++)
		if (dscps >> i & 1) {
			fprintf(out, "%s%u", comma, i);
			comma = ", ";
		}
	fputs(" } ", out);
}

/* What packets of that protocol the rule speaks of; proto 0: it names none. */
static void put_match(FILE *out, const struct config *c, const struct cfg_rule *rule, uint8_t proto)
{
	fputs("    meta nfproto ipv4 ", out);
	put_interfaces(out, c, &rule->from, "iifname", "iifname @names ");
	put_interfaces(out, c, &rule->to, "oifname", "");
	put_prefixes(out, &rule->from, "ip saddr");
	put_prefixes(out, &rule->to, "ip daddr");
	if (proto)
		fprintf(out, "meta l4proto %u ", proto);
	put_ports(out, &rule->from, proto, "sport");
	put_ports(out, &rule->to, proto, "dport");
	put_dscps(out, rule->dscp);
	if (rule->mark_mask)
		fprintf(out, "meta mark & 0x%08x == 0x%08x ", rule->mark_mask, rule->mark);
}

/* What becomes of them */

static void put_translation(FILE *out, const struct cfg_rule *rule, uint8_t proto)
{
	const struct cfg_kernel *k = &rule->kernel;
	char text[ADDR_TEXT_LEN];

	if (k->masquerade)
		fprintf(out, "masquerade to :%u-%u\n", k->ports.lo, k->ports.hi);
	else if (k->snat)
		fprintf(out, "snat ip to %s\n", addr_print4(k->snat, text));
	else
		fputs("return\n", out);
}

static void put_help(FILE *out, const struct cfg_rule *rule, uint8_t proto)
{
	if (config_helper_type(rule->kernel.helper, proto))
		fprintf(out, "ct helper set \"%s-%s\" ", config_helper_name(rule->kernel.helper), proto_word(proto));
	fputs("return\n", out);
}

typedef void put_end(FILE *out, const struct cfg_rule *rule, uint8_t proto);

static void put_rules(FILE *out, const struct config *c, put_end *end)
{
	for (size_t i = 0; c && i < c->n_rules; i++) {
		const struct cfg_rule *rule = &c->rules[i];

		if (rule->action != ACTION_KERNEL || rule->local)
			continue;
		for (size_t p = 0; p < rule->n_protos || !p; p++) {
			uint8_t proto = rule->n_protos ? rule->protos[p] : 0;

			put_match(out, c, rule, proto);
			end(out, rule, proto);
		}
	}
}

/* Helpers */

static bool uses(const struct config *c, enum cfg_helper helper, uint8_t proto)
{
	for (size_t i = 0; c && i < c->n_rules; i++)
		if (c->rules[i].kernel.helper == helper && memchr(c->rules[i].protos, proto, c->rules[i].n_protos))
			return true;
	return false;
}

static void put_helper(FILE *out, enum cfg_helper helper, uint8_t proto)
{
	fprintf(out, "  ct helper %s-%s {\n    type \"%s\" protocol %s; l3proto ip;\n  }\n", config_helper_name(helper), proto_word(proto),
		config_helper_type(helper, proto), proto_word(proto));
}

static void put_helpers(FILE *out, const struct config *a, const struct config *b)
{
	for (int h = 1; h < CFG_HELPERS; h++)
		for (size_t i = 0; i < sizeof(with_ports); i++)
			if (uses(a, h, with_ports[i]) || uses(b, h, with_ports[i]))
				put_helper(out, h, with_ports[i]);
}

static bool instructs(const struct config *c)
{
	for (size_t i = 0; c && i < c->n_rules; i++)
		if (config_instructs(&c->rules[i]))
			return true;
	return false;
}

bool nft_kernel_helps(const struct config *config)
{
	for (size_t i = 0; config && i < config->n_rules; i++)
		if (config->rules[i].kernel.helper)
			return true;
	return false;
}

static void put_all(FILE *out, const struct config *a, const struct config *b)
{
	put_helpers(out, a, b);
	fprintf(out, "  chain kernel_nat {\n    type nat hook postrouting priority %d; policy accept;\n", NAT_PRIORITY);
	put_rules(out, b, put_translation);
	put_rules(out, a, put_translation);
	fprintf(out, "  }\n  chain kernel_help {\n    type filter hook forward priority %d; policy accept;\n"
		"    iifname @names tcp flags & (syn | ack | rst) == syn | ack ct state invalid drop\n"
		"    ct state != new return\n", HELP_PRIORITY);
	put_rules(out, b, put_help);
	put_rules(out, a, put_help);
	fputs("  }\n", out);
}

char *nft_kernel_text(const struct config *a, const struct config *b)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	if (instructs(a) || instructs(b))
		put_all(out, a == b ? NULL : a, b);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

/* Asking the kernel */

static int check_helper(const struct config *c, const struct cfg_rule *rule, uint8_t proto, char *err, size_t err_len)
{
	const char *name = config_helper_name(rule->kernel.helper);
	char *commands = NULL;
	size_t len;
	FILE *out = open_memstream(&commands, &len);
	int ret;

	if (!out)
		return -ENOMEM;
	fputs("table inet natvi_probe {\n", out);
	put_helper(out, rule->kernel.helper, proto);
	fputs("}\n", out);
	ret = fclose(out) ? -ENOMEM : nft_try(commands);
	free(commands);
	if (ret)
		snprintf(err, err_len, "%s:%d: rule %s: this kernel has no conntrack helper %s for %s: `modprobe nf_conntrack_%s`, or take "
			 "`helper` away", c->source, rule->line, rule->name, name, proto_word(proto),
			 rule->kernel.helper == CFG_HELPER_NETBIOS_NS ? "netbios_ns" : name);
	return ret;
}

static int check_chains(const struct config *c, char *err, size_t err_len)
{
	char *text = nft_kernel_text(NULL, c), *commands = NULL;
	int ret;

	if (!text || asprintf(&commands, "table inet natvi_probe {\n  set names { type ifname; }\n%s}\n", text) < 0)
		commands = NULL;
	ret = commands ? nft_try(commands) : -ENOMEM;
	free(commands);
	free(text);
	if (ret)
		snprintf(err, err_len, "%s: this kernel's nftables cannot do what `action: {kernel: ...}` asks of it (`--log debug` has its "
			 "words): it needs nf_tables with conntrack and NAT in an inet table, 5.2 or later", c->source);
	return ret;
}

int nft_kernel_check(const struct config *config, char *err, size_t err_len)
{
	int ret = 0;

	if (!instructs(config))
		return 0;
	for (size_t i = 0; i < config->n_rules && !ret; i++)
		for (size_t p = 0; config->rules[i].kernel.helper && p < config->rules[i].n_protos && !ret; p++)
			ret = check_helper(config, &config->rules[i], config->rules[i].protos[p], err, err_len);
	return ret ? ret : check_chains(config, err, err_len);
}
