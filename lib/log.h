/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * log.h - what the daemon has to say, on standard error: one line a message, "natvi: " before it.
 *
 * When standard error is the journal's stream (systemd.exec(5), JOURNAL_STREAM) each line carries
 * its level as <N> (sd-daemon(3)) in place of the "natvi: ". The level is one number for the process;
 * a line is one write(), so processes and threads do not mix within it.
 */
#ifndef NATVI_LIB_LOG_H
#define NATVI_LIB_LOG_H

#include <stdarg.h>
#include <stdbool.h>

/* Numbers are syslog's (RFC 5424 section 6.2.1). */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Messages above level are not printed; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warn", "info", "debug" to a level: 0 or -EINVAL. And back. */
int log_level_parse(const char *text, enum log_level *level);
const char *log_level_name(enum log_level level);

/* No newline at the end needed; errno is kept. Lines longer than 2 KiB are cut. */
void log_err(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_vprint(enum log_level level, const char *format, va_list args);

#endif
