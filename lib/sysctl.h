/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sysctl.h - sysctls that an instance needs, and the values to put back when it goes.
 *
 * /run/natvi/INSTANCE.sysctl holds, as JSON, the network namespace, each key with the value that
 * it had before natvi and the one that natvi wants, and the interfaces whose clsact qdisc natvi made.
 * The first value seen stays: a restart does not take natvi's own for the administrator's. The file
 * is written before the value is. When an instance goes whose key another one in the same namespace
 * wants too, the value stays and the other instance inherits what is to be put back.
 *
 * A key may be a switch of an interface, too, that is no sysctl (lib/device.h): link/IFNAME/promisc and the like.
 *
 * Concurrency: every function takes /run/natvi/sysctl.lock and works on the files alone.
 */
#ifndef NATVI_LIB_SYSCTL_H
#define NATVI_LIB_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

#define SYSCTL_KEY_LEN	96	/* "net/ipv4/conf/IFNAME/accept_local" and the like, under /proc/sys */
#define SYSCTL_VALUE_LEN 32
#define NETNS_NAME_LEN	64	/* "net:[4026531840]" */

struct sysctl_want {
	char key[SYSCTL_KEY_LEN];
	char value[SYSCTL_VALUE_LEN];
};

/* Value without its newline. Returns 0 or a negative errno. */
int sysctl_read(const char *key, char value[SYSCTL_VALUE_LEN]);

/* Remember the values of these keys, then set them; each change is logged. Returns 0 or the first failure. */
int sysctl_commit(const char *instance, const struct sysctl_want *wants, size_t n);

/*
 * Put back every key that begins with prefix ("": all) and forget it. A key that somebody else has
 * changed since is left alone and said. Returns 0 or the first failure.
 */
int sysctl_restore(const char *instance, const char *prefix);

/* The same for every key that is not among these. */
int sysctl_restore_others(const char *instance, const struct sysctl_want *wants, size_t n);

/* Set net/FAMILY/conf/INTERFACE/NAME of a device of natvi's own: there is nothing to put back. Failures are logged. */
void sysctl_set_own(const char *family, const char *interface, const char *name, const char *value);

/* An interface has another name now: what is remembered of it goes with it. */
void sysctl_rename(const char *instance, const char *from, const char *to);

/* The namespace that the instance was started in; "" when there is no file. */
void sysctl_netns(const char *instance, char netns[NETNS_NAME_LEN]);

/* The namespace of this process. */
void netns_own(char netns[NETNS_NAME_LEN]);

/* Note that natvi made the clsact qdisc of an interface; and was it? */
int sysctl_note_clsact(const char *instance, const char *interface);
bool sysctl_made_clsact(const char *instance, const char *interface);

/* Remove the file. */
void sysctl_forget(const char *instance);

#endif
