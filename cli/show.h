/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show.h - the subjects of `natvi show`. Each prints a table or JSON of what the maps hold.
 */
#ifndef NATVI_CLI_SHOW_H
#define NATVI_CLI_SHOW_H

#include "cli/cli.h"
#include "cli/ports.h"
#include "lib/conntrack.h"
#include "lib/filter.h"
#include "lib/line.h"
#include "lib/maps.h"
#include "lib/names.h"

struct show {
	const struct cli_opts *opts;
	const struct maps *maps;
	struct names *names;
	struct ports *ports;
	struct filter filter;
	struct pool *pools;	/* [NATVI_MAX_POOLS], copied when the show began */
	struct zone *zones;	/* [NATVI_MAX_ZONES] likewise */
	struct wire *wires;	/* [NATVI_MAX_WIRES] likewise */
	struct ct_masters masters;	/* of the kernel's connections; read where accelerated sessions are shown */
};

/*
 * Read the instance that show->opts names, and look up what show->filter names. An exit code; what is wrong has been said.
 * show_close() in either case.
 */
int show_open(struct show *show);
void show_close(struct show *show);

/* All return an exit code and have said what is wrong. */
int show_sessions(struct show *show);
int show_mappings(struct show *show);
int show_pools(struct show *show);
int show_rules(struct show *show);
int show_interfaces(struct show *show);
int show_zones(struct show *show);
int show_stats(struct show *show);
int show_drops(struct show *show);
int show_wires(struct show *show);		/* the one that the second word names, else all */

/* `show sessions --not-accelerated`. */
int show_not_accelerated(struct show *show);

/* How much of all traffic was accelerated: a new JSON object; a line. Does the instance accelerate, or has it? */
struct json_t *show_share_json(const struct counters *counters);
void show_share_text(const struct counters *counters);
bool show_accelerates(const struct maps *maps, const struct counters *counters);

/* Append "a.b.c.d:port"; without the port where the protocol has none. port: network byte order. */
void show_endpoint(struct line *line, const union addr *addr, __be16 port, uint8_t proto);

/* Append "source -> destination" with ports. */
void show_tuple(struct line *line, const struct tuple *t);

/* Append "key": {"src", "sport", "dst", "dport", "packets", "bytes"} of one direction. */
void show_direction(struct line *line, const char *key, const struct tuple *t, uint64_t packets, uint64_t bytes);

/* Append "src", "sport", "dst", "dport" to the object that is open. */
void show_ends(struct line *line, const struct tuple *t);

/* Name of a zone by its number; "#N" when it has none. */
const char *show_zone(const struct show *show, uint32_t zone, char buf[NATVI_NAME_LEN]);

/* Name of a wire by its number; "#N" when it has none. Of a port: of its wire, or of its zone. */
const char *show_wire(const struct show *show, uint32_t wire, char buf[NATVI_NAME_LEN]);
const char *show_port_zone(const struct show *show, const struct port *port, char buf[NATVI_NAME_LEN]);

/* "02:00:00:00:00:01" */
#define MAC_TEXT_LEN	18
const char *show_mac(const uint8_t mac[6], char buf[MAC_TEXT_LEN]);

/* What a rule does: "snat masquerade, dnat 203.0.113.10:8080". */
#define SHOW_RULE_LEN	192
const char *show_rule_does(const struct show *show, const struct rule *rule, char buf[SHOW_RULE_LEN]);

/* Are there others than the global one? */
bool show_has_zones(const struct show *show);

/* Name of a pool by its index; "-" for none, "#N" when it has no name. */
const char *show_pool(const struct show *show, uint32_t pool, char buf[NATVI_NAME_LEN]);

/*
 * A JSON document of the form {"NAME": [one object a line, ...]}, written as it comes so that a
 * million entries need no memory.
 */
struct json_list {
	size_t n;
	bool failed;
};
void json_list_begin(struct json_list *list, const char *name);
void json_list_add(struct json_list *list, const struct line *object);
int json_list_end(struct json_list *list);				/* exit code */

#endif
