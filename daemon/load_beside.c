/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * load_beside.c - programs that are only loaded where they are needed, with the maps that are there already. See tables.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/load_impl.h"
#include "lib/log.h"
#include "natvi.skel.h"
#include "natvi_accel.skel.h"
#include "natvi_wire.skel.h"

/* Its maps are those that are there already. */
static int share_maps(const struct tables *tables, struct bpf_object *object)
{
	struct bpf_map *map, *own;
	int err = 0;

	bpf_object__for_each_map(map, object) {
		own = bpf_map__is_internal(map) ? NULL : bpf_object__find_map_by_name(tables->skel->obj, bpf_map__name(map));
		if (own && !err)
			err = bpf_map__reuse_fd(map, bpf_map__fd(own));
	}
	return err;
}

/* An object beside the first one: its maps are the same, and its programs are found and pinned with the others. */
static int load_beside(struct tables *tables, struct bpf_object *object)
{
	int err = share_maps(tables, object);

	if (!err)
		err = bpf_object__load(object);
	if (!err)
		err = tables_pin_programs(tables, object);
	if (!err)
		tables_find_programs(tables, object);
	else
		log_debug("%s", load_words());
	return err;
}

int tables_accel(struct tables *tables, char *err, size_t err_len)
{
	int ret;

	if (tables->accel)
		return 0;
	load_words_forget();
	tables->accel = natvi_accel__open();
	ret = tables->accel ? load_beside(tables, tables->accel->obj) : -errno;
	if (!ret)
		return 0;
	natvi_accel__destroy(tables->accel);
	tables->accel = NULL;
	snprintf(err, err_len, "accelerate: this kernel cannot be asked for its connections (%s): it needs nf_conntrack (`modprobe "
		 "nf_conntrack`) with BTF, 6.1 or later; without `accelerate` all else works", strerror(-ret));
	return ret;
}

int tables_wires(struct tables *tables, char *err, size_t err_len)
{
	int ret;

	if (tables->wire)
		return 0;
	load_words_forget();
	tables->wire = natvi_wire__open();
	ret = tables->wire ? load_beside(tables, tables->wire->obj) : -errno;
	if (!ret)
		return 0;
	natvi_wire__destroy(tables->wire);
	tables->wire = NULL;
	snprintf(err, err_len, "wires: the kernel does not take the programs: %s; `--log debug` shows the verifier's words", strerror(-ret));
	return ret;
}

int tables_settle(struct tables *tables)
{
	int err = tables_settle_programs(tables, tables->skel->obj);

	if (!err && tables->accel)
		err = tables_settle_programs(tables, tables->accel->obj);
	return tables->wire && !err ? tables_settle_programs(tables, tables->wire->obj) : err;
}

void tables_close_beside(struct tables *tables)
{
	if (tables->accel)
		natvi_accel__destroy(tables->accel);
	if (tables->wire)
		natvi_wire__destroy(tables->wire);
}
