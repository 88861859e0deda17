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
	char **cell;
	size_t n_cells, room;
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
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cell[i]);
	for (size_t i = 0; i < table->n_columns; i++)
		free(table->column[i].heading);
	free(table->cell);
	free(table);
}

static bool make_room(struct table *table)
{
	size_t room = table->room ? table->room * 2 : 256;
	char **more;

	if (table->n_cells < table->room)
		return true;
	more = realloc(table->cell, room * sizeof(*more));
	if (!more)
		return false;
	table->cell = more;
	table->room = room;
	return true;
}

void table_add(struct table *table, const char *text)
{
	struct column *column = &table->column[table->n_cells % table->n_columns];
	char *copy = make_room(table) ? strdup(text) : NULL;
	size_t len = strlen(text);

	if (!copy) {
		table->broken = true;
		return;
	}
	table->cell[table->n_cells++] = copy;
	if (len > column->width)
		column->width = len;
}

void table_addf(struct table *table, const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		table->broken = true;
		return;
	}
	table_add(table, text);
	free(text);
}

static void print_cell(const struct table *table, size_t index, const char *text, FILE *to)
{
	const struct column *column = &table->column[index];
	bool last = index + 1 == table->n_columns;
	int width = (int)column->width;

	if (column->right)
		fprintf(to, "%*s", width, text);
	else if (last)
		fputs(text, to);
	else
		fprintf(to, "%-*s", width, text);
	fputs(last ? "" : "  ", to);
}

int table_print(const struct table *table, FILE *to)
{
	bool colour = isatty(fileno(to)) && !getenv("NO_COLOR");

	if (table->broken)
		return -ENOMEM;
	fputs(colour ? "\033[2m" : "", to);
	for (size_t i = 0; i < table->n_columns; i++)
		print_cell(table, i, table->column[i].heading, to);
	fputs(colour ? "\033[0m\n" : "\n", to);
	for (size_t i = 0; i < table->n_cells; i++) {
		print_cell(table, i % table->n_columns, table->cell[i], to);
		if ((i + 1) % table->n_columns == 0)
			fputc('\n', to);
	}
	if (table->n_cells % table->n_columns)
		fputc('\n', to);
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
