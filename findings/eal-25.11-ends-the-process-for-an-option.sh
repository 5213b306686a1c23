#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# rte_eal_init() of DPDK 25.11 ends the process where it does not know an option.
#
# Seen on: DPDK 25.11.4-1 (Debian sid, librte-eal26), run with that release's own C library.
# Guess:   rte_eal_init() returns -1 and sets rte_errno to EINVAL, as rte_eal.h says, and as 22.11 does;
#          the program says in its own words what is wrong, and chooses its exit status.
# Is:      it calls exit(-EINVAL): the status is 234, nothing after the call runs but atexit handlers.
# So:      a program that hands options of its users to EAL needs an atexit handler while it is in
#          rte_eal_init(), or a service manager that counts on an exit status sees another one.
set -eu
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
name=$(basename "$0" .sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tools/private-apt
. "$(dirname "$0")/../tools/private-apt"
check_machine
version=25.11.4-1
private_apt amd64 debian/sid
run apt-get -q update
mkdir "$work/debs"
cd "$work/debs"
run apt-get -q download librte-eal26=$version librte-argparse26=$version librte-kvargs26=$version \
  librte-log26=$version librte-telemetry26=$version libdpdk-dev=$version libc6 libfdt1 libnuma1 \
  libbsd0 libmd0 libgcc-s1
cd "$work"
for package in debs/*.deb; do dpkg -x "$package" root; done
libraries=$(dirname "$(find root -name 'librte_eal.so.26' | head -1)")
headers=$(find root -name rte_config.h -printf '-I %h ')

cat > option.c <<'C'
#include <rte_eal.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>

static void at_exit(void) {
  puts("an atexit handler runs");
  fflush(stdout);
}

int main(int count, char **arguments) {
  atexit(at_exit);
  int result = rte_eal_init(count, arguments);
  printf("rte_eal_init() returned %d, rte_errno %d\n", result, rte_errno);
  return 0;
}
C
# shellcheck disable=SC2086
gcc -O1 -march=corei7 $headers -I root/usr/include/dpdk -include rte_config.h -o option option.c \
  -Wl,--allow-shlib-undefined "$libraries"/librte_eal.so.26
loader=$(find root -name 'ld-linux-x86-64.so.2' | head -1)
status=0
"$loader" --library-path "$libraries" ./option --no-huge --no-such-option > seen 2> errors || status=$?
echo "status $status" >> seen
cat seen
diff seen - <<'SEEN' || { cat errors >&2; exit 1; }
an atexit handler runs
status 234
SEEN
echo "as found, with DPDK $version"
