# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # the run's variables are set in run
#
# A host's file system: two cpio archives, one after the other. The kernel unpacks both.
#   base  busybox, init and the helpers of rootfs/; the same for every run, kept in the cache by
#         the hash of what goes in
#   run   what one run brings: modules, files, the command
# Neither is compressed: an emulated processor unpacks more slowly than it copies.

cache_dir=${MKVM_CACHE:-${XDG_CACHE_HOME:-~/.cache}/mkvm}

# pack_tree DIR: the tree as a cpio archive on stdout, owned by root; the same bytes for the same
# tree.
pack_tree() {
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio --quiet --null --create --format=newc --owner=0:0 --reproducible)
}

# initramfs_base: prints the path of the base archive, made if the cache lacks it.
initramfs_base() {
	local busybox key file tree

	busybox=$(command -v busybox) ||
		die_setup "no busybox on this machine: install busybox-static"
	if ldd "$busybox" >/dev/null 2>&1; then
		die_setup "'$busybox' is dynamically linked: install busybox-static"
	fi
	key=$(cat "$busybox" "$here/initramfs.sh" "$here"/rootfs/init "$here"/rootfs/bin/* |
		sha256sum | cut -c 1-16)
	file=$cache_dir/host-base-$key.cpio
	mkdir -p "$cache_dir"
	(
		flock 9
		[[ -s $file ]] && exit
		tree=$(mktemp -d)
		trap 'rm -rf "$tree"' EXIT
		mkdir -p "$tree"/{bin,sbin,dev,proc,sys,tmp,root,run,mnt,etc,var} \
			"$tree"/{lib,lib64,usr/bin,usr/sbin,usr/lib}
		install -m 755 "$busybox" "$tree/bin/busybox"
		install -m 755 "$here/rootfs/init" "$tree/init"
		"$busybox" --list | while read -r name; do
			[[ $name == busybox ]] || ln -s busybox "$tree/bin/$name"
		done
		install -m 755 "$here"/rootfs/bin/* "$tree/bin/"
		echo 'root::0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
		echo 'root:x:0:' >"$tree/etc/group"
		pack_tree "$tree" >"$file.new"
		mv "$file.new" "$file"
	) 9>"$cache_dir/host-base.lock"
	echo "$file"
}

# tree_add_file TREE SRC[:DST]: a file or a directory; DST is SRC's own name in / if not given.
tree_add_file() {
	local tree=$1 src=${2%%:*} dst

	if [[ $2 == *:* ]]; then dst=${2#*:}; else dst=/$(basename "$src"); fi
	[[ -e $src ]] || die_setup "--file: no '$src'"
	[[ $dst == /* ]] || die_usage "--file: '$dst' must be an absolute path in the host"
	mkdir -p "$tree$(dirname "$dst")"
	if [[ -d $src ]]; then
		mkdir -p "$tree$dst"
		cp -a "$src/." "$tree$dst/"
	else
		cp -L --preserve=mode "$src" "$tree$dst"
	fi
}

# tree_add_program TREE PROGRAM: the program at its own path.
tree_add_program() {
	local tree=$1 program

	program=$(command -v "$2") || die_setup "--bin: no program '$2' on this machine"
	program=$(realpath -s "$program")
	mkdir -p "$tree$(dirname "$program")"
	cp -L --preserve=mode "$program" "$tree$program"
}

# tree_add_libraries TREE: this machine's shared libraries that programs in the tree need.
tree_add_libraries() {
	local tree=$1 lib

	# Of what has none ldd says so, and fails.
	{ find "$tree" -type f -perm -u+x -exec ldd {} + 2>/dev/null || true; } |
		sed -n 's|^[^/:]*\(/[^ :]*\) (0x.*|\1|p' | sort -u | while read -r lib; do
		mkdir -p "$tree$(dirname "$lib")"
		cp -L --preserve=mode "$lib" "$tree$lib"
	done
}

# tree_strip TREE: without what only a debugger reads, which an emulated processor takes seconds to
# unpack and to load: the kernel looks through a module's symbols for each of its functions, and
# those with __pfx_ name what is in front of one. The kernel's own modules lose their signature.
tree_strip() {
	local file

	command -v strip >/dev/null || return 0
	find "$1" -type f -name '*.ko' -exec \
		strip --strip-debug --wildcard --strip-symbol='__pfx_*' {} +
	find "$1" -type f -perm -u+x ! -name '*.ko' | while read -r file; do
		! readelf -S "$file" 2>/dev/null | grep -q '\.debug_info' || strip --strip-all "$file"
	done
}

# tree_add_module TREE FILE.ko[,param=val...]: modules load in the order in which they are added.
tree_add_module() {
	local tree=$1 file=${2%%,*} params='' name

	[[ $2 == *,* ]] && params=${2#*,}
	[[ -r $file ]] || die_setup "--module: no '$file'"
	name=$(basename "$file")
	cp -L "$file" "$tree/host/modules/$name"
	echo "$name ${params//,/ }" >>"$tree/host/modules.list"
}
