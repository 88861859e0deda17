/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * doctor.c - `natvi doctor`: what in this box works against natvi. Prints what the examination in
 * daemon/doctor.h finds, serious things first. Exit code 0 when nothing serious was found, else 1.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/doctor.h"
#include "lib/config.h"

static const char *const words[] = { [DOCTOR_ERROR] = "error", [DOCTOR_WARN] = "warning", [DOCTOR_NOTE] = "note" };

static void print_findings(const struct doctor *doctor)
{
	enum doctor_severity severity;
	size_t i;

	for (severity = DOCTOR_ERROR; severity <= DOCTOR_NOTE; severity++)
		for (i = 0; i < doctor->n; i++) {
			if (doctor->list[i].severity != severity)
				continue;
			printf("%s: %s: %s\n", words[severity], doctor->list[i].subject, doctor->list[i].what);
			if (doctor->list[i].right[0])
				printf("    %s\n", doctor->list[i].right);
		}
	if (!doctor->n)
		puts("nothing works against natvi here");
}

static int print_json(const char *instance, const struct doctor *doctor)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < doctor->n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "severity", words[doctor->list[i].severity],
			"id", doctor->list[i].id, "subject", doctor->list[i].subject, "what", doctor->list[i].what,
			"right", doctor->list[i].right));
	return cli_print_json(json_pack("{s:s, s:b, s:o}", "instance", instance, "serious", doctor_serious(doctor),
					"findings", list));
}

int cmd_doctor(int argc, char **argv)
{
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;
	struct doctor doctor = { 0 };
	struct cli_opts opts;
	int code;

	if (!cli_parse(argc, argv, CLI_TAKES_JSON | CLI_TAKES_CONFIG, &opts, &code))
		return code;
	if (opts.n_words)
		return cli_error(CLI_USAGE, "doctor: it takes no \"%s\"", opts.words[0]);
	if (opts.config && config_read_file(opts.config, &config, &errors)) {
		cfg_errors_print(NULL, opts.config, &errors, stderr);
		cfg_errors_free(&errors);
		return CLI_FAIL;
	}
	cfg_errors_free(&errors);
	doctor_examine(&doctor, opts.instance, config);
	code = doctor_serious(&doctor) ? CLI_FAIL : CLI_OK;
	if (opts.json)
		print_json(opts.instance, &doctor);
	else
		print_findings(&doctor);
	doctor_free(&doctor);
	config_free(config);
	return code;
}
