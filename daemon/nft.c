/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nft.c - see nft.h.
 */
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

#include "daemon/nft.h"
#include "lib/log.h"

#define PRIORITY	-310	/* before connection tracking (-200) and the user's raw chains (-300) */

static int run(const char *commands, int level)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int ret;

	if (!nft)
		return -ENOMEM;
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	ret = nft_run_cmd_from_buffer(nft, commands) ? -EOPNOTSUPP : 0;
	if (ret && level)
		log_debug("nftables: %.400s", nft_ctx_get_error_buffer(nft));
	nft_ctx_free(nft);
	return ret;
}

int nft_table_make(const char *instance, uint32_t mark)
{
	char commands[1024];

	/* Naming the table first makes deleting it succeed; all of it is one transaction. */
	snprintf(commands, sizeof(commands),
		 "table inet natvi_%s {}\n"
		 "delete table inet natvi_%s\n"
		 "table inet natvi_%s {\n"
		 "  chain prerouting {\n"
		 "    type filter hook prerouting priority %d; policy accept;\n"
		 "    meta mark & 0x%08x == 0x%08x meta mark set meta mark & 0x%08x notrack\n"
		 "  }\n"
		 "}\n", instance, instance, instance, PRIORITY, mark, mark, ~mark);
	return run(commands, 1);
}

int nft_table_remove(const char *instance)
{
	char commands[128];

	snprintf(commands, sizeof(commands), "delete table inet natvi_%s\n", instance);
	run(commands, 0);
	return 0;
}
