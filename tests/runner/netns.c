/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * netns.c - a case's network, made for real: veth pairs with its names and addresses, routes with
 * permanent neighbours, listening sockets; in a network namespace that this process alone is in and
 * that ends with it. Nothing is sent: packets are handed to the programs by test runs.
 *
 * A route's next hop is an address of 169.254.0.0/16 made up for it, so that each can have a
 * neighbour of its own, or none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/addr.h"
#include "tests/runner/runner.h"

#define MAX_SOCKETS	16
#define MAX_TUNS	4

static int sockets[MAX_SOCKETS];
static size_t n_sockets;
static struct { char name[IFNAMSIZ]; int fd; } tuns[MAX_TUNS];
static size_t n_tuns;
static struct native_net made;		/* of the namespace; interfaces and routes only */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -errno : 0;
}

static void put_interface(FILE *ip, const struct native_interface *in)
{
	const uint8_t *m = in->mac;
	char text[ADDR_TEXT_LEN];

	if (in->no_l2)
		fprintf(ip, "link set %s mtu %u\n", in->name, in->mtu);
	else
		fprintf(ip, "link add %s mtu %u address %02x:%02x:%02x:%02x:%02x:%02x type veth peer name far%u mtu %u\n"
			"link set far%u up\n", in->name, in->mtu, m[0], m[1], m[2], m[3], m[4], m[5], in->ifindex, in->mtu, in->ifindex);
	fprintf(ip, "link set %s up\n", in->name);
	if (in->addr)
		fprintf(ip, "address add %s/%u dev %s noprefixroute\n", addr_print4(in->addr, text), in->addr_len, in->name);
}

static const char *name_of(const struct native_net *net, uint32_t ifindex)
{
	for (size_t i = 0; i < net->n_interfaces; i++)
		if (net->interfaces[i].ifindex == ifindex)
			return net->interfaces[i].name;
	return NULL;
}

#define FIRST_TABLE	1000	/* of routes with a selector; its rule has that priority, too */

static void put_rule(FILE *ip, const struct native_net *net, size_t table)
{
	const struct native_selector *s = &net->routes[table].selector;
	char text[ADDR_TEXT_LEN];

	fprintf(ip, "rule add priority %zu table %zu", FIRST_TABLE + table, FIRST_TABLE + table);
	if (s->iif)
		fprintf(ip, " iif %s", name_of(net, s->iif));
	if (s->source_len)
		fprintf(ip, " from %s/%u", addr_print4(s->source & addr_mask4(s->source_len), text), s->source_len);
	if (s->mark)
		fprintf(ip, " fwmark %#x", s->mark);
	if (s->tos)
		fprintf(ip, " tos %#x", s->tos);
	fprintf(ip, "\n");
}

static void put_route(FILE *ip, const struct native_net *net, size_t number)
{
	const struct native_route *route = &net->routes[number];
	const char *name = name_of(net, route->ifindex);
	uint32_t mask = route->len ? ~0u << (32 - route->len) : 0;
	size_t table = native_table(net, route);
	char text[ADDR_TEXT_LEN], in_table[32] = "";
	const uint8_t *m = route->mac;

	if (table == number)
		put_rule(ip, net, table);
	if (table != SIZE_MAX)
		snprintf(in_table, sizeof(in_table), " table %zu", FIRST_TABLE + table);
	addr_print4(route->prefix & mask, text);
	if (!name) {
		fprintf(ip, "route add unreachable %s/%u%s\n", text, route->len, in_table);
		return;
	}
	if (route->has_mac)
		fprintf(ip, "neighbour add 169.254.1.%zu dev %s lladdr %02x:%02x:%02x:%02x:%02x:%02x nud permanent\n", number + 1, name,
			m[0], m[1], m[2], m[3], m[4], m[5]);
	fprintf(ip, "route add %s/%u via 169.254.1.%zu dev %s onlink", text, route->len, number + 1, name);
	if (route->mtu)
		fprintf(ip, " mtu lock %u", route->mtu);
	fprintf(ip, "%s\n", in_table);
}

/* A tun; this process sends what comes out of it. */
static int open_tun(const struct native_interface *in)
{
	struct ifreq ask = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = n_tuns < MAX_TUNS ? open("/dev/net/tun", O_RDWR | O_CLOEXEC) : -1, ret;

	if (fd < 0)
		return n_tuns < MAX_TUNS ? -errno : -EMFILE;
	snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", in->name);
	if (ioctl(fd, TUNSETIFF, &ask)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	snprintf(tuns[n_tuns].name, sizeof(tuns[n_tuns].name), "%s", in->name);
	tuns[n_tuns++].fd = fd;
	return 0;
}

int netns_write(const struct native_interface *tun, const uint8_t *packet, size_t len)
{
	for (size_t i = 0; i < n_tuns; i++)
		if (!strcmp(tuns[i].name, tun->name))
			return write(tuns[i].fd, packet, len) < 0 ? -errno : 0;
	return -ENODEV;
}

static int open_tuns(const struct native_net *net)
{
	int ret = 0;

	while (n_tuns)
		close(tuns[--n_tuns].fd);
	for (size_t i = 0; i < net->n_interfaces && !ret; i++)
		if (net->interfaces[i].no_l2)
			ret = open_tun(&net->interfaces[i]);
	return ret;
}

static int run_ip(const struct native_net *net, char *err)
{
	FILE *ip = popen("ip -batch - >/dev/null", "w");

	if (!ip)
		return -errno;
	for (size_t i = 0; i < net->n_interfaces; i++)
		put_interface(ip, &net->interfaces[i]);
	for (size_t i = 0; i < net->n_routes; i++)
		put_route(ip, net, i);
	if (pclose(ip)) {
		snprintf(err, RUNNER_ERR_LEN, "ip -batch failed (is iproute2 installed?)");
		return -EIO;
	}
	return 0;
}

/* The kernel's numbers take the place of the case's. */
static int number(struct native_net *net, char *err)
{
	for (size_t i = 0; i < net->n_interfaces; i++) {
		struct native_interface *in = &net->interfaces[i];

		in->ifindex = if_nametoindex(in->name);
		if (!in->ifindex) {
			snprintf(err, RUNNER_ERR_LEN, "%s was not made", in->name);
			return -ENODEV;
		}
	}
	return 0;
}

static int make(struct scene *scene, char *err)
{
	struct native_net *net = &scene->net;
	char range[32];
	int ret;

	if (unshare(CLONE_NEWNET)) {
		ret = -errno;
		snprintf(err, RUNNER_ERR_LEN, "cannot make a network namespace: %s", strerror(errno));
		return ret;
	}
	snprintf(range, sizeof(range), "%u %u", net->local_lo, net->local_hi);
	ret = write_file("/proc/sys/net/ipv4/ip_forward", "1");
	if (!ret)
		ret = write_file("/proc/sys/net/ipv4/ip_local_port_range", range);
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	if (ret)
		snprintf(err, RUNNER_ERR_LEN, "cannot set sysctls of the namespace: %s", strerror(-ret));
	if (!ret && (ret = open_tuns(net)))
		snprintf(err, RUNNER_ERR_LEN, "cannot make a tun: %s", strerror(-ret));
	if (!ret)
		ret = run_ip(net, err);
	return ret ? ret : number(net, err);
}

static bool same_network(const struct native_net *a, const struct native_net *b)
{
	if (a->n_interfaces != b->n_interfaces || a->n_routes != b->n_routes || a->local_lo != b->local_lo || a->local_hi != b->local_hi)
		return false;
	return !memcmp(a->interfaces, b->interfaces, a->n_interfaces * sizeof(*a->interfaces)) &&
	       !memcmp(a->routes, b->routes, a->n_routes * sizeof(*a->routes));
}

static int remember(const struct native_net *net)
{
	free(made.interfaces);
	free(made.routes);
	made = *net;
	made.interfaces = calloc(net->n_interfaces + 1, sizeof(*made.interfaces));
	made.routes = calloc(net->n_routes + 1, sizeof(*made.routes));
	if (!made.interfaces || !made.routes)
		return -ENOMEM;
	memcpy(made.interfaces, net->interfaces, net->n_interfaces * sizeof(*made.interfaces));
	memcpy(made.routes, net->routes, net->n_routes * sizeof(*made.routes));
	return 0;
}

static int open_socket(const struct native_socket *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr.s_addr = htonl(s->addr) };
	int fd = socket(AF_INET, (s->proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || (s->proto == IPPROTO_TCP && listen(fd, 8))) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

static int open_sockets(const struct native_net *net, char *err)
{
	for (size_t i = 0; i < net->n_sockets; i++) {
		int fd = n_sockets < MAX_SOCKETS ? open_socket(&net->sockets[i]) : -EMFILE;

		if (fd < 0) {
			snprintf(err, RUNNER_ERR_LEN, "cannot listen on port %u: %s", net->sockets[i].port, strerror(-fd));
			return fd;
		}
		sockets[n_sockets++] = fd;
	}
	return 0;
}

void netns_close_sockets(void)
{
	while (n_sockets)
		close(sockets[--n_sockets]);
}

int netns_make(struct scene *scene, int (*attach)(const struct scene *scene, char *err), char *err)
{
	struct native_net asked = scene->net;
	int ret;

	asked.interfaces = calloc(asked.n_interfaces + 1, sizeof(*asked.interfaces));
	if (!asked.interfaces)
		return -ENOMEM;
	memcpy(asked.interfaces, scene->net.interfaces, asked.n_interfaces * sizeof(*asked.interfaces));
	ret = 0;
	if (!same_network(&asked, &made)) {
		made.n_interfaces = SIZE_MAX;
		ret = make(scene, err);
		if (!ret)
			ret = attach(scene, err);
		if (!ret)
			ret = remember(&asked);
	}
	free(asked.interfaces);
	for (size_t i = 0; !ret && i < scene->net.n_interfaces; i++)
		scene->net.interfaces[i].ifindex = if_nametoindex(scene->net.interfaces[i].name);
	if (*scene->nvi)
		scene->net.nvi = if_nametoindex(scene->nvi);
	return ret ? ret : open_sockets(&scene->net, err);
}

void netns_close(void)
{
	free(made.interfaces);
	free(made.routes);
}
