/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_impl.h - what the files of lib/config*.c share: the YAML tree, the state of one reading, and
 * the small readers that keys are made of. Nobody else includes it.
 *
 * A reading: text -> tree of nodes (config_yaml.c) -> struct config, with each value's line kept aside
 * where a check needs it (config_parse.c and the files of its keys) -> checks over the whole (config_check.c).
 * Trouble is collected, never thrown: readers report and go on with the next value. Out of memory is
 * a flag that is looked at once, at the end.
 */
#ifndef NATVI_LIB_CONFIG_IMPL_H
#define NATVI_LIB_CONFIG_IMPL_H

#include <string.h>

#include "lib/config.h"

#define CFG_MAX_BYTES		(4u << 20)	/* of a file */
#define CFG_MAX_NODES		500000u		/* values, aliases followed */
#define CFG_MAX_DEPTH		16u
#define CFG_MAX_ANCHORS		256u
#define CFG_MAX_ERRORS		100u	/* shown; the rest is mostly the consequence of these */
#define CFG_KEEP_ERRORS		1000u	/* kept until they are put in order */
#define CFG_QUOTE_LEN		52

#define CFG_MAX_STATICS		131072u	/* forwarded ports over all forwards */
#define CFG_MIN_SESSIONS	16u
#define CFG_MAX_SESSIONS	16000000u
#define CFG_DEFAULT_SESSIONS	65536u
/*
 * The least is Linux's own: below it a segment is mostly headers. 536 is what any host takes without
 * being asked (RFC 879 section 3), but links may have an MTU below the 576 of such a
 * datagram, down to 68 (RFC 791); there a lower limit is what keeps segments whole.
 */
#define CFG_MIN_MSS		88u
#define CFG_MAX_MSS		65495u	/* the largest datagram without its headers */
#define CFG_DEFAULT_TRANSITORY_S 240	/* RFC 5382 req. 5, RFC 7857 section 2.2 */
#define CFG_MAX_ICMP_RATE	1000000u
#define CFG_DEFAULT_ICMP_RATE	1000u

/* Not given: follows the mapping once that is known. */
#define FILTER_UNSET	((enum filtering)0xff)

enum node_type { NODE_SCALAR, NODE_LIST, NODE_MAP };

/* Aliases make the tree a graph without cycles: an anchor is known only once its node is complete. */
struct node {
	enum node_type type;
	bool plain;		/* a scalar without quotes */
	int line;
	uint32_t weight;	/* nodes in it, aliases followed */
	char *text;
	struct node **kids;	/* of a map: key, value, key, value ... */
	size_t n_kids;
	struct node *all;	/* chain of the document's nodes */
};

/* A name, or addresses of real hosts, that only the whole configuration can judge. */
enum cfg_ref_kind {
	REF_INTERFACE, REF_POOL, REF_ZONE, REF_SOURCE, REF_DNAT, REF_FORWARD,
	REF_WIRE_PORT,		/* a port of a wire */
	REF_CAPTURE_PORT,	/* the port that a capture names */
	REF_TARGET		/* where a capture leads */
};
#define CFG_NONE	SIZE_MAX

struct cfg_ref {
	enum cfg_ref_kind kind;
	int line;
	size_t index;		/* of the rule (REF_SOURCE, REF_DNAT), forward or wire */
	char name[NATVI_NAME_LEN];
	struct cfg_range4 range;
	uint64_t zones;		/* that the hosts are in; 0: they are not judged, or have been */
};

/* Translated addresses: a range of a pool, or of a netmap rule, with its line. */
struct cfg_span {
	uint32_t lo, hi;
	size_t pool;		/* index, or CFG_NONE */
	size_t rule;		/* likewise */
	uint64_t zones;		/* that see it; known once all is read */
	int line;
};

struct cfg_parse {
	struct config *config;
	struct cfg_errors *errors;
	bool no_memory;
	bool names_broken;	/* the own name of an interface, pool or zone could not be read: do not judge references */
	size_t errors_dropped;
	int masquerade_line;
	int host_line;		/* of the first `host` of a wire; 0: there is none */
	size_t host_wire;	/* and the index of that wire */
	size_t n_captures;	/* over all wires */
	uint16_t tcp_transitory_s;	/* stands for tcp-opening and tcp-closing where they are not given; 0: not given */
	struct cfg_ref *refs;
	size_t n_refs;
	struct cfg_span *spans;
	size_t n_spans;
	struct node *nodes;
	struct node *root;
};

/* Append a zeroed element to an array that grows by doubling; NULL (and no_memory) when it cannot. */
#define CFG_ADD(p, array, n) ({ \
	void *grown_ = cfg_grow(p, (array), (n), sizeof(*(array))); \
	if (grown_) \
		(array) = grown_; \
	grown_ ? (__typeof__(array))memset(&(array)[(n)++], 0, sizeof(*(array))) : NULL; })

void *cfg_grow(struct cfg_parse *p, void *array, size_t n, size_t size);

/* A name, and the line and index of what bears it. */
struct cfg_named {
	const char *name;
	int line;
	size_t index;
};

/* A new list of the names of all elements of an array of structs that have .name and .line. */
#define CFG_NAMES_OF(p, array, n) ({ \
	struct cfg_named *named_ = calloc((n) ? (n) : 1, sizeof(*named_)); \
	if (!named_) \
		(p)->no_memory = true; \
	for (size_t i_ = 0; named_ && i_ < (n); i_++) \
		named_[i_] = (struct cfg_named){ (array)[i_].name, (array)[i_].line, i_ }; \
	named_; })

/* config_error.c */
void cfg_fail(struct cfg_parse *p, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
void cfg_errors_finish(struct cfg_parse *p);
/* text fit for a message: printable, valid UTF-8, cut with "..." when long. Returns buf. */
const char *cfg_quote(const char *text, char buf[CFG_QUOTE_LEN]);
/* The word nearest to text, or NULL when none is near. words: NULL at the end. */
const char *cfg_nearest(const char *text, const char *const *words);
/* "did you mean `x`?" or "known here: a, b, c" in buf; "" when nobody will read it. */
#define CFG_HINT_LEN	320
const char *cfg_hint(const struct cfg_parse *p, const char *text, const char *const *words, char buf[CFG_HINT_LEN]);

/* config_yaml.c: text to p->root (NULL for an empty document), or errors. */
void cfg_yaml_read(struct cfg_parse *p, const char *text, size_t len);
void cfg_yaml_free(struct cfg_parse *p);

/* config_value.c */
typedef void cfg_reader(struct cfg_parse *p, const struct node *value, void *to);

struct cfg_key {
	const char *name;
	cfg_reader *read;
	bool required;
};
#define CFG_MAX_KEYS	16

/* Read a map by its keys: unknown, repeated and missing ones are errors. what: "a pool". */
void cfg_map(struct cfg_parse *p, const struct node *node, const char *what, const struct cfg_key *keys,
	     size_t n_keys, void *to);
#define CFG_MAP(p, node, what, keys, to) cfg_map(p, node, what, keys, sizeof(keys) / sizeof((keys)[0]), to)

/* One value or a list of them. */
void cfg_each(struct cfg_parse *p, const struct node *node, cfg_reader *read, void *to);
/* A list; an empty value is an empty list. example: how it is written. */
void cfg_list(struct cfg_parse *p, const struct node *node, const char *example, cfg_reader *read, void *to);
bool cfg_is_empty(const struct node *node);
/* Does a map have that key, whatever its value? */
bool cfg_has(const struct node *map, const char *key);

/* The text of a scalar, or NULL after an error. what: "an interface's name". */
const char *cfg_text(struct cfg_parse *p, const struct node *node, const char *what);
/* Index in words, or -1 after an error. */
int cfg_word(struct cfg_parse *p, const struct node *node, const char *what, const char *const *words);
/* Decimal within bounds, or fallback after an error. */
uint32_t cfg_number(struct cfg_parse *p, const struct node *node, const char *what, uint32_t min, uint32_t max,
		    uint32_t fallback);
/* Seconds: 300, 300s, 5m, 2h4m. */
uint16_t cfg_seconds(struct cfg_parse *p, const struct node *node, const char *what, uint16_t fallback);
bool cfg_name(struct cfg_parse *p, const struct node *node, const char *what, char to[NATVI_NAME_LEN]);
bool cfg_ifname(struct cfg_parse *p, const struct node *node, char to[IFNAMSIZ]);
bool cfg_ifname_ok(const char *text);
bool cfg_ports_text(struct cfg_parse *p, int line, const char *text, struct cfg_ports *to);
bool cfg_ports(struct cfg_parse *p, const struct node *node, struct cfg_ports *to);
void cfg_add_ports(struct cfg_parse *p, const struct node *node, struct cfg_ports **list, size_t *n);
bool cfg_prefix(struct cfg_parse *p, const struct node *node, struct cfg_prefix4 *to);
/* Addresses that hosts can have. */
bool cfg_range(struct cfg_parse *p, const struct node *node, struct cfg_range4 *to);
/* Any addresses. */
bool cfg_any_range(struct cfg_parse *p, const struct node *node, struct cfg_range4 *to);
/* Can a host have this address: not 0.0.0.0/8, loopback, multicast or above. */
bool cfg_unicast(uint32_t addr);
bool cfg_unicast_range(struct cfg_range4 range);
struct cfg_range4 cfg_prefix_range(struct cfg_prefix4 prefix);
/* The largest one that begins at lo and ends at hi at most. */
struct cfg_prefix4 cfg_largest_prefix(uint32_t lo, uint32_t hi);
/* 0-63, or a name like ef. */
bool cfg_dscp(struct cfg_parse *p, const struct node *node, unsigned int *to);
/* N or N/MASK, decimal or hexadecimal. */
bool cfg_mark(struct cfg_parse *p, const struct node *node, uint32_t *mark, uint32_t *mask);
/* A mark that is looked for as a whole: N, not 0, without natvi's own bit. */
void cfg_mark_value(struct cfg_parse *p, const struct node *node, uint32_t *mark);

/* config_parse.c */
extern const char *const cfg_mapping_words[], *const cfg_filtering_words[], *const cfg_xdp_words[];
/* The default first. */
extern const char *const cfg_pooling_words[], *const cfg_selection_words[], *const cfg_protocols_words[];
extern const char *const cfg_unsolicited_words[], *const cfg_nat_words[], *const cfg_orphans_words[];
void cfg_defaults(struct config *config);
void cfg_parse_root(struct cfg_parse *p);
void cfg_read_filtering(struct cfg_parse *p, const struct node *value, enum filtering *to);
void cfg_read_xdp(struct cfg_parse *p, const struct node *value, enum xdp_mode *to);
void cfg_read_mss(struct cfg_parse *p, const struct node *value, uint16_t *to);

/* Note a name with its line for the end; NULL without memory. */
struct cfg_ref *cfg_ref_add(struct cfg_parse *p, enum cfg_ref_kind kind, int line, const char *name);
/* The same for addresses of real hosts. */
void cfg_ref_hosts(struct cfg_parse *p, enum cfg_ref_kind kind, int line, struct cfg_range4 range);

/* config_zone.c */
cfg_reader cfg_read_zones;
/* The zone that a value names; `global` gives "". */
bool cfg_zone(struct cfg_parse *p, const struct node *value, char to[NATVI_NAME_LEN]);
void cfg_check_zones(struct cfg_parse *p);

/* config_rule.c */
extern const char *const cfg_local_words[];	/* by enum cfg_local, from 1 */
cfg_reader cfg_read_rules;
/* Keys that rules and exclusions have in common; to: a struct cfg_rule. */
cfg_reader cfg_read_from_any, cfg_read_to, cfg_read_protos, cfg_read_dscps, cfg_read_mark;
bool cfg_proto(struct cfg_parse *p, const struct node *value, uint8_t *proto);
void cfg_add_proto(struct cfg_parse *p, const struct node *value, uint8_t **list, size_t *n);
void cfg_add_dscp(struct cfg_parse *p, const struct node *value, uint64_t *set);

/* config_action.c */
extern const char *const cfg_action_words[];	/* by enum rule_action; translate stands for the block of keys */
cfg_reader cfg_read_action;
/* An interface is in one zone. what: "rule office". */
void cfg_check_match(struct cfg_parse *p, const struct cfg_rule *rule, const char *what);
/* What does not fit together in one rule. */
void cfg_check_rule(struct cfg_parse *p, const struct cfg_rule *rule);

/* config_kernel.c: what the kernel is to do with what a rule leaves to it */
cfg_reader cfg_read_kernel;	/* to: a struct cfg_rule */
void cfg_check_kernel(struct cfg_parse *p, const struct cfg_rule *rule);
/* Against what natvi's own NAT gives away. */
void cfg_check_kernels(struct cfg_parse *p);

/* config_accel.c */
cfg_reader cfg_read_accelerate;

/* config_wire.c */
extern const char *const cfg_fail_words[], *const cfg_moves_words[];	/* the default first */
#define CFG_NVI	"nvi0"		/* as a target: the instance's own virtual interface, whatever its number */
cfg_reader cfg_read_wires;
/* Nothing of NAT's stands beside wires. root: a map */
void cfg_check_alone(struct cfg_parse *p, const struct node *root);
void cfg_check_wires(struct cfg_parse *p);

/* config_forward.c */
#define CFG_HOST_LEN	64
cfg_reader cfg_read_forwards;
void cfg_check_forwards(struct cfg_parse *p);
/* "HOST[:PORTS]" to host and ports ("" without). False when HOST is empty or too long. */
bool cfg_endpoint_split(const char *text, char host[CFG_HOST_LEN], const char **ports);
/* The address of an endpoint, with a word for those that cannot be one. forms: how the value is written. */
void cfg_endpoint_address(struct cfg_parse *p, const struct node *value, const char *host, const char *forms, uint32_t *to);
static inline unsigned int cfg_port_count(struct cfg_ports ports)
{
	return ports.lo ? ports.hi - ports.lo + 1u : 0;
}

/* config_space.c: translated addresses against each other and against real ones */
void cfg_check_space(struct cfg_parse *p);

/* config_check.c */
void cfg_check(struct cfg_parse *p);
/* By name, then by index. */
void cfg_names_sort(struct cfg_named *list, size_t n);
/* Sort, and report the second and later of equal names; "" is something that could not be read. */
void cfg_names_check(struct cfg_parse *p, struct cfg_named *list, size_t n, const char *what);
/* In a sorted list; NULL: there is none. */
const struct cfg_named *cfg_names_find(const struct cfg_named *list, size_t n, const char *name);
/* Add the entries of a rule and the like; the first one that is too much is told. what: "rule office", noun: "rule". */
void cfg_count_entries(struct cfg_parse *p, int line, size_t entries, const char *what, const char *noun, size_t *total);

#endif
