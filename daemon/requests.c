/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * requests.c - what the commands ask of the daemon, one function each. See control.h.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/neigh.h"
#include "daemon/park.h"
#include "daemon/reload.h"
#include "daemon/session.h"
#include "daemon/state.h"
#include "daemon/sweep.h"
#include "daemon/watch.h"
#include "daemon/wires.h"
#include "lib/ctl.h"
#include "lib/filter.h"
#include "lib/log.h"
#include "lib/names.h"

#define CONFIRM_MAX_S	86400

static json_t *answer_ping(struct daemon *d, const json_t *request)
{
	json_t *reply = ctl_ok();

	json_object_set_new(reply, "pid", json_integer(getpid()));
	return reply;
}

static const char *xdp_name(enum xdp_mode mode)
{
	return mode == XDP_MODE_NATIVE ? "native" : mode == XDP_MODE_GENERIC ? "generic" : "off";
}

static json_t *served_json(const struct served *s)
{
	json_t *object = json_pack("{s:s, s:I, s:b, s:b, s:s}", "name", s->name, "ifindex", (json_int_t)s->ifindex,
				   "present", s->ifindex != 0, "attached", s->up, "xdp", xdp_name(s->attached.xdp));

	if (s->attached.why_off[0])
		json_object_set_new(object, "xdp_why_off", json_string(s->attached.why_off));
	if (s->trouble[0])
		json_object_set_new(object, "trouble", json_string(s->trouble));
	return object;
}

static json_t *sweep_json(const struct daemon *d)
{
	struct sweep_report r;

	sweep_report(d, &r);
	return json_pack("{s:f, s:i, s:I, s:I, s:I, s:I, s:I}", "ms", r.seconds * 1e3, "slices", (int)r.slices,
			 "live", (json_int_t)r.live, "ended", (json_int_t)r.ended, "freed", (json_int_t)r.freed,
			 "mappings_live", (json_int_t)r.mappings_live, "mappings_freed", (json_int_t)r.mappings_freed);
}

static json_t *status_json(struct daemon *d)
{
	const struct control *c = d->tables->control;
	json_t *reply = ctl_ok(), *interfaces = json_array();
	struct usage usage = { 0 };
	size_t i;

	maps_usage(d->tables->maps, &usage);
	for (i = 0; i < d->n_served; i++)
		if (d->served[i].role == ATTACH_NAT)
			json_array_append_new(interfaces, served_json(&d->served[i]));
	json_object_update_new(reply, json_pack("{s:s, s:s, s:s, s:i, s:I, s:s, s:o, s:o}", "instance", d->instance,
		"version", NATVI_VERSION, "source", d->config->source, "pid", (int)getpid(), "started", (json_int_t)d->started,
		"log", log_level_name(log_get_level()), "interfaces", interfaces, "sweep", sweep_json(d)));
	json_object_update_new(reply, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "sessions", (json_int_t)usage.sessions,
		"max_sessions", (json_int_t)c->max_sessions, "mappings", (json_int_t)usage.mappings,
		"max_mappings", (json_int_t)c->max_mappings, "generation", (json_int_t)c->generation,
		"heartbeat_age_s", (json_int_t)(maps_now_s() - c->heartbeat_s)));
	json_object_update_new(reply, json_pack("{s:b, s:b, s:b, s:I}", "unconfirmed", reload_pending(d), "policy", d->policy,
		"nftables", d->mark_slow, "managed_neighbours", (json_int_t)neigh_managed(watch_neighbours(d))));
	if (d->config->n_wires)
		json_object_set_new(reply, "wires", wires_json(d));
	if (d->park)
		json_object_set_new(reply, "park", park_json(d));
	if (d->conflict[0])
		json_object_set_new(reply, "conflict", json_string(d->conflict));
	return reply;
}

static json_t *answer_status(struct daemon *d, const json_t *request)
{
	return status_json(d);
}

/* Reload */

static json_t *config_complaint(const char *name, const struct cfg_errors *errors)
{
	char *text = NULL;
	json_t *reply;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return ctl_error("%s is no good configuration", name);
	cfg_errors_print(NULL, name, errors, out);
	fclose(out);
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	reply = ctl_error("%s", text);
	free(text);
	return reply;
}

static int read_config(struct daemon *d, const json_t *request, struct config **out, json_t **complaint)
{
	const json_t *text = json_object_get(request, "text");
	const char *path = json_string_value(json_object_get(request, "path"));
	struct cfg_errors errors = { 0 };
	int err;

	if (!path && !json_is_string(text))
		path = d->config_path;
	if (!path && !json_is_string(text)) {
		*complaint = ctl_error("this instance was started without a file: say which one, `natvi reload FILE`");
		return -EINVAL;
	}
	if (json_is_string(text))
		err = config_read_text(json_string_value(text), json_string_length(text), path ? path : "control socket",
				       out, &errors);
	else
		err = config_read_file(path, out, &errors);
	if (err)
		*complaint = config_complaint(path ? path : "control socket", &errors);
	cfg_errors_free(&errors);
	return err;
}

static json_t *answer_reload(struct daemon *d, const json_t *request)
{
	const json_t *confirm = json_object_get(request, "confirm");
	json_int_t confirm_s = json_integer_value(confirm);
	struct config *next = NULL;
	json_t *reply = NULL;
	char err[1024];

	if (confirm && (!json_is_integer(confirm) || confirm_s < 0 || confirm_s > CONFIRM_MAX_S))
		return ctl_error("confirm: right would be a number of seconds up to %d", CONFIRM_MAX_S);
	if (read_config(d, request, &next, &reply))
		return reply;
	if (reload_apply(d, next, (unsigned int)confirm_s, err, sizeof(err)))
		return ctl_error("%s", err);
	reply = ctl_ok();
	json_object_set_new(reply, "source", json_string(d->config->source));
	return reply;
}

static json_t *answer_confirm(struct daemon *d, const json_t *request)
{
	if (reload_confirm(d))
		return ctl_error("nothing waits for a confirmation");
	return ctl_ok();
}

static json_t *answer_stop(struct daemon *d, const json_t *request)
{
	d->release = json_is_true(json_object_get(request, "down"));
	log_info(d->release ? "ending, and the datapath with it" : "ending; the datapath goes on");
	ev_break(d->loop, EVBREAK_ALL);
	return ctl_ok();
}

/* Flush */

static bool admit_mapping(const struct map_entry *entry, void *arg)
{
	return filter_mapping(arg, entry);
}

static json_t *flush_with(struct daemon *d, const char *what, struct filter *filter)
{
	int flushed, busy = 0;
	char err[256];
	json_t *reply;

	if (!strcmp(what, "mappings") && filter_check_mapping(filter, err, sizeof(err)))
		return ctl_error("%s", err);
	if (!strcmp(what, "sessions"))
		flushed = sessions_kill(d->tables, filter, NULL, NULL, END_FLUSHED);
	else
		flushed = mappings_drop(d->tables, admit_mapping, filter, &busy);
	engine_freed(d);
	if (flushed < 0)
		return ctl_error("cannot flush %s: %s", what, strerror(-flushed));
	reply = ctl_ok();
	json_object_set_new(reply, "flushed", json_integer(flushed));
	json_object_set_new(reply, "busy", json_integer(busy));
	return reply;
}

static json_t *answer_flush(struct daemon *d, const json_t *request)
{
	const char *what = json_string_value(json_object_get(request, "what"));
	struct filter filter = { 0 };
	struct names *names;
	json_t *reply;
	char err[256];

	if (!what || (strcmp(what, "sessions") && strcmp(what, "mappings")))
		return ctl_error("flush what? \"sessions\" or \"mappings\"");
	if (filter_from_json(&filter, json_object_get(request, "filter"), err, sizeof(err)))
		return ctl_error("%s", err);
	names = names_open(d->instance);
	if (names)
		names_take_zones(names, d->plan.zones);
	if (!names || filter_resolve(&filter, names, err, sizeof(err)))
		reply = ctl_error("%s", names ? err : "out of memory");
	else
		reply = flush_with(d, what, &filter);
	names_close(names);
	filter_free(&filter);
	return reply;
}

static json_t *answer_loglevel(struct daemon *d, const json_t *request)
{
	const char *text = json_string_value(json_object_get(request, "level"));
	enum log_level level;
	json_t *reply;

	if (text && log_level_parse(text, &level))
		return ctl_error("\"%s\" is no log level: right would be error, warn, info or debug", text);
	if (text)
		log_set_level(level);
	reply = ctl_ok();
	json_object_set_new(reply, "level", json_string(log_level_name(log_get_level())));
	return reply;
}

static const struct {
	const char *name;
	json_t *(*answer)(struct daemon *d, const json_t *request);
} commands[] = {
	{ "ping", answer_ping }, { "status", answer_status }, { "reload", answer_reload }, { "confirm", answer_confirm },
	{ "stop", answer_stop }, { "flush", answer_flush }, { "loglevel", answer_loglevel },
};

json_t *request_answer(struct daemon *d, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "cmd"));
	size_t i;

	for (i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].answer(d, request);
	return ctl_error("there is no command \"%s\"", name ? name : "");
}
