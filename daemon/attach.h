/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * attach.h - natvi's programs on interfaces.
 *
 * What is attached is the kernel's knowledge alone: an interface's filters and XDP program are
 * listed, and natvi's own are those whose ids its pins hold. So an attached datapath is found again
 * by the next daemon, and by `down` with no daemon there. What is not natvi's is never replaced.
 */
#ifndef NATVI_DAEMON_ATTACH_H
#define NATVI_DAEMON_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/links.h"
#include "daemon/pins.h"
#include "daemon/tables.h"
#include "lib/config.h"
#include "lib/netlink.h"

struct attach {
	const char *instance;
	struct nl *nl;
	struct pins pins;		/* see attach_refresh() */
	bool accel;			/* what learns connections of the kernel's, too */
};

/* What a device is for, which says what programs it gets. */
enum attach_role { ATTACH_NAT, ATTACH_WIRE, ATTACH_TARGET };

/* What one interface got. */
struct attached {
	enum xdp_mode xdp;		/* NATIVE, GENERIC or OFF; never AUTO */
	bool made_clsact;
	bool replaced;			/* this instance had programs there already */
	char why_off[96];		/* xdp is OFF although it was not asked to be: the reason, for a person */
};

int attach_begin(struct attach *attach, const char *instance, struct nl *nl);
void attach_end(struct attach *attach);

/* Programs were pinned since. Returns 0 or a negative errno. */
int attach_refresh(struct attach *attach);

/*
 * Put the programs on an interface, or new ones in place of the former ones. Returns 0, or a
 * negative errno with a sentence in err: -EBUSY the interface is another instance's.
 */
int attach_port(struct attach *attach, const struct tables *tables, const struct link *link, enum attach_role role, enum xdp_mode mode,
		struct attached *out, char *err, size_t err_len);

/* The same for both ends of nvi0; of a wire's, whose far end only makes it a link, for the near one. */
struct nvi;
int attach_nvi(struct attach *attach, const struct tables *tables, const struct nvi *nvi, char *err, size_t err_len);
bool attach_nvi_complete(struct attach *attach, const struct nvi *nvi);

/* Take this instance's programs off an interface. Returns how many were there, or a negative errno. */
int detach_port(struct attach *attach, const struct link *link);

/* Does this instance have a program on the interface? */
bool attach_present(struct attach *attach, const struct link *link);

/* Is the complete datapath still on an interface that was attached? */
bool attach_complete(struct attach *attach, const struct tables *tables, const struct link *link, enum attach_role role);

/* Remove an interface's clsact qdisc if no filter is left there. */
void detach_clsact(struct attach *attach, const struct link *link);

/* Would `auto` use XDP on this interface? If not, *why says why. */
bool xdp_suits(const struct link *link, const char **why);

#endif
