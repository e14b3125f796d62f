#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # tests are called by name
#
# What the tests before this one have left behind: objects that nothing points to any more, as
# kmemleak tells it. Skips that where the kernel has no kmemleak.
# For any POSIX shell; uid 0. The module is loaded again from MKVM_MODULE, as in unload.sh.

set -u

module=${MKVM_MODULE:-/host/modules/mkvm.ko}
objects=/sys/kernel/debug/kmemleak
said=$(mktemp)
trap 'rm -f "$said"' EXIT
number=0
failed=0

goes()
{
	rmmod mkvm >"$said" 2>&1
}

# An object counts when it was unreachable in a scan and has not changed since: hence two, and what
# is younger than five seconds is left out.
no_object_is_lost()
{
	sleep 6
	echo scan >"$objects"
	sleep 6
	echo scan >"$objects"
	cat "$objects" >"$said"
	[ ! -s "$said" ]
}

comes_back()
{
	if [ -r "$module" ]; then
		insmod "$module" >"$said" 2>&1
	else
		modprobe mkvm >"$said" 2>&1
	fi
}

# check NAME [FILE]: runs it, or skips it where FILE cannot be read.
check()
{
	number=$((number + 1))
	: >"$said"
	if [ $# -gt 1 ] && ! head -c 1 "$2" >/dev/null 2>&1; then
		echo "ok $number $1 # SKIP this kernel has no $2"
		return
	fi
	if "$1"; then
		echo "ok $number $1"
	else
		head -n 200 "$said" | sed 's/^/# /'
		echo "not ok $number $1"
		failed=1
	fi
}

echo "TAP version 13"
if [ ! -e /sys/module/mkvm ]; then
	echo "1..0 # SKIP mkvm is not loaded"
	exit 4
fi
echo "1..3"
check goes
check no_object_is_lost "$objects"
check comes_back
exit "$failed"
