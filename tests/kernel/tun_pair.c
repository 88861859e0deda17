/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tun_pair.c - a VPN whose two ends are one process: tun-pair NAMESPACE NAMESPACE.
 *
 * Makes tun0 in both namespaces (those of `ip netns`), says "ready", and hands each packet that goes into one out of the other
 * until it is killed. What cannot be written, because a device is down or its queue is full, is lost, as on any way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PACKET_LEN	65535

static int fail(const char *what)
{
	fprintf(stderr, "tun-pair: %s: %s\n", what, strerror(errno));
	return -1;
}

static int enter(const char *namespace)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(path);
	ret = setns(fd, CLONE_NEWNET);
	close(fd);
	return ret ? fail(path) : 0;
}

/* The device belongs to the namespace that the process is in. */
static int open_tun(const char *namespace)
{
	struct ifreq request = { .ifr_name = "tun0", .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd;

	if (enter(namespace))
		return -1;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		return fail("/dev/net/tun");
	return fd;
}

static void carry(int from, int to)
{
	static char packet[PACKET_LEN];
	ssize_t len = read(from, packet, sizeof(packet));

	if (len > 0 && write(to, packet, len) < 0 && errno != EAGAIN && errno != EIO)
		fail("a packet");
}

int main(int argc, char **argv)
{
	struct pollfd ends[2];

	if (argc != 3) {
		fprintf(stderr, "usage: tun-pair NAMESPACE NAMESPACE\n");
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		ends[i].fd = open_tun(argv[i + 1]);
		ends[i].events = POLLIN;
		if (ends[i].fd < 0)
			return 1;
	}
	puts("ready");
	fflush(stdout);
	while (poll(ends, 2, -1) > 0)
		for (int i = 0; i < 2; i++)
			if (ends[i].revents)
				carry(ends[i].fd, ends[!i].fd);
	return 1;
}
