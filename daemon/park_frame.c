/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park_frame.c - see park_frame.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <string.h>

#include "daemon/park_frame.h"
#include "lib/addr.h"

#define IP_MORE		0x2000
#define IP_OFFSET	0x1fff
#define DATAGRAM_MAX	65535u	/* bytes, with its header */

/* The frame from where it is read on. */
struct rest {
	const uint8_t *at;
	size_t len;
};

/* Copies the first bytes and steps over step bytes; false: so many are not there. */
static bool take(struct rest *rest, void *to, size_t bytes, size_t step)
{
	if (rest->len < bytes || rest->len < step)
		return false;
	memcpy(to, rest->at, bytes);
	rest->at += step;
	rest->len -= step;
	return true;
}

static bool take_address(struct rest *rest, struct park_frame *out, uint16_t *proto)
{
	struct park_mac mac;
	struct ethhdr eth;

	if (!take(rest, &eth, sizeof(eth), sizeof(eth)))
		return false;
	memcpy(&mac, eth.h_dest, sizeof(mac));
	*proto = ntohs(eth.h_proto);
	out->kind = mac.kind;
	out->key.ifindex = (uint32_t)mac.ifindex[0] << 24 | (uint32_t)mac.ifindex[1] << 16 | (uint32_t)mac.ifindex[2] << 8 |
			   mac.ifindex[3];
	return mac.local == PARK_MAC_LOCAL && (mac.kind == PARK_FRAGMENT || mac.kind == PARK_SYN);
}

/* The outer tag is the port's. */
static bool take_tags(struct rest *rest, struct park_frame *out, uint16_t proto)
{
	uint16_t tag[2];	/* control information, protocol behind it */
	int i;

	for (i = 0; i < NATVI_MAX_VLAN_TAGS && (proto == ETH_P_8021Q || proto == ETH_P_8021AD); i++) {
		if (!take(rest, tag, sizeof(tag), sizeof(tag)))
			return false;
		if (!i)
			out->key.vlan = ntohs(tag[0]) & 0xfff;
		proto = ntohs(tag[1]);
	}
	return proto == ETH_P_IP;
}

/* The IPv4 header; rest is what it carries then, without the frame's padding. */
static bool take_ip(struct rest *rest, struct park_frame *out, struct iphdr *ip)
{
	struct rest packet = *rest;
	size_t head, len;

	if (!take(&packet, ip, sizeof(*ip), 0))
		return false;
	head = ip->ihl * 4u;
	len = ntohs(ip->tot_len);
	if (ip->version != 4 || head < sizeof(*ip) || len < head || len > rest->len)
		return false;
	rest->at += head;
	rest->len = len - head;
	out->key.tuple.src = addr_from4(ntohl(ip->saddr));
	out->key.tuple.dst = addr_from4(ntohl(ip->daddr));
	out->key.tuple.proto = ip->protocol;
	return true;
}

static bool take_fragment(const struct rest *rest, struct park_frame *out, const struct iphdr *ip)
{
	uint16_t bits = ntohs(ip->frag_off);

	out->key.tuple.sport = ip->id;
	out->offset = bits & IP_OFFSET;
	out->more = bits & IP_MORE;
	out->units = (uint32_t)(rest->len + 7) / 8;
	if (!out->offset || !rest->len || (out->more && rest->len % 8))
		return false;
	return out->offset * 8 + rest->len <= DATAGRAM_MAX - sizeof(*ip);
}

static bool take_syn(struct rest *rest, struct park_frame *out, const struct iphdr *ip)
{
	struct tcphdr tcp;

	if (ip->protocol != IPPROTO_TCP || ntohs(ip->frag_off) & (IP_MORE | IP_OFFSET) || !take(rest, &tcp, sizeof(tcp), 0))
		return false;
	out->key.tuple.sport = tcp.source;
	out->key.tuple.dport = tcp.dest;
	return true;
}

int park_frame_parse(const void *frame, size_t len, struct park_frame *out)
{
	struct rest rest = { .at = frame, .len = len };
	struct iphdr ip;
	uint16_t proto;
	bool good;

	memset(out, 0, sizeof(*out));
	if (!take_address(&rest, out, &proto))
		return -ENOMSG;
	good = len <= PARK_FRAME_MAX && out->key.ifindex && take_tags(&rest, out, proto) && take_ip(&rest, out, &ip);
	if (good)
		good = out->kind == PARK_FRAGMENT ? take_fragment(&rest, out, &ip) : take_syn(&rest, out, &ip);
	return good ? 0 : -EBADMSG;
}
