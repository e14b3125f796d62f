# SPDX-License-Identifier: GPL-2.0-only
#
# mkvm's front door: `make help` lists what can be asked for. The work is done by scripts/,
# Kbuild (the module), userspace/Makefile (the launcher) and selftests/Makefile.

# Which kernel (a full release or a series), where the output goes, where things are installed.
KVER ?=
BUILD ?= $(CURDIR)/build
PREFIX ?= /usr/local
DESTDIR ?=

export BUILD := $(abspath $(BUILD))
export KDIR

.DEFAULT_GOAL := all

.PHONY: all
all: module launcher ## the module and the launcher

.PHONY: module
module: ## build/RELEASE/mkvm.ko for the kernel that KVER names
	+@scripts/module "$(KVER)"

.PHONY: launcher
launcher: ## build/bin/mkvm, a static program
	+@$(MAKE) --no-print-directory -C userspace O="$(BUILD)"

.PHONY: selftests
selftests: launcher ## the test programs, in build/selftests
	+@$(MAKE) --no-print-directory -C selftests O="$(BUILD)" OUTPUT="$(BUILD)/selftests"

.PHONY: clean
clean: ## remove the objects, keep the test logs
	rm -rf $(filter-out $(BUILD)/log,$(wildcard $(BUILD)/*))

.PHONY: distclean
distclean: ## remove everything that was generated
	rm -rf "$(BUILD)"

.PHONY: help
help: ## this list
	@echo 'Targets:'
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | \
		while IFS='	' read -r target text; do printf '  %-12s %s\n' "$$target" "$$text"; done
	@echo 'Variables:'
	@echo '  KVER=        kernel to build for: a release, or 6.1 or 6.12 (the newest installed);'
	@echo '               by default the running one if supported, else the newest supported'
	@echo '  KDIR=        a configured kernel tree that is not a package'
	@echo '  BUILD=       where all output goes (build)'
	@echo '  W=1, C=2     more warnings; sparse'
