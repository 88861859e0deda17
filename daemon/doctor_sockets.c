/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_sockets.c - the examination of the box's services: who of them has a port that NAT has given away? See doctor_impl.h.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <stdio.h>

#include "daemon/doctor_impl.h"
#include "daemon/listeners.h"
#include "lib/addr.h"
#include "lib/maps.h"

struct examination {
	struct doctor *doctor;
	const struct maps *maps;
	struct listeners listeners;
};

/* Is the mapping's outside address one of the box's own? */
static bool is_local(const struct maps *maps, const struct map_entry *m)
{
	struct addr_key key = { .addr = m->value.addr, .zone = m->value.zone };
	struct addr_info info;

	return !bpf_map_lookup_elem(maps->fd[MAPS_ADDRS], &key, &info) && (info.flags & ADDR_LOCAL);
}

/* Protocol of a service that waits there; 0: none does. */
static uint8_t service(const struct listeners *l, const struct map_entry *m)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->list[i].port == ntohs(m->value.port) && (!m->key.proto || m->key.proto == l->list[i].proto) &&
		    (!l->list[i].addr || l->list[i].addr == addr_to4(&m->value.addr)))
			return l->list[i].proto;
	return 0;
}

static int one_mapping(const struct map_entry *m, void *arg)
{
	char own[ADDR_TEXT_LEN], inside[ADDR_TEXT_LEN], name[PROTO_TEXT_LEN], subject[128], right[640], filter[128];
	struct examination *e = arg;
	uint8_t proto;

	if (m->value.flags & (MAPPING_STATIC | MAPPING_BOX))
		return 0;
	proto = service(&e->listeners, m);
	if (!proto || !is_local(e->maps, m))
		return 0;
	addr_print_proto(proto, name);
	addr_print(&m->value.addr, own);
	addr_print(&m->key.addr, inside);
	snprintf(subject, sizeof(subject), "%s %s:%u", name, own, ntohs(m->value.port));
	snprintf(filter, sizeof(filter), "proto %s src %s sport %u", name, inside, ntohs(m->key.port));
	snprintf(right, sizeof(right), "natvi flush sessions --instance %s %s; natvi flush mappings --instance %s %s (%s loses what goes over it)",
		 e->maps->instance, filter, e->maps->instance, filter, inside);
	finding_add(e->doctor, DOCTOR_WARN, "listener", subject, right,
		    "a service of the box listens there, and NAT has given the port to %s port %u: nothing reaches the service until "
		    "that mapping ends", inside, ntohs(m->key.port));
	return 0;
}

void doctor_sockets(struct doctor *doctor, const char *instance)
{
	struct examination e = { .doctor = doctor };
	struct maps *maps;
	char err[512];

	if (maps_open(&maps, instance, err, sizeof(err)))
		return;
	e.maps = maps;
	if (!listeners_read(&e.listeners))
		maps_each_mapping(maps, one_mapping, &e);
	listeners_free(&e.listeners);
	maps_close(maps);
}
