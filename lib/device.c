/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * device.c - see device.h.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/device.h"

#define PREFIX	"link/"

static const struct {
	const char *name;
	uint32_t ethtool;	/* ETH_FLAG_*; 0: promiscuous mode */
} switches[] = {
	{ "promisc", 0 }, { "lro", ETH_FLAG_LRO }, { "rxvlan", ETH_FLAG_RXVLAN },
};

#define COUNT	(sizeof(switches) / sizeof(switches[0]))

bool device_owns(const char *key)
{
	return !strncmp(key, PREFIX, sizeof(PREFIX) - 1);
}

/* Index of the switch, or a negative errno. */
static int parse(const char *key, struct ifreq *request)
{
	const char *name = key + sizeof(PREFIX) - 1, *slash = strchr(name, '/');
	size_t i;

	memset(request, 0, sizeof(*request));
	if (!slash || (size_t)(slash - name) >= sizeof(request->ifr_name))
		return -EINVAL;
	memcpy(request->ifr_name, name, (size_t)(slash - name));
	for (i = 0; i < COUNT; i++)
		if (!strcmp(slash + 1, switches[i].name))
			return (int)i;
	return -ENOENT;
}

static int call(struct ifreq *request, unsigned long command)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = ioctl(fd, command, request) ? -errno : 0;
	close(fd);
	return err == -ENODEV || err == -EOPNOTSUPP ? -ENOENT : err;
}

static int ethtool_flags(struct ifreq *request, uint32_t command, uint32_t *flags)
{
	struct ethtool_value value = { .cmd = command, .data = *flags };
	int err;

	request->ifr_data = (char *)&value;
	err = call(request, SIOCETHTOOL);
	*flags = value.data;
	return err;
}

static int get(int which, struct ifreq *request, uint32_t *flags)
{
	int err;

	if (switches[which].ethtool)
		return ethtool_flags(request, ETHTOOL_GFLAGS, flags);
	err = call(request, SIOCGIFFLAGS);
	*flags = (uint16_t)request->ifr_flags;
	return err;
}

static uint32_t mask(int which)
{
	return switches[which].ethtool ? switches[which].ethtool : IFF_PROMISC;
}

int device_read(const char *key, char *value, size_t size)
{
	struct ifreq request;
	uint32_t flags = 0;
	int which = parse(key, &request), err = which < 0 ? which : get(which, &request, &flags);

	if (!err)
		snprintf(value, size, "%d", !!(flags & mask(which)));
	return err;
}

int device_write(const char *key, const char *value)
{
	struct ifreq request;
	uint32_t flags = 0;
	int which = parse(key, &request), err = which < 0 ? which : get(which, &request, &flags);

	if (err)
		return err;
	flags = strcmp(value, "0") ? flags | mask(which) : flags & ~mask(which);
	if (switches[which].ethtool)
		return ethtool_flags(&request, ETHTOOL_SFLAGS, &flags);
	request.ifr_flags = (short)flags;
	return call(&request, SIOCSIFFLAGS);
}
