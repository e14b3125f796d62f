#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317,SC2015 # tests are called by name; A && B || C is meant as it reads
#
# The module goes when nobody uses it any more, however its users ended, and leaves nothing behind.
# It is loaded again from MKVM_MODULE, by default an emulated host's own copy, else by modprobe.
# For any POSIX shell; uid 0.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"
module=${MKVM_MODULE:-/host/modules/mkvm.ko}
# On an emulator the module's coming and going takes longest.
rounds=2
vms=24

if [ "${MKVM_DEVICE:-/dev/mkvm}" != /dev/mkvm ]; then
	skip_all "is about mkvm's own module"
fi

say()
{
	echo "$*" >>"$dir/said"
}

# wrong TEXT: says it and is false.
wrong()
{
	say "$@"
	return 1
}

load()
{
	if [ -r "$module" ]; then
		insmod "$module" >>"$dir/said" 2>&1
	else
		modprobe mkvm >>"$dir/said" 2>&1
	fi
}

unload()
{
	rmmod mkvm >>"$dir/said" 2>&1 || wrong "rmmod mkvm failed: $(grep '^mkvm ' /proc/modules)"
}

greets()
{
	"$launcher" run --flat "$guests/hello" >"$dir/out" 2>&1 && grep -q Hello "$dir/out" ||
		wrong "no greeting: $(cat "$dir/out")"
}

# Nothing in the system has the module's name any more.
is_gone()
{
	[ ! -e /sys/module/mkvm ] || wrong "there is /sys/module/mkvm" || return
	[ ! -e /dev/mkvm ] || wrong "there is /dev/mkvm" || return
	[ ! -e /sys/kernel/tracing/events/mkvm ] || wrong "there are trace events" || return
	for file in /proc/modules /proc/slabinfo /proc/vmallocinfo /proc/misc \
		/sys/devices/system/cpu/hotplug/states; do
		if grep -w mkvm "$file" >"$dir/out"; then
			wrong "$file: $(head -n 1 "$dir/out")" || return
		fi
	done
}

# spent PID: the ticks that the process has run.
spent()
{
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

# counts PID: is true when the process has run for some ticks more.
counts()
{
	before=$(spent "$1")
	tries=0
	while [ "$(spent "$1")" -lt $((before + 3)) ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || wrong "process $1 does not run" || return
		sleep 0.1
	done
}

# used: pages that are neither free nor of processes or files. What each processor holds for itself
# is free, and comes and goes by thousands.
used()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^(MemTotal):/ { n += $2 / 4 }
		/^(MemFree|Buffers|Cached|AnonPages|SReclaimable):/ { n -= $2 / 4 }
		/^ +count:/ { n -= $2 }
		END { print n }' /proc/meminfo /proc/zoneinfo
}

unused_goes_and_comes()
{
	greets && unload && is_gone && load && greets
}

with_a_vm_it_stays()
{
	"$launcher" run --flat "$guests/loop" &
	pid=$!
	counts "$pid" || return
	if rmmod mkvm 2>/dev/null; then
		wrong "rmmod succeeded under a running guest" || return
	fi
	counts "$pid" || return
	kill -9 "$pid"
	wait "$pid"
	greets
} 2>/dev/null

# A process is gone when wait returns, and so is all that it held: no second try.
killed_users_let_go()
{
	pids=
	for cpus in 1 2 3 4; do
		"$launcher" run --flat "$guests/loop" --cpus "$cpus" &
		pids="$pids $!"
	done
	for pid in $pids; do counts "$pid" || return; done
	# shellcheck disable=SC2086 # process numbers are words
	kill -9 $pids
	for pid in $pids; do
		wait "$pid"
		[ $? -eq 137 ] || wrong "process $pid was not killed while running" || return
	done
	unload && is_gone && load && greets
} 2>/dev/null

# hold: hold_vms in the background, running; sets $pid.
hold()
{
	: >"$dir/held"
	"$here/hold_vms" "$vms" >"$dir/held" 2>&1 &
	pid=$!
	tries=0
	while ! grep -q running "$dir/held"; do
		tries=$((tries + 1))
		if [ "$tries" -ge 1200 ] || [ ! -d "/proc/$pid" ]; then
			wrong "hold_vms: $(cat "$dir/held")" || return
		fi
		sleep 0.1
	done
}

let_go()
{
	kill -9 "$pid"
	wait "$pid"
} 2>/dev/null

# some_rounds: VMs come and go; $grown is by how many pages what is in use has grown since.
some_rounds()
{
	before=$(used)
	round=0
	while [ "$round" -lt "$rounds" ]; do
		round=$((round + 1))
		hold || return
		let_go
		unload || return
		load || return
	done
	grown=$(($(used) - before))
	say "$rounds rounds of $vms VMs: $grown more pages in use"
}

# The first rounds fill caches of the kernel, and now and then it does so later (the huge page of
# zeroes is 512 at once).  A page lost for each VM is that many each time.
memory_comes_back()
{
	some_rounds || return
	for _ in 1 2 3; do
		some_rounds || return
		[ "$grown" -lt $((rounds * vms / 2)) ] && return
	done
	wrong "that is too much, and was each time"
}

# The measure sees VMs that are there.
memory_of_vms_is_seen()
{
	before=$(used)
	hold || return
	grown=$(($(used) - before))
	let_go
	say "pages in use with $vms VMs: $grown more"
	[ "$grown" -ge "$vms" ] || wrong "the measure is blind"
}

plan 5
for test in unused_goes_and_comes with_a_vm_it_stays killed_users_let_go memory_comes_back \
	memory_of_vms_is_seen; do
	"$test"
	result $? "$test"
	# Whatever came, the next test and the next program find the module.
	[ -e /sys/module/mkvm ] || load
done
finish
