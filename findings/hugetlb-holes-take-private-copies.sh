#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A hole in a file of huge pages takes away what was written to private mappings of the file.
#
# Seen on: Linux 6.18.44, memfd of 2 MiB pages (root: it allows itself 8 surplus pages meanwhile); the
#          same in guests with Debian's 6.1.192, 6.12.118 and 7.3.4.
# Guess:   a page that was written through MAP_PRIVATE is the process's own. A hole in the file takes
#          the file's pages, and of a private mapping only those that were not written yet, as on tmpfs.
# Is:      on hugetlbfs the private mapping reads zeroes in all of the hole: its own pages are gone, and
#          also where the file had a hole already and fallocate() had nothing to free.
# So:      a VM whose memory is a private mapping of huge pages (share=off) loses what its guest wrote, by
#          a hole in the file: a program that makes holes has to know that all mappings are shared.
set -eu
[ "$(id -u)" = 0 ] || { echo "needs root, for vm.nr_overcommit_hugepages" >&2; exit 2; }
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
folder=$(mktemp -d)
allowed=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages
before=$(cat "$allowed")
trap 'echo "$before" > "$allowed"; rm -rf "$folder"' EXIT
echo $((before + 8)) > "$allowed"

cat > "$folder/private.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kPages = 3 };

static void show(const char *when, const unsigned char *bytes, long page) {
  printf("  %s: %d %d %d\n", when, bytes[0], bytes[page], bytes[2 * page]);
}
/* The file has pages 0 and 1, with 1 in them; the private mapping writes 2 to pages 0 and 2. */
static int look(const char *name, unsigned flags, long page) {
  int file = memfd_create(name, flags);
  if (file < 0 || ftruncate(file, kPages * page) != 0) return perror("memfd"), 2;
  unsigned char *whole = mmap(NULL, kPages * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  unsigned char *own = mmap(NULL, kPages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  if (whole == MAP_FAILED || own == MAP_FAILED) return perror("mmap"), 2;
  memset(whole, 1, 2 * page);
  memset(own, 2, page);
  memset(own + 2 * page, 2, page);
  printf("%s\n", name);
  show("private mapping", own, page);
  if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPages * page) != 0)
    return perror("fallocate"), 2;
  show("after the hole", own, page);
  munmap(own, kPages * page);
  munmap(whole, kPages * page);
  return close(file);
}

int main(void) {
  int result = look("tmpfs", 0, 4096);
  return result ? result : look("hugetlbfs", MFD_HUGETLB | (21u << 26), 2L << 20);
}
C
gcc -O1 -o "$folder/private" "$folder/private.c"
"$folder/private" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
tmpfs
  private mapping: 2 1 2
  after the hole: 2 0 2
hugetlbfs
  private mapping: 2 1 2
  after the hole: 0 0 0
SEEN
echo "as found, with Linux $(uname -r)"
