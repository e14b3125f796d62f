# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # the run's variables are set in run
#
# The AMD host: QEMU's own translator (TCG) with SVM and nested paging.
# TCG is always named: a /dev/kvm on this machine is not ours to use and may lack SVM.

# How long a run may take if --limit does not say.
amd_limit() {
	echo 300
}

amd_memory() {
	echo 1024
}

amd_arguments() {
	echo loglevel=6
}

amd_check() {
	command -v qemu-system-x86_64 >/dev/null ||
		die_setup "no qemu-system-x86_64 on this machine: install qemu-system-x86"
}

# amd_kernel: prints the path of an image with the uncompressed kernel, made if the cache lacks it:
# the emulator takes longer to decompress one than to start it.
amd_kernel() {
	local key file

	key=$(cat "$image" "$here/boot-image" "$here/start32.S" | sha256sum | cut -c 1-16)
	file=$cache_dir/host-bzimage-$key
	(
		flock 9
		[[ -s $file ]] && exit
		gcc -c -o "$file.o" "$here/start32.S"
		ld -Ttext=0x100000 --oformat binary -o "$file.bin" "$file.o"
		"$here/boot-image" bzimage "$image" "$file.bin" "$file.new"
		mv "$file.new" "$file"
		rm -f "$file.o" "$file.bin"
	) 9>"$cache_dir/host-kernel.lock"
	echo "$file"
}

# amd_start: starts the emulator in the background in a process group of its own; sets $emulator.
amd_start() {
	# One thread for all processors: with one each, a processor now and then executes the
	# breakpoint that another, patching the kernel's text, has already taken back ("Oops: int3").
	local accel=tcg,thread=single cpu=max kernel args=()
	local output=(-chardev "file,id=out,path=$log/output.fifo")

	# It has 64 bits, and not SVM; nor VMX, which the translator does not have.
	[[ -z $virt ]] && cpu=Nehalem
	[[ $la57 == off ]] && cpu+=,la57=off
	[[ -n $disk ]] && args+=(-drive "file=${disk//,/,,},format=raw,if=virtio")
	[[ -n $icount ]] && args+=(-icount shift=0)
	[[ -n $shell ]] && output=(-chardev "stdio,id=out,signal=off")
	kernel=$(amd_kernel)
	cat "$base" "$log/run.cpio" >"$log/initramfs.cpio"
	set -- qemu-system-x86_64 \
		-nodefaults -display none -no-reboot -M pc -accel "$accel" -cpu "$cpu" \
		-smp "$cpus" -m "$memory" "${args[@]}" \
		-kernel "$kernel" -initrd "$log/initramfs.cpio" -append "$(kernel_arguments)" \
		-serial "file:$log/console.log" "${output[@]}" -serial chardev:out \
		-serial "file:$log/control.log"
	if [[ -n $shell ]]; then
		spawn "$@" <&8 2>"$log/emulator.log"
	else
		spawn "$@" </dev/null >"$log/emulator.log" 2>&1
	fi
}
