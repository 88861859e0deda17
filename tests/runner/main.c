/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * main.c - case-runner native|tc|xdp: does with one host of the datapath what standard input says,
 * one JSON object a line, and answers each with one. tests/cases/run.py is at the other end.
 *
 *   {"op": "begin", "config": YAML, "net": {...}}     a fresh datapath; answers with the interfaces' numbers
 *   {"op": "packet", "in": NAME, "hex": FRAME, "gso": BYTES, "mark": NUMBER, "from": NAME}   in nvi0: it leaves there
 *   {"op": "parked", "in": NAME, "hex": FRAME}        the daemon writes a frame back into its tap
 *   {"op": "heartbeat"}                               the daemon's sign of life
 *   {"op": "reload", "config": YAML}
 *   {"op": "advance", "seconds": N}                   time passes (everything that is there gets older)
 *   {"op": "sweep"}, {"op": "generation"}
 *   {"op": "adopt", "proto": N, "orig": "A:p > B:q", "reply": "B:q > X:r", "idle": SECONDS}
 *   {"op": "state"}                                   tables; "broken" says what must not be
 *   {"op": "end"}
 *
 * An answer with "error" names what went wrong; with "skip" as well, this host cannot run here, or not this case.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/verdict.h"
#include "tests/runner/runner.h"

static const struct host *host;
static struct scene scene;
static uint8_t frame[RUNNER_MAX_FRAME];

static size_t unhex(const char *hex, uint8_t *to, size_t room)
{
	size_t n = 0;

	for (; hex[0] && hex[1] && n < room; hex += 2)
		if (sscanf(hex, "%2hhx", &to[n++]) != 1)
			return 0;
	return n;
}

static json_t *hex_json(const uint8_t *bytes, size_t len)
{
	char *text = malloc(2 * len + 1);
	json_t *out;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * len] = 0;
	out = json_string(text);
	free(text);
	return out;
}

static json_t *verdicts_json(uint64_t bits)
{
	json_t *list = json_array();

	for (unsigned int v = 0; v < VERDICT_COUNT; v++)
		if (bits >> v & 1)
			json_array_append_new(list, json_string(verdict_name(v)));
	return list;
}

static json_t *name_json(uint32_t ifindex)
{
	for (size_t i = 0; i < scene.net.n_interfaces; i++)
		if (scene.net.interfaces[i].ifindex == ifindex)
			return json_string(scene.net.interfaces[i].name);
	return json_sprintf("interface %u", ifindex);
}

static json_t *copies_json(const struct outcome *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->n_copied; i++)
		json_array_append_new(list, json_pack("{s:o, s:o}", o->copied[i].in ? "enters" : "out", name_json(o->copied[i].ifindex),
						      "hex", hex_json(o->copied[i].frame, o->copied[i].len)));
	return list;
}

static json_t *outcome_json(const struct outcome *o)
{
	static const char *const actions[] = { "send", "kernel", "drop" };
	json_t *out = json_pack("{s:o, s:s, s:s, s:I}", "verdicts", verdicts_json(o->verdicts), "action", actions[o->action],
				"at", o->at, "mark", (json_int_t)o->mark);

	if (o->action != NATIVE_DROP)
		json_object_set_new(out, "hex", hex_json(o->frame, o->len));
	if (o->action == NATIVE_SEND && o->out_ifindex)
		json_object_set_new(out, o->enters ? "enters" : "out", name_json(o->out_ifindex));
	json_object_set_new(out, "copies", copies_json(o));
	return out;
}

/* parked: it comes out of the tap. */
static json_t *do_packet(const json_t *request, bool parked, char *err)
{
	const char *name = json_string_value(json_object_get(request, "in"));
	const char *hex = json_string_value(json_object_get(request, "hex"));
	const struct native_interface *in = name ? scene_interface(&scene, name) : NULL;
	const char *from = json_string_value(json_object_get(request, "from"));
	const struct native_interface *origin = from ? scene_interface(&scene, from) : NULL;
	struct outcome out = {};
	size_t len;

	if (!in || !hex) {
		snprintf(err, RUNNER_ERR_LEN, "packet: no such interface, or no hex");
		return NULL;
	}
	len = unhex(hex, frame, sizeof(frame));
	if (!len) {
		snprintf(err, RUNNER_ERR_LEN, "packet: empty frame");
		return NULL;
	}
	if (parked ? host->parked(in, frame, len, &out, err) : host->packet(&(struct arrival){
			.in = in, .frame = frame, .len = len, .gso_size = (uint32_t)json_integer_value(json_object_get(request, "gso")),
			.mark = (uint32_t)json_integer_value(json_object_get(request, "mark")), .origin = origin ? origin->ifindex : 0,
		}, &out, err))
		return NULL;
	return outcome_json(&out);
}

static json_t *do_state(char *err)
{
	struct view view = {};
	const char *broken;
	json_t *out;

	if (host->view(&view, err))
		return NULL;
	out = view_json(&view);
	broken = view_broken(&view);
	if (!broken)
		broken = view_bits_broken(&view);
	if (broken)
		json_object_set_new(out, "broken", json_string(broken));
	free(view.entries);
	return out;
}

static json_t *do_sweep(char *err)
{
	struct sweep_args args = {};

	if (host->sweep(&args, err))
		return NULL;
	return json_pack("{s:i, s:i, s:i, s:i, s:i}", "live", args.live, "ended", args.ended, "freed", args.freed,
			 "mappings_live", args.mappings_live, "mappings_freed", args.mappings_freed);
}

/* "A:p > B:q" */
static int read_tuple(const json_t *request, const char *key, uint8_t proto, struct tuple *t)
{
	const char *text = json_string_value(json_object_get(request, key));
	char src[64], dst[64];
	unsigned int sport, dport;

	if (!text || sscanf(text, "%63[^:]:%u > %63[^:]:%u", src, &sport, dst, &dport) != 4)
		return -EINVAL;
	t->sport = htons((uint16_t)sport);
	t->dport = htons((uint16_t)dport);
	t->proto = proto;
	return addr_parse(src, &t->src) || addr_parse(dst, &t->dst) ? -EINVAL : 0;
}

static int do_adopt(const json_t *request, char *err)
{
	struct adopt_args args = { .idle_s = (uint32_t)json_integer_value(json_object_get(request, "idle")) };
	uint8_t proto = (uint8_t)json_integer_value(json_object_get(request, "proto"));

	if (read_tuple(request, "orig", proto, &args.orig) || read_tuple(request, "reply", proto, &args.reply)) {
		snprintf(err, RUNNER_ERR_LEN, "adopt: orig and reply are not understood");
		return -EINVAL;
	}
	return host->adopt(&args, err);
}

static int do_reload(const json_t *request, char *err)
{
	struct config *config;
	int ret = host->reload ? scene_read_config(request, &config, err) : -EOPNOTSUPP;

	if (ret == -EOPNOTSUPP)
		snprintf(err, RUNNER_ERR_LEN, "this host takes no second configuration");
	if (ret)
		return ret;
	config_free(scene.config);
	scene.config = config;
	return host->reload(&scene, err);
}

static json_t *numbers_json(void)
{
	json_t *out = json_object();

	for (size_t i = 0; i < scene.net.n_interfaces; i++)
		json_object_set_new(out, scene.net.interfaces[i].name, json_integer((json_int_t)scene.net.interfaces[i].ifindex));
	return json_pack("{s:o}", "numbers", out);
}

static void end_case(void)
{
	host->end();
	scene_free(&scene);
}

static json_t *answer(const json_t *request, char *err)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	int ret;

	snprintf(err, RUNNER_ERR_LEN, "%s: not known", op ? op : "a request without op");
	if (!op)
		return NULL;
	if (!strcmp(op, "packet") || !strcmp(op, "parked"))
		return do_packet(request, !strcmp(op, "parked"), err);
	if (!strcmp(op, "state"))
		return do_state(err);
	if (!strcmp(op, "sweep"))
		return do_sweep(err);
	if (!strcmp(op, "begin")) {
		ret = scene_read(request, &scene, err);
		if (!ret)
			ret = host->begin(&scene, err);
		return ret == -EOPNOTSUPP ? json_pack("{s:s, s:b}", "error", err, "skip", 1) : ret ? NULL : numbers_json();
	} else if (!strcmp(op, "heartbeat")) {
		ret = host->heartbeat(err);
	} else if (!strcmp(op, "reload")) {
		ret = do_reload(request, err);
	} else if (!strcmp(op, "advance")) {
		ret = host->advance((uint32_t)json_integer_value(json_object_get(request, "seconds")), err);
	} else if (!strcmp(op, "generation")) {
		ret = host->generation(err);
	} else if (!strcmp(op, "adopt")) {
		ret = do_adopt(request, err);
	} else if (!strcmp(op, "end")) {
		end_case();
		ret = 0;
	} else {
		return NULL;
	}
	return ret ? NULL : json_object();
}

static void reply(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

static const struct host *host_named(const char *name)
{
	const struct host *const hosts[] = { &host_native, &host_tc, &host_xdp };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (!strcmp(hosts[i]->name, name))
			return hosts[i];
	return NULL;
}

int main(int argc, char **argv)
{
	char err[RUNNER_ERR_LEN] = "";
	char *line = NULL;
	size_t room = 0;
	int ret;

	host = argc == 2 ? host_named(argv[1]) : NULL;
	if (!host) {
		fprintf(stderr, "usage: case-runner native|tc|xdp\n");
		return 2;
	}
	ret = host->open(err);
	if (ret) {		/* lack of privileges is nobody's fault; programs that are refused are */
		reply(json_pack("{s:s, s:b}", "error", err, "skip", ret == -EPERM));
		return 0;
	}
	reply(json_pack("{s:s}", "host", host->name));
	while (getline(&line, &room, stdin) > 0) {
		json_t *request = json_loads(line, 0, NULL), *out;

		err[0] = 0;
		out = request ? answer(request, err) : NULL;
		reply(out ? out : json_pack("{s:s}", "error", err[0] ? err : "not JSON"));
		json_decref(request);
	}
	free(line);
	end_case();
	host->close();
	return 0;
}
