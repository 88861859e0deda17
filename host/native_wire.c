/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native_wire.c - wires in an ordinary process. What the kernel does to a frame before and behind the hooks is done here, too:
 * the outer VLAN tag is out of band at tc, and a device without Ethernet takes the packet alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/env_native.h"
#include "dp/wire.h"

static bool is_tag(const uint8_t *proto)
{
	return (proto[0] == 0x81 && proto[1] == 0) || (proto[0] == 0x88 && proto[1] == 0xa8);
}

/* As skb_vlan_untag(); a frame with nothing behind its tag keeps it. */
static void take_tag(struct native_frame *f)
{
	if (f->vlan_present || f->len < sizeof(struct ethhdr) + 4 || !is_tag(f->data + 2 * ETH_ALEN))
		return;
	memcpy(&f->vlan_proto, f->data + 2 * ETH_ALEN, 2);
	f->vlan_tci = (uint16_t)(f->data[14] << 8 | f->data[15]);
	f->vlan_present = true;
	memmove(f->data + 4, f->data, 2 * ETH_ALEN);
	f->data += 4;
	f->len -= 4;
}

static void put_tag(struct native_frame *f)
{
	if (!f->vlan_present || f->len < sizeof(struct ethhdr) - 2 || f->data - f->room < 4)
		return;
	memmove(f->data - 4, f->data, 2 * ETH_ALEN);
	f->data -= 4;
	f->len += 4;
	memcpy(f->data + 2 * ETH_ALEN, &f->vlan_proto, 2);
	f->data[14] = (uint8_t)(f->vlan_tci >> 8);
	f->data[15] = (uint8_t)f->vlan_tci;
	f->vlan_present = false;
}

int native_copy_frame(struct native *n, const struct native_frame *f, uint32_t ifindex, bool in)
{
	struct native_copied *c = n->n_copied < NATIVE_MAX_COPIES ? &n->copied[n->n_copied] : NULL;
	struct native_frame whole = *f;
	uint8_t *bytes;

	bytes = c ? realloc(c->frame, NATIVE_HEADROOM + f->len) : NULL;
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes + NATIVE_HEADROOM, f->data, f->len);
	whole.room = bytes;
	whole.data = bytes + NATIVE_HEADROOM;
	put_tag(&whole);
	memmove(bytes, whole.data, whole.len);
	*c = (struct native_copied){ .ifindex = ifindex, .in = in, .frame = bytes, .len = whole.len };
	n->n_copied++;
	return 0;
}

/* What the kernel says of it: of a tagged frame what follows the tag, of a packet without Ethernet its version of IP. */
static __be16 protocol(const struct native_frame *f)
{
	__be16 proto;

	if (!f->l2)
		return __builtin_bswap16(f->len && f->data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP);
	if (f->len < sizeof(struct ethhdr))
		return 0;
	memcpy(&proto, f->data + 2 * ETH_ALEN, sizeof(proto));
	return proto;
}

static bool has_l2(__u32 ifindex)
{
	const struct port *port = port_lookup(ifindex, 0);

	return !port || !(port->flags & PORT_NO_L2);
}

static int through(struct native_frame *f, int (*program)(void *ctx))
{
	struct native *n = native_current;
	int action;

	if (f->l2 && !n->hits_only)
		take_tag(f);
	f->eth_proto = n->hits_only ? 0 : protocol(f);
	action = program(f);
	put_tag(f);
	if (action == NATIVE_SEND && f->l2 && !f->enters && !has_l2(f->out_ifindex) && f->len >= sizeof(struct ethhdr)) {
		f->data += sizeof(struct ethhdr);
		f->len -= sizeof(struct ethhdr);
	}
	return action;
}

static int at_wire(void *ctx)
{
	return dp_wire(ctx);
}

static int at_target(void *ctx)
{
	return dp_target(ctx);
}

static int at_host(void *ctx)
{
	return dp_host(ctx);
}

static int hook_wire(void *ctx)
{
	return through(ctx, at_wire);
}

static int hook_target(void *ctx)
{
	return through(ctx, at_target);
}

static int hook_host(void *ctx)
{
	return through(ctx, at_host);
}

struct native_result native_wire(struct native *n, const struct native_arrival *arrival, const void *frame, size_t len, uint32_t now_s)
{
	return native_hook(n, arrival, frame, len, now_s, hook_wire);
}

struct native_result native_target(struct native *n, const struct native_arrival *arrival, const void *frame, size_t len,
				   uint32_t now_s)
{
	return native_hook(n, arrival, frame, len, now_s, hook_target);
}

struct native_result native_host(struct native *n, const struct native_arrival *departure, const void *frame, size_t len,
				 uint32_t now_s)
{
	return native_hook(n, departure, frame, len, now_s, hook_host);
}
