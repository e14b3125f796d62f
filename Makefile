# SPDX-License-Identifier: GPL-2.0-only
#
# mkvm's front door: `make help` lists what can be asked for. The work is done by scripts/,
# Kbuild (the module), userspace/Makefile (the launcher) and selftests/Makefile.

# Which kernel (a full release or a series), where the output goes, where things are installed.
KVER ?=
BUILD ?= $(CURDIR)/build
PREFIX ?= /usr/local
DESTDIR ?=

override BUILD := $(abspath $(BUILD))
export BUILD KDIR PREFIX DESTDIR

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

.PHONY: run
run: ## a guest on emulated Intel and AMD hosts, then Linux; HOST=native: a guest right here
	@scripts/run

.PHONY: image
image: ## a Debian root file system as a disk image, for run: IMAGE=FILE SIZE=1G
	@scripts/image

.PHONY: test
test: ## the selftests on emulated hosts of both vendors, under both kernels
	@scripts/test

.PHONY: test-debug
test-debug: ## the selftests on a kernel with KASAN, lockdep, fault injection, which is built first
	@RUNS="$(CURDIR)/scripts/test-debug-runs" scripts/test

.PHONY: test-linux
test-linux: ## Debian's kernel in a guest of the launcher, on emulated hosts
	@RUNS="$(CURDIR)/scripts/test-linux-runs" scripts/test

.PHONY: compare
compare: ## exits of Linux's boot, here and on stock kvm, side by side
	@scripts/compare

.PHONY: enumerate
enumerate: ## millions of accesses by all kinds of page table entries: CASES=N SEED=S
	@scripts/enumerate

.PHONY: equivalence
equivalence: ## the same random guest on both MMUs: STEPS=N SEED=S
	@scripts/equivalence

.PHONY: fuzz-ioctl
fuzz-ioctl: ## random ioctls on that kernel: CALLS=N SEED=S
	@scripts/fuzz-ioctl

.PHONY: stress-mmu
stress-mmu: ## swap, KSM, huge pages, logs and moves under 8 vCPUs on that kernel: PERCENT=N
	@scripts/stress-mmu

.PHONY: stress-irq
stress-irq: ## 64 vCPUs that interrupt each other, hostile guests, on that kernel: HOPS=, WRITES=
	@scripts/stress-irq

.PHONY: check
check: ## both builds without a warning, sparse, checkpatch, formatting, layers, scripts
	@scripts/check

.PHONY: unit
unit: ## emulator of instructions, the launcher's readers: in user space with sanitizers
	+@$(MAKE) --no-print-directory -C selftests/unit O="$(BUILD)" run
	+@$(MAKE) --no-print-directory -C selftests/unit/launcher O="$(BUILD)" run

.PHONY: prove
prove: ## the MMU in user space, against a simulated host and processors: OPS=N SEED=S
	+@$(MAKE) --no-print-directory -C selftests/unit/mmu O="$(BUILD)" coverage

.PHONY: prove-faults
prove-faults: ## does the proof find faults? each of selftests/unit/mmu/faults in turn
	+@$(MAKE) --no-print-directory -C selftests/unit/mmu O="$(BUILD)" faults

.PHONY: fuzz-mmu
fuzz-mmu: ## the same with libFuzzer's choices, until it is stopped: FUZZ="-max_total_time=60"
	+@$(MAKE) --no-print-directory -C selftests/unit/mmu O="$(BUILD)" fuzz

.PHONY: format
format: ## let clang-format lay out the C files
	@scripts/check format

.PHONY: setup
setup: ## install by apt what building, running, testing and checking need
	@scripts/setup build run test check

.PHONY: install
install: module launcher ## the module for KVER, the launcher, the udev rule, the header
	@scripts/install "$(KVER)"

.PHONY: uninstall
uninstall: ## what install put there for KVER
	@scripts/install --remove "$(KVER)"

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
	@echo '  MACHINE=amd|intel, KERNEL=6.1|6.12    only these emulated hosts, for run and test'
	@echo '  HOST=native                           run on the real processor'
	@echo '  DISK=IMAGE                            run the Debian on that disk, on the AMD host'
	@echo '  RUN=NAME                              only this run of scripts/test-runs'
	@echo '  TEST="NAME..."                        only these test programs'
	@echo '  ALL=1                                 each program in each run, see scripts/test-runs'
	@echo '  ORACLE=1                              test on the stock kvm instead'
	@echo '  SEED=n, CALLS=n                       other random numbers, and more of them, for unit'
	@echo '  OPS=, SEED=, FUZZ=                    for prove; arguments of libFuzzer, for fuzz-mmu'
	@echo '  PERCENT=N                             for stress-mmu: so much of each kind of event (100)'
	@echo '  HOPS=N, STORMS=N, WRITES=N, SEED=S    for stress-irq: how many of each; which writes'
	@echo '  CASES=N, SEED=S, MMU=tdp|shadow       for enumerate; ORACLE=1: on the stock kvm'
	@echo '  STEPS=N, SEED=S                       for equivalence'
	@echo '  CALLS=, SEED=, ROUND=, THREADS=       for fuzz-ioctl; KERNEL=6.12: not on the debug kernel'
	@echo '  PREFIX=/usr/local, DESTDIR=           where install puts things'
