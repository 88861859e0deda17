/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * expects.h - connections that helpers of the kernel's conntrack announce (expectations), where rules have it help.
 *
 * With active FTP the server comes to an outside port that the client has chosen, and natvi's NAT could take for its own. So
 * the port is withheld from NAT, and both directions of what comes are left to the kernel (dp/expect.h), from the moment in
 * which ctnetlink tells of it until neither the announcement nor its connection is there. What goes out by an address that
 * NAT shares is natvi's all the same: the kernel would take any port of it.
 *
 * Heard at once; what was not (no room, no listener yet) is found within a second.
 * Life: expects_follow() with each configuration -> expects_close(). What is written down stays for the next daemon. The
 * event loop's alone.
 */
#ifndef NATVI_DAEMON_EXPECTS_H
#define NATVI_DAEMON_EXPECTS_H

#include <stdbool.h>

struct daemon;

/* Listen, or end to when what is known has ended. Trouble is said; without it passive FTP still works. */
void expects_follow(struct daemon *d, bool on);

/* Each second. */
void expects_tick(struct daemon *d);

void expects_close(struct daemon *d);

#endif
