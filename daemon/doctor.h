/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor.h - an examination of the box: what works against natvi, and what would be right.
 *
 * Looks, and changes nothing. Life: a zeroed struct doctor -> doctor_examine() -> doctor_free().
 */
#ifndef NATVI_DAEMON_DOCTOR_H
#define NATVI_DAEMON_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

struct config;

/* ERROR: natvi does not work, or not as the operator must think. WARN: it will bite some day. NOTE: good to know. */
enum doctor_severity { DOCTOR_ERROR, DOCTOR_WARN, DOCTOR_NOTE };

struct finding {
	enum doctor_severity severity;
	char id[32];		/* for scripts: "forwarding", "rp_filter", "nftables", ... */
	char subject[64];	/* the interface, table or instance that it is about */
	char what[320];
	char right[320];	/* what would be right; "": nothing to do */
};

struct doctor {
	struct finding *list;
	size_t n;
};

/*
 * Examine for an instance. config: the configuration that is meant (borrowed); NULL: the one that the
 * instance runs, and without an instance all interfaces of the namespace.
 */
void doctor_examine(struct doctor *doctor, const char *instance, const struct config *config);

bool doctor_serious(const struct doctor *doctor);
void doctor_free(struct doctor *doctor);

#endif
