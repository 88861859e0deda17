/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bpf_wire.c - wires on the real programs, with the maps of host_bpf.c. What runs is wire_case.bpf.c; bpf/wire.bpf.c as it is gets
 * loaded once, to see that this kernel takes it.
 *
 * A test run is given a frame with its outer VLAN tag out of band, as tc has it. It always has Ethernet: what comes out of a tun is
 * written into it by its owner, and the program that is attached there keeps it.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <string.h>

#include "daemon/tables.h"
#include "natvi_case.skel.h"
#include "natvi_wire.skel.h"
#include "tests/runner/bpf_wire.h"
#include "tests/runner/wire_case.h"

static struct natvi_case *skel;
static struct case_io io;
static uint8_t whole[1 + CASE_COPIES][CASE_FRAME_BYTES + 4];
static struct native_copied copied[CASE_COPIES];

/* Maps of the same name are those of the main object. */
static int share(struct bpf_object *object, struct bpf_object *main)
{
	struct bpf_map *map, *own;
	int ret = 0;

	bpf_object__for_each_map(map, object) {
		own = bpf_map__is_internal(map) ? NULL : bpf_object__find_map_by_name(main, bpf_map__name(map));
		if (own && !ret)
			ret = bpf_map__reuse_fd(map, bpf_map__fd(own));
	}
	return ret;
}

int bpf_wire_open(struct bpf_object *main, char *err)
{
	struct natvi_wire *real = natvi_wire__open();
	int ret = real ? share(real->obj, main) : -ENOMEM;

	if (!ret)
		ret = natvi_wire__load(real);
	natvi_wire__destroy(real);
	if (ret)
		return bpf_fail(err, ret, "the kernel does not take the programs of wires");
	skel = natvi_case__open();
	ret = skel ? share(skel->obj, main) : -ENOMEM;
	if (!ret)
		ret = natvi_case__load(skel);
	return ret ? bpf_fail(err, ret, "the kernel does not take tests/runner/wire_case.bpf.c") : 0;
}

void bpf_wire_close(void)
{
	natvi_case__destroy(skel);
}

int bpf_wire_attach(const struct native_net *net, bool xdp, char *err)
{
	for (size_t i = 0; i < net->n_interfaces; i++) {
		int ifindex = (int)net->interfaces[i].ifindex, ret = 0;
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
		LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(skel->progs.case_target));

		if (net->interfaces[i].no_l2) {
			ret = bpf_tc_hook_create(&hook);
			if (!ret)
				ret = bpf_tc_attach(&hook, &opts);
		} else if (xdp) {
			ret = bpf_xdp_attach(ifindex, bpf_program__fd(skel->progs.case_xdp_wire), XDP_FLAGS_DRV_MODE, NULL);
		}
		if (ret)
			return bpf_fail(err, ret, "the programs of wires cannot be attached");
	}
	return 0;
}

/* Change all entries of what is learned. */
static int each(const struct tables *tables, void (*neighbour)(struct wire_neighbour *, uint32_t),
		void (*station)(struct station *, uint32_t), void (*state)(struct wire_state *, uint32_t), uint32_t seconds)
{
	struct wire_neighbours neighbours;
	struct wire_state kept;
	struct stations set;
	int ret = 0;

	for (uint32_t i = 0; i < NATVI_NEIGHBOUR_SETS && !ret; i++) {
		ret = bpf_map_lookup_elem(tables->map[TABLE_NEIGHBOURS], &i, &neighbours);
		for (int way = 0; way < NATVI_NEIGHBOUR_WAYS; way++)
			neighbour(&neighbours.entry[way], seconds);
		if (!ret)
			ret = tables_put(tables, TABLE_NEIGHBOURS, i, &neighbours);
	}
	for (uint32_t i = 0; i < NATVI_STATION_SETS && !ret; i++) {
		ret = bpf_map_lookup_elem(tables->map[TABLE_STATIONS], &i, &set);
		for (int way = 0; way < NATVI_STATION_WAYS; way++)
			station(&set.entry[way], seconds);
		if (!ret)
			ret = tables_put(tables, TABLE_STATIONS, i, &set);
	}
	for (uint32_t i = 0; i < NATVI_MAX_WIRES && !ret; i++) {
		ret = bpf_map_lookup_elem(tables->map[TABLE_WIRE_STATES], &i, &kept);
		state(&kept, seconds);
		if (!ret)
			ret = tables_put(tables, TABLE_WIRE_STATES, i, &kept);
	}
	return ret;
}

static void older(uint32_t *second, uint32_t seconds)
{
	if (*second)
		*second -= seconds;
}

static void older_neighbour(struct wire_neighbour *n, uint32_t seconds)
{
	older(&n->last_seen_s, seconds);
	older(&n->moved_s, seconds);
	older(&n->first_seen_s, seconds);
}

static void older_station(struct station *s, uint32_t seconds)
{
	older(&s->last_seen_s, seconds);
}

static void older_state(struct wire_state *s, uint32_t seconds)
{
	older(&s->replies_until_s, seconds);
	older(&s->gateway_seen_s, seconds);
}

int bpf_wire_older(const struct tables *tables, uint32_t seconds, char *err)
{
	int ret = each(tables, older_neighbour, older_station, older_state, seconds);

	return ret ? bpf_fail(err, ret, "what wires have learned cannot be made older") : 0;
}

static void no_neighbour(struct wire_neighbour *n, uint32_t seconds)
{
	memset(n, 0, sizeof(*n));
}

static void no_station(struct station *s, uint32_t seconds)
{
	memset(s, 0, sizeof(*s));
}

static void no_state(struct wire_state *s, uint32_t seconds)
{
	memset(s, 0, sizeof(*s));
}

int bpf_wire_empty(const struct tables *tables, char *err)
{
	int ret = each(tables, no_neighbour, no_station, no_state, 0);

	return ret ? bpf_fail(err, ret, "what wires have learned cannot be forgotten") : 0;
}

static int put_io(char *err)
{
	uint32_t zero = 0;
	int ret = bpf_map_update_elem(bpf_map__fd(skel->maps.io), &zero, &io, BPF_ANY);

	return ret ? bpf_fail(err, ret, "io") : 0;
}

static int get_io(char *err)
{
	uint32_t zero = 0;
	int ret = bpf_map_lookup_elem(bpf_map__fd(skel->maps.io), &zero, &io);

	if (ret)
		return bpf_fail(err, ret, "io");
	if (io.ran)
		return 0;
	snprintf(err, RUNNER_ERR_LEN, "the program did not run");
	return -EPROTO;
}

/* The frame as it is on a wire: with its outer tag. */
static size_t tagged(const struct case_frame *f, uint8_t *to)
{
	size_t macs = f->tag.proto && f->len >= 2 * ETH_ALEN ? 2 * ETH_ALEN : 0, tag = macs ? 4 : 0;
	__be16 words[2] = { htons(f->tag.proto), htons(f->tag.tci) };

	memcpy(to, f->bytes, macs);
	memcpy(to + macs, words, tag);
	memcpy(to + macs + tag, f->bytes + macs, f->len - macs);
	return f->len + tag;
}

static bool has_l2(const struct native_net *net, uint32_t ifindex)
{
	for (size_t i = 0; i < net->n_interfaces; i++)
		if (net->interfaces[i].ifindex == ifindex)
			return !net->interfaces[i].no_l2;
	return true;
}

static void take(const struct native_net *net, bool l2, struct outcome *out)
{
	out->action = io.action == TC_ACT_SHOT ? NATIVE_DROP : io.action == TC_ACT_REDIRECT ? NATIVE_SEND : NATIVE_KERNEL;
	out->mark = io.mark;
	out->at = "tc";
	out->frame = whole[CASE_COPIES];
	out->len = tagged(&io.frame, whole[CASE_COPIES]);
	if (out->action == NATIVE_SEND) {
		out->out_ifindex = io.frame.ifindex;
		out->enters = io.frame.in;
	}
	if (out->action == NATIVE_SEND && !out->enters && l2 && !has_l2(net, out->out_ifindex) && out->len >= ETH_HLEN) {
		out->frame += ETH_HLEN;		/* the kernel takes it off */
		out->len -= ETH_HLEN;
	}
	for (uint32_t i = 0; i < io.n_copies; i++)
		copied[i] = (struct native_copied){ .ifindex = io.copy[i].ifindex, .in = io.copy[i].in, .frame = whole[i],
						    .len = tagged(&io.copy[i], whole[i]) };
	out->copied = copied;
	out->n_copied = io.n_copies;
}

static int test_run(struct bpf_program *program, const struct arrival *a, char *err)
{
	struct __sk_buff ctx = { .ifindex = a->in->ifindex, .ingress_ifindex = a->in->ifindex, .mark = a->mark };
	static uint8_t frame[RUNNER_MAX_FRAME];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)a->len, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	uint16_t words[2] = {};
	int ret;

	if (program == skel->progs.case_host)
		ctx.ingress_ifindex = a->origin;
	if (a->gso_size) {
		ctx.gso_size = a->gso_size;
		ctx.gso_segs = (__u32)(a->len / a->gso_size) + 1;
	}
	memcpy(frame, a->frame, a->len);
	if (a->len >= ETH_HLEN + 4)
		memcpy(words, a->frame + 2 * ETH_ALEN, sizeof(words));
	if (words[0] == htons(ETH_P_8021Q) || words[0] == htons(ETH_P_8021AD)) {
		io.tag = (struct case_tag){ .proto = ntohs(words[0]), .tci = ntohs(words[1]) };
		memmove(frame + 2 * ETH_ALEN, a->frame + 2 * ETH_ALEN + 4, a->len - 2 * ETH_ALEN - 4);
		opts.data_size_in -= 4;
	}
	ret = put_io(err);
	if (ret)
		return ret;
	ret = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
	return ret ? bpf_fail(err, ret, "the test run of a wire's program failed") : get_io(err);
}

int bpf_wire_tc(enum wire_hook hook, const struct native_net *net, const struct arrival *a, struct outcome *out, char *err)
{
	struct bpf_program *program = hook == HOOK_PORT ? skel->progs.case_wire : hook == HOOK_TARGET ? skel->progs.case_target :
				      skel->progs.case_host;
	int ret;

	memset(&io, 0, sizeof(io));
	if (a->in->no_l2) {
		io.hold = 1;
		ret = put_io(err);
		if (!ret)
			ret = netns_write(a->in, a->frame, a->len);
		ret = ret ? bpf_fail(err, ret, "the tun takes no packet") : get_io(err);
	} else {
		ret = test_run(program, a, err);
	}
	if (!ret)
		take(net, !a->in->no_l2 || io.headed, out);
	return ret;
}

int bpf_wire_xdp(const struct arrival *a, struct outcome *out, bool *passed, char *err)
{
	struct xdp_md ctx = { .data_end = (__u32)a->len, .ingress_ifindex = a->in->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = a->frame, .data_size_in = (__u32)a->len, .data_out = whole[CASE_COPIES],
		    .data_size_out = sizeof(whole[CASE_COPIES]), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	int ret = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.case_xdp_wire), &opts);

	if (ret)
		return bpf_fail(err, ret, "the test run of natvi_xdp_wire failed");
	*passed = opts.retval == XDP_PASS;
	out->action = opts.retval == XDP_REDIRECT ? NATIVE_SEND : NATIVE_DROP;
	out->out_ifindex = out->action == NATIVE_SEND ? skel->bss->xdp_ifindex : 0;
	out->frame = whole[CASE_COPIES];
	out->len = opts.data_size_out;
	out->at = "xdp";
	if (*passed && (out->len != a->len || memcmp(out->frame, a->frame, a->len))) {
		snprintf(err, RUNNER_ERR_LEN, "natvi_xdp_wire passed on a frame that it had changed");
		return -EPROTO;
	}
	if (!*passed && opts.retval != XDP_REDIRECT && opts.retval != XDP_DROP) {
		snprintf(err, RUNNER_ERR_LEN, "natvi_xdp_wire returned %u", opts.retval);
		return -EPROTO;
	}
	return 0;
}
