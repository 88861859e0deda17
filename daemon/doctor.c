/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor.c - the examination: the process, the kernel, the instance. What is about interfaces is in
 * doctor_ports.c, what is about firewalls in doctor_nft.c. See doctor.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/caps.h"
#include "daemon/doctor_impl.h"
#include "daemon/plan_wires.h"
#include "daemon/reload.h"
#include "lib/config.h"
#include "lib/instance.h"
#include "lib/maps.h"

#define HEARTBEAT_OLD_S	5

void finding_add(struct doctor *doctor, enum doctor_severity severity, const char *id, const char *subject, const char *right,
		 const char *format, ...)
{
	struct finding *more = realloc(doctor->list, (doctor->n + 1) * sizeof(*more));
	va_list args;

	if (!more)
		return;
	doctor->list = more;
	more = &doctor->list[doctor->n++];
	memset(more, 0, sizeof(*more));
	more->severity = severity;
	snprintf(more->id, sizeof(more->id), "%s", id);
	snprintf(more->subject, sizeof(more->subject), "%s", subject);
	snprintf(more->right, sizeof(more->right), "%s", right);
	va_start(args, format);
	vsnprintf(more->what, sizeof(more->what), format, args);
	va_end(args);
}

static void missing_cap(const char *name, const char *why, void *arg)
{
	finding_add(arg, DOCTOR_ERROR, "capability", name, "run natvi as root, or give it this capability",
		    "the capability is missing: %s", why);
}

static void missing_feature(const char *name, const char *why, void *arg)
{
	finding_add(arg, DOCTOR_ERROR, "kernel", name, "a kernel of 5.17 or newer with CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF "
		    "and CONFIG_NET_SCH_INGRESS", "this kernel does not have it: %s", why);
}

static void no_park(struct doctor *doctor, const char *instance)
{
	bool device = !access("/dev/net/tun", R_OK | W_OK);

	finding_add(doctor, DOCTOR_WARN, "park", instance, device ? "see its log; it tries again each minute" :
		    "a kernel with CONFIG_TUN, and /dev/net/tun (in a container: handed in)",
		    "the daemon has no tap device%s: fragments that come before their predecessor are dropped, and unsolicited SYNs "
		    "get no answer", device ? "" : ", /dev/net/tun is not there or not permitted");
}

static void examine_instance(struct doctor *doctor, const char *instance, bool wires)
{
	char err[512], right[128];
	struct maps *maps;
	uint32_t age_s;
	bool running;
	int pid;

	if (maps_open(&maps, instance, err, sizeof(err)))
		return;
	running = instance_running(instance, &pid);
	age_s = maps_now_s() - maps->control.heartbeat_s;
	snprintf(right, sizeof(right), "start it again: natvi run --instance %s", instance);
	if (!running)
		finding_add(doctor, DOCTOR_ERROR, "daemon", instance, right,
			    "the datapath is attached, but no daemon serves it (last sign of life %u s ago): sessions do not "
			    "expire, and routes and addresses are not followed", age_s);
	else if (age_s > HEARTBEAT_OLD_S)
		finding_add(doctor, DOCTOR_ERROR, "daemon", instance, "see its log; restart it",
			    "the daemon (pid %d) has given no sign of life for %u s", pid, age_s);
	else if (!maps->control.park_ifindex && !wires)
		no_park(doctor, instance);
	maps_close(maps);
}

/* Does the instance translate, as far as one can see? */
static bool runs_nat(const char *instance)
{
	struct maps *maps;
	char err[512];
	bool nat;

	if (maps_open(&maps, instance, err, sizeof(err)))
		return true;
	nat = !(maps->control.flags & CONTROL_NO_NAT);
	maps_close(maps);
	return nat;
}

void doctor_examine(struct doctor *doctor, const char *instance, const struct config *config)
{
	struct config *running = config ? NULL : reload_running(instance);
	const struct config *meant = config ? config : running;
	bool nat, wires = meant && meant->n_wires;

	caps_missing(missing_cap, doctor);
	features_missing(missing_feature, doctor);
	examine_instance(doctor, instance, wires);
	nat = config ? config_translates(config) : runs_nat(instance);
	doctor_ports(doctor, instance, wires ? meant : config, nat);
	if (wires)
		doctor_wires(doctor, instance, meant);
	if (wires && config_host_wire(meant))
		doctor_firewall(doctor, true);
	config_free(running);
	if (!nat)
		return;		/* the kernel decides, and all of its rules are meant */
	doctor_routes(doctor);
	doctor_sockets(doctor, instance);
	doctor_outside(doctor, instance, config);
	doctor_firewall(doctor, false);
}

bool doctor_serious(const struct doctor *doctor)
{
	size_t i;

	for (i = 0; i < doctor->n; i++)
		if (doctor->list[i].severity == DOCTOR_ERROR)
			return true;
	return false;
}

void doctor_free(struct doctor *doctor)
{
	free(doctor->list);
	memset(doctor, 0, sizeof(*doctor));
}
