# SPDX-License-Identifier: Apache-2.0
# The two commands of the README, and what they are made of. Meson does the building, in build/.

VERSION := $(shell sed -n "s/^ *version : '\([^']*\)',$$/\1/p" meson.build | head -1)
DIST := build/gn8v-tee-$(VERSION).tar.gz
SANITIZED := build/sanitize

all: build/build.ninja
	ninja -C build

build/build.ninja:
	meson setup build

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
	ninja -C $(SANITIZED)
	tests/run.sh $(DIST)

fuzz: deps
	tests/fuzz/run.sh

bench: deps all dist
	tests/bench/run.sh

install: all
	meson install -C build --no-rebuild

clean:
	rm -rf build

.PHONY: all deps dist demo check fuzz bench install clean
