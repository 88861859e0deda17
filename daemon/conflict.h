/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conflict.h - what a configuration and the addresses of interfaces cannot be together.
 *
 * The same addresses inside and outside cannot be told apart before there are zones; RFC 4787 req. 7
 * asks for nothing less. What the file alone shows is refused by lib/config_check.c.
 */
#ifndef NATVI_DAEMON_CONFLICT_H
#define NATVI_DAEMON_CONFLICT_H

#include <stddef.h>

#include "daemon/links.h"
#include "lib/config.h"

/*
 * Judged are rules that translate, by the interfaces that they name: where they come in by (inside) and
 * leave by (outside); where only one side is named the other is what no such rule names on this one. An
 * interface that is both for a rule is none to it. A conflict is:
 *
 *   - connected subnets of an inside and of an outside interface that overlap within the rule's sources
 *   - a pool that has all of the connected subnet of an inside interface; a part of it may be meant for the pool
 *   - the address of a masquerading interface in a pool, when only one of the two shares mappings between TCP and UDP
 *
 * Returns 0, or -EINVAL with a sentence about the first one in err.
 */
int conflict_find(const struct config *config, const struct links *links, char *err, size_t err_len);

#endif
