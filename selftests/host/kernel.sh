# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # the run's variables are set in run
#
# A host's kernel: which file it is, its release, its modules, what modules are built against.
# A kernel is named by its series (6.1, 6.12), by the path of its image, or by the path of a tree
# that it was built in. "debug" is the debug kernel, which is built if the cache has none.

tree_image=arch/x86/boot/bzImage

# kernel_find SERIES|debug|IMAGE|TREE: prints the image's path.
kernel_find() {
	local image tree

	if [[ $1 == debug ]]; then
		tree=$("$here/debug-kernel") || die_setup "there is no debug kernel"
		set -- "$tree"
	fi
	if [[ -d $1 ]]; then
		set -- "$1/$tree_image"
	fi
	if [[ $1 == */* ]]; then
		[[ -r $1 ]] || die_setup "no readable kernel image '$1'"
		echo "$1"
		return
	fi
	# "6.1.0-56-amd64" and "6.12.9+deb12-amd64" are wanted; cloud and rt kernels are not.
	image=$(find /boot -maxdepth 1 -name "vmlinuz-$1.*-amd64" \
		! -name '*-cloud-*' ! -name '*-rt-*' | sort -V | tail -n 1)
	if [[ -z $image ]]; then
		die_setup "no /boot/vmlinuz-$1.*-amd64 on this machine: install" \
			"$(kernel_package "$1"), or name an image by its path"
	fi
	[[ -r $image ]] || die_setup "cannot read '$image': run as a user who may"
	echo "$image"
}

kernel_package() {
	case $1 in
	6.1) echo linux-image-amd64 ;;
	*) echo "linux-image-$1-amd64" ;;
	esac
}

# kernel_release IMAGE: prints the release the image itself states (its setup header points to it).
kernel_release() {
	local offset release

	[[ $(od -An -c -j 514 -N 4 "$1" | tr -d ' ') == HdrS ]] ||
		die_setup "'$1' is not an x86 kernel image"
	offset=$(od -An -t u2 -j 526 -N 2 "$1" | tr -d ' ')
	release=$(tail -c "+$((offset + 513))" "$1" | head -c 256 | tr '\0' '\n' | sed -n 1p)
	echo "${release%% *}"
}

# kernel_tree IMAGE: prints the tree that the kernel was built in; fails if it is a package's.
kernel_tree() {
	[[ $1 == */"$tree_image" ]] && echo "${1%/"$tree_image"}"
}

# kernel_headers IMAGE: prints the directory that modules for the kernel are built against.
kernel_headers() {
	kernel_tree "$1" || echo "/usr/src/linux-headers-$(kernel_release "$1")"
}

# kernel_module IMAGE NAME DIR: puts that module, uncompressed, into DIR and prints its file name.
kernel_module() {
	local name=$2 dir=$3 modules file

	modules=$(kernel_tree "$1") || modules=/lib/modules/$(kernel_release "$1")/kernel
	file=$(find "$modules" -name "$name.ko" -o -name "$name.ko.xz" | head -n 1)
	[[ -n $file ]] || die_setup "no module '$name' in $modules"
	if [[ $file == *.xz ]]; then
		xz -dc "$file" >"$dir/$name.ko" || die_setup "cannot unpack $file"
	else
		cp "$file" "$dir/$name.ko" || die_setup "cannot copy $file"
	fi
	echo "$name.ko"
}

# kernel_modules IMAGE NAME DIR: as kernel_module, with all that it depends on, in the order in which
# they are to be loaded. What the kernel has built in is left out.
kernel_modules() {
	local builtin name depends

	builtin=$(kernel_tree "$1") || builtin=/lib/modules/$(kernel_release "$1")
	if grep -qE "/${2//[-_]/[-_]}\.ko\$" "$builtin/modules.builtin"; then
		return
	fi
	name=$(kernel_module "$1" "$2" "$3")
	depends=$(modinfo -F depends "$3/$name")
	for depends in ${depends//,/ }; do kernel_modules "$1" "$depends" "$3"; done
	echo "$name"
}
