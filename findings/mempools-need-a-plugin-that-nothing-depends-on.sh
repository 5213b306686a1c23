#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# rte_mempool_create() needs a plugin that no package of the library depends on, and without it says
# "Invalid argument".
#
# Seen on: DPDK 22.11.11 (Debian 12, librte-mempool23).
# Guess:   a program that is linked to librte_mempool and installed with its dependencies can make a pool;
#          or rte_mempool_create() fails with ENOENT or ENOTSUP, and the log names what is missing.
# Is:      the pool's own driver, "ring_mp_mc", is librte_mempool_ring, which EAL loads from a folder. Where
#          the folder lacks it, rte_errno is EINVAL for arguments that are right, and EAL logs nothing of
#          it. librte-mempool23 does not depend on librte-mempool-ring23, and dpkg-shlibdeps cannot see it.
#          Machines that build have it: libdpdk-dev depends on all drivers.
# So:      a package of a program that makes pools has to name librte-mempool-ring23 itself.
set -eu
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "needs root: this machine's own plugins are hidden from the program" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=22.11.11-0+deb12u1
cd "$folder"
apt-get -q download librte-eal23=$version librte-kvargs23=$version librte-telemetry23=$version \
  librte-mempool23=$version librte-ring23=$version librte-mempool-ring23=$version \
  libdpdk-dev=$version libfdt1 libnuma1 libbsd0 libmd0 > download.log 2>&1 || { cat download.log >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
libraries=$folder/root/usr/lib/x86_64-linux-gnu
headers="-I root/usr/include/x86_64-linux-gnu/dpdk -I root/usr/include/dpdk"

cat > pool.c <<'C'
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <stdio.h>

int main(int count, char **arguments) {
  if (rte_eal_init(count, arguments) < 0) return 2;
  struct rte_mempool *pool =
      rte_mempool_create("pool", 63, 64, 0, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY, 0);
  printf("%s\n", pool != NULL ? "a pool" : rte_strerror(rte_errno));
  return 0;
}
C
# shellcheck disable=SC2086
gcc -O1 -march=corei7 $headers -include rte_config.h -o pool pool.c -Wl,--allow-shlib-undefined \
  "$libraries"/librte_eal.so.23 "$libraries"/librte_mempool.so.23
made() { # EAL-OPTION...
  # EAL takes no plugin from below a folder where all may write, such as /tmp; /mnt is this program's own.
  LD_LIBRARY_PATH=$libraries unshare --mount sh -c '
    for plugins in /usr/lib/*/dpdk; do [ ! -d "$plugins" ] || mount -t tmpfs none "$plugins"; done
    mount -t tmpfs -o mode=755 none /mnt
    cp "$LD_LIBRARY_PATH"/dpdk/pmds-23.0/librte_mempool_ring.so.23 /mnt/ring.so
    exec ./pool --no-huge --no-pci --no-shconf --no-telemetry -m 64 "$@"' sh "$@" 2> eal.log
}
{
  echo "without the plugin: $(made)"
  echo "lines of EAL's log about it: $(grep -c -i mempool eal.log || true)"
  echo "with it: $(made -d /mnt/ring.so)"
  echo "librte-mempool23 depends on it: $(dpkg -f librte-mempool23_*.deb Depends | grep -c mempool-ring || true)"
} | tee seen
diff seen - <<'SEEN'
without the plugin: Invalid argument
lines of EAL's log about it: 0
with it: a pool
librte-mempool23 depends on it: 0
SEEN
echo "as found, with DPDK $version"
