#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's kernel in a virtual machine: boots, switches off, reboots; its disk, random numbers and
# console carry what they are given. The kernel and its initramfs are in /mkvm/linux.
# For any POSIX shell; the launcher is ../bin/mkvm, or what MKVM_LAUNCHER names; the MMU is what
# MKVM_MMU names, by default the device's choice. MKVM_BOOTS=MMU:CPUS,... makes it those boots (MMU
# "switch": from one to the other all the time), and with MKVM_PROGRAMS=MMU,... stress-ng and the compiler
# on those, with MKVM_REBOOT=1 a reboot, and no more.
# MKVM_APICV=0: interrupts are not the processor's to deliver (Bochs, shadow tables: see testing.rst).

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"
linux=${MKVM_LINUX:-/mkvm/linux}
limit=900 # seconds a boot
memory=256M
mmu=${MKVM_MMU-}
initrd=$linux/initramfs
[ -z "${MKVM_APICV-}" ] || echo "$MKVM_APICV" >/sys/module/mkvm/parameters/apicv

# linux TASK ARGS...: runs the guest with that task; its input is ours.
linux()
{
	task=$1
	shift
	timeout "$limit" "$launcher" run --kernel "$linux/kernel" --initrd "$initrd" --mem "$memory" \
		${mmu:+--mmu "$mmu"} \
		--append "console=ttyS0 quiet panic=-1 mkvm.task=$task" "$@" >"$dir/out" 2>"$dir/err"
}

# crashed: the guest's kernel has, on a host of QEMU's, which now and then gives a guest an interrupt
# twice, whatever RFLAGS.IF says (testing.rst). Says so, and shows what the guest said.
crashed()
{
	grep -q '^flags.* svm' /proc/cpuinfo && grep -q 'Kernel panic - not syncing' "$dir/out" || return 1
	echo "# the guest crashed; once more, as it may have been given an interrupt twice. It said:"
	sed 's/^/# /' "$dir/out"
}

# ended EXPECTED STATUS: false, with the reason in the output, if it ended otherwise.
ended()
{
	[ "$2" -eq "$1" ] && return 0
	echo "exit status $2, expected $1" >>"$dir/err"
	return 1
}

# says TEXT: false, with the reason in the output, if the guest has not said it.
says()
{
	grep -qF -e "$1" "$dir/out" && return 0
	echo "not said by the guest: $1" >>"$dir/err"
	return 1
}

# told NAME: what the guest said after "NAME: ", without the line's end.
told()
{
	sed -n "s/^$1: \\([^ ]*\\).*/\\1/p" "$dir/out" | tr -d '\r' | tail -n 1
}

# wait_for TEXT: until the guest says it at a line's beginning, or a boot's time is over.
wait_for()
{
	tries=0
	until grep -q "^$1" "$dir/out" || [ $tries -eq $limit ]; do
		sleep 1
		tries=$((tries + 1))
	done
}

boots_once()
{
	linux off --cpus "$1" --stats </dev/null
	ended 0 $? && says ", $1 CPUs, up after " && grep -q 'ran for' "$dir/err"
}

boots()
{
	boots_once "$1" || { crashed && boots_once "$1"; }
}

# The MMU changes all the time, from the first instruction to the last.
boots_switched_once()
{
	trap '' USR2
	"$launcher" run --kernel "$linux/kernel" --initrd "$initrd" --mem "$memory" --mmu shadow \
		--cpus "$1" --append "console=ttyS0 quiet panic=-1 mkvm.task=off" \
		</dev/null >"$dir/out" 2>"$dir/err" &
	guest=$!
	signals=0
	while [ $signals -lt 100000 ] && kill -s USR2 $guest 2>/dev/null; do
		signals=$((signals + 1))
		sleep 0.1
	done
	wait $guest
	ended 0 $? || return 1
	sed -n 's/.*\(the MMU was changed .*\)/# \1/p' "$dir/err"
	says ", $1 CPUs, up after " && grep -q 'the MMU was changed [1-9][0-9][0-9]* times' "$dir/err"
}

boots_switched()
{
	boots_switched_once "$1" || { crashed && boots_switched_once "$1"; }
}

keeps_the_disk()
{
	truncate -s 68M "$dir/disk"
	linux disk --disk "$dir/disk" </dev/null
	ended 0 $? || return 1
	wrote=$(told wrote)
	read=$(told read)
	image=$(dd if="$dir/disk" bs=64k skip=1 count=1024 2>/dev/null | md5sum)
	echo "wrote $wrote, read $read, in the image ${image%% *}" >>"$dir/err"
	[ -n "$wrote" ] && [ "$wrote" = "$read" ] && [ "$wrote" = "${image%% *}" ] &&
		[ "$(grep -c 'mkvm guest: Linux' "$dir/out")" -eq 2 ]
}

gives_random_numbers()
{
	linux random </dev/null
	ended 0 $? && says "random: virtio_rng" || return 1
	one=$(told 'sample 1')
	two=$(told 'sample 2')
	[ -n "$one" ] && [ -n "$two" ] && [ "$one" != "$two" ]
}

# 10 MiB each way by a tap.
carries_the_network()
{
	{ tunctl -t mkvm0 && ip addr add 10.0.0.1/24 dev mkvm0 && ip link set mkvm0 up; } >"$dir/err" 2>&1 ||
		return 1
	mkdir -p "$dir/www"
	dd if=/dev/urandom of="$dir/www/sent" bs=64k count=160 2>/dev/null
	httpd -f -p 10.0.0.1:80 -h "$dir/www" &
	server=$!
	: >"$dir/out"
	linux net --net tap=mkvm0 </dev/null &
	guest=$!
	wait_for serving
	served=$(wget -q -O - http://10.0.0.2/served | md5sum)
	wget -q -O /dev/null http://10.0.0.2/cgi-bin/off
	wait "$guest"
	status=$?
	kill "$server"
	tunctl -d mkvm0 >>"$dir/err"
	sent=$(md5sum <"$dir/www/sent")
	echo "sent ${sent%% *}, got $(told got); served $(told served), got ${served%% *}" >>"$dir/err"
	ended 0 "$status" && says "ping: 3 of 3" && says "got: ${sent%% *}" &&
		says "served: ${served%% *}"
}

# maps SIZE OPTION: with --hugepages OPTION the guest's memory is mapped by pages of SIZE.
maps()
{
	linux off --hugepages "$2" --stats </dev/null
	ended 0 $? && grep -q "^  pages_$1 " "$dir/err"
}

# pool SIZE COUNT: the host's pool of such pages has so many; false if it cannot.
pool()
{
	echo "$2" >"/sys/kernel/mm/hugepages/hugepages-$1/nr_hugepages"
	[ "$(cat "/sys/kernel/mm/hugepages/hugepages-$1/nr_hugepages")" -eq "$2" ]
}

# Transparent pages come as the host pleases; of a pool's each is one, and without any are none.
maps_by_the_size_called_for()
{
	maps 4k off && ! grep -q '^  pages_[21]' "$dir/err" || return 1
	# The guest's memory is a file's: huge pages of that are the host's to allow.
	shmem=/sys/kernel/mm/transparent_hugepage/shmem_enabled
	echo advise >$shmem
	maps 2m thp || return 1
	echo never >$shmem
	pool 2048kB 130 && maps 2m 2M || return 1
	pool 2048kB 0
	memory=1G
	pool 1048576kB 1 && maps 1g 1G || return 1
	pool 1048576kB 0
	memory=256M
}

# Input is sent when the guest asks for it; a base64 text has no byte that a line would change.
carries_the_console()
{
	size=3000
	head -c 4000 /dev/urandom | base64 | tr -d '\n' | head -c $size >"$dir/text"
	sum=$(md5sum <"$dir/text")
	: >"$dir/out"
	{
		wait_for send
		cat "$dir/text"
	} | linux "console mkvm.size=$size"
	ended 0 $? && says "console: ${sum%% *}"
}

# On a terminal of 33 lines; what is typed comes when the guest asks for it.
tells_the_terminals_size()
{
	{
		wait_for "mkvm guest"
		sleep 3
		printf '\001s'
		sleep 3
		# shellcheck disable=SC2016 # the guest's shell expands it
		printf 'echo is $(stty size)\r'
		sleep 3
		printf 'poweroff -f\r'
		sleep 60
	} | script -q -c "stty rows 33 cols 101 && $launcher run --kernel $linux/kernel --initrd $initrd \
		--mem $memory ${mmu:+--mmu $mmu} --append 'console=ttyS0 quiet mkvm.task=shell'" /dev/null \
		>"$dir/out" 2>"$dir/err"
	says "is 33 101"
}

# killed SIGNAL STATUS: a guest that waits is ended by a signal to the launcher.
killed()
{
	: >"$dir/out"
	"$launcher" run --kernel "$linux/kernel" --initrd "$initrd" --mem "$memory" --cpus 2 \
		${mmu:+--mmu "$mmu"} \
		--append "console=ttyS0 quiet mkvm.task=wait" </dev/null >"$dir/out" 2>"$dir/err" &
	wait_for waiting
	kill -s "$1" $!
	wait $!
	ended "$2" $?
}

# The guest has Debian's programs too.
programs_compute()
{
	cat "$linux/initramfs" "$linux/programs" >"$dir/initrd"
	initrd=$dir/initrd
	memory=512M
	linux "$@" </dev/null
	status=$?
	initrd=$linux/initramfs
	memory=256M
	rm "$dir/initrd"
	ended 0 $status
}

stresses_once()
{
	programs_compute stress --cpus "$1" && says "stress: status 0" && says "successful run completed"
}

stresses()
{
	stresses_once "$1" || { crashed && stresses_once "$1"; }
}

# What program.c says on any machine.
compiles()
{
	programs_compute compile && says "program: 78498 primes, 24693298341813192" &&
		says "compile: status 0"
}

# words LIST: the words between commas.
words()
{
	echo "$1" | tr ',' ' '
}

# Only what the environment names.
some_of_it()
{
	n=0
	for _ in $(words "$MKVM_BOOTS"); do n=$((n + 1)); done
	for _ in $(words "${MKVM_PROGRAMS-}"); do n=$((n + 2)); done
	[ -z "${MKVM_REBOOT-}" ] || n=$((n + 1))
	plan $n
	for boot in $(words "$MKVM_BOOTS"); do
		mmu=${boot%:*}
		if [ "$mmu" = switch ]; then
			boots_switched "${boot#*:}"
			result $? "boots_from_mmu_to_mmu_with_${boot#*:}"
			mmu=shadow
			continue
		fi
		boots "${boot#*:}"
		result $? "boots_on_${mmu}_with_${boot#*:}"
	done
	for mmu in $(words "${MKVM_PROGRAMS-}"); do
		stresses 2
		result $? "passes_stress_ng_on_$mmu"
		compiles
		result $? "compiles_on_$mmu"
	done
	if [ -n "${MKVM_REBOOT-}" ]; then
		keeps_the_disk
		result $? keeps_the_disk_over_a_reboot
	fi
	finish
}

[ -z "${MKVM_BOOTS-}" ] || some_of_it
plan 14
boots 1
result $? boots_with_1_cpu
boots 2
result $? boots_with_2_cpus
keeps_the_disk
result $? keeps_the_disk_over_a_reboot
gives_random_numbers
result $? gives_random_numbers
carries_the_network
result $? carries_the_network
maps_by_the_size_called_for
result $? maps_by_the_size_called_for
carries_the_console
result $? carries_the_console
stresses 1
result $? passes_stress_ng_with_1_cpu
stresses 2
result $? passes_stress_ng_with_2_cpus
compiles
result $? compiles_and_runs
linux reboot --no-reboot </dev/null
ended 0 $? && [ "$(grep -c 'mkvm guest: Linux' "$dir/out")" -eq 1 ]
result $? ends_instead_of_a_reboot
tells_the_terminals_size
result $? tells_the_terminals_size
killed TERM 143
result $? ended_by_sigterm
killed KILL 137
result $? ended_by_sigkill
finish
