/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * line.h - a line of output put together piece by piece, for tables of a million lines, where printf and a JSON
 * tree for each line would take ten times as long.
 *
 * Life: a struct line on the stack, line_reset() before each use. What does not fit is left away and
 * line.full is set. The text always ends with a NUL. Plain memory.
 */
#ifndef NATVI_LIB_LINE_H
#define NATVI_LIB_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/types.h"

struct line {
	size_t len;
	bool full;
	char text[2048];
};

static inline void line_reset(struct line *line)
{
	line->len = 0;
	line->full = false;
	line->text[0] = '\0';
}

void line_bytes(struct line *line, const char *bytes, size_t len);
void line_text(struct line *line, const char *text);
void line_number(struct line *line, uint64_t number);

/* An address as addr_print() has it. */
void line_addr(struct line *line, const union addr *addr);

/* A JSON string with its quotes, RFC 8259 section 7; what is no UTF-8 becomes U+FFFD. */
void line_json(struct line *line, const char *text);

/* "key": text, number or address; with a comma before it unless it follows a bracket. */
void line_json_text(struct line *line, const char *key, const char *text);
void line_json_number(struct line *line, const char *key, uint64_t number);
void line_json_addr(struct line *line, const char *key, const union addr *addr);
void line_json_bool(struct line *line, const char *key, bool value);

/* "key": { ... }; NULL key: a bare object. */
void line_json_open(struct line *line, const char *key);
void line_json_close(struct line *line);

#endif
