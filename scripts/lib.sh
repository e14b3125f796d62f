# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every script of ours starts with: strict mode, the tree's top, where output and caches go,
# and one way to give up. To be sourced: . "$(dirname "$0")/lib.sh"

set -euo pipefail

# depmod, insmod and modprobe are not on an ordinary user's path in Debian.
PATH="$PATH:/usr/sbin:/sbin"
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$(realpath -m -- "${BUILD:-$TOP/build}")
CACHE=${MKVM_CACHE:-${XDG_CACHE_HOME:-~/.cache}/mkvm}
ME=${0##*/}
: "${MKVM_START:=$(date +%s)}" # when the outermost script began: elapsed times count from here
export TOP BUILD CACHE MKVM_START

# say TEXT: one line with the time since the outermost script began.
say() {
	printf '[%4ds] %s\n' "$(($(date +%s) - MKVM_START))" "$*"
}

# die TEXT...: one sentence a line on stderr, then exit status 1.
die() {
	printf '%s\n' "$ME: $1" "${@:2}" >&2
	exit 1
}

# usage_error TEXT: a wrong command line is exit status 2.
usage_error() {
	printf '%s: %s\n' "$ME" "$*" >&2
	exit 2
}

# The newest kernel of a series for guests.
guest_kernel() { # SERIES
	find /boot -maxdepth 1 -name "vmlinuz-$1.*-cloud-amd64" | sort -V | tail -n 1
}
