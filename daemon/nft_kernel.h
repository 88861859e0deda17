/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nft_kernel.h - rules that leave their traffic to the kernel, as nftables has them: what action: {kernel: ...} asks of it.
 *
 * A nat chain before the user's translates the sources, a filter chain in the forward hook, where the way out is known and
 * nothing is confirmed yet, assigns the helpers. The rules are in the configuration's order; one that only says `kernel`
 * ends the matter for what it speaks of. Answers to a handshake that nobody began end there: the datapath leaves all of them to
 * the kernel where helpers are at work (dp/expect.h), and they must not leave untranslated. Plain memory.
 */
#ifndef NATVI_DAEMON_NFT_KERNEL_H
#define NATVI_DAEMON_NFT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

struct config;

/*
 * The objects and chains, for natvi's own table (it has the set `names`); of both configurations where they differ, b going
 * before: while one takes the other's place. "" when none is needed; NULL without memory. a may be NULL. To be freed.
 */
char *nft_kernel_text(const struct config *a, const struct config *b);

/* Does some rule need a helper? */
bool nft_kernel_helps(const struct config *config);

/* Can this kernel do what the configuration asks of it? 0, or a negative errno and a sentence in err. */
int nft_kernel_check(const struct config *config, char *err, size_t err_len);

#endif
