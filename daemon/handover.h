/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * handover.h - what becomes of sessions when natvi goes and the box goes on forwarding.
 *
 * The kernel's conntrack gets each TCP connection that is established and each UDP session with
 * its translation, so that they live on. The table "inet natvi_INSTANCE_down" keeps the kernel's
 * NAT at work for them, and lets nothing that natvi's rules would have translated leave
 * untranslated. It stays until the next start that finds nothing to adopt, or until somebody deletes it.
 */
#ifndef NATVI_DAEMON_HANDOVER_H
#define NATVI_DAEMON_HANDOVER_H

/*
 * Before the programs are detached, with sysctls put back. Does nothing where forwarding is off.
 * Returns how many sessions were handed over, or a negative errno after saying why.
 */
int handover(const char *instance);

/* Remove the table; none is no error. */
void handover_end(const char *instance);

#endif
