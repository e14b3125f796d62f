#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the test programs beside this script, as kselftest's runner would, and prints nested KTAP:
# the outer lines are the programs', each program's own lines are comments between them.
# For any POSIX shell: an emulated host has busybox only.
#
# Exit status: 0 all passed or skipped, 1 something failed, 2 wrong command line.

set -u

here=$(cd "$(dirname "$0")" && pwd)
me=${0##*/}

usage()
{
	cat <<END
Usage: $me [-l] [-t NAME]... [-x NAME]...
Runs the test programs of $here on /dev/mkvm and prints KTAP.
  -t NAME  only this program (may be repeated)
  -x NAME  not this program (may be repeated)
  -l       list the programs
MKVM_DEVICE=PATH  another device, such as /dev/kvm
MKVM_MMU=tdp|shadow  the MMU of the tests' VMs (by default the device's choice)
END
}

usage_error()
{
	echo "$me: $*; see $me -h" >&2
	exit 2
}

programs()
{
	sed -n 's/^mkvm://p' "$here/kselftest-list.txt"
}

# limit NAME: from settings: timeout.NAME=SECONDS, else timeout=SECONDS, else kselftest's 45; four
# times that on a debug kernel, as in lib/ktap.c.
limit()
{
	value=$(sed -n "s/^timeout\.$1=//p" "$here/settings" 2>/dev/null | tail -n 1)
	[ -n "$value" ] || value=$(sed -n 's/^timeout=//p' "$here/settings" 2>/dev/null | tail -n 1)
	value=${value:-45}
	[ ! -e /proc/self/fail-nth ] || value=$((value * 4))
	echo "$value"
}

# now: hundredths of a second on this machine's clock.
now()
{
	sed 's/ .*//; s/\.//; s/^0*//' /proc/uptime
}

# run_one NUMBER NAME
run_one()
{
	seconds=$(limit "$2")
	name="selftests: mkvm: $2"
	began=$(now)
	echo "# timeout set to $seconds"
	echo "# $name"
	{
		(cd "$here" && exec timeout -k 10 "$seconds" "./$2") </dev/null 2>&1
		echo $? >"$status_file"
	} | while IFS= read -r line || [ -n "$line" ]; do
		printf '# %s\n' "$line"
	done
	status=$(cat "$status_file")
	echo "# took $(($(now) - began))0 ms"
	case $status in
	0) echo "ok $1 $name" ;;
	4) echo "ok $1 $name # SKIP" ;;
	124 | 137 | 143) # GNU timeout's, and busybox's: the signal's
		echo "not ok $1 $name # TIMEOUT $seconds seconds"
		failed=1
		;;
	*)
		echo "not ok $1 $name # exit=$status"
		failed=1
		;;
	esac
}

# program OPTION NAME: the program's full name
program()
{
	if programs | grep -qxF -e "$2"; then
		echo "$2"
	elif programs | grep -qxF -e "$2.sh"; then
		echo "$2.sh"
	else
		usage_error "option $1: no program '$2'; -l lists them"
	fi
}

chosen=
omitted=
while [ $# -gt 0 ]; do
	case $1 in
	-t | -x)
		[ $# -gt 1 ] || usage_error "option $1 lacks its value: expected a program's name"
		name=$(program "$1" "$2") || exit 2
		if [ "$1" = -t ]; then
			chosen="$chosen $name"
		else
			omitted="$omitted $name"
		fi
		shift
		;;
	-l)
		programs
		exit 0
		;;
	-h | --help)
		usage
		exit 0
		;;
	*) usage_error "unknown argument '$1'" ;;
	esac
	shift
done
[ -n "$chosen" ] || chosen=$(programs)
kept=
for name in $chosen; do
	case " $omitted " in
	*" $name "*) ;;
	*) kept="$kept $name" ;;
	esac
done

status_file=$(mktemp)
trap 'rm -f "$status_file"' EXIT
failed=0
total=0
number=0
for name in $kept; do total=$((total + 1)); done
echo "TAP version 13"
echo "1..$total"
for name in $kept; do
	number=$((number + 1))
	run_one "$number" "$name"
done
exit "$failed"
