#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# librte_vhost takes a memory table of other files for the last one, and says that all is well.
#
# Seen on: DPDK 22.11.11 (Debian 12, librte-vhost23).
# Guess:   SET_MEM_TABLE maps what its descriptors are. A front end that sends the addresses of the last
#          table with another file has that file mapped.
# Is:      the table is compared with the last one by guest address, size and front end's address. Where
#          these are the same the new descriptors are closed, the answer is 0, and the old file stays
#          mapped.
# So:      a backend that gives a guest's memory back compares the files (device, inode, offset) itself.
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

cat > table.c <<'C'
#define _GNU_SOURCE
#include <rte_eal.h>
#include <rte_vhost.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static volatile int backend = -1;
static int on_connection(int vid) { return backend = vid, 0; }

/* vhost-user, "Multiple memory regions description": one region, its answer wanted. */
static uint64_t set_mem_table(int front_end, int file) {
  struct __attribute__((packed)) {
    uint32_t request, flags, size, regions, padding;
    uint64_t guest, bytes, user, offset;
  } message = {5, 1 | 8, 40, 1, 0, 0, 1 << 20, 1 << 30, 0};
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {&message, sizeof(message)};
  struct msghdr sent = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                        .msg_controllen = sizeof(control)};
  struct cmsghdr *head = CMSG_FIRSTHDR(&sent);
  *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(head), &file, sizeof(file));
  struct __attribute__((packed)) { uint32_t header[3]; uint64_t value; } answer = {{0}, 99};
  if (sendmsg(front_end, &sent, 0) < 0 || recv(front_end, &answer, sizeof(answer), MSG_WAITALL) < 0)
    exit(2);
  return answer.value;
}
static int file_of(char content) {
  int file = memfd_create("guest", 0);
  char page[4096];
  memset(page, content, sizeof(page));
  if (ftruncate(file, 1 << 20) != 0 || write(file, page, sizeof(page)) < 0) exit(2);
  return file;
}
static char mapped(void) {
  struct rte_vhost_memory *table = NULL;
  if (rte_vhost_get_mem_table(backend, &table) != 0) exit(2);
  char first = *(char *)(uintptr_t)table->regions[0].host_user_addr;
  free(table);
  return first;
}

int main(int count, char **arguments) {
  if (rte_eal_init(count, arguments) < 0) return 2;
  static const struct rte_vhost_device_ops ops = {.new_connection = on_connection};
  /* REPLY_ACK and no more. */
  if (rte_vhost_driver_register("socket", 0) != 0 ||
      rte_vhost_driver_set_protocol_features("socket", 1 << 3) != 0 ||
      rte_vhost_driver_callback_register("socket", &ops) != 0 ||
      rte_vhost_driver_start("socket") != 0)
    return 2;
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int front_end = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(front_end, (struct sockaddr *)&address, sizeof(address)) != 0) return 2;
  while (backend < 0) usleep(1000);
  uint32_t protocol[] = {16, 1, 8, 1 << 3, 0}; /* SET_PROTOCOL_FEATURES */
  if (write(front_end, protocol, sizeof(protocol)) < 0) return 2;
  uint64_t answer = set_mem_table(front_end, file_of('A'));
  printf("file A: answer %d, mapped: %c\n", (int)answer, mapped());
  answer = set_mem_table(front_end, file_of('B'));
  printf("file B at the same addresses: answer %d, mapped: %c\n", (int)answer, mapped());
  fflush(stdout);
  _exit(0);
}
C
gcc -O1 -march=corei7 -I root/usr/include/x86_64-linux-gnu/dpdk -I root/usr/include/dpdk \
  -include rte_config.h -o table table.c -Wl,--allow-shlib-undefined \
  "$libraries"/librte_eal.so.23 "$libraries"/librte_vhost.so.23
LD_LIBRARY_PATH=$libraries ./table --no-huge --no-pci --no-shconf --no-telemetry -m 64 2> eal.log |
  tee seen || { cat eal.log >&2; exit 1; }
diff seen - <<'SEEN' || { cat eal.log >&2; exit 1; }
file A: answer 0, mapped: A
file B at the same addresses: answer 0, mapped: A
SEEN
echo "as found, with DPDK $version"
