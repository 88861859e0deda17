/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * natvi-bench: the traffic side of the benchmark. One file a verb; each verb
 * returns a process exit code and says on stderr what went wrong.
 */
#ifndef NATBENCH_H
#define NATBENCH_H

#include <stdbool.h>
#include <stdint.h>

int cmd_gen(int argc, char **argv);
int cmd_peer(int argc, char **argv);
int cmd_testrun(int argc, char **argv);

/* "NAMESPACE:DEVICE"; the name is that of `ip netns`. */
struct place {
	char		ns[64];
	char		dev[16];
	unsigned int	ifindex;	/* set by place_enter() */
};

int place_parse(struct place *p, const char *text);
int place_enter(struct place *p);

int mac_parse(uint8_t mac[6], const char *text);
int number_parse(uint32_t *n, const char *text);
int addr_parse(uint32_t *host_order, const char *text);

uint64_t now_ns(void);
bool stop_asked(void);
void stop_on_signals(void);

#endif
