/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_value.c - the readers of single values, and of maps by a table of keys. Each says what is
 * wrong and what would be right, and leaves its target alone (or at the fallback) then.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

static const char *node_kind(const struct node *node)
{
	return node->type == NODE_LIST ? "a list" : node->type == NODE_MAP ? "a block of keys" : "plain text";
}

bool cfg_is_empty(const struct node *node)
{
	return node->type == NODE_SCALAR ? node->plain && !*node->text : !node->n_kids;
}

bool cfg_has(const struct node *map, const char *key)
{
	for (size_t i = 0; map->type == NODE_MAP && i + 1 < map->n_kids; i += 2)
		if (map->kids[i]->type == NODE_SCALAR && !strcmp(map->kids[i]->text, key))
			return true;
	return false;
}

const char *cfg_text(struct cfg_parse *p, const struct node *node, const char *what)
{
	if (node->type != NODE_SCALAR)
		cfg_fail(p, node->line, "%s is needed here, not %s", what, node_kind(node));
	else if (!*node->text)
		cfg_fail(p, node->line, "%s is missing", what);
	else
		return node->text;
	return NULL;
}

static void fail_unknown_key(struct cfg_parse *p, int line, const char *what, const char *name,
			     const struct cfg_key *keys, size_t n_keys)
{
	const char *words[CFG_MAX_KEYS + 1] = { NULL };
	char hint[CFG_HINT_LEN], quoted[CFG_QUOTE_LEN];

	for (size_t i = 0; i < n_keys && i < CFG_MAX_KEYS; i++)
		words[i] = keys[i].name;
	cfg_fail(p, line, "unknown key `%s` in %s; %s", cfg_quote(name, quoted), what, cfg_hint(p, name, words, hint));
}

static void map_read_pair(struct cfg_parse *p, const struct node *key, const struct node *value, const char *what,
			  const struct cfg_key *keys, size_t n_keys, int *seen, void *to)
{
	if (key->type != NODE_SCALAR) {
		cfg_fail(p, key->line, "a key in %s is a word, not %s", what, node_kind(key));
		return;
	}
	for (size_t i = 0; i < n_keys; i++) {
		if (strcmp(key->text, keys[i].name))
			continue;
		if (seen[i])
			cfg_fail(p, key->line, "`%s` stands twice in %s; the first is in line %d", keys[i].name, what,
				 seen[i]);
		else
			keys[i].read(p, value, to);
		seen[i] = key->line;
		return;
	}
	fail_unknown_key(p, key->line, what, key->text, keys, n_keys);
}

void cfg_map(struct cfg_parse *p, const struct node *node, const char *what, const struct cfg_key *keys,
	     size_t n_keys, void *to)
{
	int seen[CFG_MAX_KEYS] = { 0 };

	if (node->type != NODE_MAP && !cfg_is_empty(node)) {
		cfg_fail(p, node->line, "%s is a block of keys (`%s: ...`), not %s", what, keys[0].name,
			 node_kind(node));
		return;
	}
	for (size_t i = 0; i + 1 < node->n_kids; i += 2)
		map_read_pair(p, node->kids[i], node->kids[i + 1], what, keys, n_keys, seen, to);
	for (size_t i = 0; i < n_keys; i++)
		if (keys[i].required && !seen[i])
			cfg_fail(p, node->line, "%s needs `%s`", what, keys[i].name);
}

void cfg_each(struct cfg_parse *p, const struct node *node, cfg_reader *read, void *to)
{
	if (node->type != NODE_LIST) {
		read(p, node, to);
		return;
	}
	if (!node->n_kids)
		cfg_fail(p, node->line, "the list is empty; name at least one, or leave the key away");
	for (size_t i = 0; i < node->n_kids; i++)
		read(p, node->kids[i], to);
}

void cfg_list(struct cfg_parse *p, const struct node *node, const char *example, cfg_reader *read, void *to)
{
	if (node->type != NODE_LIST && !cfg_is_empty(node)) {
		cfg_fail(p, node->line, "a list is needed here, not %s; write `%s`", node_kind(node), example);
		return;
	}
	for (size_t i = 0; i < node->n_kids && node->type == NODE_LIST; i++)
		read(p, node->kids[i], to);
}

int cfg_word(struct cfg_parse *p, const struct node *node, const char *what, const char *const *words)
{
	char hint[CFG_HINT_LEN], quoted[CFG_QUOTE_LEN];
	const char *text = cfg_text(p, node, what);

	if (!text)
		return -1;
	for (int i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	cfg_fail(p, node->line, "`%s` is not %s; %s", cfg_quote(text, quoted), what, cfg_hint(p, text, words, hint));
	return -1;
}

/* Digits to a number; *end is what follows. Saturates far above all bounds. */
static uint64_t number_digits(const char *text, const char **end)
{
	uint64_t value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		if (value < UINT64_MAX / 1000000)
			value = value * 10 + (uint64_t)(*text - '0');
	*end = text;
	return value;
}

uint32_t cfg_number(struct cfg_parse *p, const struct node *node, const char *what, uint32_t min, uint32_t max,
		    uint32_t fallback)
{
	const char *text = cfg_text(p, node, what), *end;
	char quoted[CFG_QUOTE_LEN];
	uint64_t value;

	if (!text)
		return fallback;
	value = number_digits(text, &end);
	if (end != text && !*end && value >= min && value <= max)
		return (uint32_t)value;
	cfg_fail(p, node->line, "%s is a whole number from %u to %u, not `%s`", what, min, max, cfg_quote(text, quoted));
	return fallback;
}

/* "2h4m", "300s", "300": seconds; false when it is nothing of that kind. Units from large to small, each once. */
static bool duration_parse(const char *text, uint64_t *seconds)
{
	uint64_t last_unit = UINT64_MAX, total = 0;
	const char *end;

	do {
		uint64_t value = number_digits(text, &end), unit = *end == 'h' ? 3600 : *end == 'm' ? 60 : 1;

		if (end == text || unit >= last_unit || (*end && *end != 'h' && *end != 'm' && *end != 's'))
			return false;
		if (value > UINT32_MAX)
			value = UINT32_MAX;
		total += value * unit;
		last_unit = unit;
		text = *end ? end + 1 : end;
	} while (*text);
	*seconds = total;
	return true;
}

uint16_t cfg_seconds(struct cfg_parse *p, const struct node *node, const char *what, uint16_t fallback)
{
	const char *text = cfg_text(p, node, what);
	char quoted[CFG_QUOTE_LEN];
	uint64_t seconds;

	if (!text)
		return fallback;
	if (!duration_parse(text, &seconds))
		cfg_fail(p, node->line, "%s is a time in seconds, or like 90s, 5m or 2h4m, not `%s`", what,
			 cfg_quote(text, quoted));
	else if (!seconds || seconds > UINT16_MAX)
		cfg_fail(p, node->line, "%s is from 1 to 65535 seconds (18h12m15s), not `%s`", what,
			 cfg_quote(text, quoted));
	else
		return (uint16_t)seconds;
	return fallback;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.';
}

/* A name that stands unquoted on a command line and is not taken for a number. */
bool cfg_name(struct cfg_parse *p, const struct node *node, const char *what, char to[NATVI_NAME_LEN])
{
	const char *text = cfg_text(p, node, what);
	bool ok = text && strlen(text) < NATVI_NAME_LEN, letter = false;
	char quoted[CFG_QUOTE_LEN];

	if (!text)
		return false;
	for (const char *c = text; *c && ok; c++) {
		ok = name_char(*c);
		letter |= (*c | 0x20) >= 'a' && (*c | 0x20) <= 'z';
	}
	if (!ok || !letter || *text == '-') {
		cfg_fail(p, node->line, "`%s` is not %s; 1 to %d letters, digits, `-`, `_` and `.`, with a "
			 "letter among them and no `-` first",
			 cfg_quote(text, quoted), what, NATVI_NAME_LEN - 1);
		return false;
	}
	strcpy(to, text);
	return true;
}

/* What the kernel takes for a link's name. */
bool cfg_ifname_ok(const char *text)
{
	size_t len = strlen(text);

	if (!len || len >= IFNAMSIZ || !strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	for (; *text; text++)
		if (*text == '/' || *text == ':' || (unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

bool cfg_ifname(struct cfg_parse *p, const struct node *node, char to[IFNAMSIZ])
{
	const char *text = cfg_text(p, node, "an interface's name");
	char quoted[CFG_QUOTE_LEN];

	if (!text)
		return false;
	if (!cfg_ifname_ok(text)) {
		cfg_fail(p, node->line, "`%s` cannot be an interface's name; 1 to %d characters without `/`, `:` and blanks",
			 cfg_quote(text, quoted), IFNAMSIZ - 1);
		return false;
	}
	strcpy(to, text);
	return true;
}

bool cfg_ports_text(struct cfg_parse *p, int line, const char *text, struct cfg_ports *to)
{
	char quoted[CFG_QUOTE_LEN];
	const char *dash = strchr(text, '-');
	uint16_t lo, hi;
	int err = addr_parse_ports(text, &lo, &hi);

	if (!err && lo) {
		*to = (struct cfg_ports){ lo, hi };
		return true;
	}
	if (err == -ERANGE && dash && strtoul(text, NULL, 10) < 65536 && strtoul(dash + 1, NULL, 10) < 65536)
		cfg_fail(p, line, "port range `%s` is reversed; write %s-%lu", cfg_quote(text, quoted), dash + 1,
			 strtoul(text, NULL, 10));
	else
		cfg_fail(p, line, "`%s` is not a port or a range of ports; write one from 1 to 65535, or like 1024-65535",
			 cfg_quote(text, quoted));
	return false;
}

bool cfg_ports(struct cfg_parse *p, const struct node *node, struct cfg_ports *to)
{
	const char *text = cfg_text(p, node, "a port or a range of ports");

	return text && cfg_ports_text(p, node->line, text, to);
}

void cfg_add_ports(struct cfg_parse *p, const struct node *node, struct cfg_ports **list, size_t *n)
{
	struct cfg_ports range, *added;

	if (cfg_ports(p, node, &range) && (added = CFG_ADD(p, *list, *n)))
		*added = range;
}

bool cfg_unicast(uint32_t addr)
{
	uint32_t first = addr >> 24;

	return first != 0 && first != 127 && first < 224;
}

/* An address of the other family deserves a word of its own. */
static void fail_address(struct cfg_parse *p, int line, const char *text, const char *forms)
{
	char quoted[CFG_QUOTE_LEN];
	union addr addr;
	uint8_t len;
	int err = addr_parse_prefix(text, &addr, &len);

	cfg_quote(text, quoted);
	if ((!err || err == -EDOM) && !addr_is4(&addr))
		cfg_fail(p, line, "`%s` is IPv6, which cannot be named here yet; write %s", quoted, forms);
	else
		cfg_fail(p, line, "`%s` is not %s", quoted, forms);
}

bool cfg_prefix(struct cfg_parse *p, const struct node *node, struct cfg_prefix4 *to)
{
	const char *text = cfg_text(p, node, "an IPv4 address or prefix");
	char printed[ADDR_TEXT_LEN], quoted[CFG_QUOTE_LEN];
	struct cfg_prefix4 prefix;
	int err;

	if (!text)
		return false;
	err = addr_parse_prefix4(text, &prefix.addr, &prefix.len);
	if (err == -EDOM)
		cfg_fail(p, node->line, "`%s` has address bits beyond the prefix; write %s", cfg_quote(text, quoted),
			 addr_print_prefix4(prefix.addr, prefix.len, printed));
	else if (err)
		fail_address(p, node->line, text, "an IPv4 address or a prefix like 198.18.0.0/16");
	else
		*to = prefix;
	return !err;
}

struct cfg_prefix4 cfg_largest_prefix(uint32_t lo, uint32_t hi)
{
	struct cfg_prefix4 prefix = { lo, 32 };

	while (prefix.len && !(lo & ~addr_mask4(prefix.len - 1)) && (lo | ~addr_mask4(prefix.len - 1)) <= hi)
		prefix.len--;
	return prefix;
}

bool cfg_unicast_range(struct cfg_range4 range)
{
	return cfg_unicast(range.lo) && cfg_unicast(range.hi) && (range.lo >> 24 > 127 || range.hi >> 24 < 127);
}

struct cfg_range4 cfg_prefix_range(struct cfg_prefix4 prefix)
{
	return (struct cfg_range4){ prefix.addr, prefix.addr | ~addr_mask4(prefix.len) };
}

/* example: a prefix and a range. */
static bool range_read(struct cfg_parse *p, const struct node *node, const char *example, struct cfg_range4 *to)
{
	const char *text = cfg_text(p, node, "an IPv4 address, prefix or range");
	char printed[ADDR_RANGE_LEN], quoted[CFG_QUOTE_LEN];
	struct cfg_range4 range;
	char forms[128];
	int err;

	if (!text)
		return false;
	err = addr_parse_range4(text, &range.lo, &range.hi);
	cfg_quote(text, quoted);
	if (err == -EDOM)
		cfg_fail(p, node->line, "`%s` has address bits beyond the prefix; write %s", quoted,
			 addr_print_range4(range.lo, range.hi, printed));
	else if (err == -ERANGE && strchr(text, '-'))
		cfg_fail(p, node->line, "range `%s` is reversed; the lower address comes first", quoted);
	else if (err) {
		snprintf(forms, sizeof(forms), "an IPv4 address, %s", example);
		fail_address(p, node->line, text, forms);
	} else {
		*to = range;
	}
	return !err;
}

bool cfg_any_range(struct cfg_parse *p, const struct node *node, struct cfg_range4 *to)
{
	return range_read(p, node, "a prefix like 198.18.0.0/16 or a range like 198.18.0.10-198.18.0.99", to);
}

bool cfg_range(struct cfg_parse *p, const struct node *node, struct cfg_range4 *to)
{
	char quoted[CFG_QUOTE_LEN];
	struct cfg_range4 range;

	if (!range_read(p, node, "a prefix like 203.0.113.16/28 or a range like 203.0.113.40-203.0.113.47", &range))
		return false;
	if (!cfg_unicast_range(range)) {
		cfg_fail(p, node->line, "`%s` holds addresses that no host can have (0/8, 127/8, 224/4 and above)",
			 cfg_quote(node->text, quoted));
		return false;
	}
	*to = range;
	return true;
}

/* DSCPs and marks */

bool cfg_dscp(struct cfg_parse *p, const struct node *node, unsigned int *to)
{
	const char *text = cfg_text(p, node, "a DSCP");
	char quoted[CFG_QUOTE_LEN];
	uint8_t dscp;

	if (!text)
		return false;
	if (!addr_parse_dscp(text, &dscp)) {
		*to = dscp;
		return true;
	}
	cfg_fail(p, node->line, "`%s` is not a DSCP; a number from 0 to 63, cs0 to cs7, af11 to af43, ef, va or le",
		 cfg_quote(text, quoted));
	return false;
}

/* Decimal, or hexadecimal with 0x, up to 32 bits; *end is what follows. */
static bool mark_digits(const char *text, const char **end, uint32_t *to)
{
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	uint64_t value = 0;
	const char *first;

	text += hex ? 2 : 0;
	for (first = text; *text && strchr(hex ? "0123456789abcdefABCDEF" : "0123456789", *text); text++) {
		value = value * (hex ? 16 : 10) + (uint64_t)(*text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10);
		if (value > UINT32_MAX)
			return false;
	}
	*end = text;
	*to = (uint32_t)value;
	return text != first;
}

bool cfg_mark(struct cfg_parse *p, const struct node *node, uint32_t *mark, uint32_t *mask)
{
	const char *text = cfg_text(p, node, "a mark"), *end = NULL;
	uint32_t value, bits = UINT32_MAX;
	char quoted[CFG_QUOTE_LEN];
	bool ok;

	if (!text)
		return false;
	ok = mark_digits(text, &end, &value);
	if (ok && *end == '/')
		ok = mark_digits(end + 1, &end, &bits);
	if (!ok || *end)
		cfg_fail(p, node->line, "`%s` is not a mark; a number of 32 bits like 16 or 0x10, or with a mask like 0x10/0xff",
			 cfg_quote(text, quoted));
	else if (!bits)
		cfg_fail(p, node->line, "mask 0 in `%s` asks for nothing; leave `mark` away for all packets", cfg_quote(text, quoted));
	else if (value & ~bits)
		cfg_fail(p, node->line, "`%s` has bits beyond its mask, so no packet has it; write 0x%x/0x%x",
			 cfg_quote(text, quoted), value & bits, bits);
	else {
		*mark = value;
		*mask = bits;
		return true;
	}
	return false;
}

void cfg_mark_value(struct cfg_parse *p, const struct node *node, uint32_t *mark)
{
	const char *text = cfg_text(p, node, "a mark"), *end;
	char quoted[CFG_QUOTE_LEN];
	uint32_t value;

	if (!text)
		return;
	if (!mark_digits(text, &end, &value) || *end)
		cfg_fail(p, node->line, "`%s` is not a mark to be set; a number of 32 bits like 50 or 0x32, without a mask",
			 cfg_quote(text, quoted));
	else if (!value)
		cfg_fail(p, node->line, "mark 0 is what packets have that nobody has marked; write another one, like 0x32");
	else if (value & CFG_OWN_MARK)
		cfg_fail(p, node->line, "bit 0x%x in `%s` is natvi's own; write a mark without it, like 0x%x", CFG_OWN_MARK,
			 cfg_quote(text, quoted), value & ~CFG_OWN_MARK ? value & ~CFG_OWN_MARK : 0x32);
	else
		*mark = value;
}
