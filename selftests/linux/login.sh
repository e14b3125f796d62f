#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A Debian on a disk, /dev/vda of the emulated host, in a guest: at a terminal until its user switches it
# off, else until it asks for a login. The kernel and its initramfs are in /mkvm/linux.

set -u

limit=1200 # seconds to the login
linux=/mkvm/linux

# run WORD...: with these for the guest's kernel.
run()
{
	exec mkvm run --kernel "$linux/kernel" --initrd "$linux/initramfs" --mem 512M \
		--disk /dev/vda --append "console=ttyS0 panic=-1 mkvm.root=/dev/vda $*"
}

if [ "${1:-}" = --shell ]; then
	echo "Log in as root, without a password; poweroff or Ctrl-A x ends it."
	run
fi
out=$(mktemp)
run quiet </dev/null >"$out" 2>&1 &
pid=$!
tries=0
until grep -q 'login:' "$out"; do
	tries=$((tries + 1))
	if [ "$tries" -gt "$limit" ] || [ ! -d "/proc/$pid" ]; then
		echo "It does not ask for a login. The end of what it said:"
		tail -n 30 "$out"
		kill -9 "$pid" 2>/dev/null
		exit 1
	fi
	sleep 1
done
grep -a 'mkvm guest\|login:' "$out"
kill "$pid"
wait "$pid"
exit 0
