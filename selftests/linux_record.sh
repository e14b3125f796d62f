#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # tests are called by name
#
# What it costs to record a boot of Linux with trace-cmd, and whether all of it is in the recording. For a
# host whose clock counts its instructions (host/run --icount): one boot is not recorded, one is.
# The kernel and its initramfs are in /mkvm/linux. For any POSIX shell; uid 0.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"
linux=/mkvm/linux
command -v trace-cmd >/dev/null || skip_all "there is no trace-cmd"

# busy: in $busy, hundredths of a second that the host has not been idle.
busy()
{
	read -r up idle </proc/uptime
	busy=$((${up%.*}${up#*.} - ${idle%.*}${idle#*.}))
}

# boot COMMAND...: what the launcher said is in $dir/out; $took, how long it was.
boot()
{
	busy
	began=$busy
	"$@" "$launcher" run --kernel "$linux/kernel" --initrd "$linux/initramfs" --mem 256M --stats \
		--append "console=ttyS0 quiet panic=-1 mkvm.task=off" </dev/null >"$dir/out" 2>&1
	status=$?
	busy
	took=$((busy - began))
	grep -q '^mkvm guest: Linux' "$dir/out" && return "$status"
}

boots()
{
	boot env
	status=$?
	plain=$took
	return "$status"
}

# All events of the module's, a buffer of 64 MiB.
boots_while_it_is_recorded()
{
	boot trace-cmd record -e mkvm -b 65536 -o "$dir/trace.dat"
	status=$?
	recorded=$took
	exits=$(sed -n '/^mkvm: exits from the guest/,/= total/s/.*= total *//p' "$dir/out")
	return "$status"
}

has_each_exit()
{
	trace-cmd report -i "$dir/trace.dat" 2>"$dir/err" | grep -c ' mkvm_exit: ' >"$dir/count"
	trace-cmd report -i "$dir/trace.dat" --stat >"$dir/stat" 2>>"$dir/err"
	# Each CPU's: what was overwritten, what was not kept.
	lost=$(awk '/[oO]verrun|[lL]ost|dropped/ { n += $NF } END { print n + 0 }' "$dir/stat")
	echo "$exits exits counted, $(cat "$dir/count") recorded, $lost events lost" >"$dir/said"
	cat "$dir/stat" >"$dir/out"
	[ "$exits" -gt 0 ] && [ "$(cat "$dir/count")" -eq "$exits" ] && [ "$lost" -eq 0 ] &&
		grep -qi overrun "$dir/stat"
}

costs_less_than_as_much_again()
{
	echo "a boot: $plain, recorded: $recorded (each 10 million instructions)" >"$dir/said"
	[ "$plain" -gt 0 ] && [ "$recorded" -lt $((2 * plain)) ]
}

plan 4
each boots boots_while_it_is_recorded has_each_exit costs_less_than_as_much_again
finish
