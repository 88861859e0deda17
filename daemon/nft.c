/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nft.c - see nft.h.
 */
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/nft.h"
#include "lib/log.h"

#define PRIORITY	-310	/* before connection tracking (-200) and the user's raw chains (-300) */

static int run(const char *commands, bool tell, bool dry)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int ret;

	if (!nft)
		return -ENOMEM;
	nft_ctx_set_dry_run(nft, dry);
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	ret = nft_run_cmd_from_buffer(nft, commands) ? -EOPNOTSUPP : 0;
	if (ret && tell)
		log_debug("nftables: %.400s", nft_ctx_get_error_buffer(nft));
	nft_ctx_free(nft);
	return ret;
}

int nft_run(const char *commands, bool tell)
{
	return run(commands, tell, false);
}

int nft_try(const char *commands)
{
	return run(commands, true, true);
}

static void put_names(FILE *out, const struct nft_guard *guard)
{
	size_t i;

	fprintf(out, "  set names { type ifname; ");
	for (i = 0; i < guard->n_names; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "elements = { ", guard->names[i]);
	fprintf(out, "%s}\n", guard->n_names ? " } " : "");
}

static void put_served(FILE *out, const struct nft_guard *guard)
{
	size_t i;

	fprintf(out, "  set served { type iface_index; ");
	for (i = 0; i < guard->n_served; i++)
		fprintf(out, "%s%u", i ? ", " : "elements = { ", guard->served[i]);
	fprintf(out, "%s}\n", guard->n_served ? " } " : "");
}

static void put_table(FILE *out, const char *instance, uint32_t mark, const struct nft_guard *guard)
{
	char nvi[64] = "";

	/* What comes out of the far end is the second half of what went into nvi0. */
	if (*guard->nvi_peer)
		snprintf(nvi, sizeof(nvi), "    iifname \"%s\" notrack\n", guard->nvi_peer);
	/* Naming the table first makes deleting it succeed; all of it is one transaction. */
	fprintf(out, "table inet natvi_%s {}\ndelete table inet natvi_%s\ntable inet natvi_%s {\n", instance, instance, instance);
	put_names(out, guard);
	put_served(out, guard);
	fprintf(out, "  chain prerouting {\n"
		"    type filter hook prerouting priority %d; policy accept;\n"
		"    meta mark & 0x%08x == 0x%08x meta mark set meta mark & 0x%08x notrack\n"
		"%s"
		"  }\n", PRIORITY, mark, mark, ~mark, nvi);
	fprintf(out, "  chain forward {\n"
		"    type filter hook forward priority %d; policy accept;\n"
		"    meta nfproto ipv4 iifname @names iif != @served drop\n"
		"    meta nfproto ipv4 oifname @names oif != @served drop\n"
		"  }\n%s}\n", PRIORITY, guard->kernel);
}

int nft_table_make(const char *instance, uint32_t mark, const struct nft_guard *guard)
{
	char *commands = NULL;
	size_t len;
	FILE *out = open_memstream(&commands, &len);
	int ret;

	if (!out)
		return -ENOMEM;
	put_table(out, instance, mark, guard);
	ret = fclose(out) ? -ENOMEM : nft_run(commands, true);
	free(commands);
	return ret;
}

bool nft_table_present(const char *instance)
{
	char commands[128];

	snprintf(commands, sizeof(commands), "list table inet natvi_%s\n", instance);
	return !nft_run(commands, false);
}

void nft_table_remove(const char *instance)
{
	char commands[128];

	snprintf(commands, sizeof(commands), "delete table inet natvi_%s\n", instance);
	nft_run(commands, false);
}
