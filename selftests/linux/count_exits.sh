#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What Linux's way from its first instruction to its init costs in exits for memory virtualisation, in
# an emulated host: page faults, reads and writes of CR3, INVLPG, counted by the histogram of the
# module's own trace event, kvm_exit or mkvm_exit; and what the guest's kernel warns of. The kernel and its initramfs are in /mkvm/linux.
#
#   count_exits.sh DEVICE MMU [OPTION...]       options for mkvm run

set -u

device=$1 mmu=$2
shift 2
events=/sys/kernel/tracing/events
case $device in
*/mkvm) event=$events/mkvm/mkvm_exit key=reason ;;
*) event=$events/kvm/kvm_exit key=exit_reason ;;
esac
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
echo advise >/sys/kernel/mm/transparent_hugepage/shmem_enabled
echo "hist:keys=$key" >$event/trigger || exit
mkvm run --device "$device" --mmu "$mmu" --kernel /mkvm/linux/kernel --initrd /mkvm/linux/initramfs --mem 256M \
	--append "console=ttyS0 quiet panic=-1 nokaslr mitigations=off transparent_hugepage=never mkvm.task=warnings" \
	"$@" </dev/null >/tmp/out 2>&1 || {
	cat /tmp/out
	exit 1
}
grep -q '^mkvm guest: Linux' /tmp/out || {
	cat /tmp/out
	exit 1
}
grep '^warning: ' /tmp/out
# SVM's numbers of exits.
awk -v key="$key" '
	/hitcount:/ {
		gsub(/[{},:]/, " ")
		for (i = 1; i < NF; i++) {
			if ($i == key) reason = $(i + 1)
			if ($i == "hitcount") count = $(i + 1)
		}
		n[reason] += count
	}
	END {
		fault = n[1024] + n[78]
		cr3 = n[3] + n[19]
		printf "counted: faults %d cr3 %d invlpg %d total %d\n", fault, cr3, n[121], fault + cr3 + n[121]
	}' $event/hist
