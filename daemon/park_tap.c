/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park_tap.c - see park_tap.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/park_tap.h"
#include "daemon/tc.h"

#define TAP_DEVICE	"/dev/net/tun"
#define TAP_NAME	"nvtap%d"	/* the kernel takes the first number that is free in the namespace */
#define TAP_MTU		65521		/* the most that a tap takes */
#define TAP_QUEUE	1000		/* frames that wait for the daemon */
#define TAP_PRIO	1000
#define TAP_HANDLE	0x4e56

static int make_device(struct park_tap *tap, const char **step)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	*step = "open " TAP_DEVICE;
	tap->fd = open(TAP_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd < 0)
		return -errno;
	*step = "make a tap device";
	memcpy(request.ifr_name, TAP_NAME, sizeof(TAP_NAME));
	if (ioctl(tap->fd, TUNSETIFF, &request))
		return -errno;
	memcpy(tap->name, request.ifr_name, sizeof(tap->name));
	tap->ifindex = if_nametoindex(tap->name);
	return tap->ifindex ? 0 : -errno;
}

/* Before it is up: no neighbour discovery leaves, no address comes of itself. A kernel without IPv6 has no such file. */
static void no_ipv6(const struct park_tap *tap)
{
	char path[sizeof("/proc/sys/net/ipv6/conf//disable_ipv6") + IFNAMSIZ];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", tap->name);
	file = fopen(path, "we");
	if (!file)
		return;
	fputs("1", file);
	fclose(file);
}

/* `ip link` shows the alias: what the device is, to whom it is new. */
static int set_up(const struct park_tap *tap, struct nl *nl, const char *instance)
{
	char buf[NL_BUF_BYTES], alias[128];
	struct nlmsghdr *msg = nl_put(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)tap->ifindex;
	info->ifi_flags = IFF_UP | IFF_NOARP;
	info->ifi_change = IFF_UP | IFF_NOARP;
	snprintf(alias, sizeof(alias), "natvi %s: early fragments and held SYNs", instance);
	mnl_attr_put_u32(msg, IFLA_MTU, TAP_MTU);
	mnl_attr_put_u32(msg, IFLA_TXQLEN, TAP_QUEUE);
	mnl_attr_put_str(msg, IFLA_IFALIAS, alias);
	return nl_talk(nl, msg, NULL, NULL, NULL);
}

static int configure(const struct park_tap *tap, struct nl *nl, const char *instance, int prog_fd, const char **step)
{
	int err;

	no_ipv6(tap);
	*step = "make its clsact qdisc";
	err = tc_clsact_add(nl, tap->ifindex);
	if (err)
		return err;
	*step = "put the program on it";
	err = tc_filter_put(tap->ifindex, TC_HOOK_INGRESS, TAP_PRIO, TAP_HANDLE, prog_fd, false);
	if (err)
		return err;
	*step = "bring it up";
	return set_up(tap, nl, instance);
}

int park_tap_open(struct park_tap *tap, struct nl *nl, const char *instance, int prog_fd, const char **step)
{
	int err;

	memset(tap, 0, sizeof(*tap));
	err = make_device(tap, step);
	if (!err)
		err = configure(tap, nl, instance, prog_fd, step);
	if (err)
		park_tap_close(tap);
	return err;
}

static int is_there(const struct tc_filter *filter, void *arg)
{
	if (filter->prio == TAP_PRIO && filter->handle == TAP_HANDLE)
		*(bool *)arg = true;
	return 0;
}

bool park_tap_sound(const struct park_tap *tap, struct nl *nl)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up, program = false;

	if (fd < 0)
		return true;	/* nobody knows */
	up = if_indextoname(tap->ifindex, request.ifr_name) && !ioctl(fd, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_UP;
	close(fd);
	return up && (tc_each_filter(nl, tap->ifindex, TC_HOOK_INGRESS, is_there, &program) || program);
}

void park_tap_close(struct park_tap *tap)
{
	if (tap->fd >= 0)
		close(tap->fd);
	memset(tap, 0, sizeof(*tap));
	tap->fd = -1;
}
