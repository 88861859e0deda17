/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * links.c - see links.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/links.h"

static void copy_text(char *to, size_t size, const struct nlattr *attr)
{
	strncpy(to, mnl_attr_get_str(attr), size - 1);
	to[size - 1] = '\0';
}

static int link_vrf(const struct nlattr *attr, void *arg)
{
	struct link *link = arg;

	if (mnl_attr_get_type(attr) == IFLA_VRF_TABLE)
		link->vrf_table = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int link_info(const struct nlattr *attr, void *arg)
{
	struct link *link = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		copy_text(link->kind, sizeof(link->kind), attr);
	if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && !strcmp(link->kind, "vrf"))	/* the kind comes first */
		mnl_attr_parse_nested(attr, link_vrf, link);
	return MNL_CB_OK;
}

static int link_xdp(const struct nlattr *attr, void *arg)
{
	struct link *link = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_XDP_DRV_PROG_ID:
		link->xdp_driver = mnl_attr_get_u32(attr);
		break;
	case IFLA_XDP_SKB_PROG_ID:
		link->xdp_generic = mnl_attr_get_u32(attr);
		break;
	case IFLA_XDP_HW_PROG_ID:
		link->xdp_hardware = mnl_attr_get_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

static int link_attr(const struct nlattr *attr, void *arg)
{
	struct link *link = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		copy_text(link->name, sizeof(link->name), attr);
		break;
	case IFLA_MTU:
		link->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_CARRIER:
		link->carrier = mnl_attr_get_u8(attr);
		break;
	case IFLA_CARRIER_UP_COUNT:
		link->carrier_ups = mnl_attr_get_u32(attr);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(link->mac))
			memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
		break;
	case IFLA_QDISC:
		copy_text(link->qdisc, sizeof(link->qdisc), attr);
		break;
	case IFLA_MASTER:
		link->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_IFALIAS:
		copy_text(link->alias, sizeof(link->alias), attr);
		break;
	case IFLA_LINK:
		link->peer = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		link->peer_elsewhere = true;
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, link_info, link);
		break;
	case IFLA_XDP:
		mnl_attr_parse_nested(attr, link_xdp, link);
		break;
	}
	return MNL_CB_OK;
}

/* Room for one more of size bytes; grows by doubling. */
static int grow(void **list, size_t n, size_t size)
{
	void *more;

	if (n & (n - 1))
		return 0;
	more = realloc(*list, (n ? 2 * n : 1) * size);
	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

static int take_link(const struct nlmsghdr *msg, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	struct links *links = arg;
	struct link *link;
	int err;

	if (msg->nlmsg_type != RTM_NEWLINK)
		return 0;
	err = grow((void **)&links->list, links->n, sizeof(*links->list));
	if (err)
		return err;
	link = &links->list[links->n];
	memset(link, 0, sizeof(*link));
	link->ifindex = (uint32_t)info->ifi_index;
	link->flags = info->ifi_flags;
	link->type = info->ifi_type;
	mnl_attr_parse(msg, sizeof(*info), link_attr, link);
	links->n++;
	return 0;
}

static int addr_attr(const struct nlattr *attr, void *arg)
{
	struct ifaddr4 *addr = arg;

	/* IFA_LOCAL is the box's own address; IFA_ADDRESS is the far end on point-to-point links. */
	if (mnl_attr_get_type(attr) == IFA_LOCAL)
		addr->addr = ntohl(mnl_attr_get_u32(attr));
	if (mnl_attr_get_type(attr) == IFA_FLAGS)
		addr->secondary = mnl_attr_get_u32(attr) & IFA_F_SECONDARY;
	return MNL_CB_OK;
}

static int take_addr(const struct nlmsghdr *msg, void *arg)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(msg);
	struct links *links = arg;
	struct ifaddr4 *addr;
	int err;

	if (msg->nlmsg_type != RTM_NEWADDR || info->ifa_family != AF_INET)
		return 0;
	err = grow((void **)&links->addrs, links->n_addrs, sizeof(*links->addrs));
	if (err)
		return err;
	addr = &links->addrs[links->n_addrs];
	memset(addr, 0, sizeof(*addr));
	addr->ifindex = info->ifa_index;
	addr->len = info->ifa_prefixlen;
	addr->scope = info->ifa_scope;
	addr->secondary = info->ifa_flags & IFA_F_SECONDARY;
	mnl_attr_parse(msg, sizeof(*info), addr_attr, addr);
	if (addr->addr)
		links->n_addrs++;
	return 0;
}

static void forget_links(void *arg)
{
	((struct links *)arg)->n = 0;
}

static void forget_addrs(void *arg)
{
	((struct links *)arg)->n_addrs = 0;
}

int links_read(struct nl *nl, struct links *out)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg;
	struct ifaddrmsg *addr;
	struct ifinfomsg *link;
	int err;

	memset(out, 0, sizeof(*out));
	msg = nl_put(buf, RTM_GETLINK, NLM_F_DUMP);
	link = mnl_nlmsg_put_extra_header(msg, sizeof(*link));
	link->ifi_family = AF_UNSPEC;
	err = nl_talk(nl, msg, take_link, forget_links, out);
	if (err)
		goto fail;
	msg = nl_put(buf, RTM_GETADDR, NLM_F_DUMP);
	addr = mnl_nlmsg_put_extra_header(msg, sizeof(*addr));
	addr->ifa_family = AF_INET;
	err = nl_talk(nl, msg, take_addr, forget_addrs, out);
	if (err)
		goto fail;
	return 0;
fail:
	links_free(out);
	return err;
}

void links_free(struct links *links)
{
	free(links->list);
	free(links->addrs);
	memset(links, 0, sizeof(*links));
}

const struct link *links_by_name(const struct links *links, const char *name)
{
	size_t i;

	for (i = 0; i < links->n; i++)
		if (!strcmp(links->list[i].name, name))
			return &links->list[i];
	return NULL;
}

const struct link *links_by_index(const struct links *links, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < links->n; i++)
		if (links->list[i].ifindex == ifindex)
			return &links->list[i];
	return NULL;
}

uint32_t links_primary4(const struct links *links, uint32_t ifindex)
{
	const struct ifaddr4 *best = NULL, *addr;
	size_t i;

	for (i = 0; i < links->n_addrs; i++) {
		addr = &links->addrs[i];
		if (addr->ifindex != ifindex || addr->secondary || addr->scope >= RT_SCOPE_HOST)
			continue;
		if (!best || addr->scope < best->scope)
			best = addr;
	}
	return best ? best->addr : 0;
}

bool links_owns4(const struct links *links, uint32_t addr)
{
	size_t i;

	for (i = 0; i < links->n_addrs; i++)
		if (links->addrs[i].addr == addr)
			return true;
	return false;
}

int links_delete(struct nl *nl, uint32_t ifindex)
{
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_DELLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifi_index = (int)ifindex;
	return nl_talk(nl, msg, NULL, NULL, NULL);
}
