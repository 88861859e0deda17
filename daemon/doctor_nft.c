/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_nft.c - firewalls in the way. Packets of known flows leave before the kernel's hooks: rules in
 * forward and nat chains never see them. Read by libnftables as JSON; iptables-nft's tables are among
 * them, those of the old iptables are found in /proc. See doctor_impl.h.
 */
#include <jansson.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/doctor_impl.h"

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static size_t count_rules(const json_t *list, const json_t *chain)
{
	json_t *entry, *rule;
	size_t i, n = 0;

	json_array_foreach(list, i, entry) {
		rule = json_object_get(entry, "rule");
		if (rule && !strcmp(text_of(rule, "family"), text_of(chain, "family")) &&
		    !strcmp(text_of(rule, "table"), text_of(chain, "table")) &&
		    !strcmp(text_of(rule, "chain"), text_of(chain, "name")))
			n++;
	}
	return n;
}

/* Chains that container engines make: their rules are meant for containers, and so are their ports. */
static bool is_container(const char *name)
{
	return strstr(name, "DOCKER") || strstr(name, "CNI-") || strstr(name, "NETAVARK") || strstr(name, "netavark") ||
	       strstr(name, "KUBE-");
}

static void judge_chain(struct doctor *doctor, const json_t *list, const json_t *chain)
{
	const char *hook = text_of(chain, "hook"), *type = text_of(chain, "type"), *table = text_of(chain, "table");
	size_t rules = count_rules(list, chain);
	bool drops = !strcmp(text_of(chain, "policy"), "drop");
	char subject[64];

	snprintf(subject, sizeof(subject), "%.15s %.40s", text_of(chain, "family"), table);
	if (is_container(text_of(chain, "name")))
		finding_add(doctor, DOCTOR_WARN, "containers", subject, "leave the containers' bridge out of natvi's interfaces, or give natvi "
			    "the forwards that they need", "chain %s belongs to a container engine: flows that natvi forwards pass its rules by",
			    text_of(chain, "name"));
	if (!strcmp(hook, "forward") && (rules || drops))
		finding_add(doctor, DOCTOR_WARN, "nftables", subject, "filter by natvi's own rules (drop, reject), or leave these packets to the "
			    "kernel (action: kernel); what the kernel forwards for natvi comes by: `ct state untracked accept`", "chain %s filters forwarded packets (%zu rules, policy %s): packets of flows that natvi "
			    "knows do not come by here", text_of(chain, "name"), rules, drops ? "drop" : "accept");
	if (!strcmp(type, "nat") && rules && strcmp(hook, "output") && strcmp(hook, "input"))
		finding_add(doctor, DOCTOR_WARN, "nftables", subject, "let one of the two translate: natvi's rules and forwards, or these",
			    "chain %s translates too (%zu rules, at %s): it does so only with what natvi leaves to the kernel",
			    text_of(chain, "name"), rules, hook);
}

/* Does a rule of this chain speak of nvi0, whatever it says? */
static bool knows_nvi(const json_t *list, const json_t *chain)
{
	bool found = false;
	json_t *entry, *rule;
	char *text;
	size_t i;

	json_array_foreach(list, i, entry) {
		rule = json_object_get(entry, "rule");
		if (!rule || strcmp(text_of(rule, "family"), text_of(chain, "family")) ||
		    strcmp(text_of(rule, "table"), text_of(chain, "table")) || strcmp(text_of(rule, "chain"), text_of(chain, "name")))
			continue;
		text = json_dumps(rule, 0);
		found |= text && strstr(text, "\"nvi");
		free(text);
	}
	return found;
}

/* Of what crosses a wire or is captured no chain sees anything, but for the little that the kernel has to forward. */
static void judge_beside_wires(struct doctor *doctor, const json_t *list, const json_t *chain)
{
	char subject[64];

	if (strcmp(text_of(chain, "hook"), "forward") || strcmp(text_of(chain, "policy"), "drop") || knows_nvi(list, chain))
		return;
	snprintf(subject, sizeof(subject), "%.15s %.40s", text_of(chain, "family"), text_of(chain, "table"));
	finding_add(doctor, DOCTOR_WARN, "nftables", subject, "accept there what comes in by nvi0, and what leaves by it",
		    "chain %s drops forwarded packets (policy drop): also what the kernel cuts for a target, and what comes out of one for a host "
		    "that has said nothing yet", text_of(chain, "name"));
}

static void judge(struct doctor *doctor, const json_t *list, bool wires)
{
	json_t *entry, *chain;
	size_t i;

	json_array_foreach(list, i, entry) {
		chain = json_object_get(entry, "chain");
		if (!chain || !strncmp(text_of(chain, "table"), "natvi_", 6))
			continue;
		/* The bridge and IPv6 have nothing to do with what natvi forwards. */
		if (!strcmp(text_of(chain, "family"), "ip") || !strcmp(text_of(chain, "family"), "inet"))
			(wires ? judge_beside_wires : judge_chain)(doctor, list, chain);
	}
}

/* The old iptables: which of its tables are in use says /proc; their content is not looked at. */
static void judge_old_iptables(struct doctor *doctor)
{
	FILE *file = fopen("/proc/self/net/ip_tables_names", "re");
	char name[64];

	while (file && fgets(name, sizeof(name), file)) {
		name[strcspn(name, "\n")] = '\0';
		if (!strcmp(name, "filter") || !strcmp(name, "nat"))
			finding_add(doctor, DOCTOR_WARN, "iptables", name, "see `iptables-legacy -S` for rules in FORWARD, PREROUTING and "
				    "POSTROUTING, and move them to natvi", "the old iptables has a table \"%s\": packets of flows that natvi "
				    "knows do not come by there", name);
	}
	if (file)
		fclose(file);
}

void doctor_firewall(struct doctor *doctor, bool wires)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	json_t *ruleset;

	if (!wires)
		judge_old_iptables(doctor);
	if (!nft)
		return;
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON);
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	if (nft_run_cmd_from_buffer(nft, "list ruleset")) {
		finding_add(doctor, DOCTOR_NOTE, "nftables", "kernel", "", "its tables cannot be read (no CAP_NET_ADMIN, or no nftables)");
	} else {
		ruleset = json_loads(nft_ctx_get_output_buffer(nft), 0, NULL);
		judge(doctor, json_object_get(ruleset, "nftables"), wires);
		json_decref(ruleset);
	}
	nft_ctx_free(nft);
}
