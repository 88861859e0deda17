/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * filter.h - which sessions or mappings are meant: "proto tcp src 198.18.0.0/16 rule office".
 *
 * A filter is a list of terms, all of which must hold. Words (command line) and JSON (control
 * socket) make the same list. Names of rules, interfaces and zones stay names until
 * filter_resolve() looks them up; a term that names nothing matches nothing.
 * Life: filter_from_words() or filter_from_json() -> filter_free(). Plain memory.
 */
#ifndef NATVI_LIB_FILTER_H
#define NATVI_LIB_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/types.h"

enum filter_what {
	FILTER_SRC, FILTER_DST, FILTER_HOST, FILTER_PORT, FILTER_SPORT, FILTER_DPORT, FILTER_PROTO,
	FILTER_RULE, FILTER_STATE, FILTER_INTERFACE, FILTER_ZONE, FILTER_WHATS
};

struct filter_term {
	enum filter_what what;
	char text[64];		/* the value as written */
	union addr addr;	/* SRC, DST, HOST: network part */
	uint8_t len;		/* 0-128; 96 + n for IPv4 */
	uint32_t number;	/* port, protocol, rule number, ifindex, zone */
	bool resolved;		/* number holds (always so where there is no name to look up) */
};

struct filter {
	struct filter_term *terms;
	size_t n;
};

struct json_t;
struct names;
struct session;
struct map_entry;

/* Value of a term as a hint for help and completion: "src ADDR[/LEN]" and so on, one a line. */
extern const char filter_help[];

/*
 * Words in pairs, but for "accelerated", which is short for "state accelerated". Returns 0 and *out (release with filter_free()), or -EINVAL and a sentence in err
 * that says which word and what would be right.
 */
int filter_from_words(struct filter *out, int n, char *const *words, char *err, size_t err_len);

/* [["proto","tcp"],["src","198.18.0.0/16"]]; null or [] is the filter that admits all. Same returns. */
int filter_from_json(struct filter *out, const struct json_t *json, char *err, size_t err_len);

/* A new JSON array as filter_from_json() reads it. */
struct json_t *filter_to_json(const struct filter *filter);

void filter_free(struct filter *filter);

/* Look rule, interface and zone names up. Returns 0, or -ENOENT with err naming the first that nothing has. */
int filter_resolve(struct filter *filter, const struct names *names, char *err, size_t err_len);

/* True when all terms hold. Uses orig, cold and state of the session only, and reply.oif. */
bool filter_session(const struct filter *filter, const struct session *session);

/*
 * The same for a mapping: src and sport are its inside end, host and port either end, state is
 * that of mapping_state(); one for TCP and UDP together is of both protocols. Terms that no mapping has: see filter_check_mapping().
 */
bool filter_mapping(const struct filter *filter, const struct map_entry *entry);

/* -EINVAL and a sentence when a term has no meaning for mappings (dst, dport, rule, interface). */
int filter_check_mapping(const struct filter *filter, char *err, size_t err_len);

/* The same for connections that only conntrack knows (rule, state, interface, zone). */
int filter_check_connection(const struct filter *filter, char *err, size_t err_len);

#endif
