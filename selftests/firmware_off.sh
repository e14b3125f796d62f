#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317,SC2015 # tests are called by name; A && B || C is meant as it reads
#
# The firmware has VMX or SVM switched off: no VM can be made, kernel's log and launcher say so and
# name the way out. The module host_firmware of the emulated hosts stands for such a firmware.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"

[ "${MKVM_DEVICE:-/dev/mkvm}" = /dev/mkvm ] || skip_all "is about mkvm's own sentences"
firmware=/host/modules/host_firmware.ko
guest=$guests/hello

greets()
{
	"$launcher" run --flat "$guest" --device /dev/mkvm >"$dir/out" 2>&1 && grep -q Hello "$dir/out"
}

reads()
{
	cat /sys/module/host_firmware/parameters/reads
}

if grep -qw svm /proc/cpuinfo; then
	reason='the firmware has SVM switched off. Enable "SVM Mode" in its setup'
else
	reason='the firmware has VMX switched off. Enable "Intel Virtualization Technology" in its setup'
fi

# refused: -EOPNOTSUPP, which alone the launcher takes for that, as each processor was asked.
refused()
{
	asked=$(reads)
	told=$(dmesg | grep -c "mkvm: $reason")
	"$launcher" run --flat "$guest" --device /dev/mkvm >"$dir/out" 2>&1 && return 1
	[ "$(reads)" -ge $((asked + $(nproc))) ] || return
	[ "$(dmesg | grep -c "mkvm: $reason")" -gt "$told" ] || return
	grep -qF "/dev/mkvm cannot make a virtual machine on this processor" "$dir/out" &&
		grep -qF "in the firmware's setup" "$dir/out"
}

refused_with_the_reason()
{
	insmod "$firmware" >"$dir/out" 2>&1 && refused
}

refused_again()
{
	refused
}

# Where the extension is on already nobody asks: it goes on and off with the first and last VM.
running_vm_is_left_alone()
{
	rmmod host_firmware >"$dir/out" 2>&1 || return
	"$launcher" run --flat "$here/guest/loop" --device /dev/mkvm >/dev/null 2>&1 &
	pid=$!
	tries=0
	# The guest runs once the extension is on: an exit was counted.
	while ! greets && [ "$tries" -lt 50 ]; do
		tries=$((tries + 1))
	done
	insmod "$firmware" >"$dir/out" 2>&1 && greets && [ -d "/proc/$pid" ]
	status=$?
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	[ "$status" -eq 0 ] && refused
}

works_when_switched_on()
{
	rmmod host_firmware >"$dir/out" 2>&1 && greets
}

[ -e "$firmware" ] || skip_all "there is no $firmware: not an emulated host with --nmi"
grep -qw native_read_msr_safe /proc/kallsyms ||
	skip_all "this kernel reads MSRs in line, which no probe can change"
plan 4
each refused_with_the_reason refused_again running_vm_is_left_alone works_when_switched_on
finish
