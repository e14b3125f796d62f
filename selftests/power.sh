#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # tests are called by name
#
# Suspends an emulated host, then reboots it, while virtual machines run. The run itself fails if the
# host's kernel does not get as far as restarting the machine; so this program is alone in its host.
# With MKVM_NO_SUSPEND=1 the host is only rebooted.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"

# spent PID: the ticks that the process has run.
spent()
{
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

suspend_with_vms_alive()
{
	"$here/suspend" >"$dir/out" 2>&1
	status=$?
	sed -n 's/^# //p' "$dir/out" >>"$dir/said"
	return "$status"
}

# The guests go on until the machine starts again.
vms_are_alive()
{
	pids=
	for cpus in 1 2; do
		"$launcher" run --flat "$guests/loop" --cpus "$cpus" >/dev/null 2>&1 &
		pids="$pids $!"
	done
	for pid in $pids; do
		before=$(spent "$pid") tries=0
		while [ "$(spent "$pid")" -lt $((before + 5)) ]; do
			tries=$((tries + 1))
			if [ "$tries" -ge 600 ]; then
				echo "process $pid does not run" >>"$dir/said"
				return 1
			fi
			sleep 0.1
		done
	done
}

if [ "${MKVM_NO_SUSPEND:-}" = 1 ]; then
	plan 1
else
	plan 2
	each suspend_with_vms_alive
fi
vms_are_alive
result $? reboot_with_vms_alive
[ "$failed" -eq 0 ] || exit 1
host-reboot 0
# Not reached: its answer would be a failure of the run.
sleep 100
exit 1
