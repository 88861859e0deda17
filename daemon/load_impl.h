/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * load_impl.h - the parts of loading among themselves. See tables.h.
 */
#ifndef NATVI_DAEMON_LOAD_IMPL_H
#define NATVI_DAEMON_LOAD_IMPL_H

#include "daemon/tables.h"

struct bpf_object;

/* Descriptors of those of the object's programs that are known by name. */
void tables_find_programs(struct tables *tables, const struct bpf_object *object);

/* Pin an object's programs beside the former ones; and put them in their place. Return 0 or a negative errno after saying why. */
int tables_pin_programs(const struct tables *tables, const struct bpf_object *object);
int tables_settle_programs(const struct tables *tables, const struct bpf_object *object);

/* What libbpf and the verifier have said since. */
void load_words_forget(void);
const char *load_words(void);

/* load_beside.c */
void tables_close_beside(struct tables *tables);

#endif
