// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Parsing, namespaces, time and signals for the verbs. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "natbench.h"

static volatile sig_atomic_t stop_flag;

static void on_signal(int sig)
{
	(void)sig;
	stop_flag = 1;
}

/* Without SA_RESTART, so that a test run in the kernel ends as well. */
void stop_on_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool stop_asked(void)
{
	return stop_flag;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int place_parse(struct place *p, const char *text)
{
	if (sscanf(text, "%63[^:]:%15s", p->ns, p->dev) != 2 ||
	    strchr(p->ns, '/')) {
		fprintf(stderr, "%s: not NAMESPACE:DEVICE\n", text);
		return -EINVAL;
	}
	return 0;
}

/* Moves the calling thread, and threads that it starts later. */
int place_enter(struct place *p)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/run/netns/%s", p->ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (!err) {
		p->ifindex = if_nametoindex(p->dev);
		if (!p->ifindex)
			err = -errno;
	}
	if (err)
		fprintf(stderr, "%s:%s: %s\n", p->ns, p->dev, strerror(-err));
	return err;
}

int mac_parse(uint8_t mac[6], const char *text)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		   &mac[2], &mac[3], &mac[4], &mac[5]) == 6)
		return 0;
	fprintf(stderr, "%s: not a MAC address\n", text);
	return -EINVAL;
}

int number_parse(uint32_t *n, const char *text)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *end || v > UINT32_MAX) {
		fprintf(stderr, "%s: not a number\n", text);
		return -EINVAL;
	}
	*n = v;
	return 0;
}

int addr_parse(uint32_t *host_order, const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1) {
		fprintf(stderr, "%s: not an IPv4 address\n", text);
		return -EINVAL;
	}
	*host_order = ntohl(a.s_addr);
	return 0;
}
