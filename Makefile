# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# natvi: make deps | all | check | demo | bench | install. BUILD is where everything goes.

BUILD	?= build
CLANG	?= clang-16
CC	?= gcc
PREFIX	?= /usr/local
DESTDIR	?=
VERSION	:= 0.1.0

LIBS	:= libbpf yaml-0.1 libmnl jansson libev libcap-ng libnftables libnetfilter_conntrack libpcap
WARN	:= -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wno-unused-parameter
CFLAGS	?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) -I. -I$(BUILD) -D_GNU_SOURCE -DNATVI_VERSION='"$(VERSION)"' -MMD -MP $(PKG_CFLAGS)
PKG_CFLAGS = $(shell pkg-config --cflags libbpf yaml-0.1 libmnl jansson libcap-ng libnftables libnetfilter_conntrack 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs libbpf yaml-0.1 libmnl jansson libcap-ng libnftables libnetfilter_conntrack 2>/dev/null) -lev -lpcap

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_CFLAGS := -std=gnu11 -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -I. -I/usr/include/$(MULTIARCH) -MMD -MP

LIB_SRC	:= $(wildcard lib/*.c)
DAEMON_SRC := $(wildcard daemon/*.c)
CLI_SRC	:= $(wildcard cli/*.c)
HOST_SRC := $(wildcard host/*.c)
# What a configuration becomes in the tables: the native host needs it too.
PLAN_SRC := daemon/plan.c daemon/plan_addrs.c daemon/plan_rules.c daemon/plan_wires.c daemon/plan_zones.c daemon/addrs.c daemon/links.c
obj	= $(patsubst %.c,$(BUILD)/%.o,$(1))
NATVI_OBJ := $(call obj,$(LIB_SRC) $(DAEMON_SRC) $(CLI_SRC) $(HOST_SRC))
BPF_OBJ	:= $(BUILD)/bpf/natvi.o

.PHONY: all deps clean install uninstall
all: $(BUILD)/natvi

deps:
	packaging/deps.sh

$(BUILD)/natvi: $(NATVI_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

# One object for all hooks: the maps are shared, what differs between hooks is not.
$(BPF_OBJ): $(BUILD)/bpf/tc.bpf.o $(BUILD)/bpf/xdp.bpf.o
	bpftool gen object $@ $^

# The programs travel inside the binary.
$(BUILD)/natvi.skel.h: $(BPF_OBJ)
	bpftool gen skeleton $< name natvi_bpf > $@.tmp && mv $@.tmp $@

# Of its own, for trace: what it asks the kernel.
$(BUILD)/natvi_ask.skel.h: $(BUILD)/bpf/ask.bpf.o
	bpftool gen skeleton $< name natvi_ask > $@.tmp && mv $@.tmp $@

$(call obj,$(DAEMON_SRC)): $(BUILD)/natvi.skel.h $(BUILD)/natvi_accel.skel.h $(BUILD)/natvi_wire.skel.h
# Asks conntrack, which a kernel may not have: apart.
$(BUILD)/natvi_accel.skel.h: $(BUILD)/bpf/accel.bpf.o
	bpftool gen skeleton $< name natvi_accel > $@.tmp && mv $@.tmp $@

# Wires: loaded where there are any.
$(BUILD)/bpf/wires.bpf.o: $(BUILD)/bpf/wire.bpf.o $(BUILD)/bpf/wire_xdp.bpf.o
	bpftool gen object $@ $^

$(BUILD)/natvi_wire.skel.h: $(BUILD)/bpf/wires.bpf.o
	bpftool gen skeleton $< name natvi_wire > $@.tmp && mv $@.tmp $@

$(call obj,$(wildcard cli/trace*.c)): $(BUILD)/natvi_ask.skel.h

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

include bench/bench.mk
include tests/tests.mk
include packaging/install.mk

clean:
	rm -rf $(BUILD)

-include $(NATVI_OBJ:.o=.d) $(BUILD)/bpf/tc.bpf.d $(BUILD)/bpf/xdp.bpf.d $(BUILD)/bpf/ask.bpf.d $(BUILD)/bpf/accel.bpf.d $(BUILD)/bpf/wire.bpf.d \
	$(BUILD)/bpf/wire_xdp.bpf.d
