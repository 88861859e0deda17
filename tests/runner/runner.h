/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * runner.h - what a host of the datapath does for a case: take a configuration and a network,
 * then packets one by one. tests/cases/run.py says what to do and judges what comes out.
 *
 * Life: open() -> { begin() -> packet()... -> end() }... -> close(). One thread.
 */
#ifndef NATVI_TESTS_RUNNER_H
#define NATVI_TESTS_RUNNER_H

#include <jansson.h>

#include "abi/wire.h"
#include "host/native.h"

#define RUNNER_MAX_FRAME	65536
#define RUNNER_ERR_LEN		1024

/* The box's network, beside what native.h describes. */
struct scene {
	struct config *config;
	struct native_net net;
	char nvi[IFNAMSIZ];		/* the one that is nvi0; "": there is none */
	char park[IFNAMSIZ];		/* the interface that is taken for the daemon's tap; "": there is none */
};

/* A packet on its way into a hook. */
struct arrival {
	const struct native_interface *in;	/* comes in there; out of a target; nvi0: it leaves there */
	const uint8_t *frame;
	size_t len;
	uint32_t gso_size;
	uint32_t mark;
	uint32_t origin;		/* leaves nvi0, and the kernel has it from there; 0: from the box itself */
};

struct outcome {
	uint64_t verdicts;		/* bit: a verdict that was counted */
	enum native_action action;
	uint32_t out_ifindex;		/* where it goes; 0: not known */
	bool enters;			/* it comes in there */
	uint32_t mark;
	const char *at;			/* hook that ended it */
	const uint8_t *frame;
	size_t len;
	const struct native_copied *copied;
	size_t n_copied;
};

/* One entry of the mapping table. */
struct entry {
	struct mapping_key key;
	struct mapping value;
};

/* All tables at rest. */
struct view {
	const struct control *control;
	const struct usage *usage;
	const struct bucket *buckets;
	const struct portbits *portbits;
	struct counters counters;
	uint64_t claimed_before;	/* port bits that were set when the case began */
	bool reloaded;			/* another configuration came in between */
	struct entry *entries;		/* freed by the caller */
	size_t n_entries, room;
};

/* All return 0 or a negative errno with a sentence in err (RUNNER_ERR_LEN). reload may be NULL: this host cannot. */
struct host {
	const char *name;
	int (*open)(char *err);
	int (*begin)(const struct scene *scene, char *err);
	int (*packet)(const struct arrival *arrival, struct outcome *out, char *err);
	int (*parked)(const struct native_interface *tap, const uint8_t *frame, size_t len, struct outcome *out, char *err);
	int (*heartbeat)(char *err);
	int (*reload)(const struct scene *scene, char *err);
	int (*advance)(uint32_t seconds, char *err);
	int (*sweep)(struct sweep_args *out, char *err);
	int (*generation)(char *err);
	int (*adopt)(const struct adopt_args *args, char *err);
	int (*view)(struct view *out, char *err);
	void (*end)(void);
	void (*close)(void);
};

extern const struct host host_native, host_tc, host_xdp;

/* describe.c: from JSON; scene_free() in any case. */
int scene_read(const json_t *from, struct scene *scene, char *err);
int scene_read_config(const json_t *from, struct config **config, char *err);
void scene_free(struct scene *scene);
const struct native_interface *scene_interface(const struct scene *scene, const char *name);

/* view.c: the tables as JSON, and a sentence about the first thing that cannot be; NULL: all is well. */
int view_add(struct view *view, const struct mapping_key *key, const struct mapping *value);
json_t *view_json(const struct view *view);
const char *view_broken(const struct view *view);
const char *view_bits_broken(const struct view *view);	/* likewise of the port bits, which are many */
uint64_t view_claimed(const struct view *view);	/* port bits that are set; of control and portbits alone */

/* Which hook of a wire is a port's; NONE: it is no wire's. */
enum wire_hook { HOOK_NONE, HOOK_PORT, HOOK_TARGET, HOOK_HOST };
enum wire_hook wire_hook(uint32_t port_flags);

/*
 * netns.c: the scene's network, in a namespace of this process alone; it is used again while it stays the same, else attach() makes
 * a new one ready. Sets ifindex of the interfaces, and opens the sockets.
 */
int netns_make(struct scene *scene, int (*attach)(const struct scene *scene, char *err), char *err);
void netns_close(void);
void netns_close_sockets(void);
int netns_write(const struct native_interface *tun, const uint8_t *packet, size_t len);	/* what its owner has to send */

#endif
