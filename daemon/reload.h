/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * reload.h - putting configurations in force at run time.
 */
#ifndef NATVI_DAEMON_RELOAD_H
#define NATVI_DAEMON_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct daemon;

/*
 * Put a configuration in force; it is taken over in any case. confirm_s: seconds until the former one
 * comes back unless reload_confirm() is called; 0: for good. On error all is as before. Returns as
 * engine_apply().
 */
int reload_apply(struct daemon *d, struct config *next, unsigned int confirm_s, char *err, size_t err_len);

/* -ENOENT: nothing waits for a confirmation. */
int reload_confirm(struct daemon *d);
bool reload_pending(const struct daemon *d);

/* The daemon ends: what was not confirmed is rolled back. */
void reload_stop(struct daemon *d);

/* Write the running configuration for the commands. */
int reload_save(struct daemon *d);

/* What an instance runs, as reload_save() has written it; NULL: nothing that can be read. */
struct config *reload_running(const char *instance);

/* What the last daemon had confirmed when it died with a confirmation open; NULL: nothing was open. */
struct config *reload_unconfirmed(const char *instance);

#endif
