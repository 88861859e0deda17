/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bpf_wire.h - wires on the real programs, for host_bpf.c. All return 0 or a negative errno with a sentence in err.
 */
#ifndef NATVI_TESTS_BPF_WIRE_H
#define NATVI_TESTS_BPF_WIRE_H

#include "tests/runner/runner.h"

struct bpf_object;
struct tables;

/* host_bpf.c's: a sentence with what libbpf has to say; code. */
int bpf_fail(char *err, int code, const char *what);

/* With the maps of this object, which is loaded. */
int bpf_wire_open(struct bpf_object *main, char *err);
void bpf_wire_close(void);

/* To the interfaces of a new namespace: what a test run of XDP, or a tun, wants. */
int bpf_wire_attach(const struct native_net *net, bool xdp, char *err);

/* What has been learned gets older, or is forgotten. */
int bpf_wire_older(const struct tables *tables, uint32_t seconds, char *err);
int bpf_wire_empty(const struct tables *tables, char *err);

int bpf_wire_tc(enum wire_hook hook, const struct native_net *net, const struct arrival *arrival, struct outcome *out, char *err);

/* True in *passed: tc is to have it. */
int bpf_wire_xdp(const struct arrival *arrival, struct outcome *out, bool *passed, char *err);

#endif
