/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * packet.h - an IP packet in words: "iif lan0 tcp 198.18.0.10:40000 > 203.0.113.80:443 syn".
 *
 * A sentence becomes a struct packet, that a frame; a frame becomes a struct packet, that words. No state; any thread.
 */
#ifndef NATVI_LIB_PACKET_H
#define NATVI_LIB_PACKET_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/types.h"

#define PACKET_MAX_BYTES	65535	/* an IP packet */
#define PACKET_L2_BYTES		22	/* Ethernet and two VLAN tags */
#define PACKET_TEXT_LEN		512

/* The ends of a conversation; host byte order. */
struct packet_ends {
	uint8_t proto;
	bool v6;
	uint32_t src, dst;		/* IPv4 */
	union addr src6, dst6;		/* v6 */
	uint16_t sport, dport;		/* TCP, UDP; ICMP queries: both the identifier */
};

struct packet {
	char iif[IFNAMSIZ];		/* "": not said; "lo": the box itself sends it */
	struct packet_ends ends;
	uint8_t tcp_flags;		/* as in the header */
	uint8_t icmp_type, icmp_code;
	uint16_t icmp_seq, icmp_mtu;
	struct packet_ends about;	/* ICMP errors: what is quoted; proto 0: nothing */
	uint8_t ttl, dscp;
	uint32_t mark;
	uint32_t len;			/* bytes from the IP header on */
	bool df;
	bool has_vlan;
	uint16_t vlan;			/* 0-4095; the outer one */
	bool has_inner;
	uint16_t inner;			/* likewise */
	bool has_smac, has_dmac;	/* they were said */
	/* of frames that were read: */
	bool l2;
	uint8_t smac[6], dmac[6];
	bool more;			/* fragments follow */
	uint16_t fragment_at;		/* bytes; not 0: neither ports nor flags are known */
	uint16_t id;
};

/* What may be said, for help. */
extern const char packet_help[];

/*
 * A sentence; all that it does not say has its usual value. what: the words of the packet itself are expected, else only how
 * it comes in (iif, mark). 0, or -EINVAL and what is wrong with it and what would be right in err.
 */
int packet_parse(const char *text, bool what, struct packet *out, char *err, size_t err_len);

/* Can a packet of this protocol have ports? ICMP's identifier is none. */
bool packet_has_ports(uint8_t proto);

/* An ICMP query has an identifier, an error quotes what it is about. */
bool packet_icmp_is_query(uint8_t type);
bool packet_icmp_is_error(uint8_t type);

/*
 * The packet as a frame with right checksums, from the Ethernet header on if p->l2, the VLAN tag in it; to has room for
 * PACKET_L2_BYTES + PACKET_MAX_BYTES. Returns its length.
 */
size_t packet_build(const struct packet *p, uint8_t *to);

/* Either end. */
union addr packet_src(const struct packet_ends *ends);
union addr packet_dst(const struct packet_ends *ends);

/* A frame in words; false: it is no IP packet with all of its headers. iif and mark are left empty. */
bool packet_read(const uint8_t *frame, size_t len, bool l2, struct packet *out);

/* "tcp 198.18.0.10:40000 > 203.0.113.80:443 syn": what stands between the options. */
const char *packet_text(const struct packet *p, char buf[PACKET_TEXT_LEN]);

/* "syn ack" and so on; "no flags" where there are none. */
const char *packet_flags_text(uint8_t tcp_flags, char buf[48]);

/* "echo", "time-exceeded" and so on, or "type 42 code 1". */
const char *packet_icmp_text(uint8_t type, uint8_t code, char buf[32]);

/* A word of a TCP flag or of an ICMP message; false: it is none. */
bool packet_flag_named(const char *word, uint8_t *flag);
bool packet_icmp_named(const char *word, uint8_t *type, uint8_t *code);

/* Of ICMPv6, for the one of ICMP that means the same; false: there is none. */
bool packet_icmp6_type(uint8_t icmp_type, uint8_t *type);

#endif
