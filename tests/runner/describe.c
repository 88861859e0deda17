/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * describe.c - a case's configuration and network, from JSON. run.py writes it, so errors are few words.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "tests/runner/runner.h"

static const char *text_of(const json_t *from, const char *key)
{
	const char *text = json_string_value(json_object_get(from, key));

	return text ? text : "";
}

static uint32_t number_of(const json_t *from, const char *key, uint32_t otherwise)
{
	const json_t *n = json_object_get(from, key);

	return json_is_integer(n) ? (uint32_t)json_integer_value(n) : otherwise;
}

static bool mac_parse(const char *text, uint8_t mac[6])
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
}

const struct native_interface *scene_interface(const struct scene *scene, const char *name)
{
	for (size_t i = 0; i < scene->net.n_interfaces; i++)
		if (!strcmp(scene->net.interfaces[i].name, name))
			return &scene->net.interfaces[i];
	return NULL;
}

/* "198.18.0.1/16", host bits and all. */
static int address_parse(const char *text, uint32_t *addr, uint8_t *len)
{
	char copy[64];
	char *slash;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (!slash)
		return -EINVAL;
	*slash = 0;
	*len = (uint8_t)strtoul(slash + 1, NULL, 10);
	return addr_parse4(copy, addr);
}

static int read_interface(const json_t *from, struct native_interface *in, uint32_t index)
{
	const char *address = text_of(from, "address");

	snprintf(in->name, sizeof(in->name), "%s", text_of(from, "name"));
	in->ifindex = index;
	in->mtu = number_of(from, "mtu", 1500);
	in->no_l2 = json_is_true(json_object_get(from, "no_l2"));
	if (!in->no_l2 && !mac_parse(text_of(from, "mac"), in->mac))
		return -EINVAL;
	return *address ? address_parse(address, &in->addr, &in->addr_len) : 0;
}

static int read_route(const json_t *from, const struct scene *scene, struct native_route *route)
{
	const struct native_interface *out = scene_interface(scene, text_of(from, "interface"));

	route->ifindex = out ? out->ifindex : 0;
	const struct native_interface *iif = scene_interface(scene, text_of(from, "iif"));
	const char *source = text_of(from, "source");
	int ret = *source ? address_parse(source, &route->selector.source, &route->selector.source_len) : 0;

	if (ret || (*text_of(from, "iif") && !iif))
		return -EINVAL;
	route->selector.iif = iif ? iif->ifindex : 0;
	route->selector.mark = number_of(from, "mark", 0);
	route->selector.tos = (uint8_t)number_of(from, "tos", 0);
	route->mtu = number_of(from, "mtu", 0);
	route->has_mac = mac_parse(text_of(from, "mac"), route->mac);
	return address_parse(text_of(from, "prefix"), &route->prefix, &route->len);
}

static int read_socket(const json_t *from, struct native_socket *socket)
{
	const char *address = text_of(from, "address");

	socket->port = (uint16_t)number_of(from, "port", 0);
	if (addr_parse_proto(text_of(from, "proto"), &socket->proto))
		return -EINVAL;
	return *address ? addr_parse4(address, &socket->addr) : 0;
}

static int read_net(const json_t *from, struct scene *scene, char *err)
{
	const json_t *interfaces = json_object_get(from, "interfaces"), *routes = json_object_get(from, "routes");
	const json_t *sockets = json_object_get(from, "sockets"), *ports = json_object_get(from, "local_ports"), *one;
	struct native_net *net = &scene->net;
	size_t i;

	net->interfaces = calloc(json_array_size(interfaces) + 1, sizeof(*net->interfaces));
	net->routes = calloc(json_array_size(routes) + 1, sizeof(*net->routes));
	net->sockets = calloc(json_array_size(sockets) + 1, sizeof(*net->sockets));
	if (!net->interfaces || !net->routes || !net->sockets)
		return -ENOMEM;
	snprintf(err, RUNNER_ERR_LEN, "net: not understood");
	json_array_foreach(interfaces, i, one)
		if (read_interface(one, &net->interfaces[net->n_interfaces++], (uint32_t)i + 1))
			return -EINVAL;
	json_array_foreach(routes, i, one)
		if (read_route(one, scene, &net->routes[net->n_routes++]))
			return -EINVAL;
	for (i = 0; i < net->n_routes; i++) {
		net->mark_routes |= net->routes[i].selector.mark;
		net->tos_routes |= net->routes[i].selector.tos;
	}
	json_array_foreach(sockets, i, one)
		if (read_socket(one, &net->sockets[net->n_sockets++]))
			return -EINVAL;
	net->local_lo = json_is_array(ports) ? (uint16_t)json_integer_value(json_array_get(ports, 0)) : 32768;
	net->local_hi = json_is_array(ports) ? (uint16_t)json_integer_value(json_array_get(ports, 1)) : 60999;
	net->nvi = scene_interface(scene, scene->nvi) ? scene_interface(scene, scene->nvi)->ifindex : 0;
	net->mark_slow = json_is_true(json_object_get(from, "mark_slow"));
	net->one_route = json_is_true(json_object_get(from, "one_route"));
	net->policy = json_is_true(json_object_get(from, "policy"));
	return 0;
}

enum wire_hook wire_hook(uint32_t port_flags)
{
	return port_flags & PORT_WIRE ? HOOK_PORT : port_flags & PORT_TARGET ? HOOK_TARGET : port_flags & PORT_NVI ? HOOK_HOST : HOOK_NONE;
}

int scene_read_config(const json_t *from, struct config **config, char *err)
{
	const char *text = text_of(from, "config");
	struct cfg_errors errors;
	int ret = config_read_text(text, strlen(text), "config", config, &errors);

	if (ret)
		snprintf(err, RUNNER_ERR_LEN, "config:%d: %s", errors.n ? errors.list[0].line : 0,
			 errors.n ? errors.list[0].text : strerror(-ret));
	cfg_errors_free(&errors);
	return ret;
}

int scene_read(const json_t *from, struct scene *scene, char *err)
{
	int ret;

	memset(scene, 0, sizeof(*scene));
	snprintf(scene->nvi, sizeof(scene->nvi), "%s", text_of(json_object_get(from, "net"), "nvi"));
	snprintf(scene->park, sizeof(scene->park), "%s", text_of(json_object_get(from, "net"), "park"));
	ret = scene_read_config(from, &scene->config, err);
	return ret ? ret : read_net(json_object_get(from, "net"), scene, err);
}

void scene_free(struct scene *scene)
{
	config_free(scene->config);
	free(scene->net.interfaces);
	free(scene->net.routes);
	free(scene->net.sockets);
	memset(scene, 0, sizeof(*scene));
}
