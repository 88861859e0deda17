/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * exhaustion.c - see exhaustion.h.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/exhaustion.h"
#include "lib/verdict.h"

/* What each means to a person, and what would help. */
static const struct {
	enum verdict verdict;
	const char *help;
} reasons[EXHAUSTION_REASONS] = {
	{ VERDICT_NO_PORT, "`natvi show pools` says where; more addresses or ports would help" },
	{ VERDICT_TABLE_FULL, "see limits.sessions" },
	{ VERDICT_MAPPINGS_FULL, "see limits.mappings" },
};

void exhaustion_begin(struct exhaustion *e, const struct counters *counters)
{
	unsigned int i;

	memset(e, 0, sizeof(*e));
	for (i = 0; i < EXHAUSTION_REASONS; i++)
		e->said[i] = counters->packets[reasons[i].verdict];
}

static size_t say(char *text, size_t len, size_t at, unsigned int reason, uint64_t packets)
{
	int n = at < len ? snprintf(text + at, len - at, "%s%llu packets by %s (%s; %s)", at ? ", " : "no room for new sessions: ",
				    (unsigned long long)packets, verdict_name(reasons[reason].verdict),
				    verdict_text(reasons[reason].verdict), reasons[reason].help) : 0;

	return at + (size_t)n;
}

bool exhaustion_due(struct exhaustion *e, const struct counters *counters, uint32_t now_s, char *text, size_t len)
{
	uint64_t packets;
	unsigned int i;
	size_t at = 0;

	if (e->said_s && now_s - e->said_s < EXHAUSTION_EVERY_S)
		return false;
	for (i = 0; i < EXHAUSTION_REASONS; i++) {
		packets = counters->packets[reasons[i].verdict] - e->said[i];
		if (packets)
			at = say(text, len, at, i, packets);
		e->said[i] += packets;
	}
	if (!at)
		return false;
	if (e->said_s && at < len)
		snprintf(text + at, len - at, ", within %u s", now_s - e->said_s);
	e->said_s = now_s;
	return true;
}
