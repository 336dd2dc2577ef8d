# SPDX-License-Identifier: Apache-2.0
# The two commands of the README, and what they are made of. Meson does the building, in build/.

VERSION := $(shell sed -n "s/^ *version : '\([^']*\)',$$/\1/p" meson.build | head -1)
DIST := build/gn8v-tee-$(VERSION).tar.gz
SANITIZED := build/sanitize

# Unit tests are built where they run, in the sanitized build.
all: build/build.ninja
	ninja -C build all test-programs

build/build.ninja:
	meson setup build -Dunit-tests=false

$(SANITIZED)/build.ninja:
	meson setup $(SANITIZED) -Db_sanitize=address,undefined -Db_lundef=false

deps:
	tests/deps.sh

# The project's own sources as they stand here, for rpmbuild: same files, same bytes.
dist: | build/build.ninja
	tests/dist.sh $(DIST)

demo: deps all dist
	tests/demo.sh $(DIST)

check: deps all dist $(SANITIZED)/build.ninja
	ninja -C $(SANITIZED) unit-tests
	tests/run.sh $(DIST)

# End-to-end suites with sanitized programs; every report fails its suite. SANITIZE=thread: ThreadSanitizer. An hour on two processors. Without those that
# put a program into a root without /proc, where sanitizers find neither their options nor threads.
# A program that runs from its build folder finds its data beside that: build/repo.
SANITIZE = address,undefined
SANITIZED_SUITES = fetch build publish mirror places merge lifecycle signers oracle rims attest attest-online attest-devices diagnose
check-sanitized: dir = $(if $(filter thread,$(SANITIZE)),build/threads,$(SANITIZED))
check-sanitized: deps dist
	[ -e $(dir)/build.ninja ] || meson setup $(dir) -Db_sanitize=$(SANITIZE) -Db_lundef=false
	ninja -C $(dir) all test-programs
	ln -sfn ../repo build/repo
	GN8V_BUILD=$(dir) GN8V_SUITES="$(or $(GN8V_SUITES),$(SANITIZED_SUITES))" tests/run.sh $(DIST)

fuzz: deps
	tests/fuzz/run.sh

bench: deps all dist
	tests/bench/run.sh

install: all
	meson install -C build --no-rebuild

clean:
	rm -rf build

.PHONY: all deps dist demo check check-sanitized fuzz bench install clean
