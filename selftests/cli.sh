#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The launcher's command line: what it refuses, how it says so, and what a guest's end becomes.
# For any POSIX shell; the launcher is ../bin/mkvm, or what MKVM_LAUNCHER names.

set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/ktap.sh"

# launch EXPECTED-STATUS ARGS...: false, with the reason in the output, if it ends otherwise.
launch()
{
	expected=$1
	shift
	timeout 60 "$launcher" "$@" </dev/null >"$dir/out" 2>"$dir/err"
	status=$?
	[ "$status" -eq "$expected" ] && return 0
	echo "exit status $status, expected $expected: mkvm $*" >>"$dir/err"
	return 1
}

# says FILE TEXT: false, with the reason in the output, if the text is not in the file.
says()
{
	grep -qF -e "$2" "$dir/$1" && return 0
	echo "not said on $1: $2" >>"$dir/err"
	return 1
}

# usage NAME OPTION EXPECTED ARGS...: a wrong command line: status 2, both texts on stderr, nothing on
# stdout, no shell message.
usage()
{
	name=$1 option=$2 text=$3
	shift 3
	launch 2 "$@" && says err "$option" && says err "$text" && [ ! -s "$dir/out" ]
	result $? "$name"
}

# refused NAME TEXT ARGS...: status 1 and the text on stderr.
refused()
{
	name=$1 text=$2
	shift 2
	launch 1 "$@" && says err "$text"
	result $? "$name"
}

# bytes TEXT: printf's octal escapes as they are.
bytes()
{
	# shellcheck disable=SC2059 # the text is the format
	printf "$1"
}

# The header of an ELF file: class (1, 2), type, machine; then where the program headers are, how
# large and how many, as escapes.
elf64()
{
	bytes '\177ELF\002\001\001\0\0\0\0\0\0\0\0\0'
	bytes "$1$2\\001\\0\\0\\0"
	bytes '\0\0\020\0\0\0\0\0'	# entry 0x100000
	bytes "$3"			# program headers' offset, 8 bytes
	bytes '\0\0\0\0\0\0\0\0\0\0\0\0\100\0'
	bytes "$4$5\\0\\0\\0\\0\\0\\0"
}

# segment OFFSET PADDR FILESZ MEMSZ: a PT_LOAD, 8 bytes each.
segment64()
{
	bytes '\001\0\0\0\007\0\0\0'
	bytes "$1$2$2$3$4"
	bytes '\0\020\0\0\0\0\0\0'
}

exec_type='\002\0' x86_64='\076\0' at_64='\100\0\0\0\0\0\0\0' size_56='\070\0' one='\001\0'
zero8='\0\0\0\0\0\0\0\0' at_1m='\0\0\020\0\0\0\0\0' huge8='\0\0\0\0\0\0\0\200'
minus8='\377\377\377\377\377\377\377\377' eight8='\010\0\0\0\0\0\0\0'

make_images()
{
	: >"$dir/empty"
	head -c 700000 /dev/zero >"$dir/large"
	truncate -s 17M "$dir/huge"
	bytes '\177ELF' >"$dir/elf_4"
	bytes '\177ELF\002' >"$dir/elf_5"
	head -c 63 "$guests/hello" >"$dir/elf_63"
	head -c 100 "$guests/hello" >"$dir/elf_100"
	head -c 3000 "$guests/hello" >"$dir/elf_cut"
	elf64 "$exec_type" '\267\0' "$at_64" "$size_56" "$one" >"$dir/elf_arm"
	elf64 '\003\0' "$x86_64" "$at_64" "$size_56" "$one" >"$dir/elf_dyn"
	elf64 "$exec_type" "$x86_64" "$at_64" "$size_56" '\0\0' >"$dir/elf_none"
	elf64 "$exec_type" "$x86_64" "$minus8" "$size_56" "$one" >"$dir/elf_phoff"
	elf64 "$exec_type" "$x86_64" "$at_64" '\001\0' "$one" >"$dir/elf_phentsize"
	elf64 "$exec_type" "$x86_64" "$at_64" "$size_56" '\377\377' >"$dir/elf_phnum"
	for case in "offset $minus8 $at_1m $eight8 $eight8" "paddr $zero8 $huge8 $eight8 $eight8" \
		"filesz $zero8 $at_1m $minus8 $minus8" "memsz $zero8 $at_1m $eight8 $minus8" \
		"larger $zero8 $at_1m $eight8 $zero8" "low $zero8 $zero8 $eight8 $eight8" \
		"wrap $zero8 $minus8 $eight8 $eight8"; do
		# shellcheck disable=SC2086 # each word is an argument
		set -- $case
		{
			elf64 "$exec_type" "$x86_64" "$at_64" "$size_56" "$one"
			segment64 "$2" "$3" "$4" "$5"
		} >"$dir/elf_$1"
	done
	{
		elf64 "$exec_type" "$x86_64" "$at_64" "$size_56" "$one"
		segment64 "$zero8" '\0\0\040\0\0\0\0\0' "$eight8" "$eight8"
	} >"$dir/elf_entry"
	bytes '\260\052\346\364\364' >"$dir/exit42"	# mov $42, %al; out %al, $0xf4; hlt
	# sti (see guest_start()); mov $0x3f8, %dx; mov $'!', %al; out %al, %dx; jmp .
	bytes '\373\272\370\003\260\041\356\353\376' >"$dir/loop"
	# lidt of a table without room, then ud2
	bytes '\017\001\036\010\174\017\013\220\0\0\0\0\0\0' >"$dir/triple"
	# in $0x71: nothing is there; then to the exit port: in $0x71, %al; out %al, $0xf4
	bytes '\344\161\346\364' >"$dir/noport"
}

# ended_by SIGNAL STATUS: sends it to a launcher whose guest is known to loop. A shell starts what
# is in the background with SIGINT ignored; the launcher takes it all the same.
ended_by()
{
	: >"$dir/out"
	timeout 60 "$launcher" run --flat "$dir/loop" </dev/null >"$dir/out" 2>"$dir/err" &
	while [ ! -s "$dir/out" ] && kill -0 $! 2>/dev/null; do sleep 0.1; done
	kill -s "$1" $! 2>/dev/null
	wait $!
	status=$?
	[ "$status" -eq "$2" ] || echo "exit status $status, expected $2" >>"$dir/err"
	[ "$status" -eq "$2" ] && says err "ended by signal"
}

# A guest that cannot go to another MMU goes on where it is.
stays()
{
	: >"$dir/out"
	"$launcher" run --flat "$dir/loop" --mmu tdp </dev/null >"$dir/out" 2>"$dir/err" &
	while [ ! -s "$dir/out" ] && kill -0 $! 2>/dev/null; do sleep 0.1; done
	kill -s USR2 $! 2>/dev/null
	tries=0
	until grep -q 'SIGUSR2: .*expected --mmu shadow' "$dir/err" || [ $tries -eq 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	kill -s TERM $! 2>/dev/null
	wait $!
	status=$?
	[ "$status" -eq 143 ] || echo "exit status $status, expected 143" >>"$dir/err"
	[ "$status" -eq 143 ] && says err "expected --mmu shadow" && says err "ended by signal"
}

usage_tests()
{
	usage no_command "no command" "expected"
	usage unknown_command "'walk'" "mkvm help" walk
	usage unknown_global_option "'--fast'" "mkvm help" --fast
	usage unknown_option "'--fast'" "expected one of the options --kernel, " run --fast
	usage stray_argument "'guest'" "expected one of the options --kernel, " run guest
	usage image_missing "--flat" "expected" run
	usage image_and_kernel "--kernel" "expected one of them" run --flat x --kernel y
	usage kernel_without_value "--kernel" "expected" run --kernel
	usage append_without_kernel "--append" "expected" run --flat x --append y
	usage initrd_without_kernel "--initrd" "expected" run --flat x --initrd y
	usage disk_without_image "--disk" "expected" run --kernel x --disk ,ro
	usage disks_too_many "--disk" "at most 6" run --kernel x --disk 1 --disk 2 --disk 3 --disk 4 \
		--disk 5 --disk 6 --disk 7
	usage net_unknown "--net" "expected tap=NAME" run --kernel x --net eth0
	usage net_without_name "--net" "expected tap=NAME" run --kernel x --net tap=
	usage hugepages_unknown "--hugepages" "expected" run --kernel x --hugepages 4M
	usage hugepages_not_whole "--mem" "2048K" run --kernel x --hugepages 2M --mem 17M
	usage populate_odd "--populate" "power of two" run --kernel x --populate 3
	usage populate_too_many "--populate" "up to 512" run --kernel x --populate 1024
	usage populate_without_kernel "--populate" "expected" run --flat x --populate 16
	usage kernel_mem_too_small "--mem" "expected 16M" run --kernel x --mem 8M
	usage image_without_value "--flat" "expected" run --flat
	usage image_with_empty_value "--flat" "expected" run --flat=
	usage mmu_unknown "--mmu" "expected auto, tdp or shadow" run --flat x --mmu ept
	usage mmu_without_value "--mmu" "expected auto, tdp or shadow" run --flat x --mmu
	usage mem_not_a_number "--mem" "expected" run --flat x --mem much
	usage mem_unknown_suffix "--mem" "expected" run --flat x --mem 64Q
	usage mem_negative "--mem" "expected" run --flat x --mem -64M
	usage mem_overflow "--mem" "expected" run --flat x --mem 99999999999999999999
	usage mem_too_small "--mem" "expected" run --flat x --mem 64K
	usage mem_too_large "--mem" "expected" run --flat x --mem 1T
	usage mem_part_of_a_page "--mem" "expected" run --flat x --mem 2049K
	usage cpus_zero "--cpus" "expected" run --flat x --cpus 0
	usage cpus_too_many "--cpus" "expected" run --flat x --cpus 65
	usage cpus_not_a_number "--cpus" "expected" run --flat x --cpus=two
	usage flag_with_value "--stats" "expected none" run --flat x --stats=yes
	usage help_with_argument "'run'" "expected" help run
}

help_tests()
{
	launch 0 help && says out "run"
	result $? help
	launch 0 --help && says out "run"
	result $? help_as_option
	launch 0 run --help && says out "--flat" && says out "--mmu" && says out "exit status"
	result $? help_of_run
	launch 0 --version && says out "mkvm "
	result $? version
}

image_tests()
{
	refused image_absent "No such file" run --flat "$dir/absent"
	refused image_is_a_directory "is not a file" run --flat "$dir"
	refused image_empty "is empty" run --flat "$dir/empty"
	refused flat_too_large "real mode" run --flat "$dir/large"
	refused image_larger_than_memory "--mem" run --flat "$launcher" --mem 2M
	for cut in 4 5 63; do
		refused "elf_cut_at_$cut" "malformed ELF" run --flat "$dir/elf_$cut"
	done
	refused elf_cut_in_program_headers "malformed ELF" run --flat "$dir/elf_100"
	refused elf_cut_in_segment "malformed ELF" run --flat "$dir/elf_cut"
	refused elf_other_machine "x86" run --flat "$dir/elf_arm"
	refused elf_not_executable "fixed addresses" run --flat "$dir/elf_dyn"
	refused elf_without_program_headers "malformed ELF" run --flat "$dir/elf_none"
	refused elf_program_headers_far_away "malformed ELF" run --flat "$dir/elf_phoff"
	refused elf_program_headers_small "malformed ELF" run --flat "$dir/elf_phentsize"
	refused elf_program_headers_many "malformed ELF" run --flat "$dir/elf_phnum"
	refused elf_segment_outside_file "malformed ELF" run --flat "$dir/elf_offset"
	refused elf_segment_of_all_bytes "malformed ELF" run --flat "$dir/elf_filesz"
	refused elf_segment_larger_in_file "malformed ELF" run --flat "$dir/elf_larger"
	refused elf_segment_outside_memory "--mem" run --flat "$dir/elf_paddr"
	refused elf_segment_too_large "--mem" run --flat "$dir/elf_memsz"
	refused elf_segment_wraps "--mem" run --flat "$dir/elf_wrap"
	refused elf_segment_over_tables "page tables" run --flat "$dir/elf_low"
	refused elf_entry_elsewhere "entry point" run --flat "$dir/elf_entry"
	refused elf_no_room_for_stacks "stacks" run --flat "$guests/hello" --mem 2M --cpus 17
}

linux_tests()
{
	refused kernel_absent "No such file" run --kernel "$dir/absent"
	refused kernel_is_a_directory "is not a file" run --kernel "$dir"
	refused kernel_empty "is empty" run --kernel "$dir/empty"
	refused kernel_of_no_kind "neither a bzImage nor an ELF" run --kernel "$dir/large"
	refused kernel_cut "ends within its ELF header" run --kernel "$dir/elf_63"
	refused kernel_without_pvh "PVH" run --kernel "$guests/hello"
	refused initrd_absent "No such file" run --kernel "$guests/hello" --initrd "$dir/absent"
	refused initrd_larger_than_memory "--mem" run --kernel "$guests/hello" --mem 16M \
		--initrd "$dir/huge"
}

device_tests()
{
	refused device_absent "there is no such device" run --flat "$guests/hello" --device /dev/absent
	refused device_of_another_kind "not a KVM device" run --flat "$guests/hello" --device /dev/null
}

mmu_tests()
{
	launch 0 run --flat "$guests/hello" --mmu tdp && says out "Hello"
	result $? mmu_tdp
	if [ "${MKVM_DEVICE:-/dev/mkvm}" = /dev/mkvm ]; then
		launch 0 run --flat "$guests/hello" --mmu shadow && says out "Hello" &&
			launch 0 run --flat "$guests/hello32" --mmu shadow && says out "Hello" &&
			launch 0 run --flat "$guests/hello16" --mmu shadow && says out "Hello"
	else
		# A kvm that was loaded as usual has none: what to use instead is said.
		launch 1 run --flat "$guests/hello" --mmu shadow && says err "--mmu shadow: " &&
			says err "use --mmu" && [ ! -s "$dir/out" ]
	fi
	result $? mmu_shadow
}

guest_tests()
{
	launch 0 run --flat "$guests/hello" --cpus 2 --mem 16M &&
		says out "Hello from a 64-bit guest: CPU 0 of 2, 4-level paging" &&
		says out "Hello from a 64-bit guest: CPU 1 of 2, 4-level paging"
	result $? guest_64
	launch 0 run --flat "$guests/hello32" && says out "Hello from a 32-bit guest: CPU 0 of 1"
	result $? guest_32
	launch 0 run --flat "$guests/hello16" && says out "Hello from a 16-bit guest: real mode"
	result $? guest_16
	launch 0 run --flat "$guests/hello" --stats && says err "exits to user space" &&
		says err "hlt" && says err "io"
	result $? stats
	launch 42 run --flat "$dir/exit42"
	result $? exit_port
	launch 255 run --flat "$dir/noport"
	result $? port_without_device_reads_ones
	launch 3 run --flat "$dir/triple" && says err "shut down"
	result $? shutdown
	ended_by TERM 143
	result $? terminated
	ended_by INT 130
	result $? interrupted
	stays
	result $? stays_on_its_mmu
}

plan 87
make_images
usage_tests
help_tests
image_tests
linux_tests
device_tests
mmu_tests
guest_tests
finish
