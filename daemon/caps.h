/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * caps.h - capabilities and kernel features: what is missing, by name, and what is given away.
 */
#ifndef NATVI_DAEMON_CAPS_H
#define NATVI_DAEMON_CAPS_H

#include <stdbool.h>

/* Callback for each thing that is missing: its name and what it is needed for. */
typedef void (*caps_fn)(const char *name, const char *why, void *arg);

/* Capabilities that a start needs and this process lacks. Returns how many. */
int caps_missing(caps_fn fn, void *arg);

/* Features that this kernel lacks (each probe loads a tiny program or map). Returns how many. */
int features_missing(caps_fn fn, void *arg);

bool caps_has_sys_admin(void);

/* Does bpf_fib_lookup() take a mark (kernel 6.10)? */
bool kernel_honours_mark(void);

/*
 * Keep what serving needs (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON) and drop all else, also from the
 * bounding set. The process stays user 0, the owner of the files in /proc/sys, /run and /sys/fs/bpf.
 * Returns 0 or a negative errno.
 */
int caps_drop(void);

#endif
