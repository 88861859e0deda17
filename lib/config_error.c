/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_error.c - the problems of a configuration: collected as they are found, put in the order of
 * their lines at the end. Also the words for them: quoting, and guessing what was meant.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "lib/config_impl.h"

#define WORD_MAX_LEN	32	/* longer ones are like nothing */

void *cfg_grow(struct cfg_parse *p, void *array, size_t n, size_t size)
{
	void *grown = array;

	/* Room is always the next power of two, so only a full array has a power of two in it. */
	if (!(n & (n - 1)))
		grown = realloc(array, (n ? n * 2 : 1) * size);
	if (!grown)
		p->no_memory = true;
	return grown;
}

void cfg_fail(struct cfg_parse *p, int line, const char *format, ...)
{
	struct cfg_error *error;
	va_list args;

	if (p->errors->n >= CFG_KEEP_ERRORS) {
		p->errors_dropped++;
		return;
	}
	error = CFG_ADD(p, p->errors->list, p->errors->n);
	if (!error)
		return;
	error->line = line;
	va_start(args, format);
	if (vasprintf(&error->text, format, args) < 0) {
		p->errors->n--;
		p->no_memory = true;
	}
	va_end(args);
}

/* What was found first stays first within a line: qsort() need not be stable, so text order breaks no tie. */
struct ordered_error {
	struct cfg_error error;
	size_t found;
};

static int error_compare(const void *a, const void *b)
{
	const struct ordered_error *x = a, *y = b;

	if (x->error.line != y->error.line)
		return x->error.line < y->error.line ? -1 : 1;
	return x->found < y->found ? -1 : 1;
}

void cfg_errors_finish(struct cfg_parse *p)
{
	struct cfg_errors *errors = p->errors;
	struct ordered_error *ordered = calloc(errors->n ? errors->n : 1, sizeof(*ordered));
	size_t shown = errors->n;

	if (!ordered) {
		p->no_memory = true;
		return;
	}
	for (size_t i = 0; i < errors->n; i++)
		ordered[i] = (struct ordered_error){ errors->list[i], i };
	qsort(ordered, errors->n, sizeof(*ordered), error_compare);
	for (size_t i = 0; i < errors->n; i++)
		errors->list[i] = ordered[i].error;
	free(ordered);
	if (shown <= CFG_MAX_ERRORS)
		return;
	p->errors_dropped += shown - CFG_MAX_ERRORS;
	for (size_t i = CFG_MAX_ERRORS; i < shown; i++)
		free(errors->list[i].text);
	errors->n = CFG_MAX_ERRORS;
	cfg_fail(p, errors->list[errors->n - 1].line, "%zu further problems are not shown; mend these first",
		 p->errors_dropped);
}

void cfg_errors_free(struct cfg_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		free(errors->list[i].text);
	free(errors->list);
	*errors = (struct cfg_errors){ 0 };
}

void cfg_errors_print(const struct config *config, const char *name, const struct cfg_errors *errors, FILE *to)
{
	if (!name)
		name = config ? config->source : "configuration";
	for (size_t i = 0; i < errors->n; i++) {
		if (errors->list[i].line)
			fprintf(to, "%s:%d: %s\n", name, errors->list[i].line, errors->list[i].text);
		else
			fprintf(to, "%s: %s\n", name, errors->list[i].text);
	}
}

const char *cfg_quote(const char *text, char buf[CFG_QUOTE_LEN])
{
	size_t len = strlen(text), cut = len;

	if (len > CFG_QUOTE_LEN - 4) {
		cut = CFG_QUOTE_LEN - 4;
		/* Not within a UTF-8 sequence: its later bytes are 10xxxxxx. */
		while (cut && ((unsigned char)text[cut] & 0xc0) == 0x80)
			cut--;
	}
	memcpy(buf, text, cut);
	for (size_t i = 0; i < cut; i++)
		if ((unsigned char)buf[i] < ' ' || buf[i] == 0x7f)
			buf[i] = '?';
	strcpy(buf + cut, cut < len ? "..." : "");
	return buf;
}

static int min3(int a, int b, int c)
{
	int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edits (insert, delete, replace, swap of neighbours) that make b of a. */
static int word_distance(const char *a, const char *b)
{
	int rows[3][WORD_MAX_LEN + 1];
	int la = (int)strlen(a), lb = (int)strlen(b);

	for (int j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (int i = 1; i <= la; i++) {
		int *row = rows[i % 3], *up = rows[(i + 2) % 3], *upup = rows[(i + 1) % 3];

		row[0] = i;
		for (int j = 1; j <= lb; j++) {
			row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min3(row[j], upup[j - 2] + 1, row[j]);
		}
	}
	return rows[la % 3][lb];
}

const char *cfg_nearest(const char *text, const char *const *words)
{
	const char *best = NULL;
	size_t len = strlen(text);
	int least = len < 4 ? 1 : 1 + (int)len / 4;	/* farther is no typing error */

	if (len > WORD_MAX_LEN)
		return NULL;
	for (; *words; words++) {
		int distance = word_distance(text, *words);

		if (distance <= least && (!best || distance < least)) {
			least = distance;
			best = *words;
		}
	}
	return best;
}

const char *cfg_hint(const struct cfg_parse *p, const char *text, const char *const *words, char buf[CFG_HINT_LEN])
{
	const char *near;
	size_t at;

	buf[0] = '\0';
	if (p->errors->n >= CFG_KEEP_ERRORS)
		return buf;
	near = cfg_nearest(text, words);
	if (near) {
		snprintf(buf, CFG_HINT_LEN, "did you mean `%s`?", near);
		return buf;
	}
	at = (size_t)snprintf(buf, CFG_HINT_LEN, "known here: ");
	for (size_t i = 0; words[i] && at < CFG_HINT_LEN; i++)
		at += (size_t)snprintf(buf + at, CFG_HINT_LEN - at, "%s%s", i ? ", " : "", words[i]);
	return buf;
}
