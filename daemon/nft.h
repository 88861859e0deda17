/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nft.h - natvi's own nftables table, "inet natvi_INSTANCE". It touches no other.
 *
 * prerouting: the datapath marks packets that it leaves to the kernel in the middle of a flow. One rule
 * takes the mark off again and exempts them from connection tracking, so that no rule of the user's ever
 * judges half a connection.
 *
 * forward: an interface that has a served one's name but not its programs (it has just appeared, or could
 * not be attached) forwards nothing: what it forwarded would leave untranslated. The kernel checks that
 * by name and index, so no event can come too late, and it holds with the daemon dead.
 *
 * kernel_nat, kernel_help: see nft_kernel.h; only where a rule asks for them.
 */
#ifndef NATVI_DAEMON_NFT_H
#define NATVI_DAEMON_NFT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft_guard {
	const char (*names)[IFNAMSIZ];	/* of interfaces that natvi is to serve */
	size_t n_names;
	const uint32_t *served;		/* indexes of those that have its programs */
	size_t n_served;
	const char *nvi_peer;		/* far end of the virtual interface; "": there is none */
	const char *kernel;		/* what the kernel is to do (nft_kernel.h); "": nothing */
};

/* Run nft commands; tell: say why not, at level debug. Returns 0 or a negative errno. */
int nft_run(const char *commands, bool tell);

/* Would the kernel take these? Changes nothing. */
int nft_try(const char *commands);

/* Make the table, or make it anew, at one go. Returns 0, or a negative errno when this kernel has no nftables. */
int nft_table_make(const char *instance, uint32_t mark, const struct nft_guard *guard);

bool nft_table_present(const char *instance);

/* Remove it; no table is no error. */
void nft_table_remove(const char *instance);

#endif
