/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon.c - start, serve, end. See daemon.h; struct daemon is in state.h.
 *
 * One thread around one event loop. Everything that a packet needs lives in the kernel and stays when
 * this process ends, however it ends; the next start takes the pinned tables up and replaces programs
 * one by one, each atomically.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/accel.h"
#include "daemon/announce.h"
#include "daemon/caps.h"
#include "daemon/clashes.h"
#include "daemon/control.h"
#include "daemon/expects.h"
#include "daemon/handover.h"
#include "daemon/guard.h"
#include "daemon/netns.h"
#include "daemon/nft.h"
#include "daemon/park.h"
#include "daemon/reload.h"
#include "daemon/routes.h"
#include "daemon/rule_ids.h"
#include "daemon/session.h"
#include "daemon/state.h"
#include "daemon/sweep.h"
#include "daemon/watch.h"
#include "lib/instance.h"
#include "lib/log.h"
#include "lib/sysctl.h"

/* systemd */

static void tell_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(at.sun_path))
		return;
	len = strlen(path);
	memcpy(at.sun_path, path, len);
	if (path[0] == '@')
		at.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&at,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

/* Before anything is touched */

static void say_missing(const char *name, const char *why, void *arg)
{
	log_err("capability %s is missing: %s", name, why);
}

static int check_caps(void)
{
	if (!caps_missing(say_missing, NULL))
		return 0;
	log_err("run natvi as root, or give it these capabilities");
	return -EPERM;
}

static int take_lock(struct daemon *d)
{
	int pid;

	d->lock = instance_lock(d->instance, &pid);
	if (d->lock >= 0)
		return 0;
	if (d->lock == -EWOULDBLOCK)
		log_err("instance \"%s\" runs already (pid %d): `natvi reload` changes it, `--instance NAME` starts another one",
			d->instance, pid);
	else
		log_err("cannot take the lock of instance \"%s\" in " INSTANCE_RUN_DIR ": %s", d->instance, strerror(-d->lock));
	return d->lock;
}

/* An instance stays in the namespace where it began; one whose namespace is gone begins anew. */
static int check_netns(struct daemon *d)
{
	char was[NETNS_NAME_LEN], own[NETNS_NAME_LEN];
	int fd;

	sysctl_netns(d->instance, was);
	netns_own(own);
	if (!was[0] || !strcmp(was, own))
		return 0;
	fd = netns_find(was);
	if (fd >= 0) {
		close(fd);
		log_err("instance \"%s\" serves another network namespace (%s): `--instance NAME` starts a second one here, "
			"`natvi down --instance %s` ends that one", d->instance, was, d->instance);
		return -EBUSY;
	}
	log_info("the network namespace that instance \"%s\" served is gone: starting anew", d->instance);
	sysctl_forget(d->instance);
	return pins_remove(d->instance);
}

/* What was not confirmed when the last daemon died does not come back. */
static void prefer_confirmed(struct daemon *d)
{
	struct config *confirmed = reload_unconfirmed(d->instance);

	if (!confirmed)
		return;
	log_warn("the last reload was never confirmed: starting with the configuration before it, not with %s; "
		 "`natvi reload` puts that in force", d->config->source);
	config_free(d->config);
	d->config = confirmed;
}

/* Start */

/* Before nvi0, which is another thing with wires. */
static int load_wires(struct daemon *d)
{
	char err[256];
	int ret;

	d->nvi.wire = d->config->n_wires;
	if (!d->nvi.wire)
		return 0;
	ret = tables_wires(d->tables, err, sizeof(err));
	if (ret)
		log_err("%s", err);
	return ret;
}

static int load(struct daemon *d)
{
	int err = nl_open(&d->nl, NETLINK_ROUTE);

	if (err) {
		log_err("cannot talk to the kernel by netlink: %s", strerror(-err));
		return err;
	}
	err = tables_open(&d->tables, d->instance, d->config);
	if (err)
		return err;
	err = engine_adopt_tables(d);
	if (err) {
		log_err("the pinned tables cannot be read: %s", strerror(-err));
		return err;
	}
	if (d->tables->reused)
		d->rule_ids = rule_ids_read(d->instance);
	err = load_wires(d);
	if (err)
		return err;
	err = attach_begin(&d->attach, d->instance, &d->nl);
	if (err)
		log_err("the pins of other instances cannot be read: %s", strerror(-err));
	if (!err && !d->config->n_wires)
		err = park_open(d);
	if (!err && nvi_open(d))
		log_warn("without it %s; everything else works", d->nvi.wire ? "the box has no address on a wire" : "`nat: routed` gives no NAT");
	return err;
}

static void leave_existing(struct daemon *d)
{
	struct links links;

	if (d->tables->reused || !config_translates(d->config) || links_read(&d->nl, &links))
		return;
	if (adopt_existing(d->tables, &links) <= 0)
		handover_end(d->instance);
	links_free(&links);
}

static int enforce(struct daemon *d)
{
	struct config *config = d->config;
	char err[1024];
	int ret;

	ret = watch_open(d);
	if (!ret && config_translates(config))
		ret = engine_guard(d);
	if (ret)
		return ret;
	leave_existing(d);
	tables_set(d->tables, heartbeat_s, maps_now_s());
	d->config = NULL;
	ret = engine_apply(d, config, err, sizeof(err));
	if (ret) {
		d->config = config;
		log_err("%s", err);
		return ret;
	}
	ret = tables_settle(d->tables);
	return ret ? ret : attach_refresh(&d->attach);	/* their pins have other names now */
}

/* A start that failed leaves nothing that was not there before. */
static void undo(struct daemon *d)
{
	char path[INSTANCE_PATH_LEN], pins[INSTANCE_PATH_LEN];

	instance_path(path, d->instance, INSTANCE_LOCK);
	instance_pin_path(pins, d->instance, "");
	if (d->tables && !d->tables->reused) {
		if (d->nvi.ifindex)
			nvi_undo(d);
		nft_table_remove(d->instance);
		sysctl_restore(d->instance, "");
		sysctl_forget(d->instance);
	}
	if (d->tables)
		tables_undo(d->tables);
	if (access(pins, F_OK))
		unlink(path);	/* the lock is ours until this process ends */
}

/* Serve */

static void on_end(struct ev_loop *loop, ev_signal *signal, int events)
{
	log_info("ending; the datapath goes on");
	ev_break(loop, EVBREAK_ALL);
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct daemon *d = signal->data;
	struct cfg_errors errors = { 0 };
	struct config *next = NULL;
	char err[1024];

	if (!d->config_path) {
		log_warn("SIGHUP: this instance was started without a file; nothing to read again");
		return;
	}
	tell_systemd("RELOADING=1");
	if (config_read_file(d->config_path, &next, &errors))
		cfg_errors_print(NULL, d->config_path, &errors, stderr);
	else if (reload_apply(d, next, 0, err, sizeof(err)))
		log_err("%s", err);
	cfg_errors_free(&errors);
	tell_systemd("READY=1");
}

static void serve(struct daemon *d)
{
	ev_signal term, interrupt, hangup;

	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&term, on_end, SIGTERM);
	ev_signal_start(d->loop, &term);
	ev_signal_init(&interrupt, on_end, SIGINT);
	ev_signal_start(d->loop, &interrupt);
	ev_signal_init(&hangup, on_hangup, SIGHUP);
	hangup.data = d;
	ev_signal_start(d->loop, &hangup);

	log_info("ready");
	tell_systemd("READY=1");
	ev_run(d->loop, 0);
	tell_systemd("STOPPING=1");
	reload_stop(d);

	ev_signal_stop(d->loop, &term);
	ev_signal_stop(d->loop, &interrupt);
	ev_signal_stop(d->loop, &hangup);
}

static int start(struct daemon *d)
{
	int err = check_caps();

	if (!err)
		err = take_lock(d);
	if (err)
		return err;
	err = check_netns(d);
	if (!err) {
		prefer_confirmed(d);
		err = load(d);
	}
	if (!err)
		err = enforce(d);
	if (!err)
		err = control_open(d);
	if (err) {
		undo(d);
		return err;
	}
	reload_save(d);
	if (routes_open(d) || announce_open(d))
		log_err("outside addresses are not announced: out of memory");
	if (caps_drop())
		log_warn("capabilities that are not needed any more could not be dropped");
	watch_start(d);
	if (d->park)
		park_start(d);
	return sweep_start(d);
}

static void end(struct daemon *d)
{
	control_close(d);
	park_close(d);
	sweep_stop(d);
	watch_close(d, d->release);
	accel_close(d);
	expects_close(d);
	announce_close(d);
	routes_close(d);
	guard_free(d);
	nvi_close(d);
	attach_end(&d->attach);
	clashes_free(d);
	plan_free(&d->plan);
	slots_free(&d->slots);
	links_free(&d->links);
	free(d->served);
	free(d->ports);
	free(d->former);
	free(d->rule_numbers);
	json_decref(d->rule_ids);
	tables_close(d->tables);
	nl_close(&d->nl);
	config_free(d->config);
	config_free(d->fallback);
	if (d->loop)
		ev_loop_destroy(d->loop);
	if (d->lock >= 0)
		close(d->lock);
}

int daemon_run(struct config *config, const struct daemon_options *options)
{
	struct daemon d = {
		.instance = options->instance,
		.config_path = options->config_path,
		.config = config,
		.lock = -1,
		.started = time(NULL),
	};
	int err;

	d.loop = ev_default_loop(EVFLAG_AUTO);
	err = d.loop ? start(&d) : -ENOMEM;
	if (!err)
		serve(&d);
	end(&d);
	return err;
}
