/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * instance.c - see instance.h.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/instance.h"

static const char *const suffix[] = {
	[INSTANCE_SOCKET] = "sock",
	[INSTANCE_LOCK] = "lock",
	[INSTANCE_RUNNING] = "json",
	[INSTANCE_CONFIRMED] = "confirmed",
	[INSTANCE_SYSCTL] = "sysctl",
};

bool instance_name_ok(const char *instance)
{
	size_t len = strlen(instance), i;

	if (!len || len >= NATVI_NAME_LEN || !isalnum((unsigned char)instance[0]))
		return false;
	for (i = 1; i < len; i++)
		if (!isalnum((unsigned char)instance[i]) && !strchr("_-", instance[i]))
			return false;
	return true;
}

void instance_path(char path[INSTANCE_PATH_LEN], const char *instance, enum instance_file file)
{
	snprintf(path, INSTANCE_PATH_LEN, INSTANCE_RUN_DIR "/%.31s.%s", instance, suffix[file]);
}

void instance_pin_path(char path[INSTANCE_PATH_LEN], const char *instance, const char *pin)
{
	snprintf(path, INSTANCE_PATH_LEN, INSTANCE_PIN_ROOT "/%.31s%s%.64s", instance, pin[0] ? "/" : "", pin);
}

int instance_make_run_dir(void)
{
	return mkdir(INSTANCE_RUN_DIR, 0755) && errno != EEXIST ? -errno : 0;
}

static int lock_holder(int fd)
{
	char text[32] = "";
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	return got > 0 ? atoi(text) : 0;
}

/* Somebody may have removed the file between our opening and locking it. */
static bool still_there(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !stat(path, &there) && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

static int open_locked(const char *path, int *pid)
{
	int fd, err;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			err = -errno;
			*pid = lock_holder(fd);
			close(fd);
			return err;
		}
		if (still_there(fd, path))
			return fd;
		close(fd);
	}
}

int instance_lock(const char *instance, int *pid)
{
	char path[INSTANCE_PATH_LEN];
	int fd, err;

	*pid = 0;
	err = instance_make_run_dir();
	if (err)
		return err;
	instance_path(path, instance, INSTANCE_LOCK);
	fd = open_locked(path, pid);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", (int)getpid()) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

bool instance_running(const char *instance, int *pid)
{
	char path[INSTANCE_PATH_LEN];
	bool running;
	int fd;

	*pid = 0;
	instance_path(path, instance, INSTANCE_LOCK);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	running = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	if (running)
		*pid = lock_holder(fd);
	close(fd);
	return running;
}

static int read_all(int fd, size_t max, char **text, size_t *len)
{
	size_t size = 4096, got = 0;
	char *buf = malloc(size), *more;
	ssize_t n;

	while (buf) {
		n = read(fd, buf + got, size - got - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || got + (size_t)n > max) {
			free(buf);
			return n < 0 ? -errno : -EFBIG;
		}
		if (!n) {
			buf[got] = '\0';
			*text = buf;
			*len = got;
			return 0;
		}
		got += (size_t)n;
		if (size - got > 1)
			continue;
		size *= 2;
		more = realloc(buf, size);
		if (!more)
			free(buf);
		buf = more;
	}
	return -ENOMEM;
}

int file_read(const char *path, size_t max, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, max, text, len);
	close(fd);
	return err;
}

static int write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write(const char *path, const char *text, size_t len)
{
	char temp[INSTANCE_PATH_LEN + 8];
	int fd, err;

	snprintf(temp, sizeof(temp), "%s.new", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, len);
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(temp, path))
		err = -errno;
	if (err)
		unlink(temp);
	return err;
}

int dir_each(const char *path, dir_fn fn, void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ret = fn(entry->d_name, arg);
	closedir(dir);
	return ret;
}
