# make            build/twokey, build/twokey-verify, build/twokey-notify, build/pam_twokey.so, build/share: manual pages and completion
# make install    into DESTDIR; the units are for systemctl enable --now twokey-self.socket twokey-verify.socket twokey-root.socket
# make test       installs what the tests need, runs all of them
# make demo       one login from enrolment to audit log, on a throw-away sshd on loopback

PREFIX      ?= /usr
BINDIR      ?= $(PREFIX)/bin
LIBEXECDIR  ?= $(PREFIX)/libexec/twokey
UNITDIR     ?= $(PREFIX)/lib/systemd/system
ANSIBLEDIR  ?= $(PREFIX)/share/ansible/collections/ansible_collections/twokey/twokey
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
MANDIR      ?= $(PREFIX)/share/man
# Where the shells of a distribution look; zsh's own folder for others is share/zsh/site-functions.
BASHDIR     ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR      ?= $(PREFIX)/share/zsh/vendor-completions
FISHDIR     ?= $(PREFIX)/share/fish/vendor_completions.d
PAMDIR      ?= /usr/lib/$(shell $(CC) -dumpmachine)/security
DESTDIR     ?=
VERSION     ?= $(shell cat VERSION)

UNITS = $(notdir $(wildcard packaging/systemd/*.socket packaging/systemd/*.service))

GO      ?= go
GOFLAGS_ALL = -trimpath -buildvcs=false
# urfave_cli_no_docs leaves two dependencies out that only make documents.
CLI_TAGS = urfave_cli_no_docs
# Both that start twokey-notify know where it is installed.
LDFLAGS_GO = -s -w -X main.version=$(VERSION) -X twokey/deliver.helper=$(LIBEXECDIR)/twokey-notify

.PHONY: all twokey twokey-verify twokey-notify module share install install-units install-users install-ansible install-share uninstall tools test demo package fuzz bench bench-load bench-apply soak timing clean FORCE

all: twokey twokey-verify twokey-notify module share

twokey: build/twokey
twokey-verify: build/twokey-verify
twokey-notify: build/twokey-notify
module: build/pam_twokey.so

build/twokey: FORCE
	CGO_ENABLED=1 $(GO) build $(GOFLAGS_ALL) -tags $(CLI_TAGS) -ldflags '$(LDFLAGS_GO)' -o $@ ./cmd/twokey

build/twokey-verify: FORCE
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_ALL) -ldflags '$(LDFLAGS_GO)' -o $@ ./cmd/twokey-verify

build/twokey-notify: FORCE
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_ALL) -ldflags '$(LDFLAGS_GO)' -o $@ ./cmd/twokey-notify

build/pam_twokey.so: FORCE
	$(MAKE) -C pamhook/module OUT=$(CURDIR)/build HELPER=$(LIBEXECDIR)/twokey-verify

# Manual pages and completion, as twokey itself has its commands; the same source gives the same bytes.
share: build/twokey
	rm -rf build/share
	mkdir -p build/share/man build/share/completion
	set -e; pages=$$(build/twokey man); for page in $$pages; do build/twokey man $$page >build/share/man/$$page.8; done
	cp packaging/man/* build/share/man/
	gzip -9n build/share/man/*
	set -e; for shell in bash zsh fish; do build/twokey completion $$shell >build/share/completion/$$shell; done

install: install-units install-users install-ansible install-share
	install -D -m 0755 build/twokey $(DESTDIR)$(BINDIR)/twokey
	install -D -m 0755 build/twokey-verify $(DESTDIR)$(LIBEXECDIR)/twokey-verify
	install -D -m 0755 build/twokey-notify $(DESTDIR)$(LIBEXECDIR)/twokey-notify
	install -D -m 0644 build/pam_twokey.so $(DESTDIR)$(PAMDIR)/pam_twokey.so
	test -e $(DESTDIR)/etc/pam.d/twokey-self || install -D -m 0644 packaging/pam.d/twokey-self $(DESTDIR)/etc/pam.d/twokey-self

install-units:
	install -d -m 0755 $(DESTDIR)$(UNITDIR)
	for unit in $(UNITS); do \
		sed 's|^ExecStart=/usr/bin|ExecStart=$(BINDIR)|; s|^ExecStart=/usr/libexec/twokey|ExecStart=$(LIBEXECDIR)|' \
			packaging/systemd/$$unit >$(DESTDIR)$(UNITDIR)/$$unit && chmod 0644 $(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	done

# The user is made by systemd-sysusers, or by hand as in packaging/deb/postinst.
install-users:
	install -D -m 0644 packaging/sysusers.d/twokey.conf $(DESTDIR)$(SYSUSERSDIR)/twokey.conf

install-ansible:
	find packaging/ansible -type f ! -name '*.pyc' -printf '%P\n' | while read -r file; do \
		install -D -m 0644 packaging/ansible/$$file $(DESTDIR)$(ANSIBLEDIR)/$$file || exit 1; \
	done

install-share:
	install -d -m 0755 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	install -m 0644 build/share/man/*.5.gz $(DESTDIR)$(MANDIR)/man5/
	install -m 0644 build/share/man/*.8.gz $(DESTDIR)$(MANDIR)/man8/
	install -D -m 0644 build/share/completion/bash $(DESTDIR)$(BASHDIR)/twokey
	install -D -m 0644 build/share/completion/zsh $(DESTDIR)$(ZSHDIR)/_twokey
	install -D -m 0644 build/share/completion/fish $(DESTDIR)$(FISHDIR)/twokey.fish

# The configuration, the secrets and the audit log stay: whoever removes the program by mistake keeps his users.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/twokey $(DESTDIR)$(LIBEXECDIR)/twokey-verify $(DESTDIR)$(LIBEXECDIR)/twokey-notify $(DESTDIR)$(PAMDIR)/pam_twokey.so
	rm -f $(DESTDIR)$(SYSUSERSDIR)/twokey.conf
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS))
	rm -rf $(DESTDIR)$(ANSIBLEDIR)
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/,man5/twokey.yaml.5.gz man8/pam_twokey.8.gz man8/twokey.8.gz man8/twokey-*.8.gz)
	rm -f $(DESTDIR)$(BASHDIR)/twokey $(DESTDIR)$(ZSHDIR)/_twokey $(DESTDIR)$(FISHDIR)/twokey.fish
	-rmdir $(DESTDIR)$(LIBEXECDIR)

tools:
	scripts/install-needs build

# Everything: formatting, vet, staticcheck, the module under sanitizers, all Go tests with the race detector in random order.
test:
	scripts/install-needs test
	scripts/test

demo:
	scripts/install-needs demo
	$(MAKE) --no-print-directory all
	scripts/demo

package:
	scripts/install-needs build
	$(MAKE) --no-print-directory all
	scripts/package

# Longer than a test run: FUZZTIME for each target.
fuzz:
	scripts/install-needs test
	scripts/fuzz

# Whether the time that a refusal takes tells why it was one, on this machine: 500 logins of each kind. The quieter the machine, the more
# it sees; a planted millisecond shows whether it sees enough.
timing:
	scripts/install-needs test
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 2h ./pamhook/logintest/timing

# Logins and all else that takes long, against what people use today: a table, also in bench/results.md. QUICK=1 tries it in a minute;
# BENCH_DIR is a folder on the file system to be measured.
BENCH_DIR ?= /var/tmp
bench:
	scripts/install-needs bench
	$(MAKE) --no-print-directory all build/bench-client build/bench-floor build/bench-login
	build/bench-login $(if $(QUICK),-quick) -dir $(BENCH_DIR) -o $(if $(QUICK),build/bench-quick.md,bench/results.md)

# Many users at once on a throw-away sshd on loopback: how long a login takes, with and without twokey, as a picture.
bench-load:
	scripts/install-needs bench
	$(MAKE) --no-print-directory all build/bench-load
	build/bench-load $(if $(QUICK),-quick) -o $(if $(QUICK),build/bench-load.svg,bench/load.svg)

build/bench-client: bench/client/client.c
	mkdir -p build
	$(CC) -O2 -Wall -Wextra -o $@ $< -lpam

build/bench-floor: bench/floor/floor.c
	mkdir -p build
	$(CC) -O2 -Wall -Wextra -static -o $@ $<

build/bench-login build/bench-load: build/bench-%: FORCE
	$(GO) build $(GOFLAGS_ALL) -o $@ ./bench/$*

# A hundred thousand users at once, against one google-authenticator a user: rate, memory, and list.
bench-apply:
	scripts/install-needs test
	$(MAKE) --no-print-directory twokey
	bench/apply 100000 1000 ext4
	bench/apply 100000 1000 tmpfs

# Ten thousand users, killed ten times in the middle: longer than a test run.
soak:
	scripts/install-needs test
	$(GO) test -v -run Killed -timeout 2h ./enroll/batch -soak.users 10000 -soak.kills 10

clean:
	rm -rf build

FORCE:
