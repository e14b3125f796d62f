#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # tests are called by name
#
# A guest that leaves for a reason that nobody handles: its KVM_RUN ends with the reason's number, and
# the next guest runs. The module host_exit of the emulated hosts makes such an exit.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"

[ "${MKVM_DEVICE:-/dev/mkvm}" = /dev/mkvm ] || skip_all "is about a function of mkvm's"
module=/host/modules/host_exit.ko

# What a guest leaves for first: its first page is not mapped; or an interrupt of the host's comes.
if grep -qw svm /proc/cpuinfo; then
	first='0x(400|60)'
else
	first='0x(30|1)'
fi
reason="an exit by the hardware that nobody handles, $first\)"

reason_is_told()
{
	insmod "$module" >"$dir/out" 2>&1 || return
	"$launcher" run --flat "$guests/hello16" --device /dev/mkvm >"$dir/out" 2>&1
	status=$?
	done=$(cat /sys/module/host_exit/parameters/done)
	rmmod host_exit
	[ "$status" -eq 1 ] && [ "$done" -eq 1 ] && grep -qE "$reason" "$dir/out"
}

next_guest_runs()
{
	"$launcher" run --flat "$guests/hello16" --device /dev/mkvm >"$dir/out" 2>&1 &&
		grep -q Hello "$dir/out"
}

[ -e "$module" ] || skip_all "there is no $module: not an emulated host with --nmi"
plan 2
each reason_is_told next_guest_runs
finish
