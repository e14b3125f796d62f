#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2317 # tests are called by name
#
# What edits of page tables cost under shadow paging, on mkvm and on the kernel's own kvm, side by
# side: shadow_workloads on both. For an emulated host that was started with --kvm npt=0 or ept=0.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"
case ${MKVM_MACHINE:?} in
amd) vendor=kvm_amd ;;
*) vendor=kvm_intel ;;
esac

# measure DEVICE FILE: the lines of shadow_workloads go to FILE, bytes to FILE.bytes; what it says, to
# $dir/out.
measure()
{
	MKVM_DEVICE=$1 WORKLOADS_RESULT=$2 WORKLOADS_METADATA=$2.bytes "$here/shadow_workloads" \
		>"$dir/out" 2>&1
}

kvm_is_measured()
{
	measure /dev/kvm "$dir/kvm" && [ -s "$dir/kvm" ] && rmmod "$vendor"
}

mkvm_is_measured()
{
	measure /dev/mkvm "$dir/mkvm" && [ -s "$dir/mkvm" ]
}

# What costs more on mkvm, as shadow.rst says among its limits. One that no longer does fails too.
known_to_cost_more='read-only and back 256'

# A line for each workload, in exits an iteration; fails where mkvm has more.
none_costs_more()
{
	awk -F '|' -v known="$known_to_cost_more" '
		function per(n) { return sprintf("%.1f", n / $2) }
		BEGIN { printf "%-26s %31s   %s\n", "exits an iteration",
			"kvm: all #PF CR INVLPG", "mkvm: all #PF CR INVLPG" }
		NR == FNR { kvm[$1] = $3 + $4 + $5
			of_kvm[$1] = per($3 + $4 + $5) " " per($3) " " per($4) " " per($5)
			next }
		{ printf "%-26s %31s   %s %s %s %s\n", $1, of_kvm[$1], per($3 + $4 + $5),
			per($3), per($4), per($5)
		  lines++ }
		!($1 in kvm) || ($3 + $4 + $5 > kvm[$1]) != ($1 == known) { wrong = wrong " \"" $1 "\"" }
		END { if (wrong) print "not as expected against kvm:" wrong >"'"$dir/out"'"
		      exit wrong != "" || !lines }' "$dir/kvm" "$dir/mkvm" >"$dir/said"
}

# What is had for each shadow table besides the table, and for a GiB of the guest's memory.
metadata_is_less()
{
	read -r kvm kvm_gib <"$dir/kvm.bytes" && read -r mkvm mkvm_gib <"$dir/mkvm.bytes" || return 1
	{
		echo "bytes of metadata for a shadow table: kvm $kvm, mkvm $mkvm"
		echo "and for a GiB of the guest's memory: kvm $kvm_gib, mkvm $mkvm_gib"
	} >"$dir/said"
	[ "$mkvm" -lt "$kvm" ] && [ "$mkvm_gib" -lt "$kvm_gib" ]
}

plan 4
each kvm_is_measured mkvm_is_measured none_costs_more metadata_is_less
finish
