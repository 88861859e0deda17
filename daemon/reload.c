/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * reload.c - one configuration after another, and back again.
 *
 * The configuration in force is written to /run/natvi/INSTANCE.json, where commands find the names of
 * rules. While a confirmation is waited for, the former one stands beside it (INSTANCE.confirmed): a
 * daemon that dies meanwhile starts with that one, whatever its file says by then.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/reload.h"
#include "daemon/state.h"
#include "lib/instance.h"
#include "lib/log.h"

#define CONFIG_MAX	(16u << 20)	/* bytes */

static int write_json(const char *instance, enum instance_file file, const json_t *json)
{
	char path[INSTANCE_PATH_LEN], *text = json_dumps(json, JSON_INDENT(1));
	int err;

	if (!text)
		return -ENOMEM;
	instance_path(path, instance, file);
	err = file_write(path, text, strlen(text));
	free(text);
	if (err)
		log_err("cannot write %s: %s", path, strerror(-err));
	return err;
}

static void number_captures(const struct daemon *d, json_t *json)
{
	json_t *wire, *capture;
	size_t w, i, n = d->config->n_rules;

	json_array_foreach(json_object_get(json, "wires"), w, wire)
		json_array_foreach(json_object_get(wire, "capture"), i, capture)
			json_object_set_new(capture, "id", json_integer(d->rule_numbers[n++]));
}

int reload_save(struct daemon *d)
{
	json_t *json = config_to_json(d->config), *rule;
	size_t i;
	int err;

	if (!json)
		return -ENOMEM;
	json_object_set(json, "rule_ids", d->rule_ids);
	json_array_foreach(json_object_get(json, "rules"), i, rule)
		json_object_set_new(rule, "id", json_integer(d->rule_numbers[i]));
	number_captures(d, json);
	json_object_set_new(json, "source", json_string(d->config->source));
	json_object_set_new(json, "pid", json_integer(getpid()));
	json_object_set_new(json, "started", json_integer(d->started));
	err = write_json(d->instance, INSTANCE_RUNNING, json);
	json_decref(json);
	return err;
}

struct config *reload_running(const char *instance)
{
	static const char *const added[] = { "rule_ids", "source", "pid", "started" };	/* by reload_save() */
	char path[INSTANCE_PATH_LEN], *text;
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;
	json_t *json, *rule, *wire;
	size_t i, w;

	instance_path(path, instance, INSTANCE_RUNNING);
	json = json_load_file(path, 0, NULL);
	if (!json)
		return NULL;
	for (i = 0; i < sizeof(added) / sizeof(added[0]); i++)
		json_object_del(json, added[i]);
	json_array_foreach(json_object_get(json, "rules"), i, rule)
		json_object_del(rule, "id");
	json_array_foreach(json_object_get(json, "wires"), w, wire)
		json_array_foreach(json_object_get(wire, "capture"), i, rule)
			json_object_del(rule, "id");
	text = json_dumps(json, 0);
	if (text && config_read_text(text, strlen(text), path, &config, &errors))
		config = NULL;
	cfg_errors_free(&errors);
	free(text);
	json_decref(json);
	return config;
}

/* The other file */

static int save_confirmed(struct daemon *d)
{
	json_t *json = config_to_json(d->config);
	int err = json ? write_json(d->instance, INSTANCE_CONFIRMED, json) : -ENOMEM;

	json_decref(json);
	return err;
}

static void forget_confirmed(struct daemon *d)
{
	char path[INSTANCE_PATH_LEN];

	instance_path(path, d->instance, INSTANCE_CONFIRMED);
	unlink(path);
}

struct config *reload_unconfirmed(const char *instance)
{
	char path[INSTANCE_PATH_LEN], *text;
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;
	size_t len;

	instance_path(path, instance, INSTANCE_CONFIRMED);
	if (file_read(path, CONFIG_MAX, &text, &len))
		return NULL;
	if (config_read_text(text, len, path, &config, &errors)) {
		log_err("the last confirmed configuration cannot be read back");
		cfg_errors_print(NULL, path, &errors, stderr);
		config = NULL;
	}
	cfg_errors_free(&errors);
	free(text);
	return config;
}

/* Confirmation */

bool reload_pending(const struct daemon *d)
{
	return d->fallback;
}

static void end_waiting(struct daemon *d)
{
	ev_timer_stop(d->loop, &d->confirm_timer);
	forget_confirmed(d);
}

int reload_confirm(struct daemon *d)
{
	if (!d->fallback)
		return -ENOENT;
	end_waiting(d);
	config_free(d->fallback);
	d->fallback = NULL;
	log_info("the configuration is confirmed");
	return 0;
}

static void roll_back(struct daemon *d)
{
	struct config *former = d->fallback;
	char err[512];

	d->fallback = NULL;
	d->going_back = true;
	if (engine_apply(d, former, err, sizeof(err))) {
		log_err("the former configuration cannot be put in force again: %s", err);
		config_free(former);
	} else {
		log_warn("the configuration was not confirmed: the former one is in force again");
		reload_save(d);
	}
	d->going_back = false;
	end_waiting(d);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
	roll_back(timer->data);
}

void reload_stop(struct daemon *d)
{
	if (d->fallback)
		roll_back(d);
	forget_confirmed(d);
}

/* Put another configuration in the place of the one in force, which is handed over. */
static int swap(struct daemon *d, struct config *next, struct config **former, char *err, size_t err_len)
{
	struct config *old = d->config;
	int ret;

	d->keep_config = true;
	ret = engine_apply(d, next, err, err_len);
	d->keep_config = false;
	if (!ret)
		*former = old;
	return ret;
}

int reload_apply(struct daemon *d, struct config *next, unsigned int confirm_s, char *err, size_t err_len)
{
	struct config *former;
	int ret;

	/* A second unconfirmed reload falls back to where the first one started. */
	if (confirm_s && !d->fallback) {
		ret = save_confirmed(d);
		if (ret) {
			snprintf(err, err_len, "the configuration in force cannot be kept aside: %s", strerror(-ret));
			config_free(next);
			return ret;
		}
	}
	ret = swap(d, next, &former, err, err_len);
	if (ret) {
		config_free(next);
		if (!d->fallback)
			forget_confirmed(d);
		return ret;
	}
	if (confirm_s && !d->fallback)
		d->fallback = former;
	else
		config_free(former);
	if (confirm_s) {
		ev_timer_stop(d->loop, &d->confirm_timer);
		ev_timer_init(&d->confirm_timer, on_timeout, confirm_s, 0);
		d->confirm_timer.data = d;
		ev_timer_start(d->loop, &d->confirm_timer);
	} else {
		end_waiting(d);
		config_free(d->fallback);
		d->fallback = NULL;
	}
	reload_save(d);
	log_info("%s is in force%s", d->config->source, confirm_s ? ", until it is confirmed or time is up" : "");
	return 0;
}
