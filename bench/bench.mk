# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Included by the top Makefile. Builds natvi-bench into $(BUILD)/bench/; `bench`
# runs every scenario, or the short form with QUICK=1.

CLANG   ?= clang-16
CC      ?= cc
BPFTOOL ?= bpftool
PYTHON  ?= python3
BUILD   ?= build

BENCH_OUT  := $(BUILD)/bench
BENCH_BPF  := gen sink peer
BENCH_SRC  := main util gen peer testrun
BENCH_SKEL := $(BENCH_BPF:%=$(BENCH_OUT)/%.skel.h)
BENCH_OBJ  := $(BENCH_SRC:%=$(BENCH_OUT)/%.o)
BENCH_HDR  := bench/gen/flows.h bench/gen/natbench.h

BENCH_BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 -Wall \
	-I/usr/include/$(shell $(CC) -print-multiarch)
BENCH_CFLAGS = -O2 -g -Wall -Wextra -Wno-missing-field-initializers \
	-Ibench/gen -I$(BENCH_OUT)

.PHONY: bench bench-build
.SECONDARY: $(BENCH_SKEL) $(BENCH_BPF:%=$(BENCH_OUT)/%.bpf.o)

bench-build: $(BENCH_OUT)/natvi-bench

bench: bench-build
	$(PYTHON) bench/run.py --build $(BUILD) $(if $(filter-out 0,$(QUICK)),--quick)

$(BENCH_OUT)/%.bpf.o: bench/gen/%.bpf.c bench/gen/flows.h
	@mkdir -p $(@D)
	$(CLANG) $(BENCH_BPF_CFLAGS) -c $< -o $@

$(BENCH_OUT)/%.skel.h: $(BENCH_OUT)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp
	mv $@.tmp $@

$(BENCH_OUT)/%.o: bench/gen/%.c $(BENCH_HDR) $(BENCH_SKEL)
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -c $< -o $@

$(BENCH_OUT)/natvi-bench: $(BENCH_OBJ)
	$(CC) $(BENCH_CFLAGS) $^ -o $@ -lbpf -lpthread
