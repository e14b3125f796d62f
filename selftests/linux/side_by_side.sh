#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's kernel under each MMU, one after the other, in an emulated host: how long it took and what
# exits it cost, side by side. The kernel and its initramfs are in /mkvm/linux.
#
#   side_by_side.sh [--shell] MMU...     with --shell a guest under the first of them is then left to
#                                        whoever is at the terminal

set -u

limit=900 # seconds a boot
linux=/mkvm/linux
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

run()
{
	mmu=$1 task=$2
	shift 2
	mkvm run --kernel "$linux/kernel" --initrd "$linux/initramfs" --mem 256M --mmu "$mmu" \
		--append "console=ttyS0 quiet panic=-1 mkvm.task=$task" "$@"
}

# now: in $now, hundredths of a second on the host's clock.
now()
{
	read -r now _ </proc/uptime
	now=$((${now%.*}${now#*.}))
}

# say TEXT: with the seconds since the host's start.
say()
{
	now
	printf '[%4ds] %s\n' $((now / 100)) "$*"
}

# watch PID: a sign of life twice a minute, and an end to it at the limit.
watch()
{
	tries=0
	while [ $((tries * 30)) -lt "$limit" ]; do
		sleep 30
		tries=$((tries + 1))
		say "    ... still booting"
	done
	kill "$1" 2>/dev/null
}

# boot MMU: its output and its counts in $dir; false if the guest has not said its line.
boot()
{
	now && began=$now
	say "Linux with --mmu $1: booting ..."
	run "$1" off --stats </dev/null >"$dir/$1.out" 2>"$dir/$1.err" &
	pid=$!
	watch "$pid" &
	watcher=$!
	wait "$pid"
	status=$?
	kill "$watcher" 2>/dev/null
	now && echo "mkvm: took $(((now - began + 50) / 100))" >>"$dir/$1.err"
	if [ "$status" -ne 0 ] || ! grep '^mkvm guest: Linux' "$dir/$1.out"; then
		echo "It did not come up (status $status). The end of what guest and launcher said:"
		tail -n 20 "$dir/$1.out" "$dir/$1.err"
		return 1
	fi
}

# table MMU...: a column for each. Rows come in the order in which they are first met.
table()
{
	for mmu; do
		sed -n "s/.*, up after \\([0-9.]*\\) s.*/up $mmu \\1/p" "$dir/$mmu.out"
		sed -n "s/^mkvm: took /took $mmu /p" "$dir/$mmu.err"
		awk -v mmu="$mmu" '
			/^mkvm: exits from the guest, by reason/ { kind = "exit" }
			/^mkvm: of these for memory/ { kind = "cause" }
			/^mkvm: exits to user space/ { kind = "" }
			/^  = total/ && kind { print kind, mmu, $3, "total" }
			/^  [a-z0-9]/ && kind { print kind, mmu, $2, $1 }' "$dir/$mmu.err"
	done | awk -v mmus="$*" '
		$1 == "up" || $1 == "took" { count[$1, "", $2] = $3; next }
		!(($1, $4) in seen) { seen[$1, $4] = 1; names[$1, ++rows[$1]] = $4 }
		{ count[$1, $4, $2] = $3 }
		function line(name, kind, row,    i) {
			printf "  %-28s", name
			for (i = 1; i <= nr; i++) printf "%12s", count[kind, row, mmu[i]] + 0
			print ""
		}
		function part(title, kind,    i) {
			line(title, kind, "total")
			for (i = 1; i <= rows[kind]; i++)
				if (names[kind, i] != "total")
					line("  " names[kind, i], kind, names[kind, i])
		}
		END {
			nr = split(mmus, mmu, " ")
			printf "\n  %-28s", ""
			for (i = 1; i <= nr; i++) printf "%12s", mmu[i]
			print ""
			line("seconds to the guest'"'"'s init", "up", "")
			line("seconds of the whole run", "took", "")
			part("exits, by reason", "exit")
			part("of these for the MMU, by cause", "cause")
			print ""
		}'
}

shell=
if [ "${1:-}" = --shell ]; then
	shell=1
	shift
fi
[ $# -gt 0 ] || {
	echo "usage: side_by_side.sh [--shell] MMU..." >&2
	exit 2
}
for mmu; do boot "$mmu" || exit 1; done
table "$@"
[ -n "$shell" ] || exit 0
echo "A shell in a guest with --mmu $1: poweroff -f or Ctrl-A x ends it."
run "$1" shell --cpus 2
