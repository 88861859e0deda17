/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor_accel.c - the examination of what acceleration lives on: a kernel that forwards and tracks connections, between
 * interfaces that show it. See doctor_impl.h.
 */
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/doctor_impl.h"
#include "daemon/links.h"
#include "lib/sysctl.h"

static bool is(const char *key, const char *wanted)
{
	char value[SYSCTL_VALUE_LEN];

	return !sysctl_read(key, value) && !strcmp(value, wanted);
}

static void check_forwarding(struct doctor *doctor)
{
	bool six = is("net/ipv6/conf/all/forwarding", "1");

	if (is("net/ipv4/ip_forward", "0"))
		finding_add(doctor, six ? DOCTOR_WARN : DOCTOR_ERROR, "forwarding", "ip_forward", "sysctl -w net.ipv4.ip_forward=1",
			    "the kernel forwards no IPv4%s: where natvi only accelerates it leaves that to you", six ? "" : ", nor IPv6");
}

/* Conntrack has its hooks in a network namespace only as long as some rule there needs them. */
static void check_conntrack(struct doctor *doctor)
{
	char value[SYSCTL_VALUE_LEN], max[SYSCTL_VALUE_LEN];

	if (sysctl_read("net/netfilter/nf_conntrack_count", value) || !strcmp(value, "0"))
		finding_add(doctor, DOCTOR_WARN, "conntrack", "conntrack", "a rule that needs it, such as `ct state established accept` in a "
			    "forward chain, or NAT", "the kernel's connection tracking knows no connection now, so that none is accelerated: "
			    "where there is traffic it is not at work, as it is only while some rule needs it");
	else if (!sysctl_read("net/netfilter/nf_conntrack_max", max) && atol(max) > 0 && atol(value) >= atol(max))
		finding_add(doctor, DOCTOR_WARN, "conntrack", "conntrack", "sysctl -w net.netfilter.nf_conntrack_max=NUMBER",
			    "the kernel's connection tracking is full (%s of %s): what begins now is dropped by it", value, max);
}

void doctor_accel_port(struct doctor *doctor, const struct links *links, const struct link *link)
{
	const struct link *master = link->master ? links_by_index(links, link->master) : NULL;
	char right[96];

	if (master && strcmp(master->kind, "vrf")) {
		snprintf(right, sizeof(right), "name %s in its place", master->name);
		finding_add(doctor, DOCTOR_WARN, "accelerate-port", link->name, right, "it is in %s (%s), by which the kernel forwards: nothing that "
			    "comes in or leaves here is accelerated", master->name, master->kind);
	} else if (link->type != ARPHRD_ETHER) {
		finding_add(doctor, DOCTOR_NOTE, "accelerate-port", link->name, "", "it has no Ethernet headers: what comes in or leaves here is not "
			    "accelerated");
	}
}

void doctor_accel(struct doctor *doctor, bool nat)
{
	if (!nat)
		check_forwarding(doctor);
	check_conntrack(doctor);
}
