# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# make install | uninstall, honouring PREFIX and DESTDIR. An existing configuration is left alone;
# natvi.yaml is never installed as such, only as an example beside it.

bindir		?= $(PREFIX)/bin
libexecdir	?= $(PREFIX)/libexec/natvi
datadir		?= $(PREFIX)/share
mandir		?= $(datadir)/man
examplesdir	?= $(datadir)/natvi/examples
sysconfdir	?= /etc
unitdir		?= $(if $(filter /usr,$(PREFIX)),/lib/systemd/system,/etc/systemd/system)
completiondir	?= $(datadir)/bash-completion/completions

INSTALL		?= install
INSTALL_MAN	:= $(wildcard man/*.[1-8])
INSTALL_EXAMPLES := $(wildcard examples/*.yaml examples/*.pcap)
MAN_TARGETS	= $(foreach m,$(INSTALL_MAN),$(mandir)/man$(subst .,,$(suffix $m))/$(notdir $m).gz)

install: all
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir) $(DESTDIR)$(examplesdir) $(DESTDIR)$(unitdir) \
		$(DESTDIR)$(completiondir) $(DESTDIR)$(sysconfdir)/natvi $(DESTDIR)$(sysconfdir)/iproute2/rt_protos.d
	$(INSTALL) -m 755 $(BUILD)/natvi $(DESTDIR)$(bindir)/natvi
	$(INSTALL) -m 755 packaging/demo/natvi-demo $(DESTDIR)$(libexecdir)/natvi-demo
	set -e; for m in $(INSTALL_MAN); do \
		d=$(DESTDIR)$(mandir)/man$${m##*.}; $(INSTALL) -d $$d; \
		gzip -9nc $$m > $$d/$$(basename $$m).gz; chmod 644 $$d/$$(basename $$m).gz; done
	$(INSTALL) -m 644 packaging/natvi.bash-completion $(DESTDIR)$(completiondir)/natvi
	$(INSTALL) -m 644 $(INSTALL_EXAMPLES) $(DESTDIR)$(examplesdir)
	$(INSTALL) -m 644 packaging/rt_protos.conf $(DESTDIR)$(sysconfdir)/iproute2/rt_protos.d/natvi.conf
	sed 's,@bindir@,$(bindir),g; s,@sysconfdir@,$(sysconfdir),g' packaging/natvi.service \
		> $(DESTDIR)$(unitdir)/natvi.service
	chmod 644 $(DESTDIR)$(unitdir)/natvi.service
	$(INSTALL) -m 644 examples/home-gateway.yaml $(DESTDIR)$(sysconfdir)/natvi/natvi.yaml.example

# The administrator's own natvi.yaml stays.
uninstall:
	rm -f $(DESTDIR)$(bindir)/natvi $(DESTDIR)$(completiondir)/natvi $(DESTDIR)$(unitdir)/natvi.service
	rm -f $(DESTDIR)$(sysconfdir)/iproute2/rt_protos.d/natvi.conf $(DESTDIR)$(sysconfdir)/natvi/natvi.yaml.example $(addprefix $(DESTDIR),$(MAN_TARGETS))
	rm -rf $(DESTDIR)$(libexecdir) $(DESTDIR)$(datadir)/natvi
	-rmdir $(DESTDIR)$(sysconfdir)/natvi 2>/dev/null

.PHONY: demo
demo:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory all
	@NATVI=$(abspath $(BUILD))/natvi packaging/demo/natvi-demo
