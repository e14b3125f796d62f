#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # tests are called by name
#
# trace-cmd records mkvm's events and reports them by name, as they are: no plugin, no script.
# For any POSIX shell; uid 0.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"

[ "${MKVM_DEVICE:-/dev/mkvm}" = /dev/mkvm ] || skip_all "is about mkvm's own events"
command -v trace-cmd >/dev/null || skip_all "there is no trace-cmd"

# What the launcher counted under that heading.
counted()
{
	sed -n "/^mkvm: $1/,/= total/s/.*= total *//p" "$dir/launched" | head -n 1
}

reported()
{
	grep -c "$1" "$dir/report"
}

is_recorded_and_reported()
{
	trace-cmd record -e mkvm -o "$dir/trace.dat" "$launcher" run --flat "$guests/hello" --stats \
		>"$dir/launched" 2>&1 || { cp "$dir/launched" "$dir/out" && return 1; }
	trace-cmd report -i "$dir/trace.dat" >"$dir/report" 2>"$dir/err"
}

each_exit_is_there()
{
	tail -n 30 "$dir/report" "$dir/launched" >"$dir/out"
	exits=$(counted "exits from the guest") faults=$(counted "of these")
	[ "$exits" -gt 0 ] && [ "$(reported ' mkvm_exit: ')" -eq "$exits" ] &&
		[ "$faults" -gt 0 ] && [ "$(reported ' mkvm_mmu_fault: ')" -eq "$faults" ]
}

has_names_and_no_numbers()
{
	grep -E ' mkvm_(exit|mmu_fault|pio): ' "$dir/report" | tail -n 30 >"$dir/out"
	grep -q 'mkvm_mmu_fault: .* access [a-z]* cause fill' "$dir/report" &&
		grep -qE 'mkvm_exit: .* reason [A-Za-z_]+ .* cause fill' "$dir/report" &&
		grep -q 'mkvm_pio: ' "$dir/report" && grep -q 'mkvm_entry: ' "$dir/report" &&
		! grep -qE '(reason|cause|access) (0x)?[0-9]' "$dir/report"
}

plan 3
each is_recorded_and_reported each_exit_is_there has_names_and_no_numbers
finish
