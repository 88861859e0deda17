/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * packet.c - a sentence about a packet. See packet.h.
 *
 * Words may stand in any order but for the two ends, with the arrow between them, and "about", which begins
 * another two ends.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/packet.h"

#define MAX_TEXT	1024
#define MAX_WORDS	64
#define TYPE_UNSAID	-1
#define TTL_DEFAULT	64
#define IP_BYTES	20
#define IP6_BYTES	40
#define ICMP_BYTES	8
#define PING_BYTES	56	/* of data, as ping sends it */
#define ECHO		8
#define TCP_SYN		0x02

const char packet_help[] =
	"PACKET  [iif NAME] PROTO [KIND] SOURCE[:PORT] > DESTINATION[:PORT] [OPTION...]\n"
	"  PROTO   tcp, udp, icmp, or another protocol by its name (gre, esp, ...) or \"proto N\"\n"
	"  tcp     syn ack fin rst psh urg; without one: syn\n"
	"  icmp    echo (the default), echo-reply, timestamp, timestamp-reply, with id N and seq N; or an error: net-unreachable,\n"
	"          host-unreachable, port-unreachable, frag-needed, time-exceeded, parameter-problem, with\n"
	"          \"about PROTO SOURCE:PORT > DESTINATION:PORT\", the packet that it quotes, at the end; type N code N\n"
	"  NAME    the interface that it comes in by; lo: the box itself sends it, as routing rules have it\n"
	"  OPTION  ttl N (64), dscp N or ef, af11, cs1 ..., mark N, len N (of the whole IP packet), df, vlan N, inner-vlan N\n"
	"  on a wire  smac MAC, dmac MAC: from and to whom; IPv6 ends: [2001:db8::1]:443, and icmpv6 echo, echo-reply\n";

struct sentence {
	char text[MAX_TEXT];
	char *word[MAX_WORDS];
	int n, at;
	struct packet *p;
	struct packet_ends *ends;	/* that the next addresses belong to */
	bool what;			/* words of the packet itself may come */
	bool has_proto, has_src, has_dst, arrow;
	bool has_sport, has_dport, has_id;
	int icmp_type, icmp_code;	/* or TYPE_UNSAID */
	bool flagged;			/* some TCP flag was said */
	char *err;
	size_t err_len;
};

static int wrong(struct sentence *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct sentence *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->err, s->err_len, format, args);
	va_end(args);
	return -EINVAL;
}

/* Words are separated by spaces, commas and '+'; an arrow ("->" or ">") is a word of its own wherever it stands. */
static int split(struct sentence *s, const char *text)
{
	static char arrow[] = ">";
	char *at = s->text;
	bool inside = false;

	if (strlen(text) >= sizeof(s->text))
		return wrong(s, "the packet is described in %zu letters; right would be fewer than %d", strlen(text), MAX_TEXT);
	strcpy(s->text, text);
	for (; *at; at++) {
		if (s->n >= MAX_WORDS - 1)
			return wrong(s, "the packet is described in more than %d words", MAX_WORDS - 1);
		if (*at == '-' && at[1] == '>')
			*at++ = '\0';
		if (*at == '>') {
			s->word[s->n++] = arrow;
			inside = false;
			*at = '\0';
		} else if (strchr(" \t\n,+", *at)) {
			inside = false;
			*at = '\0';
		} else if (!inside) {
			inside = true;
			s->word[s->n++] = at;
		}
	}
	return 0;
}

/* The value behind option name; NULL: there is none. */
static const char *value(struct sentence *s, const char *name, const char *right)
{
	if (s->at < s->n && *s->word[s->at] != '>')
		return s->word[s->at++];
	wrong(s, "nothing follows \"%s\"; right would be \"%s %s\"", name, name, right);
	return NULL;
}

static int number(struct sentence *s, const char *name, unsigned long lo, unsigned long hi, unsigned long *to)
{
	char right[64], *end;
	const char *text;

	snprintf(right, sizeof(right), "N, a number from %lu to %lu", lo, hi);
	text = value(s, name, right);
	if (!text)
		return -EINVAL;
	errno = 0;
	*to = strtoul(text, &end, 0);
	if (errno || *end || end == text || *text == '-' || *to < lo || *to > hi)
		return wrong(s, "\"%s %s\": right would be %s", name, text, right);
	return 0;
}

static int option_dscp(struct sentence *s)
{
	const char *right = "N, from 0 to 63, or a name: ef, va, le, af11 to af43, cs0 to cs7", *text = value(s, "dscp", right);

	if (!text)
		return -EINVAL;
	return addr_parse_dscp(text, &s->p->dscp) ? wrong(s, "\"dscp %s\": right would be %s", text, right) : 0;
}

static int option_iif(struct sentence *s)
{
	const char *name = value(s, "iif", "NAME, an interface");

	if (!name)
		return -EINVAL;
	if (strlen(name) >= IFNAMSIZ)
		return wrong(s, "\"iif %s\": the names of interfaces have at most %d letters", name, IFNAMSIZ - 1);
	strcpy(s->p->iif, name);
	return 0;
}

static int take_mac(struct sentence *s, const char *name, uint8_t mac[6])
{
	const char *right = "MAC, as 02:00:00:00:00:01", *text = value(s, name, right);
	int end = 0;

	if (!text)
		return -EINVAL;
	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &end) != 6 || text[end])
		return wrong(s, "\"%s %s\": right would be %s", name, text, right);
	return 0;
}

static int option_smac(struct sentence *s)
{
	s->p->has_smac = true;
	return take_mac(s, "smac", s->p->smac);
}

static int option_dmac(struct sentence *s)
{
	s->p->has_dmac = true;
	return take_mac(s, "dmac", s->p->dmac);
}

static int option_proto(struct sentence *s)
{
	const char *text = value(s, "proto", "N, a name or a number up to 255");

	if (!text)
		return -EINVAL;
	if (s->has_proto)
		return wrong(s, "\"proto %s\": the protocol is said twice", text);
	if (addr_parse_proto(text, &s->ends->proto) || !s->ends->proto)
		return wrong(s, "\"proto %s\": right would be a name (tcp, udp, icmp, gre, esp ...) or a number from 1 to 255", text);
	s->has_proto = true;
	return 0;
}

enum { IN_ONLY = 1 };	/* option.flags: how it comes in, not what it is */

static const struct option {
	const char *name;
	int (*take)(struct sentence *s);	/* NULL: a number */
	size_t at;				/* of that number in struct packet */
	size_t bytes;
	unsigned long lo, hi;
	int flags;
} options[] = {
#define FIELD(f)	NULL, offsetof(struct packet, f), sizeof(((struct packet *)0)->f)
	{ "iif", option_iif, 0, 0, 0, 0, IN_ONLY },
	{ "mark", FIELD(mark), 0, 0xffffffff, IN_ONLY },
	{ "vlan", FIELD(vlan), 0, 4095, 0 },
	{ "inner-vlan", FIELD(inner), 0, 4095, 0 },
	{ "smac", option_smac, 0, 0, 0, 0, 0 },
	{ "dmac", option_dmac, 0, 0, 0, 0, 0 },
	{ "proto", option_proto, 0, 0, 0, 0, 0 },
	{ "dscp", option_dscp, 0, 0, 0, 0, 0 },
	{ "ttl", FIELD(ttl), 1, 255, 0 },
	{ "len", FIELD(len), IP_BYTES, PACKET_MAX_BYTES, 0 },
	{ "seq", FIELD(icmp_seq), 0, 65535, 0 },
	{ "mtu", FIELD(icmp_mtu), 0, 65535, 0 },
#undef FIELD
};
#define N_OPTIONS	(sizeof(options) / sizeof(options[0]))

static int take_option(struct sentence *s, const struct option *o)
{
	unsigned long n;
	int err = o->take ? o->take(s) : number(s, o->name, o->lo, o->hi, &n);

	if (err || o->take)
		return err;
	s->p->has_vlan |= o->at == offsetof(struct packet, vlan);
	s->p->has_inner |= o->at == offsetof(struct packet, inner);
	switch (o->bytes) {
	case 1:
		*((uint8_t *)s->p + o->at) = n;
		break;
	case 2:
		*(uint16_t *)((uint8_t *)s->p + o->at) = n;
		break;
	default:
		*(uint32_t *)((uint8_t *)s->p + o->at) = n;
	}
	return 0;
}

/* "[ADDR]:PORT" or "ADDR" of IPv6. */
static int read_end6(struct sentence *s, const char *word, union addr *addr, const char **port)
{
	char text[64];
	size_t len = strlen(word);
	const char *close = *word == '[' ? strchr(word, ']') : NULL;

	*port = close && close[1] == ':' ? close + 2 : NULL;
	if (close)
		len = (size_t)(close - word) - 1;
	snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : sizeof(text) - 1), word + !!close);
	if (addr_parse(text, addr) || addr_is4(addr) || (*word == '[' && (!close || (close[1] && !*port))))
		return wrong(s, "\"%s\" is no IPv6 address; right would be ADDR, or [ADDR]:PORT, as [2001:db8::1]:40000", word);
	return 0;
}

static int read_end4(struct sentence *s, const char *word, uint32_t *a, const char **port)
{
	const char *colon = strchr(word, ':');
	char addr[32];

	*port = colon ? colon + 1 : NULL;
	snprintf(addr, sizeof(addr), "%.*s", (int)(colon ? (size_t)(colon - word) : strlen(word)), word);
	if (addr_parse4(addr, a))
		return wrong(s, "\"%s\" is no IPv4 address; right would be ADDR or ADDR:PORT, as 198.18.0.10:40000", word);
	return 0;
}

static bool is_end6(const char *word)
{
	const char *colon = strchr(word, ':');

	return *word == '[' || (colon && strchr(colon + 1, ':'));
}

/* "ADDR" or "ADDR:PORT" as the next end. */
static int take_end(struct sentence *s, const char *word)
{
	bool first = !s->has_src, v6 = is_end6(word);
	const char *digits;
	uint16_t port = 0;
	union addr a6 = {};
	uint32_t a = 0;
	int err = v6 ? read_end6(s, word, &a6, &digits) : read_end4(s, word, &a, &digits);

	if (err)
		return err;
	if (digits && addr_parse_port(digits, &port))
		return wrong(s, "\"%s\": \"%s\" is no port; right would be a number from 0 to 65535", word, digits);
	if (!first && s->has_dst)
		return wrong(s, "\"%s\" is one address too many; right would be SOURCE > DESTINATION", word);
	if (!first && !s->arrow)
		return wrong(s, "\"%s\": there is no \">\" before the destination; right would be SOURCE > DESTINATION, in quotes", word);
	if (!first && s->ends->v6 != v6)
		return wrong(s, "\"%s\": one end is of IPv4, the other of IPv6; right would be both of one", word);
	s->ends->v6 = v6;
	*(first ? &s->ends->src : &s->ends->dst) = a;
	*(first ? &s->ends->src6 : &s->ends->dst6) = a6;
	if (digits)
		*(first ? &s->ends->sport : &s->ends->dport) = port;
	*(first ? &s->has_src : &s->has_dst) = true;
	*(first ? &s->has_sport : &s->has_dport) = digits;
	return 0;
}

static bool looks_like_end(const char *word)
{
	return strchr(word, ':') || *word == '[' || (*word >= '0' && *word <= '9' && strchr(word, '.'));
}

static int check_ends(struct sentence *s, const char *of)
{
	char proto[PROTO_TEXT_LEN];

	addr_print_proto(s->ends->proto, proto);
	if (!s->has_proto)
		return wrong(s, "%s has no protocol; right would be tcp, udp, icmp, another name, or proto N", of);
	if (!s->has_src || !s->has_dst)
		return wrong(s, "%s has no %s; right would be SOURCE > DESTINATION, as 198.18.0.10:40000 > 203.0.113.80:443, in quotes", of,
			     s->has_src ? "destination" : "source");
	if (packet_has_ports(s->ends->proto) && (!s->has_sport || !s->has_dport))
		return wrong(s, "%s has no %s port, which %s needs; right would be ADDR:PORT", of, s->has_sport ? "destination" : "source",
			     proto);
	if (!packet_has_ports(s->ends->proto) && (s->has_sport || s->has_dport))
		return wrong(s, "%s has a port, but %s knows none%s", of, proto,
			     s->ends->proto == IPPROTO_ICMP || s->ends->proto == IPPROTO_ICMPV6 ? "; right would be id N, its identifier" :
			     "; right would be ADDR > ADDR");
	return 0;
}

/* All behind "about" is the quoted packet. */
static int begin_about(struct sentence *s)
{
	int err;

	if (s->ends != &s->p->ends)
		return wrong(s, "\"about\" is said twice");
	err = check_ends(s, "the packet");
	if (err)
		return err;
	s->ends = &s->p->about;
	s->has_proto = s->has_src = s->has_dst = s->arrow = s->has_sport = s->has_dport = false;
	return 0;
}

static int take_id(struct sentence *s)
{
	unsigned long n;

	if (number(s, "id", 0, 65535, &n))
		return -EINVAL;
	s->ends->sport = s->ends->dport = n;
	s->has_id = true;
	return 0;
}

/* A word that says what the packet is; 1: it is none of these. */
static int take_what(struct sentence *s, const char *word)
{
	uint8_t flag, type, code;
	unsigned long n;

	if (!strcmp(word, "df")) {
		s->p->df = true;
	} else if (!strcmp(word, "about")) {
		return begin_about(s);
	} else if (!strcmp(word, "id")) {
		return take_id(s);
	} else if (!strcmp(word, "type") || !strcmp(word, "code")) {
		if (number(s, word, 0, 255, &n))
			return -EINVAL;
		*(*word == 't' ? &s->icmp_type : &s->icmp_code) = n;
	} else if (packet_flag_named(word, &flag)) {
		s->p->tcp_flags |= flag;
		s->flagged = true;
	} else if (packet_icmp_named(word, &type, &code)) {
		s->icmp_type = type;
		if (s->icmp_code == TYPE_UNSAID)
			s->icmp_code = code;
	} else if (looks_like_end(word)) {
		return take_end(s, word);
	} else if ((*word < '0' || *word > '9') && !addr_parse_proto(word, &type)) {
		if (s->has_proto)
			return wrong(s, "\"%s\": the protocol is said twice", word);
		s->ends->proto = type;
		s->has_proto = true;
	} else {
		return 1;
	}
	return 0;
}

static int take_word(struct sentence *s)
{
	const char *word = s->word[s->at++];
	int ret;

	if (!strcmp(word, ">")) {
		if (!s->has_src || s->has_dst || s->arrow)
			return wrong(s, "\">\" stands at the wrong place; right would be SOURCE > DESTINATION");
		s->arrow = true;
		return 0;
	}
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (strcmp(options[i].name, word))
			continue;
		if (!s->what && !(options[i].flags & IN_ONLY))
			break;
		return take_option(s, &options[i]);
	}
	ret = s->what ? take_what(s, word) : 1;
	if (ret != 1)
		return ret;
	if (!s->what)
		return wrong(s, "\"%s\": with a capture only iif NAME and mark N may be said", word);
	return wrong(s, "\"%s\" is not understood; right would be a protocol (tcp, udp, icmp ...), SOURCE > DESTINATION, iif, ttl, dscp, mark, "
		     "len, df, vlan; of tcp: syn, ack, fin, rst, psh, urg; of icmp: echo, echo-reply, id, time-exceeded, about ...", word);
}

static int check_icmp(struct sentence *s)
{
	struct packet *p = s->p;
	bool quotes = p->about.proto;

	p->icmp_type = s->icmp_type == TYPE_UNSAID ? ECHO : s->icmp_type;
	p->icmp_code = s->icmp_code == TYPE_UNSAID ? 0 : s->icmp_code;
	if (packet_icmp_is_error(p->icmp_type) && !quotes)
		return wrong(s, "an ICMP error quotes the packet that it is about; right would be, at the end: about tcp 203.0.113.1:40000 > 203.0.113.80:443");
	if (!packet_icmp_is_error(p->icmp_type) && quotes)
		return wrong(s, "only ICMP errors (time-exceeded, port-unreachable ...) are about another packet");
	if (packet_icmp_is_query(p->icmp_type) && !s->has_id)
		p->ends.sport = p->ends.dport = 1;
	return 0;
}

/* ICMPv6 by the words of ICMP. */
static int check_icmp6(struct sentence *s)
{
	struct packet *p = s->p;
	uint8_t type;

	if (s->ends == &p->about || s->icmp_code > 0 || (s->icmp_type != TYPE_UNSAID && !packet_icmp6_type((uint8_t)s->icmp_type, &type)))
		return wrong(s, "of icmpv6 only echo and echo-reply are understood");
	packet_icmp6_type(s->icmp_type == TYPE_UNSAID ? ECHO : (uint8_t)s->icmp_type, &p->icmp_type);
	if (!s->has_id)
		p->ends.sport = p->ends.dport = 1;
	return 0;
}

static int check_family(struct sentence *s)
{
	const struct packet *p = s->p;

	if (p->ends.v6 && p->ends.proto == IPPROTO_ICMP)
		return wrong(s, "icmp is IPv4's; right would be icmpv6");
	if (!p->ends.v6 && p->ends.proto == IPPROTO_ICMPV6)
		return wrong(s, "icmpv6 is IPv6's; right would be icmp");
	if (p->ends.v6 && p->df)
		return wrong(s, "only IPv4 has df: no router cuts IPv6 into fragments");
	return p->has_inner && !p->has_vlan ? wrong(s, "\"inner-vlan %u\" stands behind an outer tag; right would be vlan N inner-vlan %u",
						     p->inner, p->inner) : 0;
}

static uint32_t least_len(const struct packet *p)
{
	uint32_t head = p->ends.v6 ? IP6_BYTES : IP_BYTES;

	switch (p->ends.proto) {
	case IPPROTO_TCP:
		return head + 20;
	case IPPROTO_UDP:
		return head + 8;
	case IPPROTO_ICMP:
		return head + ICMP_BYTES + (p->about.proto ? IP_BYTES + 8 : 0);
	case IPPROTO_ICMPV6:
		return head + ICMP_BYTES;
	default:
		return head;
	}
}

static bool is_ping(const struct packet *p)
{
	return (p->ends.proto == IPPROTO_ICMP && !p->about.proto) || p->ends.proto == IPPROTO_ICMPV6;
}

/* What was said of all protocols, together. */
static int check(struct sentence *s)
{
	bool about = s->ends == &s->p->about, id = s->has_id;
	struct packet *p = s->p;
	int err = check_ends(s, about ? "the quoted packet" : "the packet");
	uint32_t least;

	if (err)
		return err;
	if (s->flagged && p->ends.proto != IPPROTO_TCP)
		return wrong(s, "only tcp has flags (syn, ack ...)");
	err = check_family(s);
	if (err)
		return err;
	if ((s->icmp_type != TYPE_UNSAID || s->icmp_code != TYPE_UNSAID || id || about) && p->ends.proto != IPPROTO_ICMP &&
	    p->ends.proto != IPPROTO_ICMPV6)
		return wrong(s, "only icmp has kinds, types, codes, an id or another packet that it is about");
	if (p->ends.proto == IPPROTO_TCP && !s->flagged)
		p->tcp_flags = TCP_SYN;
	err = p->ends.proto == IPPROTO_ICMP ? check_icmp(s) : p->ends.proto == IPPROTO_ICMPV6 ? check_icmp6(s) : 0;
	if (err)
		return err;
	least = least_len(p);
	if (!p->len)
		p->len = least + (is_ping(p) ? PING_BYTES : 0);
	return p->len >= least ? 0 : wrong(s, "\"len %u\": its headers alone have %u bytes", p->len, least);
}

int packet_parse(const char *text, bool what, struct packet *out, char *err, size_t err_len)
{
	struct sentence s = { .p = out, .ends = &out->ends, .what = what, .icmp_type = TYPE_UNSAID, .icmp_code = TYPE_UNSAID,
			      .err = err, .err_len = err_len };
	int ret;

	memset(out, 0, sizeof(*out));
	out->ttl = TTL_DEFAULT;
	ret = split(&s, text);
	if (!ret && what && !s.n)
		ret = wrong(&s, "no packet is described; right would be: iif lan0 tcp 198.18.0.10:40000 > 203.0.113.80:443 syn");
	while (!ret && s.at < s.n)
		ret = take_word(&s);
	return ret || !what ? ret : check(&s);
}
