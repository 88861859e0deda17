/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_ctl.c - the client against servers that answer well, badly, slowly, or not at all.
 */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/ctl.h"

static char dir[64], path[96], err[512];
static pid_t server;

static int listen_at(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

/* A process that takes one connection, reads one line, writes answer in pieces, and ends after linger_s. */
static void serve(const char *answer, size_t piece, unsigned int linger_s)
{
	int fd = listen_at(), peer;
	size_t left = strlen(answer);
	char c = 0;

	server = fork();
	assert_true(server >= 0);
	if (server) {
		close(fd);
		return;
	}
	peer = accept(fd, NULL, NULL);
	while (c != '\n' && read(peer, &c, 1) == 1)
		;
	for (; left; left -= piece, answer += piece) {
		piece = piece < left ? piece : left;
		if (write(peer, answer, piece) < 0)
			break;
		usleep(1000);
	}
	sleep(linger_s);
	_exit(0);
}

static int call(json_t **reply, int timeout_ms)
{
	int ret = ctl_call_path(path, ctl_request("ping"), timeout_ms, reply, err, sizeof(err));

	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		server = 0;
	}
	return ret;
}

static void test_ok(void **state)
{
	json_t *reply;

	serve("{\"ok\": true, \"pid\": 17}\n", 1000, 0);
	assert_int_equal(call(&reply, 2000), 0);
	assert_int_equal(json_integer_value(json_object_get(reply, "pid")), 17);
	json_decref(reply);
}

static void test_answer_in_pieces(void **state)
{
	json_t *reply;

	serve("{\"ok\": true, \"pid\": 17}\n", 3, 0);
	assert_int_equal(call(&reply, 2000), 0);
	json_decref(reply);
}

static void test_daemon_says_no(void **state)
{
	json_t *reply;

	serve("{\"ok\": false, \"error\": \"line 3: no\"}\n", 1000, 0);
	assert_int_equal(call(&reply, 2000), -EREMOTEIO);
	assert_string_equal(err, "line 3: no");
	assert_non_null(reply);
	json_decref(reply);
}

static void test_nonsense(void **state)
{
	json_t *reply;

	serve("hello\n", 1000, 0);
	assert_int_equal(call(&reply, 2000), -EPROTO);
	serve("[1, 2]\n", 1000, 0);
	assert_int_equal(call(&reply, 2000), -EPROTO);
	serve("{\"answer\": 42}\n", 1000, 0);
	assert_int_equal(call(&reply, 2000), -EREMOTEIO);
	json_decref(reply);
}

static void test_closed_early(void **state)
{
	json_t *reply;

	serve("{\"ok\": tr", 1000, 0);
	assert_int_equal(call(&reply, 2000), -ECONNRESET);
	assert_null(reply);
	assert_non_null(strstr(err, "without an answer"));
}

static void test_timeout(void **state)
{
	json_t *reply;

	serve("", 1, 5);
	assert_int_equal(call(&reply, 200), -ETIMEDOUT);
	assert_non_null(strstr(err, "0.2 s"));
}

static void test_nobody_there(void **state)
{
	json_t *reply;

	unlink(path);
	assert_int_equal(call(&reply, 500), -ENOENT);
	assert_non_null(strstr(err, "not running"));
	close(listen_at());
	assert_int_equal(call(&reply, 500), -ECONNREFUSED);
	assert_non_null(strstr(err, "not running"));
}

static void test_messages(void **state)
{
	json_t *message = ctl_error("no \"%s\" here", "rule"), *back;
	size_t len;
	char *line = ctl_line(message, &len);

	assert_int_equal(line[len - 1], '\n');
	assert_int_equal(strlen(line), len);
	back = ctl_parse(line, len, err, sizeof(err));
	assert_true(json_equal(message, back));
	assert_string_equal(json_string_value(json_object_get(back, "error")), "no \"rule\" here");
	json_decref(message);
	json_decref(back);
	free(line);
	assert_null(ctl_parse("{\"cmd\": \"a\", \"cmd\": \"b\"}", 24, err, sizeof(err)));
	assert_null(ctl_parse("", 0, err, sizeof(err)));
	assert_null(ctl_parse("\n", 1, err, sizeof(err)));
	message = ctl_ok();
	assert_true(json_is_true(json_object_get(message, "ok")));
	json_decref(message);
}

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/natvi-ctl-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ok),
		cmocka_unit_test(test_answer_in_pieces),
		cmocka_unit_test(test_daemon_says_no),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_closed_early),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
