#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# librte_vhost cuts a socket's path at 107 bytes, serves the shorter name, and logs the longer one.
#
# Seen on: DPDK 22.11.11 (Debian 12, librte-vhost23).
# Guess:   a path that does not fit into sockaddr_un is refused by rte_vhost_driver_register(), or by
#          rte_vhost_driver_start() with ENAMETOOLONG.
# Is:      both return 0, "binding succeeded" is logged with the whole path, and the socket has its first
#          107 bytes as a name. A second device with the same 107 bytes in front cannot start.
#          rte_vhost_driver_unregister() removes the whole path: the cut name stays.
# So:      a backend measures paths before it hands them over: below a folder of a management program
#          (/var/lib/NAME/domain-1-GUEST/...) 107 bytes are soon spent.
set -eu
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=22.11.11-0+deb12u1
cd "$folder"
packages=(libfdt1 libnuma1 libbsd0 libmd0)
for name in librte-{cryptodev,dmadev,eal,ethdev,hash,kvargs,mbuf,mempool,meter,net,pci,rcu,ring,telemetry,vhost}23 \
  libdpdk-dev; do
  packages+=("$name=$version")
done
apt-get -q download "${packages[@]}" > download.log 2>&1 || { cat download.log >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
libraries=$folder/root/usr/lib/x86_64-linux-gnu

cat > paths.c <<'C'
#define _GNU_SOURCE
#include <dirent.h>
#include <rte_eal.h>
#include <rte_vhost.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int on_connection(int vid) { return (void)vid, 0; }

static void list(void) {
  DIR *sockets = opendir("sockets");
  int count = 0;
  for (struct dirent *entry; (entry = readdir(sockets)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    printf("  a socket of %zu bytes\n", strlen("sockets/") + strlen(entry->d_name));
    ++count;
  }
  closedir(sockets);
  if (count == 0) puts("  no socket");
}
static void serve(const char *path) {
  static const struct rte_vhost_device_ops ops = {.new_connection = on_connection};
  int registered = rte_vhost_driver_register(path, 0);
  rte_vhost_driver_callback_register(path, &ops);
  printf("%zu bytes: register %d, start %d\n", strlen(path), registered, rte_vhost_driver_start(path));
  list();
}

int main(int count, char **arguments) {
  if (rte_eal_init(count, arguments) < 0 || mkdir("sockets", 0700) != 0) return 2;
  char one[112], two[112];
  memset(one, 'x', sizeof(one));
  memcpy(one, "sockets/", strlen("sockets/"));
  strcpy(one + 109, "1");
  strcpy(two, one);
  two[109] = '2';
  serve(one);
  serve(two);
  printf("unregister: %d\n", rte_vhost_driver_unregister(one));
  list();
  fflush(stdout);
  _exit(0);
}
C
gcc -O1 -march=corei7 -I root/usr/include/x86_64-linux-gnu/dpdk -I root/usr/include/dpdk \
  -include rte_config.h -o paths paths.c -Wl,--allow-shlib-undefined \
  "$libraries"/librte_eal.so.23 "$libraries"/librte_vhost.so.23
LD_LIBRARY_PATH=$libraries ./paths --no-huge --no-pci --no-shconf --no-telemetry -m 64 2> eal.log |
  tee seen || { cat eal.log >&2; exit 1; }
grep -c 'xx1) binding succeeded' eal.log | sed 's/^/lines of success with the whole path: /' | tee -a seen
diff seen - <<'SEEN' || { cat eal.log >&2; exit 1; }
110 bytes: register 0, start 0
  a socket of 107 bytes
110 bytes: register 0, start -1
  a socket of 107 bytes
unregister: 0
  a socket of 107 bytes
lines of success with the whole path: 1
SEEN
echo "as found, with DPDK $version"
