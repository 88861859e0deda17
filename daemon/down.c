/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * down.c - take an instance down. See daemon.h.
 *
 * Needs nothing of the instance's own version: it goes by the pins, the kernel's lists and the file of
 * sysctls. Order: sysctls first, so that forwarding is off (if it was) before translation ends.
 */
#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/attach.h"
#include "daemon/daemon.h"
#include "daemon/handover.h"
#include "daemon/netns.h"
#include "daemon/nft.h"
#include "daemon/nvi.h"
#include "daemon/pins.h"
#include "daemon/routes.h"
#include "daemon/wire_bridge.h"
#include "daemon/zone_rules.h"
#include "lib/ctl.h"
#include "lib/instance.h"
#include "lib/log.h"
#include "lib/maps.h"
#include "lib/sysctl.h"

#define STOP_TRIES	100	/* of a tenth of a second */

/* Nothing by that name: no pins and no state. */
static bool absent(const char *instance)
{
	char pins[INSTANCE_PATH_LEN], state[INSTANCE_PATH_LEN];

	instance_pin_path(pins, instance, "");
	instance_path(state, instance, INSTANCE_SYSCTL);
	return access(pins, F_OK) && access(state, F_OK);
}

/* Take the lock, after the daemon that holds it has ended. */
static int stop_daemon(const char *instance)
{
	json_t *request, *reply = NULL;
	int pid, lock, tries;
	char err[256];

	lock = instance_lock(instance, &pid);
	if (lock != -EWOULDBLOCK)
		return lock;
	request = ctl_request("stop");
	json_object_set_new(request, "down", json_true());
	if (ctl_call(instance, request, CTL_TIMEOUT_MS, &reply, err, sizeof(err)) && pid > 0) {
		log_warn("the daemon (pid %d) does not answer: %s; it is told to end by signal", pid, err);
		kill(pid, SIGTERM);
	}
	json_decref(reply);
	for (tries = 0; tries < STOP_TRIES && lock == -EWOULDBLOCK; tries++) {
		usleep(100000);
		lock = instance_lock(instance, &pid);
	}
	if (lock == -EWOULDBLOCK)
		log_err("the daemon (pid %d) does not end: kill it, then try again", pid);
	return lock;
}

/* Go where the instance lives. 1: that namespace is gone, and all that was attached with it. */
static int enter_netns(const char *instance)
{
	char was[NETNS_NAME_LEN], own[NETNS_NAME_LEN];
	int fd, err = 0;

	sysctl_netns(instance, was);
	netns_own(own);
	if (!was[0] || !strcmp(was, own))
		return 0;
	fd = netns_find(was);
	if (fd < 0)
		return 1;
	if (setns(fd, CLONE_NEWNET)) {
		err = -errno;
		log_err("instance \"%s\" lives in another network namespace (%s), which cannot be entered: %s; "
			"run `natvi down` there", instance, was, strerror(-err));
	}
	close(fd);
	return err;
}

/* Routers are told before anything else: what goes to the outside addresses is lost from now on. */
static void withdraw_routes(const char *instance)
{
	struct maps *maps;
	char err[256];

	if (maps_open(&maps, instance, err, sizeof(err)))
		return;		/* of another version: the routes go with the device */
	if (maps->control.nvi_ifindex && routes_withdraw(maps->control.nvi_ifindex))
		log_warn("not every route by nvi0 could be withdrawn");
	maps_close(maps);
}

struct renamed {
	const char *instance;
	struct links links;
};

static int follow_name(const struct port *port, void *arg)
{
	struct renamed *renamed = arg;
	const struct link *link = links_by_index(&renamed->links, port->ifindex);

	if (link && strcmp(link->name, port->name))
		sysctl_rename(renamed->instance, port->name, link->name);
	return 0;
}

/* Interfaces that were renamed after the daemon had ended. */
static void follow_names(const char *instance)
{
	struct renamed renamed = { .instance = instance };
	struct maps *maps;
	char err[256];
	struct nl nl;

	if (maps_open(&maps, instance, err, sizeof(err)))
		return;
	if (!nl_open(&nl, NETLINK_ROUTE)) {
		if (!links_read(&nl, &renamed.links)) {
			maps_each_port(maps, follow_name, &renamed);
			links_free(&renamed.links);
		}
		nl_close(&nl);
	}
	maps_close(maps);
}

static int detach_all(const char *instance)
{
	struct attach attach;
	struct links links;
	struct nl nl;
	size_t i;
	int err = nl_open(&nl, NETLINK_ROUTE), n;

	if (err)
		return err;
	err = attach_begin(&attach, instance, &nl);
	if (!err)
		err = links_read(&nl, &links);
	if (err)
		goto out;
	for (i = 0; i < links.n; i++) {
		n = detach_port(&attach, &links.list[i]);
		if (n < 0) {
			log_err("%s: the programs cannot be taken off: %s", links.list[i].name, strerror(-n));
			err = n;
		} else if (n) {
			log_info("%s: detached", links.list[i].name);
		}
		if (sysctl_made_clsact(instance, links.list[i].name))
			detach_clsact(&attach, &links.list[i]);
	}
	n = nvi_remove(&nl, instance, &links);
	if (n) {
		log_err("the virtual interface cannot be removed: %s", strerror(-n));
		err = n;
	}
	wire_bridges_leave(instance, &links);
	links_free(&links);
out:
	attach_end(&attach);
	nl_close(&nl);
	return err;
}

static void remove_zone_rules(const char *instance)
{
	struct nl nl;

	if (nl_open(&nl, NETLINK_ROUTE))
		return;
	zone_rules_clean(&nl, instance, NULL, NULL);
	nl_close(&nl);
}

static void remove_files(const char *instance)
{
	static const enum instance_file files[] = { INSTANCE_SOCKET, INSTANCE_RUNNING, INSTANCE_CONFIRMED, INSTANCE_SYSCTL, INSTANCE_LOCK };
	char path[INSTANCE_PATH_LEN];
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		instance_path(path, instance, files[i]);
		unlink(path);
	}
}

int daemon_down(const char *instance)
{
	int lock, err, gone;

	if (absent(instance))
		return -ENOENT;
	lock = stop_daemon(instance);
	if (lock < 0) {
		if (lock != -EWOULDBLOCK)
			log_err("cannot take the lock of instance \"%s\": %s", instance, strerror(-lock));
		return lock;
	}
	gone = enter_netns(instance);
	err = gone < 0 ? gone : 0;
	if (!gone) {
		withdraw_routes(instance);
		follow_names(instance);
		if (sysctl_restore(instance, "net/"))
			log_warn("not every sysctl could be put back");
		handover(instance);
		remove_zone_rules(instance);
		err = detach_all(instance);
		if (sysctl_restore(instance, ""))	/* switches of devices, that the programs need to their end */
			log_warn("not every switch of an interface could be put back");
		nft_table_remove(instance);
	}
	if (!err) {
		err = pins_remove(instance);
		if (err)
			log_err("the pins cannot be removed: %s", strerror(-err));
	}
	if (!err) {
		remove_files(instance);
		log_info("instance \"%s\" is down", instance);
	}
	close(lock);
	return err;
}
