/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * line.c - see line.h.
 */
#include "lib/line.h"

#include <stdio.h>
#include <string.h>

#include "lib/addr.h"

void line_bytes(struct line *line, const char *bytes, size_t len)
{
	if (len >= sizeof(line->text) - line->len) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->len, bytes, len);
	line->len += len;
	line->text[line->len] = '\0';
}

void line_text(struct line *line, const char *text)
{
	line_bytes(line, text, strlen(text));
}

void line_number(struct line *line, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	line_bytes(line, digits + at, sizeof(digits) - at);
}

void line_addr(struct line *line, const union addr *addr)
{
	char text[ADDR_TEXT_LEN];

	if (!addr_is4(addr)) {
		line_text(line, addr_print(addr, text));
		return;
	}
	for (int i = 12; i < 16; i++) {
		line_number(line, addr->byte[i]);
		if (i < 15)
			line_bytes(line, ".", 1);
	}
}

/* Length of the UTF-8 character at text (RFC 3629 section 4), or 0. */
static size_t utf8_len(const char *text)
{
	const unsigned char *t = (const unsigned char *)text;
	size_t n = t[0] < 0x80 ? 1 : t[0] >= 0xc2 && t[0] < 0xe0 ? 2 : t[0] >= 0xe0 && t[0] < 0xf0 ? 3 :
		   t[0] >= 0xf0 && t[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((t[i] & 0xc0) != 0x80)
			return 0;
	if ((t[0] == 0xe0 && t[1] < 0xa0) || (t[0] == 0xed && t[1] > 0x9f) ||
	    (t[0] == 0xf0 && t[1] < 0x90) || (t[0] == 0xf4 && t[1] > 0x8f))
		return 0;
	return n;
}

void line_json(struct line *line, const char *text)
{
	char escape[8];
	size_t n;

	line_bytes(line, "\"", 1);
	for (; *text; text += n ? n : 1) {
		n = utf8_len(text);
		if (!n) {
			line_text(line, "\xef\xbf\xbd");
		} else if ((unsigned char)*text < 0x20) {
			snprintf(escape, sizeof(escape), "\\u%04x", (unsigned int)*text);
			line_text(line, escape);
		} else {
			if (*text == '"' || *text == '\\')
				line_bytes(line, "\\", 1);
			line_bytes(line, text, n);
		}
	}
	line_bytes(line, "\"", 1);
}

static void put_key(struct line *line, const char *key)
{
	char last = line->len ? line->text[line->len - 1] : '{';

	if (last != '{' && last != '[')
		line_bytes(line, ", ", 2);
	if (!key)
		return;
	line_bytes(line, "\"", 1);
	line_text(line, key);
	line_bytes(line, "\": ", 3);
}

void line_json_text(struct line *line, const char *key, const char *text)
{
	put_key(line, key);
	line_json(line, text);
}

void line_json_number(struct line *line, const char *key, uint64_t number)
{
	put_key(line, key);
	line_number(line, number);
}

void line_json_addr(struct line *line, const char *key, const union addr *addr)
{
	put_key(line, key);
	line_bytes(line, "\"", 1);
	line_addr(line, addr);
	line_bytes(line, "\"", 1);
}

void line_json_bool(struct line *line, const char *key, bool value)
{
	put_key(line, key);
	line_text(line, value ? "true" : "false");
}

void line_json_open(struct line *line, const char *key)
{
	put_key(line, key);
	line_bytes(line, "{", 1);
}

void line_json_close(struct line *line)
{
	line_bytes(line, "}", 1);
}
