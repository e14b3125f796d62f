# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2034 # variables are for whoever reads this in
#
# What the tests in shell have in common; they read it in with $here set to their directory. A test
# leaves in $dir/out and $dir/err what is shown if it fails, in $dir/said what is shown in any case.
# For any POSIX shell.

launcher=${MKVM_LAUNCHER:-$here/../bin/mkvm}
guests=$here/guest
number=0
failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

forget()
{
	: >"$dir/out"
	: >"$dir/err"
	: >"$dir/said"
}
forget

# plan N: so many tests are to come.
plan()
{
	plan=$1
	echo "TAP version 13"
	echo "1..$plan"
}

# skip_all REASON: none of them.
skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $1"
	exit 4
}

# result STATUS NAME: a test's line, after what is to be shown.
result()
{
	number=$((number + 1))
	sed 's/^/# /' "$dir/said"
	if [ "$1" -eq 0 ]; then
		echo "ok $number $2"
	else
		cat "$dir/out" "$dir/err" | head -n 200 | sed 's/^/# /'
		echo "not ok $number $2"
		failed=1
	fi
	forget
}

# skip NAME REASON
skip()
{
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# each NAME...: the tests that are functions of these names.
each()
{
	for test; do
		"$test"
		result $? "$test"
	done
}

finish()
{
	if [ "$number" -ne "$plan" ]; then
		echo "# ran $number tests instead of $plan"
		failed=1
	fi
	exit "$failed"
}
