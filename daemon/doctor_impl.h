/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_impl.h - the parts of the examination among themselves.
 */
#ifndef NATVI_DAEMON_DOCTOR_IMPL_H
#define NATVI_DAEMON_DOCTOR_IMPL_H

#include "daemon/doctor.h"

void finding_add(struct doctor *doctor, enum doctor_severity severity, const char *id, const char *subject, const char *right,
		 const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Interfaces: foreign programs, XDP and its conditions, other instances; and, with nat, what translation asks of sysctls. */
void doctor_ports(struct doctor *doctor, const char *instance, const struct config *config, bool nat);

/* Wires: ports, targets, bridges, and the box's own address. */
void doctor_wires(struct doctor *doctor, const char *instance, const struct config *config);

/* Outside addresses that no interface owns: who has to know, and natvi's routes to them. */
void doctor_outside(struct doctor *doctor, const char *instance, const struct config *config);

/* Routes with an MTU that the kernel's look-up keeps to itself. */
void doctor_routes(struct doctor *doctor);

/* Services of the box whose port NAT has given away. */
void doctor_sockets(struct doctor *doctor, const char *instance);

/* Tables of others that judge or translate what natvi forwards; wires: that drop the little that the kernel forwards for them. */
void doctor_firewall(struct doctor *doctor, bool wires);

#endif
