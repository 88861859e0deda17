/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * adopt.c - connections that pass through the box before natvi does: they go on through the kernel.
 *
 * Read once from conntrack. A connection of which neither end is the box is given to the datapath as
 * a session that it leaves untouched (FLOW_KERNEL). See session.h.
 */
#include <errno.h>
#include <string.h>

#include "daemon/links.h"
#include "daemon/session.h"
#include "lib/addr.h"
#include "lib/conntrack.h"
#include "lib/log.h"

#define NO_TIMEOUT_S	300u	/* what does not say how long it has left */

struct adoption {
	const struct tables *tables;
	const struct links *links;
	int adopted, refused;
};

/* The box is an end of it: what sends the packets, or what finally answers. */
static bool ends_here(const struct adoption *a, const struct tuple *orig, const struct tuple *reply)
{
	return links_owns4(a->links, addr_to4(&orig->src)) || links_owns4(a->links, addr_to4(&reply->src));
}

static int take_connection(const struct ct_entry *entry, void *data)
{
	struct adopt_args args = { .orig = entry->orig, .reply = entry->reply };
	struct adoption *a = data;

	if (!addr_is4(&entry->orig.src) || ends_here(a, &args.orig, &args.reply))
		return 0;
	args.idle_s = entry->timeout_s < 1 ? NO_TIMEOUT_S : entry->timeout_s > 65535 ? 65535 : entry->timeout_s;
	if (!tables_run(a->tables, PROG_ADOPT, &args, sizeof(args)) && !args.result)
		a->adopted++;
	else
		a->refused++;
	return 0;
}

int adopt_existing(const struct tables *tables, const struct links *links)
{
	struct adoption a = { .tables = tables, .links = links };
	int ret;

	if (tables->prog[PROG_ADOPT] < 0)
		return 0;
	ret = ct_each(take_connection, &a);
	if (ret == -EOPNOTSUPP)
		return 0;	/* a kernel without connection tracking has no connections */
	if (ret)
		log_debug("conntrack cannot be read: %s", strerror(-ret));
	if (a.adopted)
		log_info("%d connections that the kernel forwards are left to it until they end", a.adopted);
	if (a.refused)
		log_warn("%d connections that the kernel forwards found no room in the flow table and will break", a.refused);
	return a.adopted;
}
