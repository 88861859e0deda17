/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * state.h - the running daemon: what all its parts share.
 *
 * One thread, one event loop (libev). Everything here belongs to it; no locks. Life: daemon_run()
 * makes it, fills it in the order of its fields, and takes it apart in reverse.
 */
#ifndef NATVI_DAEMON_STATE_H
#define NATVI_DAEMON_STATE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "daemon/attach.h"
#include "daemon/daemon.h"
#include "daemon/links.h"
#include "daemon/nvi.h"
#include "daemon/plan.h"
#include "daemon/served.h"
#include "daemon/tables.h"
#include "lib/config.h"
#include "lib/netlink.h"

struct accel;
struct announce;
struct clashes;
struct expects;
struct guard;
struct park;
struct routes;
struct watch;
struct sweep;
struct server;

struct daemon {
	const char *instance;
	const char *config_path;
	int lock;
	struct ev_loop *loop;
	struct nl nl;			/* requests of the main thread */
	struct tables *tables;
	struct attach attach;

	struct config *config;		/* in force */
	bool keep_config;		/* whoever brings the next one has a use for it */
	struct links links;		/* the picture that plan was made from */
	struct plan plan;		/* in force */
	bool has_plan;			/* false: what the maps hold is not known here yet */
	struct slots slots;
	struct pool_place places[NATVI_MAX_POOLS];
	char zones[NATVI_MAX_ZONES][NATVI_NAME_LEN];	/* names by number */
	char wires[NATVI_MAX_WIRES][NATVI_NAME_LEN];	/* likewise */
	uint8_t bridge_told[NATVI_MAX_WIRES];	/* see wire_bridge.c */
	struct port *ports;		/* [NATVI_MAX_PORTS] as the map has them */
	struct served *served;
	size_t n_served;
	bool draining;			/* some slot or pool is still named by mappings */
	ev_timer drain_timer;		/* runs for the moment in which a lost address may come back */
	struct clashes *clashes;	/* services whose port NAT has given away */
	struct expects *expects;	/* NULL: no rule has the kernel help */
	bool overlaps;			/* mappings hold ports that are reserved by now */
	uint32_t overlaps_s;		/* when that was looked at last */
	uint32_t retry_s;		/* when what could not be attached was tried last */
	char conflict[512];		/* between the configuration and addresses that came since; said once; "": none */
	bool going_back;		/* to the configuration before: addresses that came since do not stop that */
	bool mark_slow;			/* natvi's nftables table stands */
	bool policy;			/* see SETTINGS_POLICY */
	bool one_route;			/* see SETTINGS_ONE_ROUTE */
	bool mark_routes;		/* see SETTINGS_MARK_ROUTES */

	struct json_t *rule_ids;	/* see rule_ids.h */
	uint16_t *rule_numbers;		/* of config's rules */
	struct plan_addr *former;	/* see orphans.h; sorted */
	size_t n_former;
	uint32_t former_s;		/* when it was looked at last */
	struct config *fallback;	/* last confirmed configuration, while a confirmation is waited for */
	ev_timer confirm_timer;
	time_t started;
	uint32_t applied_s;
	bool release;			/* `down` follows: let go of neighbours too */

	struct nvi nvi;
	struct park *park;
	struct watch *watch;
	struct sweep *sweep;
	struct server *server;
	struct guard *guard;		/* what natvi's nftables table says */
	struct routes *routes;		/* to outside addresses, by nvi0 */
	struct announce *announce;	/* of outside addresses, by ARP */
	struct accel *accel;		/* NULL: connections of the kernel's are not accelerated */
};

/* engine.c */

/*
 * Bring the datapath to what the configuration says about the namespace as it is now. next: a new
 * configuration, which is taken over on success only; NULL: the one in force again. All or nothing:
 * on error nothing was changed, and err holds a sentence. Returns 0 or a negative errno.
 */
int engine_apply(struct daemon *d, struct config *next, char *err, size_t err_len);

/*
 * Somebody took filters off some interface: were ours among them? Then the next engine_apply() attaches
 * again, and true is returned.
 */
bool engine_verify(struct daemon *d);

/* Is there an interface that could not be attached? */
bool engine_troubled(const struct daemon *d);

/* natvi's nftables table, before any interface is attached that is not attached already. */
int engine_guard(struct daemon *d);

/* What the pinned maps say about slots and pools, after tables_open(). Returns 0 or a negative errno. */
int engine_adopt_tables(struct daemon *d);

/* Sessions and mappings on addresses that went, and reserved ports, are looked after; called each second. */
void engine_tick(struct daemon *d);

/* Mappings went: reserved ports that they held are taken again at once. */
void engine_freed(struct daemon *d);

/* The configuration's routes have changed: cached ones are looked up again. */
void engine_new_generation(struct daemon *d);

#endif
