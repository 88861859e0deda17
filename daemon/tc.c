/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tc.c - see tc.h.
 */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "daemon/tc.h"

static uint32_t hook_parent(enum tc_hook hook)
{
	return TC_H_MAKE(TC_H_CLSACT, hook == TC_HOOK_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

struct filters {
	enum tc_hook hook;
	tc_filter_fn fn;
	void *arg;
	int ended;		/* what the callback ended the walk with */
};

static int filter_option(const struct nlattr *attr, void *arg)
{
	struct tc_filter *filter = arg;

	if (mnl_attr_get_type(attr) == TCA_BPF_ID)
		filter->prog_id = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) == TCA_BPF_NAME)
		snprintf(filter->prog_name, sizeof(filter->prog_name), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int filter_attr(const struct nlattr *attr, void *arg)
{
	struct tc_filter *filter = arg;

	if (mnl_attr_get_type(attr) == TCA_KIND)
		snprintf(filter->kind, sizeof(filter->kind), "%s", mnl_attr_get_str(attr));
	if (mnl_attr_get_type(attr) == TCA_OPTIONS && !strcmp(filter->kind, "bpf"))
		mnl_attr_parse_nested(attr, filter_option, filter);
	return MNL_CB_OK;
}

static int take_filter(const struct nlmsghdr *msg, void *arg)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(msg);
	struct filters *filters = arg;
	struct tc_filter filter = { .hook = filters->hook, .prio = (uint16_t)(tc->tcm_info >> 16), .handle = tc->tcm_handle };

	/* An entry without a handle is the head of a priority, not a filter. */
	if (msg->nlmsg_type != RTM_NEWTFILTER || !tc->tcm_handle || filters->ended)
		return 0;
	mnl_attr_parse(msg, sizeof(*tc), filter_attr, &filter);
	filters->ended = filters->fn(&filter, filters->arg);
	return 0;
}

static struct tcmsg *put_tcmsg(struct nlmsghdr *msg, uint32_t ifindex, uint32_t parent)
{
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(msg, sizeof(*tc));

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = parent;
	return tc;
}

int tc_each_filter(struct nl *nl, uint32_t ifindex, enum tc_hook hook, tc_filter_fn fn, void *arg)
{
	struct filters filters = { .hook = hook, .fn = fn, .arg = arg };
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETTFILTER, NLM_F_DUMP);
	int err;

	put_tcmsg(msg, ifindex, hook_parent(hook));
	err = nl_talk(nl, msg, take_filter, NULL, &filters);
	if (err == -EINVAL || err == -ENODEV || err == -ENOENT)	/* no clsact there */
		return 0;
	return err ? err : filters.ended;
}

struct ingress {
	uint32_t ifindex;
	char *kind;
};

static int kind_attr(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == TCA_KIND)
		snprintf(arg, 16, "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int take_qdisc(const struct nlmsghdr *msg, void *arg)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(msg);
	struct ingress *ingress = arg;

	if (msg->nlmsg_type == RTM_NEWQDISC && (uint32_t)tc->tcm_ifindex == ingress->ifindex &&
	    tc->tcm_parent == TC_H_INGRESS)
		mnl_attr_parse(msg, sizeof(*tc), kind_attr, ingress->kind);
	return 0;
}

int tc_ingress_qdisc(struct nl *nl, uint32_t ifindex, char kind[16])
{
	struct ingress ingress = { .ifindex = ifindex, .kind = kind };
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETQDISC, NLM_F_DUMP);

	kind[0] = '\0';
	put_tcmsg(msg, ifindex, 0);
	return nl_talk(nl, msg, take_qdisc, NULL, &ingress);
}

static int clsact(struct nl *nl, uint32_t ifindex, uint16_t type, uint16_t flags)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, type, flags);

	put_tcmsg(msg, ifindex, TC_H_CLSACT)->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(msg, TCA_KIND, "clsact");
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

int tc_clsact_add(struct nl *nl, uint32_t ifindex)
{
	return clsact(nl, ifindex, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
}

int tc_clsact_delete(struct nl *nl, uint32_t ifindex)
{
	return clsact(nl, ifindex, RTM_DELQDISC, 0);
}

static void make_hook(struct bpf_tc_hook *out, uint32_t ifindex, enum tc_hook hook)
{
	memset(out, 0, sizeof(*out));
	out->sz = sizeof(*out);
	out->ifindex = (int)ifindex;
	out->attach_point = hook == TC_HOOK_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

int tc_filter_put(uint32_t ifindex, enum tc_hook hook, uint16_t prio, uint32_t handle, int prog_fd, bool replace)
{
	struct bpf_tc_hook at;
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = handle, .priority = prio,
		    .flags = replace ? BPF_TC_F_REPLACE : 0);

	make_hook(&at, ifindex, hook);
	return bpf_tc_attach(&at, &opts);
}

int tc_filter_delete(uint32_t ifindex, enum tc_hook hook, uint16_t prio, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = prio);
	struct bpf_tc_hook at;

	make_hook(&at, ifindex, hook);
	return bpf_tc_detach(&at, &opts);
}

bool tc_qdisc_shapes(const char *kind)
{
	static const char *const plain[] = { "", "noqueue", "noop", "pfifo_fast", "pfifo", "bfifo", "mq", "fq", "fq_codel", "codel" };
	size_t i;

	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (!strcmp(kind, plain[i]))
			return false;
	return true;
}
