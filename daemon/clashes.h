/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * clashes.h - services of the box that come and go while NAT uses the same addresses.
 *
 * The port of a service is withheld as soon as it is seen. One that starts when NAT has given its port to an inside host gets
 * nothing until that mapping ends: that is said, once, in the log and as an event; `natvi doctor` finds it by itself.
 * Life: begins with the first clashes_follow(), called each second, until clashes_free(). The event loop's alone.
 */
#ifndef NATVI_DAEMON_CLASHES_H
#define NATVI_DAEMON_CLASHES_H

struct daemon;

void clashes_follow(struct daemon *d);
void clashes_free(struct daemon *d);

#endif
