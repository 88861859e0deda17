/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * switches.h - which sysctls the datapath needs, and on which interface.
 *
 * ip_forward and each port's forwarding; accept_local on ports, because slow-road packets come in with
 * an own source; an effective rp_filter other than 1; no redirects, which would name the wrong hop.
 *
 * Ports of wires take every frame as it is, and the box does not speak there. Where it has an address on a wire it also
 * forwards between there and the targets of captures.
 */
#ifndef NATVI_DAEMON_SWITCHES_H
#define NATVI_DAEMON_SWITCHES_H

#include <stdbool.h>

#include "abi/config.h"
#include "lib/sysctl.h"

/* Set them all, remembering what was there; alone: every other one is put back. Failures are logged; the first one is returned. */
int switches_set(const char *instance, const struct port *ports, size_t n_ports, bool alone);

/* The same for ports and targets of wires, and every other switch is put back. host: the box has an address on a wire. */
struct served;
int switches_set_wires(const char *instance, const struct served *list, size_t n, bool host);

/* Put one port's own back. */
void switches_restore_port(const char *instance, const char *port);

/* Callback for each switch that is not as it should be: the key, its value, the right one, why. */
typedef void (*switches_fn)(const char *key, const char *is, const char *should, const char *why, void *arg);

/* Look without touching. */
void switches_check(const char *const *ports, size_t n_ports, switches_fn fn, void *arg);

#endif
