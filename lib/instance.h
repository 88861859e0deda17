/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * instance.h - where an instance of natvi keeps what.
 *
 * An instance is one datapath with its daemon: a name, a directory of pins, and files in
 * /run/natvi. Several can live in one box, also in one network namespace, as long as no
 * interface belongs to two of them. Pure functions and small file helpers; no state.
 */
#ifndef NATVI_LIB_INSTANCE_H
#define NATVI_LIB_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/limits.h"

#define INSTANCE_DEFAULT	"default"
#define INSTANCE_RUN_DIR	"/run/natvi"
#define INSTANCE_BPFFS		"/sys/fs/bpf"
#define INSTANCE_PIN_ROOT	INSTANCE_BPFFS "/natvi"
#define INSTANCE_PATH_LEN	256	/* bytes that hold every path made here */

enum instance_file {
	INSTANCE_SOCKET,	/* control socket */
	INSTANCE_LOCK,		/* flock: one daemon an instance */
	INSTANCE_RUNNING,	/* the configuration in force, as JSON */
	INSTANCE_CONFIRMED,	/* the last confirmed one, while a reload waits for its confirmation */
	INSTANCE_SYSCTL,	/* values of sysctls before natvi */
};

/* Names are 1-31 letters, digits, '_' or '-', the first one a letter or digit. (A BPF file system admits no dots.) */
bool instance_name_ok(const char *instance);

/* The path of an instance's file, or of one of its pins (pin "": the directory). Never longer than INSTANCE_PATH_LEN. */
void instance_path(char path[INSTANCE_PATH_LEN], const char *instance, enum instance_file file);
void instance_pin_path(char path[INSTANCE_PATH_LEN], const char *instance, const char *pin);

/* Make /run/natvi, mode 0755. Returns 0 or a negative errno. */
int instance_make_run_dir(void);

/*
 * Take the instance's lock. Returns a descriptor to be kept open, -EWOULDBLOCK when a daemon has it
 * (*pid is then its process id, 0 if unknown), or another negative errno.
 */
int instance_lock(const char *instance, int *pid);

/* Has a daemon the lock? *pid as above. */
bool instance_running(const char *instance, int *pid);

/* Whole file into new memory with a NUL behind it. Returns 0 or a negative errno (-EFBIG over max bytes). */
int file_read(const char *path, size_t max, char **text, size_t *len);

/* Write a file of mode 0600 beside its place and move it there, so that readers see all or nothing. */
int file_write(const char *path, const char *text, size_t len);

/* Callback for each name in a directory; returns 0 to go on. */
typedef int (*dir_fn)(const char *name, void *arg);

/* Walk a directory, "." and ".." left out. 0, a negative errno, or what ended the walk. */
int dir_each(const char *path, dir_fn fn, void *arg);

#endif
