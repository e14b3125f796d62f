#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's kernel in a virtual machine: boots, switches off, reboots; its disk, random numbers and
# console carry what they are given. The kernel and its initramfs are in /mkvm/linux.
# For any POSIX shell; the launcher is ../bin/mkvm, or what MKVM_LAUNCHER names; the MMU is what
# MKVM_MMU names, by default the device's choice.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"
linux=${MKVM_LINUX:-/mkvm/linux}
limit=300 # seconds a boot

# linux TASK ARGS...: runs the guest with that task; its input is ours.
linux()
{
	task=$1
	shift
	timeout "$limit" "$launcher" run --kernel "$linux/kernel" --initrd "$linux/initramfs" --mem 256M \
		${MKVM_MMU:+--mmu "$MKVM_MMU"} \
		--append "console=ttyS0 quiet panic=-1 mkvm.task=$task" "$@" >"$dir/out" 2>"$dir/err"
}

# ended EXPECTED STATUS: false, with the reason in the output, if it ended otherwise.
ended()
{
	[ "$2" -eq "$1" ] && return 0
	echo "exit status $2, expected $1" >>"$dir/err"
	return 1
}

# says TEXT: false, with the reason in the output, if the guest has not said it.
says()
{
	grep -qF -e "$1" "$dir/out" && return 0
	echo "not said by the guest: $1" >>"$dir/err"
	return 1
}

# told NAME: what the guest said after "NAME: ", without the line's end.
told()
{
	sed -n "s/^$1: \\([^ ]*\\).*/\\1/p" "$dir/out" | tr -d '\r' | tail -n 1
}

# wait_for TEXT: until the guest says it at a line's beginning, or a boot's time is over.
wait_for()
{
	tries=0
	until grep -q "^$1" "$dir/out" || [ $tries -eq $limit ]; do
		sleep 1
		tries=$((tries + 1))
	done
}

boots()
{
	linux off --cpus "$1" --stats </dev/null
	ended 0 $? && says ", $1 CPUs, up after " && grep -q 'ran for' "$dir/err"
}

keeps_the_disk()
{
	truncate -s 16M "$dir/disk"
	linux disk --disk "$dir/disk" </dev/null
	ended 0 $? || return 1
	wrote=$(told wrote)
	read=$(told read)
	image=$(dd if="$dir/disk" bs=64k skip=1 count=128 2>/dev/null | md5sum)
	echo "wrote $wrote, read $read, in the image ${image%% *}" >>"$dir/err"
	[ -n "$wrote" ] && [ "$wrote" = "$read" ] && [ "$wrote" = "${image%% *}" ] &&
		[ "$(grep -c 'mkvm guest: Linux' "$dir/out")" -eq 2 ]
}

gives_random_numbers()
{
	linux random </dev/null
	ended 0 $? && says "random: virtio_rng" || return 1
	one=$(told 'sample 1')
	two=$(told 'sample 2')
	[ -n "$one" ] && [ -n "$two" ] && [ "$one" != "$two" ]
}

# Input is sent when the guest asks for it; a base64 text has no byte that a line would change.
carries_the_console()
{
	size=3000
	head -c 4000 /dev/urandom | base64 | tr -d '\n' | head -c $size >"$dir/text"
	sum=$(md5sum <"$dir/text")
	: >"$dir/out"
	{
		wait_for send
		cat "$dir/text"
	} | linux "console mkvm.size=$size"
	ended 0 $? && says "console: ${sum%% *}"
}

# killed SIGNAL STATUS: a guest that waits is ended by a signal to the launcher.
killed()
{
	: >"$dir/out"
	"$launcher" run --kernel "$linux/kernel" --initrd "$linux/initramfs" --mem 256M --cpus 2 \
		${MKVM_MMU:+--mmu "$MKVM_MMU"} \
		--append "console=ttyS0 quiet mkvm.task=wait" </dev/null >"$dir/out" 2>"$dir/err" &
	wait_for waiting
	kill -s "$1" $!
	wait $!
	ended "$2" $?
}

plan 8
boots 1
result $? boots_with_1_cpu
boots 2
result $? boots_with_2_cpus
keeps_the_disk
result $? keeps_the_disk_over_a_reboot
gives_random_numbers
result $? gives_random_numbers
carries_the_console
result $? carries_the_console
linux reboot --no-reboot </dev/null
ended 0 $? && [ "$(grep -c 'mkvm guest: Linux' "$dir/out")" -eq 1 ]
result $? ends_instead_of_a_reboot
killed TERM 143
result $? ended_by_sigterm
killed KILL 137
result $? ended_by_sigkill
finish
