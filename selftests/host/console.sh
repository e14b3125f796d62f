# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # the run's variables are set in run
#
# A host kernel's console: what it reported against itself.
# A report is a line that says that the kernel found a fault of its own: oops, WARN, BUG, lockup,
# RCU stall, hung task and the like. Lines listed in known-warnings are no reports.

# After one of these the host gets nowhere: the run ends soon instead of at its limit.
console_fatal='watchdog: BUG: soft lockup|rcu: INFO: .*(detected stalls|self-detected stall)'
console_fatal+='|INFO: task .* blocked for more than|Watchdog detected hard LOCKUP|Kernel panic'

console_report=$console_fatal
console_report+='|WARNING: CPU: |BUG: |kernel BUG at|Oops|general protection fault|unable to handle'
console_report+='|WARNING: (possible|suspicious|inconsistent|bad unlock|held lock|lock held|Nested lock)'
console_report+='|PANIC: double fault|stack segment: |invalid opcode: |unchecked MSR access'
console_report+='|Bad page (state|map)|(list_add|list_del) corruption|refcount_t: '
console_report+='|UBSAN: |KASAN: |KCSAN: |suspicious RCU usage|kmemleak: .* new suspected'
console_report+='|NMI received for unknown reason|kthread starved|kthread timer wakeup didn'
console_report+='|scheduling while atomic|sleeping function called|bad: scheduling|trap invalid'
console_report+='|trying to register non-static key|turning off the locking correctness'
console_report+='|nobody cared|Objects remaining in|Out of memory: Killed'

# console_plain: the console without carriage returns and without what is known.
console_plain() {
	[[ -f $log/console.log ]] || return 0
	tr -d '\r\000' <"$log/console.log" | {
		if [[ -s $log/known ]]; then grep -avFf "$log/known" || true; else cat; fi
	}
}

# console_known: picks this host's lines out of known-warnings, once per run.
console_known() {
	local hosts text

	: >"$log/known"
	while IFS=$'\t' read -r hosts text; do
		[[ $hosts == '#'* || -z $text ]] && continue
		if [[ $machine-$series == "$hosts" || any-$series == "$hosts" ||
			$machine-any == "$hosts" ]]; then
			printf '%s\n' "$text" >>"$log/known"
		fi
	done <"$here/known-warnings"
}

console_has_report() {
	console_plain | grep -aE "$console_report" >/dev/null
}

console_has_fatal() {
	console_plain | grep -aE "$console_fatal" >/dev/null
}

# console_print_report: from the first report on, with the lines just before it.
console_print_report() {
	local first

	first=$(console_plain | grep -anE "$console_report" | sed -n '1s/:.*//p')
	console_plain | sed -n "$((first > 3 ? first - 3 : 1)),$((first + 80))p"
}

console_print_end() {
	console_plain | tail -n 40
}
