#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Crashes an emulated host (started with --nmi and --cpus 2) while a guest runs on each processor. No
# test that passes: the run ends with 125. Of interest are the last lines of the host's console, where
# the module host_crash tells that the extension went off, and that the machine restarted.

set -u

here=$(cd "$(dirname "$0")" && pwd)
launcher=${MKVM_LAUNCHER:-$here/../bin/mkvm}

insmod /host/modules/host_crash.ko || exit 1
"$launcher" run --flat "$here/guest/loop" --cpus 2 >/dev/null 2>&1 &
"$launcher" run --flat "$here/guest/hello" || exit 1
dmesg -n 8
echo c >/proc/sysrq-trigger
# Not reached.
exit 1
