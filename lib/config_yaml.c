/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_yaml.c - YAML text to a tree of nodes that know their lines.
 *
 * libyaml hands over events; the tree is made here, so that every bound is ours: depth, number of
 * nodes (aliases followed, so that a "billion laughs" is refused while it is still small), anchors.
 * Nodes live until cfg_yaml_free(). libyaml's terse complaints are put into words that say what to do.
 */
#include <stdlib.h>
#include <yaml.h>

#include "lib/config_impl.h"

struct anchor {
	char *name;
	struct node *node;
};

struct builder {
	struct cfg_parse *p;
	yaml_parser_t parser;
	const char *text;
	size_t len;
	struct node *open[CFG_MAX_DEPTH];	/* lists and maps not yet ended */
	char *open_anchor[CFG_MAX_DEPTH];
	size_t depth;
	uint32_t total;
	struct anchor anchors[CFG_MAX_ANCHORS];
	size_t n_anchors;
	size_t documents;
};

static int mark_line(yaml_mark_t mark)
{
	return (int)mark.line + 1;
}

/* The byte at a mark; columns count characters. 0 beyond the end. */
static char char_at(const struct builder *b, yaml_mark_t mark)
{
	const char *at = b->text, *end = b->text + b->len;

	for (size_t line = 0; at < end && line < mark.line; at++)
		line += *at == '\n';
	for (size_t column = 0; at < end && column < mark.column; column++)
		do
			at++;
		while (at < end && ((unsigned char)*at & 0xc0) == 0x80);
	return at < end ? *at : 0;
}

static void fail_bad_start(struct builder *b, int line)
{
	char c = char_at(b, b->parser.problem_mark);

	if (c == '\t')
		cfg_fail(b->p, line, "a tab cannot indent in YAML; use spaces");
	else
		cfg_fail(b->p, line, "a value cannot start with `%c`; put it in quotes", c);
}

/* Addresses of IPv6, mostly. */
static bool is_open_colon(const struct builder *b, const char *problem)
{
	return !strcmp(problem, "found unexpected ':'") ||
	       (!strcmp(problem, "did not find expected node content") && char_at(b, b->parser.problem_mark) == ':');
}

/* libyaml's complaints, by how they begin, and what to say instead. %d, where there is one, is the line of the context. */
static const struct {
	const char *problem;
	const char *text;
	bool at_context;	/* the line to name is where it began */
} complaints[] = {
	{ "did not find expected key",
	  "the indentation does not fit; keys of one block stand in one column (the block begins in line %d)", false },
	{ "did not find expected '-' indicator",
	  "the indentation does not fit; items of one list have their `-` in one column (the list begins in line %d)", false },
	{ "mapping values are not allowed in this context",
	  "a key cannot stand here; check the indentation, and put a value that contains `: ` in quotes", false },
	{ "did not find expected ',' or ']'", "the list that `[` opens in line %d needs a `,` or `]` here", false },
	{ "did not find expected ',' or '}'", "the block that `{` opens in line %d needs a `,` or `}` here", false },
	{ "found unexpected end of stream", "the quote that opens here is never closed", true },
	{ "found a tab character", "a tab cannot indent in YAML; use spaces", false },
	{ "could not find expected ':'", "a key without `:`; write `key: value`", true },
	{ "found unknown escape character", "unknown escape; in double quotes write \\\\ for a backslash", false },
	{ "did not find expected node content", "a value is missing here", false },
	{ "block sequence entries are not allowed in this context",
	  "a list item cannot stand here; begin it on a line of its own", false },
};

static void fail_syntax(struct builder *b)
{
	const char *problem = b->parser.problem ? b->parser.problem : "unknown";
	int line = mark_line(b->parser.problem_mark), context = mark_line(b->parser.context_mark);

	if (b->parser.error == YAML_MEMORY_ERROR) {
		b->p->no_memory = true;
		return;
	}
	if (b->parser.error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < b->parser.problem_offset && i < b->len; i++)
			line += b->text[i] == '\n';
	}
	if (!strncmp(problem, "found character that cannot start", 33)) {
		fail_bad_start(b, line);
		return;
	}
	if (is_open_colon(b, problem)) {
		cfg_fail(b->p, line, "within brackets a value that begins or ends with `:` has to stand in quotes, like \"::/0\"");
		return;
	}
	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
		if (strncmp(problem, complaints[i].problem, strlen(complaints[i].problem)))
			continue;
		cfg_fail(b->p, complaints[i].at_context ? context : line, complaints[i].text, context);
		return;
	}
	cfg_fail(b->p, line, "not valid YAML: %s", problem);
}

static struct node *node_new(struct builder *b, enum node_type type, yaml_mark_t mark)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node) {
		b->p->no_memory = true;
		return NULL;
	}
	node->type = type;
	node->line = mark_line(mark);
	node->weight = 1;
	node->all = b->p->nodes;
	b->p->nodes = node;
	return node;
}

/* Put a complete or just opened node where the next value belongs. */
static bool node_attach(struct builder *b, struct node *node)
{
	struct node *parent = b->depth ? b->open[b->depth - 1] : NULL;
	struct node **kid;

	if (!parent) {
		b->p->root = node;
		return true;
	}
	kid = CFG_ADD(b->p, parent->kids, parent->n_kids);
	if (kid)
		*kid = node;
	return kid;
}

/* Every node and every alias pays for all that hangs on it, so following aliases is bounded too. */
static bool node_pay(struct builder *b, const struct node *node, int line)
{
	b->total += node->weight;
	if (b->total <= CFG_MAX_NODES)
		return true;
	cfg_fail(b->p, line, "more than %u values (aliases counted as what they stand for); that is no configuration",
		 CFG_MAX_NODES);
	return false;
}

static bool anchor_set(struct builder *b, const char *name, struct node *node)
{
	char *copy;

	if (b->n_anchors == CFG_MAX_ANCHORS) {
		cfg_fail(b->p, node->line, "more than %u anchors (`&name`)", CFG_MAX_ANCHORS);
		return false;
	}
	copy = strdup(name);
	if (!copy) {
		b->p->no_memory = true;
		return false;
	}
	b->anchors[b->n_anchors++] = (struct anchor){ copy, node };
	return true;
}

static bool on_alias(struct builder *b, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	char quoted[CFG_QUOTE_LEN];

	/* The latest of a name counts, as YAML has it. */
	for (size_t i = b->n_anchors; i > 0; i--)
		if (!strcmp(b->anchors[i - 1].name, name))
			return node_pay(b, b->anchors[i - 1].node, mark_line(event->start_mark)) &&
			       node_attach(b, b->anchors[i - 1].node);
	cfg_fail(b->p, mark_line(event->start_mark), "alias `*%s` has no anchor `&%s` before it",
		 cfg_quote(name, quoted), quoted);
	return false;
}

static bool scalar_is_clean(struct builder *b, const char *text, size_t len, int line)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			cfg_fail(b->p, line, "a value here is one line without control characters");
			return false;
		}
	}
	return true;
}

static bool on_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	const char *anchor = (const char *)event->data.scalar.anchor;
	size_t len = event->data.scalar.length;
	struct node *node;

	if (!scalar_is_clean(b, value, len, mark_line(event->start_mark)))
		return false;
	node = node_new(b, NODE_SCALAR, event->start_mark);
	if (!node)
		return false;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = strndup(value, len);
	if (!node->text) {
		b->p->no_memory = true;
		return false;
	}
	return node_pay(b, node, node->line) && node_attach(b, node) && (!anchor || anchor_set(b, anchor, node));
}

static bool on_open(struct builder *b, const yaml_event_t *event, enum node_type type, const yaml_char_t *anchor)
{
	struct node *node = node_new(b, type, event->start_mark);

	if (!node || !node_pay(b, node, node->line) || !node_attach(b, node))
		return false;
	if (b->depth == CFG_MAX_DEPTH) {
		cfg_fail(b->p, node->line, "nested deeper than %u levels", CFG_MAX_DEPTH);
		return false;
	}
	b->open_anchor[b->depth] = anchor ? strdup((const char *)anchor) : NULL;
	b->open[b->depth++] = node;
	return true;
}

static bool on_close(struct builder *b)
{
	struct node *node = b->open[--b->depth];
	char *anchor = b->open_anchor[b->depth];
	bool ok;

	for (size_t i = 0; i < node->n_kids; i++)
		node->weight += node->kids[i]->weight;
	ok = !anchor || anchor_set(b, anchor, node);
	free(anchor);
	return ok;
}

static bool tag_is_absent(struct builder *b, const yaml_event_t *event, const yaml_char_t *tag)
{
	char quoted[CFG_QUOTE_LEN];

	if (tag)
		cfg_fail(b->p, mark_line(event->start_mark), "the tag `%s` means nothing here; take it away",
			 cfg_quote((const char *)tag, quoted));
	return !tag;
}

/* Returns false when the reading is over, for whatever reason. */
static bool on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return false;
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++) {
			cfg_fail(b->p, mark_line(event->start_mark), "a second document (`---`); a configuration is one");
			return false;
		}
		return true;
	case YAML_ALIAS_EVENT:
		return on_alias(b, event);
	case YAML_SCALAR_EVENT:
		return tag_is_absent(b, event, event->data.scalar.tag) && on_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		return tag_is_absent(b, event, event->data.sequence_start.tag) &&
		       on_open(b, event, NODE_LIST, event->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return tag_is_absent(b, event, event->data.mapping_start.tag) &&
		       on_open(b, event, NODE_MAP, event->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(b);
	default:
		return true;
	}
}

/* Length of the UTF-8 sequence at text, or 0 when it is none (RFC 3629 section 4). */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	size_t need = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2 :
		      text[0] >= 0xe0 && text[0] < 0xf0 ? 3 : text[0] >= 0xf0 && text[0] < 0xf5 ? 4 : 0;

	if (!need || need > left)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return need;
}

/* libyaml would say so too, but not in which line. */
static bool text_is_clean(struct cfg_parse *p, const char *text, size_t len)
{
	int line = 1;
	size_t step;

	for (size_t i = 0; i < len; i += step) {
		unsigned char c = (unsigned char)text[i];

		step = utf8_length((const unsigned char *)text + i, len - i);
		if (!step) {
			cfg_fail(p, line, "byte 0x%02x is not UTF-8; save the file as UTF-8 text", c);
			return false;
		}
		if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) {
			cfg_fail(p, line, "control character 0x%02x; this is not a text file, or take it away", c);
			return false;
		}
		line += c == '\n';
	}
	return true;
}

void cfg_yaml_read(struct cfg_parse *p, const char *text, size_t len)
{
	struct builder *b;
	yaml_event_t event;
	bool more = true;

	if (!text_is_clean(p, text, len))
		return;
	b = calloc(1, sizeof(*b));
	if (!b || !yaml_parser_initialize(&b->parser)) {
		p->no_memory = true;
		free(b);
		return;
	}
	b->p = p;
	b->text = text;
	b->len = len;
	yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, len);
	while (more) {
		if (!yaml_parser_parse(&b->parser, &event)) {
			fail_syntax(b);
			break;
		}
		more = on_event(b, &event) && !p->no_memory;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&b->parser);
	while (b->depth)
		free(b->open_anchor[--b->depth]);
	while (b->n_anchors)
		free(b->anchors[--b->n_anchors].name);
	free(b);
}

void cfg_yaml_free(struct cfg_parse *p)
{
	while (p->nodes) {
		struct node *node = p->nodes;

		p->nodes = node->all;
		free(node->text);
		free(node->kids);
		free(node);
	}
	p->root = NULL;
}
