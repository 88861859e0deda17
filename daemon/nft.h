/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nft.h - natvi's own nftables table, "inet natvi_INSTANCE".
 *
 * The datapath marks packets that it leaves to the kernel in the middle of a flow. One rule takes the
 * mark off again and exempts them from connection tracking, so that no rule of the user's ever judges
 * half a connection. The table is natvi's alone and touches no other.
 */
#ifndef NATVI_DAEMON_NFT_H
#define NATVI_DAEMON_NFT_H

#include <stdint.h>

/* Make the table, or make it anew. Returns 0, or a negative errno when this kernel has no nftables. */
int nft_table_make(const char *instance, uint32_t mark);

/* Remove it; no table is no error. */
int nft_table_remove(const char *instance);

#endif
