/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_forward.c - forwards: their keys, and what must hold among them.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

bool cfg_endpoint_split(const char *text, char host[CFG_HOST_LEN], const char **ports)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	*ports = colon ? colon + 1 : "";
	if (!len || len >= CFG_HOST_LEN || (colon && !colon[1]))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

static bool looks_like_address(const char *host)
{
	return strspn(host, "0123456789.") == strlen(host) || strchr(host, ':') || strchr(host, '[');
}

static void fail_endpoint(struct cfg_parse *p, int line, const char *text, const char *forms)
{
	char quoted[CFG_QUOTE_LEN];

	cfg_fail(p, line, "`%s` is not %s", cfg_quote(text, quoted), forms);
}

#define EXTERNAL_FORMS	"ADDRESS[:PORT[-PORT]] or INTERFACE:PORT[-PORT], like \"203.0.113.1:443\" or \"wan0:8000-8010\""
#define INTERNAL_FORMS	"ADDRESS[:PORT[-PORT]], like \"198.18.0.10:8443\""

/* The interface's own address, whatever it is, so that only a port of it can be given away. */
static void external_interface(struct cfg_parse *p, const struct node *value, const char *host, const char *ports,
			       struct cfg_forward *forward)
{
	if (!cfg_ifname_ok(host)) {
		fail_endpoint(p, value->line, value->text, EXTERNAL_FORMS);
		return;
	}
	if (!*ports) {
		cfg_fail(p, value->line, "`%s` without a port would give all of the box away; write \"%s:PORT\"", host, host);
		return;
	}
	strcpy(forward->ext_interface, host);
	cfg_ref_add(p, REF_INTERFACE, value->line, host);
}

void cfg_endpoint_address(struct cfg_parse *p, const struct node *value, const char *host, const char *forms, uint32_t *to)
{
	uint32_t addr;

	if (addr_parse4(host, &addr))
		fail_endpoint(p, value->line, value->text, forms);
	else if (!cfg_unicast(addr))
		cfg_fail(p, value->line, "no host can have the address %s", host);
	else
		*to = addr;
}

static void forward_external(struct cfg_parse *p, const struct node *value, void *to)
{
	const char *text = cfg_text(p, value, "the external address and port"), *ports;
	struct cfg_forward *forward = to;
	char host[CFG_HOST_LEN];

	if (!text)
		return;
	if (!cfg_endpoint_split(text, host, &ports)) {
		fail_endpoint(p, value->line, text, EXTERNAL_FORMS);
		return;
	}
	if (looks_like_address(host))
		cfg_endpoint_address(p, value, host, EXTERNAL_FORMS, &forward->ext_addr);
	else
		external_interface(p, value, host, ports, forward);
	if (*ports)
		cfg_ports_text(p, value->line, ports, &forward->ext_ports);
	else
		forward->ext_ports = (struct cfg_ports){ 1, 65535 };
}

static void forward_internal(struct cfg_parse *p, const struct node *value, void *to)
{
	const char *text = cfg_text(p, value, "the internal address"), *ports;
	struct cfg_forward *forward = to;
	char host[CFG_HOST_LEN];

	if (!text)
		return;
	if (!cfg_endpoint_split(text, host, &ports)) {
		fail_endpoint(p, value->line, text, INTERNAL_FORMS);
		return;
	}
	cfg_endpoint_address(p, value, host, INTERNAL_FORMS, &forward->int_addr);
	if (*ports)
		cfg_ports_text(p, value->line, ports, &forward->int_ports);
}

static void forward_proto(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_forward *forward = to;
	uint8_t proto;

	if (!cfg_proto(p, value, &proto))
		return;
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		cfg_fail(p, value->line, "a forward is of tcp, udp or [tcp, udp], not `%s`", value->text);
	else if (memchr(forward->protos, proto, forward->n_protos))
		cfg_fail(p, value->line, "protocol `%s` stands twice; take one away", value->text);
	else
		forward->protos[forward->n_protos++] = proto;
}

static void forward_protos(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_each(p, value, forward_proto, to);
}

static void forward_filtering(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_read_filtering(p, value, &((struct cfg_forward *)to)->filtering);
}

static const struct cfg_key forward_keys[] = {
	{ "proto", forward_protos, true },
	{ "external", forward_external, true },
	{ "internal", forward_internal, true },
	{ "filtering", forward_filtering, false },
};

static void read_forward(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_forward *forward = CFG_ADD(p, p->config->forwards, p->config->n_forwards);

	if (!forward)
		return;
	forward->line = value->line;
	CFG_MAP(p, value, "a forward", forward_keys, forward);
	if (!forward->int_ports.lo)
		forward->int_ports = forward->ext_ports;	/* the same ports inside */
	if (forward->int_addr && forward->int_addr != forward->ext_addr)
		cfg_ref_hosts(p, REF_FORWARD, value->line, (struct cfg_range4){ forward->int_addr, forward->int_addr });
}

void cfg_read_forwards(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {proto: tcp, external: \"wan0:443\", internal: \"198.18.0.10:8443\"}", read_forward, to);
}

/* What must hold */

/* One protocol of a forward: external place first, so that sorting brings what collides together. */
struct claim {
	const struct cfg_forward *forward;
	uint8_t proto;
};

static int claim_compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->forward->ext_interface, y->forward->ext_interface);

	if (order)
		return order;
	if (x->forward->ext_addr != y->forward->ext_addr)
		return x->forward->ext_addr < y->forward->ext_addr ? -1 : 1;
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->forward->ext_ports.lo != y->forward->ext_ports.lo)
		return x->forward->ext_ports.lo < y->forward->ext_ports.lo ? -1 : 1;
	return x->forward < y->forward ? -1 : x->forward > y->forward;
}

static void fail_claim(struct cfg_parse *p, const struct claim *a, const struct claim *b)
{
	const struct cfg_forward *early = a->forward < b->forward ? a->forward : b->forward;
	const struct cfg_forward *late = early == a->forward ? b->forward : a->forward;
	char addr[ADDR_TEXT_LEN], ports[PORTS_TEXT_LEN], proto[PROTO_TEXT_LEN];
	uint16_t lo = early->ext_ports.lo > late->ext_ports.lo ? early->ext_ports.lo : late->ext_ports.lo;
	uint16_t hi = early->ext_ports.hi < late->ext_ports.hi ? early->ext_ports.hi : late->ext_ports.hi;

	cfg_fail(p, late->line, "%s %s:%s is forwarded in line %d already; a port leads to one place",
		 addr_print_proto(a->proto, proto),
		 *late->ext_interface ? late->ext_interface : addr_print4(late->ext_addr, addr),
		 addr_print_ports(lo, hi, ports), early->line);
}

static void check_claims(struct cfg_parse *p)
{
	const struct config *c = p->config;
	struct claim *claims = NULL;
	size_t n = 0, widest = 0;

	for (size_t i = 0; i < c->n_forwards; i++) {
		const struct cfg_forward *f = &c->forwards[i];

		/* Not those whose external side could not be read. */
		for (size_t j = 0; j < f->n_protos && f->ext_ports.lo && (f->ext_addr || *f->ext_interface); j++) {
			struct claim *claim = CFG_ADD(p, claims, n);

			if (claim)
				*claim = (struct claim){ f, f->protos[j] };
		}
	}
	if (n)
		qsort(claims, n, sizeof(*claims), claim_compare);
	for (size_t i = 1; i < n; i++) {
		const struct cfg_forward *f = claims[i].forward, *w = claims[widest].forward;
		bool same = claims[i].proto == claims[widest].proto && f->ext_addr == w->ext_addr &&
			    !strcmp(f->ext_interface, w->ext_interface);

		if (same && f->ext_ports.lo <= w->ext_ports.hi)
			fail_claim(p, &claims[widest], &claims[i]);
		if (!same || f->ext_ports.hi > w->ext_ports.hi)
			widest = i;
	}
	free(claims);
}

/* External and internal ports go one to one. */
static void check_forward_ports(struct cfg_parse *p, const struct cfg_forward *f)
{
	unsigned int outside = cfg_port_count(f->ext_ports), inside = cfg_port_count(f->int_ports);
	char addr[ADDR_TEXT_LEN];

	/* A side that could not be read has been reported, and is not judged a second time. */
	if (outside == inside || !outside || !inside || !f->int_addr)
		return;
	addr_print4(f->int_addr, addr);
	if (f->int_ports.lo + outside - 1 > 65535)
		cfg_fail(p, f->line, "the forward has %u external and %u internal ports; they go one to one, "
			 "so both must be as many",
			 outside, inside);
	else if (outside == 1)
		cfg_fail(p, f->line, "the forward has 1 external and %u internal ports; write `internal: \"%s:%u\"`", inside,
			 addr, f->int_ports.lo);
	else
		cfg_fail(p, f->line, "the forward has %u external and %u internal port%s; write `internal: \"%s:%u-%u\"`",
			 outside, inside, inside == 1 ? "" : "s", addr, f->int_ports.lo, f->int_ports.lo + outside - 1);
}

void cfg_check_forwards(struct cfg_parse *p)
{
	const struct config *c = p->config;
	size_t statics = config_static_ports(c);
	char addr[ADDR_TEXT_LEN];

	for (size_t i = 0; i < c->n_forwards; i++) {
		const struct cfg_forward *f = &c->forwards[i];

		check_forward_ports(p, f);
		if (f->int_addr && f->int_addr == f->ext_addr)
			cfg_fail(p, f->line, "the forward leads from %s to itself; `internal` is the host behind the box",
				 addr_print4(f->int_addr, addr));
	}
	check_claims(p);
	if (statics > CFG_MAX_STATICS)
		cfg_fail(p, c->forwards[0].line, "the forwards have %zu ports over all addresses and protocols; at "
			 "most %u fit; name the ports that are needed", statics, CFG_MAX_STATICS);
}
