/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * table.h - columns for a person: as wide as their widest cell, never cut, never wrapped.
 *
 * Life: table_new() -> table_add() cell by cell -> table_print() -> table_free(). Rows are held
 * until printed, because widths are known last. Colour (a dim heading) on a terminal only, and
 * not when NO_COLOR is set. Not for several threads.
 */
#ifndef NATVI_LIB_TABLE_H
#define NATVI_LIB_TABLE_H

#include <stdint.h>
#include <stdio.h>

struct table;

/*
 * headings: one word a column, separated by '|'; a leading '>' aligns right, '<' (or nothing) left.
 * NULL: no memory.
 */
struct table *table_new(const char *headings);
void table_free(struct table *table);

/* The next cell; after the last column a new row begins. Errors of memory show in table_print(). */
void table_add(struct table *table, const char *text);

/* Up to 511 characters. */
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Print the heading (the first time) and the rows that have come since, two spaces between columns.
 * Widths only grow: a long table printed in parts stays aligned as far as it can. 0, -ENOMEM, -EIO.
 */
int table_print(struct table *table, FILE *to);

/* Rows so far, printed ones too. */
size_t table_rows(const struct table *table);

/* Short forms for people, in buf: 1536 -> "1.5K" (1024s), 75 -> "1m15s". */
const char *human_bytes(uint64_t bytes, char buf[16]);
const char *human_seconds(uint64_t seconds, char buf[24]);

#endif
