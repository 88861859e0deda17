/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config.c - see config.h: where a configuration comes from, and its end. The steps in between are
 * in config_yaml.c (text to tree), config_parse.c and its like for zones, rules, actions, forwards, acceleration and wires
 * (tree to struct), and config_check.c and config_space.c (the struct as a whole).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "abi/flow.h"
#include "abi/mapping.h"
#include "lib/addr.h"
#include "lib/config_impl.h"

static struct config *config_new(const char *source)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->source = strdup(source);
	if (!config->source) {
		free(config);
		return NULL;
	}
	cfg_defaults(config);
	return config;
}

static void match_free(struct cfg_match *match)
{
	free(match->interfaces);
	free(match->zones);
	free(match->prefixes);
	free(match->ports);
}

static void rules_free(struct cfg_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		match_free(&rules[i].from);
		match_free(&rules[i].to);
		free(rules[i].protos);
	}
	free(rules);
}

static void wire_free(struct cfg_wire *wire)
{
	for (size_t i = 0; i < wire->n_captures; i++) {
		struct cfg_capture *capture = &wire->captures[i];

		free(capture->sources);
		free(capture->destinations);
		free(capture->protos);
		free(capture->source_ports);
		free(capture->destination_ports);
	}
	free(wire->captures);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_pools; i++) {
		free(config->pools[i].addrs);
		free(config->pools[i].ports);
	}
	rules_free(config->rules, config->n_rules);
	rules_free(config->excludes, config->n_excludes);
	for (size_t i = 0; i < config->n_wires; i++)
		wire_free(&config->wires[i]);
	free(config->wires);
	free(config->zones);
	free(config->interfaces);
	free(config->pools);
	free(config->forwards);
	free(config->masquerade.ports);
	free(config->source);
	free(config);
}

/* The common end: errors in order, what the reading needed released, config handed out or freed. */
static int parse_finish(struct cfg_parse *p, struct config **out)
{
	cfg_errors_finish(p);
	cfg_yaml_free(p);
	free(p->refs);
	free(p->spans);
	if (!p->no_memory && !p->errors->n) {
		*out = p->config;
		return 0;
	}
	config_free(p->config);
	if (!p->no_memory)
		return -EINVAL;
	cfg_errors_free(p->errors);
	return -ENOMEM;
}

int config_read_text(const char *text, size_t len, const char *name, struct config **out, struct cfg_errors *errors)
{
	struct cfg_parse p = { .errors = errors };

	*out = NULL;
	*errors = (struct cfg_errors){ 0 };
	p.config = config_new(name);
	if (!p.config)
		return -ENOMEM;
	if (len > CFG_MAX_BYTES)
		cfg_fail(&p, 0, "larger than %u MiB, which no configuration needs to be", CFG_MAX_BYTES >> 20);
	else
		cfg_yaml_read(&p, text, len);
	/* A broken tree would only bring consequences of what broke it. */
	if (!errors->n && !p.no_memory) {
		cfg_parse_root(&p);
		cfg_check(&p);
	}
	return parse_finish(&p, out);
}

/* Up to one byte more than is allowed, so that the reader sees it is too much. */
static int read_all(int fd, char **text, size_t *len)
{
	size_t size = 64 << 10, used = 0;
	char *buf = NULL;

	for (;;) {
		char *grown = !buf || used == size ? realloc(buf, size *= 2) : buf;
		ssize_t got;

		if (!grown) {
			free(buf);
			return -ENOMEM;
		}
		buf = grown;
		got = read(fd, buf + used, size - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(buf);
			return -errno;
		}
		used += (size_t)got;
		if (!got || used > CFG_MAX_BYTES)
			break;
	}
	*text = buf;
	*len = used;
	return 0;
}

int config_read_file(const char *path, struct config **out, struct cfg_errors *errors)
{
	bool standard_input = !strcmp(path, "-");
	struct cfg_parse p = { .errors = errors };
	int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	int err;

	*out = NULL;
	*errors = (struct cfg_errors){ 0 };
	err = fd < 0 ? -errno : read_all(fd, &text, &len);
	if (fd >= 0 && !standard_input)
		close(fd);
	if (err) {
		cfg_fail(&p, 0, "cannot be read: %s", strerror(-err));
		return err;
	}
	err = config_read_text(text, len, standard_input ? "standard input" : path, out, errors);
	free(text);
	return err;
}

/* The one-line form */

static void args_interfaces(struct cfg_parse *p, char *const *names, size_t n)
{
	struct config *c = p->config;
	char quoted[CFG_QUOTE_LEN];

	for (size_t i = 0; i < n; i++) {
		struct cfg_interface *interface;

		if (!cfg_ifname_ok(names[i])) {
			cfg_fail(p, 0, "`%s` cannot be an interface's name", cfg_quote(names[i], quoted));
			continue;
		}
		for (size_t j = 0; j < c->n_interfaces; j++)
			if (!strcmp(c->interfaces[j].name, names[i]))
				cfg_fail(p, 0, "interface `%s` is named twice", names[i]);
		interface = CFG_ADD(p, c->interfaces, c->n_interfaces);
		if (interface)
			strcpy(interface->name, names[i]);
	}
}

static bool args_has(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static struct cfg_rule *args_rule(struct cfg_parse *p, const char *name, enum rule_action action)
{
	struct cfg_rule *rule = CFG_ADD(p, p->config->rules, p->config->n_rules);

	if (rule) {
		strcpy(rule->name, name);
		rule->action = action;
		rule->masquerade = action == ACTION_TRANSLATE;
	}
	return rule;
}

static void match_add(struct cfg_parse *p, struct cfg_match *match, const char *name)
{
	char (*added)[IFNAMSIZ] = CFG_ADD(p, match->interfaces, match->n_interfaces);

	if (added)
		strcpy(*added, name);
}

static void args_rules(struct cfg_parse *p, char *const *masquerade, size_t n_masquerade)
{
	struct cfg_rule *rule = args_rule(p, "masquerade", ACTION_TRANSLATE);

	for (size_t i = 0; rule && i < p->config->n_interfaces; i++)
		if (!args_has(masquerade, n_masquerade, p->config->interfaces[i].name))
			match_add(p, &rule->from, p->config->interfaces[i].name);
	for (size_t i = 0; rule && i < n_masquerade; i++)
		match_add(p, &rule->to, masquerade[i]);
	if (rule && !rule->from.n_interfaces)
		cfg_fail(p, 0, "all interfaces masquerade; name an inside one too, like `natvi run lan0 wan0 "
			 "--masquerade wan0`");
	/* Packets for the box itself come to no rule: what is left are new flows to the inside. */
	rule = args_rule(p, "from-outside", ACTION_DROP);
	for (size_t i = 0; rule && i < n_masquerade; i++)
		match_add(p, &rule->from, masquerade[i]);
}

int config_from_args(char *const *interfaces, size_t n_interfaces, char *const *masquerade, size_t n_masquerade,
		     bool accelerate, struct config **out, struct cfg_errors *errors)
{
	struct cfg_parse p = { .errors = errors };

	*out = NULL;
	*errors = (struct cfg_errors){ 0 };
	p.config = config_new("command line");
	if (!p.config)
		return -ENOMEM;
	p.config->accelerate = accelerate;
	args_interfaces(&p, interfaces, n_interfaces);
	for (size_t i = 0; i < n_masquerade; i++) {
		char quoted[CFG_QUOTE_LEN];

		if (!args_has(interfaces, n_interfaces, masquerade[i]))
			cfg_fail(&p, 0, "`--masquerade %s` is not among the interfaces; name it there too",
				 cfg_quote(masquerade[i], quoted));
		if (args_has(masquerade, i, masquerade[i]))
			cfg_fail(&p, 0, "`--masquerade %s` is given twice", cfg_quote(masquerade[i], quoted));
	}
	if (!n_masquerade && !accelerate)
		cfg_fail(&p, 0, "nothing to translate; add `--masquerade IFACE`, the interface towards the outside, or "
			 "`--accelerate` for what the kernel forwards");
	else if (n_masquerade && !errors->n)
		args_rules(&p, masquerade, n_masquerade);
	cfg_check(&p);
	return parse_finish(&p, out);
}

bool config_translates(const struct config *config)
{
	return config->n_rules || config->n_pools || config->n_forwards;
}

/* Sizes */

static size_t multiply(size_t a, size_t b)
{
	size_t product;

	return __builtin_mul_overflow(a, b ? b : 1, &product) ? SIZE_MAX : product;
}

size_t config_rule_entries(const struct cfg_rule *rule)
{
	size_t n = multiply(1, rule->from.n_interfaces);

	n = multiply(n, rule->to.n_interfaces);
	n = multiply(n, rule->from.n_prefixes);
	n = multiply(n, rule->to.n_prefixes);
	n = multiply(n, rule->from.n_ports);
	n = multiply(n, rule->to.n_ports);
	n = multiply(n, rule->from.n_zones);
	n = multiply(n, rule->to.n_zones);
	n = multiply(n, rule->n_protos);
	return multiply(n, rule->netmap ? 2 : 1);
}

size_t config_capture_entries(const struct cfg_capture *capture)
{
	size_t n = multiply(1, capture->n_sources);

	n = multiply(n, capture->n_destinations);
	n = multiply(n, capture->n_protos);
	n = multiply(n, capture->n_source_ports);
	return multiply(n, capture->n_destination_ports);
}

static size_t pool_addresses(const struct cfg_pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n_addrs; i++)
		n += (size_t)pool->addrs[i].hi - pool->addrs[i].lo + 1;
	return n;
}

size_t config_pool_addresses(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_pools; i++)
		n += pool_addresses(&config->pools[i]);
	return n;
}

static size_t netmap_addresses(const struct cfg_rule *rule)
{
	return rule->netmap ? (size_t)1 << (32 - rule->src_net.len) : 0;
}

size_t config_netmap_addresses(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_rules; i++)
		n += netmap_addresses(&config->rules[i]);
	return n;
}

size_t config_address_entries(const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_pools; i++)
		n += pool_addresses(&c->pools[i]) * (size_t)__builtin_popcountll(config_pool_zones(c, &c->pools[i]));
	for (size_t i = 0; i < c->n_rules; i++)
		if (c->rules[i].netmap)
			n += netmap_addresses(&c->rules[i]) * (size_t)__builtin_popcountll(config_netmap_zones(c, &c->rules[i]));
	return n;
}

static int ifname_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Interfaces that all masquerade rules together may leave by, some of them more than once; names has room for all. */
static size_t ways_of_rules(const struct config *c, const char **names)
{
	uint64_t zones = 0;
	size_t n = 0;

	for (size_t i = 0; i < c->n_rules; i++) {
		const struct cfg_match *to = &c->rules[i].to;

		for (size_t j = 0; c->rules[i].masquerade && j < to->n_interfaces; j++)
			names[n++] = to->interfaces[j];
		if (c->rules[i].masquerade && !to->n_interfaces)
			zones |= config_match_zones(c, to);
	}
	for (size_t i = 0; i < c->n_interfaces && zones; i++)
		if (zones & config_zone(c, c->interfaces[i].zone))
			names[n++] = c->interfaces[i].name;
	return n;
}

size_t config_masquerade_ways(const struct config *config)
{
	size_t n = config->n_interfaces, ways = 0;
	const char **names;

	for (size_t i = 0; i < config->n_rules; i++)
		n += config->rules[i].masquerade ? config->rules[i].to.n_interfaces : 0;
	names = calloc(n + 1, sizeof(*names));
	/* Without memory the most that it can be. */
	if (!names)
		return config->n_interfaces;
	n = ways_of_rules(config, names);
	if (n)
		qsort(names, n, sizeof(*names), ifname_compare);
	for (size_t i = 0; i < n; i++)
		ways += !i || strcmp(names[i], names[i - 1]);
	free(names);
	return ways;
}

size_t config_static_ports(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_forwards; i++) {
		const struct cfg_forward *f = &config->forwards[i];

		n += f->ext_ports.lo ? f->n_protos * (f->ext_ports.hi - f->ext_ports.lo + 1u) : 0;
	}
	return n;
}

#define HASH_ELEMENT_BYTES	48	/* the kernel's own head of an element, beside key and value */

uint64_t config_memory_bytes(const struct config *config)
{
	uint64_t entries = natvi_mapping_entries_for(config->max_mappings, (uint32_t)config_static_ports(config));
	uint64_t slots = config_pool_addresses(config) + config_masquerade_ways(config) + config->n_forwards;

	/* A mapping has two keys; permits of address-dependent filtering come to an eighth on top. */
	return (uint64_t)natvi_buckets_for(config->max_sessions) * sizeof(struct bucket) +
	       (uint64_t)natvi_mapping_buckets_for((uint32_t)entries) * sizeof(struct mapping_bucket) +
	       slots * PORTBITS_PROTOS * sizeof(struct portbits) +
	       config_address_entries(config) * (HASH_ELEMENT_BYTES + sizeof(struct addr_key) + sizeof(struct addr_info));
}
