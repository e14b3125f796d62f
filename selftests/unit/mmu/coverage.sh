#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Which part of kmod/mmu did a run reach? Prints lines reached of each file, those that were not, and
# the sum.
#
#   coverage.sh OUTPUT KMOD

set -euo pipefail

cd "$(dirname "$0")"
for source in "$2"/mmu/*.c; do
	# host_map.c is not in the proof: the simulated host says how it maps.
	[[ $source != */host_map.c ]] || continue
	gcov -t -o "$1/kmod/mmu/$(basename "$source" .c).gcda" "$source"
done 2>/dev/null | awk -F: '
	$3 == "Source" { name = $4 ~ /mmu\/[a-z_]*[.]c$/ ? $4 : ""; sub(".*/", "", name) }
	name == "" { next }
	!(name in reached) { reached[name] = missed[name] = 0; names[++n] = name }
	$1 ~ /^ *[0-9]+[*]?$/ { reached[name]++ }
	$1 ~ /^ *#+$/ { missed[name]++; lines[name] = lines[name] " " $2 + 0 }
	END {
		for (i = 1; i <= n; i++) {
			name = names[i]
			sum = reached[name] + missed[name]
			if (!sum)
				continue
			all += sum
			got += reached[name]
			printf "# %5.1f %% of %3d lines: %s%s\n", 100 * reached[name] / sum, sum, name,
				lines[name] ? ", not:" lines[name] : ""
		}
		printf "# %5.1f %% of %3d lines: kmod/mmu\n", 100 * got / all, all
	}'
