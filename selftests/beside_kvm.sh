#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317,SC2015 # tests are called by name; A && B || C is meant as it reads
#
# mkvm and the kernel's own kvm in one host: who is first has the processor's extension, the other
# says so, and neither is disturbed. For an emulated host that was started with --kvm.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"
modules=/host/modules
case ${MKVM_MACHINE:?} in
amd) vendor=kvm_amd file=kvm-amd.ko ;;
*) vendor=kvm_intel file=kvm-intel.ko ;;
esac

# greets DEVICE: a guest runs on it.
greets()
{
	"$launcher" run --flat "$guests/hello" --device "$1" >"$dir/out" 2>&1 &&
		grep -q Hello "$dir/out"
}

# refused DEVICE TEXT: no VM can be made; launcher and kernel's log name the other.
refused()
{
	"$launcher" run --flat "$guests/hello" --device "$1" >"$dir/out" 2>&1 && return 1
	grep -q "$2" "$dir/out"
}

# hold DEVICE: a guest that runs on it in the background; sets $pid.
hold()
{
	"$launcher" run --flat "$guests/loop" --device "$1" &
	pid=$!
	sleep 1
	[ -d "/proc/$pid" ]
}

let_go()
{
	kill -9 "$pid"
	wait "$pid"
	true
} 2>/dev/null

# At first both are loaded, kvm before mkvm.  Since 6.12 a loaded kvm holds the extension.
loaded_after_kvm()
{
	if [ "$MKVM_KERNEL" = 6.12 ]; then
		refused /dev/mkvm "$vendor" && dmesg | grep -q "another hypervisor holds" &&
			greets /dev/kvm
	else
		greets /dev/mkvm && greets /dev/kvm && greets /dev/mkvm && greets /dev/kvm
	fi
}

kvm_with_a_vm()
{
	hold /dev/kvm || return
	refused /dev/mkvm "$vendor" && [ -d "/proc/$pid" ] && greets /dev/kvm
	status=$?
	let_go
	return "$status"
}

kvm_goes()
{
	rmmod "$vendor" >"$dir/out" 2>&1 && greets /dev/mkvm
}

mkvm_with_a_vm_then_kvm_comes()
{
	hold /dev/mkvm || return
	if [ "$MKVM_KERNEL" = 6.12 ]; then
		! insmod "$modules/$file" >"$dir/out" 2>&1
	else
		insmod "$modules/$file" >"$dir/out" 2>&1 &&
			! greets /dev/kvm
	fi
	status=$?
	[ -d "/proc/$pid" ] && greets /dev/mkvm || status=1
	let_go
	return "$status"
}

kvm_after_mkvm()
{
	[ -e "/sys/module/$vendor" ] || insmod "$modules/$file" >"$dir/out" 2>&1 || return
	greets /dev/kvm
}

mkvm_goes_and_comes_under_kvm()
{
	rmmod mkvm >"$dir/out" 2>&1 && greets /dev/kvm &&
		insmod "$modules/mkvm.ko" >"$dir/out" 2>&1 && greets /dev/kvm
}

# With its parameter for that, 6.12's kvm takes turns with mkvm as 6.1's does.
taking_turns()
{
	if [ "$MKVM_KERNEL" = 6.12 ]; then
		{ rmmod "$vendor" && rmmod kvm &&
			insmod "$modules/kvm.ko" enable_virt_at_load=0 &&
			insmod "$modules/$file"; } >"$dir/out" 2>&1 || return
	fi
	greets /dev/mkvm && greets /dev/kvm && greets /dev/mkvm && greets /dev/kvm
}

# /dev/kvm belongs to who was first; mkvm says so and is not loaded.
name_is_kvms()
{
	rmmod mkvm >"$dir/out" 2>&1 || return
	if insmod "$modules/mkvm.ko" kvm_device=1 >"$dir/out" 2>&1; then
		echo "mkvm was loaded with kvm_device=1 beside kvm" >>"$dir/out"
		return 1
	fi
	dmesg | grep -q "mkvm: kvm_device=1, but /dev/kvm is another's" && [ ! -e /dev/mkvm ] &&
		insmod "$modules/mkvm.ko" >>"$dir/out" 2>&1 && greets /dev/kvm
}

# Without kvm mkvm has the name; a kvm that comes then does not get it. Not tried on 6.1, whose kvm
# leaves its syscore operations in the kernel's list when it is refused the name: with the second
# try, which busybox's insmod makes by itself, the host ends.
name_is_mkvms()
{
	{ rmmod mkvm && insmod "$modules/mkvm.ko" kvm_device=1 && [ -c /dev/kvm ]; } >"$dir/out" 2>&1 || return
	greets /dev/kvm && greets /dev/mkvm || return
	if [ "$MKVM_KERNEL" != 6.1 ]; then
		insmod "$modules/kvm.ko" >"$dir/out" 2>&1
		if insmod "$modules/$file" >"$dir/out" 2>&1; then
			echo "$vendor was loaded although /dev/kvm is mkvm's" >>"$dir/out"
			return 1
		fi
	fi
	greets /dev/kvm || return
	{ rmmod mkvm && [ ! -e /dev/kvm ] && insmod "$modules/mkvm.ko"; } >"$dir/out" 2>&1 &&
		[ ! -e /dev/kvm ] && greets /dev/mkvm
}

both_go()
{
	{ rmmod mkvm && rmmod "$vendor" && rmmod kvm && [ ! -e /dev/mkvm ]; } >"$dir/out" 2>&1 &&
		insmod "$modules/mkvm.ko" >"$dir/out" 2>&1 && greets /dev/mkvm
}

plan 10
each loaded_after_kvm kvm_with_a_vm kvm_goes mkvm_with_a_vm_then_kvm_comes kvm_after_mkvm \
	mkvm_goes_and_comes_under_kvm taking_turns name_is_kvms both_go name_is_mkvms
finish
