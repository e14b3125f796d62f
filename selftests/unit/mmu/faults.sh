#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Can the proof fail? Each patch in faults/ is put into a copy of the module's source, one at a time.
# The proof has to find it within a minute, and the same seed without the patch has to pass.
#
#   faults.sh OUTPUT [NAME...]
#
#   OPS=n     operations at most (10,000,000)
#   SEED=n    of the first world (1)
#   LIMIT=n   seconds of a processor's time that the proof may take for one fault (60)

set -euo pipefail

cd "$(dirname "$0")"
output=$1
shift
export OPS=${OPS:-10000000} SEED=${SEED:-1}
limit=${LIMIT:-60}
source=$output/source # always the same place: the objects know it
rm -rf "$source" "$output/faulty"
mkdir -p "$source"
log=$(mktemp) times=$(mktemp) TIMEFORMAT=%1U
trap 'rm -f "$log" "$times"' EXIT

build() { # DIRECTORY KMOD
	make --no-print-directory -s -j"$(nproc)" OUTPUT="$1" KMOD="$2" >"$log" 2>&1 || {
		cat "$log"
		exit 1
	}
}

patches=()
for name; do
	patches+=("faults/$name.patch")
done
((${#patches[@]})) || patches=(faults/*.patch)

kmod=$(realpath ../../../kmod)
build "$output/clean" "$kmod"
# So that it is the same on a machine with other work.
prove() ( # DIRECTORY
	ulimit -t "$limit"
	"$1/test_gpt" && exec "$1/prove"
)

cp -a "$kmod" "$source/kmod"
missed=()
for patch in "${patches[@]}"; do
	name=$(basename "$patch" .patch)
	file=$(sed -n 's|^+++ b/||p' "$patch")
	if (($(grep -c '^+[^+]' "$patch") > 5 || $(grep -c '^-[^-]' "$patch") > 5)); then
		echo "$name: more than five lines"
		exit 1
	fi
	patch -s -F0 -d "$source" -p1 <"$patch" # at its own place, or not at all
	touch "$source/$file"
	build "$output/faulty" "$source/kmod"
	status=0
	{ time prove "$output/faulty" >"$log" 2>&1; } 2>"$times" || status=$?
	took=$(<"$times")
	if ((status == 0)); then
		echo "not ok: $name: not found in $OPS operations"
		missed+=("$name")
	elif ((status == 137 || status == 152)); then
		echo "not ok: $name: not found within $limit seconds"
		missed+=("$name")
	else
		seed=$(sed -nE 's/^SEED=([0-9]+) finds it.*/\1/p' "$log" | tail -n 1)
		[[ $seed ]] || seed=$(sed -nE 's/^# SEED=([0-9]+)$/\1/p' "$log")
		what=$(sed -n 's/^FOUND: //p; s/^==[0-9]*==ERROR: //p; s/^.*: runtime error: //p' "$log" | head -n 1)
		# Whoever ends otherwise, with a count that is too small for one, has found nothing.
		if [[ ! $what ]]; then
			echo "not ok: $name: status $status, and nothing is found"
			missed+=("$name")
		elif SEED=$seed OPS=20000 prove "$output/clean" >/dev/null 2>&1; then
			printf 'ok: %-24s in %7u operations, %s s: %s\n' "$name" \
				"$(sed -n 's/^after \([0-9]*\) operations$/\1/p' "$log")" \
				"$took" "$what"
		else
			echo "not ok: $name: seed $seed fails without it too"
			missed+=("$name")
		fi
	fi
	cp "$kmod/${file#kmod/}" "$source/$file"
done
if ((${#missed[@]})); then
	echo "not ok: ${missed[*]}"
	exit 1
fi
echo "ok: all ${#patches[@]} faults were found"
