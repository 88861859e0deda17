/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * replay.c - `natvi replay IN.pcap OUT.pcap -c FILE`: the datapath on a capture.
 *
 * The box is made up from the configuration: each interface gets an address (--address, or
 * one of TEST-NET-3 for the uplink and of 198.18.0.0/15 for the others), the default route goes
 * out by the uplink, everything else is on its link. A packet comes in by the uplink when it is
 * for an outside address, else by the first other interface. Needs no privilege.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "cli/cli.h"
#include "host/native.h"
#include "lib/addr.h"
#include "lib/verdict.h"

#define ETH_HEAD	14
#define LINKTYPE_RAW_IP	101

struct replay {
	struct config *config;
	struct native_net net;
	struct native *native;
	size_t uplink;			/* index in net.interfaces */
	uint64_t verdicts[VERDICT_COUNT];
	uint64_t packets, sent, icmp;
	bool verbose, json;
};

static size_t find_uplink(const struct config *config)
{
	for (size_t r = 0; r < config->n_rules; r++) {
		const struct cfg_rule *rule = &config->rules[r];

		if (rule->action != ACTION_TRANSLATE || !rule->to.n_interfaces)
			continue;
		for (size_t i = 0; i < config->n_interfaces; i++)
			if (!strcmp(config->interfaces[i].name, rule->to.interfaces[0]))
				return i;
	}
	return config->n_interfaces - 1;
}

static int make_net(struct replay *r)
{
	size_t n = r->config->n_interfaces;

	r->net.interfaces = calloc(n, sizeof(*r->net.interfaces));
	r->net.routes = calloc(n + 1, sizeof(*r->net.routes));
	if (!r->net.interfaces || !r->net.routes)
		return -ENOMEM;
	r->uplink = find_uplink(r->config);
	r->net.n_interfaces = n;
	r->net.any_mac = true;
	r->net.local_lo = 32768;
	r->net.local_hi = 60999;
	for (size_t i = 0; i < n; i++) {
		struct native_interface *in = &r->net.interfaces[i];

		snprintf(in->name, sizeof(in->name), "%s", r->config->interfaces[i].name);
		in->ifindex = i + 1;
		memcpy(in->mac, (uint8_t[]){ 2, 0, 0, 0, 0, i + 1 }, 6);
		in->mtu = 1500;
		in->addr = i == r->uplink ? 0xcb007101 : 0xc6120001 + (i << 8);	/* 203.0.113.1, 198.18.i.1 */
		in->addr_len = i == r->uplink || n > 2 ? 24 : 15;
	}
	return 0;
}

/* Routes follow the addresses: the links, and the default by the uplink. */
static void make_routes(struct replay *r)
{
	for (size_t i = 0; i <= r->net.n_interfaces; i++) {
		bool last = i == r->net.n_interfaces;
		const struct native_interface *in = &r->net.interfaces[last ? r->uplink : i];
		struct native_route *route = &r->net.routes[i];

		route->prefix = last ? 0 : in->addr;
		route->len = last ? 0 : in->addr_len;
		route->ifindex = in->ifindex;
		route->has_mac = true;
		memcpy(route->mac, (uint8_t[]){ 2, 0, 0, 0, 1, in->ifindex }, 6);
	}
	r->net.n_routes = r->net.n_interfaces + 1;
}

/* NAME=ADDR/LEN */
static int set_address(struct replay *r, const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct cfg_prefix4 p;
	struct in_addr addr;
	char text[64];
	char *slash;

	if (!eq || strlen(eq + 1) >= sizeof(text))
		return -EINVAL;
	strcpy(text, eq + 1);
	slash = strchr(text, '/');
	p.len = slash ? strtoul(slash + 1, NULL, 10) : 24;
	if (slash)
		*slash = 0;
	if (inet_pton(AF_INET, text, &addr) != 1 || p.len > 32)
		return -EINVAL;
	for (size_t i = 0; i < r->net.n_interfaces; i++) {
		struct native_interface *in = &r->net.interfaces[i];

		if (strlen(in->name) != (size_t)(eq - arg) || strncmp(in->name, arg, eq - arg))
			continue;
		in->addr = ntohl(addr.s_addr);
		in->addr_len = p.len;
		return 0;
	}
	return -ENODEV;
}

static bool is_outside(const struct replay *r, uint32_t dst)
{
	if (dst == r->net.interfaces[r->uplink].addr)
		return true;
	for (size_t p = 0; p < r->config->n_pools; p++)
		for (size_t i = 0; i < r->config->pools[p].n_addrs; i++)
			if (dst >= r->config->pools[p].addrs[i].lo && dst <= r->config->pools[p].addrs[i].hi)
				return true;
	for (size_t f = 0; f < r->config->n_forwards; f++)
		if (r->config->forwards[f].ext_addr == dst)
			return true;
	return false;
}

/* The interface that a frame is taken to come in by. */
static uint32_t way_in(const struct replay *r, const uint8_t *frame, size_t len)
{
	size_t first = r->uplink == 0 && r->net.n_interfaces > 1 ? 1 : 0;
	uint32_t dst;

	if (len < ETH_HEAD + 20)
		return r->net.interfaces[first].ifindex;
	memcpy(&dst, frame + ETH_HEAD + 16, sizeof(dst));
	return r->net.interfaces[is_outside(r, ntohl(dst)) ? r->uplink : first].ifindex;
}

static void say(const struct replay *r, uint64_t number, uint32_t in, const struct native_result *result)
{
	printf("%6" PRIu64 "  %-8s -> %-8s %s\n", number, r->net.interfaces[in - 1].name,
	       result->action == NATIVE_SEND && result->out_ifindex <= r->net.n_interfaces ?
	       r->net.interfaces[result->out_ifindex - 1].name : result->action == NATIVE_KERNEL ? "kernel" : "-",
	       verdict_name(result->verdict));
}

static int one(struct replay *r, const struct pcap_pkthdr *h, const uint8_t *data, int linktype, pcap_dumper_t *out)
{
	uint8_t raw[NATIVE_MAX_FRAME] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 8, 0 };
	struct native_result result;
	struct pcap_pkthdr oh = *h;
	size_t len = h->caplen;
	uint32_t in;

	if (linktype == DLT_RAW) {
		if (len + ETH_HEAD > sizeof(raw))
			return 0;
		memcpy(raw + ETH_HEAD, data, len);
		data = raw;
		len += ETH_HEAD;
	}
	r->packets++;
	in = way_in(r, data, len);
	result = native_run(r->native, in, data, len, (uint32_t)h->ts.tv_sec ? (uint32_t)h->ts.tv_sec : 1);
	r->verdicts[result.verdict]++;
	r->icmp += result.icmp;
	if (r->verbose)
		say(r, r->packets, in, &result);
	if (result.action != NATIVE_SEND)
		return 0;
	r->sent++;
	oh.caplen = oh.len = result.len;
	pcap_dump((u_char *)out, &oh, result.frame);
	return 0;
}

static int run(struct replay *r, const char *in_path, const char *out_path)
{
	char err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const u_char *data;
	pcap_dumper_t *out;
	pcap_t *in, *dead;
	int ret, type;

	in = pcap_open_offline(in_path, err);
	if (!in) {
		fprintf(stderr, "natvi: %s: %s\n", in_path, err);
		return 1;
	}
	type = pcap_datalink(in);
	if (type != DLT_EN10MB && type != DLT_RAW) {
		fprintf(stderr, "natvi: %s: link type %s; captures of Ethernet or raw IP can be replayed\n", in_path,
			pcap_datalink_val_to_name(type) ? pcap_datalink_val_to_name(type) : "unknown");
		pcap_close(in);
		return 1;
	}
	dead = pcap_open_dead(DLT_EN10MB, 65535);
	out = pcap_dump_open(dead, out_path);
	if (!out) {
		fprintf(stderr, "natvi: %s\n", pcap_geterr(dead));
		pcap_close(dead);
		pcap_close(in);
		return 1;
	}
	while ((ret = pcap_next_ex(in, &h, &data)) == 1)
		one(r, h, data, type, out);
	if (ret == -1)
		fprintf(stderr, "natvi: %s: %s\n", in_path, pcap_geterr(in));
	ret = ret == -1 || pcap_dump_flush(out) ? 1 : 0;
	pcap_dump_close(out);
	pcap_close(dead);
	pcap_close(in);
	return ret;
}

static void summary(const struct replay *r)
{
	if (r->json) {
		json_t *verdicts = json_object();
		json_t *root;

		for (int v = 0; v < VERDICT_COUNT; v++)
			if (r->verdicts[v])
				json_object_set_new(verdicts, verdict_name(v), json_integer(r->verdicts[v]));
		root = json_pack("{sI sI sI sI so}", "packets", (json_int_t)r->packets, "sent", (json_int_t)r->sent,
				 "icmp_errors", (json_int_t)r->icmp, "sessions",
				 (json_int_t)native_usage(r->native)->sessions, "verdicts", verdicts);
		json_dumpf(root, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(root);
		return;
	}
	printf("%" PRIu64 " packets in, %" PRIu64 " sent (%" PRIu64 " of them ICMP errors), %u sessions\n", r->packets, r->sent,
	       r->icmp, native_usage(r->native)->sessions);
	for (int v = 0; v < VERDICT_COUNT; v++)
		if (r->verdicts[v])
			printf("%8" PRIu64 "  %-16s %s\n", r->verdicts[v], verdict_name(v), verdict_text(v));
}

static int set_addresses(struct replay *r, const char *const *addresses, size_t n, const char *config)
{
	for (size_t i = 0; i < n; i++)
		if (set_address(r, addresses[i])) {
			fprintf(stderr, "natvi: --address %s: not IFACE=ADDR/LEN of an interface in %s\n", addresses[i], config);
			return -1;
		}
	return 0;
}

static const char usage[] =
	"usage: natvi replay IN.pcap OUT.pcap -c FILE [--address IFACE=ADDR/LEN]... [--verbose] [--json]\n";

int cmd_replay(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "address", required_argument, NULL, 'a' },
		{ "verbose", no_argument, NULL, 'v' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, {}
	};
	const char *config = NULL, *addresses[64];
	struct cfg_errors errors = {};
	struct replay r = {};
	size_t n_addresses = 0;
	char err[256] = "";
	int c, ret = 1;

	while ((c = getopt_long(argc, argv, "c:a:vjh", options, NULL)) != -1) {
		if (c == 'c')
			config = optarg;
		else if (c == 'a' && n_addresses < 64)
			addresses[n_addresses++] = optarg;
		else if (c == 'v')
			r.verbose = true;
		else if (c == 'j')
			r.json = true;
		else {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
	}
	if (!config || argc - optind != 2) {
		fputs(usage, stderr);
		return 2;
	}
	if (config_read_file(config, &r.config, &errors)) {
		cfg_errors_print(r.config, config, &errors, stderr);
		cfg_errors_free(&errors);
		return 1;
	}
	if (r.config->n_wires) {
		fprintf(stderr, "natvi: %s: has wires, and replay is for NAT; give it a file with `interfaces`\n", config);
		goto out;
	}
	if (make_net(&r))
		goto out;
	if (set_addresses(&r, addresses, n_addresses, config)) {
		ret = 2;
		goto out;
	}
	make_routes(&r);
	if (native_new(r.config, &r.net, &r.native, err, sizeof(err))) {
		fprintf(stderr, "natvi: %s: %s\n", config, err);
		goto out;
	}
	ret = run(&r, argv[optind], argv[optind + 1]);
	if (!ret)
		summary(&r);
out:
	native_free(r.native);
	free(r.net.interfaces);
	free(r.net.routes);
	config_free(r.config);
	return ret;
}
