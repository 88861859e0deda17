/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * verdict.c - tables made from the lists in abi/verdict.h and abi/event.h. Constant; safe from anywhere.
 */
#include "lib/verdict.h"

static const struct {
	const char *name, *text;
	enum verdict_class class;
} verdicts[] = {
#define X(e, c, n, t) [VERDICT_##e] = { n, t, VERDICT_CLASS_##c },
	NATVI_VERDICTS(X)
#undef X
};
_Static_assert(sizeof(verdicts) / sizeof(verdicts[0]) == VERDICT_COUNT, "one line for each verdict");

const char *verdict_name(unsigned int verdict)
{
	return verdict < VERDICT_COUNT ? verdicts[verdict].name : "unknown";
}

const char *verdict_text(unsigned int verdict)
{
	return verdict < VERDICT_COUNT ? verdicts[verdict].text : "not in this version's list";
}

enum verdict_class verdict_class(unsigned int verdict)
{
	return verdict < VERDICT_COUNT ? verdicts[verdict].class : VERDICT_CLASS_DROP;
}

const char *verdict_class_name(enum verdict_class class)
{
	switch (class) {
	case VERDICT_CLASS_SEND: return "send";
	case VERDICT_CLASS_KERNEL: return "kernel";
	case VERDICT_CLASS_DROP: return "drop";
	}
	return "unknown";
}

struct share counters_share(const struct counters *counters)
{
	struct share share = { .packets = counters->packets[VERDICT_ACCELERATED], .bytes = counters->bytes[VERDICT_ACCELERATED] };

	for (unsigned int v = 0; v < VERDICT_COUNT; v++) {
		if (v == VERDICT_ICMP_SENT || v == VERDICT_FRAGMENT_PARKED)
			continue;
		share.all_packets += counters->packets[v];
		share.all_bytes += counters->bytes[v];
	}
	return share;
}

double share_of(__u64 part, __u64 whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static const struct {
	const char *name, *text;
} reasons[] = {
#define X(e, n, t) [END_##e] = { n, t },
	NATVI_END_REASONS(X)
#undef X
};

const char *end_reason_name(unsigned int reason)
{
	return reason < END_COUNT ? reasons[reason].name : "unknown";
}

const char *end_reason_text(unsigned int reason)
{
	return reason < END_COUNT ? reasons[reason].text : "not in this version's list";
}
