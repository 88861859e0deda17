/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * table.c - hold cells, then print them in columns. Life-cycle: see table.h. One owner, no sharing.
 */
#include "lib/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX	32

struct column {
	char *heading;
	size_t width;
	bool right;
};

struct table {
	struct column column[COLUMNS_MAX];
	size_t n_columns;
	char *text;		/* all cells, each with its NUL */
	size_t text_len, text_room;
	size_t n_cells, n_printed;
	bool headed;		/* the heading is out */
	bool broken;		/* memory ran out: table_print() says so */
};

static int add_column(struct table *table, const char *text, size_t len)
{
	struct column *column = &table->column[table->n_columns];

	if (table->n_columns == COLUMNS_MAX)
		return -EINVAL;
	if (len && (*text == '>' || *text == '<')) {
		column->right = *text == '>';
		text++;
		len--;
	}
	column->heading = strndup(text, len);
	if (!column->heading)
		return -ENOMEM;
	column->width = len;
	table->n_columns++;
	return 0;
}

struct table *table_new(const char *headings)
{
	struct table *table = calloc(1, sizeof(*table));
	size_t len;

	while (table) {
		len = strcspn(headings, "|");
		if (add_column(table, headings, len)) {
			table_free(table);
			return NULL;
		}
		if (!headings[len])
			break;
		headings += len + 1;
	}
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_columns; i++)
		free(table->column[i].heading);
	free(table->text);
	free(table);
}

/* Room for len more bytes of text. */
static bool make_room(struct table *table, size_t len)
{
	size_t room = table->text_room ? table->text_room : 4096;
	char *more;

	if (table->text_room - table->text_len >= len)
		return true;
	while (room - table->text_len < len)
		room *= 2;
	more = realloc(table->text, room);
	if (!more) {
		table->broken = true;
		return false;
	}
	table->text = more;
	table->text_room = room;
	return true;
}

static struct column *next_column(struct table *table)
{
	return &table->column[table->n_cells++ % table->n_columns];
}

void table_add(struct table *table, const char *text)
{
	struct column *column = next_column(table);
	size_t len = strlen(text);

	if (!make_room(table, len + 1))
		return;
	memcpy(table->text + table->text_len, text, len + 1);
	table->text_len += len + 1;
	if (len > column->width)
		column->width = len;
}

void table_addf(struct table *table, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_add(table, text);
}

static void pad(size_t n, FILE *to)
{
	static const char spaces[] = "                                ";

	for (; n > sizeof(spaces) - 1; n -= sizeof(spaces) - 1)
		fwrite_unlocked(spaces, 1, sizeof(spaces) - 1, to);
	fwrite_unlocked(spaces, 1, n, to);
}

static void print_cell(const struct table *table, size_t index, const char *text, size_t len, FILE *to)
{
	const struct column *column = &table->column[index];
	bool last = index + 1 == table->n_columns;

	if (column->right)
		pad(column->width - len, to);
	fwrite_unlocked(text, 1, len, to);
	if (last)
		fputc_unlocked('\n', to);
	else
		pad((column->right ? 0 : column->width - len) + 2, to);
}

static void print_heading(struct table *table, FILE *to)
{
	bool colour = isatty(fileno(to)) && !getenv("NO_COLOR");

	if (table->headed)
		return;
	table->headed = true;
	fputs(colour ? "\033[2m" : "", to);
	for (size_t i = 0; i < table->n_columns; i++)
		print_cell(table, i, table->column[i].heading, strlen(table->column[i].heading), to);
	fputs(colour ? "\033[0m" : "", to);
}

int table_print(struct table *table, FILE *to)
{
	const char *text;
	size_t len;

	while (table->n_cells % table->n_columns)
		table_add(table, "-");
	if (table->broken)
		return -ENOMEM;
	print_heading(table, to);
	for (text = table->text; table->n_printed < table->n_cells; table->n_printed++, text += len + 1) {
		len = strlen(text);
		print_cell(table, table->n_printed % table->n_columns, text, len, to);
	}
	table->text_len = 0;
	return ferror(to) ? -EIO : 0;
}

size_t table_rows(const struct table *table)
{
	return (table->n_cells + table->n_columns - 1) / table->n_columns;
}

const char *human_bytes(uint64_t bytes, char buf[16])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;

	while (value >= 1023.95 && unit < 5) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, 16, "%u", (unsigned int)bytes);
	else
		snprintf(buf, 16, value < 99.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return buf;
}

const char *human_seconds(uint64_t seconds, char buf[24])
{
	unsigned long long s = seconds;

	if (s < 60)
		snprintf(buf, 24, "%llus", s);
	else if (s < 3600)
		snprintf(buf, 24, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, 24, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, 24, "%llud%02lluh", s / 86400, s / 3600 % 24);
	return buf;
}
