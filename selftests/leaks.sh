#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # tests are called by name
#
# What the tests before this one have left behind: objects that nothing points to any more, as
# kmemleak tells it. Skips that where the kernel has no kmemleak.
# For any POSIX shell; uid 0. The module is loaded again from MKVM_MODULE, as in unload.sh.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"
module=${MKVM_MODULE:-/host/modules/mkvm.ko}
objects=/sys/kernel/debug/kmemleak

goes()
{
	rmmod mkvm >"$dir/out" 2>&1
}

# An object counts when it was unreachable in a scan and has not changed since: hence two, and what
# is younger than five seconds is left out.
no_object_is_lost()
{
	sleep 6
	echo scan >"$objects"
	sleep 6
	echo scan >"$objects"
	cat "$objects" >"$dir/out"
	[ ! -s "$dir/out" ]
}

comes_back()
{
	if [ -r "$module" ]; then
		insmod "$module" >"$dir/out" 2>&1
	else
		modprobe mkvm >"$dir/out" 2>&1
	fi
}

[ -e /sys/module/mkvm ] || skip_all "mkvm is not loaded"
plan 3
each goes
if head -c 1 "$objects" >/dev/null 2>&1; then
	each no_object_is_lost
else
	skip no_object_is_lost "this kernel has no $objects"
fi
each comes_back
finish
