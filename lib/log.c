/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * log.c - see log.h. The journal test compares standard error's device and inode with
 * JOURNAL_STREAM each time: a redirected standard error is not the journal, whatever was inherited.
 */
#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_BYTES	2048

static enum log_level log_level = LOG_LEVEL_INFO;

static const struct {
	enum log_level level;
	const char *name;
} log_levels[] = {
	{ LOG_LEVEL_ERROR, "error" },
	{ LOG_LEVEL_WARN, "warn" },
	{ LOG_LEVEL_INFO, "info" },
	{ LOG_LEVEL_DEBUG, "debug" },
};
#define N_LEVELS	(sizeof(log_levels) / sizeof(log_levels[0]))

void log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level log_get_level(void)
{
	return log_level;
}

int log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < N_LEVELS; i++) {
		if (!strcmp(text, log_levels[i].name)) {
			*level = log_levels[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	for (size_t i = 0; i < N_LEVELS; i++)
		if (log_levels[i].level == level)
			return log_levels[i].name;
	return "unknown";
}

static bool log_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && !fstat(STDERR_FILENO, &st) &&
	       st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
}

/* A message is one line, and a terminal is not to be steered by what came in over the wire. */
static void log_tame(char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = *text == '\n' || *text == '\t' ? ' ' : '?';
}

void log_vprint(enum log_level level, const char *format, va_list args)
{
	int saved = errno;
	char line[LOG_LINE_BYTES];
	size_t head, len;

	if (level > log_level)
		return;
	if (log_to_journal())
		head = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	else
		head = (size_t)snprintf(line, sizeof(line), "natvi: ");
	vsnprintf(line + head, sizeof(line) - head - 1, format, args);
	log_tame(line + head);
	len = strlen(line);
	line[len++] = '\n';
	/* Nobody is left to tell when standard error itself cannot be written. */
	if (write(STDERR_FILENO, line, len) < 0)
		errno = saved;
	errno = saved;
}

#define LOG_FUNCTION(name, level) \
	void name(const char *format, ...) \
	{ \
		va_list args; \
	\
		va_start(args, format); \
		log_vprint(level, format, args); \
		va_end(args); \
	}

LOG_FUNCTION(log_err, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
