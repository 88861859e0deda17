/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * attach.c - see attach.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/attach.h"
#include "daemon/nvi.h"
#include "daemon/tc.h"
#include "lib/instance.h"
#include "lib/log.h"
#include "lib/sysctl.h"

#define ACCEL_PROG	"natvi_tc_accel"

/* natvi's own place. Filters with smaller numbers see packets before it does. */
#define TC_PRIO		1000
#define TC_PRIO_TRIES	100
#define TC_HANDLE	0x4e56

static const struct {
	enum table_prog ingress, egress, xdp;	/* TABLE_PROGS: none */
} programs[] = {
	[ATTACH_NAT] = { PROG_TC_INGRESS, PROG_TC_EGRESS, PROG_XDP },
	[ATTACH_WIRE] = { PROG_WIRE_TC, TABLE_PROGS, PROG_WIRE_XDP },
	[ATTACH_TARGET] = { PROG_WIRE_TARGET, TABLE_PROGS, TABLE_PROGS },
};

/* Its descriptor; -1: there is none. */
static int program(const struct tables *tables, enum table_prog prog)
{
	return prog < TABLE_PROGS ? tables->prog[prog] : -1;
}

int attach_begin(struct attach *attach, const char *instance, struct nl *nl)
{
	memset(attach, 0, sizeof(*attach));
	attach->instance = instance;
	attach->nl = nl;
	return pins_read(&attach->pins);
}

int attach_refresh(struct attach *attach)
{
	pins_free(&attach->pins);
	return pins_read(&attach->pins);
}

void attach_end(struct attach *attach)
{
	pins_free(&attach->pins);
}

/* tc */

struct place {
	const struct attach *attach;
	bool accel;			/* natvi's second place at egress */
	bool ours;			/* found at prio and handle */
	uint16_t prio;
	uint32_t handle;
	uint16_t taken[TC_PRIO_TRIES];	/* priorities at or after TC_PRIO that others have */
	size_t n_taken;
	char other[NATVI_NAME_LEN];	/* another instance that has this interface */
	struct tc_filter orphan;	/* natvi's by its name, nobody's by its id */
};

/* A filter's name is that of its program, and then the program's id. */
static bool is_accel(const struct tc_filter *filter)
{
	return !strncmp(filter->prog_name, ACCEL_PROG, sizeof(ACCEL_PROG) - 1);
}

static int look_at_filter(const struct tc_filter *filter, void *arg)
{
	struct place *place = arg;
	const char *owner = pins_owner(&place->attach->pins, filter->prog_id);
	bool own = owner && !strcmp(owner, place->attach->instance);

	if (own && is_accel(filter) == place->accel) {
		place->ours = true;
		place->prio = filter->prio;
		place->handle = filter->handle;
		return 0;
	}
	if (owner && !own)
		snprintf(place->other, sizeof(place->other), "%s", owner);
	else if (!owner && !strncmp(filter->prog_name, "natvi_tc_", 9))
		place->orphan = *filter;
	if (filter->prio >= TC_PRIO && place->n_taken < TC_PRIO_TRIES)
		place->taken[place->n_taken++] = filter->prio;
	return 0;
}

static uint16_t free_prio(const struct place *place)
{
	uint16_t prio = TC_PRIO;
	size_t i;

	for (i = 0; i < place->n_taken; i++)
		if (place->taken[i] == prio) {
			prio++;
			i = (size_t)-1;	/* from the start: the list is not sorted */
		}
	return prio;
}

static int conflict(const struct place *place, const struct link *link, char *err, size_t err_len)
{
	const struct tc_filter *orphan = &place->orphan;

	if (place->other[0]) {
		snprintf(err, err_len, "%s is served by instance \"%s\": take it out of that one's configuration, or "
			 "`natvi down --instance %s`", link->name, place->other, place->other);
		return -EBUSY;
	}
	if (orphan->prog_id) {
		snprintf(err, err_len, "%s has a program of natvi's (id %u) that no instance here knows: if none runs "
			 "in another container, remove it with `tc filter del dev %s %s pref %u`", link->name, orphan->prog_id,
			 link->name, orphan->hook == TC_HOOK_INGRESS ? "ingress" : "egress", orphan->prio);
		return -EBUSY;
	}
	return 0;
}

static int put_filter(struct attach *attach, const struct link *link, enum tc_hook hook, int fd, bool accel, bool *replaced,
		      char *err, size_t err_len)
{
	struct place place = { .attach = attach, .accel = accel };
	int ret = tc_each_filter(attach->nl, link->ifindex, hook, look_at_filter, &place);

	if (!ret)
		ret = conflict(&place, link, err, err_len);
	if (ret)
		return ret;
	*replaced |= place.ours;
	if (!place.ours) {
		place.prio = free_prio(&place);
		place.handle = TC_HANDLE;
	}
	ret = tc_filter_put(link->ifindex, hook, place.prio, place.handle, fd, place.ours);
	if (ret)
		snprintf(err, err_len, "cannot put the program on %s (tc %s): %s", link->name,
			 hook == TC_HOOK_INGRESS ? "ingress" : "egress", strerror(-ret));
	return ret;
}

static int make_clsact(struct attach *attach, const struct link *link, bool *made, char *err, size_t err_len)
{
	char kind[16];
	int ret = tc_ingress_qdisc(attach->nl, link->ifindex, kind);

	*made = false;
	if (!ret && !strcmp(kind, "clsact"))
		return 0;
	if (!ret && kind[0]) {
		snprintf(err, err_len, "%s has a qdisc of kind \"%s\" where natvi needs clsact: "
			 "replace it (`tc qdisc del dev %s ingress`) and put its filters into clsact", link->name, kind, link->name);
		return -EBUSY;
	}
	if (!ret)
		ret = tc_clsact_add(attach->nl, link->ifindex);
	if (ret)
		snprintf(err, err_len, "cannot make the clsact qdisc on %s: %s%s", link->name, strerror(-ret),
			 ret == -ENOENT || ret == -EOPNOTSUPP ? " (the kernel lacks CONFIG_NET_SCH_INGRESS or CONFIG_NET_CLS_ACT)" : "");
	else
		*made = true;
	return ret;
}

/* What an earlier configuration has put there. */
static int drop_egress(struct attach *attach, const struct link *link, bool accel)
{
	struct place place = { .attach = attach, .accel = accel };
	int ret = tc_each_filter(attach->nl, link->ifindex, TC_HOOK_EGRESS, look_at_filter, &place);

	return ret || !place.ours ? ret : tc_filter_delete(link->ifindex, TC_HOOK_EGRESS, place.prio, place.handle);
}

static int attach_tc(struct attach *attach, const struct tables *tables, const struct link *link, enum attach_role role,
		     struct attached *out, char *err, size_t err_len)
{
	int ret = make_clsact(attach, link, &out->made_clsact, err, err_len), egress = program(tables, programs[role].egress);

	if (!ret)
		ret = put_filter(attach, link, TC_HOOK_INGRESS, program(tables, programs[role].ingress), false, &out->replaced, err, err_len);
	if (!ret && egress >= 0)
		ret = put_filter(attach, link, TC_HOOK_EGRESS, egress, false, &out->replaced, err, err_len);
	else if (!ret)
		ret = drop_egress(attach, link, false);
	if (!ret && attach->accel && role == ATTACH_NAT)	/* behind that one: it learns from what is only passing */
		ret = put_filter(attach, link, TC_HOOK_EGRESS, tables->prog[PROG_TC_ACCEL], true, &out->replaced, err, err_len);
	else if (!ret)
		ret = drop_egress(attach, link, true);
	return ret;
}

/* XDP */

bool xdp_suits(const struct link *link, const char **why)
{
	if (link->type != ARPHRD_ETHER)
		*why = "it is no Ethernet interface";
	else if (link->kind[0])
		*why = "it is a virtual interface, which gains nothing from XDP";
	else if (tc_qdisc_shapes(link->qdisc))
		*why = "a qdisc shapes its output, which XDP would pass by";
	else
		return true;
	return false;
}

static uint32_t xdp_program(const struct link *link, uint32_t *flags)
{
	*flags = link->xdp_driver ? XDP_FLAGS_DRV_MODE : link->xdp_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_HW_MODE;
	return link->xdp_driver ? link->xdp_driver : link->xdp_generic ? link->xdp_generic : link->xdp_hardware;
}

static bool is_ours(const struct attach *attach, uint32_t id)
{
	const char *owner = pins_owner(&attach->pins, id);

	return owner && !strcmp(owner, attach->instance);
}

static int detach_xdp(const struct attach *attach, const struct link *link)
{
	uint32_t flags, id = xdp_program(link, &flags);
	int ret;

	if (!is_ours(attach, id))
		return 0;
	ret = bpf_xdp_detach((int)link->ifindex, flags, NULL);
	return ret ? ret : 1;
}

/* In one step, if it still is the program that was seen. */
static int replace_xdp(const struct attach *attach, const struct link *link, int fd, uint32_t mode, uint32_t id)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = pins_open(&attach->pins, id));
	int ret = opts.old_prog_fd;

	if (ret < 0)
		return ret;
	ret = bpf_xdp_attach((int)link->ifindex, fd, mode | XDP_FLAGS_REPLACE, &opts);
	close(opts.old_prog_fd);
	return ret;
}

static int put_xdp(const struct attach *attach, const struct link *link, int fd, uint32_t mode)
{
	uint32_t flags, id = xdp_program(link, &flags);
	int ret;

	if (!id)
		return bpf_xdp_attach((int)link->ifindex, fd, mode | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	if (!is_ours(attach, id))
		return -EBUSY;
	if (flags == mode && !replace_xdp(attach, link, fd, mode, id))
		return 0;
	ret = bpf_xdp_detach((int)link->ifindex, flags, NULL);
	return ret ? ret : bpf_xdp_attach((int)link->ifindex, fd, mode | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
}

static void warn_veth(const struct link *link)
{
	if (!strcmp(link->kind, "veth"))
		log_warn("%s: XDP on a veth: the other end must have tx checksum offload off (`ethtool -K PEER tx off`), or "
			 "receivers see bad checksums, and GRO on or XDP, or it takes no redirected frames", link->name);
}

/* A wire carries VLAN tags, which XDP only sees where the device leaves them in the frame. */
static bool hides_tags(const struct attach *attach, const struct link *link)
{
	struct sysctl_want want = { .value = "0" };
	char is[SYSCTL_VALUE_LEN];

	snprintf(want.key, sizeof(want.key), "link/%s/rxvlan", link->name);
	sysctl_commit(attach->instance, &want, 1);
	return !sysctl_read(want.key, is) && strcmp(is, "0");
}

/* fd: of the program; -1: there is none. */
static int attach_xdp(struct attach *attach, int fd, const struct link *link, enum attach_role role,
		      enum xdp_mode mode, struct attached *out, char *err, size_t err_len)
{
	uint32_t flags, other = xdp_program(link, &flags);
	const char *why = NULL;
	int ret;

	out->xdp = XDP_MODE_OFF;
	if (mode == XDP_MODE_OFF || fd < 0 || (mode == XDP_MODE_AUTO && !xdp_suits(link, &why))) {
		snprintf(out->why_off, sizeof(out->why_off), "%s", why ? why : "");
		ret = detach_xdp(attach, link);
		return ret < 0 ? ret : 0;
	}
	if (other && !is_ours(attach, other)) {
		const char *owner = pins_owner(&attach->pins, other);

		snprintf(out->why_off, sizeof(out->why_off), "%s%s%s", owner ? "instance \"" : "another",
			 owner ? owner : " program", owner ? "\" is there" : " is there");
		if (mode == XDP_MODE_AUTO)
			return 0;
		snprintf(err, err_len, "%s: an XDP program that is not natvi's (id %u) is attached: remove it, or set xdp: off",
			 link->name, other);
		return -EBUSY;
	}
	if (role == ATTACH_WIRE && hides_tags(attach, link)) {
		snprintf(out->why_off, sizeof(out->why_off), "the device takes VLAN tags off (rxvlan), and cannot be told not to");
		ret = detach_xdp(attach, link);
		if (mode == XDP_MODE_AUTO)
			return ret < 0 ? ret : 0;
		snprintf(err, err_len, "%s: XDP: %s; set xdp: auto or off", link->name, out->why_off);
		return -EOPNOTSUPP;
	}
	ret = put_xdp(attach, link, fd, mode == XDP_MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	if (!ret) {
		out->xdp = mode == XDP_MODE_GENERIC ? XDP_MODE_GENERIC : XDP_MODE_NATIVE;
		warn_veth(link);
		return 0;
	}
	snprintf(out->why_off, sizeof(out->why_off), "the driver does not take it (%s)", strerror(-ret));
	if (mode == XDP_MODE_AUTO)
		return 0;
	snprintf(err, err_len, "%s: XDP in %s mode: %s; set xdp: auto or off", link->name,
		 mode == XDP_MODE_GENERIC ? "generic" : "native", strerror(-ret));
	return ret;
}

int attach_port(struct attach *attach, const struct tables *tables, const struct link *link, enum attach_role role, enum xdp_mode mode,
		struct attached *out, char *err, size_t err_len)
{
	int ret;

	memset(out, 0, sizeof(*out));
	ret = attach_tc(attach, tables, link, role, out, err, err_len);
	/* The complete datapath stands before the fast path does. */
	if (!ret)
		ret = attach_xdp(attach, program(tables, programs[role].xdp), link, role, mode, out, err, err_len);
	return ret;
}

/* nvi0 */

static int attach_end_of(struct attach *attach, const char *name, uint32_t ifindex, enum tc_hook hook, int fd, char *err, size_t err_len)
{
	struct link link = { .ifindex = ifindex };
	bool made, replaced = false;
	int ret;

	snprintf(link.name, sizeof(link.name), "%s", name);
	ret = make_clsact(attach, &link, &made, err, err_len);
	return ret ? ret : put_filter(attach, &link, hook, fd, false, &replaced, err, err_len);
}

int attach_nvi(struct attach *attach, const struct tables *tables, const struct nvi *nvi, char *err, size_t err_len)
{
	const struct link far = { .ifindex = nvi->peer };
	int ret;

	if (nvi->wire)
		ret = detach_port(attach, &far);
	else
		ret = attach_end_of(attach, nvi->peer_name, nvi->peer, TC_HOOK_INGRESS, tables->prog[PROG_TC_NVI_IN], err, err_len);
	return ret < 0 ? ret : attach_end_of(attach, nvi->name, nvi->ifindex, TC_HOOK_EGRESS,
					     tables->prog[nvi->wire ? PROG_WIRE_HOST : PROG_TC_NVI_OUT], err, err_len);
}

/* Taking off */

struct own_filters {
	const struct attach *attach;
	struct tc_filter list[16];
	size_t n;
	size_t all;			/* foreign ones too */
};

static int collect_filter(const struct tc_filter *filter, void *arg)
{
	struct own_filters *own = arg;

	own->all++;
	if (own->n < sizeof(own->list) / sizeof(own->list[0]) && is_ours(own->attach, filter->prog_id))
		own->list[own->n++] = *filter;
	return 0;
}

static int list_filters(struct attach *attach, const struct link *link, struct own_filters *own)
{
	int ret;

	memset(own, 0, sizeof(*own));
	own->attach = attach;
	ret = tc_each_filter(attach->nl, link->ifindex, TC_HOOK_INGRESS, collect_filter, own);
	return ret ? ret : tc_each_filter(attach->nl, link->ifindex, TC_HOOK_EGRESS, collect_filter, own);
}

int detach_port(struct attach *attach, const struct link *link)
{
	struct own_filters own;
	int ret = list_filters(attach, link, &own), found;
	size_t i;

	if (ret)
		return ret;
	found = detach_xdp(attach, link);
	if (found < 0)
		return found;
	for (i = 0; i < own.n; i++) {
		ret = tc_filter_delete(link->ifindex, own.list[i].hook, own.list[i].prio, own.list[i].handle);
		if (ret && ret != -ENOENT)
			return ret;
	}
	return found + (int)own.n;
}

bool attach_present(struct attach *attach, const struct link *link)
{
	uint32_t flags;
	struct own_filters own;

	return is_ours(attach, xdp_program(link, &flags)) || (!list_filters(attach, link, &own) && own.n);
}

bool attach_complete(struct attach *attach, const struct tables *tables, const struct link *link, enum attach_role role)
{
	size_t all = 1 + (size_t)(program(tables, programs[role].egress) >= 0) + (role == ATTACH_NAT && attach->accel);
	struct own_filters own;

	return list_filters(attach, link, &own) || own.n >= all;
}

bool attach_nvi_complete(struct attach *attach, const struct nvi *nvi)
{
	const struct link near = { .ifindex = nvi->ifindex }, far = { .ifindex = nvi->peer };
	struct own_filters own;

	return (list_filters(attach, &near, &own) || own.n) && (nvi->wire || list_filters(attach, &far, &own) || own.n);
}

void detach_clsact(struct attach *attach, const struct link *link)
{
	struct own_filters own;

	if (!list_filters(attach, link, &own) && !own.all)
		tc_clsact_delete(attach->nl, link->ifindex);
}
