# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # the run's variables are set in run
#
# The Intel host: Bochs with VMX and EPT.
# There is no boot loader and no disk: the emulator puts the uncompressed kernel, the initramfs and
# a boot block into memory, and an option ROM of ours (entry.S) enters the kernel as soon as the
# firmware has made its tables.
#
# Where the pieces begin; boot-image and entry.S know it too.
intel_memory_start=$((0xe00000))
intel_rom_start=$((0xd0000))

# Bochs hands out its memory in blocks of this size, in the order in which they are first touched,
# but reads a RAM image in one go, as if the blocks lay in the order of their addresses. So there
# is one image only, and the debugger touches its blocks in order before the processor starts.
intel_block=$((0x20000))

# Instructions that make one second of the host's time. Bochs does 35 to 45 million a second of
# ours. Lower: more timer interrupts per unit of work (250 a second of the host's time). Higher:
# whatever waits, in firmware, kernel or tests, costs more of ours. Measured, 6.1, from start to the
# first command: 25 million 17.6 s, 50 million 15.4 s, 100 million 20.1 s; 8,000 signals of a timer:
# 25 million 15 s, 50 million 45 s.
intel_ips=25000000

intel_limit() {
	echo 600
}

intel_memory() {
	echo 512
}

intel_arguments() {
	# The processor model claims 3.5 GHz, but its TSC counts instructions. Left to believe the
	# claim, the kernel would make each of its delays seventy times too long.
	echo "tsc_early_khz=$((intel_ips / 1000)) tsc=reliable no_timer_check"
	# An idle processor that waits in MWAIT now and then misses the write that should wake it, and
	# sleeps until its next interrupt, which may be the watchdog's after 16 s.
	echo idle=halt
	# Bochs states the size of the standard XSAVE area as that of the compacted one: a kernel
	# that uses the compacted one warns and gives up XSAVE altogether. And its leaf 4 claims more
	# cores than its leaf 1 has room for, at which 6.12 warns as long as there is the HT bit.
	echo clearcpuid=xsaves,xsavec,ht
	# What takes long and serves no test: page-table isolation (the check of the second set of
	# tables 130 million instructions, then two CR3 writes a system call; --append pti=on has it
	# back).
	echo pti=off
	echo loglevel=5
}

intel_check() {
	local file

	command -v bochs-bin >/dev/null || die_setup "no bochs-bin on this machine: install bochs"
	for file in /usr/share/bochs/BIOS-bochs-latest:bochsbios \
		/usr/share/vgabios/vgabios.bin:vgabios; do
		[[ -r ${file%:*} ]] || die_setup "no ${file%:*}: install ${file#*:}"
	done
	[[ -z $icount ]] || say "--icount: this machine always counts instructions"
}

# intel_kernel: prints the path of the uncompressed kernel, made if the cache lacks it.
intel_kernel() {
	local key file

	key=$(cat "$image" "$here/boot-image" | sha256sum | cut -c 1-16)
	file=$cache_dir/host-kernel-$key
	(
		flock 9
		[[ -s $file.info && -s $file ]] && exit
		"$here/boot-image" kernel "$image" "$file.new"
		mv "$file.new" "$file"
		mv "$file.new.info" "$file.info"
	) 9>"$cache_dir/host-kernel.lock"
	echo "$file"
}

# intel_option_rom: prints the path of the option ROM, made if the cache lacks it.
intel_option_rom() {
	local key file

	key=$(cat "$here/entry.S" "$here/boot-image" | sha256sum | cut -c 1-16)
	file=$cache_dir/host-entry-$key.rom
	(
		flock 9
		[[ -s $file ]] && exit
		gcc -c -o "$file.o" "$here/entry.S"
		ld -Ttext=0 --oformat binary -o "$file.bin" "$file.o"
		"$here/boot-image" rom "$file.bin" "$file.new"
		mv "$file.new" "$file"
		rm -f "$file.o" "$file.bin"
	) 9>"$cache_dir/host-entry.lock"
	echo "$file"
}

# intel_read_screen: reads the emulator's screen, a terminal of its own, until the emulator ends. It is
# of no use, but its cursor blinks, and the emulator stands still when 20 KB of that wait to be read.
intel_read_screen() {
	local screen=''

	until [[ -n $screen ]]; do
		emulator_runs || return 0
		sleep 0.2
		screen=$(sed -n 's/.*connected to screen "\(.*\)".*/\1/p' "$log/emulator.log")
	done
	exec cat "$screen" >/dev/null 2>&1
}

# intel_start: starts the emulator in the background in a process group of its own; sets $emulator.
intel_start() {
	local vmlinux rom end address output="file, dev=$log/output.fifo"

	[[ -n $shell ]] && output="term, dev=$(tty)"

	vmlinux=$(intel_kernel)
	rom=$(intel_option_rom)
	cat "$base" "$log/run.cpio" >"$log/initramfs.cpio"
	end=$("$here/boot-image" memory "$image" "$vmlinux" "$log/initramfs.cpio" \
		"$(kernel_arguments)" "$log/memory.image")
	# The archive is unpacked into memory beside itself.
	((end + $(stat -c %s "$log/initramfs.cpio") + 0x4000000 < memory << 20)) ||
		die_setup "$memory MiB are too few: kernel and files take $((end >> 20)); use --mem"
	cat >"$log/bochsrc" <<TEXT
cpu: model=corei7_skylake_x, count=$cpus, ips=$intel_ips, quantum=32
cpu: reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=$memory, host=$memory
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
optromimage1: file=$rom, address=$(printf 0x%x "$intel_rom_start")
optramimage1: file=$log/memory.image, address=$(printf 0x%x "$intel_memory_start")
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=utc
ata0: enabled=0
ata1: enabled=0
ata2: enabled=0
ata3: enabled=0
com1: enabled=1, mode=file, dev=$log/console.log
com2: enabled=1, mode=$output
com3: enabled=1, mode=file, dev=$log/control.log
parport1: enabled=0
speaker: enabled=0
sound: waveoutdrv=dummy
log: $log/bochs.log
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
display_library: term
TEXT
	# Debian's Bochs starts in its debugger.
	{
		for ((address = intel_memory_start; address < end; address += intel_block)); do
			echo "xp /1bx $address"
		done
		echo continue
	} >"$log/bochs-debugger"
	# Its screen is of no use, but it must have one.
	spawn env TERM=xterm script -qfc "exec setpriv --pdeathsig KILL \
		bochs-bin -q -f '$log/bochsrc' -rc '$log/bochs-debugger'" /dev/null \
		</dev/null >"$log/emulator.log" 2>&1
	intel_read_screen </dev/null 7>&- 8>&- &
}
