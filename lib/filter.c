/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * filter.c - parse, print and match filters. Life-cycle: see filter.h.
 */
#include "lib/filter.h"

#include <errno.h>
#include <jansson.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/maps.h"
#include "lib/names.h"
#include "lib/session.h"

static const char *const words_of[FILTER_WHATS] = {
	[FILTER_SRC] = "src", [FILTER_DST] = "dst", [FILTER_HOST] = "host", [FILTER_PORT] = "port",
	[FILTER_SPORT] = "sport", [FILTER_DPORT] = "dport", [FILTER_PROTO] = "proto", [FILTER_RULE] = "rule",
	[FILTER_STATE] = "state", [FILTER_INTERFACE] = "interface", [FILTER_ZONE] = "zone",
};

const char filter_help[] =
	"  src ADDR[/LEN]    original source (of a mapping: its inside address)\n"
	"  dst ADDR[/LEN]    original destination\n"
	"  host ADDR[/LEN]   any address, original or translated\n"
	"  sport N, dport N  original source or destination port (ICMP: the identifier)\n"
	"  port N            any port, original or translated\n"
	"  proto NAME|N      tcp, udp, icmp, esp, gre, ...\n"
	"  rule NAME|N       made by this rule\n"
	"  state NAME        syn-sent, established, unreplied, ...; of a mapping: active, resting, static\n"
	"  accelerated       short for state accelerated: of the kernel's conntrack\n"
	"  interface NAME    came in or leaves by it\n"
	"  zone NAME         came in by an interface of this zone (of a mapping: its inside address)\n";

static const char alone_word[] = "accelerated";	/* a state that needs no "state" before it */

static const char *const mapping_states[] = { "active", "resting", "static", NULL };

static int fail(char *err, size_t err_len, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(char *err, size_t err_len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err, err_len, format, args);
	va_end(args);
	return -EINVAL;
}

static bool in_list(const char *const *list, const char *text)
{
	for (; *list; list++)
		if (!strcmp(*list, text))
			return true;
	return false;
}

static int what_of(const char *word)
{
	for (int what = 0; what < FILTER_WHATS; what++)
		if (!strcmp(words_of[what], word))
			return what;
	return -EINVAL;
}

static int parse_address(struct filter_term *term, char *err, size_t err_len)
{
	char right[ADDR_TEXT_LEN];
	int ret = addr_parse_prefix(term->text, &term->addr, &term->len);

	if (ret == -EDOM)
		return fail(err, err_len, "%s %s: the address has bits beyond its length; %s is that network",
			    words_of[term->what], term->text, addr_print_prefix(&term->addr, term->len, right));
	if (ret)
		return fail(err, err_len, "%s %s: not an address; right would be 198.18.0.10 or 198.18.0.0/16",
			    words_of[term->what], term->text);
	term->resolved = true;
	return 0;
}

static int parse_number(struct filter_term *term, char *err, size_t err_len)
{
	uint16_t port;
	uint8_t proto;

	term->resolved = true;
	if (term->what == FILTER_PROTO) {
		if (addr_parse_proto(term->text, &proto))
			return fail(err, err_len, "proto %s: no such protocol; right would be tcp, udp, icmp or a number up to 255",
				    term->text);
		term->number = proto;
		return 0;
	}
	if (addr_parse_port(term->text, &port))
		return fail(err, err_len, "%s %s: a port is a number from 0 to 65535", words_of[term->what], term->text);
	term->number = port;
	return 0;
}

static int parse_state(struct filter_term *term, char *err, size_t err_len)
{
	char all[160] = "";

	term->resolved = true;
	if (in_list(session_states, term->text) || in_list(mapping_states, term->text))
		return 0;
	for (const char *const *s = session_states; *s; s++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", s == session_states ? "" : ", ", *s);
	return fail(err, err_len, "state %s: no such state; sessions have %s; mappings active, resting, static", term->text, all);
}

static int parse_term(struct filter_term *term, const char *word, const char *value, char *err, size_t err_len)
{
	int what = what_of(word);

	if (what < 0)
		return fail(err, err_len, "\"%s\" is no filter word; there are: src dst host port sport dport proto rule state interface zone accelerated",
			    word);
	if (!value || !*value)
		return fail(err, err_len, "\"%s\" needs a value after it", word);
	if (strlen(value) >= sizeof(term->text))
		return fail(err, err_len, "%s: the value is longer than %zu characters", word, sizeof(term->text) - 1);
	memset(term, 0, sizeof(*term));
	term->what = what;
	strcpy(term->text, value);
	switch (term->what) {
	case FILTER_SRC: case FILTER_DST: case FILTER_HOST:
		return parse_address(term, err, err_len);
	case FILTER_PORT: case FILTER_SPORT: case FILTER_DPORT: case FILTER_PROTO:
		return parse_number(term, err, err_len);
	case FILTER_STATE:
		return parse_state(term, err, err_len);
	default:	/* names: filter_resolve() */
		return 0;
	}
}

static int reserve(struct filter *out, size_t n, char *err, size_t err_len)
{
	memset(out, 0, sizeof(*out));
	out->terms = calloc(n ? n : 1, sizeof(*out->terms));
	if (out->terms)
		return 0;
	fail(err, err_len, "no memory");
	return -ENOMEM;
}

int filter_from_words(struct filter *out, int n, char *const *words, char *err, size_t err_len)
{
	int ret = reserve(out, (size_t)n + 1, err, err_len), i = 0;

	while (i < n && !ret) {
		bool alone = !strcmp(words[i], alone_word);

		ret = parse_term(&out->terms[out->n], alone ? "state" : words[i], alone ? alone_word : i + 1 < n ? words[i + 1] : NULL,
				 err, err_len);
		out->n += !ret;
		i += alone ? 1 : 2;
	}
	if (ret)
		filter_free(out);
	return ret;
}

int filter_from_json(struct filter *out, const json_t *json, char *err, size_t err_len)
{
	size_t n = json_is_array(json) ? json_array_size(json) : 0;
	const char *word, *value;
	int ret;

	if (json && !json_is_null(json) && !json_is_array(json)) {
		memset(out, 0, sizeof(*out));
		return fail(err, err_len, "filter: an array of [word, value] pairs is needed");
	}
	ret = reserve(out, n, err, err_len);
	for (size_t i = 0; i < n && !ret; i++) {
		const json_t *pair = json_array_get(json, i);

		word = json_string_value(json_array_get(pair, 0));
		value = json_string_value(json_array_get(pair, 1));
		if (json_array_size(pair) != 2 || !word || !value)
			ret = fail(err, err_len, "filter: entry %zu is not a pair of strings", i + 1);
		else
			ret = parse_term(&out->terms[out->n], word, value, err, err_len);
		out->n += !ret;
	}
	if (ret)
		filter_free(out);
	return ret;
}

json_t *filter_to_json(const struct filter *filter)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < filter->n; i++) {
		const struct filter_term *term = &filter->terms[i];

		if (json_array_append_new(list, json_pack("[s, s]", words_of[term->what], term->text))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

void filter_free(struct filter *filter)
{
	if (!filter)
		return;
	free(filter->terms);
	filter->terms = NULL;
	filter->n = 0;
}

static int resolve_term(struct filter_term *term, const struct names *names)
{
	int number;

	if (term->what == FILTER_INTERFACE) {
		term->number = if_nametoindex(term->text);
		if (!term->number)
			return -ENOENT;
	} else if (term->what == FILTER_RULE) {
		number = names_rule_id(names, term->text);
		if (number < 0)
			return number;
		term->number = (uint32_t)number;
	} else if (term->what == FILTER_ZONE) {
		number = names_zone(names, term->text);
		if (number < 0)
			return number;
		term->number = (uint32_t)number;
	}
	term->resolved = true;
	return 0;
}

int filter_resolve(struct filter *filter, const struct names *names, char *err, size_t err_len)
{
	for (size_t i = 0; i < filter->n; i++) {
		struct filter_term *term = &filter->terms[i];

		if (term->resolved || !resolve_term(term, names))
			continue;
		fail(err, err_len, "there is no %s \"%s\"", words_of[term->what], term->text);
		return -ENOENT;
	}
	return 0;
}

static bool inside(const struct filter_term *term, const union addr *addr)
{
	return addr_in_prefix(addr, &term->addr, term->len);
}

static bool any_port(const struct filter_term *term, const struct flow *flow)
{
	__be16 port = htons((uint16_t)term->number);

	return flow->key.sport == port || flow->key.dport == port || flow->new_sport == port || flow->new_dport == port;
}

static bool any_host(const struct filter_term *term, const struct flow *flow)
{
	return inside(term, &flow->key.src) || inside(term, &flow->key.dst) ||
	       inside(term, &flow->new_src) || inside(term, &flow->new_dst);
}

static bool term_session(const struct filter_term *term, const struct session *s)
{
	const struct flow *flow = &s->orig;

	if (!term->resolved)
		return false;
	switch (term->what) {
	case FILTER_SRC: return inside(term, &flow->key.src);
	case FILTER_DST: return inside(term, &flow->key.dst);
	case FILTER_HOST: return any_host(term, flow);
	case FILTER_PORT: return any_port(term, flow);
	case FILTER_SPORT: return ntohs(flow->key.sport) == term->number;
	case FILTER_DPORT: return ntohs(flow->key.dport) == term->number;
	case FILTER_PROTO: return flow->key.proto == term->number;
	case FILTER_RULE: return s->cold.rule == term->number;
	case FILTER_STATE: return s->state && !strcmp(s->state, term->text);
	case FILTER_INTERFACE: return flow->oif == term->number || (s->has_reply && s->reply.oif == term->number);
	case FILTER_ZONE: return flow->key.zone == term->number && !(flow->flags & FLOW_WIRE);
	case FILTER_WHATS: break;
	}
	return false;
}

bool filter_session(const struct filter *filter, const struct session *session)
{
	for (size_t i = 0; i < filter->n; i++)
		if (!term_session(&filter->terms[i], session))
			return false;
	return true;
}

/* One for TCP and UDP together is found as either. */
static bool mapping_has_proto(const struct map_entry *m, uint32_t proto)
{
	if (!m->key.proto)
		return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
	return m->key.proto == proto;
}

static bool term_mapping(const struct filter_term *term, const struct map_entry *m)
{
	switch (term->what) {
	case FILTER_SRC: return inside(term, &m->key.addr);
	case FILTER_HOST: return inside(term, &m->key.addr) || inside(term, &m->value.addr);
	case FILTER_SPORT: return ntohs(m->key.port) == term->number;
	case FILTER_PORT: return ntohs(m->key.port) == term->number || ntohs(m->value.port) == term->number;
	case FILTER_PROTO: return mapping_has_proto(m, term->number);
	case FILTER_STATE: return !strcmp(mapping_state(&m->value), term->text);
	case FILTER_ZONE: return m->key.zone == term->number;
	default: return false;
	}
}

bool filter_mapping(const struct filter *filter, const struct map_entry *entry)
{
	for (size_t i = 0; i < filter->n; i++)
		if (!term_mapping(&filter->terms[i], entry))
			return false;
	return true;
}

int filter_check_mapping(const struct filter *filter, char *err, size_t err_len)
{
	for (size_t i = 0; i < filter->n; i++) {
		switch (filter->terms[i].what) {
		case FILTER_DST: case FILTER_DPORT: case FILTER_RULE: case FILTER_INTERFACE:
			return fail(err, err_len, "a mapping has no %s; mappings know src, host, sport, port, proto, state and zone",
				    words_of[filter->terms[i].what]);
		default:
			break;
		}
	}
	return 0;
}

int filter_check_connection(const struct filter *filter, char *err, size_t err_len)
{
	for (size_t i = 0; i < filter->n; i++) {
		switch (filter->terms[i].what) {
		case FILTER_RULE: case FILTER_STATE: case FILTER_INTERFACE: case FILTER_ZONE:
			return fail(err, err_len, "a connection that is not accelerated has no %s; it has src, dst, host, sport, dport, "
				    "port and proto", words_of[filter->terms[i].what]);
		default:
			break;
		}
	}
	return 0;
}
