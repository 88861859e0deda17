/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * device.h - switches of an interface that are no sysctls, by names like theirs: link/IFNAME/SWITCH. Their values are 0 and 1.
 *
 *   promisc   frames for other stations are taken, too
 *   lro       the device joins packets, which cannot be parted again as they were
 *   rxvlan    it takes VLAN tags off, where XDP does not see them
 *
 * No state; each call asks the kernel.
 */
#ifndef NATVI_LIB_DEVICE_H
#define NATVI_LIB_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

bool device_owns(const char *key);

/* Return 0 or a negative errno: -ENOENT there is no such interface, or it has no such switch. */
int device_read(const char *key, char *value, size_t size);
int device_write(const char *key, const char *value);

#endif
