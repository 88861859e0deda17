/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * verdict.h - names, classes and texts of the verdicts, from the one list in abi/verdict.h; and of the reasons for which sessions end.
 */
#ifndef NATVI_LIB_VERDICT_H
#define NATVI_LIB_VERDICT_H

#include "abi/event.h"
#include "abi/verdict.h"

/* Any number is fine: what is not in the list is "unknown". */
const char *verdict_name(unsigned int verdict);
const char *verdict_text(unsigned int verdict);

enum verdict_class verdict_class(unsigned int verdict);

/* "send", "kernel" or "drop". */
const char *verdict_class_name(enum verdict_class class);

/* Why a session ended: "idle" ...; abi/event.h has the list. */
const char *end_reason_name(unsigned int reason);
const char *end_reason_text(unsigned int reason);

#endif
