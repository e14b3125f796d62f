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

# What follows starts no process: on a slow emulated host that takes longer than a short program.

# read_limits: in $limits " NAME=SECONDS" of each line timeout.NAME=SECONDS of settings, in
# $usual_limit that of timeout=SECONDS, else kselftest's 45; on a debug kernel all count four times,
# as in lib/ktap.c.
read_limits()
{
	limits=' '
	usual_limit=45
	[ -r "$here/settings" ] || return
	while IFS='=' read -r key value; do
		case $key in
		timeout) usual_limit=$value ;;
		timeout.*) limits="$limits${key#timeout.}=$value " ;;
		esac
	done <"$here/settings"
}

# limit NAME: in $seconds
limit()
{
	seconds=${limits#* "$1"=}
	if [ "$seconds" = "$limits" ]; then
		seconds=$usual_limit
	else
		seconds=${seconds%% *}
	fi
	[ ! -e /proc/self/fail-nth ] || seconds=$((seconds * 4))
}

# now: in $now, hundredths of a second on this machine's clock.
now()
{
	read -r now _ </proc/uptime
	now=${now%.*}${now#*.}
	while [ "${now#0?}" != "$now" ]; do now=${now#0}; done
}

# run_one NUMBER NAME
run_one()
{
	limit "$2"
	name="selftests: mkvm: $2"
	now
	began=$now
	echo "# timeout set to $seconds"
	echo "# $name"
	{
		timeout -k 10 "$seconds" "./$2" </dev/null 2>&1
		echo $? >"$status_file"
	} | while IFS= read -r line || [ -n "$line" ]; do
		printf '# %s\n' "$line"
	done
	read -r status <"$status_file"
	now
	echo "# took $((now - began))0 ms"
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

# program OPTION NAME: in $name the program's full name
program()
{
	case $all in
	*" $2 "*) name=$2 ;;
	*" $2.sh "*) name=$2.sh ;;
	*) usage_error "option $1: no program '$2'; -l lists them" ;;
	esac
}

[ -r "$here/kselftest-list.txt" ] || {
	echo "$me: there is no $here/kselftest-list.txt; make selftests makes programs and list" >&2
	exit 2
}
all=" $(programs | tr '\n' ' ')"
chosen=
omitted=
while [ $# -gt 0 ]; do
	case $1 in
	-t | -x)
		[ $# -gt 1 ] || usage_error "option $1 lacks its value: expected a program's name"
		program "$1" "$2"
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
[ -n "$chosen" ] || chosen=$all
kept=
for name in $chosen; do
	case " $omitted " in
	*" $name "*) ;;
	*) kept="$kept $name" ;;
	esac
done

read_limits
cd "$here" || exit 1
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
