/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace_box.c - a packet that the box itself sends, until natvi sees it: which way the kernel routes it, and the frame
 * that leaves there.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli/trace.h"
#include "dp/pkt.h"
#include "lib/addr.h"

/* Link-layer address of a group; false: the way out asks for a neighbour. */
static bool group_mac(uint8_t type, uint32_t addr, uint8_t mac[6])
{
	uint8_t multicast[6] = { 0x01, 0x00, 0x5e, addr >> 16 & 0x7f, addr >> 8, addr };

	if (type == RTN_BROADCAST)
		memset(mac, 0xff, 6);
	else if (type == RTN_MULTICAST)
		memcpy(mac, multicast, 6);
	return type == RTN_BROADCAST || type == RTN_MULTICAST;
}

static bool has_wire_mark(const struct trace *t)
{
	bool has = false;

	for (int i = 0; i < NATVI_MAX_WIRES && t->packet.mark; i++)
		has |= t->show.wires[i].name[0] && (t->show.wires[i].reply_mark == t->packet.mark || t->show.wires[i].original_mark == t->packet.mark);
	return has;
}

/* The kernel's own look-up, before anything of natvi's; exit code. */
static int route(struct trace *t)
{
	struct trace_lookup *l = &t->kernel;
	struct packet asked = t->packet;
	const struct packet *p = &asked;
	char addr[ADDR_TEXT_LEN];
	bool own = asker_is_own(t->asker, p->ends.src);
	int err;

	if (!own && has_wire_mark(t))
		asked.ends.src = 0;	/* of a program that answers in another's name: routed by its mark */
	else if (!own)
		return cli_error(CLI_USAGE, "iif lo: the box has no address %s to send from; right would be one of its own, or the iif that "
				 "the packet comes in by", addr_print4(p->ends.src, addr));
	err = asker_own_route(t->asker, p, l);
	if (err)
		return cli_error(CLI_FAIL, "cannot ask the kernel for its route: %s", strerror(-err));
	if (!l->oif)
		return CLI_OK;
	t->arrival.ifindex = l->oif;
	t->port = trace_port(t, l->oif, 0);
	trace_wire_find(t);
	if (t->port && !trace_asks_neighbour(t))
		l->result = ROUTE_OK;
	else if (group_mac(l->type, p->ends.dst, l->dmac) ||
		 asker_neighbour(t->asker, l->oif, l->gateway ? l->gateway : p->ends.dst, l->dmac, &l->neighbour))
		l->result = ROUTE_OK;
	return CLI_OK;
}

enum trace_way trace_way(const struct trace *t)
{
	if (!t->box)
		return TRACE_NATVI;
	if (t->kernel.type == RTN_LOCAL)
		return TRACE_STAYS;
	if (!t->kernel.oif)
		return TRACE_NOWHERE;
	return t->port ? TRACE_NATVI : TRACE_ELSEWHERE;
}

/* The box cuts what is too big before natvi sees it, or refuses it. */
static int check_size(const struct trace *t)
{
	uint32_t mtu = t->kernel.mtu ? t->kernel.mtu : t->port->port.mtu;

	if (!mtu || t->packet.len <= mtu)
		return CLI_OK;
	return cli_error(CLI_USAGE, "iif lo: the packet has %u bytes, but on this way by %s the box sends %u at most: it cuts larger ones before "
			 "natvi sees them, or refuses them; right would be len %u or less", t->packet.len, t->port->port.name, mtu, mtu);
}

/* An Ethernet header before the IP packet; there is room for it. */
static void put_ethernet(struct trace *t)
{
	struct ethhdr eth = { .h_proto = htons(ETH_P_IP) };

	memcpy(eth.h_dest, t->kernel.dmac, 6);
	memcpy(eth.h_source, t->port->port.mac, 6);
	memmove(t->frame + sizeof(eth), t->frame, t->len);
	memcpy(t->frame, &eth, sizeof(eth));
	t->len += sizeof(eth);
}

int trace_box(struct trace *t)
{
	int code;

	if (!t->is_ip)
		return cli_error(CLI_USAGE, "iif lo: the frame holds no whole IPv4 packet that the box could send");
	code = route(t);
	if (code)
		return code;
	if (trace_way(t) != TRACE_NATVI)
		return CLI_OK;
	t->arrival.no_l2 = t->port->port.flags & PORT_NO_L2;
	if (!t->arrival.no_l2)
		put_ethernet(t);
	return check_size(t);
}

const char *trace_unasked(const struct trace *t)
{
	struct settings set;

	if (!t->box || !t->view.missed || t->asked_rules || (t->port->port.flags & PORT_NVI))
		return NULL;
	if (maps_settings(t->show.maps, &set))
		return NULL;
	if (!(set.flags & SETTINGS_FROM_BOX))
		return "none is for what the box itself sends (local: out)";
	if (t->port->port.flags & PORT_ROUTED)
		return "at a port with nat: routed none is for what the box itself sends";
	return "not asked: it begins no conversation";
}

bool trace_asks_neighbour(const struct trace *t)
{
	return t->port && !(t->port->port.flags & (t->wire ? PORT_NO_L2 : PORT_NO_L2 | PORT_NVI));
}

bool trace_asks_destination(const struct trace *t)
{
	return !t->box || (t->port && (t->port->port.flags & PORT_NVI));
}
