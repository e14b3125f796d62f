#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # tests are called by name
#
# A processor that has neither VMX nor SVM: the module is refused with -EOPNOTSUPP, the kernel's log
# says why, the launcher says where to look, and nothing is left behind. For an emulated host that was
# started with --without-virt, the module beside it and not loaded.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"
module=/host/modules/mkvm.ko

reasons()
{
	dmesg | grep 'mkvm: this processor has neither VT-x (VMX) nor AMD-V (SVM)' |
		grep -c 'its hypervisor has to offer it'
}

# With that errno, and the reason once more in the log. (busybox tries it in two ways.)
load_refused()
{
	before=$(reasons)
	insmod "$module" >"$dir/out" 2>&1 && return 1
	dmesg | grep 'mkvm: ' >"$dir/err"
	grep -q "Operation not supported" "$dir/out" && [ ! -e /dev/mkvm ] &&
		[ ! -e /sys/module/mkvm ] && [ ! -e /sys/kernel/debug/mkvm ] &&
		[ "$(reasons)" -gt "$before" ]
}

launcher_says_where_to_look()
{
	"$launcher" run --flat "$here/guest/hello" --device /dev/mkvm >"$dir/out" 2>&1 && return 1
	grep -qF "/dev/mkvm: there is no such device" "$dir/out" &&
		grep -qF "dmesg says why if it refuses" "$dir/out"
}

load_refused_again()
{
	load_refused
}

plan 3
each load_refused launcher_says_where_to_look load_refused_again
finish
