#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# EAL's own threads run exactly on the cpus that no lcore was given.
#
# Seen on: DPDK 22.11.11 (Debian 12, librte-eal23), a machine of two cpus and more.
# Guess:   with `--lcores 0@1` all of the process is on cpu 1: EAL's control threads (eal-intr-thread)
#          run where the main lcore runs, which is what a host's administrator chose for this program.
# Is:      they get the affinity that the process had at rte_eal_init(), less the cpus of all lcores: on
#          two cpus that is cpu 0 alone, which the caller had left to somebody else. Only where nothing
#          is left do they share the main lcore's cpu.
# So:      set the affinity of the process to what it may use before rte_eal_init(), not only --lcores.
set -eu
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
[ "$(nproc)" -ge 2 ] || { echo "needs two cpus" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=22.11.11-0+deb12u1
cd "$folder"
apt-get -q download librte-eal23=$version librte-kvargs23=$version librte-telemetry23=$version \
  libdpdk-dev=$version libfdt1 libnuma1 libbsd0 libmd0 > download.log 2>&1 || { cat download.log >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
libraries=root/usr/lib/x86_64-linux-gnu
headers="-I root/usr/include/x86_64-linux-gnu/dpdk -I root/usr/include/dpdk"

cat > threads.c <<'C'
#define _GNU_SOURCE
#include <dirent.h>
#include <rte_eal.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* Which of cpus 0 and 1 each thread of this process may use. */
int main(int count, char **arguments) {
  cpu_set_t two;
  CPU_ZERO(&two);
  CPU_SET(0, &two);
  CPU_SET(1, &two);
  if (sched_setaffinity(0, sizeof(two), &two) != 0) return 2;
  if (rte_eal_init(count, arguments) < 0) return 2;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
    if (task->d_name[0] == '.') continue;
    char path[300], name[32] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(name, sizeof(name), file) == NULL) return 2;
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    cpu_set_t may;
    int thread = 0;
    sscanf(task->d_name, "%d", &thread);
    sched_getaffinity(thread, sizeof(may), &may);
    printf("%s:%s%s\n", name, CPU_ISSET(0, &may) ? " 0" : "", CPU_ISSET(1, &may) ? " 1" : "");
  }
  return 0;
}
C
gcc -O1 -march=corei7 $headers -include rte_config.h -o threads threads.c \
  -Wl,--allow-shlib-undefined "$libraries"/librte_eal.so.23
LD_LIBRARY_PATH=$libraries ./threads --lcores 0@1 --no-huge --no-pci --no-shconf --no-telemetry -m 64 \
  2> eal.log | sort | tee seen || { cat eal.log >&2; exit 1; }
diff seen - <<'SEEN'
eal-intr-thread: 0
threads: 1
SEEN
echo "as found, with DPDK $version"
