# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# make check        everything, in under 20 minutes on two cores
#   check-unit      tests/unit/test_*.c under ASan and UBSan
#   check-cases     tests/cases: packets in, packets out, on native, XDP and tc
#   check-fuzz      tests/fuzz/fuzz_*.c, FUZZ_SECONDS (15) each
#   check-docs      manual pages, examples, completion
#   check-net       tests/net: namespaces and third-party programs
#   check-conformance  tests/conformance: docs/conformance.md says what a run finds
# make conformance  the same run, and it writes docs/conformance.md and BUILD/conformance.json
# make check-kernels  the cases and a gateway on Debian's 6.1 and 6.12, in QEMU; a quarter of an hour at most. Not part of check
# make deps-kernels   what that needs
# make fuzz         the same fuzz targets for ten minutes each
# make test-one T=  one of them: test_config, fuzz_config, tests/net/test_nat.py, test_nat.py::test_x, rfc4787_req1, or a case
#
# A unit test or fuzz target is linked with lib/ and host/. What else it needs it names itself, in a
# line of its own: /* links: daemon/addrs.c daemon/pools.c */

PYTHON		:= /usr/bin/python3
FUZZ_SECONDS	?= 15
SAN_CC		?= gcc
FUZZ_CC		?= clang-16
SAN_DIR		:= $(BUILD)/san
FUZZ_DIR	:= $(BUILD)/fuzz
SAN_FLAGS	:= -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_FLAGS	:= -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
TEST_CFLAGS	= -std=gnu11 $(WARN) -Wno-missing-prototypes -I. -I$(BUILD) -D_GNU_SOURCE \
		  -DNATVI_VERSION='"$(VERSION)"' -MMD -MP $(PKG_CFLAGS)

UNIT_SRC	:= $(wildcard tests/unit/test_*.c)
FUZZ_SRC	:= $(wildcard tests/fuzz/fuzz_*.c)
UNIT_BIN	:= $(UNIT_SRC:tests/unit/%.c=$(SAN_DIR)/%)
FUZZ_BIN	:= $(FUZZ_SRC:tests/fuzz/%.c=$(FUZZ_DIR)/%)
SHARED_SRC	:= $(LIB_SRC) $(HOST_SRC) $(PLAN_SRC)
# Objects named by a test's "links:" comment; $(1) its source, $(2) the directory of the build.
links		= $(patsubst %.c,$(2)/%.o,$(filter-out $(SHARED_SRC),$(shell sed -n 's,^/\* links: \(.*\) \*/.*,\1,p' $(1))))

.PHONY: check check-unit check-docs check-cases check-fuzz check-net check-conformance conformance fuzz test-one
.PHONY: check-kernels deps-kernels

check:
	@tests/check.sh $(MAKE)

check-unit: $(UNIT_BIN)
	@$(PYTHON) tests/programs.py unit $(UNIT_BIN)

check-fuzz: $(FUZZ_BIN)
	@$(PYTHON) tests/programs.py fuzz --seconds $(FUZZ_SECONDS) --work $(FUZZ_DIR)/work $(FUZZ_BIN)

fuzz:
	@$(MAKE) check-fuzz FUZZ_SECONDS=$(if $(filter command line environment,$(origin FUZZ_SECONDS)),$(FUZZ_SECONDS),600)

check-cases: $(BUILD)/tests/case-runner
	@BUILD=$(BUILD) $(PYTHON) tests/cases/run.py

check-docs: all
	@NATVI=$(BUILD)/natvi tests/docs.sh

check-net: all
	@NATVI=$(abspath $(BUILD))/natvi $(PYTHON) tests/net/run.py

CONFORMANCE	= NATVI=$(abspath $(BUILD))/natvi BUILD=$(BUILD) $(PYTHON) tests/conformance/run.py
conformance: all
	@$(CONFORMANCE)

check-conformance: all
	@$(CONFORMANCE) --check

check-kernels: all $(BUILD)/tests/case-runner $(BUILD)/tests/tun-pair
	@BUILD=$(BUILD) $(PYTHON) tests/kernel/run.py

deps-kernels:
	@BUILD=$(BUILD) packaging/deps-kernels.sh

test-one:
	@[ -n "$(T)" ] || { echo "test-one: say which: make test-one T=test_config" >&2; exit 2; }
	@set -e; case "$(T)" in \
	rfc*_req*|test_rfc*.py*) $(MAKE) all; $(CONFORMANCE) -x -v $(T);; \
	test_*.py*|tests/net/*) $(MAKE) all; NATVI=$(abspath $(BUILD))/natvi $(PYTHON) tests/net/run.py -x -v $(T);; \
	test_*) $(MAKE) $(SAN_DIR)/$(T); $(PYTHON) tests/programs.py unit --verbose $(SAN_DIR)/$(T);; \
	fuzz_*) $(MAKE) $(FUZZ_DIR)/$(T); $(PYTHON) tests/programs.py fuzz --verbose --seconds $(FUZZ_SECONDS) \
		--work $(FUZZ_DIR)/work $(FUZZ_DIR)/$(T);; \
	*) $(MAKE) $(BUILD)/tests/case-runner; BUILD=$(BUILD) $(PYTHON) tests/cases/run.py $(T);; esac

# What runs a case on one host of the datapath; the daemon's own functions fill the kernel's tables.
RUNNER_SRC	:= $(filter-out %.bpf.c,$(wildcard tests/runner/*.c))
$(BUILD)/tests/case-runner: $(call obj,$(RUNNER_SRC)) $(BUILD)/tests/natvi.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(BUILD)/tests/natvi.a: $(call obj,$(LIB_SRC) $(HOST_SRC) $(DAEMON_SRC))
	@mkdir -p $(@D) && rm -f $@
	@$(AR) rcs $@ $^
$(call obj,$(RUNNER_SRC)): $(BUILD)/natvi.skel.h $(BUILD)/natvi_wire.skel.h $(BUILD)/natvi_case.skel.h

# The programs of wires with eyes: see there.
$(BUILD)/tests/%.bpf.o: tests/runner/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c -o $@ $<
$(BUILD)/tests/case.o: $(BUILD)/tests/wire_case.bpf.o $(BUILD)/tests/wire_case_xdp.bpf.o
	bpftool gen object $@.tmp $^ && mv $@.tmp $@
$(BUILD)/natvi_case.skel.h: $(BUILD)/tests/case.o
	bpftool gen skeleton $< name natvi_case > $@.tmp && mv $@.tmp $@
$(BUILD)/tests/tun-pair: $(call obj,tests/kernel/tun_pair.c)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(SAN_DIR)/shared.a: $(patsubst %.c,$(SAN_DIR)/%.o,$(SHARED_SRC))
$(FUZZ_DIR)/shared.a: $(patsubst %.c,$(FUZZ_DIR)/%.o,$(SHARED_SRC))
$(SAN_DIR)/shared.a $(FUZZ_DIR)/shared.a:
	@rm -f $@
	@$(AR) rcs $@ $^

# Some of what a test links includes the skeleton of the BPF object.
$(SAN_DIR)/%.o: %.c | $(BUILD)/natvi.skel.h $(BUILD)/natvi_wire.skel.h
	@mkdir -p $(@D)
	@echo "  SAN   $<"
	@$(SAN_CC) $(TEST_CFLAGS) $(SAN_FLAGS) -c -o $@ $<

$(FUZZ_DIR)/%.o: %.c | $(BUILD)/natvi.skel.h $(BUILD)/natvi_wire.skel.h
	@mkdir -p $(@D)
	@echo "  FUZZ  $<"
	@$(FUZZ_CC) $(TEST_CFLAGS) $(FUZZ_FLAGS) -c -o $@ $<

define unit_rule
$(SAN_DIR)/$(1): $(SAN_DIR)/tests/unit/$(1).o $(call links,tests/unit/$(1).c,$(SAN_DIR)) $(SAN_DIR)/shared.a
	@$$(SAN_CC) $$(SAN_FLAGS) -o $$@ $$^ $$(PKG_LIBS) -lcmocka
endef
define fuzz_rule
$(FUZZ_DIR)/$(1): $(FUZZ_DIR)/tests/fuzz/$(1).o $(call links,tests/fuzz/$(1).c,$(FUZZ_DIR)) $(FUZZ_DIR)/shared.a
	@$$(FUZZ_CC) $$(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach t,$(UNIT_SRC:tests/unit/%.c=%),$(eval $(call unit_rule,$(t))))
$(foreach t,$(FUZZ_SRC:tests/fuzz/%.c=%),$(eval $(call fuzz_rule,$(t))))

-include $(wildcard $(BUILD)/tests/*.d $(BUILD)/tests/runner/*.d)
-include $(wildcard $(SAN_DIR)/*/*.d $(SAN_DIR)/*/*/*.d $(FUZZ_DIR)/*/*.d $(FUZZ_DIR)/*/*/*.d)
