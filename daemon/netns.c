/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * netns.c - see netns.h.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/netns.h"
#include "lib/instance.h"

struct search {
	unsigned long inode;
	const char *format;
	int fd;
};

static int look(const char *name, void *arg)
{
	struct search *search = arg;
	char path[320];
	struct stat st;

	if (!strncmp(search->format, "/proc", 5) && !isdigit((unsigned char)name[0]))
		return 0;
	snprintf(path, sizeof(path), search->format, name);
	if (stat(path, &st) || st.st_ino != search->inode)
		return 0;
	search->fd = open(path, O_RDONLY | O_CLOEXEC);
	return search->fd >= 0;
}

int netns_find(const char *name)
{
	struct search search = { .fd = -ENOENT };

	if (sscanf(name, "net:[%lu]", &search.inode) != 1)
		return -ENOENT;
	search.format = "/run/netns/%s";
	dir_each("/run/netns", look, &search);
	if (search.fd >= 0)
		return search.fd;
	search.format = "/proc/%s/ns/net";
	dir_each("/proc", look, &search);
	return search.fd >= 0 ? search.fd : -ENOENT;
}
