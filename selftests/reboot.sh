#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Reboots an emulated host while virtual machines run. The run itself fails if the host's kernel
# does not get as far as restarting the machine; so this program is alone in its host.

set -u

here=$(cd "$(dirname "$0")" && pwd)
launcher=${MKVM_LAUNCHER:-$here/../bin/mkvm}

# spent PID: the ticks that the process has run.
spent()
{
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

echo "TAP version 13"
echo "1..1"
pids=
for cpus in 1 2; do
	"$launcher" run --flat "$here/guest/loop" --cpus "$cpus" >/dev/null 2>&1 &
	pids="$pids $!"
done
for pid in $pids; do
	before=$(spent "$pid") tries=0
	while [ "$(spent "$pid")" -lt $((before + 5)) ]; do
		tries=$((tries + 1))
		if [ "$tries" -ge 600 ]; then
			echo "not ok 1 reboot_with_vms_alive # process $pid does not run"
			exit 1
		fi
		sleep 0.1
	done
done
echo "ok 1 reboot_with_vms_alive"
host-reboot 0
# Not reached: its answer would be a failure of the run.
sleep 100
exit 1
