/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * handover.c - see handover.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/handover.h"
#include "daemon/nft.h"
#include "lib/addr.h"
#include "lib/log.h"
#include "lib/session.h"
#include "lib/sysctl.h"

#define LIBERAL	(1u << 3)	/* IP_CT_TCP_FLAG_BE_LIBERAL: its window has not been seen so far */
#define SRCNAT_AFTER	110	/* behind the priority of source NAT (100) */

struct handing {
	struct nfct_handle *handle;
	int given, refused;
};

static void set_tuple(struct nf_conntrack *ct, const struct flow *orig)
{
	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, orig->key.proto);
	nfct_set_attr_u32(ct, ATTR_ORIG_IPV4_SRC, orig->key.src.word[3]);
	nfct_set_attr_u32(ct, ATTR_ORIG_IPV4_DST, orig->key.dst.word[3]);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, orig->key.sport);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, orig->key.dport);
	nfct_setobjopt(ct, NFCT_SOPT_SETUP_REPLY);
}

static void set_translation(struct nf_conntrack *ct, const struct flow *orig)
{
	if (!addr_equal(&orig->new_src, &orig->key.src) || orig->new_sport != orig->key.sport) {
		nfct_set_attr_u32(ct, ATTR_SNAT_IPV4, orig->new_src.word[3]);
		nfct_set_attr_u16(ct, ATTR_SNAT_PORT, orig->new_sport);
	}
	if (!addr_equal(&orig->new_dst, &orig->key.dst) || orig->new_dport != orig->key.dport) {
		nfct_set_attr_u32(ct, ATTR_DNAT_IPV4, orig->new_dst.word[3]);
		nfct_set_attr_u16(ct, ATTR_DNAT_PORT, orig->new_dport);
	}
}

static void set_state(struct nf_conntrack *ct, const struct session *session)
{
	nfct_set_attr_u32(ct, ATTR_STATUS, IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED);
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, session->remaining_s ? session->remaining_s : 1);
	if (session->orig.key.proto != IPPROTO_TCP)
		return;
	nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_ORIG, LIBERAL);
	nfct_set_attr_u8(ct, ATTR_TCP_MASK_ORIG, LIBERAL);
	nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_REPL, LIBERAL);
	nfct_set_attr_u8(ct, ATTR_TCP_MASK_REPL, LIBERAL);
}

/* Is there something to lose? A half-open or closing connection makes its own way, and so does what the box itself sends untranslated. */
static bool worth_it(const struct session *session)
{
	const struct flow *orig = &session->orig;

	if (orig->flags & (FLOW_KERNELS | FLOW_WIRE))	/* what crosses a wire is no connection of this box */
		return false;
	if ((session->cold.flags & COLD_BOX) && addr_equal(&orig->new_src, &orig->key.src) && orig->new_sport == orig->key.sport)
		return false;	/* conntrack knows it as it is */
	if (session->orig.key.proto == IPPROTO_TCP)
		return !strcmp(session->state, "established");
	return session->orig.key.proto == IPPROTO_UDP;
}

static int give(const struct session *session, void *arg)
{
	struct handing *h = arg;
	struct nf_conntrack *ct;

	if (!worth_it(session))
		return 0;
	ct = nfct_new();
	if (!ct)
		return -ENOMEM;
	set_tuple(ct, &session->orig);
	set_translation(ct, &session->orig);
	set_state(ct, session);
	if (nfct_query(h->handle, NFCT_Q_CREATE, ct)) {
		log_debug("a session was not taken by conntrack: %s", strerror(errno));
		h->refused++;
	} else {
		h->given++;
	}
	nfct_destroy(ct);
	return 0;
}

/* The table */

static void put_prefix(FILE *out, const char *side, const union addr *net, uint8_t len)
{
	char text[ADDR_TEXT_LEN];

	if (len > 96)
		fprintf(out, " ip %s %s/%u", side, addr_print(net, text), len - 96u);
}

static void put_ports(FILE *out, const struct rule *r)
{
	if (r->proto)
		fprintf(out, " meta l4proto %u", r->proto);
	if (r->sport_lo || r->sport_hi != 65535)
		fprintf(out, " th sport %u-%u", r->sport_lo, r->sport_hi);
	if (r->dport_lo || r->dport_hi != 65535)
		fprintf(out, " th dport %u-%u", r->dport_lo, r->dport_hi);
}

/* What natvi would have translated does not leave as it is; what it let be passes on. */
static void put_rule(FILE *out, const struct rule *r)
{
	if (!(r->traffic & RULE_THROUGH) || r->in_ifindex == IFINDEX_ABSENT || r->out_ifindex == IFINDEX_ABSENT)
		return;
	fprintf(out, "    meta nfproto ipv4");
	if (r->in_ifindex)
		fprintf(out, " iif %u", r->in_ifindex);
	else
		fprintf(out, " iif != 0");	/* what the box sends itself has none */
	if (r->out_ifindex)
		fprintf(out, " oif %u", r->out_ifindex);
	put_prefix(out, "saddr", &r->src, r->src_len);
	put_prefix(out, "daddr", &r->dst, r->dst_len);
	put_ports(out, r);
	if (r->action == ACTION_TRANSLATE)
		fprintf(out, " ct status & snat == 0 ct status & dnat == 0 drop\n");
	else
		fprintf(out, " accept\n");
}

static int make_table(const struct maps *maps, const char *instance)
{
	struct settings settings;
	char *commands = NULL;
	struct rule rule;
	size_t len;
	FILE *out;
	int ret = maps_settings(maps, &settings);

	if (ret)
		return ret;
	out = open_memstream(&commands, &len);
	if (!out)
		return -ENOMEM;
	fprintf(out, "table inet natvi_%s_down {}\ndelete table inet natvi_%s_down\ntable inet natvi_%s_down {\n", instance,
		instance, instance);
	fprintf(out, "  chain dstnat { type nat hook prerouting priority -100; }\n"
		"  chain srcnat { type nat hook postrouting priority 100; }\n"
		"  chain untranslated {\n    type filter hook postrouting priority %d; policy accept;\n"
		"    ct direction reply accept\n", SRCNAT_AFTER);
	for (uint32_t i = 0; i < settings.n_rules && !maps_rule(maps, i, &rule); i++)
		put_rule(out, &rule);
	fprintf(out, "  }\n}\n");
	ret = fclose(out) ? -ENOMEM : nft_run(commands, true);
	free(commands);
	return ret;
}

static bool forwards(void)
{
	char value[SYSCTL_VALUE_LEN];

	return !sysctl_read("net/ipv4/ip_forward", value) && strcmp(value, "0");
}

int handover(const char *instance)
{
	struct handing h = { 0 };
	struct maps *maps;
	char err[512];
	int ret;

	if (!forwards())
		return 0;
	ret = maps_open(&maps, instance, err, sizeof(err));
	if (ret) {
		log_warn("sessions cannot be handed to the kernel: %s", err);
		return ret;
	}
	if (maps->control.flags & CONTROL_NO_NAT) {
		maps_close(maps);
		return 0;
	}
	ret = make_table(maps, instance);
	h.handle = ret ? NULL : nfct_open(CONNTRACK, 0);
	if (!h.handle) {
		log_warn("this kernel tracks no connections: sessions end here, and packets are forwarded as they are");
		ret = -EOPNOTSUPP;
		goto out;
	}
	ret = maps_each_session(maps, NULL, give, &h);
	nfct_close(h.handle);
	log_info("forwarding was on before natvi and stays on: %d sessions go on through the kernel%s; table inet "
		 "natvi_%s_down keeps what natvi translated from leaving untranslated (`nft delete table inet "
		 "natvi_%s_down` removes it)", h.given, h.refused ? ", others end" : "", instance, instance);
out:
	maps_close(maps);
	return ret ? ret : h.given;
}

void handover_end(const char *instance)
{
	char commands[160];

	snprintf(commands, sizeof(commands), "delete table inet natvi_%s_down\n", instance);
	nft_run(commands, false);
}
