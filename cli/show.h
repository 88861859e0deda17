/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show.h - the subjects of `natvi show`. Each prints a table or JSON of what the maps hold.
 */
#ifndef NATVI_CLI_SHOW_H
#define NATVI_CLI_SHOW_H

#include "cli/cli.h"
#include "cli/ports.h"
#include "lib/filter.h"
#include "lib/maps.h"
#include "lib/names.h"

struct show {
	const struct cli_opts *opts;
	const struct maps *maps;
	struct names *names;
	struct ports *ports;
	struct filter filter;
};

/* All return an exit code and have said what is wrong. */
int show_sessions(struct show *show);
int show_mappings(struct show *show);
int show_pools(struct show *show);
int show_rules(struct show *show);
int show_interfaces(struct show *show);
int show_stats(struct show *show);
int show_drops(struct show *show);

/* "a.b.c.d:port"; without the port where the protocol has none. port: network byte order. */
#define ENDPOINT_LEN	56
const char *show_endpoint(const union addr *addr, __be16 port, uint8_t proto, char buf[ENDPOINT_LEN]);

/* {"src", "sport", "dst", "dport", "packets", "bytes"} of one direction. */
struct json_t *show_direction(const struct tuple *key, uint64_t packets, uint64_t bytes);

/* Name of a pool by its index; "-" for none, "#N" when it has no name. */
const char *show_pool(const struct maps *maps, uint32_t pool, char buf[NATVI_NAME_LEN]);

/*
 * A JSON document of the form {"NAME": [one object a line, ...]}, written as it comes so that a
 * million entries need no memory.
 */
struct json_list {
	size_t n;
	bool failed;
};
void json_list_begin(struct json_list *list, const char *name);
void json_list_add(struct json_list *list, struct json_t *entry);	/* consumes entry */
int json_list_end(struct json_list *list);				/* exit code */

#endif
